"""The rules of the building that a test can hold: sizes, names, first lines, rooms, and who imports whom."""

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("dtinterp", "environments", "app")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST = 300
FORBIDDEN_STEMS = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
MOST_IN_A_ROOM = 12
FULL_ROOMS: dict[str, str] = {}
"""Folders with more modules, and the reason."""
WAITING = {
    "dtinterp.activations.decomposition": "circuits attribute logits to components with it",
    "dtinterp.model.network.folding": "circuits read weights through folded norms",
    "environments.twin.drawing": "the dashboard writes worlds as text",
    "dtinterp.interventions.studies.retargeting": "benchmarks/retargeting.py runs it",
    "dtinterp.interventions.studies.ways_to_edit": "benchmarks/directions.py runs it",
    "dtinterp.report.figures.items": "docs/figures.py draws with it, the report will",
}
"""Modules that no other module imports yet, and who will."""
FINDS = "iter_modules"
"""A package that says so in its `__init__` imports whatever module is put into it, or into its rooms."""
STARTED = re.compile(r"(__init__|__main__)$|^app\.main$|^environments$")
"""Modules that a command, an interpreter or streamlit starts."""
MOST_SHIPPED = 60_000_000
"""Bytes of everything that is committed in checkpoints/."""
WORLD_LIBRARIES = {"numpy", "torch", "gymnasium", "minigrid", "jaxtyping"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=_name)
def test_no_module_is_longer_than_300_lines(path: Path) -> None:
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= LONGEST, f"{_name(path)} has {n_lines} lines: split it by idea"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_every_module_says_what_becomes_what_in_its_first_line(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring, f"{_name(path)} has no docstring"
    assert source.startswith('"""'), f"{_name(path)} does not open with its docstring"
    assert docstring.splitlines()[0].endswith("."), f"the first line of {_name(path)} is not a sentence"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_names_say_what_is_inside(path: Path) -> None:
    words = {word for part in path.relative_to(ROOT).with_suffix("").parts for word in part.split("_")}
    assert not words & FORBIDDEN_STEMS


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_annotations_stay_objects_for_jaxtyping(path: Path) -> None:
    assert "from __future__ import annotations" not in path.read_text(encoding="utf-8")


def test_every_folder_of_python_is_a_package() -> None:
    bare = {_name(path.parent) for path in MODULES if not (path.parent / "__init__.py").is_file()}
    assert not bare, f"setuptools would leave these out: {sorted(bare)}"


def test_worlds_rest_on_numerical_libraries_only() -> None:
    known = {"environments"} | WORLD_LIBRARIES | sys.stdlib_module_names
    worlds = [path for path in MODULES if path.is_relative_to(ROOT / "environments")]
    strangers = {_name(path): sorted(_imported(path) - known) for path in worlds if _imported(path) - known}
    assert not strangers


def test_the_import_contracts_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    linted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_what_ships_stays_below_60_megabytes() -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "checkpoints"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout, so what ships is not told from what was made here")
    committed = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    n_bytes = sum(path.stat().st_size for path in committed if path.is_file())
    assert 0 < n_bytes < MOST_SHIPPED, f"checkpoints/ has {n_bytes:,} bytes: leave out what a command makes in minutes"


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def _importers() -> dict[str, set[str]]:
    """Who imports each module, or names it in a string as the table of commands does."""
    names = {_dotted(path) for path in MODULES}
    found: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.ImportFrom(module=str(module)):
                    wanted = {module, *(f"{module}.{alias.name}" for alias in node.names)}
                case ast.Import():
                    wanted = {alias.name for alias in node.names}
                case ast.Constant(value=str(text)):
                    wanted = {text.partition(":")[0]}
                case _:
                    continue
            for name in wanted & names - {_dotted(path)}:
                found[name].add(_dotted(path))
    return found


def test_a_room_has_at_most_twelve_modules() -> None:
    rooms = Counter(_name(path.parent) for path in MODULES if path.name not in ("__init__.py", "__main__.py"))
    full = {room: count for room, count in rooms.items() if count > MOST_IN_A_ROOM and room not in FULL_ROOMS}
    assert not full, f"divide these by question: {full}"
    assert all(rooms[room] > MOST_IN_A_ROOM for room in FULL_ROOMS), "a room that is no longer full needs no excuse"


def test_no_public_class_name_is_used_twice() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(_name(path))
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert not twice, f"one name, one meaning: {twice}"


def test_no_module_waits_for_a_caller_without_a_reason() -> None:
    names = {_dotted(path) for path in MODULES if path.name != "__init__.py"}
    finders = tuple(
        f"{_dotted(path)}."
        for path in MODULES
        if path.name == "__init__.py" and FINDS in path.read_text(encoding="utf-8")
    )
    called = {name for name in names if _importers()[name] or STARTED.search(name) or name.startswith(finders)}
    orphans = names - called
    assert orphans == WAITING.keys(), "only tests import these, or these have a caller by now"


def _is_about_a_module(test: Path) -> bool:
    """tests/a/b/test_c.py is about a/b/c.py, and so is test_c_in_some_respect.py where one file would be too long."""
    inside = test.relative_to(ROOT / "tests")
    words = inside.stem.removeprefix("test_").split("_")
    names = ("_".join(words[:count]) for count in range(1, len(words) + 1))
    return any((ROOT / inside.parent / f"{name}.py").is_file() for name in names)


def test_every_test_file_mirrors_a_module() -> None:
    tests = [path for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")]
    strays = [_name(test) for test in tests if not _is_about_a_module(test)]
    assert not strays, f"no module of that name for {strays}"
