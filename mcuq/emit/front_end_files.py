"""The files of a front end of any kind: what is around its C, its tables and runtime items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcuq.emit.data import DataArray
from mcuq.emit.render import environment
from mcuq.graph.tensor import Array
from mcuq.kernels.runtime import needed_items
from mcuq.version import __version__

# Name -> the type of C, and the values.
Arrays = dict[str, tuple[str, Array]]
_BYTES = {"uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8}


@dataclass(frozen=True)
class FrontEndFiles:
    """`files` by name; `table_bytes` of constants, and `state_bytes` of RAM that is the front end's own; about
    the `instructions` for a `unit`: "second" of a signal, or "frame". `kind` is sound, image or sensor."""

    files: dict[str, str]
    table_bytes: int
    state_bytes: int
    instructions: int
    unit: str
    kind: str


@dataclass(frozen=True)
class Parts:
    """Of a front end's C: the templates' `kind`, runtime items that it needs, its tables, and what templates read.
    `runtime_table_bytes` are those of items that have tables."""

    kind: str
    needs: Sequence[str]
    arrays: Arrays
    context: Mapping[str, Any]
    state_bytes: int
    instructions: int
    unit: str
    runtime_table_bytes: int = 0


def front_end_names(model_id: str) -> tuple[str, str]:
    """The header and the C file."""
    return f"{model_id}_front_end.h", f"{model_id}_front_end.c"


def rendered(parts: Parts, model_id: str, digest: int) -> FrontEndFiles:
    """MODEL_ID_front_end.c and .h, for the model of that digest."""
    items = needed_items(parts.needs)
    names = [name for item in items for name in item.names]
    table_bytes = sum(values.size * _BYTES[c_type] for c_type, values in parts.arrays.values())
    table_bytes += parts.runtime_table_bytes
    context = {
        "version": __version__,
        "id": model_id,
        "ID": model_id.upper(),
        "digest": f"0x{digest:08x}",
        "kind": parts.kind,
        "made": {"image": "images", "sensor": "signals of sensors"}.get(parts.kind, "features of sound"),
        "an_amount": {"image": "of a Cortex-M4 per frame", "sensor": "of a Cortex-M4 per second"}.get(
            parts.kind, "per second of sound"
        ),
        "table_bytes": f"{table_bytes:,}",
        "state_bytes": f"{parts.state_bytes:,}",
        "instructions": f"{parts.instructions:,}",
        "renamed": [name for name in names if name.islower()],
        "macros": [name for name in names if not name.islower()],
        "runtime": [item.text for item in items],
        "arrays": [DataArray(f"{model_id}_{name}", c_type, values) for name, (c_type, values) in parts.arrays.items()],
        **parts.context,
    }
    render = environment()
    files = {
        name: render.get_template(f"front_end.{end}.j2").render(context)
        for name, end in zip(front_end_names(model_id), "hc", strict=True)
    }
    return FrontEndFiles(files, table_bytes, parts.state_bytes, parts.instructions, parts.unit, parts.kind)
