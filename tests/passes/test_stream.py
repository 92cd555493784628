"""Networks on windows of a signal as networks that take new frames: the window's outputs, byte for byte."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import model, node
from random_streams import random_stream
from state_models import recurrent as with_states
from stream_models import CHANNELS, FRAMES, STREAMS, of_each_frame, spectrogram, strided, temporal_convolutions
from support import run_float

from mcuq.compile import quantize_model
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.streams import newest, streamed, window_before
from mcuq.graph.tensor import Array, ChannelQuant
from mcuq.ops.shift_in import ShiftIn
from mcuq.passes.stream import Streaming, check_stream, parse_streaming, stream

WINDOWS = 20
OTHERS = ("int16", "float32", "int4")


def signal_for(graph: Graph, streaming: Graph, windows: int = WINDOWS) -> Array:
    """Frames for so many windows that follow one another, a third of them both extremes."""
    own = streaming.stream
    assert own is not None
    x = graph.tensors[graph.inputs[0]]
    calls = own.calls + windows - 1
    rng = np.random.default_rng(1)
    shape = list(x.shape)
    shape[own.axis] = calls * own.hop
    if x.quant is None:
        return rng.normal(size=shape).astype(np.float32)
    low, high = x.quant.bounds
    values = rng.integers(low, high + 1, shape)
    frames = [1] * len(shape)
    frames[own.axis] = -1
    kind = rng.integers(0, 6, shape[own.axis]).reshape(frames)
    return np.where(kind == 0, low, np.where(kind == 1, high, values)).astype(x.dtype)


def compared(graph: Graph, streaming: Graph, windows: int = WINDOWS, distinct: int = 9) -> None:
    """Assert that all outputs of each call from the first full window on are the window's, and have some values."""
    own = streaming.stream
    assert own is not None
    signal = signal_for(graph, streaming, windows)
    found = streamed(streaming, signal[None], graph.outputs)[own.calls - 1 :]
    assert len(found) == windows
    ends = [(own.calls + i) * own.hop for i in range(windows)]
    whole = np.stack([window_before(signal, own, end) for end in ends])
    wanted = simulate(graph, {graph.inputs[0]: whole})
    for name in graph.outputs:
        values = np.concatenate([each[name] for each in found])
        assert len(np.unique(values)) >= distinct
        assert np.array_equal(newest(own, name, wanted[name], values.shape), values), name


@pytest.mark.parametrize("scheme", ["int8", *(pytest.param(s, marks=pytest.mark.slow) for s in OTHERS)])
@pytest.mark.parametrize("network", STREAMS)
def test_each_call_gives_what_the_window_gives(network: str, scheme: str) -> None:
    axis, make = STREAMS[network]
    graph = quantize_model(make(), scheme=scheme).graph
    for asked in (Streaming(axis), Streaming(axis, 8), Streaming(axis - len(graph.tensors["x"].shape), 4, False)):
        streaming = stream(graph, asked)
        assert streaming.stream is not None
        assert streaming.stream.hop == (asked.hop or streaming.stream.hop)
        compared(graph, streaming)


@pytest.mark.parametrize("network", STREAMS)
def test_in_floats_each_call_gives_what_onnx_runtime_gives_of_the_window(network: str) -> None:
    axis, make = STREAMS[network]
    proto = make()
    graph = quantize_model(proto, scheme="float32").graph
    streaming = stream(graph, Streaming(axis))
    own = streaming.stream
    assert own is not None
    signal = signal_for(graph, streaming, 6)
    found = streamed(streaming, signal[None], graph.outputs)[own.calls - 1 :]
    for i, values in enumerate(found):
        window = window_before(signal, own, (own.calls + i) * own.hop)
        wanted = run_float(proto, {"x": window[None]})
        for name, y in wanted.items():
            expected = newest(own, name, y, values[name].shape)[0]
            assert np.abs(values[name][0] - expected).max() < 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(s, marks=pytest.mark.slow) for s in range(8, 80))])
