"""Kernels that make bands of rows: one function for all bands of a layer, told how many rows it reads and makes."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from mcuq.graph.operator import Layer
from mcuq.graph.rows import Band
from mcuq.graph.tensor import Tensor
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import BAND, Call, Kernel, RowsOf
from mcuq.lower.program import array_key


def banded_layer(layer: Layer, axis: int, band: Band) -> Layer:
    """The layer on one band: its computed inputs have `in_rows` along `axis`, but where it needs the whole of them, and
    its output `out_rows`."""

    def cut(tensor: Tensor, rows: int) -> Tensor:
        return replace(tensor, shape=(*tensor.shape[:axis], rows, *tensor.shape[axis + 1 :]))

    is_cut = layer.op.row_pitch(layer, axis) is None
    inputs = tuple(cut(t, band.in_rows) if is_cut and not t.is_constant else t for t in layer.inputs)
    return replace(layer, op=layer.op.banded(axis, band), inputs=inputs, output=cut(layer.output, band.out_rows))


def band_call(layer: Layer, axis: int, bands: Sequence[Band], features: Set[str]) -> Call | None:
    """The call that makes any of the bands, by the first kernel of one call that can and whose constants either are
    those of all bands or follow from their rows; None where there is none."""
    layers = [banded_layer(layer, axis, band) for band in dict.fromkeys(bands)]
    kinds = list(dict.fromkeys(bands))
    for kernel in KERNELS[type(layer.op)]:
        if all(kernel.fits(own, features) for own in layers):
            found = _joined(kernel, layers, kinds)
            if found is not None:
                return found
    return None


def _joined(kernel: Kernel, layers: Sequence[Layer], bands: Sequence[Band]) -> Call | None:
    lowered = [kernel.lower(layer.op, layer) for layer in layers]
    if any(len(calls) != 1 for calls in lowered):
        return None
    calls = [own for (own,) in lowered]
    first = calls[0]
    arrays = {name: array_key(array) for name, array in first.arrays.items()}
    for call in calls[1:]:
        own = {name: array_key(array) for name, array in call.arrays.items()}
        if call.constants.form() != first.constants.form() or own != arrays or call.inputs != first.inputs:
            return None
    numbers = [call.constants.numbers() for call in calls]
    differing = [name for name in numbers[0] if len({own[name] for own in numbers}) > 1]
    largest = {name: max(own[name] for own in numbers) for name in differing if name in first.constants.may_be_larger}
    # Scratch is that of a band that needs all of it.
    models = [i for i, own in enumerate(numbers) if all(own[name] == value for name, value in largest.items())]
    rows = [_rows_of(name, [own[name] for own in numbers], bands) for name in differing if name not in largest]
    if not models or None in rows:
        return None
    return replace(
        first,
        constants=first.constants.with_numbers({name: numbers[models[0]][name] for name in numbers[0]}),
        scratch_bytes=max(call.scratch_bytes for call in calls),
        bound=max(call.bound for call in calls),
        below=None,
        rows=tuple(own for own in rows if own is not None),
    )


def _rows_of(name: str, values: Sequence[int], bands: Sequence[Band]) -> RowsOf | None:
    """What the constant is so many times of in each band."""
    for index, key in enumerate(BAND[:3]):
        counts = [getattr(band, key) for band in bands]
        factor = next((value // count for value, count in zip(values, counts, strict=True) if count), 0)
        if all(value == factor * count for value, count in zip(values, counts, strict=True)):
            return RowsOf(name, index, factor)
    return None
