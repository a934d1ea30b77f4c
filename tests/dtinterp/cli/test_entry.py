import errno
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from dtinterp import __version__
from dtinterp.cli import COMMANDS, main
from dtinterp.foundation.logbook import progress

ROOT = Path(__file__).parents[3]


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


@pytest.mark.parametrize("words", [("train-agent", "--help"), ("certify", "--help"), ("study", "-h")])
def test_help_of_a_command_does_not_pay_for_what_the_command_needs(words):
    heavy = {"torch", "transformer_lens", "scipy", "sklearn", "pandas", "plotly", "streamlit", "rich", "gymnasium"}
    assert not loaded_by(*words) & heavy


def test_training_an_agent_does_not_pay_for_transformer_lens(tmp_path):
    loaded = loaded_by("train-agent", "--steps", "3", "--out", str(tmp_path / "agent"))
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
    assert "there is no command 'tarin-agent', the nearest is train-agent: " in said(capsys, "tarin-agent")
    assert "there is no command 'experiment rum', the nearest is experiment run: " in said(capsys, "experiment", "rum")
    assert said(capsys, "qqqq") == "dtinterp: there is no command 'qqqq': dtinterp --help lists them all.\n"


def test_an_unknown_world_is_named(capsys, tmp_path):
    assert "There is no environment 'MiniGrid-Nowhere-v0'; the nearest id is" in said(
        capsys, "train-agent", "--env-id", "MiniGrid-Nowhere-v0", "--out", tmp_path / "agent"
    )
    assert not any(tmp_path.iterdir())


def test_an_impossible_config_is_named(capsys, tmp_path):
    assert "steps is 3, expected at least one rollout" in said(
        capsys, "train-agent", "--steps", "3", "--out", tmp_path / "agent"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("train-agent --steps many", "--steps cannot be read (invalid literal for int() with base 10: 'many'): "),
        ("certify --epsiln 3", "there is no option '--epsiln', the nearest is --epsilon: "),
        ("certify --n_fram=3", "there is no option '--n_fram', the nearest is --n-frames: "),
        ("certify --epsilon", "--epsilon is given no value: "),
        ("study --model medium", "--model is 'medium', expected one of small, large: "),
        ("experiment run", "PATH is missing: "),
        ("collect stray", "'stray' is not expected here: "),
        (
            "fit-dictionary config.fit:top-q",
            "'config.fit:top-q' is not expected here, the nearest is config.fit:top-k: ",
        ),
    ],
)
def test_words_that_a_command_does_not_take_are_refused_in_one_sentence(capsys, words, sentence):
    name = "experiment run" if words.startswith("experiment") else words.split()[0]
    assert said(capsys, *words.split()).startswith(f"dtinterp {name}: {sentence}")


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


@pytest.mark.parametrize("words", [("experiment",), ("experiment", "--help")])
def test_a_word_that_opens_several_commands_lists_them(capsys, words):
    assert main(words) == 0
    assert "run  " in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dtinterp {__version__}\n"


def replaced(monkeypatch: pytest.MonkeyPatch, made: object = None, error: BaseException | None = None) -> None:
    """Let `doctor` return something else, or fail, after some noise and some progress."""

    def doctor():
        """Do something else."""
        sys.stdout.write("noise\n")
        with progress("working", 2) as bar:
            bar.advance()
        if error is not None:
            raise error
        return made

    monkeypatch.setattr("dtinterp.commands.doctor.doctor", doctor)


def test_json_is_all_that_a_script_reads(capsys, monkeypatch):
    interval = {"estimate": 1 / 3, "low": 0.1, "high": float("nan"), "n": 7}
    replaced(monkeypatch, {"share": interval, "where": Path("a")})
    assert main(["--json", "doctor"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"share": {**interval, "high": None}, "where": "a"}
    assert captured.out.count("\n") == 1
    assert "noise\n" in captured.err


def test_quiet_leaves_the_result_and_the_errors(capsys, monkeypatch):
    replaced(monkeypatch, {"a": 1})
    assert main(["doctor"]) == 0
    assert "working: 1/2\n" in capsys.readouterr().err
    assert main(["doctor", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a  1\n", "noise\n")
    assert main(["doctor", "--quiet", "--nothing"]) == 2
    assert "there is no option '--nothing'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), "no space is left on the device at x: free some, "),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "permission is denied at x: "),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "x"), "a folder stands where a file is expected at x: "),
        (OSError(errno.EIO, "Input/output error", "{x}"), "Input/output error at {x}: check the path and the device."),
        (OSError("odd {thing}"), "odd (thing): check the path and the device."),
        (MemoryError(), "the memory does not suffice: "),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 byte"), "the memory does not suffice (Default"),
        (RecursionError("maximum recursion depth exceeded"), "what it read is nested too deeply to be read: "),
    ],
)
def test_what_the_machine_refuses_is_said_in_one_sentence(capsys, monkeypatch, error, sentence):
    replaced(monkeypatch, error=error)
    assert main(["doctor", "--quiet"]) == 2
    last = capsys.readouterr().err.removeprefix("noise\n")
    assert last.startswith(f"dtinterp doctor: {sentence}")
    assert last.count("\n") == 1


def test_an_error_of_our_own_is_not_hidden(monkeypatch):
    replaced(monkeypatch, error=RuntimeError("a fault"))
    with pytest.raises(RuntimeError, match="a fault"):
        main(["doctor"])


def test_a_closed_pipe_ends_in_silence():
    program = "import sys; from dtinterp.cli import main; sys.exit(main(['--help']))"
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run([sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_commands_work_from_another_folder_on_what_ships_beside_the_package(tmp_path):
    program = "import sys; from dtinterp.cli import main; sys.exit(main(['study', '--help']))"
    shown = "from dtinterp.foundation.shipped import MODEL; print(MODEL.is_dir(), MODEL.is_absolute())"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for code, words in ((program, b"usage: dtinterp study"), (shown, b"True True")):
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=True
        )
        assert ended.stdout.startswith(words)


def test_what_does_not_ship_with_a_wheel_is_said_with_the_option_that_stands_in_for_it(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = ("certify", "--model", "checkpoints/models/mine")
    assert f"checkpoints/models/mine is neither in {tmp_path} nor beside the package in" in (
        sentence := said(capsys, *words)
    )
    assert "give --model, or call this in a checkout of dtinterp." in sentence


def test_whatever_is_mistyped_the_answer_is_one_printable_line(capsys):
    sentence = said(capsys, "x" * 5000)
    assert len(sentence) < 1000
    assert "\x1b" not in said(capsys, "report", "/tmp/\x1b[31mnowhere")


def test_a_shell_that_is_not_given_is_asked_for(capsys):
    assert "no shell is given, expected one of bash" in said(capsys, "--print-completion")


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_help_on_a_terminal_is_coloured_unless_no_color_is_set(monkeypatch, capsys, no_color, is_coloured):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["doctor", "--help"]) == 0
    assert ("\x1b[" in capsys.readouterr().out) == is_coloured


def test_a_folder_called_checkpoints_may_be_begun_anywhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dtinterp.foundation.shipped.CHECKOUT", tmp_path / "no-checkout")
    sentence = said(capsys, "collect", "--agent", "nobody", "--out", "checkpoints/demonstrations/mine")
    assert "nobody holds no agent" in sentence
    sentence = said(capsys, "collect", "--agent", "checkpoints/agents/memory-movable")
    assert "checkpoints/agents/memory-movable is neither in" in sentence
