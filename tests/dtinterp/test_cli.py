import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from dtinterp.cli import COMMANDS, main


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """Run a command that must fail as a user's mistake, and return its one sentence."""
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


def loaded_by(*words: str) -> set[str]:
    """Return the top-level modules that a fresh process has imported after a command."""
    program = (
        "import sys\nfrom dtinterp.cli import main\n"
        f"try:\n    main({list(words)!r})\nexcept SystemExit:\n    pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ended.stderr.split())


def test_help_lists_every_command_and_imports_nothing_heavy():
    assert not loaded_by("--help") & {"torch", "transformer_lens", "streamlit", "tyro", "numpy", "minigrid"}


def test_training_an_agent_does_not_pay_for_transformer_lens():
    loaded = loaded_by("train-agent", "--help")
    assert "torch" in loaded
    assert not loaded & {"transformer_lens", "streamlit", "plotly", "sklearn"}


def test_no_command_gives_the_list(capsys):
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_documented_function(name):
    module, _, function = COMMANDS[name].function.partition(":")
    assert getattr(import_module(module), function).__doc__


def test_an_unknown_command_is_named(capsys):
    assert "there is no command 'tarin-agent'" in said(capsys, "tarin-agent")


def test_an_unknown_world_is_named(capsys, tmp_path):
    assert "There is no environment 'MiniGrid-Nowhere-v0'; the nearest id is" in said(
        capsys, "train-agent", "--env-id", "MiniGrid-Nowhere-v0", "--out", tmp_path / "agent"
    )
    assert not any(tmp_path.iterdir())


def test_an_impossible_config_is_named(capsys, tmp_path):
    assert "steps is 3, expected at least one rollout" in said(
        capsys, "train-agent", "--steps", "3", "--out", tmp_path / "agent"
    )


def test_a_value_of_the_wrong_type_ends_with_code_two(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train-agent", "--steps", "many"])
    assert ended.value.code == 2
    assert "many" in capsys.readouterr().err


def test_a_missing_artefact_is_named(capsys, tmp_path):
    assert f"{tmp_path / 'nobody'} holds no agent" in said(
        capsys, "collect", "--agent", tmp_path / "nobody", "--out", tmp_path / "demonstrations"
    )
    assert not any(tmp_path.iterdir())


def test_a_checkpoint_that_is_none_is_named(capsys, tmp_path):
    (tmp_path / "model.pt").write_bytes(b"no checkpoint")
    assert "is truncated, damaged, or no checkpoint of torch 1.6 or newer: fetch it again" in said(
        capsys, "import-model", tmp_path / "model.pt", "--out", tmp_path / "model"
    )
    assert not (tmp_path / "model").exists()


def test_an_unknown_sampler_is_named(capsys, tmp_path):
    assert "the sampler is 'hot=1'" in said(
        capsys, "collect", "--agent", tmp_path, "--sampler", "hot=1:100", "--out", tmp_path / "demonstrations"
    )


@pytest.mark.parametrize(
    ("sampler", "sentence"),
    [
        ("lukewarm:100", "the sampler is 'lukewarm', expected temperature=T, greedy, top-k=K, bottom-k=K, uniform,"),
        ("greedy:0", "greedy is to give 0 steps, expected at least 1."),
        ("greedy:10 greedy:20", "the sampler greedy is given 2 times, expected one share of each."),
    ],
)
def test_impossible_shares_are_named(capsys, tmp_path, sampler, sentence):
    words = ("collect", "--agent", tmp_path, "--sampler", sampler, "--out", tmp_path / "demonstrations")
    assert sentence in said(capsys, *words)


def test_an_interrupted_command_says_what_it_kept(capsys, monkeypatch):
    def doctor():
        """Stop halfway."""
        raise KeyboardInterrupt("interrupted; half of it is kept.")

    monkeypatch.setattr("dtinterp.commands.doctor.doctor", doctor)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "dtinterp doctor: interrupted; half of it is kept.\n"


def test_what_is_no_minari_dataset_is_named(capsys, tmp_path):
    pytest.importorskip("minari")
    words = ("import-demonstrations", tmp_path / "nobody", "--from", "minari", "--out", tmp_path / "demonstrations")
    assert f"{tmp_path / 'nobody'} holds no Minari dataset" in said(capsys, *words)
    assert not any(tmp_path.iterdir())


def test_what_exists_is_not_overwritten(capsys, tmp_path):
    (tmp_path / "agent").mkdir()
    assert "exists already: give another --out, or --replace" in said(
        capsys, "train-agent", "--out", tmp_path / "agent"
    )


def test_doctor_reports_versions(capsys):
    assert main(["doctor"]) == 0
    assert "transformer-lens" in capsys.readouterr().out
