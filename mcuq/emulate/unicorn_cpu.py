"""Runs functions of a built program on Unicorn's model of the board's CPU (GPL-2.0, so imported only here)."""

from __future__ import annotations

import importlib
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile

from mcuq.boards.facts import Board
from mcuq.build.elf import read_symbols
from mcuq.emulate.block_counts import new_block_counter
from mcuq.emulate.unicorn_isa import UnicornIsa, isa_of
from mcuq.errors import BoardError, BuildError, did_you_mean

_PAGE_BYTES = 4096
_WORD = 0xFFFF_FFFF
_RETURN_ADDRESS = 0x9FFF_F000  # no board has memory there, and Armv7-M lets code be there
_PAINT = b"\xa5"


@dataclass(frozen=True)
class Block:
    """A basic block: its length, how often it ran in one call, and how often a jump left it for elsewhere than the
    code behind it, where that is known."""

    block_bytes: int
    instructions: int
    count: int
    left: int = 0


@dataclass(frozen=True)
class CallResult:
    """What one call did.

    `value` is what the function returned as a word, from 0 to 2**32 - 1. `stack_bytes` reaches from the stack
    pointer at entry down to the lowest byte written; memory reserved below that, but never written, does not show.
    `instructions` and `blocks` (address -> Block) are None unless counted. `parts` divide the blocks at each arrival
    at one of the functions that the caller named: what ran before the first, then one part an arrival.
    """

    value: int
    stack_bytes: int
    instructions: int | None = None
    blocks: Mapping[int, Block] | None = field(default=None, hash=False)
    parts: tuple[Part, ...] = field(default=(), hash=False)


@dataclass(frozen=True)
class Part:
    """What ran (address -> Block) from the arrival at the function with this address to the next arrival."""

    address: int
    blocks: Mapping[int, Block]


