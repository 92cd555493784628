"""A board's firmware on Unicorn with its chip's registers in Python: what tests of drivers share.

Nobody here has the boards. What can be shown without them: which registers a driver reads and writes and in which
order, that it ends where no flag ever comes, and that the whole firmware answers on the board's memory map. A family's
test brings a `Chip` that behaves as far as the driver looks.
"""

from __future__ import annotations

import importlib
import io
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import unicorn
from elftools.elf.elffile import ELFFile

from mcuq.build.elf import read_symbols
from mcuq.build.firmware import Firmware
from mcuq.emulate.unicorn_isa import isa_of

PERIPHERALS = ((0x4000_0000, 0x2000_0000), (0xE000_0000, 0x10_0000))
"""Address and bytes of the registers of Cortex-M: the peripheral region's first half, the core's own."""

DWT_CTRL, DWT_CYCCNT, DEMCR = 0xE000_1000, 0xE000_1004, 0xE000_EDFC
SYST_CSR, SYST_CVR, AIRCR = 0xE000_E010, 0xE000_E018, 0xE000_ED0C
NVIC_ISER = 0xE000_E100
CYCLES_A_LOOK = 7

_PAGE_BYTES = 4096
_RETURN_ADDRESS = 0x9FFF_F000  # no chip has registers there
_MOST_ACCESSES = 3_000_000
_SLICE_INSTRUCTIONS = 5_000
_INSTRUCTIONS_A_SECOND = 2_000_000


@dataclass(frozen=True)
class Access:
    """One access of the program to a register: `value` is the word read or written."""

    is_write: bool
    address: int
    value: int


class Chip:
    """Registers of 32 bits that keep what is written to them; `reset` are those that do not begin as 0."""

    def __init__(self, reset: Mapping[int, int] | None = None) -> None:
        self.words = dict(reset or {})

    def read(self, address: int) -> int:
        return self.words.get(address, 0)

    def write(self, address: int, value: int) -> None:
        self.words[address] = value

    def interrupts(self) -> bool:
        """Whether the UART asks for its interrupt."""
        return False


class Stuck(Chip):
    """A chip on which every register always reads as the same word: no flag ever comes, or none ever goes."""

    def __init__(self, word: int) -> None:
        super().__init__()
        self.word = word

    def read(self, address: int) -> int:
        return self.word


class CortexM(Chip):
    """A chip whose core counts: the debug unit's counter once both its switches are on, SysTick once it is."""

    cycles = 0

    def read(self, address: int) -> int:
        self.cycles += CYCLES_A_LOOK
        if address == DWT_CYCCNT and self.words.get(DEMCR, 0) >> 24 & 1 and self.words.get(DWT_CTRL, 0) & 1:
            return self.cycles & 0xFFFF_FFFF
        if address == SYST_CVR and self.words.get(SYST_CSR, 0) & 5 == 5:
            return -self.cycles & 0xFF_FFFF
        return super().read(address)


class SerialChip(CortexM):
    """A Cortex-M with a UART's line: `to_device` is what has arrived for it (byte and error bits of the family),
    `from_device` what it has sent."""

    def __init__(self, reset: Mapping[int, int] | None = None) -> None:
        super().__init__(reset)
        self.to_device: deque[tuple[int, int]] = deque()
        self.from_device = bytearray()


