"""The examples stay true: the commands in their READMEs are run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import mcuq
from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel, assemble

ROOT = Path(__file__).resolve().parents[1]
QAT = ROOT / "examples" / "pytorch_qat"
ENCODER = ROOT / "examples" / "encoder" / "encoder.onnx"
VIBRATION = ROOT / "examples" / "vibration"


def commands(example: str) -> str:
    """The block of the example's README that a test runs."""
    readme = (ROOT / "examples" / example / "README.md").read_text()
    found = re.search(r"<!-- a test runs these commands -->\n```sh\n(.*?)```", readme, re.DOTALL)
    assert found is not None
    return found[1]


def run(folder: Path, *command: str) -> str:
    # The `mcuq` of this Python, not one that happens to be on PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the examples in it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


@pytest.mark.slow
def test_a_network_trained_with_int8_in_the_loop(folder: Path) -> None:
    said = run(folder, "bash", "-euo", "pipefail", "-c", commands("pytorch_qat"))
    assert "quantized: weights of 5 of 5 layers, scales of 11 of 11 tensors" in said
    assert "ranges  those of the quantized model" in said
    assert "warning" not in said
    assert "accuracy    98.00 %" in said
    assert "bit-exact: 2,500 of 2,500 output bytes equal, 250 samples" in said


def test_networks_that_onnx_runtime_quantized(folder: Path) -> None:
    said = run(folder, "bash", "-euo", "pipefail", "-c", commands("onnxruntime_quantized"))
    for form in ("qdq", "qoperator"):
        assert f"digits_{form}.onnx: ranges given" in said
    equal = [float(share) for share in re.findall(r"([\d.]+)% equal, at most [01] steps", said)]
    assert len(equal) == 2
    assert min(equal) >= 99
    assert said.count("every byte is the simulator's") == 2
    assert (folder / "build" / "onnxruntime" / "digits_qdq" / "digits_qdq.c").is_file()


@pytest.fixture(scope="module")
def encoder() -> tuple[CompiledModel, dict[str, np.ndarray]]:
    """The encoder in int8, and images that it was not trained on."""
    model = mcuq.compile(ENCODER, "cortex-m4", ROOT / "examples" / "digits" / "digits_calibration.npz")
    return model, dict(np.load(QAT / "test.npz"))


@pytest.mark.slow
def test_the_commands_of_the_encoder(folder: Path) -> None:
    said = run(folder, "bash", "-euo", "pipefail", "-c", commands("encoder"))
    assert "accuracy    98.00 %" in said
    assert "bit-exact: 20 of 20 output bytes equal, 2 samples" in said


@pytest.mark.slow
def test_an_encoder_of_int8_is_as_good_as_in_float(encoder: tuple[CompiledModel, dict[str, np.ndarray]]) -> None:
    model, test = encoder
    report = mcuq.simulate(model, test["x"], test["y"]).report
    assert report.accuracy is not None and report.float_accuracy is not None
    assert report.float_accuracy >= 0.9
    assert report.accuracy >= report.float_accuracy - 0.005
    assert report.outputs[0].sqnr_db >= 30
    assert model.arena_bytes <= 32 * 1024  # the scores of all heads alone would be 16 KB


