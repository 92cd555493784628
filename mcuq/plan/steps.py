"""An inference by steps: its units of work, and long layers cut into bands so that none takes long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from math import ceil

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer
from mcuq.graph.rows import OWN_ROW, Band, RowWindow
from mcuq.graph.tensor import Tensor
from mcuq.kernels.kernel import Call
from mcuq.lower import Program, Step, Stepped
from mcuq.plan.estimates import CYCLES, band_instructions, call_instructions
from mcuq.plan.segments import ROWS, Finder, Segment
from mcuq.plan.work import A_CALL, work_of

STATE_BYTES = 8  # what is left of an inference, and its next unit
MOST_CYCLES = 2**31 - 1  # of an inference, which the C counts in 32 bits
_ANY_BYTES = 2**40  # more than rings of one layer take, which are none


@dataclass(frozen=True)
class Unit:
    """A call of a layer, or one band of a stage of a segment, which an inference makes `count` times, about `cycles`
    each; `layer` is its (last) layer's name."""

    layer: str
    cycles: int
    count: int = 1


@dataclass(frozen=True)
class Steps:
    """The units of a program in order, where in the arena it is held which is next, and whether they are counted in
    cycles; in instructions else."""

    units: tuple[Unit, ...]
    state: int
    in_cycles: bool
    asked: Stepped

    @property
    def count(self) -> int:
        """How many an inference makes."""
        return sum(unit.count for unit in self.units)

    @property
    def total_cycles(self) -> int:
        """Of an inference."""
        return sum(unit.cycles * unit.count for unit in self.units)

    @property
    def unit(self) -> str:
        """What is counted."""
        return "cycles" if self.in_cycles else "instructions"

    @property
    def longest(self) -> Unit:
        """The one that takes most."""
        return max(self.units, key=lambda unit: unit.cycles)

    @property
    def too_long(self) -> tuple[Unit, ...]:
        """Those that take more than was asked for, and could not be cut."""
        longest = self.asked.longest
        return () if longest is None else tuple(unit for unit in self.units if unit.cycles > longest)


