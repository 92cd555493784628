"""Models that stream, from windows of data to C: on this computer and emulated CPUs, and against the float model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stream_models import CHANNELS, FRAMES, STREAMS, of_each_frame, temporal_convolutions

import mcuq
from mcuq.artifact import load, save
from mcuq.compile import calls_for, compile_model
from mcuq.dataset.windows import Windows
from mcuq.errors import DataError
from mcuq.graph.states import RESET
from mcuq.graph.tensor import Array
from mcuq.validate.accuracy import measure_accuracy
from mcuq.validate.bits import check_bits, integer_batches


def windows(count: int, seed: int = 2) -> Array:
    found: Array = np.random.default_rng(seed).normal(size=(count, 1, CHANNELS, FRAMES)).astype(np.float32)
    return found


ON = [
    ("host", "host"),
    ("cortex-m4", "emulator"),
    *(pytest.param(b, "emulator", marks=pytest.mark.slow) for b in ("cortex-m0", "cortex-m55", "rv32imc")),
]


@pytest.mark.parametrize(("board", "on"), ON)
@pytest.mark.parametrize("network", ["causal", "spectrogram", "recurrent"])
def test_the_c_of_calls_gives_the_simulators_bits(network: str, board: str, on: str) -> None:
    axis, make = STREAMS[network]
    model = compile_model(make(), board, stream=axis)
    graph = model.graph
    calls = graph.stream.calls if graph.stream else 0
    shape = list(graph.tensors["x"].shape)
    shape[axis] = FRAMES
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32) * 2
    report = check_bits(model, integer_batches(graph, calls_for(graph, x)), on)
    assert report.first_mismatch is None
    assert report.samples == 2 * calls
    assert report.compared_bytes > 0


def test_the_last_call_of_a_window_gives_what_the_model_gives() -> None:
    proto, x = temporal_convolutions(), windows(12)
    whole = compile_model(proto, "host", windows(40, 1))
    streaming = compile_model(proto, "host", windows(40, 1), stream=2)
    own = streaming.graph.stream
    assert own is not None
    found = mcuq.simulate(streaming, x).integers["y"]
    assert len(found) == 12 * own.calls
    assert np.array_equal(found[own.calls - 1 :: own.calls], mcuq.simulate(whole, x).integers["y"])
    labels = np.arange(12) % 4
    wanted, got = (measure_accuracy(m, calls_for(m.graph, x, labels)) for m in (whole, streaming))
    assert got == wanted
    assert got.accuracy is not None


def test_data_is_windows_or_sequences_of_calls() -> None:
    model = compile_model(of_each_frame(), "host", stream="2:3")
    own = model.graph.stream
    assert own is not None
    assert (own.hop, own.calls) == (3, 3)
    x = windows(1)
    given = calls_for(model.graph, x)
    assert isinstance(given, Windows)
    assert len(given) == 3
    calls = list(given)
    assert [float(call[RESET]) for call in calls] == [1, 0, 0]
    assert np.array_equal(np.concatenate([call["x"] for call in calls], 2), x[0][..., FRAMES - 9 :])
    # A signal of 12 hops, of which windows end from the third on.
    signal = np.random.default_rng(3).normal(size=(1, 12, 1, CHANNELS, 3)).astype(np.float32)
    sequences = calls_for(model.graph, signal)
    assert not isinstance(sequences, Windows)
    assert len(sequences) == 12
    assert measure_accuracy(model, sequences).samples == 10
    with pytest.raises(DataError) as error:
        measure_accuracy(model, calls_for(model.graph, signal[:, :2]))
    assert str(error.value) == "data: no sequence has 3 calls, which fill a window of 24 frames; give longer ones"


def test_data_that_is_neither_is_refused_as_windows_are() -> None:
    model = compile_model(temporal_convolutions(), "host", stream=2)
    with pytest.raises(DataError) as error:
        calls_for(model.graph, np.zeros((3, CHANNELS, 5), np.float32))
    assert str(error.value) == (
        f"data: array 'x': shape (3, {CHANNELS}, 5) does not fit the model's input 'x'; give (N, {CHANNELS}, {FRAMES}) "
        "for N samples"
    )


def test_what_is_saved_is_what_is_read(tmp_path: Path) -> None:
    model = compile_model(of_each_frame(), "cortex-m4", stream="2:2", name="each")
    save(model, tmp_path)
    assert load(tmp_path).graph.stream == model.graph.stream
    header = model.files["each.h"]
    assert "#define EACH_STREAM_HOP 2\n#define EACH_STREAM_WINDOW 24\n#define EACH_STREAM_CALLS 4\n" in header
    assert (
        "/* Output 'y' has its newest places along dimension 2, made when 3 frames behind their own came. */" in header
    )


def test_states_are_shifted_in_their_own_place() -> None:
    model = compile_model(temporal_convolutions(), "cortex-m4", stream=2, name="net")
    states = model.graph.states
    assert states
    # Nothing is copied behind the layers: each window of rows lies in the state alone.
    assert "state_bytes[" not in model.files["net.c"].split("net_run_in(")[-1].split("return")[0]
    assert model.arena_bytes <= 256
