"""Signatures of the packages, checked at every call while the tests run: types by beartype, shapes by jaxtyping.

Jaxtyping's own hook looks at all arguments twice, also where a signature names no axis, and compiles a function within
a function whenever the outer one is called: two thirds of the time of a test that steps worlds or models. Here
functions within functions are left alone; what they are given and return passes through those that are checked.
"""

import ast
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from inspect import get_annotations
from types import CodeType, ModuleType
from typing import Any, TypeVar, get_args

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, TypeCheckError, config, jaxtyped

PACKAGES = ("dtinterp", "environments")
NAME = "signatures_checked"
TYPES = beartype(conf=BeartypeConf(violation_type=TypeCheckError))
"""Checks types; what they refuse is a `TypeError`, as it is of jaxtyping."""
MadeT = TypeVar("MadeT")


class _Decorating(ast.NodeTransformer):
    """Puts `checked` next to each function, and `made_checked` around each class; what is imported for type checkers
    alone is checked by them alone.
    """

    def __init__(self) -> None:
        self._absent: set[str] = set()

    def visit_If(self, node: ast.If) -> ast.If:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            imports = [each for each in node.body if isinstance(each, ast.ImportFrom)]
            self._absent |= {alias.name for each in imports for alias in each.names}
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        if isinstance(node.annotation, ast.Constant) and node.annotation.value in self._absent:
            node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.visit(node.args)
        node.decorator_list.append(_named("checked", node))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.decorator_list.insert(0, _named("made_checked", node))
        return node


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)  # compiled anew: what lies in a cache checks nothing
        tree = _Decorating().visit(ast.parse(self.get_data(path), path))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, NAME, sys.modules[__name__])
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def check_signatures() -> None:
    """Check whatever is imported of the packages from now on."""
    sys.meta_path.insert(0, _Finder())


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check types at every call, and that an axis has one length wherever the signature names it.

    As in jaxtyping, nothing is checked where `jaxtyping.config.jaxtyping_disable` is set.
    """
    typed = TYPES(function)
    has_shapes = any(map(_has_shape, get_annotations(function).values()))

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if config.jaxtyping_disable:
            return function(*args, **kwargs)
        if not has_shapes:
            return typed(*args, **kwargs)
        with jaxtyped("context"):
            return typed(*args, **kwargs)

    return function if typed is function else call


def made_checked(made: type[MadeT]) -> type[MadeT]:
    """Check what a dataclass is made from."""
    if "__init__" in vars(made) and is_dataclass(made):
        made.__init__ = checked(vars(made)["__init__"])
    return made


def _has_shape(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        return True
    return any(map(_has_shape, get_args(annotation)))


def _named(decorator: str, node: ast.FunctionDef | ast.ClassDef) -> ast.expr:
    made = ast.Attribute(ast.Name(NAME, ast.Load()), decorator, ast.Load())
    return ast.copy_location(made, node)
