"""Samples that code makes as a data set: read once and kept on disk, so that their number and labels are known."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import ArrayLike

from mcuq.dataset.arrays import ArraySlices, array_column
from mcuq.dataset.checks import dataset_of
from mcuq.dataset.generator import Source, labelled_samples
from mcuq.dataset.samples import Dataset, InputSpec
from mcuq.errors import DataError


def from_source(source: Source, inputs: Sequence[InputSpec], labels: ArrayLike | None = None) -> Dataset:
    """Return all samples of what `from_generator` takes; labels are `labels`, else those of the items.

    Labels of items are class numbers: behind the inputs, or their entry "y". The temporary file of the samples goes
    with the data set. Raises DataError for the first item that does not fit, for none, and where only some have labels.
    """
    record = np.dtype([(str(index), np.float32, spec.shape) for index, spec in enumerate(inputs)])
    found = []
    with TemporaryFile() as file:
        for number, (sample, label) in enumerate(labelled_samples(source, inputs, "data")):
            file.write(b"".join(sample[spec.name].tobytes() for spec in inputs))
            if label is not None:
                found.append(label)
            if len(found) not in (0, number + 1):
                has, others = ("no label", "one") if label is None else ("a label", "none")
                raise DataError(
                    f"data, sample {number}: has {has}, those before have {others}; give all or none labels"
                )
        file.flush()
        values = np.memmap(file, record, "r")
    columns = [ArraySlices(f"data: array '{spec.name}'", values[str(index)]) for index, spec in enumerate(inputs)]
    given = labels if labels is not None else found or None
    return dataset_of("data", inputs, columns, None if given is None else array_column("data: labels", given))
