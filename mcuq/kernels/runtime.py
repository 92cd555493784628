"""The runtime: C of firmware/kernels/ that kernels need, as values in the order in which it is emitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from mcuq.kernels.dsp import assembly as dsp
from mcuq.kernels.item import Item, parse_items
from mcuq.kernels.mve import assembly as mve
from mcuq.resources import resource_dir

# Items whose text Python prints; they come behind those of the headers, or before the first that needs them.
PRINTED = tuple(function.item() for function in (*dsp.FUNCTIONS, *mve.FUNCTIONS))


@cache
def runtime() -> Mapping[str, Item]:
    """Each item by each of its names. mcuq_math.h comes first: the headers of instruction sets build on it."""
    headers = sorted(
        (resource_dir("firmware") / "kernels").rglob("mcuq_*.h"), key=lambda p: (p.stem != "mcuq_math", p.stem)
    )
    found = [item for path in headers for item in parse_items(path.read_text(encoding="utf-8"))]
    return {name: item for item in (*found, *PRINTED) for name in item.names}


def needed_items(needs: Iterable[str], items: Mapping[str, Item] | None = None) -> list[Item]:
    """The items of these names and all that they need, each behind what it needs and else in the runtime's order."""
    items = runtime() if items is None else items
    wanted: set[str] = set()
    pending = [items[name].name for name in needs]
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending += [items[need].name for need in items[name].declared.needs]
    ordered: dict[str, Item] = {}

    def place(item: Item) -> None:
        if item.name not in ordered:
            for need in item.declared.needs:
                place(items[need])
            ordered[item.name] = item

    for name in items:
        if name in wanted:
            place(items[name])
    return list(ordered.values())


def deepest_stack_bytes(needs: Iterable[str]) -> int:
    """Bytes of arrays and saved registers on the deepest path of calls into the runtime from C with these needs."""
    return max((_depth_bytes(name) for name in needs), default=0)


@cache
def _depth_bytes(name: str) -> int:
    declared = runtime()[name].declared
    return declared.stack_bytes + deepest_stack_bytes(declared.needs)
