import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode_dense, reconstruct
from dtinterp.dictionary.formats.saelens import export_saelens, folded, read
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.dictionary.storage import load_dictionary

KINDS: list[LearnedKind] = [TopK(3), L1(0.5), JumpReLU(0.5), Gated(0.5), BatchTopK(3), Matryoshka(3, 2)]
Make = Callable[..., Dictionary]
ROOT = Path(__file__).parents[4]
OVERLAY = ROOT / ".saelens"
INTERPRETER = os.environ.get("DTINTERP_SAELENS_PYTHON")
needs_saelens = pytest.mark.skipif(
    INTERPRETER is None and not (OVERLAY / "sae_lens").is_dir(),
    reason="SAELens wants TransformerLens below 4: make saelens lays both over the environment, or name an interpreter "
    "that has them in DTINTERP_SAELENS_PYTHON",
)
SHIPPED = ROOT / "checkpoints/studies/memory-dt-small-0/dictionaries"

READ_BY_SAELENS = """
import sys
from pathlib import Path
from safetensors.torch import load_file, save_file
from sae_lens import SAE
here = Path(sys.argv[1])
rows = load_file(here / "rows.safetensors")["rows"]
for folder in sorted(path for path in here.iterdir() if path.is_dir()):
    sae = SAE.load_from_disk(str(folder))
    code = sae.encode(rows).detach().contiguous()
    made = sae.decode(code).detach().contiguous()
    save_file({"code": code, "made": made}, here / f"{folder.name}.answer.safetensors")
    sae.save_model(here / "again" / folder.name)
"""


@needs_saelens
@pytest.mark.slow
def test_saelens_encodes_and_decodes_alike_both_ways(random_dictionary: Make, rows: Tensor, tmp_path: Path) -> None:
    dictionaries = {type(kind).__name__: random_dictionary(kind, width=11) for kind in KINDS}
    for name, dictionary in dictionaries.items():
        export_saelens(tmp_path / name, dictionary)
    _hold_against_saelens(dictionaries, rows, tmp_path)


@needs_saelens
@pytest.mark.slow
@pytest.mark.parametrize("site", ["hook_obs_embed", "blocks.1.hook_resid_pre"])
def test_a_dictionary_that_ships_is_the_same_in_saelens(site: str, tmp_path: Path) -> None:
    dictionary = load_dictionary(SHIPPED / site / "topk-128-k8")
    export_saelens(tmp_path / "shipped", dictionary)
    noise = torch.randn(64, dictionary.d_model, generator=torch.Generator().manual_seed(0))
    some = dictionary.W_dec[:64] * 3 + dictionary.b_dec + noise / 10
    _hold_against_saelens({"shipped": dictionary}, dictionary.scale * some, tmp_path)


def _hold_against_saelens(dictionaries: dict[str, Dictionary], rows: Tensor, folder: Path) -> None:
    """Compare codes and rows of exported dictionaries, and of those that SAELens wrote again, with SAELens's own."""
    save_file({"rows": rows.contiguous()}, folder / "rows.safetensors")
    over = {} if INTERPRETER is not None else {"PYTHONPATH": str(OVERLAY)}
    command = [INTERPRETER or sys.executable, "-c", READ_BY_SAELENS, folder]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **over})
    for name, dictionary in dictionaries.items():
        answer = load_file(folder / f"{name}.answer.safetensors")
        for ours in (folded(dictionary), read(folder / "again" / name)):
            torch.testing.assert_close(encode_dense(ours, rows), answer["code"])
            torch.testing.assert_close(reconstruct(ours, rows), answer["made"])
            assert (answer["code"] > 0).any()
