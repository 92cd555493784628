"""The main job on the bundled digits network: compile, simulate, run on an emulated board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcuq.build.footprint import Footprint, measure_footprint
from mcuq.compile import CompiledModel, compile_model, dataset_for
from mcuq.graph.tensor import Array
from mcuq.resources import resource_dir
from mcuq.validate import AccuracyReport, BitsReport, check_bits, integer_batches, measure_accuracy

SAMPLES = 100


@dataclass(frozen=True)
class Demo:
    """What the demo showed: `images` (100, 8, 8) with pixels 0..1, their labels, and what the board answered."""

    model: CompiledModel
    footprint: Footprint
    accuracy: AccuracyReport
    bits: BitsReport
    images: Array
    labels: Array
    answers: Array


def run_demo(board: str = "cortex-m4") -> Demo:
    """Compile the digits network for the board and run 100 real digits on its emulated CPU.

    Raises BuildError without the packages of mcuq[emulator].
    """
    folder = resource_dir("examples") / "digits"
    model = compile_model(folder / "digits.onnx", board, folder / "digits_calibration.npz")
    with np.load(folder / "digits_test.npz", allow_pickle=False) as data:
        images, labels = data["x"][:SAMPLES], data["y"][:SAMPLES]
    dataset = dataset_for(model.graph, images, labels)
    answers: list[int] = []

    def observe(sample: int, outputs: Mapping[str, Array]) -> None:
        answers.append(int(outputs[model.graph.outputs[0]].argmax()))

    bits = check_bits(model, integer_batches(model.graph, dataset), observe=observe)
    return Demo(
        model,
        measure_footprint(model),
        measure_accuracy(model, dataset),
        bits,
        images.reshape(-1, 8, 8),
        labels,
        np.array(answers),
    )
