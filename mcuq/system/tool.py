"""Flashing programs of others, run as programs: esptool, pyOCD, imgtool."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence

from mcuq.errors import BuildError, DeviceError
from mcuq.system.process import run

LINES = 6


def program(module: str, command: str, package: str) -> tuple[str, ...]:
    """How to start a tool: as a module of this Python, else the command in PATH.

    Raises BuildError where there is neither.
    """
    if _is_installed(module):
        return (sys.executable, "-m", module)
    path = shutil.which(command)
    if path is None:
        raise BuildError(f"{command}: is not installed; pip install {package}")
    return (path,)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False


def run_program(command: Sequence[str], what: str, timeout_s: float) -> str:
    """Run it to its end and return its output. Raises DeviceError with its last lines where it fails or hangs."""
    try:
        ended = run(command, timeout_s, one_stream=True)
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"{what}: did not end within {timeout_s:g} s; unplug the board, plug it in and retry"
        ) from error
    except OSError as error:
        raise DeviceError(f"{what}: cannot be run: {error.strerror}; install it again") from error
    said = ended.stdout.decode("utf-8", "replace")
    if ended.code != 0:
        last = "\n  ".join([line for line in said.splitlines() if line.strip()][-LINES:])
        raise DeviceError(f"{what}: ended with {ended.code}:\n  {last}")
    return said
