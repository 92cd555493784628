"""The firmware's C on the CPUs it is for: no warning, no C library, no more flash and RAM than is stated here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from host_board import FIRMWARE, FIRMWARE_SOURCES, PROTOCOL_SOURCES
from selections import quick

from mcuq.boards.find import load_board

CPUS = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m33", "cortex-m55", "rv32imc")
FLAGS = ("-std=c99", "-O2", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-g0")
MACROS = {
    "MCUQ_BOARD_NAME": '"board"',
    "MCUQ_BUILD_TEXT": '"compiler"',
    "MCUQ_CLOCK_HZ": "16000000u",
    "MCUQ_PAYLOAD_BYTES": "512",
    "MCUQ_WINDOW_BYTES": "1024",
    "MCUQ_IS_EMULATED": "0",
    "MCUQ_MAILBOX_ADDRESS": "0x20003ff0u",
    "MCUQ_SLOT_ADDRESS": "0x8000u",
    "MCUQ_SLOT_BYTES": "0x8000u",
    "MCUQ_PAGE_BYTES": "1024u",
}
LOADER = ("loader/main.c", "loader/jump.c", "slots/slot.c", "slots/flash_ram.c", "slots/flash_nrf51.c")
SOURCES = {
    "model": (*FIRMWARE_SOURCES, *PROTOCOL_SOURCES, FIRMWARE / "memory.c"),
    "model of rows": (*FIRMWARE_SOURCES, *PROTOCOL_SOURCES, FIRMWARE / "memory.c"),
    "several models": (*FIRMWARE_SOURCES, *PROTOCOL_SOURCES, FIRMWARE / "memory.c"),
    "model of weights": (*FIRMWARE_SOURCES, *PROTOCOL_SOURCES, FIRMWARE / "memory.c", FIRMWARE / "slots/slot.c"),
    "loader": (*(FIRMWARE / name for name in LOADER), *PROTOCOL_SOURCES, FIRMWARE / "memory.c"),
}
# The board's functions, the model, the stack; what compilers bring for what a CPU cannot do.
OUTSIDE = re.compile(
    r"board_\w+|mcuq_flash_\w+|mcuq_models?|mcuq_stack_(bottom|top)|__aeabi_\w+|__(mul|ashl|ashr|lshr)di3|__gnu_thumb1_\w+"
)

# Bytes of flash (with constants) and of RAM beside the frame of MCUQ_PAYLOAD_BYTES and the ring of MCUQ_WINDOW_BYTES,
# by GCC with -O2; without the board's driver and start-up.
MOST_FLASH_BYTES = {"model": {"cortex-m0": 5600, "cortex-m4": 5000, "rv32imc": 7450}}
MOST_FLASH_BYTES["model of rows"] = {"cortex-m0": 6100, "cortex-m4": 5400, "rv32imc": 8100}
MOST_FLASH_BYTES["several models"] = {"cortex-m0": 5900, "cortex-m4": 5350, "rv32imc": 7950}
MOST_FLASH_BYTES["model of weights"] = {"cortex-m0": 7000, "cortex-m4": 6300, "rv32imc": 9400}
MOST_FLASH_BYTES["loader"] = {"cortex-m0": 4100, "cortex-m4": 3800, "rv32imc": 5100}
MOST_OTHER_RAM_BYTES = 96
MOST_OTHER_RAM_BYTES_OF = {"model of rows": 100, "several models": 108}


def compile_all(folder: Path, command: list[str], kind: str, macros: dict[str, str]) -> list[Path]:
    objects = []
    own = {} if kind == "model of rows" else {"MCUQ_NO_ROWS": "1", "MCUQ_NO_START": "1"}
    own |= {"MCUQ_WEIGHTS_ADDRESS": "0x8000u"} if kind == "model of weights" else {}
    own |= {"MCUQ_MODELS": "2"} if kind == "several models" else {}
    defines = [f"-D{name}={value}" for name, value in (MACROS | own | macros).items()]
    for i, source in enumerate(SOURCES[kind]):
        objects.append(folder / f"{i}.o")
        ended = subprocess.run(
            [*command, *FLAGS, *defines, "-c", str(source), "-o", str(objects[-1])],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
    return objects


def symbols(objects: list[Path]) -> tuple[set[str], set[str]]:
    """Those that are defined, and those that are only named."""
    defined: set[str] = set()
    named: set[str] = set()
    for path in objects:
        with path.open("rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            for symbol in table.iter_symbols():
                (named if symbol["st_shndx"] == "SHN_UNDEF" else defined).add(symbol.name)
    return defined, named - defined - {""}


def sizes(objects: list[Path]) -> tuple[int, int]:
    """Bytes of flash and of RAM."""
    flash_bytes = ram_bytes = 0
    for path in objects:
        with path.open("rb") as file:
            for section in ELFFile(file).iter_sections():
                if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and not section.name.startswith(".eh_frame"):
                    flash_bytes += section["sh_size"] if section["sh_type"] != "SHT_NOBITS" else 0
                    ram_bytes += section["sh_size"] if section["sh_flags"] & SH_FLAGS.SHF_WRITE else 0
    return flash_bytes, ram_bytes


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("cpu", quick(CPUS))
def test_nothing_is_taken_from_a_c_library(tmp_path: Path, cpu: str, kind: str) -> None:
    target = load_board(cpu).cpu
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target.target, f"-mcpu={target.zig_cpu}"]
    macros = {"MCUQ_SLOT_NRF51": "1"} if cpu == "cortex-m0" else {"MCUQ_SLOT_RAM": "1", "MCUQ_HAS_VTOR": "1"}
    defined, outside = symbols(compile_all(tmp_path, command, kind, macros))
    assert {"mcuq_main", "mcuq_handle", "mcuq_received"} <= defined
    assert "board_send" in outside
    assert {name for name in outside if not OUTSIDE.fullmatch(name)} == set()


@pytest.mark.toolchain
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("cpu", CPUS)
def test_gcc_takes_no_more_flash_and_ram_than_stated(tmp_path: Path, cpu: str, kind: str) -> None:
    target = load_board(cpu).cpu
    macros = {"MCUQ_SLOT_RAM": "1"} | ({} if cpu == "cortex-m0" else {"MCUQ_HAS_VTOR": "1"})
    objects = compile_all(tmp_path, [target.gcc, *target.gcc_flags], kind, macros)
    assert {name for name in symbols(objects)[1] if not OUTSIDE.fullmatch(name)} == set()
    flash_bytes, ram_bytes = sizes(objects)
    frame_and_ring = 2 + 512 + 4 + 1024 + 1
    other = MOST_OTHER_RAM_BYTES_OF.get(kind, MOST_OTHER_RAM_BYTES)
    assert frame_and_ring < ram_bytes <= frame_and_ring + other
    if cpu in MOST_FLASH_BYTES[kind]:
        assert 0.8 * MOST_FLASH_BYTES[kind][cpu] < flash_bytes <= MOST_FLASH_BYTES[kind][cpu]
