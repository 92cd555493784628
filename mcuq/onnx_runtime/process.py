"""Starts ONNX Runtime's process (worker.py), asks it, and tells how it ended where it did.

A request and its answer are a length (4 bytes, little-endian), that much JSON, and the bytes of the arrays which the
JSON's "arrays" lists as [name, dtype, shape]. The process starts with the first session and ends with this one.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mcuq.graph.tensor import Array
from mcuq.onnx_runtime.reason import reason

MEMORY_BYTES = 3 * 2**29  # that a small model may take: 1.5 GiB (Linux only)
ANSWER_S = 60  # the longest wait for one answer: a sample of 2^36 multiply-accumulates takes about 3 s (not on Windows)
PIPE_BYTES = 2**20  # where the system lets pipes grow: fewer switches between the processes


class RuntimeFault(Exception):
    """What ONNX Runtime says against a model, or the way in which its process ended; one line."""


class _Process:
    """A running process; `request` is for one thread at a time."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            # -P: the folder of worker.py has nothing to import.
            [
                sys.executable,
                "-P",
                str(Path(__file__).with_name("worker.py")),
                json.dumps(sys.path),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # the threads of its NumPy would take memory for nothing
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self.forget: deque[int] = deque()
        self._waiting: selectors.BaseSelector | None = None
        if sys.platform != "win32":
            self._waiting = selectors.DefaultSelector()
            self._waiting.register(self._answers, selectors.EVENT_READ)
        _grow_pipes(self._requests.fileno(), self._answers.fileno())

    @property
    def is_ours(self) -> bool:
        """False once it has ended, and in a fork of the process that started it."""
        return self._owner == os.getpid() and self._process.poll() is None

    def request(self, header: dict[str, Any], arrays: Mapping[str, Array]) -> tuple[dict[str, Any], list[Array]]:
        """The answer; RuntimeFault for one that is an error, and where there is none."""
        header["forget"] = [self.forget.popleft() for _ in range(len(self.forget))]
        try:
            self._write(header, arrays)
            answer, values = self._read()
        except (OSError, EOFError):
            raise RuntimeFault(_how_it_ended(self._process.wait())) from None
        except BaseException:  # an interrupt: what is to come no longer fits what is asked
            self.end()
            raise
        if "error" in answer:
            raise RuntimeFault(reason(answer["error"]))
        return answer, values

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._answers):
            with suppress(OSError):
                stream.close()

    def _write(self, header: dict[str, Any], arrays: Mapping[str, Array]) -> None:
        parts = {name: np.ascontiguousarray(a).reshape(np.shape(a)) for name, a in arrays.items()}
        header["arrays"] = [[name, a.dtype.str, a.shape] for name, a in parts.items()]
        text = json.dumps(header).encode()
        self._requests.write(struct.pack("<I", len(text)) + text)
        for a in parts.values():
            self._requests.write(_octets(a))
        self._requests.flush()

    def _read(self) -> tuple[dict[str, Any], list[Array]]:
        if self._waiting is not None and not self._waiting.select(ANSWER_S):
            self.end()
            raise RuntimeFault(f"it gives no answer within {ANSWER_S} s; use a smaller model")
        (length,) = struct.unpack("<I", self._exactly(4))
        answer: dict[str, Any] = json.loads(self._exactly(length))
        values = []
        for _, dtype, shape in answer["arrays"]:
            array = np.empty(shape, dtype)
            if self._answers.readinto(_octets(array)) < array.nbytes:  # type: ignore[attr-defined]
                raise EOFError
            values.append(array)
        return answer, values

    def _exactly(self, count: int) -> bytes:
        data = self._answers.read(count)
        if len(data) < count:
            raise EOFError
        return data


_lock = threading.Lock()
_process: _Process | None = None


def _running() -> _Process:
    global _process
    if _process is None or not _process.is_ours:
        _process = _Process()
        atexit.register(_process.end)
    return _process


class Session:
    """A model in ONNX Runtime's process, which forgets it with this object.

    `optimize`: whether ONNX Runtime may rewrite it, but for the optimizers named in `without`. `memory_bytes`: what it
    may take beside several times its own size (Linux only). Raises RuntimeFault for a model that it refuses.
    """

    def __init__(
        self,
        model: bytes,
        optimize: bool = True,
        without: Sequence[str] = (),
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        header = {
            "what": "load",
            "session": id(self),
            "optimize": optimize,
            "without": list(without),
            "memory_bytes": min(memory_bytes, MEMORY_BYTES),
        }
        with _lock:
            self._process = _running()
            answer, _ = self._process.request(header, {"model": np.frombuffer(model, np.uint8)})
        weakref.finalize(self, self._process.forget.append, id(self))
        self.inputs: tuple[str, ...] = tuple(answer["inputs"])
        # As ONNX Runtime writes them: tensor(float), tensor(int64), ...
        self.types: tuple[str, ...] = tuple(answer["types"])
        self.outputs: tuple[str, ...] = tuple(answer["outputs"])

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str], most_bytes: int = MEMORY_BYTES) -> list[Array]:
        """The arrays of the named outputs. Raises RuntimeFault where ONNX Runtime fails or ends, and for outputs that
        take more than `most_bytes` together."""
        with _lock:
            if not self._process.is_ours:
                raise RuntimeFault("its process has ended since; load the model again")
            _, values = self._process.request(
                {"what": "run", "session": id(self), "outputs": list(outputs), "most_bytes": most_bytes}, inputs
            )
        return values


def _octets(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _grow_pipes(*descriptors: int) -> None:
    if sys.platform == "linux":
        import fcntl

        for descriptor in descriptors:
            with suppress(OSError):  # beyond the user's share
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _how_it_ended(code: int) -> str:
    """`code` as subprocess has it: less 0 for a signal."""
    how = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
    if how == "SIGKILL":
        return "its process was killed, as one is that takes too much memory"
    return f"its process ended with {how}; another version of onnxruntime may do"
