"""No damaged byte of what ships is read as if it were whole: it is refused, or what is read is what was written."""

import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact
from dtinterp.foundation.errors import UserError
from tests.faults.fuzz import files_in
from tests.faults.readers import SHIPPED, STUDY

SHIPS: Mapping[str, Path] = {
    "agent": SHIPPED / "agents" / "simple-crossing-s9n1",
    "model": SHIPPED / "models" / "memory-dt-small-0",
    "dictionary": STUDY / "dictionaries" / "hook_obs_embed" / "topk-128-k8",
    "labels": STUDY / "labels" / "hook_obs_embed" / "topk-128-k8",
    "truth": STUDY / "truth" / "hook_obs_embed" / "topk-128-k8",
    "equivalence": STUDY / "plays",
    "screening": STUDY / "screening",
    "class history": SHIPPED / "comparisons" / "training",
    "pair": min((STUDY / "pairs").iterdir()),
    "explanation": STUDY / "explanation",
    "model-comparison": STUDY / "agreement",
    "intervention-report": STUDY / "instruction-flip",
    "validation": STUDY / "validation",
    "calibration": STUDY / "calibration",
}
N_PLACES = 12
"""Damaged places of each file, by kind of damage."""
HARMLESS = "as it was written"


def _flipped(content: bytes, place: int, rng: random.Random) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]


def _cut(content: bytes, place: int, _: random.Random) -> bytes:
    return content[:place]


def _same(read: Artefact, written: Artefact) -> bool:
    return (read.config, read.manifest) == (written.config, written.manifest) and _equal(read.tensors, written.tensors)


def _equal(read: Mapping[str, Tensor], written: Mapping[str, Tensor]) -> bool:
    return read.keys() == written.keys() and all(torch.equal(read[name], written[name]) for name in written)


def _answer(path: Path, written: Artefact) -> str:
    """Return the sentence that refuses an artefact, or that it is the one that was written, or another one."""
    try:
        return HARMLESS if _same(read_artefact(path, kind=written.manifest.kind), written) else "read as another"
    except UserError as refusal:
        return str(refusal)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [_flipped, _cut], ids=["flipped bits", "cut files"])
@pytest.mark.parametrize("kind", SHIPS)
def test_damage_is_refused_or_changes_nothing(kind: str, damage, tmp_path: Path) -> None:
    rng = random.Random(f"{kind}/{damage.__name__}")
    shutil.copytree(SHIPS[kind], tmp_path / "whole")
    written, content = read_artefact(tmp_path / "whole", kind=kind), files_in(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "damaged")
    refused = 0
    for name in sorted(content):
        file = tmp_path / "damaged" / name
        for place in (0, len(content[name]) - 1, *(rng.randrange(len(content[name])) for _ in range(N_PLACES))):
            file.write_bytes(damage(content[name], place, rng))
            answer = _answer(tmp_path / "damaged", written)
            assert answer == HARMLESS or str(tmp_path / "damaged") in answer, f"{name} at {place}: {answer}"
            refused += answer != HARMLESS
        file.write_bytes(content[name])
    assert _same(read_artefact(tmp_path / "damaged", kind=kind), written)
    assert refused >= 0.9 * len(content) * (N_PLACES + 2)
