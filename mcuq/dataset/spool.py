"""Samples that can be read once only, kept on disk as they pass, so that they can be read again in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile

import numpy as np

from mcuq.dataset.samples import InputSpec, Sample


class Spooled:
    """The samples of an iterable; the first iteration reads it, later ones read a temporary file.

    The file goes with the object. Iterations do not overlap, and the first goes to its end.
    """

    def __init__(self, inputs: tuple[InputSpec, ...], samples: Iterable[Sample]) -> None:
        self.inputs = inputs
        self._samples: Iterable[Sample] | None = samples
        self._file = TemporaryFile()  # noqa: SIM115 (it lives as long as the object)
        self._count = 0

    def __iter__(self) -> Iterator[Sample]:
        if self._samples is not None:
            samples, self._samples = self._samples, None
            for sample in samples:
                for spec in self.inputs:
                    self._file.write(np.ascontiguousarray(sample[spec.name], np.float32).tobytes())
                self._count += 1
                yield sample
            return
        self._file.seek(0)
        for _ in range(self._count):
            yield {spec.name: self._read(spec) for spec in self.inputs}

    def _read(self, spec: InputSpec) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        elements = int(np.prod(spec.shape, dtype=np.int64))
        return np.frombuffer(self._file.read(4 * elements), np.float32).reshape(spec.shape)
