"""Files + Board -> a program for the board, with its sizes."""

from __future__ import annotations

import io
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from elftools.common.exceptions import ELFError
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile

from mcuq.boards.facts import Board, Memory
from mcuq.build.arena_sections import NO_SECTIONS, ArenaSections
from mcuq.build.compiler import (
    TARGET_FLAGS,
    WARNINGS,
    compile_in,
    for_target,
    write_files,
)
from mcuq.build.elf import read_symbols
from mcuq.errors import BoardError, BuildError, did_you_mean
from mcuq.resources import resource_dir
from mcuq.system.work_folder import work_folder


@dataclass(frozen=True)
class Built:
    """A linked program for a board.

    `flash_bytes` is everything that occupies flash: code, constants, initial values of data, gaps between
    them. `ram_bytes` is data with initial values (`data_bytes`) and zeroed data (`bss_bytes`), no stack.
    """

    elf: bytes
    compiler: str
    text_bytes: int
    rodata_bytes: int
    data_bytes: int
    bss_bytes: int
    flash_bytes: int
    ram_bytes: int
    symbols: Mapping[str, int] = field(hash=False)


def build_target(
    sources: Mapping[str, str | bytes],
    entry: str,
    keep: Sequence[str],
    board: Board,
    optimize: str = "-O2",
    stack_bytes: int = 8192,
    arenas: ArenaSections = NO_SECTIONS,
) -> Built:
    """Compile `sources` (file name -> text, .c and .h) for the board and link what `entry` and `keep` need.

    There is no startup code: an emulator loads the segments and calls functions. The stack takes the first
    `stack_bytes` of RAM, from mcuq_stack_bottom to mcuq_stack_top. `arenas` are what the sources have in other
    memories. The same input gives the same bytes.

    Raises BoardError where the program does not fit the board, BuildError where no compiler is installed or
    the compiler refuses the sources.
    """
    if board.memory is None:
        raise BoardError(f"board '{board.name}' has no memory to link for; use a board with a [memory] table")
    compiler, flags, helpers = for_target(board)
    firmware = resource_dir("firmware")
    script = string.Template((firmware / "link.ld.in").read_text(encoding="utf-8")).substitute(
        keep=" ".join(f'"{name}"' for name in (entry, *keep)),
        flash_address=f"{board.memory.flash_address:#010x}",
        ram_address=f"{board.memory.ram_address:#010x}",
        stack_bytes=stack_bytes,
        **arenas.script,
    )
    with work_folder() as folder:
        files = write_files(folder, sources)
        write_files(folder / "firmware", {"memory.c": (firmware / "memory.c").read_bytes(), "link.ld": script})
        link = ("-T", "firmware/link.ld", "-Wl,--gc-sections", f"-Wl,-e,{entry}", helpers)
        arguments = (*flags, optimize, *WARNINGS, *TARGET_FLAGS, *arenas.flags, *files, "firmware/memory.c", *link)
        compile_in(compiler, folder, arguments, "program.elf")
        elf = (folder / "program.elf").read_bytes()
    try:
        built = _measure(elf, compiler.version, board.memory)
    except (ELFError, KeyError) as error:
        raise BuildError(f"{compiler.version} wrote no ELF program for {board.cpu.core}; install another") from error
    for symbol in (entry, *keep):
        if symbol not in built.symbols:
            hint = did_you_mean(symbol, built.symbols)
            raise BuildError(f"function '{symbol}' is not in the sources{hint}")
    _check_fit(built, entry, board, stack_bytes)
    return built


def build_device(
    sources: Mapping[str, str | bytes], includes: Collection[str], script: str, config: str, board: Board, optimize: str
) -> bytes:
    """Compile and link `sources` (path -> text) with the linker script, each .c file but those that others include.

    `config` is a header that every file sees first. Returns the ELF file; the same input gives the same bytes.

    Raises BuildError where no compiler is installed or the compiler refuses the sources.
    """
    compiler, flags, helpers = for_target(board)
    with work_folder() as folder:
        for path, text in {**sources, "mcuq_config.h": config, "mcuq.ld": script}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(text.encode() if isinstance(text, str) else text)
        files = sorted(path for path in sources if path.endswith(".c") and path not in includes)
        head = ("-I.", "-include", "mcuq_config.h")
        link = ("-T", "mcuq.ld", "-Wl,--gc-sections", "-Wl,-e,mcuq_reset", helpers)
        compile_in(compiler, folder, (*flags, optimize, *WARNINGS, *TARGET_FLAGS, *head, *files, *link), "program.elf")
        return (folder / "program.elf").read_bytes()


def is_in_main(address: int, memory: Memory) -> bool:
    """Whether what begins there is not in one of the board's other memories."""
    return not any(ram.address <= address < ram.end for ram in memory.more)


def _measure(elf: bytes, compiler: str, memory: Memory) -> Built:
    file = ELFFile(io.BytesIO(elf))
    section_bytes = {section.name: section["sh_size"] for section in file.iter_sections()}
    symbols = {symbol.name: symbol.address for symbol in read_symbols(elf)}
    flash_end = memory.flash_address
    ram_end = symbols["mcuq_stack_top"]
    for segment in file.iter_segments("PT_LOAD"):
        if segment["p_filesz"] > 0:
            flash_end = max(flash_end, segment["p_paddr"] + segment["p_filesz"])
        if segment["p_memsz"] > 0 and segment["p_flags"] & P_FLAGS.PF_W and is_in_main(segment["p_vaddr"], memory):
            ram_end = max(ram_end, segment["p_vaddr"] + segment["p_memsz"])
    return Built(
        elf=elf,
        compiler=compiler,
        text_bytes=section_bytes.get(".text", 0),
        rodata_bytes=section_bytes.get(".rodata", 0),
        data_bytes=section_bytes.get(".data", 0),
        bss_bytes=section_bytes.get(".bss", 0),
        flash_bytes=flash_end - memory.flash_address,
        ram_bytes=ram_end - symbols["mcuq_stack_top"],
        symbols=symbols,
    )


def _check_fit(built: Built, entry: str, board: Board, stack_bytes: int) -> None:
    assert board.memory is not None
    needs_ram_bytes = built.ram_bytes + stack_bytes
    if built.flash_bytes > board.memory.flash_bytes:
        raise BoardError(
            f"'{entry}' needs {built.flash_bytes:,} bytes of flash (code {built.text_bytes:,}, constants "
            f"{built.rodata_bytes:,}, initial values {built.data_bytes:,}), {board.name} has "
            f"{board.memory.flash_bytes:,}; use a smaller model or a board with more flash"
        )
    if needs_ram_bytes > board.memory.ram_bytes:
        raise BoardError(
            f"'{entry}' needs {needs_ram_bytes:,} bytes of RAM (data {built.ram_bytes:,}, stack "
            f"{stack_bytes:,}), {board.name} has {board.memory.ram_bytes:,}; "
            "use a smaller model or a board with more RAM"
        )
