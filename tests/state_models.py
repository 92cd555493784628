"""Small ONNX models with states, and ONNX Runtime that steps them with its outputs fed back by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
from onnx_models import model, node

from mcuq.graph.tensor import Array

GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}
FEATURES, HIDDEN, ANSWERS = 6, 12, 3


def recurrent(kind: str, is_open: bool = True, hidden: int = HIDDEN, seed: int = 0) -> onnx.ModelProto:
    """One layer of a step a call, of weights as training leaves them, and a product behind it; its states are inputs
    and outputs, or where not `is_open` its own."""
    rng = np.random.default_rng(seed)
    bound = 1.5 / np.sqrt(hidden)
    rows = GATES[kind] * hidden
    constants = {
        "W": rng.uniform(-bound, bound, (1, rows, FEATURES)),
        "R": rng.uniform(-bound, bound, (1, rows, hidden)),
        "B": rng.uniform(-bound, bound, (1, 2 * rows)),
        "F": rng.normal(size=(hidden, ANSWERS)) / np.sqrt(hidden),
    }
    names = ["h", "c"] if kind == "LSTM" else ["h"]
    given = ["", *names] if is_open else []
    made = [f"{name}_out" for name in names] if is_open else ["h_out"]
    return model(
        [
            node(kind, ["x", "W", "R", "B", *given], ["", *made], "rec", hidden_size=hidden),
            node("MatMul", ["h_out", "F"], "y", "fc"),
        ],
        {"x": (1, 1, FEATURES), **(dict.fromkeys(names, (1, 1, hidden)) if is_open else {})},
        ["y", *made] if is_open else ["y"],
        {name: value.astype(np.float32) for name, value in constants.items()},
    )


def packed() -> onnx.ModelProto:
    """An LSTM whose hidden state and cell are one input and one output, as voice activity detectors have them."""
    rng = np.random.default_rng(3)
    bound = 1.5 / np.sqrt(HIDDEN)
    shapes = {"W": (1, 4 * HIDDEN, FEATURES), "R": (1, 4 * HIDDEN, HIDDEN), "B": (1, 8 * HIDDEN)}
    constants = {name: rng.uniform(-bound, bound, shape).astype(np.float32) for name, shape in shapes.items()}
    return model(
        [
            node("Split", ["state"], ["h", "c"], "split", axis=0),
            node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "h_out", "c_out"], "rec", hidden_size=HIDDEN),
            node("Concat", ["h_out", "c_out"], "stateN", "pack", axis=0),
            node("ReduceSum", ["h_out", "last"], "sum", "sum", keepdims=0),
            node("Sigmoid", ["sum"], "y", "answer"),
        ],
        {"x": (1, 1, FEATURES), "state": (2, 1, HIDDEN)},
        ["y", "stateN"],
        {**constants, "last": np.array([2])},
    )


def states_of(kind: str) -> dict[str, str]:
    """The pairs of `recurrent`."""
    return {"h": "h_out", "c": "c_out"} if kind == "LSTM" else {"h": "h_out"}


def cached_convolution() -> onnx.ModelProto:
    """A convolution over the last three frames: the two before are a state that is only moved."""
    rng = np.random.default_rng(1)
    return model(
        [
            node("Concat", ["cache", "x"], "frames", "frames", axis=2),
            node("Conv", ["frames", "K"], "made", "conv"),
            node("Relu", ["made"], "y", "relu"),
            node("Slice", ["frames", "one", "end", "two"], "cache_out", "slice"),
        ],
        {"x": (1, 4, 1), "cache": (1, 4, 2)},
        ["y", "cache_out"],
        {
            "K": (rng.normal(size=(5, 4, 3)) / 3).astype(np.float32),
            "one": np.array([1]),
            "end": np.array([3]),
            "two": np.array([2]),
        },
    )


def delay_line() -> onnx.ModelProto:
    """y is x of two calls ago and of one ago: what a state gives out is what another takes in."""
    return model(
        [
            node("Identity", ["x"], "first_out", "now"),
            node("Identity", ["first"], "second_out", "then"),
            node("Sub", ["first", "second"], "y", "sub"),
        ],
        {"x": (1, 5), "first": (1, 5), "second": (1, 5)},
        ["y", "first_out", "second_out"],
    )


def sequences(count: int, steps: int, shape: tuple[int, ...] = (1, 1, FEATURES), seed: int = 5) -> Array:
    """float32 (count, steps, *shape): inputs that drift."""
    rng = np.random.default_rng(seed)
    found: Array = rng.normal(size=(count, steps, *shape)).astype(np.float32)
    return found


def stepped(proto: onnx.ModelProto, states: Mapping[str, str], x: Array, initial: float = 0.0) -> Array:
    """What ONNX Runtime gives as y at each step of one sequence (steps, *shape)."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    shapes = {value.name: value.shape for value in session.get_inputs()}
    held = {name: np.full(shapes[name], initial, np.float32) for name in states}
    names, found = [value.name for value in session.get_outputs()], []
    for values in x:
        made = dict(zip(names, session.run(None, {"x": values, **held}), strict=True))
        held = {given: made[output] for given, output in states.items()}
        found.append(made["y"])
    return np.stack(found)


def decibels(want: Array, got: Array) -> float:
    """Signal to noise."""
    return float(10 * np.log10((want.astype(np.float64) ** 2).sum() / ((want - got.astype(np.float64)) ** 2).sum()))
