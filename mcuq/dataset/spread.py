"""Some samples of many, spread evenly, for all that is measured on fewer samples than there are."""

from __future__ import annotations

from collections.abc import Iterable, Sized

import numpy as np

from mcuq.dataset.samples import Sample

# The golden ratio, less one: the fractions of its multiples are spread evenly over 0 to 1. Source: Knuth, "The Art of
# Computer Programming", volume 3, section 6.4, theorem S.
_GOLDEN = (5**0.5 - 1) / 2


def spread_indices(count: int, most: int) -> list[int]:
    """At most `most` of `count` indices, in order and evenly spaced; up to `most`, all.

    Parts of `count // most` indices lie evenly from the first to the last; where in its part an index is changes from
    part to part, so that a period of the data, such as classes in turn, does not show in what is chosen.
    """
    if count <= most:
        return list(range(count))
    if (count + 1) % most == 0 and most > 1:  # parts would be one index apart, everywhere at the same place of a period
        most -= 1
    width = count // most
    starts = np.linspace(0, count - width, most).round()
    places = np.floor(np.arange(most) * _GOLDEN % 1 * width)
    found: list[int] = (starts + places).astype(int).tolist()
    return found


def scattered_indices(count: int) -> list[int]:
    """All of `count` indices in an order of which each part lies scattered over all of them: the index with the least
    fraction of its golden multiple first.

    Distances of the indices in a part are Fibonacci numbers and their sums, so that periods of the data do not show.
    """
    found: list[int] = np.argsort(np.arange(count) * _GOLDEN % 1, kind="stable").tolist()
    return found


def count_samples(samples: Iterable[Sample]) -> int:
    """How many samples there are; they are read where nothing else tells."""
    return len(samples) if isinstance(samples, Sized) else sum(1 for _ in samples)


def spread_samples(samples: Iterable[Sample], most: int, count: int | None = None) -> list[Sample]:
    """Copies of those of the samples that `spread_indices` says.

    Which are chosen depends on their number alone, whatever the source. That is `count`; samples are read once more
    where it is not given and nothing else tells.
    """
    wanted = frozenset(spread_indices(count_samples(samples) if count is None else count, most))
    # A copy: whoever made the sample may write to it again, or it is a small part of something large.
    return [
        {name: values.copy() for name, values in sample.items()}
        for index, sample in enumerate(samples)
        if index in wanted
    ]
