"""Where the memory of each tensor and of each layer lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain
from math import inf

from mcuq.graph.ir import Graph
from mcuq.graph.liveness import NOWHERE, Storage, aligned, storages_of
from mcuq.lower import Goal, Program, Solver
from mcuq.plan.accesses import accesses
from mcuq.plan.arena_part import ArenaPart, Room, part_at
from mcuq.plan.blocks import Extent, Over
from mcuq.plan.estimates import all_instructions
from mcuq.plan.flash import flash_of, is_worth_flash
from mcuq.plan.kept import kept_storages
from mcuq.plan.layout import Block, Layout, lay_out, lay_out_quickly
from mcuq.plan.push import Pushed, find_pushed, refused, without_taken
from mcuq.plan.segments import LONGEST_PUSHED, MOST_ROWS, Finder, Segment, choose, trade_offs
from mcuq.plan.split import SplitLayout, split
from mcuq.plan.steps import STATE_BYTES, Stepper, Steps

# How much more work than whole layers take rows may cost, as a part of it.
MOST_MORE = 0.02
_MOST_MORE = {"speed": 0.0, "ram": 0.6}
MOST_SEARCHED = 8  # ways that are laid out by a search, of those that may fit
MOST_SEARCHED_AGAIN = 4  # beside the one that seems the smallest
MOST_TRIED = 16  # layers whose parts may lie in one another, one by one
MOST_MORE_PUSHED = 0.12  # where the input is never whole, which is asked for as memory is short


@dataclass(frozen=True, eq=False)
class PlacedSegment:
    """A segment, and where its rings, the sums of layers that fold, by their outputs, and its state lie."""

    segment: Segment
    rings: Mapping[str, int]
    sums: Mapping[str, int]
    state: int


@dataclass(frozen=True)
class Plan:
    """`storages` hold the graph's inputs, outputs and intermediates, but for those of which `segments` hold a few rows;
    `scratch` is the offset of each step's working memory, for steps that have any. All in bytes from the start of the
    arena. No plan for these steps in this order takes fewer bytes than `least_bytes`. The input that is `pushed` has no
    storage: the first segment takes its rows. Storages of states that lie in the caller's state are `kept`, with
    offsets there; an output of a state that is in none of them is to be copied there in the end. `parts` are those of
    an arena that lies in several memories, or in another than the board's main one. An inference that goes by `steps`
    has those of all calls.
    """

    arena_bytes: int
    storages: tuple[Storage, ...]
    scratch: Mapping[int, int]
    least_bytes: int
    segments: tuple[PlacedSegment, ...] = ()
    pushed: Pushed | None = None
    parts: tuple[ArenaPart, ...] = ()
    steps: Steps | None = None
    kept: tuple[Storage, ...] = ()

    @property
    def by_rows(self) -> set[int]:
        """The numbers of the steps that run row by row."""
        return _steps([own.segment for own in self.segments])

    @property
    def arenas(self) -> tuple[ArenaPart, ...]:
        """The parts of the arena; one where it is not split."""
        return self.parts or (ArenaPart("", 0, self.arena_bytes),)

    def place_of(self, offset: int) -> tuple[str, int]:
        """The array in which a place of the arena lies, and where in it."""
        part = part_at(self.arenas, offset)
        return part.pointer, offset - part.start

    def text_of(self, offset: int) -> str:
        """The place in C."""
        array, within = self.place_of(offset)
        return f"{array} + {within}"

    @property
    def more(self) -> float:
        """About the instructions that rows take beyond those of whole layers."""
        return sum(placed.segment.more for placed in self.segments)

    def storage_of(self, tensor: str) -> Storage:
        """The storage that holds the tensor."""
        return self._storages_by_tensor[tensor]

    def is_whole(self, tensor: str) -> bool:
        """Whether all of the tensor is held at a time."""
        return tensor in self._storages_by_tensor

    def offset_of(self, tensor: str) -> int:
        """Where the tensor lies, in bytes from the start of the arena."""
        return self.storage_of(tensor).offset_of(tensor)

    @cached_property
    def _storages_by_tensor(self) -> dict[str, Storage]:
        return {name: s for s in self.storages for name in s.tensors}


def plan_rows(
    program: Program, features: Set[str], stepper: Stepper | None = None, room_bytes: float = inf
) -> tuple[Program, Plan]:
    """The program with layers that run row by row where that takes less memory, for about as much work as its goal
    allows, and without copies of what is made or read in its place, and its plan. Where functions are shared by layers
    of different sizes, none makes bands of rows but those that a `stepper` cuts. What rows take of flash is to be worth
    it, unless the goal is memory, or whole layers have no room in `room_bytes`."""
    best = _least_way(program, features, stepper, room_bytes)
    return best.program, best.plan()


def _least_way(program: Program, features: Set[str], stepper: Stepper | None, room_bytes: float = inf) -> _Way:
    finder = _finder(program, features, stepper)
    most = _most_more(program, finder.all_work)
    joins = _joins(program)
    ways = [way for joined in joins for way in _ways(program, (), joined, stepper=stepper)]
    if program.goal == "size":
        return _smallest(ways, program.goal)
    whole_bytes = min(way.quick_bytes for way in ways)
    asks_flash = program.goal != "ram" and whole_bytes <= room_bytes
    flash_bytes = flash_of(program)
    for joined in joins:
        storages = _storages(program, joined=joined)
        # Of ways that take as little the first counts: one of little work.
        for allowed in dict.fromkeys((min(most, MOST_MORE), most)):
            for shares in (True, False):
                for segments in choose(program, storages, finder, allowed, shares):
                    by_rows = banded(program, segments)
                    own = _ways(by_rows, segments, joined, stepper=stepper)
                    saved_bytes = whole_bytes - min(way.quick_bytes for way in own)
                    more_bytes = flash_of(by_rows, segments) - flash_bytes if asks_flash else 0
                    if is_worth_flash(more_bytes, flash_bytes, saved_bytes):
                        ways += own
    return _smallest(ways, program.goal)


def _smallest(ways: Sequence[_Way], goal: Goal) -> _Way:
    """The way that takes the least: the one that does at first sight, or one of those that might take less, where a
    search finds that it does. For speed the first of them."""
    best = min(ways, key=lambda way: way.cost)
    if goal == "speed":
        return best
    size_bytes = best.plan().arena_bytes
    for way in sorted(ways, key=lambda way: (way.least_bytes, way.copies))[:MOST_SEARCHED_AGAIN]:
        if way.least_bytes < size_bytes:
            found_bytes = way.plan().arena_bytes
            if found_bytes < size_bytes:
                best, size_bytes = way, found_bytes
    return _with_less_work(best, ways, size_bytes)


def _with_less_work(best: _Way, ways: Sequence[_Way], size_bytes: int) -> _Way:
    """The way, or one that takes no more bytes and copies, but less work of rows: at first sight it took more bytes."""
    others = [way for way in ways if way.more < best.more and way.least_bytes <= size_bytes]
    for way in sorted(others, key=lambda way: way.more)[:MOST_SEARCHED_AGAIN]:
        if way.copies <= best.copies and way.plan().arena_bytes <= size_bytes:
            return way
    return best


def may_take(program: Program, features: Set[str], push: bool = False) -> bool:
    """Whether kernels of little scratch leave of the work that the goal allows, that of rows too."""
    at_most = MOST_MORE_PUSHED if push else 0.0
    return not program.more or _most_more(program, all_instructions(program, features), at_most) >= 0


def _most_more(program: Program, work: float, at_most: float = 0.0) -> float:
    """How much more than `work` rows may cost, as a part of it, where the goal or `at_most` says so: the rest of it."""
    allowed = max(at_most, _MOST_MORE.get(program.goal, MOST_MORE))
    return allowed - program.more / work


def _finder(program: Program, features: Set[str], stepper: Stepper | None) -> Finder:
    return Finder(program, features) if stepper is None else Finder(program, features, most_rows=stepper.most_rows)


def _joins(program: Program) -> list[frozenset[int]]:
    """Choices of the layers whose parts are to lie in one another: none, and where there are such layers, all, and all
    that save memory, as far as is seen one by one."""
    every = frozenset(i for i, step in enumerate(program.steps) if step.calls and step.layer.op.parts(step.layer))
    if not every:
        return [every]
    chosen = every
    bytes_of = {joined: min(way.cost for way in _ways(program, (), joined)) for joined in (frozenset[int](), every)}
    for i in sorted(every) if len(every) <= MOST_TRIED else ():
        without = chosen - {i}
        if without not in bytes_of:
            bytes_of[without] = min(way.cost for way in _ways(program, (), without))
        if bytes_of[without] < bytes_of[chosen]:
            chosen = without
    return list(dict.fromkeys((frozenset[int](), every, chosen)))


def plan_within(
    program: Program, features: Set[str], most_bytes: int, push: bool = False, stepper: Stepper | None = None
) -> tuple[Program, Plan]:
    """The program and its plan with the least work of rows, as far as that can be told beforehand, of those whose arena
    takes at most `most_bytes`; the smallest that is found where none does. Which layers run row by row is then for the
    bound alone to say, whatever the goal; where functions are shared by layers of different sizes, none does, but for
    those that take the rows of an input that is to `push`. Raises ModelError where none can."""
    ways = _ways_by_work(program, features, push, stepper)
    searched: dict[int, Plan] = {}

    def plan_of(index: int) -> Plan:
        if index not in searched:
            searched[index] = ways[index].plan()
        return searched[index]

    for index, way in enumerate(ways):
        may_fit = way.least_bytes <= most_bytes and len(searched) < MOST_SEARCHED
        if (may_fit or way.quick_bytes <= most_bytes) and plan_of(index).arena_bytes <= most_bytes:
            return way.program, plan_of(index)
    order = sorted(range(len(ways)), key=lambda index: (ways[index].least_bytes, index))
    smallest = order[0]
    for index in order[:MOST_SEARCHED]:
        if ways[index].least_bytes < plan_of(smallest).arena_bytes > plan_of(index).arena_bytes:
            smallest = index
    return ways[smallest].program, plan_of(smallest)


def _ways_by_work(program: Program, features: Set[str], push: bool, stepper: Stepper | None) -> list[_Way]:
    """All ways to run row by row or not, those first that take the least work."""
    if push:
        by_rows = _ByRows(program, features)
        return [way for segments in by_rows.trade_offs() for way in by_rows.ways(segments)]
    joins = _joins(program)
    ways = _by_speed(program, (), joins, stepper=stepper)
    if program.goal != "size":
        finder = _finder(program, features, stepper)
        for segments in trade_offs(program, storages_of(program.graph), finder):
            ways += _by_speed(banded(program, segments), segments, joins, stepper=stepper)
    return ways


def plan_split(
    program: Program,
    features: Set[str],
    rooms: Sequence[Room],
    push: bool = False,
    most_bytes: int | None = None,
    stepper: Stepper | None = None,
) -> tuple[Program, Plan] | None:
    """The program and its plan with an arena whose parts fit into `rooms`, and all of it into `most_bytes`: the ways
    that `plan_rows` or `plan_pushed` would take, or else those with the least work of rows for which parts are found;
    None where that is no way. Raises ModelError where the input is to be pushed and cannot."""
    first = _least_pushed_way(program, features) if push else _least_way(program, features, stepper)
    bound = sum(room.size_bytes for room in rooms)
    bound = bound if most_bytes is None else min(bound, most_bytes)
    for way in chain([first], _to_be_split(program, features, push, bound, stepper)):
        plan = way.split_plan(rooms)
        if plan is not None and plan.arena_bytes <= bound:
            return way.program, plan
    return None


def _to_be_split(
    program: Program, features: Set[str], push: bool, most_bytes: int, stepper: Stepper | None
) -> Iterator[_Way]:
    """The ways that may fit: those with the least work, and the smallest of the others."""
    ways = [way for way in _ways_by_work(program, features, push, stepper) if way.least_bytes <= most_bytes]
    yield from ways[:MOST_SEARCHED]
    yield from sorted(ways[MOST_SEARCHED:], key=lambda way: way.least_bytes)[:MOST_SEARCHED]


def _by_speed(
    program: Program,
    segments: Sequence[Segment],
    joins: Sequence[frozenset[int]],
    pushed: Pushed | None = None,
    stepper: Stepper | None = None,
) -> list[_Way]:
    """The ways to share memory: those with the fewest copies first, and of them the smaller."""
    ways = [way for joined in joins for way in _ways(program, segments, joined, pushed, stepper)]
    return sorted(ways, key=lambda way: (way.copies, way.quick_bytes))


def plan_pushed(program: Program, features: Set[str]) -> tuple[Program, Plan]:
    """The program whose first layers run row by row as rows of its input come, and its plan: for about as much work as
    its goal allows, or else as little more as there is. Raises ModelError where nothing can be pushed."""
    best = _least_pushed_way(program, features)
    return best.program, best.plan()


def _least_pushed_way(program: Program, features: Set[str]) -> _Way:
    by_rows = _ByRows(program, features)
    return _smallest([way for segments in by_rows.choices() for way in by_rows.ways(segments)], program.goal)


class _ByRows:
    """Choices of segments of which the first takes rows of the input as they come.

    Raises ModelError where nothing can be pushed.
    """

    def __init__(self, program: Program, features: Set[str]) -> None:
        pushed = self._pushed = find_pushed(program)
        self._program = without_taken(program, pushed)
        self._finder = Finder(self._program, features, pushed)
        self._joins = _joins(program)
        readers = range(pushed.first, pushed.last + 1)
        self._storages = [
            replace(s, size_bytes=0) if pushed.tensor in s.tensors or pushed.input in s.tensors else s
            for s in storages_of(program.graph, alone=readers)
        ]

    def choices(self) -> list[tuple[Segment, ...]]:
        """Those among which to look for the smallest arena."""
        program, finder = self._program, self._finder
        more = _most_more(program, finder.all_work, MOST_MORE_PUSHED)
        mosts = dict.fromkeys((min(more, MOST_MORE_PUSHED), more))
        known = program, self._storages, finder
        within = [choice for most in mosts for shares in (True, False) for choice in choose(*known, most, shares)]
        return within if within and program.goal != "speed" else self.trade_offs()[:1]

    def trade_offs(self) -> list[tuple[Segment, ...]]:
        """Those of which none takes less memory and as little work, the least work first."""
        found = trade_offs(self._program, self._storages, self._finder)
        if not found:
            raise refused(self._program.graph, _why_whole(self._program, self._finder, self._pushed))
        return found

    def ways(self, segments: Sequence[Segment]) -> list[_Way]:
        """The ways to share memory, the best first."""
        return _by_speed(banded(self._program, segments), segments, self._joins, self._pushed)


def _why_whole(program: Program, finder: Finder, pushed: Pushed) -> str:
    """Why no stretch of layers takes rows of the input."""
    layer = finder.whole_layer(pushed.first, pushed.last)
    first, last = (program.steps[i].layer for i in (pushed.first, pushed.last))
    if layer is first:
        return f"{first.where}, which reads it first, does not run row by row"
    if layer is last:
        return f"{last.where} reads it too, and does not run row by row"
    if layer is not None:
        return f"{last.where} reads it too, and {layer.where}, which comes before, does not run row by row"
    if pushed.last - pushed.first >= LONGEST_PUSHED:
        return f"{first.where} and {last.where} read it, which are more than {LONGEST_PUSHED} layers apart"
    rows = max(program.graph.tensors[pushed.tensor].shape[1:3])
    if rows > MOST_ROWS:
        return f"it has {rows:,} rows; supported are {MOST_ROWS:,}"
    return f"{first.where} makes a row of padding alone, or of what no kernel reads row by row"


def _without(pushed: Pushed | None, storages: Sequence[Storage]) -> list[Storage]:
    """The storages but for that of the input whose rows are pushed."""
    gone = set() if pushed is None else {pushed.input, pushed.tensor}
    return [s for s in storages if gone.isdisjoint(s.tensors)]


def banded(program: Program, segments: Sequence[Segment]) -> Program:
    """The program with calls of bands in the segments."""
    steps = list(program.steps)
    for segment in segments:
        for index, call in enumerate(segment.calls, segment.first):
            steps[index] = replace(steps[index], calls=(call,))
    return replace(program, steps=tuple(steps))


def plan_memory(
    program: Program,
    segments: Sequence[Segment] = (),
    pushed: Pushed | None = None,
    stepper: Stepper | None = None,
) -> Plan:
    """Lay out inputs, outputs, intermediates and scratch so that what lives at one time does not overlap, but for
    outputs over what their kernels have read.

    Which tensors share memory is `storages_of`: where a kernel's output must lie at one place below its input, all do
    or none, whichever takes less.
    """
    return min(_ways(program, segments, pushed=pushed, stepper=stepper), key=lambda way: way.cost).plan()


def _ways(
    program: Program,
    segments: Sequence[Segment],
    joined: Set[int] = frozenset(),
    pushed: Pushed | None = None,
    stepper: Stepper | None = None,
) -> list[_Way]:
    """The ways to share memory; what a `stepper` cuts is cut before."""
    if stepper is not None:
        segments = stepper.with_cuts(program, segments)
        program = banded(program, segments)
    in_segments = _steps(segments)
    below = {
        i: step.below.at_least
        for i, step in enumerate(program.steps)
        if step.below and step.below.exactly and i not in in_segments and i not in joined
    }
    choices = [{}, below] if below else [{}]
    return [_Way(program, segments, _storages(program, segments, own, joined), pushed, stepper) for own in choices]


def _steps(segments: Sequence[Segment]) -> set[int]:
    return {i for segment in segments for i in range(segment.first, segment.last + 1)}


def _storages(
    program: Program,
    segments: Sequence[Segment] = (),
    below: Mapping[int, int] = NOWHERE,
    joined: Set[int] = frozenset(),
) -> list[Storage]:
    """The storages where the outputs of layers `below` lie over their input and parts of those `joined` in one another,
    but for those that share memory with an output of the graph: in the caller's there is room for that alone."""
    storages = storages_of(program.graph, below, _steps(segments), joined)
    shares = {name for s in storages if _is_callers(program.graph, s) for name in s.tensors}
    kept = {i: bytes_below for i, bytes_below in below.items() if program.steps[i].layer.output.name not in shares}
    apart = {i for i in joined if program.steps[i].layer.output.name in shares}
    if len(kept) == len(below) and not apart:
        return storages
    return _storages(program, segments, kept, joined - apart)


