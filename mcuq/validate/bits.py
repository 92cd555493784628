"""The emitted C against the simulator: every byte of every output, on the host or an emulated CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.build.host_program import HostModel, build_host
from mcuq.build.pieces import pieces_sources
from mcuq.compile import CompiledModel
from mcuq.dataset import Dataset
from mcuq.dataset.sequences import Sequences
from mcuq.emulate.emulator import Emulator
from mcuq.emulate.emulators import emulator_for
from mcuq.errors import BoardError, did_you_mean
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import quantize_inputs
from mcuq.graph.states import RESET
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import differing_bytes, join_samples, join_tensors, split_tensors

BATCH = 64

Inputs = Mapping[str, Array]


@dataclass(frozen=True)
class Mismatch:
    """The first element that differs: where, what the simulator says and what the C said; an int or a float32."""

    sample: int
    output: str
    index: int
    want: float
    got: float

    def __str__(self) -> str:
        return f"sample {self.sample}, output '{self.output}', element {self.index}: want {self.want}, got {self.got}"


@dataclass(frozen=True)
class BitsReport:
    """What a run showed.

    `mismatches` counts output bytes, `exact_samples` the samples without any. `instructions` and `stack_bytes`
    are those of the first sample, None on the host; `cycles` is None until the CPU has a timing model that was
    held against hardware.
    """

    on: str
    compiler: str
    samples: int
    exact_samples: int
    compared_bytes: int
    mismatches: int
    first_mismatch: Mismatch | None
    instructions: int | None
    cycles: int | None
    stack_bytes: int | None

    @property
    def bit_exact(self) -> bool:
        """Whether every byte was equal, of at least one sample."""
        return self.samples > 0 and self.mismatches == 0


@dataclass
class _Tally:
    compared_bytes: int = 0
    mismatches: int = 0
    first: Mismatch | None = None

    def compare(self, sample: int, name: str, want: Array, got: Array) -> bool:
        """Whether all bytes are equal."""
        different = differing_bytes(want, got)
        count = int(np.count_nonzero(different))
        self.compared_bytes += different.size
        self.mismatches += count
        if count and self.first is None:
            index = int(np.argmax(different.any(axis=1)))
            self.first = Mismatch(sample, name, index, want.reshape(-1)[index].item(), got.reshape(-1)[index].item())
        return not count


def check_bits(
    model: CompiledModel,
    batches: Iterator[Inputs],
    on: str | None = None,
    observe: Callable[[int, Mapping[str, Array]], None] = lambda sample, outputs: None,
    tick: Callable[[], None] = lambda: None,
) -> BitsReport:
    """Build the model's C, run input batches (samples, *shape) of the graph's dtypes and compare with the simulator.

    `on` is "host" or "emulator" (default: emulator where the board has one). `observe(sample, outputs)` sees what
    the C gave, `tick` is called after each sample. Raises BuildError or BoardError where it cannot be run.
    """
    on = on or (EMULATOR if model.board.cpu.is_emulated else HOST)
    if on not in TARGETS:
        raise BoardError(f"on '{on}': is not known; use {' or '.join(map(repr, TARGETS))}{did_you_mean(on, TARGETS)}")
    runner = TARGETS[on].start(model)
    tally = _Tally()
    done = exact = 0
    try:
        calls = model.calls()
        for batch in batches:
            expected = calls.run(batch)
            known = {**batch, **expected}
            given = {name: known[name] for name in model.wire.inputs}
            for i, outputs in enumerate(runner.run(given, _all_wrong(model.wire, expected))):
                equal = [tally.compare(done, name, expected[name][i], got) for name, got in outputs.items()]
                exact += all(equal)
                observe(done, outputs)
                done += 1
                tick()
    finally:
        runner.close()
    return BitsReport(
        on=on,
        compiler=runner.compiler,
        samples=done,
        exact_samples=exact,
        compared_bytes=tally.compared_bytes,
        mismatches=tally.mismatches,
        first_mismatch=tally.first,
        instructions=runner.instructions,
        cycles=None,
        stack_bytes=runner.stack_bytes,
    )


def integer_batches(graph: Graph, dataset: Dataset | Sequences) -> Iterator[Inputs]:
    """A data set as batches (samples, *shape) of the dtypes of the model's inputs, as check_bits and the simulator take
    them."""
    return (quantize_inputs(graph, batch) for batch in dataset.batches(BATCH))


def probe_inputs(graph: Graph) -> dict[str, Array]:
    """Made-up inputs (8, *shape), always the same: both extremes throughout, and random ones.

    Those of float32 inputs are up to 8 in magnitude. With states they are calls of two streams.
    """
    rng = np.random.default_rng(0)
    probes = {}
    for name in graph.given_inputs:
        tensor = graph.tensors[name]
        shape = (8, *tensor.shape)
        if tensor.quant is None:
            low, high = -8, 8
            probes[name] = rng.uniform(low, high, shape).astype(np.float32)
        else:
            low, high = tensor.quant.bounds
            probes[name] = rng.integers(low, high + 1, shape).astype(tensor.dtype)
        probes[name][0], probes[name][1] = low, high
    if graph.states:
        probes[RESET] = np.isin(np.arange(8), (0, 5)).astype(np.int8)
    return probes


class _Host:
    """The C on this computer, under AddressSanitizer and UBSan."""

    instructions: int | None = None
    stack_bytes: int | None = None

    def __init__(self, model: CompiledModel) -> None:
        self._model, self._graph = model, model.wire
        ports = self._graph.inputs, self._graph.outputs
        inputs, outputs = (tuple(self._graph.tensors[n].size_bytes for n in names) for names in ports)
        pieces = pieces_sources(model)
        arenas = tuple(f"{model.array_of(part).upper()}_BYTES" for part in model.listing.arenas)
        host = HostModel(model.name, inputs, outputs, model.start, bool(pieces), arenas)
        self._program = build_host({**model.sources, **pieces}, host)
        self.compiler = self._program.compiler

    def run(self, batch: Inputs, before: Sequence[bytes]) -> Iterator[dict[str, Array]]:
        samples = join_samples(self._model.as_given(batch), self._graph)
        for answer in self._program.run(samples, before=before):
            yield split_tensors(answer, self._graph, self._graph.outputs)

    def close(self) -> None:
        self._program.close()


def _all_wrong(graph: Graph, expected: Mapping[str, Array]) -> list[bytes]:
    """For each sample what outputs hold before it: no byte is right, so that none that the C leaves alone passes."""
    count = len(next(iter(expected.values())))
    right = [join_tensors({name: expected[name][i] for name in graph.outputs}, graph.outputs) for i in range(count)]
    return [bytes(byte ^ 0xFF for byte in data) for data in right]


def _emulated(model: CompiledModel) -> Emulator:
    """The C on the board's emulated CPU."""
    emulator = emulator_for(model.board)
    if emulator is None:
        raise BoardError(f"board '{model.board.name}' has no emulator; use --on host")
    return emulator(model)


@dataclass(frozen=True)
class Target:
    """Where the C can be run, and what that is called for a model."""

    start: Callable[[CompiledModel], _Host | Emulator]
    called: Callable[[CompiledModel], str]


HOST, EMULATOR = "host", "emulator"
TARGETS: Mapping[str, Target] = {
    HOST: Target(_Host, lambda model: "this computer"),
    EMULATOR: Target(_emulated, lambda model: f"emulated {model.board.name}"),
}
