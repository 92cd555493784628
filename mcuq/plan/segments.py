"""Segments: stretches of layers that run row by row, chosen so that the arena is small and the work about as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from math import prod
from typing import TypeAlias

from mcuq.graph.liveness import Storage, aligned, live_bytes
from mcuq.graph.operator import Layer
from mcuq.graph.rows import OWN_ROW, Band, RowWindow
from mcuq.kernels.kernel import Call
from mcuq.kernels.overwriting import common_bytes
from mcuq.kernels.portable.fold import fold_call
from mcuq.lower import Program, Step
from mcuq.lower.bands import band_call
from mcuq.plan.estimates import all_instructions, call_instructions
from mcuq.plan.push import GIVEN, Pushed
from mcuq.plan.schedule import Schedule, Stage, schedule
from mcuq.plan.work import A_CALL, Work, blocks, fours, is_of_channels_alone, taps_again, work_of

# Rows at a time that are tried: of stages whose rows take much, and of the others; with every next one more memory.
ROWS = (1, 2, 4)
BANDS = tuple((wide, other) for wide in ROWS for other in ROWS if wide <= other)
STATE_BYTES = 4  # of each tensor of a segment: which row it holds first, and how many were made
MOST_ROWS = 2**15 - 1  # which the C counts in 16 bits
MOST_CHOICES = 8  # that are laid out
MOST_ALONE = 4  # of one segment, of those
LONGEST = 16  # layers of a segment
# More than a kernel of sums of products takes one that is not the layer's own, as a part of its instructions: of
# depthwise rows on Cortex-M55 that are too few for it, two to five.
OTHER_KERNEL = 5.0
LITTLE = 0.0025  # of the work, where time is worth more than memory
EVERYTHING = 1e9  # times the work: as much as it takes
LONGEST_PUSHED = 48  # of the one that takes rows of the input: it is looked for from one layer on alone


@dataclass(frozen=True, eq=False)
class Segment:
    """Steps `first` to `last` of a program, which run row by row along dimension `axis`: `calls` make their bands,
    of tensors `names`, those of the stages' inputs from elsewhere first. `more` is about how many instructions it takes
    beyond those of whole layers. Where its first stage, of no steps, takes rows from the caller, it `is_pushed`, and
    what it holds stays from one call to the next."""

    first: int
    last: int
    axis: int
    stages: tuple[Stage, ...]
    calls: tuple[Call, ...]
    schedule: Schedule
    row_bytes: Mapping[str, int]
    heights: Mapping[str, int]
    more: float

    @property
    def is_pushed(self) -> bool:
        """Whether the caller gives rows of its input."""
        return GIVEN in self.heights

    @property
    def parts(self) -> list[range]:
        """The steps of each stage."""
        ends = accumulate((stage.steps for stage in self.stages), initial=self.first)
        return [range(first, end) for first, end in pairwise(ends)]

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors of which it reads or makes rows."""
        return tuple(self.heights)

    @property
    def whole(self) -> list[str]:
        """Those of which all rows are held."""
        return [name for name in self.names if name not in self.ring_bytes and name != GIVEN]

    @property
    def ring_bytes(self) -> Mapping[str, int]:
        """What rings take."""
        return {ring.tensor: ring.rows * self.row_bytes[ring.tensor] for ring in self.schedule.rings}

    @property
    def sums_bytes(self) -> Mapping[str, int]:
        """What layers that fold hold between rows, by their outputs."""
        parts = zip(self.stages, self.parts, strict=True)
        return {s.output: self.calls[part[0] - self.first].scratch_bytes for s, part in parts if s.folds}

    @property
    def scratch_bytes(self) -> int:
        """What kernels share."""
        parts = zip(self.stages, self.parts, strict=True)
        own = [self.calls[step - self.first] for stage, part in parts if not stage.folds for step in part]
        return max((call.scratch_bytes for call in own), default=0)

    @property
    def state_bytes(self) -> int:
        """What it knows of its tensors while it runs."""
        return STATE_BYTES * len(self.heights)

    def holds(self, step: int) -> bool:
        """Whether the step is one of its."""
        return self.first <= step <= self.last


