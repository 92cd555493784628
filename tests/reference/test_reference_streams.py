"""A thousand frames of real networks and of the field's kinds, streamed: outputs are the windows', the C's bytes the
simulator's."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from reference_cases import reference_folder
from stream_models import STREAMS

from mcuq.compile import compile_model, quantize_model
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.states import RESET
from mcuq.graph.streams import frames_of, window_before
from mcuq.graph.tensor import Array
from mcuq.validate import check_bits

FRAMES = {"host": 1000, "cortex-m4": 100, "cortex-m55": 100, "cortex-m0": 100}
# Wake words and keywords; a causal network of dilated convolutions, a residual one, and one with a GRU behind them.
NETWORKS = ("sww", "kws", "causal", "mean of both sides", "recurrent")


def network(name: str) -> tuple[onnx.ModelProto, int]:
    """The model, and the dimension of its frames."""
    if name in STREAMS:
        axis, make = STREAMS[name]
        return make(), axis
    return onnx.load(reference_folder() / "models" / f"{name}_int8_qdq.onnx"), 1


def signal_of(graph: Graph, frames: int) -> Array:
    """Frames that drift, with pieces at both extremes."""
    own = graph.stream
    assert own is not None
    x = graph.tensors[graph.given_inputs[0]]
    calls = -(-frames // own.hop)
    shape = list(x.shape)
    shape[own.axis] = calls * own.hop
    rng = np.random.default_rng(0)
    values = rng.integers(-128, 128, shape)
    along = [1] * len(shape)
    along[own.axis] = -1
    kind = np.repeat(rng.integers(0, 8, calls), own.hop).reshape(along)
    return np.where(kind == 0, -128, np.where(kind == 1, 127, values)).astype(np.int8)


@pytest.mark.parametrize("board", FRAMES)
@pytest.mark.parametrize("name", NETWORKS)
def test_c_and_simulator_give_what_the_windows_of_so_many_frames_give(name: str, board: str) -> None:
    proto, axis = network(name)
    model = compile_model(proto, board, stream=axis)
    own, given = model.graph.stream, model.graph.given_inputs[0]
    assert own is not None
    signal = signal_of(model.graph, FRAMES[board])
    frames = np.stack(list(frames_of(signal, own)))
    reset = (np.arange(len(frames)) == 0).astype(np.int8)
    (y,), found = model.graph.given_outputs, list[Array]()
    report = check_bits(
        model,
        iter([{given: frames, RESET: reset}]),
        "host" if board == "host" else "emulator",
        observe=lambda sample, outputs: found.append(outputs[y]),
    )
    assert report.first_mismatch is None
    assert report.samples * own.hop >= FRAMES[board]
    windowed = quantize_model(proto).graph
    ends = range(own.calls * own.hop, signal.shape[axis] + 1, own.hop)
    assert len(ends) * own.hop > FRAMES[board] - own.window
    for i in range(0, len(ends), 100):
        windows = np.stack([window_before(signal, own, end) for end in ends[i : i + 100]])
        wanted = simulate(windowed, {given: windows})[y]
        first = own.calls - 1 + i
        assert np.array_equal(np.stack(found[first : first + len(windows)]), wanted)
