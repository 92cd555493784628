"""What an ELF file holds: its functions and variables."""

from __future__ import annotations

import io
from dataclasses import dataclass

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection


@dataclass(frozen=True)
class Symbol:
    """A named place in a program; `address` is without the Thumb bit."""

    name: str
    address: int
    symbol_bytes: int
    is_function: bool


def read_symbols(elf: bytes) -> tuple[Symbol, ...]:
    """Return the functions and variables of an ELF file, static ones too, by address."""
    table = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab")
    found = []
    for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
        is_function = symbol["st_info"]["type"] == "STT_FUNC"
        # $t, $d, $a and $x mark where code and constants start; Clang leaves local labels, .L0, for RISC-V
        if symbol["st_shndx"] == "SHN_UNDEF" or not symbol.name or symbol.name.startswith(("$", ".L")):
            continue
        if symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE"):
            address = symbol["st_value"] & ~1 if is_function else symbol["st_value"]
            found.append(Symbol(symbol.name, address, symbol["st_size"], is_function))
    return tuple(sorted(found, key=lambda symbol: (symbol.address, symbol.name)))
