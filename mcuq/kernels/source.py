"""What the templates of kernels declare."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import fields
from functools import cache

from mcuq.kernels.c_types import c_float_needs
from mcuq.kernels.item import Declaration, Item, parse_declaration
from mcuq.kernels.kernel import Constants
from mcuq.kernels.runtime import needed_items
from mcuq.resources import resource_dir


@cache
def declaration_of(template: str) -> Declaration:
    """What the first line of templates/kernels/TEMPLATE.c.j2 says, a comment of Jinja."""
    text = (resource_dir("templates") / "kernels" / f"{template}.c.j2").read_text(encoding="utf-8")
    start, _, rest = text.partition("{#")
    line, end, _ = rest.partition("#}")
    if start or not end:
        raise ValueError(f"templates/kernels/{template}.c.j2: does not begin with a declaration {{# needs ... #}}")
    return parse_declaration(line)


def needs_of(constants: Constants) -> tuple[str, ...]:
    """The runtime items that a kernel with these constants names."""
    values = {f.name: getattr(constants, f.name) for f in fields(constants)}
    named = tuple(need.format(**values) for need in declaration_of(constants.template).needs)
    pasted = tuple(need for fragment in constants.fragments() for need in fragment.needs)
    return named + pasted + c_float_needs([*values.values(), *constants.pasted_floats().values()])


def code_bytes_of(constants: Constants) -> int:
    """About the bytes of a kernel's own code, with what is pasted into it."""
    pasted = sum(fragment.code_bytes for fragment in constants.fragments())
    return declaration_of(constants.template).code_bytes + pasted


def runtime_of(constants: Constants) -> list[Item]:
    """The runtime items that it needs, directly or through each other."""
    return list(_needed_by(needs_of(constants)))


@cache
def _needed_by(needs: tuple[str, ...]) -> tuple[Item, ...]:
    return tuple(needed_items(needs))


def assembly_cpus(items: list[Item]) -> Set[str]:
    """The CPUs that the items have assembly for."""
    return {cpu for item in items for cpu in item.declared.cpus}
