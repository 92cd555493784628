"""Keeps some of the samples that pass by, spread evenly, for a second look without reading all of them again."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sized

import numpy as np

from mcuq.dataset.samples import Sample

# 2^64 over the golden ratio, odd. Its multiples modulo 2^64 are spread evenly, at whatever sample they begin or end,
# and whatever period the data has: the few least of them are those of samples spread evenly. Source: Knuth, "The Art
# of Computer Programming", volume 3, section 6.4, theorem S.
_GOLDEN = 0x9E3779B97F4A7C15


class Spread:
    """The samples of an iterable, of which at most `most` are kept while one iterates, once.

    Which are kept depends on their number alone; up to `most` samples, all are. Where that number is known beforehand,
    they are evenly spaced from the first to the last.
    """

    def __init__(self, samples: Iterable[Sample], most: int) -> None:
        self.seen = 0
        self._samples = samples
        self._most = most
        self._wanted: frozenset[int] | None = None
        if isinstance(samples, Sized):
            count = min(len(samples), most)
            self._wanted = frozenset(np.linspace(0, len(samples) - 1, count).round().astype(int).tolist())
        # (minus the sample's multiple, its index, the sample): the greatest multiple comes first. All differ.
        self._heap: list[tuple[int, int, Sample]] = []

    def __iter__(self) -> Iterator[Sample]:
        for sample in self._samples:
            self._offer(sample)
            yield sample

    @property
    def kept(self) -> list[Sample]:
        """Copies of the samples kept so far, in their order."""
        return [sample for _, _, sample in sorted(self._heap, key=lambda entry: entry[1])]

    def _offer(self, sample: Sample) -> None:
        index, self.seen = self.seen, self.seen + 1
        if self._wanted is not None and index not in self._wanted:
            return
        key = -(index * _GOLDEN % (1 << 64))
        if len(self._heap) < self._most or key > self._heap[0][0]:
            # A copy: whoever made the sample may write to it again, or it is a small part of something large.
            entry = (key, index, {name: values.copy() for name, values in sample.items()})
            push = heapq.heappush if len(self._heap) < self._most else heapq.heapreplace
            push(self._heap, entry)


def spread_samples(samples: Iterable[Sample], most: int) -> list[Sample]:
    """At most `most` of the samples, spread evenly; all of them are read, once."""
    spread = Spread(samples, most)
    for _ in spread:
        pass
    return spread.kept