def test_random_networks_give_what_their_windows_give(seed: int) -> None:
    rng = np.random.default_rng(seed)
    proto = random_stream(rng)
    graph = quantize_model(proto, scheme=str(rng.choice(["int8", "int8", "int16", "float32"]))).graph
    for hop in (None, 12):
        try:
            streaming = stream(graph, Streaming(2, hop, bool(rng.random() < 0.85)))
        except ModelError as error:
            assert "are no whole number of rows of all layers; give a multiple of" in str(error)
            continue
        compared(graph, streaming, 6, distinct=1)


# network -> multiply-accumulates of a call, counted by hand; nothing is made twice.
WORK = {
    # Of each dilated convolution the one row that the last frame is made of, then 6 x 4.
    "causal": (temporal_convolutions, 2, 3 * 6 * 6 * 3 + 24),
    # A row of each: 6 x 8 x 5, 8 x 8 x 3, 8 x 4.
    "each frame": (of_each_frame, 2, 240 + 192 + 32),
    # Of four frames two rows of the first (6 x 8 x 3), of both branches two (8 x 4 x 3, 8 x 4), then 32 x 4.
    "strides": (strided, 2, 2 * (144 + 96 + 32) + 128),
}


@pytest.mark.parametrize("network", WORK)
def test_each_frame_is_computed_once(network: str) -> None:
    make, axis, macs = WORK[network]
    streaming = stream(quantize_model(make()).graph, Streaming(axis))
    assert streaming.macs() == macs


def test_rows_that_padding_reaches_are_made_anew_or_all_of_them_as_asked() -> None:
    graph = quantize_model(spectrogram()).graph
    moving, whole = (stream(graph, Streaming(2, None, padded)) for padded in (True, False))
    held = [sum(g.tensors[s.input].size_bytes for s in g.states) for g in (moving, whole)]
    assert moving.macs() < whole.macs() == graph.macs()
    assert held[0] > held[1] == graph.tensors["x"].size_bytes
    assert whole.stream is not None
    assert whole.stream.whole[:3] == ("conv_a", "conv_c", "conv_d")


def test_an_output_along_frames_has_the_newest_that_padding_does_not_reach() -> None:
    streaming = stream(quantize_model(of_each_frame()).graph, Streaming(2, 2))
    own = streaming.stream
    assert own is not None
    # Two frames behind each row of the first layer, and one behind each of the second.
    assert [(o.name, o.axis, o.first, o.delay) for o in own.outputs] == [("y", 2, FRAMES - 3 - 2, 3)]
    assert streaming.tensors["y"].shape == (1, 4, 2)
    # Two rows of the second layer are made of eight frames: in two calls the oldest row of the first waits for them.
    assert own.calls == 4


def test_states_begin_with_zeros_and_have_the_scales_of_what_they_hold() -> None:
    graph = quantize_model(temporal_convolutions()).graph
    streaming = stream(graph, Streaming(2))
    for state in streaming.states:
        (maker,) = [n for n in streaming.nodes if n.output == state.output]
        assert isinstance(maker.op, ShiftIn)
        assert state.initial == 0
        held = streaming.tensors[state.output]
        source = state.output.removesuffix("_held")
        assert held.quant == graph.tensors[source].quant


def test_a_wrong_graph_is_found() -> None:
    graph = quantize_model(of_each_frame()).graph
    wider = 3 * np.random.default_rng(0).normal(size=(8, 1, CHANNELS, FRAMES)).astype(np.float32)
    other = quantize_model(of_each_frame(), wider).graph
    streaming = stream(other, Streaming(2))
    assert check_stream(other, streaming)
    with pytest.raises(ModelError) as error:
        check_stream(graph, streaming)
    assert str(error.value) == (
        "model 'model': --stream: tensor 'y' is not that of the window; this is a mistake of mcuq's, please report it "
        "with the model, and leave out --stream"
    )


