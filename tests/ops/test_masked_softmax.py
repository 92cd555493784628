"""MaskedSoftmax: C against the simulator, the simulator against float, relations, errors."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import FLOAT, check_floats, float_layers, float_meaning, real_outputs
from support import Case, check_float, check_portable_c, float_graph, integer_branches, integer_graph, random_inputs

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
    return [(MaskedSoftmax(), [x, keep]) for x, keep in shapes]


@pytest.mark.parametrize("on", ["host", "emulator"])
@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_gives_the_simulators_bits(on: str, scheme: str) -> None:
    check_portable_c(integer_branches(cases(), 0, parse_scheme(scheme)), on)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_c_of_floats_gives_the_simulators_bits(on: str) -> None:
    check_floats(float_layers(cases(), FLOAT), on)


def test_simulator_is_within_a_step_of_the_float_meaning() -> None:
    for seed in range(5):
        check_float(integer_branches(cases(), seed), 1.0)
        check_float(integer_branches(cases(), seed, parse_scheme("int16")), 1.0)


def test_floats_are_those_of_onnx_runtime() -> None:
    graph = float_layers(cases(), FLOAT)
    rng = np.random.default_rng(4)
    x = {name: rng.normal(0, 3, (4, *graph.tensors[name].shape)).astype(np.float32) for name in graph.inputs}
    want = float_meaning(cases(), x)
    for name, y in real_outputs(graph, x).items():
        assert np.abs(y - want[name]).max() <= 1e-6


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
    message = "MaskedSoftmax 'layer': the mask leaves out all of a row; keep something in each"
    assert refused((2, 4), np.array([[1, 0, 0, 0], [0, 0, 0, 0]])) == message
