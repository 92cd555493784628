"""Masks that are added to scores become the Softmax's own."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import check_import, imported, model, node, random

from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.passes import optimize
from mcuq.passes.mask_softmax import mask_softmax

CAUSAL = np.tri(6) > 0
LEAST = np.finfo(np.float32).min


def masked(value: float, finite: Array | None = None, keep: Array = CAUSAL) -> Array:
    return np.where(keep, np.zeros(keep.shape) if finite is None else finite, value).astype(np.float32)


def scores(mask: Array, *more: onnx.NodeProto, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    nodes = [node("Add", ["x", "m"], "t", "add"), node("Softmax", ["t"], "y", "soft"), *more]
    return model(nodes, {"x": (2, 6, 6)}, list(outputs), constants={"m": mask})


def operators(graph: Graph) -> list[str]:
    return [type(node.op).__name__ for node in graph.nodes]


@pytest.mark.parametrize("value", [-np.inf, LEAST, -1e9, -1e4])
def test_a_mask_of_all_spellings_is_the_softmaxs(value: float) -> None:
    graph = check_import(scores(masked(value)))
    found = mask_softmax(graph)
    assert operators(found) == ["MaskedSoftmax"]
    (layer,) = found.layers()
    assert np.array_equal(layer.inputs[1].values, CAUSAL)


def test_what_is_finite_is_still_added_and_what_repeats_stands_once() -> None:
    bias = random(6, 6, seed=3)
    mask = np.broadcast_to(masked(-1e9, bias), (2, 6, 6))
    found = mask_softmax(check_import(scores(mask.copy())))
    assert operators(found) == ["Add", "MaskedSoftmax"]
    add, softmax = found.layers()
    assert np.array_equal(add.inputs[1].values, np.broadcast_to(np.where(CAUSAL, bias, 0), (2, 6, 6)))
    assert softmax.inputs[1].shape == (6, 6)


def test_a_mask_of_keys_alone_is_repeated_for_each_query() -> None:
    keep = np.array([[[True, True, False, True, True, False]]])
    (layer,) = mask_softmax(check_import(scores(masked(LEAST, keep=keep)))).layers()
    assert np.array_equal(layer.inputs[1].values, keep[0, 0])


@pytest.mark.parametrize("value", [-np.inf, -1e9])
def test_masked_scores_have_the_scale_of_those_that_are_left(value: float) -> None:
    """The whole network: the mask widens no range, and 30 dB are reached."""
    from support import run_float

    from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
    from mcuq.onnx_io.writer import write_onnx
    from mcuq.quantize import quantize_on_samples

    graph = optimize(check_import(scores(masked(value, random(6, 6, seed=2)))))
    rng = np.random.default_rng(1)
    data = [{"x": rng.normal(0, 2, (2, 6, 6)).astype(np.float32)} for _ in range(64)]
    integer = quantize_on_samples(graph, data[:32]).graph
    assert all(t.quant is None or max(t.quant.scale) < 1.01 for t in integer.tensors.values())
    others = {"x": np.stack([sample["x"] for sample in data[32:]])}
    ours = dequantize_outputs(integer, simulate(integer, quantize_inputs(integer, others)))["y"]
    wanted = run_float(write_onnx(graph), others)["y"]
    assert (wanted**2).sum() > 1000 * ((wanted - ours) ** 2).sum()
    assert (ours[..., ~CAUSAL] == 0).all()


def test_scores_that_something_else_reads_keep_a_finite_mask() -> None:
    graph = check_import(scores(masked(-1e9), outputs=("y", "t")))
    assert operators(mask_softmax(graph)) == ["Add", "Softmax"]


@pytest.mark.parametrize(("value", "said"), [(-np.inf, "-3.4e+38"), (LEAST, "-3.4e+38"), (-1e35, "-1e+35")])
def test_a_mask_that_is_not_a_softmaxs_is_refused(value: float, said: str) -> None:
    graph = imported(scores(masked(value), outputs=("y", "t")))
    with pytest.raises(ModelError) as caught:
        mask_softmax(graph)
    assert str(caught.value) == (
        f"Add 'add': adds numbers down to {said} for what no Softmax alone reads; "
        "such are supported as the mask of a Softmax"
    )


def chosen(condition: Array, value: float, scores_if: bool, shape: tuple[int, ...] = (2, 6, 6)) -> onnx.ModelProto:
    """Softmax of x where the condition is `scores_if`, else of the value: masked_fill, or where with x first."""
    branches = ["x", "low"] if scores_if else ["low", "x"]
    nodes = [node("Where", ["c", *branches], "t", "where"), node("Softmax", ["t"], "y", "soft")]
    return model(nodes, {"x": shape}, constants={"c": condition, "low": np.float32(value)})


@pytest.mark.parametrize("value", [-np.inf, LEAST, -1e9, -1e4])
@pytest.mark.parametrize("scores_if", [True, False])
def test_a_mask_whose_value_is_chosen_is_the_softmaxs(value: float, scores_if: bool) -> None:
    condition = scores_if == CAUSAL
    graph = check_import(chosen(condition[None], value, scores_if))
    found = mask_softmax(graph)
    assert operators(found) == ["MaskedSoftmax"]
    (layer,) = found.layers()
    assert np.array_equal(layer.inputs[1].values, CAUSAL)


def test_a_finite_value_that_is_chosen_stays() -> None:
    assert operators(mask_softmax(check_import(chosen(CAUSAL[None], -9.0, True)))) == ["Where", "Softmax"]


def test_scores_that_the_condition_makes_larger_keep_a_finite_mask() -> None:
    graph = check_import(chosen(CAUSAL[None], -1e9, True, shape=(1, 1, 6)))
    assert operators(mask_softmax(graph)) == ["Where", "Softmax"]


def test_a_mask_that_is_computed_is_the_softmaxs() -> None:
    nodes = [
        node("Less", ["x", "z"], "c"),
        node("Where", ["c", "low", "x"], "t", "where"),
        node("Softmax", ["t"], "y", "soft"),
    ]
    proto = model(nodes, {"x": (2, 6), "z": (2, 6)}, constants={"low": LEAST})
    assert operators(mask_softmax(imported(proto))) == ["Compare", "IntegerArithmetic", "MaskedSoftmax"]


def test_a_row_of_which_nothing_is_chosen_is_refused() -> None:
    keep = CAUSAL.copy()
    keep[2] = False
    with pytest.raises(ModelError) as caught:
        mask_softmax(imported(chosen(keep, -np.inf, True)))
    assert str(caught.value) == "Softmax 'soft': its mask leaves out all of a row; keep something in each"


def test_a_row_of_which_nothing_is_left_is_refused() -> None:
    keep = CAUSAL.copy()
    keep[2] = False
    with pytest.raises(ModelError) as caught:
        mask_softmax(imported(scores(masked(-np.inf, keep=keep))))
    assert str(caught.value) == "Softmax 'soft': its mask leaves out all of a row; keep something in each"


def test_a_softmax_without_a_mask_stays() -> None:
    graph = check_import(scores(random(6, 6)))
    assert operators(mask_softmax(graph)) == ["Add", "Softmax"]
