"""Prints C functions whose inner loops are assembly, which kernels/<isa>/assembly define for each width and unroll.

A definition is text with `$names`, which Python values fill: registers, unrolls, saturation. What an asm statement
overwrites and saves, and what a function declares of itself as an item of the runtime, is counted, not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from string import Template
from textwrap import dedent

from mcuq.kernels.item import CPUS, Declaration, Item

WIDTH = 120
_REGISTERS = (*(f"r{k}" for k in range(13)), *(f"q{k}" for k in range(8)), "lr")
_SIGNS = str.maketrans("{}[],!", "      ")

# When the assembly for a CPU is taken, by GCC and its like. That of MVE needs more registers than builds without
# optimization leave free.
_GUARDS = {
    "dsp": f"{CPUS['dsp'].condition} && defined(__thumb2__)",
    "mve": f"{CPUS['mve'].condition} && defined(__OPTIMIZE__)",
}


@dataclass(frozen=True)
class Operand:
    """An operand of an asm statement: %[name] stands for the C expression `value`. Without a name, `value` is a
    variable that is called after the register it is tied to."""

    constraint: str
    value: str
    name: str = ""

    def __str__(self) -> str:
        named = f"[{self.name}] " if self.name else ""
        return f'{named}"{self.constraint}"({self.value})'


def tied(constraint: str, registers: str) -> tuple[Operand, ...]:
    """Operands for variables that are tied to the registers after which they are called."""
    return tuple(Operand(constraint, register) for register in registers.split())


def named(constraint: str, names: str) -> tuple[Operand, ...]:
    """Operands that are called as their variables; `name=variable` where they differ."""
    pairs = [name.partition("=") for name in names.split()]
    return tuple(Operand(constraint, value or name, name) for name, _, value in pairs)


@dataclass(frozen=True)
class Macro:
    """Instructions, one a line, that the statements of one function repeat."""

    name: str
    body: str

    def __str__(self) -> str:
        lines = [f"#define {self.name}", *(f'    "{line}\\n\\t"' for line in self.body.splitlines())]
        return "\n".join([*(f"{line:<{WIDTH - 1}}\\" for line in lines[:-1]), lines[-1]])


@dataclass(frozen=True)
class Assembly:
    """An asm statement. A line of `body` is an instruction with an optional comment of C behind it, a label with its
    colon, or names of macros."""

    body: str
    outputs: tuple[Operand, ...]
    inputs: tuple[Operand, ...] = ()
    macros: tuple[Macro, ...] = ()

    def registers(self) -> frozenset[str]:
        """The registers that instructions name, those that they save included."""
        return registers_in("\n".join([self.body, *(macro.body for macro in self.macros)]))

    def clobbers(self) -> list[str]:
        """What the statement leaves changed besides its operands, as GCC wants to be told."""
        operands = {operand.value for operand in (*self.outputs, *self.inputs)}
        pops = [line for line in self.body.splitlines() if line.startswith("pop ")]
        changed = self.registers() - registers_in("\n".join(pops)) - operands
        return [*(register for register in _REGISTERS if register in changed), "cc", "memory"]

    def pushed_bytes(self) -> int:
        """What the statement takes of the stack."""
        return 4 * sum(len(registers_in(line)) for line in self.body.splitlines() if line.startswith("push "))

    def text(self, indent: int) -> str:
        """C from the column `indent` on."""
        head = "__asm__ volatile("
        lines = self.body.splitlines()
        nexts = [*lines[1:], ""]
        body = [_quoted(line, follows) for line, follows in zip(lines, nexts, strict=True)]
        operands = [
            wrapped(": ", [str(operand) for operand in given], indent + len(head)).rstrip()
            for given in (self.outputs, self.inputs)
        ]
        clobbers = wrapped(": ", [f'"{name}"' for name in self.clobbers()], indent + len(head))
        return head + ("\n" + " " * len(head)).join("\n".join([*body, *operands, clobbers]).splitlines()) + ");"


@dataclass(frozen=True)
class Function:
    """A C function with two bodies that give the same bits: `assembly`, for a CPU of mcuq.kernels.item, and `twin`, C.

    `twin_needs` are the functions that only `twin` calls, `assembly_needs` those that only `assembly` does: compilers
    would report them as unused with the other body. `stack_bytes` are those of arrays and of what the assembly pushes.
    """

    name: str
    comment: str
    parameters: str
    cpu: str
    assembly: str
    twin: str
    stack_bytes: int = 0
    twin_needs: tuple[str, ...] = ()
    assembly_needs: tuple[str, ...] = ()
    is_inline: bool = False

    def text(self) -> str:
        """The function's C, with the comment above it."""
        head = f"static {'inline ' if self.is_inline else ''}void {self.name}("
        signature = wrapped(head, [parameter.strip() for parameter in self.parameters.split(",")], 0) + ")"
        return "\n".join(
            [
                f"/* {self.comment} */",
                *(() if self.is_inline else ("MCUQ_NOINLINE",)),
                signature,
                "{",
                f"#if MCUQ_GNU && {_GUARDS[self.cpu]}",
                self.assembly,
                *_kept(self.twin_needs, "the twin's"),
                "#else",
                self.twin,
                *_kept(self.assembly_needs, "the assembly's"),
                "#endif",
                "}",
            ]
        )

    def item(self) -> Item:
        """The function as an item of the runtime."""
        text = self.text()
        macros = ("MCUQ_GNU",) if self.is_inline else ("MCUQ_GNU", "MCUQ_NOINLINE")
        needs = (*macros, *self.twin_needs, *self.assembly_needs)
        return Item((self.name,), text, Declaration(needs, (self.cpu,), self.stack_bytes, _code_bytes(text)))


