"""CompiledModels + Board -> the firmware that runs on the board; Board -> mcuq's resident loader for it."""

from __future__ import annotations

import io
import json
import string
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile

from mcuq.boards.facts import MAILBOX_BYTES, Board, Loader, Memory, WeightSlots
from mcuq.boards.toml_table import pin_numbers
from mcuq.build.arena_sections import NO_SECTIONS, ArenaSections, sections_of_all
from mcuq.build.compiler import target_compiler
from mcuq.build.firmware_source import (
    LEAST_PAYLOAD_BYTES,
    MOST_PAYLOAD_BYTES,
    firmware_sources,
    model_macros,
    useful_payload_bytes,
)
from mcuq.build.several import as_several, called
from mcuq.build.target import build_device, is_in_main
from mcuq.compile import CompiledModel, check_features
from mcuq.emit.weights import HEAD_BYTES
from mcuq.errors import BoardError
from mcuq.resources import resource_dir

STACK_BYTES = 4096
SMALL_STACK_BYTES = 2048  # on boards with SMALL_RAM_BYTES or less; the reference networks take 800 at most
SMALL_RAM_BYTES = 32_768
_FRAME_OVERHEAD_BYTES = 16  # type, sequence, CRC, COBS and the bytes that end a frame
_OPTIMIZE = "-O2"
_LOADER_OPTIMIZE = "-Os"


@dataclass(frozen=True)
class Firmware:
    """A program for a board: `image` is what goes to `address`, without gaps; `build` the compiler and its options.

    `ram_bytes` is data and stack. `payload_bytes` and `window_bytes` are what the device tells the host in HELLO.
    """

    board: Board
    elf: bytes
    image: bytes
    address: int
    entry: int
    build: str
    ram_bytes: int
    stack_bytes: int
    payload_bytes: int
    window_bytes: int


@dataclass(frozen=True)
class _Buffers:
    """What the firmware spends RAM on beside the model."""

    payload_bytes: int
    window_bytes: int
    keeps_input: bool


def build_firmware(model: CompiledModel | Sequence[CompiledModel], board: Board | None = None) -> Firmware:
    """Build the model, or several that share an arena, with main.c, the protocol and the board's driver.

    `board` may be another than the models' where its CPU has every feature that the model's C was made for. Where
    RAM is short the host's window goes first, then the place that keeps an input, then the size of a frame.

    Raises BoardError where the board has no firmware, lacks a feature, or RAM or flash do not suffice; BuildError
    where no compiler is installed; ModelError where several models cannot be in one firmware.
    """
    models = as_several(model)
    board = board or models[0].board
    memory = _program_memory(board)
    for each in models:
        check_features(each, board)
    if board.loader is not None:
        _check_start_in_slot(board, memory)
    shortest: Firmware | None = None
    stack_bytes = _stack_bytes(memory)
    what = called(models) if len(models) == 1 else f"the firmware of {called(models)}"
    goals = sorted({each.optimize for each in models} - {"balanced"})
    goal = f", for {' and '.join(goals)}" if goals else ""
    for buffers in _choices(models, board):
        sources = firmware_sources(models, buffers.keeps_input)
        includes = [f"{each.name}.c" for each in models]
        program = {**_files("main.c", "stack.c"), **_folder("model"), **_files_of_all(board)}
        slots = _weight_slots(models, board)
        files: dict[str, str | bytes] = {**sources, **program, **(_folder("slots") if slots else {})}
        arenas = sections_of_all(models, board)
        macros = {**model_macros(models), **arenas.macros, **slots}
        firmware = _link(files, includes, _Place(board, memory, buffers, arenas), _OPTIMIZE, macros, goal)
        if _free_bytes(firmware, memory) >= 0:
            _check_flash(what, firmware, memory)
            return firmware
        shortest = firmware
    assert shortest is not None
    arena_bytes = max(each.arena_bytes for each in models)
    raise BoardError(
        f"{what} needs {shortest.ram_bytes + _mailbox_bytes(board):,} bytes of RAM on the device (arena "
        f"{arena_bytes:,}, stack {stack_bytes:,}, protocol and the rest "
        f"{shortest.ram_bytes + _mailbox_bytes(board) - arena_bytes - stack_bytes:,}), {board.name} has "
        f"{memory.ram_bytes:,} for it; use a smaller model or a board with more RAM"
    )


