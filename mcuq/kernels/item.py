"""What C declares of itself, so that nobody searches its text: kernels in the first line of their template, items of
the runtime in a line of firmware/kernels/ above each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cpu:
    """A CPU whose assembly C may hold: the preprocessor's condition for it, and what it is called."""

    condition: str
    title: str


# As `cpu` names them, by the features that kernels need.
CPUS: Mapping[str, Cpu] = {
    "mve": Cpu("defined(__ARM_FEATURE_MVE)", "Helium (MVE)"),
    "dsp": Cpu("defined(__ARM_FEATURE_DSP)", "the DSP extension"),
    "armv6m": Cpu("defined(__ARM_ARCH_6M__)", "Armv6-M"),
    "armv7m": Cpu("defined(__ARM_ARCH_7M__)", "Armv7-M"),
    "rv32m": Cpu("defined(__riscv_mul) && __riscv_xlen == 32", "RV32IM"),
}


@dataclass(frozen=True)
class Declaration:
    """Clauses joined by `;`, any of which may be left out.

    `needs`: the runtime items that the C names; where it is a kernel's, {FIELD} stands for the value of a constant.
    `cpu`: those that it has assembly for. `stack`: bytes of its arrays and of registers that its assembly saves; an
    element counts as 4 bytes, or 8 where it is one of 64 bits. `code`: about the bytes of code, by a token of C or a
    third of a line of assembly each, which is what GCC -Os makes of the portable kernels on Armv6-M, Armv7-M and
    RV32IMC, within a third. `points`: the C type that all zero points of a kernel and its elements have room for.
    """

    needs: tuple[str, ...] = ()
    cpus: tuple[str, ...] = ()
    stack_bytes: int = 0
    code_bytes: int = 0
    point_type: str = "int8_t"


@dataclass(frozen=True)
class Item:
    """A piece of the runtime that is emitted whole or not at all: functions, macros, types or tables of any kind.

    `names` are all that its text leaves defined. Those in lower case are a model's own in its C file, macros in upper
    case are undefined at its end.
    """

    names: tuple[str, ...]
    text: str
    declared: Declaration

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]


def parse_declaration(text: str) -> Declaration:
    """The declaration of clauses as above. Raises ValueError for one that is none."""
    found: dict[str, str] = {}
    for clause in filter(None, (" ".join(part.split()) for part in text.split(";"))):
        key, _, value = clause.partition(" ")
        if key not in ("needs", "cpu", "stack", "code", "points") or key in found or not value:
            raise ValueError(f"declaration '{text.strip()}': '{clause}' is no clause, or one of them twice")
        found[key] = value
    cpus = _listed(found.get("cpu", ""))
    if not set(cpus) <= set(CPUS):
        raise ValueError(f"declaration '{text.strip()}': cpu is among {', '.join(CPUS)}")
    return Declaration(
        needs=_listed(found.get("needs", "")),
        cpus=cpus,
        stack_bytes=int(found.get("stack", 0)),
        code_bytes=int(found.get("code", 0)),
        point_type=found.get("points", "int8_t"),
    )


def parse_items(text: str) -> list[Item]:
    """The items of a header: each begins behind its line `/* item NAME, NAME...: declaration */` and ends before the
    next, the last before the #endif of the header."""
    items = []
    for part in text.rpartition("#endif")[0].split("/* item ")[1:]:
        line, _, body = part.partition("*/")
        names, _, declared = line.partition(":")
        items.append(Item(_listed(names), body.strip(), parse_declaration(declared)))
    return items


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
