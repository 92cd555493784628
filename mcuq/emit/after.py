"""What is done behind a network -> C files beside the model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcuq.after.anomaly import Anomaly, Distance
from mcuq.after.boxes import Boxes
from mcuq.after.classes import Classes
from mcuq.after.decision import Decision
from mcuq.after.floats import Floats, has_floats
from mcuq.after.fomo import Fomo
from mcuq.after.scores import Scores, farthest, least_code
from mcuq.after.ssd import Ssd
from mcuq.after.twins import Twin
from mcuq.after.yolo import Yolo
from mcuq.emit.data import DataArray
from mcuq.emit.listing import Listing
from mcuq.emit.port import Port
from mcuq.emit.render import environment
from mcuq.emit.text import in_comment, wrap
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor
from mcuq.kernels.runtime import needed_items
from mcuq.version import __version__

_LABELLED = ("label",)
_SCORES: Mapping[tuple[str, bool], tuple[str, ...]] = {
    ("softmax", False): ("mcuq_power_below", "mcuq_share"),
    ("probabilities", True): ("mcuq_power_below", "mcuq_logarithm_of", "mcuq_share"),
    ("sigmoid", False): ("mcuq_logistic",),
    ("probabilities", False): (),
}
NEEDS = tuple(name for names in _SCORES.values() for name in names)
_BYTES = {"uint8_t": 1, "int8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "int64_t": 8}
_POWERS_BYTES = 257 * 4


@dataclass(frozen=True)
class AfterFiles:
    """`files` by name; `table_bytes` of constants, labels not counted, and `state_bytes` of RAM for each stream."""

    files: dict[str, str]
    table_bytes: int
    state_bytes: int


@dataclass(frozen=True)
class _Own:
    """What one kind's templates read, the runtime items, the tables, and the names that its header has."""

    context: Mapping[str, Any]
    needs: Sequence[str] = ()
    arrays: Mapping[str, tuple[str, Array]] = field(default_factory=dict)
    names: Sequence[str] = ()
    state_bytes: int = 0


def after_names(model_id: str) -> tuple[str, str]:
    """The header and the C file."""
    return f"{model_id}_after.h", f"{model_id}_after.c"


def files_of(twin: Twin, graph: Graph, listing: Listing, model_id: str, taken: frozenset[str]) -> AfterFiles:
    """The files for a model of which `listing` says what its C has; `taken` are its names. The same twin and model give
    the same bytes. Raises ModelError where names would clash."""

    def port_of(tensor: Tensor) -> Port:
        accessor = listing.accessors[tensor.name].removeprefix(f"{model_id}_")
        return Port(tensor.name, accessor, tensor, accessor)

    after = twin.after
    own = _KINDS[after.kind](twin, port_of)
    ports: list[Port] = []
    if after.kind == "floats" or after.values["floats"]:
        tensors = [graph.tensors[name] for name in (*graph.given_inputs, *graph.given_outputs)]
        ports = [port_of(tensor) for tensor in tensors if has_floats(tensor)]
    names = [*own.names, *(_LABELLED if after.labels else ())]
    converters = [f"{way}_{port.accessor}" for port in ports for way in ("quantize", "dequantize")]
    for name in (*names, *converters):
        if f"{model_id}_{name}".lower() in taken:
            if name in converters:
                raise ModelError(
                    f"model '{model_id}': --after: {model_id}.h has '{model_id}_{name}' already, as a tensor has "
                    "scales per channel; use that, and leave out floats"
                )
            raise ModelError(
                f"model '{model_id}': --after: its C and that of a tensor both have '{model_id}_{name}'; rename the "
                "tensor in the model's file"
            )
    items = needed_items(own.needs)
    item_names = [name for item in items for name in item.names]
    tables = [DataArray(f"{model_id}_{name}", c_type, values) for name, (c_type, values) in own.arrays.items()]
    table_bytes = sum(values.size * _BYTES[c_type] for c_type, values in own.arrays.values())
    table_bytes += sum(_POWERS_BYTES for name in ("mcuq_binary_power", "mcuq_binary_logarithm") if name in item_names)
    context = {
        "version": __version__,
        "id": model_id,
        "ID": model_id.upper(),
        "kind": "boxes" if isinstance(twin, Boxes) else after.kind,
        "digest": f"0x{listing.digest:08x}",
        "described": wrap(in_comment(f"{twin.described()}.").split(), " ", 116, "").split("\n"),
        "table_bytes": f"{table_bytes:,}",
        "state_bytes": own.state_bytes,
        "labels": [_quoted(label) for label in after.labels],
        "ports": ports,
        "renamed": [name for name in item_names if name.islower()],
        "macros": [name for name in item_names if not name.islower()],
        "runtime": [item.text for item in items],
        "arrays": tables,
        **own.context,
    }
    render = environment()
    files = {
        name: render.get_template(f"after.{kind}.j2").render(context)
        for name, kind in zip(after_names(model_id), "hc", strict=True)
    }
    return AfterFiles(files, table_bytes, own.state_bytes)