class UnicornCpu:
    """A CPU with a program in its flash; RAM keeps its contents from one call to the next."""

    def __init__(self, elf: bytes, board: Board) -> None:
        """Load a program that mcuq.build.target.build_target linked for the same board.

        Raises BoardError where the board cannot be emulated, BuildError where Unicorn is not installed.
        """
        if board.memory is None or board.cpu.unicorn_model is None:
            raise BoardError(f"board '{board.name}' cannot be emulated; use a board with unicorn_model")
        self._name = f"emulated {board.name}"
        self._memory = board.memory
        symbols = read_symbols(elf)
        self._functions = [symbol for symbol in symbols if symbol.is_function]
        self._addresses = {symbol.name: symbol.address for symbol in symbols}
        self._stack_bottom = self._addresses["mcuq_stack_bottom"]
        self._stack_top = self._addresses["mcuq_stack_top"]
        self._isa = isa_of(board)
        self._unicorn, constants = _import_unicorn(self._isa)
        self._engine = _new_engine(self._unicorn, constants, self._isa, board.cpu.unicorn_model)
        self._arguments = [getattr(constants, name) for name in self._isa.arguments]
        self._stack_pointer = getattr(constants, self._isa.stack_pointer)
        self._link = getattr(constants, self._isa.link)
        self._program_counter = getattr(constants, self._isa.program_counter)
        self._fault: tuple[int, int, int] | None = None
        self._lent = (0, 0)
        self._counter = new_block_counter(self._unicorn, board.memory.flash_address, self._load(elf))
        self._is_counting = False
        # Every call starts from it, so that none depends on what another left in registers and flags.
        self._reset = self._engine.context_save()
        self._instructions: dict[int, int] = {}

    def call(
        self, symbol: str, *args: int, count: bool = False, time_limit_s: float = 60, marks: Collection[str] = ()
    ) -> CallResult:
        """Call a function with 32-bit integer arguments, as the ABI passes them: some in registers, then stack.

        With `count`, every instruction that runs is counted. One inside an IT block counts whether its
        condition holds or not: the CPU fetches it and spends a cycle on it either way. The counts are also divided
        into parts at each arrival at a function named in `marks`.

        Raises BuildError where the function is missing, faults, or runs longer than `time_limit_s`.
        """
        entry = self.address_of(symbol)
        with self._marked([self.address_of(mark) for mark in marks]) as arrivals:
            self._set_counting(count)
            stack_pointer = self._pass_arguments([arg & _WORD for arg in args])
            self._run(symbol, entry, time_limit_s)
        painted = self.read(self._stack_bottom, stack_pointer - self._stack_bottom)
        stack_bytes = len(painted.lstrip(_PAINT))
        value = self._engine.reg_read(self._arguments[0])
        if not count:
            return CallResult(value, stack_bytes)
        blocks = self._blocks()
        instructions = sum(block.instructions * block.count for block in blocks.values())
        return CallResult(value, stack_bytes, instructions, blocks, _parts(entry, arrivals, blocks) if marks else ())

    def address_of(self, symbol: str) -> int:
        """Return where a function or variable is; raises BuildError for an unknown one."""
        if symbol not in self._addresses:
            hint = did_you_mean(symbol, self._addresses)
            raise BuildError(f"{self._name}: '{symbol}' is not in the program{hint}")
        return self._addresses[symbol]

    def read(self, address: int, n_bytes: int) -> bytes:
        """Return bytes of flash or RAM; raises BuildError outside of them."""
        self._check_range(address, n_bytes)
        return bytes(self._engine.mem_read(address, n_bytes))

    def write(self, address: int, data: bytes) -> None:
        """Overwrite bytes of RAM (or flash, as a debugger could); raises BuildError outside of them."""
        self._check_range(address, len(data))
        self._engine.mem_write(address, bytes(data))

    def lend(self, n_bytes: int) -> int:
        """The address of so many bytes that are no memory of the board: what a caller has elsewhere. Once."""
        first = (_RETURN_ADDRESS - _PAGE_BYTES - n_bytes) // _PAGE_BYTES * _PAGE_BYTES
        self._map(first, n_bytes, self._unicorn.UC_PROT_READ | self._unicorn.UC_PROT_WRITE)
        self._lent = (first, n_bytes)
        return first

    def _pass_arguments(self, words: list[int]) -> int:
        """Prepare registers and a painted stack for a call; return the stack pointer at entry."""
        stacked = b"".join(word.to_bytes(4, "little") for word in words[len(self._arguments) :])
        stack_pointer = (self._stack_top - len(stacked)) & -self._isa.stack_alignment
        self.write(self._stack_bottom, _PAINT * (stack_pointer - self._stack_bottom))
        self.write(stack_pointer, stacked)
        self._engine.context_restore(self._reset)
        for register, word in zip(self._arguments, words, strict=False):
            self._engine.reg_write(register, word)
        self._engine.reg_write(self._stack_pointer, stack_pointer)
        self._engine.reg_write(self._link, _RETURN_ADDRESS | self._isa.code_bit)
        return stack_pointer

    def _run(self, symbol: str, entry: int, time_limit_s: float) -> None:
        self._fault = None
        try:
            self._engine.emu_start(entry | self._isa.code_bit, _RETURN_ADDRESS, timeout=round(time_limit_s * 1e6))
        except self._unicorn.UcError as error:
            raise self._explain(symbol, error) from error
        stopped_at = self._engine.reg_read(self._program_counter)
        if stopped_at != _RETURN_ADDRESS:
            where = self._name_of(stopped_at)
            raise BuildError(f"{self._name}: {symbol} did not return within {time_limit_s} s; it was in {where}")

    def _load(self, elf: bytes) -> int:
        """Map the board's memory, copy the program into it and return how many bytes of flash it takes."""
        self._engine.hook_add(self._unicorn.UC_HOOK_MEM_INVALID, self._note_fault)
        memory = self._memory
        readable = self._unicorn.UC_PROT_READ
        self._map(memory.flash_address, memory.flash_bytes, readable | self._unicorn.UC_PROT_EXEC)
        for ram in memory.rams:
            self._map(ram.address, ram.size_bytes, readable | self._unicorn.UC_PROT_WRITE)
        # On RISC-V, Unicorn looks at the memory of the address where it is to stop.
        self._map(_RETURN_ADDRESS, _PAGE_BYTES, readable | self._unicorn.UC_PROT_EXEC)
        flash_bytes = 0
        for segment in ELFFile(io.BytesIO(elf)).iter_segments("PT_LOAD"):
            # To p_vaddr, where the program finds it: no startup code runs that would copy .data out of flash.
            if segment["p_filesz"] > 0:
                self.write(segment["p_vaddr"], segment.data())
            if segment["p_flags"] & P_FLAGS.PF_X:
                flash_bytes = segment["p_vaddr"] + segment["p_filesz"] - memory.flash_address
        return flash_bytes

    def _map(self, address: int, n_bytes: int, rights: int) -> None:
        first = address // _PAGE_BYTES * _PAGE_BYTES
        end = -(-(address + n_bytes) // _PAGE_BYTES) * _PAGE_BYTES
        self._engine.mem_map(first, end - first, rights)

    def _check_range(self, address: int, n_bytes: int) -> None:
        memory = self._memory
        for first, mapped_bytes in (
            (memory.flash_address, memory.flash_bytes),
            *((ram.address, ram.size_bytes) for ram in memory.rams),
            self._lent,
        ):
            if first <= address and address + n_bytes <= first + mapped_bytes:
                return
        raise BuildError(f"{self._name}: {n_bytes} bytes at {address:#010x} are not all in flash or in RAM")

    def _set_counting(self, count: bool) -> None:
        if count != self._is_counting:
            (self._counter.start if count else self._counter.stop)(self._engine)
        self._is_counting = count
        self._counter.clear()

    def _blocks(self) -> dict[int, Block]:
        return {
            address: Block(counted.block_bytes, self._instructions_in(address, counted.block_bytes), *counted[1:])
            for address, counted in self._counter.counts().items()
        }

    @contextmanager
    def _marked(self, addresses: Collection[int]) -> Iterator[list[tuple[int, dict[int, Block]]]]:
        """Note the address and the counts until then at each arrival at one of the addresses."""
        arrivals: list[tuple[int, dict[int, Block]]] = []
        last: list[tuple[int, int, int, int]] = []

        def note(engine: Any, address: int, block_bytes: int, data: object) -> None:
            # A loop back to a function's first instruction is no call: it is to return to the same place, where nothing
            # has run since, as it has where one instruction calls a function again.
            link = engine.reg_read(self._link)
            behind = self._counter.counts().get(link & ~1)
            call = (address, link, engine.reg_read(self._stack_pointer), behind.runs if behind else 0)
            if [call] != last:
                last[:] = [call]
                arrivals.append((address, self._blocks()))

        if addresses:
            # Hooks are called in the order in which they were set: these before the counter sees the block.
            self._set_counting(False)
        hooks = [self._engine.hook_add(self._unicorn.UC_HOOK_BLOCK, note, None, at, at) for at in addresses]
        try:
            yield arrivals
        finally:
            for hook in hooks:
                self._engine.hook_del(hook)
            if hooks:
                self._engine.ctl_flush_tb()

    def _instructions_in(self, address: int, block_bytes: int) -> int:
        if address not in self._instructions:
            self._instructions[address] = self._isa.count_instructions(self.read(address, block_bytes))
        return self._instructions[address]

    def _note_fault(self, engine: Any, access: int, address: int, n_bytes: int, value: int, data: object) -> bool:
        self._fault = (access, address, n_bytes)
        return False

    def _explain(self, symbol: str, error: Exception) -> BuildError:
        program_counter, stack_pointer, link = (
            self._engine.reg_read(register) for register in (self._program_counter, self._stack_pointer, self._link)
        )
        where = f"in {self._name_of(program_counter)}"
        if self._fault is None:
            return BuildError(f"{self._name}: {symbol} stops {where}: {error}")
        access, address, n_bytes = self._fault
        lowest = self._stack_bottom
        if stack_pointer < lowest or lowest - _PAGE_BYTES <= address < lowest:
            stack_bytes = self._stack_top - lowest
            does = f"needs more stack than the {stack_bytes:,} bytes it was built with"
        elif access in (self._unicorn.UC_MEM_FETCH_UNMAPPED, self._unicorn.UC_MEM_FETCH_PROT):
            does = f"jumps to {address:#010x} ({self._region(address)})"
            where = f"with the return address {self._name_of(link & ~1)}"
        else:
            is_write = access in (self._unicorn.UC_MEM_WRITE_UNMAPPED, self._unicorn.UC_MEM_WRITE_PROT)
            verb = "writes" if is_write else "reads"
            does = f"{verb} {n_bytes} bytes at {address:#010x} ({self._region(address)})"
        return BuildError(f"{self._name}: {symbol} {does}, {where}")

    def _region(self, address: int) -> str:
        memory = self._memory
        if memory.flash_address <= address < memory.flash_address + memory.flash_bytes:
            return "flash"
        for ram in memory.rams:
            if ram.address <= address < ram.end:
                return "RAM" if ram == memory.main else ram.name
        return "no memory"

    def _name_of(self, address: int) -> str:
        for function in self._functions:
            if function.address <= address < function.address + function.symbol_bytes:
                return f"{function.name}+{address - function.address:#x} ({address:#010x})"
        return f"{address:#010x}"


def _parts(
    entry: int, arrivals: Sequence[tuple[int, Mapping[int, Block]]], total: Mapping[int, Block]
) -> tuple[Part, ...]:
    """The differences between one arrival's counts and the next one's."""
    addresses = [entry, *(address for address, _ in arrivals)]
    states = [{}, *(blocks for _, blocks in arrivals), total]
    return tuple(
        Part(address, _difference(before, after))
        for address, (before, after) in zip(addresses, pairwise(states), strict=True)
    )


def _difference(before: Mapping[int, Block], after: Mapping[int, Block]) -> dict[int, Block]:
    none = Block(0, 0, 0)
    ran = {}
    for address, block in after.items():
        old = before.get(address, none)
        if (block.count, block.left) != (old.count, old.left):
            ran[address] = replace(block, count=block.count - old.count, left=block.left - old.left)
    return ran


def _import_unicorn(isa: UnicornIsa) -> tuple[Any, Any]:
    """Return Unicorn and its constants for the instruction set, both untyped: its annotations are incomplete."""
    try:
        return importlib.import_module("unicorn"), importlib.import_module(isa.constants)
    except ImportError as error:
        raise BuildError("the emulator needs Unicorn; pip install 'mcuq[emulator]'") from error


def _new_engine(unicorn: Any, constants: Any, isa: UnicornIsa, model: str) -> Any:
    number = getattr(constants, isa.cpu_prefix + model.upper().replace("-", "_"), None)
    if number is None:
        raise BoardError(f"unicorn_model = '{model}' is not a CPU of Unicorn {unicorn.__version__}")
    modes = sum(getattr(unicorn, name) for name in isa.modes)
    engine = unicorn.Uc(getattr(unicorn, isa.architecture), modes)
    engine.ctl_set_cpu_model(number)
    return engine
