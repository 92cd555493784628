"""The memory of calibration does not grow with the number of samples, wherever they come from."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import calibration_memory
import numpy as np
import pytest
from calibration_memory import SAMPLE_BYTES, doubled, made, run
from PIL import Image

from mcuq.dataset import from_generator
from mcuq.quantize import input_specs

FEW, MANY = 10, 10_000


def written(kind: str, count: int, folder: Path) -> Path:
    folder.mkdir()
    if kind in ("npz", "compressed npz"):
        save = np.savez if kind == "npz" else np.savez_compressed
        save(folder / "data.npz", x=np.stack(list(made(count))), y=np.zeros(count, np.int64))
        return folder / "data.npz"
    for index, sample in enumerate(made(count)):
        if kind == "npy":
            np.save(folder / f"{index}.npy", sample)
        else:
            Image.fromarray(sample.reshape(32, 32).astype(np.uint8)).save(folder / f"{index}.bmp")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npz", "compressed npz", "npy", "images", "generator"])
def test_ten_thousand_samples_grow_the_process_no_more_than_ten(tmp_path: Path, kind: str) -> None:
    sources = [
        str(count) if kind == "generator" else str(written(kind, count, tmp_path / f"{count}")) for count in (FEW, MANY)
    ]
    result = subprocess.run(
        [sys.executable, calibration_memory.__file__, kind, *sources],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # Labels take 16 bytes a sample, names of files about 70; the rest is what the allocator leaves over.
    assert int(result.stdout) < MANY * SAMPLE_BYTES / 16


@pytest.mark.slow
def test_ten_thousand_samples_allocate_no_more_than_ten() -> None:
    graph = doubled()

    def peak_bytes(count: int) -> int:
        tracemalloc.start()
        assert run(from_generator(made(count), input_specs(graph)), graph) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(FEW)
    assert peak_bytes(MANY) < peak_bytes(FEW) + 30 * SAMPLE_BYTES
