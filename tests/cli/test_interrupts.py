"""Ctrl-C ends every verb with 130, wherever it is, and nothing is left behind: no file, no program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from golden.graphs import digits
from support import model_of, wait_until_gone

from mcuq.artifact import save
from mcuq.resources import resource_dir

pytestmark = pytest.mark.slow

DIGITS = resource_dir("examples") / "digits"
MODEL, CALIBRATION = str(DIGITS / "digits.onnx"), str(DIGITS / "digits_calibration.npz")
# As a terminal starts it: where tests run in the background, SIGINT is ignored and would be by the command too.
MCUQ = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from mcuq.cli import main; main()"
DEADLINE_S = 60

IN_A_COMPILER = {
    "demo": ["demo"],
    "compile": ["compile", MODEL, "--board", "cortex-m4", "--calibration", CALIBRATION, "-o", "out"],
    "run": ["run", "model"],
    "profile": ["profile", "model"],
    "emulate": ["emulate", "model", "--board", "mps2-an386"],
    "flash": ["flash", "model", "--port", "nowhere", "--board", "mps2-an386"],
}
IN_THE_FLOAT_MODEL = {
    "simulate": ["simulate", "model", "--data", "many.npz"],
    "diagnose": ["diagnose", MODEL, "--board", "cortex-m4", "--calibration", "many.npz"],
    "calibration": ["compile", MODEL, "--board", "cortex-m4", "--calibration", "many.npz", "-o", "out"],
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a compiled model, `model`, and many samples, `many.npz`."""
    save(model_of(digits(), name="digits"), tmp_path / "model")
    np.savez(tmp_path / "many.npz", x=np.zeros((20_000, 1, 8, 8), np.float32))
    (tmp_path / "temporary").mkdir()
    return tmp_path


def start(place: Path, arguments: list[str], path: str = "") -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TMPDIR": str(place / "temporary"),
        "PATH": f"{path}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        [sys.executable, "-c", MCUQ, *arguments],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def interrupt(command: subprocess.Popen[bytes], place: Path, others: list[int]) -> None:
    """Ctrl-C; what must be true then."""
    command.send_signal(signal.SIGINT)
    out, errors = command.communicate(timeout=DEADLINE_S)
    assert command.returncode == 130, errors
    assert errors.endswith(b"\ninterrupted\n") or not errors  # `emulate` ends so and says nothing
    assert b"Traceback" not in out + errors
    for pid in others:
        wait_until_gone(pid)
    assert list((place / "temporary").iterdir()) == []
    assert sorted(path.name for path in place.iterdir() if path.name != "bin") == ["many.npz", "model", "temporary"]


@pytest.mark.parametrize("verb", IN_A_COMPILER)
def test_in_a_compiler(verb: str, place: Path) -> None:
    started = place / "model" / "started"
    (place / "bin").mkdir()
    for name in ("gcc", "cc", "arm-none-eabi-gcc"):
        compiler = place / "bin" / name
        compiler.write_text(f"#!/bin/sh\necho $$ >> '{started}'\nexec sleep 600\n")
        compiler.chmod(0o755)
    command = start(place, IN_A_COMPILER[verb], str(place / "bin"))
    deadline = time.monotonic() + DEADLINE_S
    while not started.is_file() or not started.read_text().endswith("\n"):
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    interrupt(command, place, [int(pid) for pid in started.read_text().split()])


@pytest.mark.parametrize("verb", IN_THE_FLOAT_MODEL)
def test_in_the_float_model(verb: str, place: Path) -> None:
    command = start(place, IN_THE_FLOAT_MODEL[verb])
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
    deadline = time.monotonic() + DEADLINE_S
    while not (others := children.read_text().split()):
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    interrupt(command, place, [int(pid) for pid in others])
