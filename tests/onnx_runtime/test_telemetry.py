"""ONNX Runtime's wheels send events and keep a device id below the home folder: not where mcuq starts them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, random, saved
from test_joints import MODULES, imported_packages

COMMANDS = (
    ("compile", "{model}", "--board", "cortex-m4", "--calibration", "{data}", "-o", "{out}"),
    ("simulate", "{out}", "--data", "{data}"),
)


def test_one_module_imports_onnxruntime() -> None:
    assert {name for name in MODULES if "onnxruntime" in imported_packages(name)} == {"onnx_runtime.worker"}


@pytest.mark.toolchain
def test_nothing_is_written_below_home_and_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "strace"
    home.mkdir()
    proto = model([node("MatMul", ["x", "w"], "y")], {"x": (1, 4)}, constants={"w": random(4, 3)})
    np.savez(tmp_path / "data.npz", x=random(20, 4))
    names = {"model": saved(proto, tmp_path), "data": tmp_path / "data.npz", "out": tmp_path / "out"}
    # Nothing else of the environment: ONNX Runtime sends nothing either where it sees a variable of a CI service.
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    for command in COMMANDS:
        arguments = [part.format(**names) for part in command]
        trace = ["strace", "-f", "-qq", "-s", "4096", "-e", "trace=execve,socket,connect", "-o", str(log)]
        subprocess.run(
            [*trace, sys.executable, "-c", "from mcuq.cli import main; main()", *arguments],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        calls = log.read_text()
        assert re.search(r"execve\(.*onnx_runtime/worker\.py", calls)
        assert not re.findall(r"socket\((?!AF_UNIX|AF_LOCAL).*|connect\(.*", calls)
        assert list(home.rglob("*")) == []
