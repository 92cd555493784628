"""The process that ONNX Runtime runs in: holds sessions, answers requests on stdin until it ends. See process.py.

Run as a file, it imports nothing of mcuq: an interpreter, NumPy and ONNX Runtime are all it takes to start. This is the
only place that imports onnxruntime.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
import time
from typing import IO, Any

# ONNX Runtime's Linux and macOS wheels (1.29 and later) send events, and keep a device id below the home folder, unless
# this is set before they are imported: https://github.com/microsoft/onnxruntime/pull/27379, 29843.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

ADDRESSES_A_BYTE = 8  # of model: what it becomes when it is parsed, optimized and packed
WATCH_S = 0.5


class Worker:
    """The sessions, and how requests are answered; `header` and arrays of each as in process.py."""

    def __init__(self) -> None:
        import numpy
        import onnxruntime

        # What the variable does elsewhere; Windows has events of its own.
        onnxruntime.disable_telemetry_events()
        self.numpy = numpy
        self.runtime = onnxruntime
        self.sessions: dict[int, Any] = {}

    def load(self, header: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        data = arrays["model"].tobytes()
        _limit_memory(header["memory_bytes"] + ADDRESSES_A_BYTE * len(data))
        options = self.runtime.SessionOptions()
        options.log_severity_level = 4
        # One thread: results do not depend on the machine, and small models run faster.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        if not header["optimize"]:
            options.graph_optimization_level = self.runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = self.runtime.InferenceSession(
            data, options, ["CPUExecutionProvider"], disabled_optimizers=header["without"]
        )
        self.sessions[header["session"]] = session
        return {
            "inputs": [i.name for i in session.get_inputs()],
            "types": [i.type for i in session.get_inputs()],
            "outputs": [o.name for o in session.get_outputs()],
        }, []

    def run(self, header: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        values = self.sessions[header["session"]].run(header["outputs"], arrays)
        for name, value in zip(header["outputs"], values, strict=True):
            if not isinstance(value, self.numpy.ndarray) or value.dtype.hasobject:
                raise TypeError(f"'{name}' is no tensor of numbers")
        size_bytes = sum(value.nbytes for value in values)
        if size_bytes > header["most_bytes"]:
            raise MemoryError(f"it takes {size_bytes:,} bytes; supported are {header['most_bytes']:,}")
        return {}, [self.numpy.ascontiguousarray(v).reshape(v.shape) for v in values]

    def answer(self, header: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        for number in header["forget"]:
            self.sessions.pop(number, None)
        return (self.load if header["what"] == "load" else self.run)(header, arrays)


def _limit_memory(growth_bytes: int) -> None:
    """Let the process grow by so much at most, where the system can: what is beyond is an error, not a dead machine."""
    if sys.platform != "linux":
        return
    import resource
    from pathlib import Path

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + growth_bytes
    resource.setrlimit(resource.RLIMIT_AS, (wanted if most < 0 else min(wanted, most), most))


def _watch_parent() -> None:
    """End with the process that asks, even when it is killed in the middle of a request.

    Between requests the end of stdin tells; Windows has no more than that.
    """
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def _read(stream: IO[bytes], numpy: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    length = stream.read(4)
    if len(length) < 4:
        os._exit(0)
    header = json.loads(stream.read(struct.unpack("<I", length)[0]))
    arrays = {}
    for name, dtype, shape in header["arrays"]:
        array = numpy.empty(shape, dtype)
        stream.readinto(array.reshape(-1).view(numpy.uint8))  # type: ignore[attr-defined]
        arrays[name] = array
    return header, arrays


def _write(stream: IO[bytes], header: dict[str, Any], arrays: list[Any], numpy: Any) -> None:
    header["arrays"] = [["", array.dtype.str, array.shape] for array in arrays]
    text = json.dumps(header).encode()
    stream.write(struct.pack("<I", len(text)) + text)
    for array in arrays:
        stream.write(array.reshape(-1).view(numpy.uint8))
    stream.flush()


def main() -> None:
    """The argument is the JSON of the search path for modules."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the one who asks
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    sys.path[:] = json.loads(sys.argv[1])
    if hasattr(os, "getppid") and sys.platform != "win32":
        threading.Thread(target=_watch_parent, daemon=True).start()
    try:
        import numpy

        worker = Worker()
    except ImportError as error:
        text = json.dumps({"error": f"cannot be imported: {error}", "arrays": []}).encode()
        answers.write(struct.pack("<I", len(text)) + text)
        answers.close()
        return
    while True:
        header, arrays = _read(requests, numpy)
        try:
            found, values = worker.answer(header, arrays)
        except Exception as error:  # ONNX Runtime raises bare exceptions of several kinds
            found, values = {"error": str(error).strip() or type(error).__name__}, []
        _write(answers, found, values, numpy)


if __name__ == "__main__":
    main()