def fill(text: str, **parts: object) -> str:
    """`text` with each $name replaced; a part that stands alone on its line is indented as that line is, and where it
    is empty the line goes."""
    lines = []
    for line in text.strip("\n").splitlines():
        name, indent = line.strip().removeprefix("$"), len(line) - len(line.lstrip())
        if line.strip() != f"${name}" or name not in parts:
            lines.append(Template(line).substitute(parts))
            continue
        part = parts[name]
        block = part.text(indent) if isinstance(part, Assembly) else str(part)
        lines += [" " * indent * (not inner.startswith("#")) + inner for inner in block.splitlines()]
    return "\n".join(lines)


def code(text: str, **parts: object) -> str:
    """Assembly: `text` as `fill` has it, at the margin."""
    return fill(dedent(text), **parts)


def each(lines: Iterable[str]) -> str:
    """Lines one below the other."""
    return "\n".join(lines)


def wrapped(head: str, items: Sequence[str], indent: int) -> str:
    """`head` and `items` with commas between them, broken before WIDTH; other lines begin where the first item does."""
    lines, line = [], head
    for k, item in enumerate(items):
        text = item + ("," if k < len(items) - 1 else "")
        gap = "" if line in (head, " " * len(head)) else " "
        if gap and indent + len(line) + len(gap + text) > WIDTH - 2:  # room for what closes the last line
            lines.append(line)
            line, gap = " " * len(head), ""
        line += gap + text
    return "\n".join([*lines, line])


def registers_in(text: str) -> frozenset[str]:
    """The registers that assembly names, also within lists; names of operands are none."""
    first, *others = text.split("%[")
    words = "".join([first, *(other.partition("]")[2] for other in others)]).translate(_SIGNS).split()
    ends = [(begin, end or begin) for begin, _, end in (word.partition("-") for word in words) if begin in _REGISTERS]
    return frozenset(
        register for begin, end in ends for register in _REGISTERS[_REGISTERS.index(begin) : _REGISTERS.index(end) + 1]
    )


def _code_bytes(text: str) -> int:
    """About the bytes of a function's code, as mcuq.kernels.item counts them: 3 for a string, 1 for a token of C."""
    first, *others = text.split("/*")
    parts = "".join([first, *(other.partition("*/")[2] for other in others)]).split('"')
    kinds = groupby(
        " ".join(parts[::2]), lambda c: "name" if c.isalnum() or c == "_" else "space" if c.isspace() else c
    )
    return 3 * (len(parts) // 2) + sum(
        {"name": 1, "space": 0}.get(kind, len(list(characters))) for kind, characters in kinds
    )


def _quoted(line: str, follows: str) -> str:
    """A line as a string of C: labels begin at the margin of what the assembler reads, all else at its tabs."""
    if line.startswith("MCUQ_"):
        return line
    instruction, comment, rest = line.partition(" /*")
    end = "" if not follows else "\\n" if follows.endswith(":") else "\\n\\t"
    return f'"{instruction}{end}"{comment}{rest}'


def _kept(names: Sequence[str], why: str) -> list[str]:
    """Statements that use functions which only the other body calls."""
    comment, lines = f"; /* {why} */", [""]
    for name in names:
        used = f"(void){name}"
        if lines[-1] and len(f"    {lines[-1]}, {used}{comment}") > WIDTH:
            lines.append("")
        lines[-1] += f", {used}" if lines[-1] else used
    return [f"    {line}{comment if k == 0 else ';'}" for k, line in enumerate(lines) if line]