class Stepper:
    """Finds steps of programs for a CPU with these features, whose core may have known cycles."""

    def __init__(self, features: Set[str], core: str, asked: Stepped) -> None:
        self._features = features
        self._asked = asked
        self._cycles = CYCLES.get(core)
        self._cuts: dict[Step, Segment | None] = {}
        self._layers: dict[Segment, Layer] = {}  # of cuts, as their rows are

    def most_rows(self, step: Step, axis: int, window: RowWindow, rows: int) -> int:
        """How many of a layer's `rows`, of ROWS, a band that is not too long may have; one where any is."""
        longest = self._asked.longest
        if longest is None:
            return max(ROWS)
        for band in reversed(ROWS):
            if rows % band == 0:
                call, inner = step.calls[0], _inner(window, band)
                taken = band_instructions(call, step.layer, axis, window, inner, self._features)
                if self._in_cycles(taken) <= longest:
                    return band
        return 1

    def with_cuts(self, program: Program, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        """The segments, and one for each long layer outside of them that can be cut, in order; where functions are
        shared by layers of different sizes, none is."""
        longest = self._asked.longest
        if longest is None or program.goal == "size":
            return tuple(segments)
        cuts = []
        for index, step in enumerate(program.steps):
            if len(step.calls) != 1 or any(segment.holds(index) for segment in segments):
                continue
            if self._in_cycles(call_instructions(step.calls[0], step.layer, self._features)) > longest:
                if step not in self._cuts:
                    self._cuts[step] = self._cut(program, index, longest)
                cut = self._cuts[step]
                cuts += [] if cut is None else [cut]
        return tuple(sorted((*segments, *cuts), key=lambda segment: segment.first))

    def steps(self, program: Program, segments: Sequence[Segment], state: int) -> Steps:
        """Of a program whose segments' calls make bands. Raises ModelError where it takes longer than the C counts."""
        segment_at = {segment.first: segment for segment in segments}
        units: list[Unit] = []
        index = 0
        while index < len(program.steps):
            segment = segment_at.get(index)
            if segment is not None:
                units += self._bands(program, segment)
                index = segment.last + 1
                continue
            layer = program.steps[index].layer
            each = (call_instructions(call, layer, self._features) for call in program.steps[index].calls)
            units += [Unit(layer.name, self._in_cycles(instructions)) for instructions in each]
            index += 1
        found = Steps(tuple(units), state, self._cycles is not None, self._asked)
        if found.total_cycles > MOST_CYCLES:
            raise ModelError(
                f"model '{program.graph.name}': --step: an inference takes about {found.total_cycles:,} {found.unit}, "
                f"and steps count {MOST_CYCLES:,} at most; compile it without --step"
            )
        return found

    def _cut(self, program: Program, index: int, longest: int) -> Segment | None:
        """The layer by as many rows at a time as take no longer, or else by those that take the least; None where it
        makes none, or would take twice as long in all. Of a layer that makes each pixel of its own pixel alone, these
        are the rows."""
        step = program.steps[index]
        best, least = None, self._in_cycles(call_instructions(step.calls[0], step.layer, self._features))
        for layer in (_of_pixels(step.layer), step.layer):
            steps = list(program.steps)
            steps[index] = replace(step, layer=layer)
            finder = Finder(replace(program, steps=tuple(steps)), self._features, uneven=True)
            for cut in self._by_rows(finder, index, step.calls[0], layer, longest):
                self._layers[cut] = layer
                (unit,) = self._bands(program, cut)
                if unit.cycles < least:
                    best, least = cut, unit.cycles
                if least <= longest:
                    return best
        return best

    def _by_rows(self, finder: Finder, index: int, call: Call, layer: Layer, longest: int) -> Iterator[Segment]:
        """The layer by fewer and fewer rows at a time, from where they may take no longer."""
        whole = call_instructions(call, layer, self._features)
        rows = finder.rows(index)
        bands = {_least_idle(layer, -(-rows // n), self._features) for n in range(2, rows + 1)}
        for band in sorted(bands, reverse=True):
            if band > 1 and self._in_cycles(ceil(whole * band / rows)) > longest:
                continue
            segment = finder.segment(index, index, (band, band), _ANY_BYTES)
            if segment is not None and segment.more <= whole:
                yield segment

    def _bands(self, program: Program, segment: Segment) -> list[Unit]:
        """Of each stage of a segment, as long as its largest band."""
        units = []
        rings = {ring.tensor: ring for ring in segment.schedule.rings}
        for number, (stage, part) in enumerate(zip(segment.stages, segment.parts, strict=True)):
            bands = segment.schedule.bands(number)
            band = max(bands, key=lambda band: (band.out_rows, band.in_rows))
            instructions = 0
            for index in part:
                call, layer = segment.calls[index - segment.first], program.steps[index].layer
                layer = self._layers.get(segment, layer)
                if stage.folds:
                    whole = call_instructions(call, layer, self._features)
                    instructions += ceil(A_CALL + whole * band.out_rows / stage.out_rows)
                else:
                    instructions += band_instructions(call, layer, segment.axis, stage.windows[0], band, self._features)
            if stage.output in rings:
                window = rings[stage.output].window
                again = max(0, window.extent - window.stride) * segment.row_bytes[stage.output]
                instructions += ceil(work_of(self._features).move * again)
            units.append(Unit(program.steps[part[-1]].layer.name, self._in_cycles(instructions), len(bands)))
        return units

    def _in_cycles(self, instructions: int) -> int:
        return ceil(instructions * (self._cycles or 1))


def _inner(window: RowWindow, rows: int) -> Band:
    """A band of so many rows with no padding."""
    return Band((rows - 1) * window.stride + window.extent, rows, 0, 0)


def _of_pixels(layer: Layer) -> Layer:
    """The same on images of one column, where each pixel of the output is made of its own pixel of the inputs alone;
    else the layer as it is."""
    images = (*layer.activations, layer.output)
    is_image = all(len(t.shape) == 4 and t.shape[0] == 1 for t in images)
    own = [layer.op.row_window(layer, i, axis) for i in range(len(layer.activations)) for axis in (1, 2) if is_image]
    constants = [t for t in layer.inputs if t.is_constant] if layer.op.is_elementwise else []
    if not own or any(window != OWN_ROW for window in own) or any(t.elements > t.shape[-1] for t in constants):
        return layer

    def column(tensor: Tensor) -> Tensor:
        if tensor.is_constant:
            return tensor
        return replace(tensor, shape=(1, tensor.shape[1] * tensor.shape[2], 1, tensor.shape[3]))

    return replace(layer, inputs=tuple(column(t) for t in layer.inputs), output=column(layer.output))


def _least_idle(layer: Layer, rows: int, features: Set[str]) -> int:
    """So many rows, or a few less where these are of one pixel and kernels make several at a time."""
    pixels = work_of(features).pixels
    is_column = layer.output.shape[2] == 1
    return rows - rows % pixels if is_column and rows >= pixels else rows