def row_axis(layer: Layer) -> int | None:
    """The dimension of a layer's images along which rows lie one behind the other; None where it makes none."""
    y = layer.output
    if layer.op.is_view or len(y.shape) != 4 or len(layer.activations) not in (1, 2):
        return None
    for axis in (1, 2):
        is_pitched = layer.op.row_pitch(layer, axis) is not None
        images = (y,) if is_pitched else layer.activations
        if all(prod(t.shape[:axis]) == 1 < t.shape[axis] for t in images) and prod(y.shape[:axis]) == 1:
            windows = _windows(layer, axis)
            return axis if windows and _takes_constants(layer, axis) else None
    return None


def _windows(layer: Layer, axis: int) -> tuple[RowWindow, ...] | None:
    """Of the computed inputs; None where any row is made of more than a window, or inputs differ in theirs."""
    indices = [i for i, t in enumerate(layer.inputs) if not t.is_constant]
    windows = [layer.op.row_window(layer, i, axis) for i in indices]
    found = tuple(window for window in windows if window is not None)
    return found if len(found) == len(windows) and len(set(found)) == 1 else None


def _takes_constants(layer: Layer, axis: int) -> bool:
    """Whether constants are those of any row."""
    return not layer.op.is_elementwise or all(
        len(t.shape) == 4 and t.shape[axis] == 1 for t in layer.inputs if t.is_constant
    )


# Of a step that makes so many rows along a dimension by a window: how many at a time it may make.
MostRows = Callable[[Step, int, RowWindow, int], int]
# Rows at a time of stages whose rows take much, and of the others.
Bands: TypeAlias = tuple[int, int]


