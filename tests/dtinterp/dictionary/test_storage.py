import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, reconstruct
from dtinterp.dictionary.evaluation.acceptance import Acceptance, AcceptanceCriteria
from dtinterp.dictionary.evaluation.score import DictionaryScore, judge, score
from dtinterp.dictionary.storage import gate_record, load_dictionary, load_score
from dtinterp.foundation.artefacts.artefact import Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.errors import UserError


@pytest.fixture
def parent(tmp_path: Path) -> Artefact:
    content = Content(kind="model", config={}, tensors={"weight": torch.zeros(1)}, metrics={})
    return write_artefact(tmp_path / "model", content, parents=(), seed=0)


def _score(dictionary: Dictionary, rows: Tensor, strength: float) -> DictionaryScore:
    weight = strength * torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    return score(
        dictionary,
        rows,
        target_action=(rows @ weight).argmax(dim=1),
        logits_with=lambda edit: (rows if edit is None else edit(rows)) @ weight,
        generator=np.random.default_rng(0),
    )


def test_a_saved_dictionary_comes_back_to_the_bit(
    dictionary: Dictionary, rows: Tensor, parent: Artefact, tmp_path: Path
) -> None:
    save(tmp_path / "dictionary", dictionary, parents=[parent], seed=3)
    loaded = load_dictionary(tmp_path / "dictionary", parent=parent)
    assert (loaded.kind, loaded.site, loaded.name) == (dictionary.kind, dictionary.site, dictionary.name)
    assert torch.equal(reconstruct(loaded, rows), reconstruct(dictionary, rows))


def test_the_artefact_records_seed_and_parents(dictionary: Dictionary, parent: Artefact, tmp_path: Path) -> None:
    artefact = save(tmp_path / "dictionary", dictionary, parents=[parent], seed=3)
    assert artefact.manifest.seed == 3
    assert artefact.manifest.parents == {"model/model": parent.manifest.digest}


@pytest.mark.parametrize("strength", [3.0, 0.0])
def test_a_saved_score_comes_back_equal(
    strength: float, dictionary: Dictionary, rows: Tensor, parent: Artefact, tmp_path: Path
) -> None:
    card = _score(dictionary, rows, strength)
    assert (card.loss_recovered_from_zero is None) == (strength == 0)
    save(tmp_path / "dictionary", dictionary, parents=[parent], seed=3, beside=Beside(metrics=asdict(card)))
    assert load_score(tmp_path / "dictionary") == card


def test_a_dictionary_may_have_no_score(dictionary: Dictionary, parent: Artefact, tmp_path: Path) -> None:
    save(tmp_path / "dictionary", dictionary, parents=[parent], seed=3)
    assert load_score(tmp_path / "dictionary") is None


def test_a_dictionary_is_not_overwritten_unasked(dictionary: Dictionary, parent: Artefact, tmp_path: Path) -> None:
    save(tmp_path / "dictionary", dictionary, parents=[parent], seed=3)
    with pytest.raises(UserError, match="exists already"):
        save(tmp_path / "dictionary", dictionary, parents=[parent], seed=3)
    save(tmp_path / "dictionary", dictionary, parents=[parent], seed=4, replace=True)


def test_another_parent_is_refused(dictionary: Dictionary, parent: Artefact, tmp_path: Path) -> None:
    save(tmp_path / "dictionary", dictionary, parents=(), seed=3)
    with pytest.raises(UserError, match="was not made from"):
        load_dictionary(tmp_path / "dictionary", parent=parent)


def test_a_control_is_read_as_one_and_refused_where_the_model_s_own_is_wanted(
    dictionary: Dictionary, parent: Artefact, tmp_path: Path
) -> None:
    save(tmp_path / "control", replace(dictionary, of_untrained=True), parents=[parent], seed=3)
    assert load_dictionary(tmp_path / "control").of_untrained
    with pytest.raises(UserError, match="control was fitted to an untrained model of the shape of"):
        load_dictionary(tmp_path / "control", parent=parent)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    content = Content(
        kind="dictionary",
        config={"name": "x", "site": "", "kind": {"type": "Sparkling"}},
        tensors={name: torch.zeros(1) for name in ("W_enc", "b_enc", "W_dec", "b_dec", "scale")},
        metrics={},
    )
    write_artefact(tmp_path / "dictionary", content, parents=(), seed=0)
    with pytest.raises(
        UserError,
        match=r"kind is of type Sparkling, expected one of BatchTopK, Gated, .*SemiNmf\): make it again",
    ):
        load_dictionary(tmp_path / "dictionary")


