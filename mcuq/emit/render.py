"""Templates as text; the only module that knows Jinja."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import jinja2

from mcuq.kernels.c_types import c_float
from mcuq.kernels.kernel import Constants
from mcuq.resources import resource_dir

_HEAD = "_head"  # in the context of a kernel's template, for the filters


def as_enum(initializers: str) -> str:
    """C of constants `NAME = VALUE, ...`, on lines of their own or on one."""
    return _line("enum {", initializers, "    };" if initializers.endswith("\n") else " };")


def as_locals(initializers: str) -> str:
    """The same as constants that are computed at run time."""
    return _line("const int32_t", initializers.rstrip(), ";")


def _line(before: str, initializers: str, behind: str) -> str:
    separator = "\n" if initializers.startswith("        ") else " "
    return f"    {before}{separator}{initializers}{behind}\n"


@dataclass(frozen=True)
class Head:
    """What a template's head becomes: `parameters` between its arguments, and C of the initializers of its constants
    and of what derives from them."""

    parameters: str = ""
    constants: Callable[[str], str] = as_enum
    derived: Callable[[str], str] = as_enum


def render_kernel(constants: Constants, function: str, head: Head | None = None) -> str:
    """The C function of a kernel template."""
    head = head or Head()
    values = {f.name: getattr(constants, f.name) for f in fields(constants)}
    template = environment().get_template(f"kernels/{constants.template}.c.j2")
    return template.render(function=function, parameters=head.parameters, **{_HEAD: head}, **values).strip()


@jinja2.pass_context
def _constants(context: jinja2.runtime.Context, initializers: str) -> str:
    return _head(context).constants(initializers)


@jinja2.pass_context
def _derived(context: jinja2.runtime.Context, initializers: str) -> str:
    return _head(context).derived(initializers)


def _head(context: jinja2.runtime.Context) -> Head:
    head = context[_HEAD]
    assert isinstance(head, Head)
    return head


def environment() -> jinja2.Environment:
    """Jinja with mcuq's templates, each of which is compiled once; what differs by kernel is in the context."""
    return _environment(resource_dir("templates"))


@cache
def _environment(templates: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"c_float": c_float, "constants": _constants, "derived": _derived}
    return environment
