"""Templates as text; the only module that knows Jinja."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import jinja2

from mcuq.emit.text import COLUMNS, KERNEL_COLUMNS, broken, wrap
from mcuq.kernels.c_types import c_float
from mcuq.kernels.kernel import Constants, Fragment
from mcuq.resources import resource_dir

# In the context of a kernel's template, for the filters.
_HEAD = "_head"
_PASTED = "_pasted"
_MARK = "\0"  # before the name of a fragment, on a line of its own


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
    fragments = {name: value for name, value in values.items() if isinstance(value, Fragment)}
    values |= {name: f"{_MARK}{name}" for name in fragments}
    template = environment().get_template(f"kernels/{constants.template}.c.j2")
    context = {_HEAD: head, _PASTED: constants}
    text = template.render(function=function, parameters=head.parameters, **context, **values)
    return "\n".join(line for own in text.strip().split("\n") for line in _pasted(own, fragments))


def _pasted(line: str, fragments: Mapping[str, Fragment]) -> list[str]:
    """The line, or in place of the name of a fragment its lines, none where it is empty."""
    indent, mark, name = line.partition(_MARK)
    if not mark:
        return [line]
    return [part for own in fragments[name].text.splitlines() for part in broken(indent + own, KERNEL_COLUMNS)]


@jinja2.pass_context
def _constants(context: jinja2.runtime.Context, initializers: str) -> str:
    constants = context[_PASTED]
    assert isinstance(constants, Constants)
    floats = [f"{name} = {c_float(value)}" for name, value in constants.pasted_floats().items()]
    line = f"    const float {', '.join(floats)};\n" if floats else ""
    return line + _head(context).constants(_with_pasted(initializers, constants.pasted_numbers()))


def _with_pasted(initializers: str, pasted: Mapping[str, int]) -> str:
    """The initializers and those of what is pasted, on lines of their own unless they fit on one."""
    if not pasted:
        return initializers
    more = [f"{name} = {value}" for name, value in pasted.items()]
    on_lines = initializers.endswith("\n")
    joined = ", ".join([initializers, *more])
    if not on_lines and len(joined) <= COLUMNS - 16:
        return joined
    own = initializers.rstrip() if on_lines else f"        {initializers}"
    return f"{own},\n{wrap(more, ', ', KERNEL_COLUMNS - 8, ' ' * 8)}\n"


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
