"""Run as a program by test_calibration_memory.py, in a process of its own.

python calibration_memory.py KIND FEW MANY calibrates a small network on the data at FEW, then on that at MANY, and
prints by how many bytes the second raised the peak of the process's resident memory (Linux). KIND is "files",
"generator", or "held", which keeps all samples to show that the measure sees them; for these two, FEW and MANY are
numbers of samples.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mcuq.dataset import Sample, Spooled, count_samples, from_generator, open_dataset, spread_samples
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
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
    count = count_samples(samples)
    assert len(spread_samples(samples, KEPT, count)) == KEPT
    calibrate(graph, samples)
    return count


def peak_bytes() -> int:
    # Not getrusage: its peak is handed down from the process that started this one.
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])


def main(kind: str, *sources: str) -> None:
    graph = doubled()
    specs = input_specs(graph)
    peaks = []
    for source in sources:
        if kind == "files":
            run(open_dataset(source, specs), graph)
        else:
            samples = Spooled(specs, from_generator(made(int(source)), specs))
            run(samples if kind == "generator" else list(samples), graph)
        peaks.append(peak_bytes())
    print(peaks[1] - peaks[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
