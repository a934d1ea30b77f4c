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
for folder in sorted(path for path in here.iterdir() if path.is_dir()):
    rows = load_file(here / f"{folder.name}.rows.safetensors")["rows"]
    sae = SAE.load_from_disk(str(folder))
    code = sae.encode(rows).detach().contiguous()
    made = sae.decode(code).detach().contiguous()
    save_file({"code": code, "made": made}, here / f"{folder.name}.answer.safetensors")
    sae.save_model(here / "again" / folder.name)
"""


@needs_saelens
@pytest.mark.slow
def test_saelens_encodes_and_decodes_alike_both_ways(random_dictionary: Make, rows: Tensor, tmp_path: Path) -> None:
    """Dictionaries of every kind, and some that ship; once as exported, and once as SAELens wrote them again."""
    held = {type(kind).__name__: (random_dictionary(kind, width=11), rows) for kind in KINDS}
    for site in ("hook_obs_embed", "blocks.1.hook_resid_pre"):
        dictionary = load_dictionary(SHIPPED / site / "topk-128-k8")
        noise = torch.randn(64, dictionary.d_model, generator=torch.Generator().manual_seed(0))
        some = dictionary.W_dec[:64] * 3 + dictionary.b_dec + noise / 10
        held[f"shipped at {site}"] = dictionary, dictionary.scale * some
    for name, (dictionary, shown) in held.items():
        export_saelens(tmp_path / name, dictionary)
        save_file({"rows": shown.contiguous()}, tmp_path / f"{name}.rows.safetensors")
    over = {} if INTERPRETER is not None else {"PYTHONPATH": str(OVERLAY)}
    command = [INTERPRETER or sys.executable, "-c", READ_BY_SAELENS, tmp_path]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **over})
    for name, (dictionary, shown) in held.items():
        answer = load_file(tmp_path / f"{name}.answer.safetensors")
        for ours in (folded(dictionary), read(tmp_path / "again" / name)):
            found = {"code": encode_dense(ours, shown), "made": reconstruct(ours, shown)}
            torch.testing.assert_close({name: found}, {name: answer})
            assert (answer["code"] > 0).any()
