"""What an ELF file holds: its functions and variables."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

# ELF, figures 1-16 to 1-19: types of symbols, and the section of those that are elsewhere.
_NOTYPE, _OBJECT, _FUNC = 0, 1, 2
_UNDEFINED = 0


@dataclass(frozen=True)
class Symbol:
    """A named place in a program; `address` is without the Thumb bit."""

    name: str
    address: int
    symbol_bytes: int
    is_function: bool


def read_symbols(elf: bytes) -> tuple[Symbol, ...]:
    """Return the functions and variables of an ELF file of 32 bits, static ones too, by address."""
    file = ELFFile(io.BytesIO(elf))
    table = file.get_section_by_name(".symtab")
    found = []
    if isinstance(table, SymbolTableSection):
        # pyelftools gives one entry after the other, in ten times the time.
        names = table.stringtable.data()
        layout = struct.Struct("<IIIBBH" if file.little_endian else ">IIIBBH")
        for at, value, symbol_bytes, info, _, section in layout.iter_unpack(table.data()):
            name = names[at : names.index(0, at)].decode("utf-8", "replace")
            kind, is_function = info & 0xF, info & 0xF == _FUNC
            # $t, $d, $a and $x mark where code and constants start; Clang leaves local labels, .L0, for RISC-V
            if section == _UNDEFINED or not name or name.startswith(("$", ".L")):
                continue
            if kind in (_NOTYPE, _OBJECT, _FUNC):
                found.append(Symbol(name, value & ~1 if is_function else value, symbol_bytes, is_function))
    return tuple(sorted(found, key=lambda symbol: (symbol.address, symbol.name)))