def _weight_slots(models: Sequence[CompiledModel], board: Board) -> dict[str, str]:
    """Macros of a firmware whose weights the host can replace."""
    if board.weights is None or not takes_weights(models, board):
        return {}
    return {
        "MCUQ_WEIGHTS_ADDRESS": f"{board.weights.address:#x}u",
        **_slot_macros(board.weights),
    }


def _slot_macros(slot: Loader | WeightSlots) -> dict[str, str]:
    """What firmware/slots asks for."""
    return {
        "MCUQ_SLOT_BYTES": f"{slot.slot_bytes}u",
        "MCUQ_PAGE_BYTES": f"{slot.page_bytes}u",
        f"MCUQ_SLOT_{slot.kind.upper()}": "1",
    }


def takes_weights(models: Sequence[CompiledModel], board: Board) -> bool:
    """Whether firmware is built so that the host can replace weights: of one model that has them in a file, on a board
    with slots that hold them."""
    if len(models) != 1 or board.weights is None:
        return False
    blob = models[0].blob
    return blob is not None and HEAD_BYTES < len(blob) <= board.weights.most_bytes


def build_loader(board: Board) -> Firmware:
    """Build mcuq's resident loader for the board.

    Raises BoardError where the board has none or it does not fit in front of its slot.
    """
    if board.loader is None or board.memory is None:
        raise BoardError(f"board '{board.name}' has no [loader]; it is flashed by {_method(board)}")
    ram = _program_memory(board)
    slot, flash = board.loader, board.memory
    start = flash.flash_address if slot.address is None else slot.address
    flash_end = flash.flash_address + flash.flash_bytes
    slot_is_next = start < slot.slot_address < flash_end
    place = replace(ram, flash_address=start, flash_bytes=(slot.slot_address if slot_is_next else flash_end) - start)
    payload_bytes = slot.page_bytes + 8 if ram.ram_bytes > SMALL_RAM_BYTES else 256
    buffers = _Buffers(min(payload_bytes, MOST_PAYLOAD_BYTES + 8), 0, False)
    macros = {"MCUQ_SLOT_ADDRESS": f"{slot.slot_address:#x}u", **_slot_macros(slot)}
    files = {**_folder("loader"), **_folder("slots"), **_files_of_all(board)}
    firmware = _link(files, [], _Place(board, place, buffers), _LOADER_OPTIMIZE, macros)
    if _free_bytes(firmware, place) < 0:
        raise BoardError(
            f"the loader needs {firmware.ram_bytes:,} bytes of RAM, {board.name} has {place.ram_bytes:,} for it"
        )
    _check_flash("the loader", firmware, place)
    return firmware


def _method(board: Board) -> str:
    return f"the method '{board.flashing.method}'" if board.flashing else "no method that mcuq knows"


def check_driver(board: Board) -> None:
    """Raise BoardError for a CPU that no firmware can be built for."""
    _program_memory(board)


def _program_memory(board: Board) -> Memory:
    memory = board.program_memory
    if board.driver is None or board.uart is None or memory is None:
        raise BoardError(
            f"board '{board.name}' is a CPU without a driver, so that no firmware can be built for it; use a board "
            "with a [firmware] table (mcuq boards lists them)"
        )
    return memory


def _check_start_in_slot(board: Board, memory: Memory) -> None:
    """The loader takes the image's first byte for its vectors, or its entry."""
    assert board.uart is not None and board.driver is not None
    alignment = _vectors_alignment(board)
    if memory.flash_address % alignment:
        raise BoardError(
            f"board '{board.name}' [loader]: slot_address + page_bytes = {memory.flash_address:#010x} must be a "
            f"multiple of {alignment}, where its vectors can lie"
        )
    has_interrupts = board.uart.interrupt is not None or board.driver.counter == "systick"
    if not _has_vtor(board) and has_interrupts:
        raise BoardError(
            f"board '{board.name}' [loader]: a Cortex-M0 finds its vectors at address 0 only, where the loader's are; "
            "leave out [uart] interrupt, and use another [firmware] counter than systick"
        )


def _has_vtor(board: Board) -> bool:
    return board.cpu.core != "cortex-m0"


def _stack_bytes(memory: Memory) -> int:
    return SMALL_STACK_BYTES if memory.ram_bytes <= SMALL_RAM_BYTES else STACK_BYTES


