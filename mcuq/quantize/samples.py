"""The bounded share of the calibration samples that everything beyond plain ranges is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np

from mcuq.tensor import Array

# Their activations are held at once, so that memory does not grow with the data. Fewer than a hundred left the
# means of the reference networks unsettled.
MOST_SAMPLES = 256


class Samples(Protocol):
    """Float32 inputs by name, countable and as often iterable as one likes: a Dataset or a list."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Mapping[str, Array]]: ...


def spread_samples(samples: Samples) -> list[Mapping[str, Array]]:
    """At most MOST_SAMPLES of them, spread evenly from the first to the last."""
    wanted = np.linspace(0, len(samples) - 1, min(len(samples), MOST_SAMPLES)).round().astype(int).tolist()
    chosen = set(wanted)
    return [sample for index, sample in enumerate(samples) if index in chosen]
