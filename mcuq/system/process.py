"""Runs other programs so that whatever they do ends: output of any bytes, a time limit, and none is left behind.

A program gets a process group of its own, which is killed as a whole: a compiler's children hold its pipes. Where this
process is killed itself, a watcher, a shell that waits for the end of a pipe, does it in its place.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcuq.system.interrupt import before_interrupts

# Where nothing else is said: no compiler takes that long for one network, and a person has given up before.
LIMIT_S = 600.0
_running: set[subprocess.Popen[bytes]] = set()  # what `run` waits for, in any thread
_WATCH = 'read -r line; kill -s KILL -- "-$0"'  # POSIX's form: dash knows no other


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code, or minus the signal that stopped it, and all that it said."""

    code: int
    stdout: bytes
    stderr: bytes


class Watcher:
    """Kills a process group, that of `pid`, once this process is gone, however it ended; until `close`."""

    def __init__(self, pid: int) -> None:
        self._process = (
            subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, str(pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is not for it
            )
            if os.name == "posix"
            else None
        )

    def close(self) -> None:
        """Stop watching: the group has ended, or will be ended by its owner."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def run(
    command: Sequence[str],
    time_limit_s: float = LIMIT_S,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    one_stream: bool = False,
) -> Ended:
    """Run a program to its end; with `one_stream` all that it says is in `stdout`, in order.

    Raises OSError where it cannot be started, subprocess.TimeoutExpired where it does not end in time; nothing of it is
    running then.
    """
    with contextlib.ExitStack() as ends:
        with before_interrupts():
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if one_stream else subprocess.PIPE,
                start_new_session=os.name == "posix",
            )
            ends.callback(_end, process)
            _running.add(process)
            ends.callback(Watcher(process.pid).close)
        stdout, stderr = process.communicate(stdin, timeout=time_limit_s)
    return Ended(process.returncode, stdout, stderr or b"")


def kill_running() -> None:
    """Kill what other threads are waiting for in `run`."""
    for process in tuple(_running):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    _running.discard(process)
    if process.returncode is None:
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that was started as the first of its group, with all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()