def two_inputs() -> onnx.ModelProto:
    return model([node("Add", ["x", "z"], "y", "add")], {"x": (1, 4, 8), "z": (1, 4, 8)}, ["y"], {})


REFUSALS = {
    "no such dimension": (
        temporal_convolutions,
        Streaming(3),
        f"--stream 3: input 'x' of shape [1, {CHANNELS}, {FRAMES}] has no such dimension; give 0 to 2",
    ),
    "a dimension of one": (
        temporal_convolutions,
        Streaming(0),
        f"--stream 0: dimension 0 of input 'x' of shape [1, {CHANNELS}, {FRAMES}] is of one place; give the one along "
        "which frames come",
    ),
    "more than a window": (
        temporal_convolutions,
        Streaming(2, FRAMES + 1),
        f"--stream: a hop of {FRAMES + 1} is not from 1 to the window's {FRAMES}",
    ),
    "parts of rows": (
        strided,
        Streaming(2, 6),
        "--stream: 6 frames are no whole number of rows of all layers; give a multiple of 4",
    ),
    "two inputs": (
        two_inputs,
        Streaming(2),
        "--stream: goes with one input, and the model has 2 (x, z); make the others constant with --fix-input",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_stream_is_refused(case: str) -> None:
    make, asked, text = REFUSALS[case]
    with pytest.raises(ModelError) as error:
        stream(quantize_model(make()).graph, asked)
    assert str(error.value) == f"model 'model': {text}"


def test_an_input_with_a_scale_for_each_frame_cannot_move_on() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(FRAMES, 4)) / np.logspace(0, 4, FRAMES)[:, None]
    proto = model([node("Gemm", ["x", "w"], "y", "fc")], {"x": (1, FRAMES)}, ["y"], {"w": weights.astype(np.float32)})
    data = (rng.normal(size=(64, 1, FRAMES)) * np.logspace(0, 4, FRAMES)).astype(np.float32)
    graph = quantize_model(proto, data).graph
    with pytest.raises(ModelError) as error:
        stream(graph, Streaming(1))
    assert str(error.value) == (
        "model 'model': --stream 1: input 'x' has a scale for each of its places along that dimension, and frames move "
        "on from place to place; give --input-scale per-tensor"
    )


def test_features_with_scales_of_their_own_move_on() -> None:
    rng = np.random.default_rng(0)
    scales = np.logspace(0, 4, CHANNELS)
    w = (rng.normal(size=(CHANNELS, CHANNELS, 3)) / scales[:, None]).astype(np.float32)
    proto = model(
        [node("Conv", ["x", "w"], "a", "conv"), node("GlobalAveragePool", ["a"], "y", "mean")],
        {"x": (1, CHANNELS, FRAMES)},
        ["y"],
        {"w": w},
    )
    data = (rng.normal(size=(64, 1, CHANNELS, FRAMES)) * scales[:, None]).astype(np.float32)
    graph = quantize_model(proto, data).graph
    assert isinstance(graph.tensors["x"].quant, ChannelQuant)
    streaming = stream(graph, Streaming(2))
    assert streaming.macs() < graph.macs()
    compared(graph, streaming)


def test_states_of_the_model_do_not_go_with_it() -> None:
    graph = quantize_model(with_states("GRU"), states={"h": "h_out"}).graph
    with pytest.raises(ModelError) as error:
        stream(graph, Streaming(1))
    assert str(error.value) == (
        "model 'model': --stream: does not go with --state or --stateful; leave out one of the two"
    )


def test_what_is_asked_is_read_or_refused() -> None:
    assert parse_streaming("2") == Streaming(2)
    assert parse_streaming(" -1:16", padded=False) == Streaming(-1, 16, False)
    for text in ("", "x", "1:", "1:2:3", "1.5"):
        with pytest.raises(ModelError) as error:
            parse_streaming(text)
        assert str(error.value) == (
            f"--stream '{text}': is no dimension of the input, as in 1, or one with the frames of a call behind it, as "
            "in 1:4"
        )
