"""A device against the simulator: every byte of every output, and where a difference begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from statistics import median_low

import numpy as np

from mcuq.compile import CompiledModel
from mcuq.described import Described
from mcuq.device.exchange import StatusError
from mcuq.device.messages import Ability, DeviceInfo, Paint, Role, SelfTest, Status
from mcuq.device.session import LEAST_INFERENCE_S, Session
from mcuq.emit.listing import Listing
from mcuq.errors import DeviceError
from mcuq.graph.tensor_bytes import split_tensors
from mcuq.validate.bits import Mismatch
from mcuq.validate.expected import Expected, Sample
from mcuq.validate.layer_by_layer import LayerMismatch, first_wrong_layer

# Several times what the portable kernels take on the slowest core. Where one takes longer all the same, its request is
# repeated too early, which does no harm.
MOST_CYCLES_PER_MAC = 200
RESTARTS = 4


@dataclass(frozen=True)
class LayerCycles:
    """Cycles of one layer in the last inference."""

    name: str
    op: str
    cycles: int


@dataclass(frozen=True, repr=False)
class DeviceReport(Described):
    """What a device showed.

    `mismatches` counts output bytes, `exact_samples` the samples without any. `first_layer` is None where nothing
    differs, or where the difference did not come again. Cycles are of one inference, None where the device counts
    none; those of an emulated board are its time. `stack_bytes` and `arena_bytes` are high-water marks.
    `sent_bytes` and `received_bytes` are on the wire, an inference, in the mean. `repeats` counts requests that were
    sent again, `starts` how often the device was reset meanwhile.
    """

    port: str
    board: str
    build: str
    samples: int
    exact_samples: int
    compared_bytes: int
    mismatches: int
    first_mismatch: Mismatch | None
    first_layer: LayerMismatch | None
    weights_intact: bool
    cycles: int | None
    cycles_min: int | None
    cycles_max: int | None
    layers: tuple[LayerCycles, ...]
    clock_hz: int
    emulated: bool
    stack_bytes: int
    arena_bytes: int
    sent_bytes: float
    received_bytes: float
    repeats: int
    starts: int

    @property
    def bit_exact(self) -> bool:
        """Whether every byte was equal, of at least one sample."""
        return self.samples > 0 and self.mismatches == 0

    def described(self) -> tuple[str, dict[str, str]]:
        """For `repr` and notebooks."""
        facts = {"board": self.board, "port": self.port, "samples": f"{self.samples:,}"}
        facts["bit-exact"] = "yes" if self.bit_exact else "NO"
        if self.cycles is not None:
            facts["cycles"] = f"{self.cycles:,}"
        return "DeviceReport", facts


def validate_device(
    model: CompiledModel,
    session: Session,
    samples: Expected,
    mend: str,
    tick: Callable[[], None] = lambda: None,
) -> DeviceReport:
    """Run all samples on the device and compare every output byte; `tick` after each sample.

    Of a device with several models, the one with the build's digest is meant. `mend` is the command that flashes this
    model. Raises DeviceError for a device with another model or other
    constants, for one that runs its loader or fails its self-test, and where the device does not answer.
    """
    listing = model.checked_listing()
    info = session.choose(listing.digest)
    if model.board.flashing is None:
        mend = f"{mend} --board {info.board}"
    # An emulated port opens a second late, and what was on the line before is nobody's fault.
    repeats = session.traffic.repeats
    _check_model(model, info, session.link.name, mend)
    _check_self_test(session, mend)
    if not _weights_intact(session, listing):
        raise DeviceError(
            f"{session.link.name}: the model's constants in the device's memory are not those of {model.name}.c; "
            f"flash it again: {mend}"
        )
    if info.clock_hz:
        session.inference_s = max(LEAST_INFERENCE_S, MOST_CYCLES_PER_MAC * model.macs / info.clock_hz)
    arena_bytes = _arena_high_water(session, samples)
    found = _compare_all(session, samples, tick)
    cycles = found.cycles if info.abilities & Ability.COUNTS_CYCLES else []
    layer_cycles, stack_bytes = _layer_cycles_and_stack(session, samples, bool(cycles))
    first = wrong = None
    intact = _weights_intact(session, listing)
    if found.first is not None:
        number, index, sample, got = found.first
        first = _mismatch(model, number, index, sample.outputs, got)
        wrong = first_wrong_layer(model, session, sample.inputs)
    return DeviceReport(
        port=session.link.name,
        board=info.board,
        build=info.build,
        samples=found.samples,
        exact_samples=found.exact_samples,
        compared_bytes=found.compared_bytes,
        mismatches=found.mismatches,
        first_mismatch=first,
        first_layer=wrong,
        weights_intact=intact,
        cycles=median_low(cycles) if cycles else None,
        cycles_min=min(cycles, default=None),
        cycles_max=max(cycles, default=None),
        layers=tuple(
            LayerCycles(layer.name, type(layer.op).__name__, n)
            for (layer, _), n in zip(model.coded_layers, layer_cycles, strict=False)
        ),
        clock_hz=info.clock_hz,
        emulated=bool(info.abilities & Ability.EMULATED),
        stack_bytes=stack_bytes,
        arena_bytes=arena_bytes,
        sent_bytes=found.sent_bytes / max(found.samples, 1),
        received_bytes=found.received_bytes / max(found.samples, 1),
        repeats=session.traffic.repeats - repeats,
        starts=session.traffic.starts,
    )


def _check_model(model: CompiledModel, info: DeviceInfo, port: str, mend: str) -> None:
    if info.role == Role.LOADER:
        raise DeviceError(f"{port}: the device is in its loader and runs no model; flash it: {mend}")
    if info.digest != model.listing.digest:
        others = f" and {info.models - 1} other{'s' * (info.models > 2)}" if info.models > 1 else ""
        raise DeviceError(
            f"{port}: device runs model '{info.model}' {info.digest:08x}{others}, this build is '{model.name}' "
            f"{model.listing.digest:08x}; flash it: {mend}"
        )
    if info.layers != len(model.listing.layers):
        raise DeviceError(
            f"{port}: device counts {info.layers} layers, this build has {len(model.listing.layers)}; flash it: {mend}"
        )


def _check_self_test(session: Session, mend: str) -> None:
    """Cycles that stand still spoil no result: HELLO says so, and no cycles are reported."""
    failed = int(session.self_test()) & ~int(SelfTest.CYCLE_COUNTER)
    if failed:
        known = {check.value: check.name for check in SelfTest}
        names = ", ".join(known.get(1 << bit) or f"bit {bit}" for bit in range(32) if failed >> bit & 1)
        raise DeviceError(
            f"{session.link.name}: the device's self-test failed: {names}; its firmware is damaged, or the chip; "
            f"flash it again: {mend}"
        )


def _weights_intact(session: Session, listing: Listing) -> bool:
    held = session.checksum()
    return (held.crc, held.n_bytes) == (listing.constants_crc, sum(listing.arrays.values()))


def _arena_high_water(session: Session, samples: Expected) -> int:
    """The arena up to the last byte that the first sample changes: under one paint, or under its inverse."""
    first = next(iter(samples), None)
    if first is None:
        return 0
    return max(_changed_bytes(session, first.inputs, paint) for paint in (Paint.A5, Paint.INVERSE))


def _changed_bytes(session: Session, inputs: bytes, paint: Paint) -> int:
    for _ in range(RESTARTS):
        starts = session.traffic.starts
        session.marks(paint)
        list(session.infer_all([inputs]))
        marks = session.marks()
        if session.traffic.starts == starts:  # a reset takes the paint away
            return marks.arena_bytes
    raise DeviceError(f"{session.link.name}: the device was reset {RESTARTS} times in a row; check its supply")


def _layer_cycles_and_stack(session: Session, samples: Expected, has_cycles: bool) -> tuple[tuple[int, ...], int]:
    """Of the runs since the device started; it runs the first sample again where a reset has taken them away."""
    for _ in range(RESTARTS):
        starts = session.traffic.starts
        try:
            layer_cycles = session.layer_cycles() if has_cycles else ()
            stack_bytes = session.marks().stack_bytes
            if session.traffic.starts == starts:
                return layer_cycles, stack_bytes
        except StatusError as error:
            if error.status != Status.NO_RESULT:
                raise
        list(session.infer_all([sample.inputs for sample in islice(samples, 1)]))
    raise DeviceError(f"{session.link.name}: the device was reset {RESTARTS} times in a row; check its supply")


@dataclass
class _Found:
    """What all samples together have shown."""

    samples: int = 0
    exact_samples: int = 0
    compared_bytes: int = 0
    mismatches: int = 0
    cycles: list[int] = field(default_factory=list)
    sent_bytes: int = 0
    received_bytes: int = 0
    first: tuple[int, int, Sample, bytes] | None = None  # number of the sample, byte that differs, sample, its answer

    def compare(self, sample: Sample, outputs: bytes) -> None:
        different = np.flatnonzero(np.frombuffer(sample.outputs, np.uint8) != np.frombuffer(outputs, np.uint8))
        if different.size and self.first is None:
            self.first = (self.samples, int(different[0]), sample, outputs)
        self.samples += 1
        self.exact_samples += not different.size
        self.compared_bytes += len(outputs)
        self.mismatches += int(different.size)


def _compare_all(session: Session, samples: Expected, tick: Callable[[], None]) -> _Found:
    found = _Found()
    asked: deque[Sample] = deque()

    def inputs() -> Iterator[bytes]:
        for sample in samples:
            asked.append(sample)
            yield sample.inputs

    answers = session.infer_all(inputs())
    sent, received = session.traffic.bytes_written, session.traffic.bytes_read
    for inferred in answers:
        found.compare(asked.popleft(), inferred.outputs)
        found.cycles.append(inferred.cycles)
        tick()
    found.sent_bytes = session.traffic.bytes_written - sent
    found.received_bytes = session.traffic.bytes_read - received
    return found


def _mismatch(model: CompiledModel, number: int, index: int, want: bytes, got: bytes) -> Mismatch:
    """The byte `index` of all outputs, as an element of one of them."""
    graph = model.wire
    wanted, gotten = (split_tensors(data, graph, graph.outputs) for data in (want, got))
    for name in graph.outputs:
        tensor = graph.tensors[name]
        if index < tensor.size_bytes:
            element = index * tensor.elements // tensor.size_bytes
            values = (array[name].reshape(-1)[element].item() for array in (wanted, gotten))
            return Mismatch(number, name, element, *values)
        index -= tensor.size_bytes
    raise AssertionError("the index lies behind all outputs")