def _is_callers(graph: Graph, storage: Storage) -> bool:
    """Whether it has an output, and more: other bytes, or another tensor that the caller gives or is given."""
    outputs = [name for name in storage.tensors if name in graph.outputs]
    ports = [name for name in storage.tensors if name in graph.inputs or name in graph.outputs]
    return bool(outputs) and (len(ports) > 1 or storage.size_bytes > graph.tensors[outputs[0]].size_bytes)


def _without_copies(program: Program, storages: Sequence[Storage]) -> Program:
    """The program without calls that would copy what lies in its place."""
    storage_of = {name: s for s in storages for name in s.tensors}
    steps = list(program.steps)
    for index, step in enumerate(steps):
        y = step.layer.output
        for i, elements in step.layer.op.parts(step.layer).items() if step.calls else ():
            own, whole = storage_of.get(step.layer.inputs[i].name), storage_of.get(y.name)
            if own is None or own is not whole:
                continue
            behind = own.offset_of(step.layer.inputs[i].name) - own.offset_of(y.name)
            if behind * y.elements == elements * y.size_bytes:
                steps[index] = replace(steps[index], calls=tuple(c for c in steps[index].calls if c.inputs != (i,)))
    return replace(program, steps=tuple(steps))


@lru_cache(maxsize=32)
def _laid_out(blocks: tuple[Block, ...], over: tuple[tuple[tuple[int, int], int], ...], solver: Solver) -> Layout:
    """The layout, which most goals of a model have in common: each is searched for once."""
    return lay_out(blocks, dict(over), solver=solver)


