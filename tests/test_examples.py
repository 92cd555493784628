"""The examples stay true: the commands in their READMEs are run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

ROOT = Path(__file__).resolve().parents[1]
QAT = ROOT / "examples" / "pytorch_qat"


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


def test_the_committed_network_says_nothing_of_the_machine_that_made_it() -> None:
    model = onnx.load(QAT / "digits_qat.onnx")
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
