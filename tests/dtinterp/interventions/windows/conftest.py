"""Windows as a file would choose them."""

from collections.abc import Callable

import pytest
from pydantic import TypeAdapter

from dtinterp.interventions.windows import WindowsSpec
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.subject.subject import Subject


@pytest.fixture(scope="session")
def choose(planted_subject: Subject) -> Callable[..., ChosenWindows]:
    kinds: TypeAdapter = TypeAdapter(WindowsSpec)
    return lambda kind, seed=0, **fields: kinds.validate_python({"kind": kind, **fields}).choose(planted_subject, seed)