class Harness:
    """A firmware's program in its flash, RAM of zeros, and a chip."""

    def __init__(self, firmware: Firmware, chip: Chip, peripherals: Sequence[tuple[int, int]] = PERIPHERALS) -> None:
        self.firmware = firmware
        self.chip = chip
        self.accesses: list[Access] = []
        self.is_recording = True
        self._left = _MOST_ACCESSES
        self._symbols = {symbol.name: symbol.address for symbol in read_symbols(firmware.elf)}
        self._isa = isa_of(firmware.board)
        constants = importlib.import_module(self._isa.constants)
        self._register = {
            name: getattr(constants, getattr(self._isa, name)) for name in ("stack_pointer", "link", "program_counter")
        }
        self._arguments = [getattr(constants, name) for name in self._isa.arguments]
        modes = sum(getattr(unicorn, name) for name in self._isa.modes)
        self.engine: Any = unicorn.Uc(getattr(unicorn, self._isa.architecture), modes)
        model = firmware.board.cpu.unicorn_model
        assert model is not None, f"{firmware.board.name} has no unicorn_model"
        self.engine.ctl_set_cpu_model(getattr(constants, self._isa.cpu_prefix + model.upper().replace("-", "_")))
        self._load()
        for address, n_bytes in peripherals:
            self.engine.mmio_map(address, n_bytes, self._read, address, self._write, address)

    @property
    def writes(self) -> list[tuple[int, int]]:
        """(address, word) of each write so far."""
        return [(access.address, access.value) for access in self.accesses if access.is_write]

    def address_of(self, symbol: str) -> int:
        return self._symbols[symbol]

    def call(self, function: str, *args: int) -> int:
        """Call a function on an empty stack; its value as a word. Fails where it does not end."""
        self._left = _MOST_ACCESSES
        for register, value in zip(self._arguments, args, strict=False):
            self.engine.reg_write(register, value)
        self.engine.reg_write(self._register["stack_pointer"], self._symbols["mcuq_stack_top"])
        self.engine.reg_write(self._register["link"], _RETURN_ADDRESS | self._isa.code_bit)
        self.engine.emu_start(self._symbols[function] | self._isa.code_bit, _RETURN_ADDRESS)
        at = self.engine.reg_read(self._register["program_counter"])
        assert at == _RETURN_ADDRESS, f"{function} does not end: it reads {self.accesses[-1].address:#010x} for ever"
        return int(self.engine.reg_read(self._arguments[0]))

    def start(self, function: str = "") -> None:
        """Prepare `run` from a function that never returns; without a name from the entry, where a reset leads."""
        entry = self._symbols[function] | self._isa.code_bit if function else self.firmware.entry
        self.engine.reg_write(self._register["program_counter"], entry)

    def run(self, until: Callable[[], bool], most_instructions: int) -> int:
        """Run on until `until()` or `most_instructions`; return about how many ran. Between slices the UART's interrupt
        comes where the chip asks for it and the program has enabled it."""
        self._left = _MOST_ACCESSES
        done = 0
        while done < most_instructions and not until():
            at = self.engine.reg_read(self._register["program_counter"]) | self._isa.code_bit
            self.engine.emu_start(at, _RETURN_ADDRESS, count=_SLICE_INSTRUCTIONS)
            done += _SLICE_INSTRUCTIONS
            number = self.firmware.board.uart.interrupt if self.firmware.board.uart else None
            if number is not None and self._enables(number) and self.chip.interrupts():
                self._interrupt(number)
        return done

    def _enables(self, number: int) -> bool:
        return bool(self.chip.words.get(NVIC_ISER + 4 * (number // 32), 0) >> number % 32 & 1)

    def _interrupt(self, number: int) -> None:
        """The handler from the vectors, on the program's stack, as a call that leaves all registers as they were."""
        before = self.engine.context_save()
        vector = self.firmware.address + 4 * (16 + number)
        handler = int.from_bytes(self.engine.mem_read(vector, 4), "little")
        self.engine.reg_write(self._register["link"], _RETURN_ADDRESS | self._isa.code_bit)
        self.engine.emu_start(handler, _RETURN_ADDRESS)
        self.engine.context_restore(before)

    def _load(self) -> None:
        memory = self.firmware.board.memory
        assert memory is not None
        for address, n_bytes in (
            (memory.flash_address, memory.flash_bytes),
            *((ram.address, ram.size_bytes) for ram in memory.rams),
            (_RETURN_ADDRESS, _PAGE_BYTES),
        ):
            self.engine.mem_map(address, -(-n_bytes // _PAGE_BYTES) * _PAGE_BYTES)
        self.engine.mem_write(self.firmware.address, self.firmware.image)
        for segment in ELFFile(io.BytesIO(self.firmware.elf)).iter_segments("PT_LOAD"):
            # For calls without start-up: values of data are where the program finds them.
            if segment["p_filesz"] > 0 and segment["p_vaddr"] != segment["p_paddr"]:
                self.engine.mem_write(segment["p_vaddr"], segment.data())

    def _note(self, is_write: bool, address: int, value: int) -> None:
        if self.is_recording:
            self.accesses.append(Access(is_write, address, value))
        self._left -= 1
        if self._left == 0:
            self.engine.emu_stop()

    def _read(self, engine: Any, offset: int, n_bytes: int, base: int) -> int:
        address = base + offset
        shift = 8 * (address % 4)
        word = self.chip.read(address - address % 4)
        self._note(False, address - address % 4, word)
        return word >> shift & ((1 << 8 * n_bytes) - 1)

    def _write(self, engine: Any, offset: int, n_bytes: int, value: int, base: int) -> None:
        address = base + offset
        shift = 8 * (address % 4)
        mask = ((1 << 8 * n_bytes) - 1) << shift
        word_address = address - address % 4
        word = self.chip.words.get(word_address, 0) & ~mask | value << shift & mask
        self._note(True, word_address, word)
        self.chip.write(word_address, word)


def first_write(writes: Sequence[tuple[int, int]], address: int, mask: int, value: int) -> int:
    """The index of the first write that leaves `value` in the bits of `mask`; fails where there is none."""
    for i, (at, word) in enumerate(writes):
        if at == address and word & mask == value:
            return i
    found = ", ".join(f"{word:#010x}" for at, word in writes if at == address) or "nothing"
    raise AssertionError(f"{address:#010x} never gets {value:#x} in {mask:#x}; it gets {found}")


def words_before(writes: Sequence[tuple[int, int]], index: int, reset: Mapping[int, int]) -> dict[int, int]:
    """What the registers hold before the write with this index."""
    return {**reset, **dict(writes[:index])}


class HarnessLink:
    """A mcuq.device Link to a program on the harness. Time is what the program has run: `clock` is in seconds."""

    baud = 115_200

    def __init__(self, harness: Harness, chip: SerialChip) -> None:
        self.name = f"registers of {harness.firmware.board.name}"
        self._harness = harness
        self._chip = chip
        self._instructions = 0
        harness.is_recording = False
        harness.start()

    def clock(self) -> float:
        return self._instructions / _INSTRUCTIONS_A_SECOND

    def write(self, data: bytes) -> None:
        self._chip.to_device.extend((byte, 0) for byte in data)

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        most = max(_SLICE_INSTRUCTIONS, round(timeout_s * _INSTRUCTIONS_A_SECOND))
        self._instructions += self._harness.run(lambda: bool(self._chip.from_device), most)
        data = bytes(self._chip.from_device[:max_bytes])
        del self._chip.from_device[:max_bytes]
        return data

    def close(self) -> None:
        pass
