import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.artefacts.artefact import Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside, content_of, load, load_any, read, save
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class Sums:
    value: Float32[Tensor, "row 2"]
    name: str
    total: float = 0.0


def _totalled(found: Sums) -> Sums:
    if found.name == "none":
        raise ValueError("it has no name")
    return Sums(found.value, found.name.strip(), found.total)


SUMS = ArtefactKind(
    "sums",
    Sums,
    places={"total": "metrics.total"},
    beside=lambda sums: Beside(metrics={"n_rows": len(sums.value)}),
    unread=frozenset({"more"}),
    checked=_totalled,
    formerly=("totals",),
)
GOOD = Sums(torch.ones(3, 2), " good ", 6.0)


def test_a_tensor_that_belongs_to_no_field_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "sums", GOOD, seed=0, beside=Beside(tensors={"stray": torch.zeros(1)}))
    with pytest.raises(UserError, match=r"it has strange tensors: stray"):
        load(tmp_path / "sums", SUMS)


def test_a_saved_value_comes_back_with_its_artefact(tmp_path: Path) -> None:
    beside = Beside({"asked": 3}, {"gate": "passes"}, {"more": torch.zeros(1)}, "cuda")
    written = save(tmp_path / "sums", GOOD, seed=4, beside=beside)
    value, artefact = read(tmp_path / "sums", SUMS)
    assert torch.equal(value.value, GOOD.value)
    assert (value.name, value.total) == ("good", 6.0)
    assert artefact.manifest == written.manifest
    assert artefact.config == {"name": " good ", "asked": 3}
    assert artefact.manifest.metrics == {"total": 6.0, "n_rows": 3, "gate": "passes"}
    assert artefact.tensors.keys() == {"value", "more"}
    assert (artefact.manifest.seed, artefact.manifest.device) == (4, "cuda")


def test_a_parent_is_checked(tmp_path: Path) -> None:
    parents = [write_artefact(tmp_path / name, Content("x", {"n": name}, {}, {}), parents=(), seed=0) for name in "ab"]
    save(tmp_path / "sums", GOOD, parents=parents[:1], seed=0)
    assert load(tmp_path / "sums", SUMS, parent=parents[0]).total == 6.0
    with pytest.raises(UserError, match="was not made from"):
        load(tmp_path / "sums", SUMS, parent=parents[1])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Sums(torch.full((1, 2), math.inf), "odd"), "1 of 1 rows of value hold NaN or infinity"),
        (Sums(torch.ones(1, 2), "none"), "it has no name"),
    ],
)
def test_what_is_sealed_but_makes_no_sense_is_refused_in_a_sentence(value: Sums, reason: str, tmp_path: Path) -> None:
    save(tmp_path / "sums", value, seed=0)
    with pytest.raises(UserError, match=rf"sums is no sums that this version understands \({reason}\): make it again"):
        load(tmp_path / "sums", SUMS)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (Content("sums", {}, {}, {}), "it is empty"),
        (Content("sums", {"name": "x"}, {}, {}), "it lacks value"),
        (Content("sums", {"name": 3}, {"value": torch.ones(1, 2)}, {}), r"config\.name is 3 \(Input should be"),
        (Content("sums", {"name": "x"}, {"value": torch.ones(2)}, {}), "value"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(content: Content, reason: str, tmp_path: Path) -> None:
    write_artefact(tmp_path / "sums", content, parents=(), seed=0)
    with pytest.raises(UserError, match=rf"no sums that this version understands \(.*{reason}"):
        load(tmp_path / "sums", SUMS)


def test_an_older_name_still_opens_and_another_kind_is_refused(tmp_path: Path) -> None:
    for name in ("totals", "other"):
        content = content_of(GOOD)
        write_artefact(
            tmp_path / name, Content(name, content.config, content.tensors, content.metrics), parents=(), seed=0
        )
    assert load(tmp_path / "totals", SUMS).total == 6.0
    with pytest.raises(UserError, match="is of kind other, expected sums"):
        load(tmp_path / "other", SUMS)


def test_a_value_of_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no kind of artefact is declared for dict"):
        save(tmp_path / "x", {}, seed=0)


def test_a_folder_of_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no artefact"):
        load_any(tmp_path)
    write_artefact(tmp_path / "x", Content("riddle", {}, {}, {}), parents=(), seed=0)
    with pytest.raises(UserError, match="is of kind riddle, expected one of"):
        load_any(tmp_path / "x")


def test_what_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    save(tmp_path / "sums", GOOD, seed=0)
    with pytest.raises(UserError, match="exists already"):
        save(tmp_path / "sums", GOOD, seed=0)
    save(tmp_path / "sums", GOOD, seed=1, replace=True)
    assert read_artefact(tmp_path / "sums", kind="sums").manifest.seed == 1
