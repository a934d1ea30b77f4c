"""Imports that leave heavy libraries out, so that help and completion answer at once.

Options are read off signatures and configs, which hold numbers and text; torch and its kin stand beside them only in
annotations, base classes and decorators. Inside `light_imports` their names are there and nothing is behind them, as in
Sphinx's autodoc_mock_imports. Nothing imported there outlives it.
"""

import sys
from abc import ABCMeta
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType

LEFT_OUT = frozenset(
    (
        *("torch", "transformer_lens", "safetensors", "einops", "jaxtyping", "pydantic", "scipy", "sklearn", "pandas"),
        *("pyarrow", "plotly", "PIL", "gymnasium", "pygame", "networkx"),
    )
)
"""Libraries that no option is made of, by what they are imported as."""
OURS = frozenset(["dtinterp", "environments", "minigrid"])
"""Packages that are imported over these, and so forgotten with them."""


class _Absent(ABCMeta):
    """The type of a class that stands for anything a library has: it is a base class, a decorator and a type."""

    def __getattr__(cls, name: str) -> "_Absent":
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(name)

    def __call__(cls, *args: object, **_: object) -> object:
        """Return a decorated function or class as it is, and for any other call a class again."""
        is_decorated = len(args) == 1 and isinstance(args[0], FunctionType | type) and not isinstance(args[0], _Absent)
        return args[0] if is_decorated else _absent(cls.__name__)

    def __getitem__(cls, _: object) -> "_Absent":
        return cls

    def __iter__(cls) -> Iterator[object]:
        return iter(())


def _absent(name: str) -> _Absent:
    return _Absent(name, (), {})


class _AbsentModule(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> _Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(name)


class _Finder(MetaPathFinder, Loader):
    """Finds the libraries that are left out, before Python does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        return ModuleSpec(fullname, self, is_package=True) if _root(fullname) in LEFT_OUT else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _AbsentModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty."""
        del module


@contextmanager
def light_imports() -> Iterator[None]:
    """Import without the heavy libraries inside the block, and forget what was imported so; not where they are here."""
    if "torch" in sys.modules:
        yield
        return
    before, finder = set(sys.modules), _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if _root(name) in LEFT_OUT | OURS:
                del sys.modules[name]


def _root(name: str) -> str:
    return name.partition(".")[0]
