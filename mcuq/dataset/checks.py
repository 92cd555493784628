"""What every source of samples checks before any is read: dtype, shape and count of inputs and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset.samples import Column, Dataset, InputSpec
from mcuq.errors import DataError, did_you_mean

LABELS_KEY = "y"
SINGLE_INPUT_KEY = "x"


class ArrayColumn(Column, Protocol):
    """A column whose samples lie along the first axis of one array."""

    @property
    def where(self) -> str:
        """The file, and what the array is called there."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The whole array's."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""


def input_keys(where: str, keys: Iterable[str], inputs: Sequence[InputSpec]) -> tuple[str, ...]:
    """Return each input's key: its own name, or "x" (which comes first) where it is the only one.

    Raises DataError, which lists the keys there are, where one is missing.
    """
    keys = sorted(keys)
    found = []
    for spec in inputs:
        names = list(dict.fromkeys([SINGLE_INPUT_KEY] * (len(inputs) == 1) + [spec.name]))
        key = next((name for name in names if name in keys), None)
        if key is None:
            wanted = " or ".join(f"'{name}'" for name in names)
            held = ", ".join(f"'{name}'" for name in keys) or "none"
            raise DataError(
                f"{where}: no array {wanted} for the model's input '{spec.name}'; the arrays are: {held}"
                + did_you_mean(spec.name, keys)
            )
        found.append(key)
    return tuple(found)


def dataset_of(
    where: str, inputs: Sequence[InputSpec], columns: Sequence[ArrayColumn], labels: ArrayColumn | None
) -> Dataset:
    """Return the data set of one column per input; raises DataError where they do not fit the model."""
    for spec, column in zip(inputs, columns, strict=True):
        check_dtype(column.where, column.dtype, spec.integers is not None)
        _check_samples_shape(column.where, column.shape, spec)
    if len({len(column) for column in columns}) > 1:
        counts = ", ".join(f"'{s.name}' has {len(c)}" for s, c in zip(inputs, columns, strict=True))
        raise DataError(f"{where}: the inputs have different numbers of samples: {counts}")
    known = None if labels is None else _read_labels(labels, len(columns[0]))
    return Dataset(tuple(inputs), tuple(columns), known)


def check_dtype(where: str, dtype: np.dtype[Any], takes_bool: bool = False) -> None:
    """Raise DataError unless `dtype` is a float or an integer, or a boolean where one is taken."""
    if dtype.kind not in ("fiub" if takes_bool else "fiu"):
        raise DataError(f"{where}: dtype {dtype} is not supported; use float32, float64, float16 or integers")


def sample_shapes(spec: InputSpec) -> tuple[tuple[int, ...], ...]:
    """Return the shapes one sample may have: the input's, or that without its batch of one."""
    return (spec.shape[1:], spec.shape) if spec.shape[:1] == (1,) else (spec.shape,)


def shape_text(shape: Sequence[object]) -> str:
    """Return `shape` as Python writes a tuple, with names such as N in it bare."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def transposed_hint(shape: tuple[int, ...], spec: InputSpec, axis: int) -> str:
    """What to do where a sample's channels are last and the model's first, or the reverse; else nothing.

    The sample's first dimension is the `axis`-th of the array that the user has.
    """
    if len(shape) == len(spec.shape) > 2 and shape[0] == spec.shape[0] == 1:
        shape, axis = shape[1:], axis + 1
    rank = len(shape)
    if rank >= 2 and (*shape[-1:], *shape[:-1]) in sample_shapes(spec):
        return f"; transposed? np.moveaxis(x, -1, {axis}) puts the channels first"
    if rank >= 3 and (*shape[1:], *shape[:1]) in sample_shapes(spec):
        return f"; transposed? np.moveaxis(x, {axis}, -1) puts the channels last"
    return ""


def _check_samples_shape(where: str, shape: tuple[int, ...], spec: InputSpec) -> None:
    allowed = sample_shapes(spec)
    if not shape or shape[1:] not in allowed:
        raise DataError(
            f"{where}: shape {shape_text(shape)} does not fit the model's input '{spec.name}'; "
            f"give {shape_text(('N', *allowed[0]))} for N samples" + transposed_hint(shape[1:], spec, 1)
        )
    if shape[0] < 1:
        raise DataError(f"{where}: shape {shape_text(shape)} has fewer than one sample; give at least one")


def _read_labels(labels: ArrayColumn, samples: int) -> NDArray[np.int64]:
    fits = labels.shape in ((samples,), (samples, 1))
    if labels.dtype.kind not in ("iufb" if fits else "iu"):
        raise DataError(f"{labels.where}: dtype {labels.dtype} is not supported; give integer class numbers")
    if not fits:
        raise DataError(
            f"{labels.where}: shape {shape_text(labels.shape)} does not fit {samples} samples; "
            f"give one class number each, shape {shape_text((samples,))}"
        )
    values = np.concatenate(list(labels.blocks(samples))).reshape(samples)
    if values.dtype.kind == "f" and not (whole := (np.abs(values) < 2**53) & (values == np.rint(values))).all():
        first = int(np.argmin(whole))
        raise DataError(f"{labels.where}: sample {first} has {values[first]:g}, no class number; give integers")
    return values.astype(np.int64)
