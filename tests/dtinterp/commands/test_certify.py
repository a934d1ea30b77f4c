from dtinterp.commands.certify import certify
from dtinterp.equivalence.certify import EquivalenceConfig
from dtinterp.equivalence.storage import load_equivalence
from dtinterp.model.storage import load_model


def test_classes_rest_on_the_model_and_its_demonstrations(folders, tmp_path):
    config = EquivalenceConfig(n_frames=6, n_contexts=2, n_draws=10)
    artefact = certify(config, tmp_path / "classes", model=folders.model, demonstrations=folders.demonstrations)
    assert load_model(folders.model).artefact.manifest.digest in artefact.manifest.parents.values()
    report = load_equivalence(tmp_path / "classes", parent=load_model(folders.model).artefact)
    assert len(report.partition.label) == 6