@pytest.mark.slow
@pytest.mark.parametrize("board", ["host", "cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
def test_an_encoder_gives_the_simulators_bits(encoder: tuple[CompiledModel, dict[str, np.ndarray]], board: str) -> None:
    model, test = encoder
    on = "host" if board == "host" else "emulator"
    built = assemble(model.graph, load_board("cortex-m4" if board == "host" else board), "encoder", model.onnx_model)
    report = mcuq.run(built, test["x"][:2], on=on).report
    assert report.bit_exact
    assert report.samples == 2


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    """What examples/vibration writes: arrays x and y of each file."""
    folder = tmp_path_factory.mktemp("vibration")
    run(folder, sys.executable, str(VIBRATION / "machine.py"), ".")
    return {path.stem: dict(np.load(path)) for path in folder.iterdir()}


def test_machines_that_vibrate_are_others_in_calibration_than_in_the_test(
    windows: dict[str, dict[str, np.ndarray]],
) -> None:
    assert {name: own["x"].shape for name, own in windows.items()} == {
        "calibration": (60, 96, 3),
        "test": (1000, 96, 3),
    }
    assert all(set(own["y"]) == set(range(5)) for own in windows.values())
    seen = {window.tobytes() for own in windows.values() for window in own["x"]}
    assert len(seen) == 1060
    for own in windows.values():
        counts = own["x"] * 512
        assert own["x"].dtype == np.float32
        assert np.array_equal(counts, np.rint(counts))
        assert np.abs(counts).max() < 2**15


@pytest.mark.slow
def test_the_commands_of_the_vibration(folder: Path) -> None:
    """int8 tells states as its README says, and loses at most 0.3 points of what float has."""
    said = run(folder, "bash", "-euo", "pipefail", "-c", commands("vibration"))
    measured = re.findall(r"accuracy +([\d.]+) % +float ([\d.]+) %\n.*\n +SQNR +([\d.]+) dB", said)
    readme = (VIBRATION / "README.md").read_text()
    row = r"^\| `(\w+)\.onnx` \| ([\d.]+) % \| ([\d.]+) % \| [\d.]+ % \| (\d+) \|"
    stated = re.findall(row, readme, re.MULTILINE)
    assert [name for name, *_ in stated] == ["lstm", "gru", "cnn"]
    for (_, in_float, accuracy, db), found in zip(stated, measured, strict=True):
        assert (accuracy, in_float, db) == (*found[:2], f"{float(found[2]):.0f}")
        assert float(in_float) >= 97
        assert round(100 * float(accuracy)) >= round(100 * float(in_float)) - 30
    assert said.count("bit-exact: 10 of 10 output bytes equal, 2 samples") == 3
    assert "outputs are the window's from call 96 on" in said
    assert "bit-exact: 144,480 of 144,480 output bytes equal, 96 samples" in said  # states are compared, too


FEW = 8  # windows are enough to calibrate what is compared bit by bit


@pytest.fixture(scope="module", params=["lstm", "gru"])
def recurrent(request: pytest.FixtureRequest, windows: dict[str, dict[str, np.ndarray]]) -> CompiledModel:
    return mcuq.compile(VIBRATION / f"{request.param}.onnx", "cortex-m4", windows["calibration"]["x"][:FEW])


@pytest.mark.parametrize(
    "board",
    [
        "host",
        "cortex-m4",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("cortex-m0", "cortex-m55", "rv32imc")),
    ],
)
def test_a_recurrent_network_that_was_trained_gives_the_simulators_bits(
    recurrent: CompiledModel, windows: dict[str, dict[str, np.ndarray]], board: str
) -> None:
    on = "host" if board == "host" else "emulator"
    built = assemble(
        recurrent.graph, load_board("cortex-m4" if board == "host" else board), recurrent.name, recurrent.onnx_model
    )
    report = mcuq.run(built, windows["test"]["x"][:3], on=on).report
    assert report.bit_exact
    assert report.samples == 3


@pytest.mark.parametrize(
    "path",
    [QAT / "digits_qat.onnx", ENCODER, *(VIBRATION / f"{name}.onnx" for name in ("lstm", "gru", "cnn"))],
    ids=lambda path: path.stem,
)
def test_the_committed_network_says_nothing_of_the_machine_that_made_it(path: Path) -> None:
    model = onnx.load(path)
    assert model.producer_version.count(".") == 2
    assert not model.doc_string
    assert not any(item.doc_string or item.metadata_props for item in (model.graph, *model.graph.node))


@pytest.mark.toolchain
def test_training_it_again_gives_a_network_that_compiles(tmp_path: Path) -> None:
    """With the torch of the example's requirements."""
    said = run(tmp_path, sys.executable, str(QAT / "train.py"), str(tmp_path))
    assert "accuracy of the exported network: 9" in said
    again = run(tmp_path, "mcuq", "compile", "digits_qat.onnx", "--board", "cortex-m4", "-o", "again")
    assert "ranges  those of the quantized model" in again
