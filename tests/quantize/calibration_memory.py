"""Run as a program by test_calibration_memory.py, in a process of its own.

python calibration_memory.py KIND FEW MANY calibrates a small network on the data at FEW, then on that at MANY, and
prints by how many bytes the second grew the process. For a generator, FEW and MANY are numbers of samples.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Iterator

import numpy as np

from mcuq.builder import GraphBuilder
from mcuq.dataset import Sample, Spread, from_generator, open_dataset
from mcuq.ir import Graph
from mcuq.ops.add import Add
from mcuq.quantize import calibrate, input_specs

SHAPE = (1, 32, 32, 1)
SAMPLE_BYTES = 4 * 32 * 32
KEPT = 8


def doubled() -> Graph:
    builder = GraphBuilder("net")
    x = builder.input("x", SHAPE)
    builder.outputs.append(builder.add(Add(), [x, x], "y"))
    return builder.graph()


def made(count: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    return (rng.integers(0, 256, SHAPE).astype(np.float32) for _ in range(count))


def run(samples: Iterable[Sample], graph: Graph) -> int:
    """Calibrates as compile does, and returns the number of samples."""
    spread = Spread(samples, KEPT)
    calibrate(graph, spread)
    assert len(spread.kept) == KEPT
    return spread.seen


def main(kind: str, *sources: str) -> None:
    graph = doubled()
    specs = input_specs(graph)
    peaks = []
    for source in sources:
        run(from_generator(made(int(source)), specs) if kind == "generator" else open_dataset(source, specs), graph)
        peaks.append(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(peaks[1] - peaks[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