class Finder:
    """Segments of one program for a CPU with the given features, each found once; of bands that are no larger than
    `most_rows`, and all as large unless they may be `uneven`: then the last is what is left."""

    def __init__(
        self,
        program: Program,
        features: Set[str],
        pushed: Pushed | None = None,
        most_rows: MostRows = lambda step, axis, window, rows: rows,
        uneven: bool = False,
    ) -> None:
        self.pushed = pushed
        self._most_rows = most_rows
        self._uneven = uneven
        self._program = program
        self._features = features
        self.work = work_of(features)
        self._folds: dict[int, Call] = {}
        self._axes: list[int | None] = []
        for index, step in enumerate(program.steps):
            axis = row_axis(step.layer) if len(step.calls) == 1 else None
            before = self._axes[-1] if self._axes else None
            folded = None if before is None else fold_call(step.layer, before)
            if folded is not None:
                axis, self._folds[index] = before, folded
            self._axes.append(axis)
        self._readers: dict[str, list[int]] = {}
        for index, step in enumerate(program.steps):
            for t in step.layer.activations:
                self._readers.setdefault(t.name, []).append(index)
        self._calls: dict[tuple[int, int, tuple[Band, ...]], Call | None] = {}
        self._found: dict[tuple[int, int, Bands, int], Segment | None] = {}

    @cached_property
    def all_work(self) -> float:
        """That of the program's layers."""
        return all_instructions(self._program, self._features)

    def is_joined(self, first: int, last: int) -> bool:
        """Whether each of the layers reads what one before it makes or reads too."""
        seen: set[str] = set()
        for step in self._program.steps[first : last + 1]:
            read = {t.name for t in step.layer.activations}
            if seen and seen.isdisjoint(read):
                return False
            seen |= read | {step.layer.output.name}
        return True

    def stretches(self) -> Iterator[tuple[int, int]]:
        """First and last steps of stretches whose layers all make rows along one dimension."""
        first = None
        for index, axis in enumerate([*self._axes, None]):
            if first is not None and axis != self._axes[first]:
                yield first, index - 1
                first = None
            if first is None and axis is not None and index not in self._folds:
                first = index
            if index in self._folds and first is not None:
                yield first, index
                first = None

    def rows(self, index: int) -> int:
        """How many rows a step makes, or takes where it folds; 0 where it makes none."""
        axis, layer = self._axes[index], self._program.steps[index].layer
        if axis is None:
            return 0
        return (layer.inputs[0] if index in self._folds else layer.output).shape[axis]

    @property
    def found(self) -> list[Segment]:
        """All that were asked for and are there."""
        return [segment for segment in self._found.values() if segment is not None]

    def whole_layer(self, first: int, last: int) -> Layer | None:
        """The first of the layers that does not run row by row with the first one."""
        found = (i for i in range(first, last + 1) if self._axes[i] is None or self._axes[i] != self._axes[first])
        return next((self._program.steps[i].layer for i in found), None)

    def segment(self, first: int, last: int, bands: Bands, most_bytes: int) -> Segment | None:
        """Steps `first` to `last` by bands of up to so many rows; None where there is none, its rings alone take more
        than `most_bytes`, or the rows of all stages take alike and `bands` differ."""
        key = (first, last, bands, most_bytes)
        if key not in self._found:
            self._found[key] = self._segment(first, last, bands, most_bytes)
        return self._found[key]

    def _segment(self, first: int, last: int, most_rows: Bands, most_bytes: int) -> Segment | None:
        axis = self._axes[first]
        assert axis is not None
        read = [_row_bytes(step.layer, axis) for step in self._program.steps[first : last + 1]]
        are_wide = [2 * own >= max(read) for own in read]
        if all(are_wide) and most_rows[0] != most_rows[1]:
            return None
        stages = self._stages(first, last, axis, [most_rows[not is_wide] for is_wide in are_wide])
        if stages is None:
            return None
        layers = [step.layer for step in self._program.steps[first : last + 1]]
        pushed = self.pushed if self.pushed is not None and self.pushed.first == first else None
        tensors = {t.name: t for layer in layers for t in (*layer.activations, layer.output)}
        if pushed is not None:
            tensors[GIVEN] = tensors[pushed.tensor]
            rows = tensors[pushed.tensor].shape[axis]
            stages.insert(0, Stage((GIVEN,), (OWN_ROW,), pushed.tensor, rows, 1, steps=0))
        made = [stage.output for stage in stages]
        names = dict.fromkeys(x for stage in stages for x in stage.inputs if x not in made) | dict.fromkeys(made)
        kept = [name for name in made if self._is_read_later(name, last)]
        pitches = {layer.activations[0].name: layer for layer in layers if layer.op.row_pitch(layer, axis) is not None}
        heights, row_bytes = {}, {}
        for name in names:
            tensor = tensors[name]
            if name in pitches:
                if name in made or self._readers[name] != [first + layers.index(pitches[name])]:
                    return None
                pitch = pitches[name].op.row_pitch(pitches[name], axis) or 0
                heights[name] = pitches[name].output.shape[axis]
                row_bytes[name] = pitch * tensor.size_bytes // tensor.elements
            else:
                heights[name] = tensor.shape[axis]
                row_bytes[name] = tensor.size_bytes // heights[name]
        counts = [n for stage in stages for w in stage.windows for n in (stage.out_rows, w.extent, w.stride, w.begin)]
        if max(*counts, *heights.values()) > MOST_ROWS:
            return None
        for stage in stages:
            if stage.folds:
                heights[stage.output], row_bytes[stage.output] = stage.out_rows, tensors[stage.output].size_bytes
        found = schedule(stages, heights, row_bytes, kept, most_bytes, None if pushed is None else GIVEN)
        if found is None:
            return None
        calls = []
        more = 0.0
        step = first
        for index, stage in enumerate(stages):
            bands = found.bands(index)
            for _ in range(stage.steps):
                call = self._call(step, axis, bands)
                if call is None:
                    return None
                calls.append(call)
                own = self._program.steps[step]
                if call.constants.template != own.calls[0].constants.template:
                    by_call, whole = (call_instructions(c, own.layer, self._features) for c in (call, own.calls[0]))
                    more += OTHER_KERNEL * whole if own.layer.op.macs(own.layer) else max(0, by_call - whole)
                step += 1
            if stage.steps:
                own = self._program.steps[step - stage.steps]
                whole = call_instructions(own.calls[0], own.layer, self._features)
                more += _more(own, whole, axis, stage.windows[0], bands, self.work)
            else:  # rows are copied, and after each of them all layers are asked
                more += stage.out_rows * (self.work.move * row_bytes[stage.output] + A_CALL * len(stages) / 2)
        for ring in found.rings:
            again = max(0, ring.window.extent - ring.window.stride) * row_bytes[ring.tensor]
            writes = len(found.bands(next(i for i, s in enumerate(stages) if s.output == ring.tensor)))
            more += self.work.move * again * writes
        return Segment(first, last, axis, tuple(stages), tuple(calls), found, row_bytes, heights, more)

    def _stages(self, first: int, last: int, axis: int, most_rows: Sequence[int]) -> list[Stage] | None:
        """The layers, by bands of up to `most_rows` of each, those that work in place joined to the one before; None
        where one needs the whole of what another makes."""
        stages: list[Stage] = []
        made: set[str] = set()
        for index in range(first, last + 1):
            layer = self._program.steps[index].layer
            if layer.op.row_pitch(layer, axis) is not None and layer.activations[0].name in made:
                return None
            made.add(layer.output.name)
            windows = (OWN_ROW,) if index in self._folds else _windows(layer, axis)
            assert windows is not None
            rows = self.rows(index)
            most = min(most_rows[index - first], self._most_rows(self._program.steps[index], axis, windows[0], rows))
            own = most if self._uneven else max(b for b in range(1, most + 1) if rows % b == 0)
            stage = Stage(tuple(t.name for t in layer.activations), windows, layer.output.name, rows, own)
            stage = replace(stage, folds=index in self._folds)
            others = self._others(index) if index > first and not stages[-1].folds else None
            if others is not None and len(stages[-1].inputs) + len(others) <= 2:
                before = stages.pop()
                inputs, more = (*before.inputs, *others), (OWN_ROW,) * len(others)
                stage = replace(
                    before,
                    inputs=inputs,
                    windows=before.windows + more,
                    output=stage.output,
                    steps=before.steps + 1,
                )
            stages.append(stage)
        return stages

    def _others(self, index: int) -> tuple[str, ...] | None:
        """What else a layer reads that may write over the rows of the one before it, as nobody reads them later; None
        for one that may not."""
        before, layer = (self._program.steps[i].layer for i in (index - 1, index))
        x = before.output
        places = [i for i in layer.op.in_place(layer) if layer.inputs[i].name == x.name]
        is_alone = self._readers.get(x.name) == [index] and x.name not in self._program.graph.outputs
        if not places or not is_alone or x.size_bytes != layer.output.size_bytes:
            return None
        return tuple(t.name for t in layer.activations if t.name != x.name)

    def _call(self, step: int, axis: int, bands: Sequence[Band]) -> Call | None:
        if step in self._folds:
            return self._folds[step]
        kinds = tuple(dict.fromkeys(bands))
        layer = self._program.steps[step].layer
        if layer.op.is_elementwise or layer.op.row_pitch(layer, axis) is not None:
            kinds = tuple(dict.fromkeys(Band(band.out_rows, band.out_rows, 0, 0) for band in bands))
        key = (step, axis, kinds)
        if key not in self._calls:
            self._calls[key] = band_call(layer, axis, kinds, self._features | self._program.steps[step].asks)
        return self._calls[key]

    def _is_read_later(self, name: str, last: int) -> bool:
        return name in self._program.graph.outputs or any(index > last for index in self._readers.get(name, ()))


