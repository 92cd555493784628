"""The order in which layers of a segment make their rows, and which rows each tensor has to hold meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcuq.graph.rows import Band, RowWindow


@dataclass(frozen=True)
class Stage:
    """A layer that makes rows, and elementwise ones behind it that work in place: of which tensors, each with its
    window (beyond the first one its own rows), `out_rows` of `output` in bands of `band` rows; `steps` layers.
    One that `folds` takes rows as they come, and makes its output, all of it, with the last."""

    inputs: tuple[str, ...]
    windows: tuple[RowWindow, ...]
    output: str
    out_rows: int
    band: int
    steps: int = 1
    folds: bool = False


@dataclass(frozen=True)
class Ring:
    """A tensor of which `rows` are held; the oldest are those that stage `keeper` has still to read by `window`."""

    tensor: str
    rows: int
    keeper: int
    window: RowWindow


@dataclass(frozen=True)
class Made:
    """An entry of the schedule: a stage makes rows [first, first + band.out_rows) of rows from `start` on."""

    stage: int
    first: int
    start: int
    band: Band


@dataclass(frozen=True)
class Schedule:
    """`rounds` times each stage makes a band where it can. `distance` says of pairs (output, input), both whole, by how
    many rows' bytes the output must begin below the input at least, so that it lies over rows that are used up."""

    rounds: int
    made: tuple[Made, ...]
    rings: tuple[Ring, ...]
    distances: Mapping[tuple[str, str], int]

    def bands(self, stage: int) -> list[Band]:
        """The bands of a stage, in order."""
        return [made.band for made in self.made if made.stage == stage]


def schedule(
    stages: Sequence[Stage],
    heights: Mapping[str, int],
    row_bytes: Mapping[str, int],
    kept: Sequence[str],
    most_bytes: int | None = None,
    given: str | None = None,
) -> Schedule | None:
    """The schedule of stages in order; `heights` and `row_bytes` of all their tensors, `kept` those that are made
    and stay whole. None where no one stage reads the oldest rows of a ring throughout, a band reads padding alone, or
    rings take more than `most_bytes`.

    In each round every stage makes its next band, in the order of the layers, if all rows that it needs are there. Of
    `given`, which nobody holds, another row is there after each round in which no stage could make any.
    """
    made_by = {stage.output: index for index, stage in enumerate(stages)}
    whole = [name for name in heights if name not in made_by and name != given]
    made = {name: height if name in whole else 0 for name, height in heights.items()}
    readers: dict[str, list[tuple[int, RowWindow]]] = {name: [] for name in heights}
    for index, stage in enumerate(stages):
        for name, window in zip(stage.inputs, stage.windows, strict=True):
            readers[name].append((index, window))
    rings = dict.fromkeys((name for name in made_by if name not in kept), 0)
    keepers = {name: list(readers[name]) for name in rings}
    distances = {(out, name): -heights[name] * row_bytes[name] for out in kept for name in whole}

    def oldest(name: str, reader: Stage, window: RowWindow) -> int:
        """The first row that a reader has still to read."""
        done = made[reader.output]
        if done == reader.out_rows:
            return heights[name]
        return min(made[name], max(0, done * window.stride - window.begin))

    order: list[Made] = []
    rounds = 0
    waiting = list(enumerate(stages))
    while waiting:
        before = len(order)
        for index, stage in waiting:
            name, window = stage.output, stage.windows[0]
            first = made[name]
            rows = min(stage.band, stage.out_rows - first)
            top = first * window.stride - window.begin
            bottom = top + (rows - 1) * window.stride + window.extent
            start, end = max(0, top), min(bottom, heights[stage.inputs[0]])
            if made[stage.inputs[0]] < end or any(made[x] < first + rows for x in stage.inputs[1:]):
                continue
            if start >= end:
                return None
            order.append(Made(index, first, start, Band(end - start, rows, start - top, bottom - end)))
            if name in rings:
                needed = [oldest(name, stages[i], own) for i, own in readers[name]]
                least = min(needed)
                if len(needed) > 1:
                    latest = [reader for reader, row in zip(readers[name], needed, strict=True) if row == least]
                    keepers[name] = [reader for reader in keepers[name] if reader in latest]
                    if not keepers[name]:
                        return None
                rings[name] = max(rings[name], first + rows - least)
            else:
                is_last = first + rows == stage.out_rows
                for x in whole if is_last or not stage.folds else ():
                    least = min(oldest(x, stages[i], own) for i, own in readers[x])
                    written = row_bytes[name] if stage.folds else (first + rows) * row_bytes[name]
                    distances[name, x] = max(distances[name, x], written - least * row_bytes[x])
            made[name] = first + rows
        rounds += 1
        if len(order) == before:
            if given is None or made[given] == heights[given]:
                raise AssertionError("rows that wait for each other")
            made[given] += 1
        waiting = [(index, stage) for index, stage in waiting if made[stage.output] < stage.out_rows]
        if most_bytes is not None and sum(rows * row_bytes[name] for name, rows in rings.items()) > most_bytes:
            return None
    found = tuple(Ring(name, rows, *keepers[name][-1]) for name, rows in rings.items())
    return Schedule(rounds, tuple(order), found, distances)
