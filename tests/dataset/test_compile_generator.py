"""Calibration from Python code gives the model that the same samples in an array give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcuq
from mcuq.resources import resource_dir

DIGITS = resource_dir("examples") / "digits"
X = np.load(DIGITS / "digits_calibration.npz")["x"]


@pytest.fixture(scope="module")
def expected() -> mcuq.CompiledModel:
    return mcuq.compile(DIGITS / "digits.onnx", "host", X)


def reused_buffer() -> Any:
    buffer = np.zeros_like(X[0])
    for x in X:
        buffer[:] = x
        yield buffer


@pytest.mark.parametrize(
    "source",
    [
        lambda: (x for x in X),
        lambda: lambda: iter(X),
        lambda: iter(np.split(X, [7, 50])),
        lambda: [{"image": x} for x in X],
        reused_buffer,
    ],
    ids=["generator", "function", "batches", "list of dictionaries", "reused buffer"],
)
def test_samples_that_are_made_one_by_one_give_the_same_model(
    source: Callable[[], Any], expected: mcuq.CompiledModel
) -> None:
    model = mcuq.compile(DIGITS / "digits.onnx", "host", source())
    assert model.files == expected.files
    assert model.origin.samples == 100


def test_the_number_of_steps_is_told_whatever_the_source() -> None:
    tasks: list[tuple[str, int | None]] = []
    steps: list[str] = []

    def progress(task: str, total: int | None) -> Callable[[], None]:
        tasks.append((task, total))
        return lambda: steps.append(task)

    for data in (X[:20], iter(X[:20])):
        mcuq.compile(DIGITS / "digits.onnx", "host", data, progress=progress)
    assert [task for task in tasks if task[0] == "calibrating"] == [("calibrating", 20)] * 2
    assert steps.count("calibrating") == 40


def test_more_samples_than_bias_correction_looks_at_give_the_same_model_from_any_source(tmp_path: Path) -> None:
    x = np.tile(X, (4, 1, 1, 1))
    np.savez(tmp_path / "x.npz", x=x)
    models = [mcuq.compile(DIGITS / "digits.onnx", "host", data) for data in (x, iter(x), tmp_path / "x.npz")]
    assert models[0].files == models[1].files == models[2].files
    assert {model.origin.samples for model in models} == {400}