@lru_cache(maxsize=64)
def _laid_out_quickly(blocks: tuple[Block, ...], over: tuple[tuple[tuple[int, int], int], ...]) -> Layout:
    """The layout that is found at once, which many ways have in common."""
    return lay_out_quickly(blocks, dict(over))


class _Way:
    """One way to share memory, and what is to be placed for it."""

    def __init__(
        self,
        program: Program,
        segments: Sequence[Segment],
        storages: Sequence[Storage],
        pushed: Pushed | None,
        stepper: Stepper | None = None,
    ) -> None:
        made = {program.steps[i].layer.output.name for i in _steps(segments)}
        whole = {name for segment in segments for name in segment.whole}
        storages = _without(pushed, storages)
        held = [s for s in storages if not made.difference(whole).intersection(s.tensors)]
        self.program = _without_copies(program, storages)
        self._pushed = pushed
        self._stepper = stepper
        self._segments = segments
        # All steps of a segment are one in time.
        self._time = list(range(-1, len(program.steps) + 1))
        for segment in segments:
            self._time[segment.first + 1 : segment.last + 2] = [segment.last] * (segment.last + 1 - segment.first)
        self._kept = kept_storages(program.graph, held, self._time)
        kept = {own.tensors for own in self._kept}
        self._storages = [s for s in held if s.tensors not in kept]
        self._scratch: dict[int, int] = {}  # time -> bytes
        folds = {s.parts[i][0] for s in segments for i, stage in enumerate(s.stages) if stage.folds}
        for i, step in enumerate(self.program.steps):
            if step.scratch_bytes and i not in folds:
                time = self._time[i + 1]
                self._scratch[time] = max(self._scratch.get(time, 0), step.scratch_bytes)
        self._rings = [(s, name, size_bytes) for s in segments for name, size_bytes in s.ring_bytes.items()]
        self._rings += [(s, name, size_bytes) for s in segments for name, size_bytes in s.sums_bytes.items()]
        more = list(self._scratch.items())
        more += [(segment.last, size_bytes) for segment, _, size_bytes in self._rings]
        self._blocks = [
            *(_block_of(s, program.graph, self._time) for s in self._storages),
            *(Block(aligned(size_bytes), at, at) for at, size_bytes in more),
        ]
        for segment in segments:  # which rows were pushed is known from one inference to the next
            first, last = (-1, len(program.steps)) if segment.is_pushed else (segment.last, segment.last)
            self._blocks.append(Block(aligned(segment.state_bytes), first, last))
        if stepper is not None:  # where an inference goes on is known from before it to behind it
            self._blocks.append(Block(aligned(STATE_BYTES), -1, len(program.steps)))

    @cached_property
    def quick_bytes(self) -> int:
        """What a layout that is found at once takes."""
        return self._quickly.size_bytes

    @cached_property
    def more(self) -> float:
        """About the instructions that rows take beyond those of whole layers."""
        return sum(segment.more for segment in self._segments)

    @cached_property
    def copies(self) -> int:
        """How often parts of tensors are copied."""
        return sum(len(step.calls) for step in self.program.steps if step.layer.op.parts(step.layer))

    @property
    def cost(self) -> tuple[int, int]:
        """Bytes, then copies; where speed is wanted the other way round."""
        by_size = (self.quick_bytes, self.copies)
        return by_size[::-1] if self.program.goal == "speed" else by_size

    @cached_property
    def least_bytes(self) -> int:
        """What any layout takes at least."""
        return self._quickly.least_bytes

    @cached_property
    def _quickly(self) -> Layout:
        return _laid_out_quickly(*self._problem)

    @property
    def _problem(self) -> tuple[tuple[Block, ...], tuple[tuple[tuple[int, int], int], ...]]:
        """Blocks, and the pairs that may overlap."""
        return tuple(self._blocks), tuple(self._over.items())

    def plan(self) -> Plan:
        """The best layout that is found."""
        return self._placed(_laid_out(*self._problem, self.program.solver))

    def split_plan(self, rooms: Sequence[Room]) -> Plan | None:
        """One whose parts fit into the rooms, if it is found."""
        found = split(self._blocks, self._over, self._uses(), [room.size_bytes for room in rooms])
        return None if found is None else replace(self._placed(found.layout), parts=_parts(found, rooms))

    def _uses(self) -> list[int]:
        """How often bytes of each block are read and written, about."""
        of_tensor, of_scratch = accesses(self.program)
        at: dict[int, int] = {}
        for index, uses in of_scratch.items():
            at[self._time[index + 1]] = at.get(self._time[index + 1], 0) + uses
        made = {
            stage.output: part[0] for s in self._segments for stage, part in zip(s.stages, s.parts, strict=True) if part
        }
        return [
            *(sum(of_tensor[name] for name in s.tensors) for s in self._storages),
            *(at.get(time, 0) for time in self._scratch),
            *(of_tensor[name] + (of_scratch[made[name]] if name in s.sums_bytes else 0) for s, name, _ in self._rings),
            *(s.schedule.rounds * s.state_bytes for s in self._segments),
            *([] if self._stepper is None else [len(self.program.steps) * STATE_BYTES]),
        ]

    def _placed(self, layout: Layout) -> Plan:
        """The plan that a layout is."""
        own = iter(layout.offsets)
        placed = tuple(replace(s, offset=next(own)) for s in self._storages)
        scratch_at = {at: next(own) for at in self._scratch}
        ring_at = {(segment.first, name): next(own) for segment, name, _ in self._rings}
        segments = tuple(
            PlacedSegment(
                segment,
                {name: ring_at[segment.first, name] for name in segment.ring_bytes},
                {name: ring_at[segment.first, name] for name in segment.sums_bytes},
                next(own),
            )
            for segment in self._segments
        )
        numbered = enumerate(self.program.steps)
        scratch = {i: scratch_at.get(self._time[i + 1], 0) for i, step in numbered if step.scratch_bytes}
        for placed_segment in segments:
            for stage, part in zip(placed_segment.segment.stages, placed_segment.segment.parts, strict=True):
                if stage.folds:
                    scratch[part[0]] = placed_segment.sums[stage.output]
        steps = None
        if self._stepper is not None:
            steps = self._stepper.steps(self.program, self._segments, next(own))
        return Plan(
            layout.size_bytes, placed, scratch, layout.least_bytes, segments, self._pushed, steps=steps, kept=self._kept
        )

    @cached_property
    def _over(self) -> Over:
        """Pairs of storages, an output and the input that it may be written over, and how far it begins below."""
        storages, time = self._storages, self._time
        index_of = {name: index for index, s in enumerate(storages) for name in s.tensors}
        over: dict[tuple[int, int], int] = {}

        def may_overlap(y: str, x: str, at: int, at_least: int) -> None:
            if x not in index_of or y not in index_of:  # in the caller's state
                return
            read, written = index_of[x], index_of[y]
            if time[storages[read].last + 1] == time[storages[written].first + 1] == at and read != written:
                between = storages[written].offset_of(y) - storages[read].offset_of(x)
                own = at_least + between
                over[written, read] = max(own, over.get((written, read), own))  # of several parts all that they say

        in_segments = _steps(self._segments)
        for i, step in enumerate(self.program.steps):
            if step.below is not None and not step.below.exactly and i not in in_segments:
                may_overlap(step.layer.output.name, step.layer.activations[0].name, i, step.below.at_least)
        for segment in self._segments:
            for (y, x), distance in segment.schedule.distances.items():
                may_overlap(y, x, segment.last, distance)
        return over


