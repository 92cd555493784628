"""ONNX Runtime in its own process: it may end as it likes, mcuq says how in one line and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx_models import ints, model, node, random
from support import wait_until_gone

from mcuq.errors import ModelError
from mcuq.onnx_runtime import MEMORY_BYTES, RuntimeFault, Session, process
from mcuq.onnx_runtime.float_model import FloatModel

RELU = model([node("Relu", ["x"], "y")], {"x": (1, 4)})
SAMPLE = {"x": np.array([[-1, 2, -3, 4]], np.float32)}
# Takes seconds: a product of 2^32 elements on the way to one.
SLOW = model(
    [
        node("Expand", ["x", "shape"], "a"),
        node("MatMul", ["a", "a"], "b"),
        node("MatMul", ["b", "a"], "c"),
        node("MatMul", ["c", "a"], "y"),
    ],
    {"x": (1, 1)},
    constants={"shape": ints(6000, 6000)},
)


def runs() -> bool:
    """Whether a model gives what it should, in whatever process."""
    return np.array_equal(FloatModel(RELU).run(SAMPLE)["y"], np.maximum(SAMPLE["x"], 0))


def test_a_model_that_ends_onnx_runtime_by_a_signal() -> None:
    """Its MaxPool of a SAME padding divides by zero (seen in 1.32)."""
    window = {"kernel_shape": [5, 3], "strides": [1, 2], "dilations": [2, 1], "auto_pad": "SAME_LOWER", "ceil_mode": 1}
    proto = model([node("MaxPool", ["x"], "y", **window)], {"x": (1, 64, 4, 2)}, opset=20)
    running = FloatModel(RELU)
    with pytest.raises(ModelError) as caught:
        FloatModel(proto).run({"x": random(1, 64, 4, 2)})
    assert str(caught.value) == (
        "ONNX Runtime cannot run the model: its process ended with SIGFPE; another version of onnxruntime may do"
    )
    with pytest.raises(ModelError) as caught:
        running.run(SAMPLE)
    assert str(caught.value) == "ONNX Runtime cannot run the model: its process has ended since; load the model again"
    assert runs()


@pytest.mark.parametrize(
    ("number", "how"),
    [
        (signal.SIGSEGV, "its process ended with SIGSEGV; another version of onnxruntime may do"),
        (signal.SIGKILL, "its process was killed, as one is that takes too much memory"),
    ],
)
def test_a_process_that_is_killed_while_it_computes(number: int, how: str) -> None:
    session = Session(SLOW.SerializeToString())
    pid = session._process._process.pid
    killing = threading.Timer(0.3, os.kill, (pid, number))
    killing.start()
    with pytest.raises(RuntimeFault) as caught:
        session.run({"x": np.ones((1, 1), np.float32)}, ["y"])
    killing.join()
    assert str(caught.value) == how
    assert runs()


def test_arguments_that_do_not_fit() -> None:
    running = FloatModel(RELU)
    with pytest.raises(
        ModelError, match=r"^ONNX Runtime cannot run the model: Got invalid dimensions for input: x [^\n]*$"
    ):
        running.run({"x": np.zeros((1, 5), np.float32)})
    with pytest.raises(
        ModelError, match=r"^ONNX Runtime cannot run the model: Required inputs \(\['x'\]\) are missing"
    ):
        running.run({})
    assert np.array_equal(running.run(SAMPLE)["y"], [[0, 2, 0, 4]])


def test_a_tensor_beyond_the_memory_that_a_model_may_take() -> None:
    proto = model([node("Expand", ["x", "shape"], "y")], {"x": (1, 4)}, constants={"shape": ints(2**28, 4)})
    assert MEMORY_BYTES < 2**32
    with pytest.raises(ModelError) as caught:
        FloatModel(proto).run(SAMPLE)
    assert str(caught.value) == (
        "ONNX Runtime cannot run the model: Failed to allocate memory for requested buffer of size 4294967296"
    )
    assert runs()


def test_a_model_that_gives_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    session = FloatModel(SLOW)
    monkeypatch.setattr(process, "ANSWER_S", 0.1)
    with pytest.raises(ModelError) as caught:
        session.run({"x": np.ones((1, 1), np.float32)})
    monkeypatch.undo()
    assert str(caught.value) == (
        "ONNX Runtime cannot run the model: it gives no answer within 0.1 s; use a smaller model"
    )
    assert runs()


def test_an_interrupt_leaves_no_answer_behind() -> None:
    session = Session(SLOW.SerializeToString())
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(KeyboardInterrupt):
        session.run({"x": np.ones((1, 1), np.float32)}, ["y"])
    assert runs()


def test_models_are_forgotten_with_their_objects() -> None:
    for _ in range(3):
        session = Session(RELU.SerializeToString())
        running = session._process
        del session
    assert len(running.forget) == 1  # the others went with the requests since


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (3, 5)])
def test_arrays_arrive_as_they_are(dtype: str, shape: tuple[int, ...]) -> None:
    proto = model([node("Identity", ["v"], "y")], {}, {"y": 0}, constants={"v": np.ones(shape, dtype)})
    proto.graph.output[0].ClearField("type")
    (value,) = Session(proto.SerializeToString()).run({}, ["y"])
    assert value.dtype == dtype and value.shape == shape and value.all()


def test_large_samples_and_views_of_arrays() -> None:
    x = random(1, 3, 700, 900).transpose(0, 2, 3, 1)[:, ::2]
    proto = model([node("Neg", ["x"], "y")], {"x": x.shape})
    assert np.array_equal(FloatModel(proto).run({"x": x})["y"], -x)


PARENT = """
import sys
import numpy as np
from mcuq.onnx_runtime import Session
session = Session(open(sys.argv[1], "rb").read())
print(session._process._process.pid, flush=True)
if sys.argv[2] == "computing":
    session.run({"x": np.ones((1, 1), np.float32)}, ["y"])
else:
    sys.stdin.read()
"""


@pytest.mark.parametrize("doing", ["computing", "waiting"])
def test_the_process_ends_with_the_one_that_started_it(tmp_path: Path, doing: str) -> None:
    (tmp_path / "net.onnx").write_bytes(SLOW.SerializeToString())
    arguments = [sys.executable, "-c", PARENT, str(tmp_path / "net.onnx"), doing]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(worker)


def test_a_fork_starts_a_process_of_its_own() -> None:
    assert runs()
    child = os.fork()
    if not child:
        os._exit(0 if runs() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert runs()
