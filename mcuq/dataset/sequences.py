"""Samples in order, for models whose states go on from one to the next: sequences of calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset.arrays import from_arrays
from mcuq.dataset.checks import input_keys, sample_shapes, shape_text
from mcuq.dataset.npy import damage_reported
from mcuq.dataset.part import held_back_indices
from mcuq.dataset.plain import as_array
from mcuq.dataset.samples import Dataset, InputSpec, Sample
from mcuq.dataset.single import is_npy
from mcuq.dataset.source import open_dataset
from mcuq.errors import DataError
from mcuq.graph.states import RESET

_SUFFIXES = (".npy", ".npz")


@dataclass(frozen=True, eq=False)
class Sequences:
    """Each of `parts` is one sequence, whose samples are the inputs of calls in order; before its first one the states
    begin anew. Iteration gives all calls, sequence by sequence; those of `batches` say by RESET (calls,) which come
    first."""

    inputs: tuple[InputSpec, ...]
    parts: tuple[Dataset, ...]
    labels: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """The number of calls."""
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[Sample]:
        for part in self.parts:
            for number, sample in enumerate(part):
                yield {RESET: np.array(number == 0, np.float32), **sample}

    def part(self, held_back: bool) -> Sequences:
        """A quarter of the sequences, or all others; of few, up to a half. Raises DataError for a single one."""
        chosen = held_back_indices(len(self.parts))
        return replace(self, parts=tuple(own for i, own in enumerate(self.parts) if (i in chosen) == held_back))

    def batches(self, samples: int) -> Iterator[Sample]:
        """(calls, *shape) of so many calls in order, the last with what is left."""
        held: list[Sample] = []
        for sample in self:
            held.append(sample)
            if len(held) == samples:
                yield _stacked(held)
                held = []
        if held:
            yield _stacked(held)


def _stacked(samples: Sequence[Sample]) -> Sample:
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def open_sequences(data: object, inputs: Sequence[InputSpec]) -> Sequences:
    """The sequences of calls for a model with `inputs` beside its states:

    - an .npz file, or a dictionary: an array of each input (or "x"), (sequences, steps, *input shape); a .npy file or
      an array where there is one input;
    - a folder: one sequence a file, in the order of their names, of any length: .npy (steps, *input shape), or .npz
      with an array of each input; or a list of such arrays or dictionaries.

    Raises DataError where data is none of these, has no step behind another, or does not fit the model.
    """
    specs = tuple(inputs)
    if isinstance(data, str | Path):
        where, parts = Path(data).absolute().name, _opened(Path(data).absolute(), specs)
    elif isinstance(data, list | tuple):
        where, parts = "data", [_of_arrays(f"data: sequence {i}", own, specs) for i, own in enumerate(data)]
    elif isinstance(data, Mapping) or hasattr(data, "shape"):
        where, parts = "data", _split("data", data, specs)
    else:
        raise DataError(
            "data: the model has states, which go along sequences: give a file, a folder, arrays (sequences, steps, "
            "...), or a list of arrays (steps, ...)"
        )
    if not parts:
        raise DataError(f"{where}: holds no sequence; give .npy or .npz files, one each")
    if all(len(part) < 2 for part in parts):
        raise DataError(
            f"{where}: {'all sequences are' if len(parts) > 1 else 'its sequence is'} of one call, which tells nothing "
            f"of what states become; give several steps each, {_wanted(specs)}"
        )
    return Sequences(specs, tuple(replace(part, labels=None, label_names=None) for part in parts))


def _opened(path: Path, specs: tuple[InputSpec, ...]) -> list[Dataset]:
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{path}: no such file or folder; give an .npz file, or a folder of .npy or .npz files")
        with damage_reported(path.name):
            found = np.load(path, allow_pickle=False)
            arrays = found if is_npy(path) else {key: found[key] for key in found.files}
        return _split(path.name, arrays, specs)
    try:
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in _SUFFIXES and not f.name.startswith("."))
    except OSError as error:
        raise DataError(f"{path.name}: cannot be listed ({error.strerror})") from None
    return [open_dataset(file, specs) for file in files]


def _of_arrays(where: str, data: object, specs: tuple[InputSpec, ...]) -> Dataset:
    try:
        return from_arrays(cast(Any, data), specs)
    except DataError as error:
        raise DataError(str(error).replace("data:", f"{where}:", 1)) from None


def _split(where: str, data: object, specs: tuple[InputSpec, ...]) -> list[Dataset]:
    """Arrays (sequences, steps, *shape)."""
    arrays = {str(k): v for k, v in data.items()} if isinstance(data, Mapping) else {"x": data}
    keys = input_keys(where, arrays, specs)
    columns = [as_array(f"{where}: array '{key}'", cast(Any, arrays[key])) for key in keys]
    for spec, key, column in zip(specs, keys, columns, strict=True):
        if column.shape[2:] not in sample_shapes(spec) or column.ndim < 2:
            raise DataError(
                f"{where}: array '{key}': shape {shape_text(column.shape)} does not fit the model's input "
                f"'{spec.name}'; the model has states, which go along sequences: give {_wanted((spec,))}"
            )
    if len({column.shape[:2] for column in columns}) > 1:
        counts = ", ".join(
            f"'{key}' has {c.shape[0]} of {c.shape[1]} steps" for key, c in zip(keys, columns, strict=True)
        )
        raise DataError(f"{where}: the inputs have different numbers of sequences or steps: {counts}")
    return [
        from_arrays({spec.name: column[i] for spec, column in zip(specs, columns, strict=True)}, specs)
        for i in range(len(columns[0]))
        if columns[0].shape[1]
    ]


def _wanted(specs: Sequence[InputSpec]) -> str:
    return "shape " + " and ".join(shape_text(("sequences", "steps", *sample_shapes(spec)[0])) for spec in specs)
