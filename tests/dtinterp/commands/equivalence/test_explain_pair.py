import pytest
from pydantic import TypeAdapter

from dtinterp.commands.equivalence.explain_pair import PairPlaces, explain_pair
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.explain.smallest_set import PairConfig
from dtinterp.equivalence.observations import ExplainPairConfig, certify
from dtinterp.equivalence.observations import explain_pair as explain
from dtinterp.equivalence.populations.moves import replayed
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import load_model
from dtinterp.subject.subject import open_subject

SEARCH = PairConfig(n_contexts=2, n_draws=5, epsilon=1e-6)


@pytest.fixture(scope="module")
def places(folders, axes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair") / "dictionary"
    save(folder, axes, parents=(load_model(folders.model).artefact,), seed=0)
    return PairPlaces(folder, folders.model, folders.demonstrations)


def test_two_observations_are_explained_by_a_dictionary_of_the_model(places, tmp_path):
    artefact = explain_pair(ExplainPairConfig((0, 5), SEARCH), places, tmp_path / "pair")
    found = artefact.manifest.metrics
    assert found["n_contexts"] == 4
    assert found["differing"] == list(range(16))
    assert found["features"]
    assert TypeAdapter(float).validate_python(found["left_by_all"]) < SEARCH.epsilon
    assert artefact.config["pair"] == [0, 5]
    assert len(artefact.manifest.parents) == 3
    assert found["gate"] == "not judged: no report card"


def test_two_observations_are_held_apart_in_the_histories_that_classes_are_of(folders, axes):
    subject = open_subject(folders.model, folders.demonstrations)
    few = EquivalenceConfig(
        4, n_plays=16, n_tested=0, n_contexts=1, n_rounds=0, n_joint_rounds=0, n_wandered=0, n_quotient_draws=1
    )
    classes = certify(subject, few)
    one, other = classes.chosen.frame_id[:2].tolist()
    found = explain(subject, axes, ExplainPairConfig((one, other), SEARCH), classes)
    assert found.histories == "contexts of its own play after 0 to 12 random actions, asked for 0.892"
    assert found.found.n_contexts <= 2 * SEARCH.n_contexts
    assert classes.moves is not None
    assert subject.graph is not None
    seen = replayed(classes.moves, subject.graph, known=subject.trajectories.frames, player="toy").trajectories
    never = next(each for each in range(len(subject.trajectories.frames)) if each not in seen.frame_id)
    with pytest.raises(UserError, match=f"frame {never} stands at no step of these histories"):
        explain(subject, axes, ExplainPairConfig((one, never), SEARCH), classes)


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
        explain_pair(ExplainPairConfig(pair, SEARCH), places, tmp_path / "pair")
    assert not (tmp_path / "pair").exists()
