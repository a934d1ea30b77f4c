import shutil
import subprocess

import pytest

from dtinterp.cli.commands import COMMANDS
from dtinterp.cli.completion import SHELLS, completion

OPTIONS = {name: ["--out", f"--of-{name.replace(' ', '-')}"] for name in COMMANDS}
ASK = """
COMP_WORDS=(dtinterp {words} "{begun}"); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); _dtinterp; echo "${{COMPREPLY[@]}}"
"""


def completed(words: str, begun: str) -> list[str]:
    """Return what bash offers after the words."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    script = completion("bash", OPTIONS) + ASK.format(words=words, begun=begun)
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        ("", "train-", ["train-agent", "train-model"]),
        ("", "exper", ["experiment"]),
        ("experiment", "", ["check", "list", "new", "run", "schema"]),
        ("experiment run", "--of", ["--of-experiment-run"]),
        ("certify --out x", "--of", ["--of-certify"]),
        ("certify", "--q", ["--quiet"]),
    ],
)
def test_bash_offers_commands_then_their_options(words, begun, offered):
    assert sorted(completed(words, begun)) == sorted(offered)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_every_command(shell):
    script = completion(shell, OPTIONS)
    assert all(word in script for name in COMMANDS for word in name.split())
