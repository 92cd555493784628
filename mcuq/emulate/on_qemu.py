"""Compiled models on QEMU (qemu_cpu.py): a program of its own, started once for each batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

from mcuq.build.arena_sections import arena_sections, symbol_of
from mcuq.build.pieces import pieces_sources
from mcuq.build.target import Built
from mcuq.compile import CompiledModel
from mcuq.emulate.emulator import Emulator, Trace, build_for_target, trace_of
from mcuq.emulate.qemu_cpu import ROWS, QemuModel, QemuProgram
from mcuq.graph.states import STATE
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import join_samples, split_tensors
from mcuq.plan.fit import STACK_BYTES
from mcuq.system.parallel import in_parallel


class OnQemu(Emulator):
    """A model whose samples and answers pass through files."""

    key: ClassVar[str] = "qemu_machine"

    def __init__(self, model: CompiledModel) -> None:
        self._model, self._graph = model, model.wire
        pieces = {} if model.graph.states else pieces_sources(model)
        self._program = _program(model, {**model.sources, **pieces}, bool(pieces))
        self.compiler = self._program.compiler

    def run(self, batch: Mapping[str, Array], before: Sequence[bytes]) -> Iterator[dict[str, Array]]:
        is_first = self.instructions is None
        samples = join_samples(self._model.as_given(batch), self._graph)
        result = self._program.run(samples, count=is_first, before=before)
        if is_first:
            self.instructions, self.stack_bytes = result.instructions, result.stack_bytes
        for answer in result.answers:
            yield split_tensors(answer, self._graph, self._graph.outputs)

    @staticmethod
    def traces(
        model: CompiledModel, apart_files: Mapping[str, str], marks: Sequence[str], sample: Mapping[str, bytes]
    ) -> tuple[Built, Trace, Trace]:
        """The build is one of its own, without the code that starts QEMU's machine."""
        programs = (partial(_program, model, files) for files in (model.sources, apart_files))
        built, plain, apart = in_parallel(partial(build_for_target, model, model.sources), *programs)
        joined = b"".join(sample[name] for name in model.wire.inputs)
        return built, _trace(plain, (), joined), _trace(apart, marks, joined)


def _program(model: CompiledModel, files: Mapping[str, str], in_pieces: bool = False) -> QemuProgram:
    graph, names = model.wire, model.accessors
    inputs, outputs = (
        {names.get(n, ROWS): graph.tensors[n].size_bytes for n in side} for side in (graph.inputs, graph.outputs)
    )
    state = names[STATE] if model.graph.states else ""
    arenas = tuple((symbol_of(p.memory), f"{model.array_of(p).upper()}_BYTES") for p in model.listing.arenas)
    named = QemuModel(model.name, inputs, outputs, model.start, in_pieces, arenas, state)
    return QemuProgram(files, named, model.board, STACK_BYTES, arena_sections(model, model.board))


def _trace(program: QemuProgram, marks: Sequence[str], sample: bytes) -> Trace:
    return trace_of(program.run([sample], count=True, marks=marks), program.elf, program.read)