def test_a_damaged_dictionary_is_refused(dictionary: Dictionary, tmp_path: Path) -> None:
    save(tmp_path / "dictionary", dictionary, parents=(), seed=3)
    config = tmp_path / "dictionary" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"site": "elsewhere"}))
    with pytest.raises(UserError, match="is damaged"):
        load_dictionary(tmp_path / "dictionary")


def test_a_verdict_that_is_older_than_a_mark_is_given_anew(
    dictionary: Dictionary, rows: Tensor, parent: Artefact, tmp_path: Path
) -> None:
    card = replace(_score(dictionary, rows, 3.0), verdict=Acceptance(AcceptanceCriteria(max_fvu=0.7), (), ()))
    save(tmp_path / "new", dictionary, parents=[parent], seed=0, beside=Beside(metrics=asdict(card)))
    assert gate_record(tmp_path / "new") == {"gate": "passes"}
    metrics = asdict(card)
    del metrics["verdict"]["gate"]["max_fvu_frames"]
    written = read_artefact(tmp_path / "new", kind="dictionary")
    older = Content("dictionary", written.config, written.tensors, metrics)
    write_artefact(tmp_path / "old", older, parents=[parent], seed=0)
    found = load_score(tmp_path / "old")
    assert found is not None
    assert found.verdict is not None
    assert found.verdict == judge(card, AcceptanceCriteria(max_fvu=0.7))
    assert "FVU on unseen frames" in found.verdict.unjudged


def test_a_dictionary_without_a_card_is_not_judged(dictionary: Dictionary, parent: Artefact, tmp_path: Path) -> None:
    save(tmp_path / "dictionary", dictionary, parents=[parent], seed=0)
    assert gate_record(tmp_path / "dictionary") == {"gate": "not judged: no report card"}


@pytest.mark.parametrize(
    ("config", "tensors", "sentence"),
    [
        ({}, {"b_dec": None}, r"dictionary that this version understands \(it lacks b_dec\): make it again"),
        ({}, {"W_more": torch.zeros(2)}, r"it has strange tensors: W_more"),
        ({}, {"W_dec": torch.zeros(4), "b_enc": torch.zeros(4).long()}, "no dictionary that this version understands"),
        ({"name": None}, {}, r"config\.name is None \("),
        ({"kind": [1]}, {}, r"config\.kind.* is \[1\] \("),
        ({"kind": {}}, {}, "is of type None, expected one of BatchTopK"),
        ({"kind": {"type": "TopK", "k": "many"}}, {}, r"config\.kind\.k is 'many' \("),
        (
            {"kind": {"type": "Matryoshka", "k": 1, "n_levels": 10**8}},
            {"threshold": torch.ones(4)},
            r"halves the width 4 9{8} times",
        ),
    ],
    ids=str,
)
def test_a_sealed_dictionary_that_cannot_be_gets_one_sentence(
    config: dict, tensors: dict, sentence: str, tmp_path: Path
) -> None:
    parts = {"W_enc": (3, 4), "b_enc": (4,), "W_dec": (4, 3), "b_dec": (3,), "scale": ()}
    whole = {name: torch.ones(shape) for name, shape in parts.items()} | tensors
    told = {"name": "x", "site": "", "kind": {"type": "TopK", "k": 2}} | config
    content = Content("dictionary", told, {name: each for name, each in whole.items() if each is not None}, {})
    write_artefact(tmp_path / "dictionary", content, parents=(), seed=0)
    with pytest.raises(UserError, match=sentence):
        load_dictionary(tmp_path / "dictionary")


def test_a_card_that_cannot_be_gets_one_sentence(dictionary: Dictionary, tmp_path: Path) -> None:
    content = Content("dictionary", {}, dictionary.tensors, {"fvu": "low"})
    write_artefact(tmp_path / "dictionary", content, parents=(), seed=0)
    with pytest.raises(UserError, match=r"in the card of .*dictionary, where it cannot be: score it again"):
        load_score(tmp_path / "dictionary")
