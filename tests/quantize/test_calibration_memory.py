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

from mcuq.dataset import Spooled, from_generator
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


def growth_bytes(kind: str, *sources: object) -> int:
    result = subprocess.run(
        [sys.executable, calibration_memory.__file__, kind, *map(str, sources)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


# Labels take 16 bytes a sample, names of files about 70; the rest is what the allocator leaves over.
SMALL = MANY * SAMPLE_BYTES / 16


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npz", "compressed npz", "npy", "images"])
def test_ten_thousand_samples_in_files_grow_the_process_no_more_than_ten(tmp_path: Path, kind: str) -> None:
    sources = [written(kind, count, tmp_path / str(count)) for count in (FEW, MANY)]
    assert growth_bytes("files", *sources) < SMALL


@pytest.mark.slow
def test_ten_thousand_samples_of_a_generator_grow_the_process_no_more_than_ten() -> None:
    assert growth_bytes("generator", FEW, MANY) < SMALL
    assert growth_bytes("held", FEW, MANY) > MANY * SAMPLE_BYTES / 2


@pytest.mark.slow
def test_ten_thousand_samples_allocate_no_more_than_ten() -> None:
    graph = doubled()

    def peak_bytes(count: int) -> int:
        tracemalloc.start()
        specs = input_specs(graph)
        assert run(Spooled(specs, from_generator(made(count), specs)), graph) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(FEW)
    assert peak_bytes(MANY) < peak_bytes(FEW) + 30 * SAMPLE_BYTES