def _row_bytes(layer: Layer, axis: int) -> int:
    """What one more row of a layer's output at a time takes, of it or of those that it reads for it."""
    x, y = layer.activations[0], layer.output
    return max(x.size_bytes, y.size_bytes) // y.shape[axis] if y.shape[axis] > 1 else x.size_bytes // x.shape[axis]


def _more(step: Step, whole: int, axis: int, window: RowWindow, bands: Sequence[Band], work: Work) -> float:
    """About the instructions that bands of a layer take beyond those of the `whole`."""
    layer = step.layer
    x, y = layer.activations[0], layer.output
    more = A_CALL * len(bands)
    rows = y.shape[axis]
    if is_of_channels_alone(layer):
        # Kernels may read the whole band by band too, along either dimension.
        numbers = step.calls[0].constants.numbers()
        along = {"x_row_step": prod(x.shape[axis + 1 :]), "out_height": rows}
        own = -(-rows // numbers["band_rows"]) if along.items() <= numbers.items() else 1
        read = sum(band.in_rows for band in bands)
        again = max(0, read - x.shape[axis] - (own - 1) * max(0, window.extent - window.stride))
        more += taps_again(layer, work) * len(bands) + fours(layer) * work.fours * max(0, len(bands) - own)
        return more + again * (work.row * fours(layer) + work.again * (x.size_bytes // x.shape[axis]))
    if not layer.op.macs(layer):  # no kernel that makes several pixels at a time
        return more
    pixels = y.elements // y.shape[-1]
    if layer.op.macs(layer) > y.elements * x.shape[-1]:
        work = replace(work, left=max(work.left, work.window_left))
    made = sum(blocks(pixels // rows * band.out_rows, work) for band in bands)
    return more + whole * (made / blocks(pixels, work) - 1)


def choose(
    program: Program, storages: Sequence[Storage], finder: Finder, most: float, shares: bool = True
) -> list[tuple[Segment, ...]]:
    """Choices of segments that take at most `most` times the work more, those with which the fewest bytes live at one
    time first, none of any segment where rows save nothing.

    Where the finder has an input that is pushed, the first segment of each choice reads it, and `storages` have no
    bytes for it. What layers take whose outputs must lie at one place below their inputs depends on what else does:
    `shares` says that they do lie there, and what is behind them takes no more for it.
    """
    lives = _Lives(program, storages, shares)
    found = [f.segments for f in _front(program, lives, finder, most, most / 8)]
    if len(found) > MOST_CHOICES:
        found = [*found[: MOST_CHOICES - 2], found[len(found) // 2], found[-1]]
    alone = _alone(lives, finder, most) if found and finder.pushed is None else []
    return [*found, *(choice for choice in alone if choice not in found)]


def _alone(lives: _Lives, finder: Finder, most: float) -> list[tuple[Segment, ...]]:
    """Choices of one segment, the smallest first: what lies on both sides of where two meet may not fit together as
    well as the bytes of each say."""
    found = []
    for segment in finder.found:
        if segment.more <= most * finder.all_work:
            peak_bytes = max(lives.segment_bytes(segment), lives.most_outside(segment))
            found.append(_Found(peak_bytes, segment.more, (segment,)))
    return [f.segments for f in _undominated(found)[:MOST_ALONE]]


def trade_offs(program: Program, storages: Sequence[Storage], finder: Finder) -> list[tuple[Segment, ...]]:
    """Choices of segments of which none takes less memory and as little work, the least work first, however much."""
    found: dict[tuple[tuple[int, tuple[Stage, ...]], ...], _Found] = {}
    both = [_Lives(program, storages, shares) for shares in (True, False)]
    for little in (LITTLE, EVERYTHING):
        for lives in both:
            for f in _front(program, lives, finder, EVERYTHING, little):
                found[tuple((segment.first, segment.stages) for segment in f.segments)] = f
    return [f.segments for f in sorted(found.values(), key=lambda f: f.more)]


def _front(program: Program, lives: _Lives, finder: Finder, most: float, little: float) -> list[_Found]:
    """Of choices that take at most `most` times the work more those of which none takes less memory and as little work,
    the least memory first. Where a segment takes `little` more work at most it is not tried by more rows at a time."""
    steps = len(program.steps)
    work = finder.all_work
    best: list[list[_Found]] = [[_Found(0, 0.0, ())]]
    stretch_of = {i: (a, b) for a, b in finder.stretches() for i in range(a, b + 1)}
    pushed = finder.pushed
    bound = max((lives.step_bytes(i) for i in range(steps)), default=0) if pushed is None else _ANY
    # No segment saves anything where none of its layers takes more than what the caller gives or is given.
    least = lives.callers_bytes()
    done: set[int] = set()
    last_hot = -1
    for end in range(steps):
        if lives.step_bytes(end) > least:
            last_hot = end
        if pushed is None or end > pushed.last:
            options = [f.followed(lives.step_bytes(end), None) for f in best[end]]
            options = [f for f in options if f.peak_bytes < bound or not f.segments]
        else:
            options = best[end] if end < pushed.first else []
        first_of_stretch, _ = stretch_of.get(end, (end + 1, end))
        firsts = [*range(max(first_of_stretch, end - LONGEST + 1), last_hot + 1)]
        if pushed is not None:
            firsts = [first for first in firsts if first > pushed.first] if end > pushed.last else []
            if max(first_of_stretch, end - LONGEST_PUSHED + 1) <= pushed.first and pushed.last <= end:
                firsts.insert(0, pushed.first)
        for first in firsts:
            if not finder.is_joined(first, end):
                continue
            room = bound - lives.passing(first, end)
            for band in BANDS if room > 0 and best[first] and first not in done else ():
                segment = finder.segment(first, end, band, room)
                if segment is None:
                    continue
                size_bytes = lives.segment_bytes(segment)
                if size_bytes >= bound:
                    break
                options += [f.followed(size_bytes, segment) for f in best[first]]
                if segment.more <= little * work:  # more rows at a time would save little, and take more memory
                    if size_bytes <= least:
                        done.add(first)  # nor would more layers save anything
                    break
        best.append(_undominated([f for f in options if f.more <= most * work]))
    return [f for f in best[-1] if f.segments]


_ANY = 2**40  # more bytes than anything takes


@dataclass(frozen=True, eq=False)
class _Found:
    peak_bytes: int
    more: float
    segments: tuple[Segment, ...]

    def followed(self, size_bytes: int, segment: Segment | None) -> _Found:
        own = () if segment is None else (segment,)
        more = 0.0 if segment is None else segment.more
        return _Found(max(self.peak_bytes, size_bytes), self.more + more, (*self.segments, *own))


def _undominated(found: Sequence[_Found]) -> list[_Found]:
    """Those of which none takes less memory and as little work."""
    kept: list[_Found] = []
    for own in sorted(found, key=lambda f: (f.peak_bytes, f.more)):
        if not kept or own.more < kept[-1].more:
            kept.append(own)
    return kept


class _Lives:
    """Bytes that live during a step or a segment, scratch included."""

    def __init__(self, program: Program, storages: Sequence[Storage], shares: bool) -> None:
        self._shares = shares
        self._storages = storages
        self._of = {name: s for s in storages for name in s.tensors}
        self._program = program
        self._sizes = {name: t.size_bytes for name, t in program.graph.tensors.items()}
        live = live_bytes(s.life for s in storages)
        self._steps = [self._step_bytes(index, live[index]) for index in range(len(program.steps))]
        # The most of any step before each, and from each on.
        self._before = list(accumulate(self._steps, max, initial=0))
        self._behind = list(accumulate(reversed(self._steps), max, initial=0))[::-1]

    def callers_bytes(self) -> int:
        """The most that the caller gives or is given in one tensor."""
        return max(s.size_bytes for s in self._storages if s.first < 0 or s.last == len(self._steps))

    def most_outside(self, segment: Segment) -> int:
        """The most of any step that is none of the segment's."""
        return max(self._before[segment.first], self._behind[segment.last + 1])

    def passing(self, first: int, last: int) -> int:
        """Of storages that live before the steps and behind them."""
        return sum(aligned(s.size_bytes) for s in self._storages if s.first < first and s.last > last)

    def step_bytes(self, index: int) -> int:
        """Of a step that makes its whole output."""
        return self._steps[index]

    def _step_bytes(self, index: int, live: int) -> int:
        step = self._program.steps[index]
        lies_over = step.below is not None and (self._shares or not step.below.exactly)
        return live + aligned(step.scratch_bytes) - (step.saved_bytes(self._of, index) if lies_over else 0)

    def segment_bytes(self, segment: Segment) -> int:
        """Of a segment: what it reads and makes whole, rings, scratch and state."""
        whole = segment.whole
        made = {stage.output for stage in segment.stages}
        inputs = [name for name in whole if name not in made]
        outputs = [name for name in whole if name in made]
        dead = [name for name in inputs if self._of[name].last <= segment.last]
        total = self.passing(segment.first, segment.last) + sum(aligned(self._of[name].size_bytes) for name in dead)
        total += sum(aligned(self._sizes[name]) for name in outputs)
        if len(dead) == len(outputs) == 1:
            distance = segment.schedule.distances[outputs[0], dead[0]]
            total -= common_bytes(self._of[dead[0]].size_bytes, self._sizes[outputs[0]], distance)
        held = (*segment.ring_bytes.values(), *segment.sums_bytes.values())
        total += sum(aligned(size_bytes) for size_bytes in held)
        return total + aligned(segment.scratch_bytes) + aligned(segment.state_bytes)
