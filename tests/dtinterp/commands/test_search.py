from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.report import AdversaryReport
from dtinterp.commands.search import SearchPlaces, search
from dtinterp.foundation.artefacts.codec import load_any, save
from dtinterp.model.storage import load_model


def test_a_search_is_written_with_the_dictionary_that_it_rests_on(folders, axes, tmp_path):
    dictionary = tmp_path / "axes"
    save(dictionary, axes, parents=(load_model(folders.model).artefact,), seed=0)
    config = AdversaryConfig("feature", feature=1, edits="world", n_edits=1, n_controls=5)
    places = SearchPlaces(folders.model, folders.demonstrations, dictionary)
    artefact = search(config, places, tmp_path / "found")
    report, _ = load_any(artefact.path)
    assert isinstance(report, AdversaryReport)
    assert report.config == config
    assert len(artefact.manifest.parents) == 3
