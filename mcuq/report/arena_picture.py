"""The arena over time as an SVG that stands alone: steps from left to right, addresses from below."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from mcuq.plan.arena_map import ArenaMap, Box

WIDTH, LEFT, RIGHT, TOP, HEIGHT, BOTTOM = 960, 76, 16, 62, 380, 112
COLORS = {
    "input": ("#2f6fbb", "inputs"),
    "output": ("#2e8b57", "outputs"),
    "tensor": ("#c98a1b", "tensors"),
    "rows": ("#9a6fc4", "rings of rows"),
    "scratch": ("#8a8f98", "working memory"),
}
_NAMED_STEPS = 80  # more have no room for their names

_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #1c2733 }
.title { font-size: 15px; font-weight: 600 }
.in { fill: #fff; font-size: 10px; pointer-events: none }
.back { fill: #fff } .plot { fill: #f3f5f8 }
.grid { stroke: #d5dae1 } .line { stroke: #1c2733; stroke-width: 1.5 } .least { stroke: #c0392b; stroke-dasharray: 5 4 }
.peak { fill: #c0392b; fill-opacity: .1; stroke: #c0392b }
.box { fill-opacity: .72; stroke: #fff; stroke-width: .8 }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e8ee } .back { fill: #161b22 } .plot { fill: #1f2630 } .grid { stroke: #39424e }
  .line { stroke: #e4e8ee } .box { stroke: #161b22 }
}
"""


def arena_svg(name: str, arena: ArenaMap) -> str:
    """The picture; what lies above others shows through."""
    return "\n".join(_lines(name, arena)) + "\n"


def _lines(name: str, arena: ArenaMap) -> Iterator[str]:
    height = TOP + HEIGHT + BOTTOM
    columns = len(arena.steps) + 2
    column = (WIDTH - LEFT - RIGHT) / columns
    scale = HEIGHT / max(1, arena.size_bytes)

    def x(step: int) -> float:
        return LEFT + (step + 1) * column

    def y(offset: int) -> float:
        return TOP + HEIGHT - offset * scale

    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="100%" role="img" '
        f'aria-label="{_text(name)}: the arena over time">'
    )
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="back" width="{WIDTH}" height="{height}"/>'
    yield f'<text class="title" x="{LEFT}" y="22">{_text(name)}: arena {arena.size_bytes:,} bytes</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="22" text-anchor="end">{arena.least_text}</text>'
    at = LEFT
    for kind, (color, title) in COLORS.items():
        if any(box.kind == kind for box in arena.boxes):
            yield f'<rect x="{at}" y="34" width="11" height="11" fill="{color}"/>'
            yield f'<text x="{at + 16}" y="44">{title}</text>'
            at += 40 + 6 * len(title)
    yield f'<rect class="plot" x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT}"/>'
    for quarter in range(5):
        offset = arena.size_bytes * quarter // 4
        yield _level("grid", y(offset))
        yield f'<text x="{LEFT - 6}" y="{y(offset) + 4:.1f}" text-anchor="end">{offset:,}</text>'
    for box in sorted(arena.boxes, key=lambda b: -b.size_bytes * (b.last - b.first + 1)):
        yield from _box(box, arena, x(box.first), y(box.offset + box.size_bytes), column, scale)
    peak = arena.peak
    yield (
        f'<rect class="peak" x="{x(peak):.1f}" y="{TOP}" width="{column:.1f}" height="{HEIGHT}">'
        f"<title>peak: {_text(_step(arena, peak))}, {arena.used_bytes(peak):,} bytes</title></rect>"
    )
    is_right = x(peak) > WIDTH / 2
    yield (
        f'<text x="{x(peak) + (column if is_right else 0):.1f}" y="{TOP - 4}" '
        f'text-anchor="{"end" if is_right else "start"}">peak {arena.used_bytes(peak):,}</text>'
    )
    yield _level("line", y(arena.size_bytes))
    if arena.least_bytes < arena.size_bytes:
        yield _level("least", y(arena.least_bytes))
    every = -(-columns // _NAMED_STEPS)
    for step in range(-1, len(arena.steps) + 1, every):
        middle, below = x(step) + column / 2, TOP + HEIGHT + 12
        label = _text(_short(arena.label(step), 18)) + f"<title>{_text(_step(arena, step))}</title>"
        turn = f"rotate(-55 {middle:.1f} {below})"
        yield f'<text x="{middle:.1f}" y="{below}" text-anchor="end" transform="{turn}">{label}</text>'
    yield "</svg>"


def _box(box: Box, arena: ArenaMap, left: float, top: float, column: float, scale: float) -> Iterator[str]:
    width, height = (box.last - box.first + 1) * column, box.size_bytes * scale
    until = "" if box.first == box.last else f" to {_step(arena, box.last)}"
    what = "" if box.kind == "tensor" else f" ({box.kind})"
    title = f"{box.name}{what}: {box.size_bytes:,} bytes at {box.offset:,}, {_step(arena, box.first)}{until}"
    yield (
        f'<rect class="box" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{max(height, 1):.1f}" '
        f'fill="{COLORS[box.kind][0]}"><title>{_text(title)}</title></rect>'
    )
    room = (width - 6) / 5.8
    label = next(
        (label for label in (f"{box.name} {box.size_bytes:,}", f"{box.size_bytes:,}") if len(label) <= room), ""
    )
    if height >= 13 and label:
        yield f'<text class="in" x="{left + 4:.1f}" y="{top + 11:.1f}">{_text(label)}</text>'


def _level(kind: str, at: float) -> str:
    return f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'


def _step(arena: ArenaMap, step: int) -> str:
    """A step with the layer's name."""
    name = f" '{arena.steps[step].name}'" if 0 <= step < len(arena.steps) else ""
    return arena.label(step) + name


def _short(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"{text[: columns - 1]}…"


def _text(text: str) -> str:
    """Any text, as XML has it: a name may hold characters that XML has not."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))
