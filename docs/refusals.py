"""What the functions that read ONNX operators refuse, as their source says it: texts of `node.error`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

UNKNOWN = "…"  # for what is known when a file is read
ROOMS = ("mcuq.ops", "mcuq.onnx_io")


def refusals(reader: Callable[..., Any]) -> tuple[str, ...]:
    """Texts of all errors that the function raises, or functions of these rooms that it names, each once."""
    return tuple(dict.fromkeys(_refusals(reader, set())))


def _refusals(reader: object, seen: set[tuple[str, str]]) -> Iterator[str]:
    if not isinstance(reader, FunctionType) or not reader.__module__.startswith(ROOMS):
        return
    module, name = sys.modules[reader.__module__], reader.__qualname__.split(".")[0]
    if (module.__name__, name) in seen:
        return
    seen.add((module.__name__, name))
    for definition in _tree(module).body:
        if isinstance(definition, ast.FunctionDef) and definition.name == name:
            for node in ast.walk(definition):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "error":
                    yield _text(node.args[0], module)
                elif isinstance(node, ast.Name):
                    yield from _refusals(getattr(module, node.id, None), seen)


@cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _text(node: ast.expr, module: ModuleType) -> str:
    """A text with UNKNOWN for all that is no constant of the module."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value, module) for value in node.values)
    if isinstance(node, ast.FormattedValue):
        try:
            return str(eval(compile(ast.Expression(node.value), "", "eval"), vars(module)))
        except NameError:
            return UNKNOWN
    return UNKNOWN
