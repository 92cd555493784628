"""What an emulator is to `run` and `profile`: the interface of the classes beside this module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mcuq.boards.facts import Board
from mcuq.build.arena_sections import arena_sections
from mcuq.build.elf import Symbol, read_symbols
from mcuq.build.target import Built, build_target
from mcuq.compile import CompiledModel
from mcuq.emulate.cycles import BlockCycles
from mcuq.emulate.qemu_cpu import QemuResult
from mcuq.emulate.unicorn_cpu import Block, CallResult, Part
from mcuq.graph.tensor import Array
from mcuq.plan.fit import STACK_BYTES


@dataclass(frozen=True)
class Trace:
    """A counted inference of one build: what an emulator tells of it, and how to read its code."""

    symbols: Mapping[str, Symbol]
    instructions: int
    blocks: Mapping[int, Block]
    parts: tuple[Part, ...]
    stack_bytes: int
    read: Callable[[int, int], bytes]  # (address, bytes)
    timed: dict[tuple[int, int], BlockCycles] = field(default_factory=dict)  # (address, bytes): parts share most blocks


class Emulator(ABC):
    """A compiled model's C on its board's emulated CPU, with inputs and outputs in its own arena.

    `instructions` and `stack_bytes` are those of the first sample.
    """

    # The key of a board file's [cpu] that says what the emulator calls the CPU; where it is missing it has none.
    key: ClassVar[str]
    compiler: str
    instructions: int | None = None
    stack_bytes: int | None = None

    @abstractmethod
    def __init__(self, model: CompiledModel) -> None:
        """Build the model for its board. Raises BuildError where a compiler or the emulator is missing."""

    @abstractmethod
    def run(self, batch: Mapping[str, Array], before: Sequence[bytes]) -> Iterator[dict[str, Array]]:
        """Outputs by name for each sample of inputs (samples, *shape); `before` is what all outputs of each hold then,
        one after the other."""

    def close(self) -> None:  # noqa: B027 (most have nothing that outlives the object)
        """End what the object started."""

    @staticmethod
    @abstractmethod
    def traces(
        model: CompiledModel, apart_files: Mapping[str, str], marks: Sequence[str], sample: Mapping[str, bytes]
    ) -> tuple[Built, Trace, Trace]:
        """(the build of the model's files, its trace, the trace of `apart_files` divided at each call of a function in
        `marks`), each of one inference of a sample: the bytes of each input."""


def has_cpu(emulator: type[Emulator], board: Board) -> bool:
    """Whether the emulator has the board's CPU."""
    return getattr(board.cpu, emulator.key) is not None


def build_for_target(model: CompiledModel, files: Mapping[str, str], keep: Sequence[str] = ()) -> Built:
    """The model's C, or what was made of it, for its board, with the functions that give addresses, and others to be
    kept."""
    names = [*dict.fromkeys(model.accessors.values()), *([model.start] if model.start else []), *keep]
    names += [f"{model.name}_reset"] if model.graph.states else []
    return build_target(
        files,
        f"{model.name}_run",
        names,
        model.board,
        stack_bytes=STACK_BYTES,
        arenas=arena_sections(model, model.board),
    )


def trace_of(result: CallResult | QemuResult, elf: bytes, read: Callable[[int, int], bytes]) -> Trace:
    """What a counted run of a program tells."""
    assert result.instructions is not None
    assert result.blocks is not None
    symbols = {symbol.name: symbol for symbol in read_symbols(elf)}
    return Trace(symbols, result.instructions, result.blocks, result.parts, result.stack_bytes, read)
