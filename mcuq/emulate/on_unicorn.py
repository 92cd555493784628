"""Compiled models on Unicorn (unicorn_cpu.py): in this process, a call an inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

from mcuq.build.pieces import IN_PIECES, pieces_sources
from mcuq.build.target import Built
from mcuq.compile import CompiledModel
from mcuq.emulate.emulator import Emulator, Trace, build_for_target, trace_of
from mcuq.emulate.unicorn_cpu import UnicornCpu
from mcuq.graph.states import BEFORE
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import bytes_of, split_tensors
from mcuq.system.parallel import in_parallel


class OnUnicorn(Emulator):
    """A model whose inputs and outputs are written and read where its arena has them."""

    key: ClassVar[str] = "unicorn_model"

    def __init__(self, model: CompiledModel) -> None:
        self._model, self._graph = model, model.wire
        self._entry = f"{model.name}_run"
        self._first = model.calls().state if model.graph.states else None
        sources = {} if model.graph.states else pieces_sources(model)
        self._in_pieces = bool(sources)
        built = build_for_target(model, {**model.sources, **sources}, [IN_PIECES] if sources else [])
        self.compiler = built.compiler
        self._cpu = _started(model, built.elf)
        self._address = _addresses(model, self._cpu)
        self._pointers = [self._address[name] for name in _arguments(model)]
        self._arenas = [(self._cpu.address_of(model.array_of(part)), part.size_bytes) for part in model.arenas]

    def run(self, batch: Mapping[str, Array], before: Sequence[bytes]) -> Iterator[dict[str, Array]]:
        batch = self._model.as_given(batch)
        for i, held in enumerate(before):
            for address, n_bytes in self._arenas:
                self._cpu.write(address, (b"\xa5", b"\x5a")[i % 2] * n_bytes)
            for name, value in split_tensors(held, self._graph, self._graph.outputs).items():
                self._cpu.write(self._address[name], value.tobytes())
            for name in self._graph.inputs:  # last: they may lie where outputs do
                self._cpu.write(self._address[name], batch[name][i].tobytes())
            if self._first is not None and (batch[BEFORE][i] == self._first).all():
                self._cpu.write(self._address[BEFORE], bytes(len(self._first)))
                self._cpu.call(f"{self._model.name}_reset")
            is_first = self.instructions is None
            if is_first or not self._in_pieces:
                result = self._cpu.call(self._entry, *self._pointers, count=is_first)
            else:
                self._cpu.call(IN_PIECES, i, *(address for address, _ in self._arenas), *self._pointers)
            if is_first:
                self.instructions, self.stack_bytes = result.instructions, result.stack_bytes
            yield {name: self._read(name) for name in self._graph.outputs}

    def _read(self, name: str) -> Array:
        data = self._cpu.read(self._address[name], bytes_of([name], self._graph))
        return split_tensors(data, self._graph, [name])[name]

    @staticmethod
    def traces(
        model: CompiledModel, apart_files: Mapping[str, str], marks: Sequence[str], sample: Mapping[str, bytes]
    ) -> tuple[Built, Trace, Trace]:
        # Compilers are most of the time that a profile takes.
        plain, apart = in_parallel(*(partial(build_for_target, model, files) for files in (model.sources, apart_files)))
        return plain, _trace(model, plain.elf, (), sample), _trace(model, apart.elf, marks, sample)


def _started(model: CompiledModel, elf: bytes) -> UnicornCpu:
    """The CPU with the program, whose model has its weights."""
    cpu = UnicornCpu(elf, model.board)
    if model.start:
        assert cpu.call(model.start).value == 0, "the C refuses weights that are its own"
    return cpu


def _addresses(model: CompiledModel, cpu: UnicornCpu) -> dict[str, int]:
    """Where inputs and outputs lie: an input that comes row by row where the board has no memory."""
    pushed = {model.graph.inputs[0]: cpu.lend(bytes_of(model.graph.inputs, model.graph))} if model.is_pushed else {}
    return {**pushed, **{tensor: cpu.call(accessor).value for tensor, accessor in model.accessors.items()}}


def _arguments(model: CompiledModel) -> tuple[str, ...]:
    """The inputs and outputs that ID_run takes."""
    return (*model.graph.given_inputs, *model.graph.given_outputs)


def _trace(model: CompiledModel, elf: bytes, marks: Sequence[str], sample: Mapping[str, bytes]) -> Trace:
    cpu = _started(model, elf)
    address = _addresses(model, cpu)
    for name, data in sample.items():
        cpu.write(address[name], data)
    pointers = [address[name] for name in _arguments(model)]
    return trace_of(cpu.call(f"{model.name}_run", *pointers, count=True, marks=marks), elf, cpu.read)