def _choices(models: Sequence[CompiledModel], board: Board) -> Iterator[_Buffers]:
    """What to spend RAM on, the best first. An input that comes row by row is kept nowhere, and its parts come one at a
    time."""
    wanted = useful_payload_bytes(models)
    two_frames = 2 * (wanted + _FRAME_OVERHEAD_BYTES)
    has_interrupt = board.uart is not None and board.uart.interrupt is not None
    windows = (two_frames, two_frames // 2, 0) if has_interrupt else (0,)
    for window in () if models[0].is_pushed else windows:
        yield _Buffers(wanted, window, keeps_input=True)
    yield _Buffers(wanted, 0, keeps_input=False)
    if wanted > LEAST_PAYLOAD_BYTES:
        yield _Buffers(LEAST_PAYLOAD_BYTES, 0, keeps_input=False)


@dataclass(frozen=True)
class _Place:
    """Where a program goes, and what its buffers take of that."""

    board: Board
    memory: Memory
    buffers: _Buffers
    arenas: ArenaSections = NO_SECTIONS

    @property
    def stack_bytes(self) -> int:
        return _stack_bytes(self.memory)


def _link(
    files: Mapping[str, str | bytes],
    includes: list[str],
    place: _Place,
    optimize: str,
    macros: Mapping[str, str],
    goal: str = "",
) -> Firmware:
    board, memory, buffers = place.board, place.memory, place.buffers
    assert board.uart is not None
    script = string.Template((resource_dir("firmware") / "device.ld.in").read_text(encoding="utf-8")).substitute(
        flash_address=f"{memory.flash_address:#010x}",
        ram_address=f"{memory.ram_address:#010x}",
        stack_bytes=place.stack_bytes,
        vectors_alignment=_vectors_alignment(board),
        mailbox_bytes=MAILBOX_BYTES,
        **place.arenas.script,
    )
    build = f"{target_compiler(board)} {optimize}{goal}"
    given = {**_board_macros(board, memory, buffers), "MCUQ_BUILD_TEXT": _c_string(build), **macros}
    config = "".join(f"#define {name} {value}\n" for name, value in given.items())
    linked = build_device(files, includes, script, config, board, optimize)
    elf = ELFFile(io.BytesIO(linked))
    return Firmware(
        board=board,
        elf=linked,
        image=_image(elf, memory.flash_address),
        address=memory.flash_address,
        entry=elf.header["e_entry"],
        build=build,
        ram_bytes=max(place.stack_bytes, _ram_end(elf, memory) - memory.ram_address),
        stack_bytes=place.stack_bytes,
        payload_bytes=buffers.payload_bytes,
        window_bytes=buffers.window_bytes,
    )


def _files_of_all(board: Board) -> dict[str, bytes]:
    """What every firmware of the board has: the protocol, the driver, start-up."""
    assert board.driver is not None
    architecture = "cortex_m" if board.cpu.core.startswith("cortex-m") else "riscv"
    folders = ("protocol", "drivers", architecture, f"boards/{board.driver.family}")
    sources = {path: text for folder in folders for path, text in _folder(folder).items()}
    headers = [path.name for path in resource_dir("firmware").glob("*.h")]
    return {**_files("memory.c", "kernels/mcuq_math.h", *headers), **sources}


def _files(*names: str) -> dict[str, bytes]:
    return {name: (resource_dir("firmware") / name).read_bytes() for name in names}


def _folder(folder: str) -> dict[str, bytes]:
    paths = sorted(Path(resource_dir("firmware") / folder).glob("*.[ch]"))
    return {f"{folder}/{path.name}": path.read_bytes() for path in paths}


def _board_macros(board: Board, memory: Memory, buffers: _Buffers) -> dict[str, str]:
    assert board.uart is not None and board.driver is not None
    uart = board.uart
    macros = {
        "MCUQ_BOARD_NAME": _c_string(board.name),
        "MCUQ_IS_EMULATED": str(int(_is_emulated(board))),
        "MCUQ_CLOCK_HZ": f"{board.clock_hz}u",
        "MCUQ_PAYLOAD_BYTES": str(buffers.payload_bytes),
        "MCUQ_WINDOW_BYTES": str(buffers.window_bytes),
        f"MCUQ_COUNTER_{board.driver.counter.upper()}": "1",
        "MCUQ_UART_ADDRESS": f"{uart.address:#x}u",
        "MCUQ_UART_CLOCK_HZ": f"{uart.clock_hz}u",
        "MCUQ_UART_BAUD": f"{uart.baud}u",
    }
    if _has_vtor(board):
        macros["MCUQ_HAS_VTOR"] = "1"
    if board.loader is not None:
        macros["MCUQ_MAILBOX_ADDRESS"] = f"{memory.ram_address + memory.ram_bytes - MAILBOX_BYTES:#x}u"
    if uart.interrupt is not None and buffers.window_bytes > 0:
        macros |= {"MCUQ_UART_INTERRUPT": str(uart.interrupt), "MCUQ_RECEIVE_INTERRUPT": "1"}
    wake = _wake_interrupt(board)
    if wake is not None:
        macros |= {"MCUQ_WAKE_INTERRUPT": str(wake), "MCUQ_RECEIVE_INTERRUPT": "1", "MCUQ_IDLE": "mcuq_sleep"}
    for line, pin in (("TX", uart.tx), ("RX", uart.rx)):
        if pin is not None:
            port, number = pin_numbers(pin)
            macros |= {f"MCUQ_UART_{line}_PORT": f"{port}u", f"MCUQ_UART_{line}_PIN": f"{number}u"}
    macros |= {f"MCUQ_UART_{key.upper()}": f"{value}u" for key, value in uart.settings}
    macros |= {f"MCUQ_CLOCK_{key.upper()}": f"{value}u" for key, value in board.clock}
    if board.flashing is not None and board.flashing.wait_states is not None:
        macros["MCUQ_FLASH_WAIT_STATES"] = f"{board.flashing.wait_states}u"
    return macros


def _is_emulated(board: Board) -> bool:
    return board.verified == "emulator" and board.qemu is not None


def _wake_interrupt(board: Board) -> int | None:
    """The number of the interrupt that ends an emulated board's sleep."""
    assert board.uart is not None
    if not _is_emulated(board) or board.qemu is None:
        return None
    return board.uart.interrupt if board.qemu.wake is None else board.qemu.wake


def _c_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _vectors_alignment(board: Board) -> int:
    """Bytes of the vector table, rounded up to a power of two: what VTOR can point at; 128 at least."""
    assert board.uart is not None
    words = 16 + (0 if board.uart.interrupt is None else board.uart.interrupt + 1)
    return max(128, 1 << (4 * words - 1).bit_length())


def _image(elf: ELFFile, address: int) -> bytes:
    """The bytes that the program has in flash, gaps filled with zeros."""
    image = bytearray()
    for segment in elf.iter_segments("PT_LOAD"):
        if segment["p_filesz"] > 0:
            start = segment["p_paddr"] - address
            image.extend(bytes(max(0, start + segment["p_filesz"] - len(image))))
            image[start : start + segment["p_filesz"]] = segment.data()
    return bytes(image)


def _ram_end(elf: ELFFile, memory: Memory) -> int:
    """Where data in the main memory ends; compilers that strip the file leave no symbol that says so. 0 without any."""
    data = [s for s in elf.iter_segments("PT_LOAD") if s["p_flags"] & P_FLAGS.PF_W]
    return max((s["p_vaddr"] + s["p_memsz"] for s in data if is_in_main(s["p_vaddr"], memory)), default=0)


def _mailbox_bytes(board: Board) -> int:
    return MAILBOX_BYTES if board.loader is not None else 0


def _free_bytes(firmware: Firmware, memory: Memory) -> int:
    return memory.ram_bytes - firmware.ram_bytes - _mailbox_bytes(firmware.board)


def _check_flash(what: str, firmware: Firmware, memory: Memory) -> None:
    if len(firmware.image) > memory.flash_bytes:
        raise BoardError(
            f"{what} needs {len(firmware.image):,} bytes of flash with its firmware, {firmware.board.name} has "
            f"{memory.flash_bytes:,} for it; use a smaller model or a board with more flash"
        )


def slot_header(firmware: Firmware) -> bytes:
    """What the loader writes in front of a committed image (firmware/slots/slot.h)."""
    n_bytes, crc = len(firmware.image), zlib.crc32(firmware.image)
    return b"MCUQ" + struct.pack("<IIII", n_bytes, crc, ~(n_bytes ^ crc) & 0xFFFFFFFF, 0xFFFFFFFF)