def _block_of(storage: Storage, graph: Graph, time: Sequence[int]) -> Block:
    """The block of a storage, of whose bytes those count at each time that tensors need then."""
    first, last = time[storage.first + 1], time[storage.last + 1]
    whole = Block(aligned(storage.size_bytes), first, last)
    if not storage.lives:
        return whole
    needed: dict[int, tuple[int, int]] = {}  # time -> from where to where
    for name, (since, until) in zip(storage.tensors, storage.lives, strict=True):
        begin = storage.offset_of(name) - storage.offset
        end = begin + aligned(graph.tensors[name].size_bytes)
        for at in range(time[since + 1], time[until + 1] + 1):
            own = needed.get(at, (begin, end))
            needed[at] = min(begin, own[0]), max(end, own[1])
    extents: list[Extent] = []
    for at in range(first, last + 1):
        begin, end = needed.get(at, (0, 0))
        if extents and (extents[-1].offset, extents[-1].end) == (begin, end):
            extents[-1] = replace(extents[-1], last=at)
        else:
            extents.append(Extent(begin, end - begin, at, at))
    return replace(whole, extents=tuple(extents)) if len(extents) > 1 else whole


def _parts(found: SplitLayout, rooms: Sequence[Room]) -> tuple[ArenaPart, ...]:
    """The parts that hold anything; none where that is the board's main memory alone."""
    parts, start = [], 0
    for room, size_bytes in zip(rooms, found.sizes, strict=True):
        if size_bytes:
            parts.append(ArenaPart(room.memory, start, size_bytes))
        start += size_bytes
    return () if [part.memory for part in parts] == [""] else tuple(parts)
