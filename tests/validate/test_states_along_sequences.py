"""States from call to call: the integers against ONNX Runtime, and the C against the simulator, along sequences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from state_models import (
    ANSWERS,
    FEATURES,
    GATES,
    HIDDEN,
    cached_convolution,
    decibels,
    delay_line,
    packed,
    recurrent,
    sequences,
    states_of,
    stepped,
)

import mcuq
from mcuq.artifact import load, save
from mcuq.compile import CompiledModel, calls_for, compile_model, quantize_model
from mcuq.errors import DataError, ModelError
from mcuq.graph.ir import Graph, verify
from mcuq.graph.simulate import quantize_inputs
from mcuq.graph.states import BEFORE, RESET, STATE, Calls, state_bytes
from mcuq.graph.tensor import Array
from mcuq.validate.bits import BitsReport, check_bits, integer_batches, probe_inputs

STEPS = 100
CALIBRATION = sequences(10, 30)
TEST = sequences(1, STEPS, seed=6)[0]


def simulated(graph: Graph, x: Array) -> Array:
    """Real y at each step of one sequence."""
    resets = (np.arange(len(x)) == 0).astype(np.float32)
    found = Calls(graph).run(quantize_inputs(graph, {"x": x, RESET: resets}))
    return graph.tensors["y"].decode(found["y"])


@pytest.mark.parametrize("kind", GATES)
def test_a_hundred_steps_of_integers_stay_above_30_db(kind: str) -> None:
    proto = recurrent(kind)
    graph = quantize_model(proto, CALIBRATION, states=states_of(kind)).graph
    assert {graph.tensors[name].dtype for name in states_of(kind)} == {"int16"}
    assert decibels(stepped(proto, states_of(kind), TEST), simulated(graph, TEST)) > 30


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("initial", [0.0, 0.25])
def test_a_hundred_steps_of_floats_are_those_of_onnx_runtime(kind: str, initial: float) -> None:
    proto, states = recurrent(kind), states_of(kind)
    graph = quantize_model(proto, scheme="float32", states=states, initial_states=dict.fromkeys(states, initial)).graph
    np.testing.assert_allclose(simulated(graph, TEST), stepped(proto, states, TEST, initial), atol=1e-4)


@pytest.mark.parametrize("kind", GATES)
def test_states_that_are_the_operators_own_are_those_that_are_given_by_hand(kind: str) -> None:
    own = quantize_model(recurrent(kind, is_open=False), scheme="float32", stateful=True).graph
    np.testing.assert_allclose(simulated(own, TEST), stepped(recurrent(kind), states_of(kind), TEST), atol=1e-4)
    assert [state.input for state in own.states] == [f"rec_{name}_in" for name in states_of(kind)]


def test_frames_that_are_kept_for_a_convolution_have_8_bits_and_lose_nothing() -> None:
    proto, states = cached_convolution(), {"cache": "cache_out"}
    graph = quantize_model(proto, sequences(10, 30, (1, 4, 1)), states=states).graph
    assert graph.tensors["cache"].quant == graph.tensors["cache_out"].quant
    assert graph.tensors["cache"].dtype == "int8"
    x = sequences(1, STEPS, (1, 4, 1), seed=6)[0]
    assert decibels(stepped(proto, states, x), simulated(graph, x)) > 30


def test_a_hidden_state_and_a_cell_in_one_tensor_are_one_state() -> None:
    proto, states = packed(), {"state": "stateN"}
    graph = quantize_model(proto, CALIBRATION, states=states).graph
    assert graph.tensors["state"].dtype == "int16"
    want, got = stepped(proto, states, TEST), simulated(graph, TEST)
    assert decibels(want - 0.5, got - 0.5) > 30


def test_what_one_state_gives_another_takes() -> None:
    proto, states = delay_line(), {"first": "first_out", "second": "second_out"}
    graph = quantize_model(proto, scheme="float32", states=states).graph
    x = sequences(1, 9, (1, 5))[0]
    np.testing.assert_array_equal(simulated(graph, x), stepped(proto, states, x))


def test_calibration_sees_what_states_become_and_not_zeros() -> None:
    steps = np.ones((2, 30, 1, 2), np.float32)
    steps[:, :, 0, 1] = -1
    text = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> sums (float[1,2] x, float[1,2] s) => (float[1,2] y, float[1,2] t)'
        "{ t = Add(x, s) y = Neg(t) }"
    )
    graph = quantize_model(text, steps, states={"s": "t"}, method="minmax").graph
    low, high = graph.tensors["s"].quantization.real_bounds
    assert low < -29.9 and high > 29.9
    assert graph.tensors["s"].quant == graph.tensors["t"].quant


MODELS = {
    **{kind: (recurrent(kind), states_of(kind), (1, 1, FEATURES)) for kind in GATES},
    "cache": (cached_convolution(), {"cache": "cache_out"}, (1, 4, 1)),
    "packed": (packed(), {"state": "stateN"}, (1, 1, FEATURES)),
    "delays": (delay_line(), {"first": "first_out", "second": "second_out"}, (1, 5)),
}


def compiled(name: str, board: str = "host", **asked: object) -> tuple[CompiledModel, Array]:
    """A model and sequences for it."""
    proto, states, shape = MODELS[name]
    data = sequences(3, 6, shape)
    model = compile_model(proto, board, data, "net", states=states, judged=False, **asked)  # type: ignore[arg-type]
    return model, data


def bits(model: CompiledModel, data: Array, on: str) -> BitsReport:
    """The C along sequences, every byte of outputs and states."""
    return check_bits(model, integer_batches(model.graph, calls_for(model.graph, data)), on)


@pytest.mark.parametrize("scheme", ["int8", "float32"])
@pytest.mark.parametrize("name", MODELS)
def test_the_c_keeps_what_the_simulator_keeps(name: str, scheme: str) -> None:
    model, data = compiled(name, scheme=scheme)
    report = bits(model, data, "host")
    assert report.bit_exact, report.first_mismatch
    outputs = sum(model.graph.tensors[output].size_bytes for output in model.graph.given_outputs)
    assert report.compared_bytes == 18 * (outputs + state_bytes(model.graph))


@pytest.mark.toolchain
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
@pytest.mark.parametrize("name", ["LSTM", "cache"])
def test_emulated_cpus_keep_it_too(name: str, board: str) -> None:
    model, data = compiled(name, board, initial_states={next(iter(MODELS[name][1])): 0.5})
    report = bits(model, data, "emulator")
    assert report.bit_exact, report.first_mismatch
    assert report.instructions


@pytest.mark.parametrize(
    "asked", [{"weights": "external"}, {"optimize": "size"}, {"optimize": "ram", "initial_states": {"h": -0.5}}]
)
def test_options_of_the_c_leave_states_what_they_are(asked: dict[str, object]) -> None:
    model, data = compiled("GRU", **asked)
    report = bits(model, data, "host")
    assert report.bit_exact, report.first_mismatch


def test_a_state_is_what_the_file_says_after_it_is_written_and_read(tmp_path: Path) -> None:
    model, data = compiled("LSTM", initial_states={"c": 0.5})
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.graph.states == model.graph.states
    assert again.files == model.files
    probes = probe_inputs(again.graph)
    want, got = model.calls().run(probes), again.calls().run(probes)
    assert list(got) == [BEFORE, "y", STATE]
    assert all((got[name] == want[name]).all() for name in got)
    assert mcuq.simulate(again, data).outputs["y"].shape == (18, 1, 1, ANSWERS)


def test_what_is_written_in_the_states_place_takes_no_arena() -> None:
    model, _ = compiled("LSTM")
    source = model.files["net.c"]
    assert "state_bytes[" not in source.split("int32_t net_run_in")[1].split("#if !defined(NET_NO_ARENA)")[0]
    assert model.listing.state_bytes == 4 + 2 * 2 * HIDDEN
    delays, _ = compiled("delays")
    assert delays.listing.state_bytes == 4 + 2 * 8


def test_the_simulator_begins_anew_with_each_sequence() -> None:
    model, data = compiled("GRU")
    found = mcuq.simulate(model, np.concatenate([data[:1], data[:1]]))
    np.testing.assert_array_equal(found.integers["y"][:6], found.integers["y"][6:])
    whole = mcuq.simulate(model, np.concatenate([data[0], data[0]])[None])
    assert (whole.integers["y"][6:] != found.integers["y"][6:]).any()
    assert found.report.sqnr_db > 25


@pytest.mark.parametrize("option", ["push", "step"])
def test_what_does_not_go_with_states_is_refused(option: str) -> None:
    with pytest.raises(ModelError) as error:
        compiled("GRU", **{option: True})
    assert str(error.value) == (
        f"model 'net': --{option}: does not go with states, which an inference takes whole; leave out one of the two"
    )


def test_a_state_that_grows_without_end_has_no_range() -> None:
    doubling = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> doubling (float[1,2] x, float[1,2] s) => (float[1,2] y, float[1,2] t)'
        "{ d = Add(s, s) e = Mul(d, d) t = Add(x, e) y = Neg(t) }"
    )
    with pytest.raises(DataError) as error:
        quantize_model(doubling, np.full((1, 40, 1, 2), 9, np.float32), states={"s": "t"})
    assert str(error.value) == (
        "state 's': is NaN or Inf along a sequence of the data, so that no range is known; mend the data, or give "
        "shorter sequences"
    )


def test_a_graph_whose_state_is_of_two_quantizations_is_none() -> None:
    graph = quantize_model(recurrent("GRU"), CALIBRATION, states={"h": "h_out"}).graph
    tensors = dict(graph.tensors)
    tensors["h"] = replace(tensors["h"], quant=replace(tensors["h"].quantization, scale=(1.0,)))
    with pytest.raises(ModelError, match="graph 'model': state h: int16"):
        verify(replace(graph, tensors=tensors))
