import pytest
from pydantic import TypeAdapter

from dtinterp.commands.equivalence.explain_pair import explain_pair
from dtinterp.equivalence.explain.smallest_set import PairConfig
from dtinterp.equivalence.observations import ExplainPairConfig
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import load_model

SEARCH = PairConfig(n_contexts=2, n_draws=5, epsilon=1e-6)


@pytest.fixture(scope="module")
def places(folders, axes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair") / "dictionary"
    save(folder, axes, parents=(load_model(folders.model).artefact,), seed=0)
    return {"dictionary": folder, "model": folders.model, "demonstrations": folders.demonstrations}


def test_two_observations_are_explained_by_a_dictionary_of_the_model(places, tmp_path):
    artefact = explain_pair(ExplainPairConfig((0, 5), SEARCH), tmp_path / "pair", **places)
    found = artefact.manifest.metrics
    assert found["n_contexts"] == 4
    assert found["differing"] == list(range(16))
    assert found["features"]
    assert TypeAdapter(float).validate_python(found["left_by_all"]) < SEARCH.epsilon
    assert artefact.config["pair"] == [0, 5]
    assert len(artefact.manifest.parents) == 3
    assert found["gate"] == "not judged: no report card"


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ((3, 3), "frame 3 is given twice, expected two"),
        ((0, 9999), r"frame 9999 is not in the table of \d+ frames"),
        ((-1, 2), "pair holds -1, expected numbers of at least 0"),
    ],
)
def test_what_is_no_pair_is_refused(places, tmp_path, pair, sentence):
    with pytest.raises(UserError, match=sentence):
        explain_pair(ExplainPairConfig(pair, SEARCH), tmp_path / "pair", **places)
    assert not (tmp_path / "pair").exists()
