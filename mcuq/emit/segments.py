"""Segments in C: a table of their layers, and the loop in which each makes its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcuq.plan.memory import PlacedSegment, Plan
from mcuq.plan.push import GIVEN

BARRIER = "MCUQ_MEMORY_CHANGES_TYPE"
NEEDS = ("mcuq_row_layer", BARRIER)


@dataclass(frozen=True)
class RowTable:
    """The constant table of a segment's layers."""

    name: str
    rows: tuple[str, ...]

    @property
    def text(self) -> str:
        """Its initializer's lines."""
        return "\n".join(f"    {{{row}}}," for row in self.rows)


def row_table(placed: PlacedSegment, name: str) -> RowTable:
    """What mcuq_next_band is told of each layer."""
    segment = placed.segment
    number = {tensor: i for i, tensor in enumerate(segment.names)}
    rings = {ring.tensor: ring for ring in segment.schedule.rings}
    rows = []
    for stage in segment.stages:
        x, x2, y = stage.inputs[0], stage.inputs[-1], stage.output
        window = stage.windows[0]
        ring = rings.get(y)
        reader = segment.stages[ring.keeper] if ring else stage
        read = ring.window if ring else window
        values = [
            *(segment.row_bytes[t] for t in (x, x2)),
            0 if stage.folds else segment.row_bytes[y],
            *(number[x], number[x2] if len(stage.inputs) > 1 else -1, number[y]),
            *(segment.heights[x], stage.out_rows, window.extent, window.stride, window.begin, stage.band),
            ring.rows if ring else stage.out_rows,
            *(number[reader.output], reader.out_rows, read.stride, read.begin),
        ]
        rows.append(", ".join(map(str, values)))
    return RowTable(name, tuple(rows))


def render_segment(
    placed: PlacedSegment, table: str, calls: Sequence[str], places: Sequence[str], layers: Sequence[str], plan: Plan
) -> str:
    """The block of C that runs a segment: of each stage in order the call, the place of the tensor that it makes, and
    what the layer that makes it is called."""
    segment = placed.segment
    number = {tensor: i for i, tensor in enumerate(segment.names)}
    names = {stage.output: layer for stage, layer in zip(segment.stages, layers, strict=True)}
    lines = [
        *_comment(placed, names, plan),
        f"{BARRIER}();",
        "{",
        f"    int16_t *const state = (int16_t *)(void *)({plan.text_of(placed.state)});",
        "    mcuq_band band;",
        f"    for (int32_t i = 0; i < {2 * len(number)}; i++)",
        "        state[i] = 0;",
        *(f"    state[{2 * number[t] + 1}] = {segment.heights[t]};" for t in number if t not in names),
        f"    for (int32_t round = 0; round < {segment.schedule.rounds}; round++) {{",
    ]
    lines += [f"        {line}" for line in _bands(table, calls, places)]
    lines += ["    }", "}", f"{BARRIER}();"]
    return "\n".join([lines[0], *(f"    {line}" for line in lines[1:])])


def render_pushed(
    placed: PlacedSegment,
    table: str,
    calls: Sequence[str],
    places: Sequence[str],
    layers: Sequence[str],
    too_many: str,
    plan: Plan,
) -> str:
    """The statements that take `count` rows from `rows` on, whose number is checked: after each of them all stages make
    what they can. They return how many are still to come; what stands behind them is for all rows."""
    segment = placed.segment
    names = {stage.output: layer for stage, layer in zip(segment.stages, layers, strict=True)}
    height = segment.heights[GIVEN]
    copied = f"mcuq_copy_bytes({places[0]} + band.y, (const int8_t *)(const void *)rows + band.x, {{}});"
    calls = [copied.format(segment.row_bytes[GIVEN]), *calls[1:]]
    lines = [
        *_comment(placed, names, plan),
        f"int16_t *const state = (int16_t *)(void *)({plan.text_of(placed.state)});",
        f"const int32_t given = state[1] == {height} ? 0 : state[1]; /* of this inference, before */",
        "mcuq_band band;",
        "int more;",
        "",
        f"if (count < 0 || count > {height} - given)",
        f"    return {too_many};",
        "if (count == 0)",
        f"    return {height} - given;",
        f"{BARRIER}();",
        f"for (int32_t i = 0; given == 0 && i < {2 * len(segment.names)}; i++)",
        "    state[i] = 0;",
        "state[0] = (int16_t)given;",
        "for (; count > 0; count--) {",
        "    state[1]++;",
        "    do {",
        "        more = 0;",
        *(f"        {line}" for line in _bands(table, calls, places, "more = 1;")),
        "    } while (more);",
        "}",
        f"{BARRIER}();",
        f"if (state[1] < {height})",
        f"    return {height} - state[1];",
    ]
    return "\n".join([lines[0], *(f"    {line}" if line else "" for line in lines[1:])])


