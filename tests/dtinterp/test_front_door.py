import ast
import doctest
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dtinterp as dt
from dtinterp.foundation.errors import UserError

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch",
    "numpy",
    "pandas",
    "sklearn",
    "transformer_lens",
    "minigrid",
    "gymnasium",
    "plotly",
    "tyro",
    "pydantic",
)
NAMES = [name for name in dt.__all__ if name != "__version__"]
VERBS = (
    "open_subject",
    "rollout",
    "fit",
    "score",
    "describe",
    "edit",
    "intervene",
    "run_experiment",
    "certify",
    "save",
    "load",
)
"""In the order in which their examples build on each other."""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> dict[str, Any]:
    subject = dt.open_subject(ROOT / "checkpoints" / "models" / "memory-dt-small-0")
    return {"dt": dt, "folder": tmp_path_factory.mktemp("front-door"), "subject": subject}


def test_importing_it_imports_no_library() -> None:
    source = f"import sys, dtinterp; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert found.stdout.strip() == "[]"


def test_its_types_are_those_that_are_imported_later() -> None:
    """The names under TYPE_CHECKING, which editors read, are the very names that `__getattr__` finds."""
    tree = ast.parse((ROOT / "dtinterp" / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(typed) == sorted(NAMES)
    assert {name: getattr(dt, name).__module__ for name in NAMES} == typed


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_documented(name: str) -> None:
    assert getattr(dt, name).__doc__


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'dtinterp' has no attribute 'fti'"):
        dt.fti  # noqa: B018


@pytest.mark.slow
def test_the_examples_in_the_docstrings_run(place: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    finder = doctest.DocTestFinder(recurse=False)
    for verb in VERBS:
        tests = finder.find(getattr(dt, verb), verb, globs=place)
        assert sum(len(test.examples) for test in tests), f"{verb} has no example"
        for test in tests:
            test.globs = place  # what one example made, the next one uses
            runner.run(test, clear_globs=False)
    assert not runner.failures


def test_what_is_no_kind_is_refused_in_a_sentence(place: dict[str, Any]) -> None:
    unchecked = inspect.unwrap(dt.fit)  # as users have it: without the types that tests check
    with pytest.raises(UserError, match=r"the kind is 'topk', expected a value such as dt.TopK\(8\)"):
        unchecked(place["subject"], kind="topk")


def test_a_subject_is_shown_in_a_line(place: dict[str, Any]) -> None:
    shown = repr(place["subject"])
    assert "memory-dt-small-0" in shown
    assert "MiniGrid-MemoryS7FixedStart-v0" in shown
    assert len(shown) < 200
