"""MaskedSoftmax: C against the simulator, the simulator against float, relations, errors."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import FLOAT, check_floats, float_layers, float_meaning, real_outputs
from support import (
    Case,
    Whole,
    check_float,
    check_portable_c,
    float_graph,
    integer_branches,
    integer_graph,
    random_inputs,
)

from mcuq.errors import ModelError
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.softmax import Softmax
from mcuq.quantize.scheme import parse_scheme


def mask(*shape: int, seed: int = 0) -> Array:
    """Random, something kept in each row."""
    keep = np.random.default_rng(seed).random(shape) < 0.5
    keep[..., seed % shape[-1]] = True
    return keep.astype(np.float32)


def cases() -> list[Case]:
    """Masks of one row, of some dimensions and of all; rows of one value and of many, few kept and all."""
    shapes: list[tuple[tuple[int, ...], Array]] = [
        *(
            ((3, 1), mask(1)),
            ((3, 5), mask(5, seed=1)),
            ((3, 5), mask(3, 5, seed=2)),
            ((2, 3, 4, 4), mask(4, 4, seed=3)),
        ),
        *(
            ((2, 3, 4, 7), mask(3, 4, 7, seed=4)),
            ((2, 300), mask(300, seed=5)),
            ((4, 6), np.tri(4, 6, dtype=np.float32)),
        ),
        ((2, 6), np.ones(6, np.float32)),
    ]
    return [*((MaskedSoftmax(), [x, keep]) for x, keep in shapes), *computed()]


# Scores, and masks that are repeated over dimensions before, between and behind those that they have.
COMPUTED: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((3, 5), (5,)),
    ((3, 5), (3, 5)),
    ((2, 3, 4, 7), (2, 1, 1, 7)),
    ((2, 3, 4, 7), (2, 1, 4, 7)),
    ((2, 3, 4, 7), (1, 3, 1, 7)),
    ((2, 3, 4, 7), (4, 7)),
    ((1, 2, 3, 1), (1, 1, 3, 1)),
    ((2, 200), (1, 200)),
]
EMPTY = ("zero", "nan", "equal", "all")


def computed() -> list[Case]:
    return [(MaskedSoftmax(empty=e), [x, Whole(keep, 0, 1)]) for x, keep in COMPUTED for e in EMPTY]


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_gives_the_simulators_bits(on: str, scheme: str) -> None:
    check_portable_c(integer_branches(cases(), 0, parse_scheme(scheme)), on)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_of_floats_gives_the_simulators_bits(on: str) -> None:
    check_floats(float_layers(cases(), FLOAT), on)


def test_simulator_is_within_a_step_of_the_float_meaning() -> None:
    """But for NaN, which floats alone have."""
    numbers = [case for case in cases() if case[0] != MaskedSoftmax(empty="nan")]
    for seed in range(5):
        check_float(integer_branches(numbers, seed), 1.0)
        check_float(integer_branches(numbers, seed, parse_scheme("int16")), 1.0)


@pytest.mark.parametrize(("scheme", "even"), [("int8", round(256 / 6) - 128), ("int16", round(32768 / 6))])
def test_a_row_that_keeps_nothing_is_as_is_asked(scheme: str, even: int) -> None:
    found = {}
    for empty in EMPTY:
        graph = integer_graph(MaskedSoftmax(empty=empty), [(2, 6), Whole((2, 6), 0, 1)], None, parse_scheme(scheme))
        x = np.arange(12).reshape(1, 2, 6).astype(graph.tensors["x0"].dtype)
        keep = np.array([[[0] * 6, [0, 1, 0, 0, 0, 0]]], np.int8)
        y = simulate(graph, {"x0": x, "x1": keep})["y"]
        zero = graph.tensors["y"].zero_point
        assert (y[0, 1, [0, 2, 3, 4, 5]] == zero).all()
        assert y[0, 1, 1] == np.iinfo(y.dtype).max  # where 1 itself counts as the greatest code
        found[empty] = y[0, 0]
    plain = integer_graph(Softmax(), [(2, 6)], None, parse_scheme(scheme))
    assert (found["zero"] == zero).all() and (found["nan"] == zero).all()
    assert (found["equal"] == even).all()
    assert np.array_equal(found["all"], simulate(plain, {"x0": x})["y"][0, 0])


def test_floats_are_those_of_onnx_runtime() -> None:
    graph = float_layers(cases(), FLOAT)
    rng = np.random.default_rng(4)
    x = {}
    for name in graph.inputs:
        shape = (4, *graph.tensors[name].shape)
        is_mask = graph.tensors[name].integers is not None
        x[name] = (rng.random(shape) < 0.3 if is_mask else rng.normal(0, 3, shape)).astype(np.float32)
    want = float_meaning(cases(), x)
    of_nothing = 0
    for name, y in real_outputs(graph, x).items():
        assert np.array_equal(np.isnan(y), np.isnan(want[name])), name
        assert np.nanmax(np.abs(y - want[name])) <= 1e-6, name
        of_nothing += int(np.isnan(y).any())
    assert of_nothing >= 4


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_what_is_left_out_is_nothing_and_the_rest_a_softmax_of_its_own(scheme: str) -> None:
    keep = np.array([1, 0, 1, 1, 0, 1], np.float32)
    graph = integer_graph(MaskedSoftmax(), [(3, 6), keep], {"x0": (-4, 9)}, parse_scheme(scheme))
    alone = integer_graph(Softmax(), [(3, 4)], {"x0": (-4, 9)}, parse_scheme(scheme))
    x = random_inputs(graph, 8)["x0"]
    y = simulate(graph, {"x0": x})["y"]
    assert np.array_equal(y[..., keep == 1], simulate(alone, {"x0": x[..., keep == 1]})["y"])
    assert (y[..., keep == 0] == graph.tensors["y"].zero_point).all()


def refused(x: tuple[int, ...], keep: Array) -> str:
    with pytest.raises(ModelError) as caught:
        float_graph(MaskedSoftmax(), [x, keep])
    return str(caught.value)


def test_masks_that_do_not_fit_are_refused() -> None:
    assert refused((3, 4), np.ones(3)) == "MaskedSoftmax 'layer': mask [3] does not fit scores [3, 4]"
    assert refused((4,), np.ones((3, 4))) == "MaskedSoftmax 'layer': mask [3, 4] does not fit scores [4]"
    for keep in [(3,), (5, 4), (3, 1), (1, 2, 3, 4)]:
        with pytest.raises(ModelError) as caught:
            float_graph(MaskedSoftmax(), [(3, 4), Whole(keep, 0, 1)])
        assert str(caught.value) == f"MaskedSoftmax 'layer': mask {list(keep)} does not fit scores [3, 4]"
    with pytest.raises(ModelError) as caught:
        float_graph(MaskedSoftmax(), [(2, 3, 4, 5, 6), Whole((2, 1, 4, 1, 6), 0, 1)])
    assert str(caught.value) == (
        "MaskedSoftmax 'layer': mask [2, 1, 4, 1, 6] of scores [2, 3, 4, 5, 6] repeats here and there; Expand it before"
    )
    with pytest.raises(ModelError) as caught:
        float_graph(MaskedSoftmax(), [(3, 4), (3, 4)])
    assert str(caught.value) == "MaskedSoftmax 'layer': the mask is of real values, not of booleans"
    message = "MaskedSoftmax 'layer': the mask leaves out all of a row; keep something in each"
    assert refused((2, 4), np.array([[1, 0, 0, 0], [0, 0, 0, 0]])) == message
