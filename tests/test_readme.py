"""What the pages promise exists: every command, every flag, every make target, every link."""

import re
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
DTINTERP = Path(sys.executable).with_name("dtinterp")
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "experiments/*/README.md", "checkpoints/**/README.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "commands.md"
)
CODE = re.compile(r"```.*?\n(.*?)```|`([^`\n]+)`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")
WORD = re.compile(r"[a-z][a-z-]*")


def _code_lines(text: str) -> list[str]:
    """Each line of code on a page, without its comment: fenced blocks and code spans."""
    blocks = [fenced or span for fenced, span in CODE.findall(text)]
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def _targets() -> set[str]:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", rules, re.MULTILINE))


def _command(line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split `dtinterp experiment run FILE --replace` into its command and its flags."""
    parts = line.split()[1:]
    n_words = next((index for index, part in enumerate(parts) if not WORD.fullmatch(part)), len(parts))
    return tuple(parts[:n_words]), tuple(part.split("=")[0] for part in parts if part.startswith("--"))


def _commands() -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    lines = {line for page in PAGES for line in _code_lines(page.read_text(encoding="utf-8"))}
    return sorted({_command(line) for line in lines if line.startswith("dtinterp ")})


@cache
def _help(words: tuple[str, ...]) -> str:
    """What a command says of itself: as the reference has it, or asked where it has none."""
    reference = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    _, found, rest = reference.partition(f"\n## `dtinterp {' '.join(words)}`\n")
    if found:
        return rest.partition("\n## ")[0]
    shown = subprocess.run([DTINTERP, *words, "--help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, f"dtinterp {' '.join(words)} is named on a page: {shown.stderr}"
    return shown.stdout


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_on_a_page_exists(page: Path) -> None:
    lines = _code_lines(page.read_text(encoding="utf-8"))
    named = {word for line in lines if line.startswith("make ") for word in line.split()[1:] if WORD.fullmatch(word)}
    assert named <= _targets()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_on_a_page_resolves(page: Path) -> None:
    links = ["".join(found) for found in LINK.findall(page.read_text(encoding="utf-8"))]
    for link in links:
        file, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / file) if file else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in _anchors(target), f"{page.name} links to the heading {link}"


@pytest.mark.parametrize(("words", "flags"), _commands(), ids=str)
def test_every_command_on_a_page_exists(words: tuple[str, ...], flags: tuple[str, ...]) -> None:
    described = _help(words)
    missing = [flag for flag in flags if flag not in described]
    assert not missing, f"dtinterp {' '.join(words)} has no {missing}"


def test_the_readme_opens_with_the_two_commands() -> None:
    opening = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    assert opening.index("make study") < opening.index("make test")


def test_the_command_reference_is_what_the_commands_say() -> None:
    """In a process of its own, where no heavy library is loaded: there `--help` does without."""
    script = "import runpy; print(runpy.run_path('docs/commands.py')['reference'](), end='')"
    command = [sys.executable, "-X", "utf8", "-c", script]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert told.returncode == 0, told.stderr
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == told.stdout


def _script(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return runpy.run_path(str(ROOT / "docs" / f"{name}.py"))


@pytest.mark.parametrize("name", sorted(page.stem for page in (ROOT / "docs" / "results").glob("*.md")))
def test_the_tables_of_a_page_are_what_ships(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documentation = _script("results", monkeypatch)
    assert (documentation["FOLDER"] / f"{name}.md").read_text(encoding="utf-8") == documentation["page"](name)


def test_every_table_stands_on_one_page() -> None:
    pages = (ROOT / "docs" / "results").glob("*.md")
    shown = [name for page in pages for name in re.findall(r"<!-- (\w+\.\w+) -->", page.read_text(encoding="utf-8"))]
    made = [
        f"{module.stem}.{name}"
        for module in (ROOT / "docs" / "tables").glob("*.py")
        for name in re.findall(r"^def ([a-z]\w*)\(\) -> pd", module.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(shown) == sorted(made)


def test_every_picture_has_a_script_that_draws_it(monkeypatch: pytest.MonkeyPatch) -> None:
    script = _script("figures", monkeypatch)
    drawn = {*script["FIGURES"], *script["SHOTS"], *script["NOT_SHIPPED"]}
    assert {picture.stem for picture in (ROOT / "docs" / "figures").glob("*.webp")} == drawn


def test_dictionaries_that_differ_in_their_seed_alone_are_one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    families = _script("tables/dictionaries", monkeypatch)["families"]
    names = {"topk-128-k8": "passes", "topk-128-k8-m1": "fails: L0", "matryoshka-128-k8-n4": "not judged: return"}
    cards = [{"site": "hook", "dictionary": name, "verdict": verdict} for name, verdict in names.items()]
    found = families({"one": {"dictionaries": cards}, "other": {"dictionaries": cards[:1]}})
    assert [(each.model, each.name, each.passing) for each in found] == [
        ("one", "topk-128-k8", "1 of 2"),
        ("one", "matryoshka-128-k8-n4", "not judged"),
        ("other", "topk-128-k8", "passes"),
    ]


def test_columns_of_numbers_stand_on_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    markdown = _script("tables/cells", monkeypatch)["markdown"]
    table = pd.DataFrame([{"model": "one", "return": "**0.89** (2%)"}, {"model": "2nd", "return": None}])
    assert markdown(table) == "| model | return |\n|---|---:|\n| one | **0.89** (2%) |\n| 2nd |  |\n"


def test_the_experiment_in_yaml_on_the_page_is_the_one_that_was_run() -> None:
    page = (ROOT / "docs" / "interventions.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    run = (ROOT / "experiments" / "set-a-feature" / "experiment.yaml").read_text(encoding="utf-8")
    assert text == run
    assert len(text.splitlines()) == 10


def test_the_experiment_in_python_on_the_page_runs(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "interventions.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(text, {})
    assert capsys.readouterr().out == "No effect beyond controls.\n"
