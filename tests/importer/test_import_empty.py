"""Tensors without elements add nothing, and a Pad on integers pads with the integer 0."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import check_import, ints, model, node, random, refusal
from quantized_models import check_steps, dequantize, quantize, scale_of

X = {"x": (1, 4, 5)}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_concat_with_an_empty_constant(place) -> None:
    inputs = ["x", "w"]
    inputs.insert(place, "none")
    constants = {"none": np.zeros((1, 0, 5), np.float32), "w": random(1, 2, 5)}
    graph = check_import(model([node("Concat", inputs, "y", axis=1)], X, constants=constants))
    assert graph.tensors["y"].shape == (1, 6, 5)


def test_concat_of_one_tensor_and_nothing_is_that_tensor() -> None:
    nodes = [node("Relu", ["x"], "r"), node("Concat", ["r", "none"], "c", axis=1), node("Tanh", ["c"], "y")]
    graph = check_import(model(nodes, X, constants={"none": np.zeros((1, 0, 5), np.float32)}))
    assert "Concat" not in graph.text()


def test_concat_with_what_a_slice_leaves_nothing_of() -> None:
    nodes = [
        node("Slice", ["x", "two", "two", "one"], "none"),
        node("Concat", ["none", "x", "x"], "y", axis=1),
    ]
    graph = check_import(model(nodes, X, constants={"two": ints(2), "one": ints(1)}))
    assert graph.tensors["y"].shape == (1, 8, 5)


def test_empty_tensors_that_do_not_join() -> None:
    constants = {"none": np.zeros((1, 0, 7), np.float32)}
    assert refusal(model([node("Concat", ["x", "none"], "y", "join", axis=1)], X, constants=constants)) == (
        "Concat 'join': shapes [[1, 4, 5], [1, 0, 7]] do not join along axis 1"
    )


@pytest.mark.parametrize(("kind", "zero_point"), [(np.int8, 0), (np.int8, -17), (np.uint8, 0), (np.uint8, 40)])
@pytest.mark.parametrize("is_stated", [False, True])
def test_pad_on_integers_pads_with_the_integer_0_unless_it_says_otherwise(kind, zero_point, is_stated) -> None:
    nodes = [
        quantize("x", "q"),
        node("Pad", ["q", "pads", "value"] if is_stated else ["q", "pads"], "p", "pad"),
        dequantize("p", "y"),
    ]
    constants = {
        "s": scale_of(0.05),
        "z": np.array(zero_point, kind),
        "pads": ints(0, 0, 1, 1, 0, 0, 2, 0),
        "value": np.array(7, kind),
    }
    check_steps(model(nodes, {"x": (1, 4, 5, 5)}, constants=constants), most=0)
