"""Windows of a signal as sequences of calls, for models that take its frames one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mcuq.dataset.arrays import from_arrays
from mcuq.dataset.part import held_back_part, other_part
from mcuq.dataset.samples import Dataset, InputSpec, Sample
from mcuq.dataset.sequences import Sequences
from mcuq.errors import DataError
from mcuq.graph.ir import Stream
from mcuq.graph.states import RESET
from mcuq.graph.streams import calls_of, frames_of, window_before


@dataclass(frozen=True, eq=False, kw_only=True)
class Windows(Sequences):
    """Each sample of `windows` is a sequence of `stream.calls` calls, the last of which gives what the window gives."""

    windows: Dataset
    stream: Stream

    def __len__(self) -> int:
        return len(self.windows) * self.stream.calls

    def __iter__(self) -> Iterator[Sample]:
        for window in self.windows:
            ((name, values),) = window.items()
            for number, frames in enumerate(frames_of(calls_of(values, self.stream), self.stream)):
                yield {RESET: np.array(number == 0, np.float32), name: frames}

    def part(self, held_back: bool) -> Windows:
        return replace(self, windows=(held_back_part if held_back else other_part)(self.windows))


def windows_of(calls: Sequences, stream: Stream) -> Dataset:
    """The windows that end with the calls of sequences, of each as soon as one is full. Raises DataError where none
    is."""
    if isinstance(calls, Windows):
        return calls.windows
    (spec,) = calls.inputs
    found = []
    for part in calls.parts:
        signal = np.concatenate([sample[spec.name] for sample in part], stream.axis)
        for end in range(stream.calls * stream.hop, signal.shape[stream.axis] + 1, stream.hop):
            found.append(window_before(signal, stream, end))
    if not found:
        raise DataError(
            f"data: no sequence has {stream.calls} calls, which fill a window of {stream.window} frames; "
            "give longer ones"
        )
    window = InputSpec(spec.name, found[0].shape, spec.integers)
    return from_arrays({spec.name: np.stack(found)}, (window,))