def _quoted(label: str) -> str:
    """A C string of its UTF-8; what is no plain letter is in octal, of which no digit can follow too many."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in label.encode()) + '"'


def _scores(scores: Scores, port: Port) -> dict[str, Any]:
    return {"scores": scores, "output": port, "classes": port.tensor.elements, "step": ""}


def _classes(twin: Classes, port_of: Callable[[Tensor], Port]) -> _Own:
    context = {**_scores(twin.scores, port_of(twin.output)), "top": twin.top, "threshold": twin.threshold}
    needs = _SCORES[twin.scores.kind, twin.scores.is_tempered]
    return _Own(context, needs, names=("score_one", "top", "class", "classify"))


def _decision(twin: Decision, port_of: Callable[[Tensor], Port]) -> _Own:
    count = twin.output.elements
    watched = ", ".join(str(int(c in twin.watched)) for c in range(count))
    numbers = {name: getattr(twin, name) for name in ("average", "threshold", "release", "refractory")}
    context = {**_scores(twin.scores, port_of(twin.output)), **numbers, "watched": watched}
    state_bytes = 2 * twin.average * count
    state_bytes += -state_bytes % 4 + 4 * count + 6 + count
    names = ("score_one", "nothing", "decision", "decision_reset", "decide", "average", "is_on")
    return _Own(context, _SCORES[twin.scores.kind, twin.scores.is_tempered], {}, names, state_bytes + -state_bytes % 4)


def _anomaly(twin: Anomaly, port_of: Callable[[Tensor], Port]) -> _Own:
    own, is_distance = twin.of_what, isinstance(twin.of_what, Distance)
    unit = f"{'squared' if twin.is_squared else 'absolute'} {'standard deviations' if is_distance else 'errors'}"
    context = {
        "own": own,
        "y": port_of(own.y),
        "is_distance": is_distance,
        "is_squared": twin.is_squared,
        "limit": twin.limit,
        "unit": twin.unit,
        "described_unit": unit,
    }
    arrays: dict[str, tuple[str, Array]] = {}
    if isinstance(own, Distance):
        arrays = {"after_means": ("int32_t", own.means), "after_factors": ("int32_t", own.factors)}
    else:
        context["x"] = port_of(own.x)
    return _Own(context, (), arrays, ("anomaly_unit", "anomaly_limit", "anomaly_score"))


def _boxes(twin: Boxes, port_of: Callable[[Tensor], Port]) -> _Own:
    decoder = twin.decoder
    ports = [port_of(tensor) for tensor in decoder.tensors]
    if isinstance(decoder, Yolo):
        own, names = _yolo(decoder, ports), [f"head{i}" for i in range(len(ports))]
    elif isinstance(decoder, Ssd):
        own, names = _ssd(decoder, ports, twin.threshold), ["boxes", "classes"]
    else:
        assert isinstance(decoder, Fomo)
        own, names = _fomo(decoder, ports[0], twin.threshold), ["grid"]
    context = {
        **own.context,
        "decoder": "yolo" if isinstance(decoder, Yolo) else twin.after.kind,
        "outputs": ports,
        "names": names,
        "parameters": ", ".join(f"const {port.c_type} *{name}" for port, name in zip(ports, names, strict=True)),
        "size": decoder.size,
        "threshold": twin.threshold,
        "overlap": twin.overlap,
        "any_class": twin.any_class,
        "most": twin.most,
        "room": twin.room,
    }
    return _Own(context, own.needs, own.arrays, ("score_one", "pixel", "candidates", "max_boxes", "box", "boxes"))


def _yolo(decoder: Yolo, ports: Sequence[Port]) -> _Own:
    context = {
        "version": decoder.version,
        "heads": decoder.heads,
        "anchors": len(decoder.heads[0].anchors),
        "is_decoded": decoder.is_decoded,
        "scale": decoder.scale,
        "bins": decoder.bins,
        "classes": decoder.classes,
        "first_class": decoder.first_class,
        "c_type": ports[0].c_type,
    }
    return _Own(context, () if decoder.is_decoded else ("mcuq_logistic", "mcuq_power_below"))


def _ssd(decoder: Ssd, ports: Sequence[Port], threshold: int) -> _Own:
    context = {
        **_scores(decoder.scores, ports[1]),
        "classes": decoder.count,
        "reach": _reach(decoder.scores, decoder.classes, threshold),
        "anchors": len(decoder.anchors),
        "background": decoder.background,
        "places": decoder.places,
        "moves": decoder.moves,
        "move_bits": decoder.move_bits,
        "grows": decoder.grows,
        "zero": decoder.boxes.zero_point,
        "box_type": ports[0].c_type,
    }
    needs = ("mcuq_power_below", *_SCORES[decoder.scores.kind, decoder.scores.is_tempered])
    return _Own(context, needs, {"after_anchors": ("int32_t", decoder.anchors)})


def _reach(scores: Scores, tensor: Tensor, threshold: int) -> int:
    """What a code is to have so that its score need be computed: a distance from the background's, or a size."""
    return farthest(scores, threshold) if scores.is_shared else least_code(scores, tensor.dtype, threshold)


def _fomo(decoder: Fomo, port: Port, threshold: int) -> _Own:
    step = f" * {decoder.cells[0] * decoder.cells[1]}" if decoder.is_planar else ""
    scores = {**_scores(decoder.scores, port), "classes": decoder.classes, "step": step}
    context = {**scores, "cells": decoder.cells, "reach": _reach(decoder.scores, decoder.output, threshold)}
    return _Own(context, _SCORES[decoder.scores.kind, decoder.scores.is_tempered])


def _floats(twin: Floats, port_of: Callable[[Tensor], Port]) -> _Own:
    return _Own({})


_KINDS: Mapping[str, Callable[[Any, Callable[[Tensor], Port]], _Own]] = {
    "anomaly": _anomaly,
    "classes": _classes,
    "decision": _decision,
    "floats": _floats,
    "fomo": _boxes,
    "ssd": _boxes,
    "yolov5": _boxes,
    "yolov8": _boxes,
}
