"""Where mcuq's own programs put the parts of an arena that is not one in the board's main memory, and constants that
are copied at start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcuq.boards.facts import Board
from mcuq.compile import CompiledModel

MAIN_SYMBOL = "mcuq_arena"
# What sections that the linker scripts name themselves begin with.
_NAMED = (".text", ".rodata", ".srodata", ".data", ".sdata")


@dataclass(frozen=True)
class ArenaSections:
    """`macros` that name the sections in the model's C, and what linker scripts say of them: lines of `headers`, of
    `sections` before all others of RAM, the `first` of what nothing initializes in the main memory, and the section of
    what is `fast`, whose bytes are in flash too, before those of data. Each section has a symbol. `constants` is the
    section of the model's own for the others, which lies in flash with the program's: what a script does not name,
    linkers put where the bytes of data are."""

    macros: Mapping[str, str] = field(default_factory=dict, hash=False)
    headers: str = ""
    sections: str = ""
    first: str = ""
    fast: str = ""
    constants: str = ""

    @property
    def script(self) -> dict[str, str]:
        """For the templates of linker scripts."""
        return {
            "memory_headers": self.headers,
            "memory_sections": self.sections,
            "first_section": self.first,
            "fast_section": self.fast,
            "constants": self.constants,
            "first_image": "mcuq_fast_image" if self.fast else "mcuq_data_image",
        }

    @property
    def flags(self) -> tuple[str, ...]:
        """The macros on a compiler's command line."""
        return tuple(f"-D{name}={value}" for name, value in self.macros.items())


NO_SECTIONS = ArenaSections()


def arena_sections(model: CompiledModel, board: Board) -> ArenaSections:
    """Those of a model; as .bss and its kin they take nothing of a program's file."""
    fast = model.listing.fast
    section = model.placement.section
    constants = f"*({section})" if section and not section.startswith(_NAMED) else ""
    if board.memory is None or not (model.listing.arenas or fast or constants):
        return NO_SECTIONS
    address_of = {ram.name: ram.address for ram in board.memory.more}
    macros, headers, sections, first = {}, [], [], ""
    for part in model.listing.arenas:
        symbol = symbol_of(part.memory)
        macros[f"{model.array_of(part).upper()}_SECTION"] = f'".bss.{symbol}"'
        if part.memory:
            headers.append(f"  {symbol} PT_LOAD FLAGS(6);")
            at = f"{address_of[part.memory]:#010x}"
            sections.append(f"  .{symbol} {at} (NOLOAD) : {{ {symbol} = .; *(.bss.{symbol}) }} :{symbol}")
        else:
            first = f"{symbol} = .; *(.bss.{symbol})"
    copied = ""
    if fast is not None:
        macros[f"{model.name.upper()}_FAST_WEIGHTS_SECTION"] = '".mcuq_fast"'
        headers.append("  mcuq_fast PT_LOAD FLAGS(6);")
        at, then = "ALIGN(8)", ""
        if fast.memory in address_of:
            before = sum(part.size_bytes for part in model.listing.arenas if part.memory == fast.memory)
            at, then = f"{address_of[fast.memory] + before + -before % 8:#010x}", "\n  . = mcuq_stack_top;"
        copied = _FAST.replace("$at", at) + then
    return ArenaSections(macros, "\n".join(headers), "\n".join(sections), first, copied, constants)


def sections_of_all(models: Sequence[CompiledModel], board: Board) -> ArenaSections:
    """Those of one model, or of several in one program, which have nothing but sections of their constants."""
    each = [arena_sections(model, board) for model in models]
    return replace(each[0], constants=" ".join(dict.fromkeys(own.constants for own in each if own.constants)))


_FAST = """\
  .mcuq_fast $at : AT(mcuq_fast_image) {
    mcuq_fast_start = .;
    *(.mcuq_fast)
    . = ALIGN(8);
    mcuq_fast_end = .;
  } :mcuq_fast
  mcuq_data_image = ALIGN(mcuq_fast_image + SIZEOF(.mcuq_fast), 8);"""


def symbol_of(memory: str) -> str:
    """The linker's symbol of the first byte of an arena's part."""
    return f"{MAIN_SYMBOL}_{memory}" if memory else MAIN_SYMBOL
