"""Which inputs and outputs of a file are states: given, the operators' own, and suggested."""

from __future__ import annotations

import onnx
import pytest
from state_models import GATES, cached_convolution, delay_line, packed, recurrent, states_of

from mcuq.errors import ModelError
from mcuq.graph.ir import State
from mcuq.importer import import_model, selection
from mcuq.report.inspect import inspect_model


def states(proto: onnx.ModelProto, **asked: object) -> tuple[State, ...]:
    graph, _ = import_model(proto, None, selection(None, None, **asked))  # type: ignore[arg-type]
    return graph.states


def parsed(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')


@pytest.mark.parametrize("kind", GATES)
def test_given_pairs_are_states_and_no_inputs_of_the_caller(kind: str) -> None:
    graph, proto = import_model(recurrent(kind), None, selection(None, None, states_of(kind)))
    assert graph.states == tuple(State(*pair) for pair in states_of(kind).items())
    assert (graph.given_inputs, graph.given_outputs) == (("x",), ("y",))
    assert len(proto.graph.input) == 1 + len(states_of(kind))


def test_states_of_operators_are_opened_with_what_they_begin_with() -> None:
    found = states(recurrent("LSTM", is_open=False), stateful=True, initial_states={"rec_c_in": 0.5})
    assert found == (State("rec_h_in", "h_out"), State("rec_c_in", "rec_c_out", 0.5))
    constant = parsed(
        "net (float[2,1,3] x) => (float[2,1,1,2] y) <float[1,6,3] W = {"
        + ",".join(["0.1"] * 18)
        + "}, float[1,6,2] R = {"
        + ",".join(["0.1"] * 12)
        + "}, float[1,1,2] h = {0.75, 0.75}> { y = GRU<hidden_size=2>(x, W, R, , , h) }"
    )
    (state,) = states(constant, stateful=True)
    assert state.initial == 0.75


def test_outputs_that_are_chosen_keep_those_of_states() -> None:
    graph, _ = import_model(recurrent("GRU"), None, selection(["y"], None, {"h": "h_out"}))
    assert graph.outputs == ("y", "h_out")


@pytest.mark.parametrize(
    ("proto", "want"),
    [
        (recurrent("LSTM"), {"h": "h_out", "c": "c_out"}),
        (cached_convolution(), {"cache": "cache_out"}),
        (
            parsed(
                "n (float[1,4] input, float[2,1,8] state) => (float[1,1] output, float[2,1,8] stateN) "
                "{ stateN = Neg(state) output = ReduceSum<keepdims=1>(input) }"
            ),
            {"state": "stateN"},
        ),
        (packed(), {"state": "stateN"}),
        (recurrent("GRU", is_open=False), {}),
        (parsed("n (float[1,4] a, float[1,4] b) => (float[1,4] c) { c = Add(a, b) }"), {}),
    ],
)
def test_pairs_are_suggested_by_shape_and_name_alone(proto: onnx.ModelProto, want: dict[str, str]) -> None:
    found = inspect_model(proto)
    assert {state.input: state.output for state in found.suggested} == want
    assert found.states == ()


def test_what_is_asked_for_is_not_suggested() -> None:
    found = inspect_model(delay_line(), states={"first": "first_out"})
    assert (found.states, found.suggested) == ((State("first", "first_out"),), ())


GRU, LINE, CACHE = recurrent("GRU"), delay_line(), cached_convolution()
CROSSED = {"first": "first_out", "second": "first_out"}
ALL = {"first": "first_out", "second": "second_out", "x": "y"}
NOT_FINITE = {"states": {"h": "h_out"}, "initial_states": {"h": float("nan")}}
REFUSED = (
    (GRU, {"states": {"g": "h_out"}}, "state 'g=h_out': the model has no input 'g'; its inputs are 'x', 'h'"),
    (GRU, {"states": {"h": "h_our"}}, "state 'h=h_our': the model has no output 'h_our'; did you mean 'h_out'?"),
    (
        GRU,
        {"states": {"h": "y"}},
        "state 'h=y': the input has shape [1, 1, 12], the output [1, 1, 3]; a state keeps its shape",
    ),
    (LINE, {"states": CROSSED}, "output 'first_out' is in two states; give it to one"),
    (LINE, {"states": ALL}, "all its inputs are states; leave one to give when it runs"),
    (
        GRU,
        {"states": {"h": "h_out"}, "initial_states": {"x": 1}},
        "has no state 'x' to begin; states are 'h'",
    ),
    (GRU, {"initial_states": {"h": 1}}, "has no state 'h' to begin; give one: --state INPUT=OUTPUT"),
    (
        CACHE,
        {"stateful": True},
        "--stateful: it has no LSTM, GRU or RNN whose state begins with a constant; leave out --stateful, or give "
        "pairs of its inputs and outputs: --state INPUT=OUTPUT",
    ),
)


@pytest.mark.parametrize(("proto", "asked", "message"), REFUSED)
def test_what_is_no_state_is_said_so(proto: onnx.ModelProto, asked: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as error:
        states(proto, **asked)
    assert str(error.value) == f"model: {message}"


def test_states_begin_with_numbers() -> None:
    with pytest.raises(ModelError) as error:
        states(GRU, **NOT_FINITE)
    assert str(error.value) == "initial_states: state 'h' cannot begin with nan; give a number"


def test_layers_that_run_backwards_have_no_state_that_goes_on() -> None:
    proto = recurrent("GRU", is_open=False)
    proto.graph.node[0].attribute.append(onnx.helper.make_attribute("direction", "reverse"))
    with pytest.raises(ModelError) as error:
        states(proto, stateful=True)
    assert str(error.value) == (
        "model: GRU 'rec': direction=reverse runs from the last step to the first, and no state goes on from call to "
        "call; leave out --stateful, or use forward layers"
    )


def test_integers_and_lone_outputs_are_no_states() -> None:
    proto = parsed("net (float[1,2] x, int64[1,2] n) => (float[1,2] y, int64[1,2] m) { y = Neg(x) m = Add(n, n) }")
    with pytest.raises(ModelError) as error:
        states(proto, states={"n": "m"})
    assert str(error.value) == "model: state 'n=m': holds integers; states of real values are supported"
    alone = parsed("net (float[1,2] x, float[1,2] s) => (float[1,2] t) { t = Add(x, s) }")
    with pytest.raises(ModelError) as error:
        states(alone, states={"s": "t"})
    assert str(error.value) == ("model: all its outputs are states; leave one to give out, or add one with --outputs")