def render_stepped(
    placed: PlacedSegment,
    table: str,
    calls: Sequence[str],
    places: Sequence[str],
    layers: Sequence[str],
    at: tuple[int, int],
    plan: Plan,
) -> str:
    """Cases of a switch, from the first number of `at` on: one that begins the segment, and one for each stage, which
    makes a band if its rows are there. The last one, whose `break` stands behind it, begins another round while more
    than the second number, which is what follows the segment, is left."""
    first, behind = at
    segment = placed.segment
    number = {tensor: i for i, tensor in enumerate(segment.names)}
    made = {stage.output for stage in segment.stages}
    state = f"(int16_t *)(void *)({plan.text_of(placed.state)})"
    names = {stage.output: layer for stage, layer in zip(segment.stages, layers, strict=True)}
    lines = [
        f"case {first}:",
        *(f"    {line}" for line in _comment(placed, names, plan)),
        f"    state = {state};",
        f"    for (int32_t i = 0; i < {2 * len(number)}; i++)",
        "        state[i] = 0;",
        *(f"    state[{2 * number[t] + 1}] = {segment.heights[t]};" for t in number if t not in made),
        "    break;",
    ]
    for i, (place, call) in enumerate(zip(places, calls, strict=True)):
        lines += [
            *([] if i == 0 else ["    break;"]),
            f"case {first + 1 + i}:",
            f"    state = {state};",
            f"    if (mcuq_next_band(&{table}[{i}], state, {place}, &band)) {{",
            *(f"        {line}" for line in call.split("\n")),
            "    } else {",
            "        cost = 0;",
            "    }",
        ]
    lines += [
        f"    if (step[0] - cost > {behind}) {{",
        f"        step[1] = {first + 1};",
        "        break;",
        "    }",
    ]
    return "\n".join([lines[0], *(f"        {line}" for line in lines[1:])])


def _bands(table: str, calls: Sequence[str], places: Sequence[str], then: str = "") -> list[str]:
    """Each stage in turn, where its rows are there: the call, and what is to be done then."""
    lines = []
    for i, (place, call) in enumerate(zip(places, calls, strict=True)):
        lines.append(f"if (mcuq_next_band(&{table}[{i}], state, {place}, &band))" + (" {" if then else ""))
        lines += [f"    {line}" for line in call.split("\n")]
        lines += [f"    {then}", "}"] if then else []
    return lines


def _comment(placed: PlacedSegment, names: Mapping[str, str], plan: Plan) -> list[str]:
    """What runs together, and which rows are held of the tensors between."""
    segment = placed.segment
    made = [stage for stage in segment.stages if stage.inputs != (GIVEN,)]
    first, last = (names[stage.output] for stage in (made[0], made[-1]))
    head = f"{first} to {last}, a band of rows each in turn" if first != last else f"{first}, a band of rows at a time"
    lines = []
    for ring in segment.schedule.rings:
        n_bytes = ring.rows * segment.row_bytes[ring.tensor]
        held = f"{ring.rows} of {segment.heights[ring.tensor]} rows"
        at = plan.text_of(placed.rings[ring.tensor])
        lines.append(f" * {names[ring.tensor]}: {held}, {n_bytes} bytes at {at}")
    return [f"/* {head}; held are", *lines, " */"] if lines else [f"/* {head}. */"]
