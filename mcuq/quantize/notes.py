"""What of a scheme the layers of a network do not follow, in sentences for its user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Tensor
from mcuq.ops.given_weights import given_integers
from mcuq.quantize.dtypes import activation_dtypes, is_finer
from mcuq.quantize.quality import decibels, sqnr_text
from mcuq.quantize.scheme import Scheme


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first of the names in quotes, and how many more there are."""
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def scheme_notes(graph: Graph, scheme: Scheme) -> tuple[str, ...]:
    """Of a float graph with its conversions: overrides that mean several layers, as the model calls them all by one
    name, layers that compute in other numbers than the scheme asks for, and places that 8 bits do not tell apart."""
    return (
        *_shared_names(graph, scheme),
        *_other_activations(graph, scheme),
        *_other_weights(graph, scheme),
        *_coarse_places(graph, scheme),
    )


def narrowing_notes(graph: Graph, integer: Graph) -> tuple[str, ...]:
    """Activations that came with finer steps than they have under the scheme; `integer` is the graph quantized."""
    given = [
        (t.name, t.quant, integer.tensors[t.name])
        for t in graph.tensors.values()
        if t.quant is not None and t.integers is None and not t.is_constant and t.name in integer.tensors
    ]
    narrowed = [name for name, quant, found in given if is_finer(quant.dtype, found.dtype)]
    shifted = [name for name, quant, found in given if quant.dtype == found.dtype == "int16" and quant.zero_point]
    notes = []
    if narrowed:
        notes.append(f"the model has 16 bits for {listed(narrowed)}, and the scheme fewer; --scheme int16 keeps them")
    if shifted:
        notes.append(
            f"the model has 16 bits about another zero point than the middle for {listed(shifted)}: here they are "
            "about 0, with the same range and steps of up to twice the size"
        )
    return tuple(notes)


def lost_notes(lost: Mapping[str, str], graph: Graph, integer: Graph) -> tuple[str, ...]:
    """Weights that came quantized in a way that no layer has here, with what rounding them anew costs; `lost` has what
    they came with by their layer's name, `integer` is the graph quantized. Nothing where they are floats."""
    rounded = {layer.name: layer.inputs[1] for layer in integer.layers() if layer.name in lost}
    found: dict[str, dict[str, float]] = {}
    for layer in graph.layers():
        weight = rounded.get(layer.name)
        if weight is not None and weight.quant is not None:
            found.setdefault(lost[layer.name], {})[layer.name] = _weight_sqnr(layer.inputs[1], weight)
    return tuple(_lost(list(ratios), what, min(ratios.values())) for what, ratios in found.items())


def _lost(names: Sequence[str], what: str, least: float) -> str:
    or_more = " or more" if len(names) > 1 else ""
    return (
        f"weights of {listed(names)} came with {what}, and have one scale a channel here: they are rounded anew, with "
        f"an SQNR of {sqnr_text(least)}{or_more} against the file's; --scheme float32 keeps them"
    )


def _weight_sqnr(real: Tensor, rounded: Tensor) -> float:
    wanted = real.values.reshape(len(real.values), -1).astype(np.float64)
    scale = np.array(rounded.quantization.scale).reshape(-1, 1)
    noise = wanted - rounded.values.reshape(wanted.shape) * scale
    return decibels(float(np.square(wanted).sum()), float(np.square(noise).sum()))


def _shared_names(graph: Graph, scheme: Scheme) -> Iterator[str]:
    for pattern, names in scheme.shared_names(node.names for node in graph.nodes).items():
        yield (
            f"{len(names)} layers are called '{pattern}' in the model and take what the scheme says of it; their own "
            f"names are {listed(names)}"
        )


def _other_activations(graph: Graph, scheme: Scheme) -> Iterator[str]:
    """Operators without kernels of the type; what only moves values has the type of what it moves."""
    found: dict[str, list[str]] = {}
    for node in graph.nodes:
        wanted = scheme.of(*node.names).activations
        is_real = graph.tensors[node.output].integers is None
        if is_real and not (node.op.shares_scale or node.op.is_conversion) and wanted not in node.op.dtypes:
            found.setdefault(wanted, []).append(node.name)
    for wanted, names in found.items():
        yield f"{listed(names)} compute in int8, as their operators have no {wanted}, which the scheme asks for"


def _coarse_places(graph: Graph, scheme: Scheme) -> Iterator[str]:
    """Of the largest values of windows, where others are put back."""
    dtypes = activation_dtypes(graph, scheme)
    found = [node for node in graph.nodes if node.op.chooses_places and dtypes[node.inputs[0]] == "int8"]
    if found:
        yield (
            f"{listed([node.source or node.name for node in found])}: of values that 8 bits do not tell apart the "
            "first counts as the largest, and what is put back to its place may be beside it; there are fewer with "
            "--scheme int16, and none with float32"
        )


def _other_weights(graph: Graph, scheme: Scheme) -> Iterator[str]:
    """Weights that came as integers are kept, unless they are to be floats."""
    found: dict[str, list[str]] = {}
    for layer in graph.layers():
        own = scheme.of(*layer.names)
        integers = given_integers(layer)
        if integers is not None and not own.stored.keeps(integers):
            found.setdefault(own.weights, []).append(layer.name)
    for wanted, names in found.items():
        kept = f"weights of {listed(names)} came quantized and stay as they are"
        yield f"{kept}; quantize the float model to have {wanted}"
