"""Masks of attention put into scores one after the other, and what two of them choose: against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from mask_models import SCORES, check_float, operators, scores
from onnx import TensorProto
from onnx_models import model, node

from mcuq.compile import quantize_model
from mcuq.errors import ModelError
from mcuq.graph.tensor import Array

KEYS, QUERIES = (1, 1, 1, 6), (1, 1, 5, 1)
BOOL = TensorProto.BOOL
SOFT = node("Softmax", ["t"], "y", "soft")
ADDED = [node("Add", ["x", "m"], "t", "add"), SOFT]
CAUSAL = np.tri(5, 6)[None, None] > 0


def masks(*shape: int) -> Array:
    """Eight, of which the first leaves out all and the second nothing."""
    found = np.random.default_rng(3).integers(0, 2, (8, *shape))
    found[0], found[1] = 0, 1
    return found.astype(np.bool_)


def of_constants(nodes: Sequence[onnx.NodeProto], **constants: Array) -> onnx.ModelProto:
    return model(nodes, {"x": SCORES}, constants=constants)


# Of two masks, of keys and of queries: name -> nodes, and what leaves out.
PAIRS = {
    "each chosen": ([node("Where", ["k", "x", "low"], "s"), node("Where", ["q", "s", "low"], "t"), SOFT], "low"),
    "each added": (
        [
            node("Where", ["k", "zero", "low"], "a"),
            node("Where", ["q", "low", "zero"], "b"),
            node("Add", ["x", "a"], "s"),
            node("Add", ["s", "b"], "t"),
            SOFT,
        ],
        "never",
    ),
    "one in the other": (
        [
            node("Where", ["k", "zero", "low"], "a"),
            node("Where", ["q", "a", "low"], "m"),
            *ADDED,
        ],
        "low",
    ),
    "where one says": (
        [
            node("Where", ["k", "zero", "low"], "a"),
            node("Where", ["q", "zero", "a"], "b"),
            node("Where", ["causal", "b", "low"], "m"),
            *ADDED,
        ],
        "low",
    ),
    "where they differ": (
        [
            node("Where", ["k", "zero", "low"], "a"),
            node("Where", ["k", "low", "zero"], "b"),
            node("Where", ["q", "a", "b"], "m"),
            *ADDED,
        ],
        "low",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_masks_are_one(name: str) -> None:
    nodes, low = PAIRS[name]
    numbers = {"low": -1e9, "never": -np.inf}
    constants = {"zero": np.float32(0), "low": np.float32(numbers[low]), "causal": CAUSAL}
    used = {name for n in nodes for name in n.input}
    proto = model(
        nodes,
        {"x": SCORES, "k": KEYS, "q": QUERIES},
        constants={name: value for name, value in constants.items() if name in used},
        kinds={"k": BOOL, "q": BOOL},
    )
    queries = np.roll(masks(*QUERIES), 1, axis=0)
    data = {"x": scores(), "k": masks(*KEYS), "q": queries}
    graph = check_float(proto, data)
    assert operators(graph)[-1] == "MaskedSoftmax"
    quantized = quantize_model(proto.SerializeToString(), data).graph
    assert operators(quantized)[-1] == "MaskedSoftmax"


ADDED_AND_CHOSEN = [node("Add", ["x", "a"], "s"), node("Where", ["c", "s", "never"], "t"), SOFT]
NEVER = np.float32(-np.inf)


def test_constants_in_two_stages_are_a_constant_mask() -> None:
    first = np.where(CAUSAL, 0, NEVER).astype(np.float32)
    keys = np.array([1, 0, 1, 1, 1, 1], bool).reshape(KEYS)
    graph = check_float(of_constants(ADDED_AND_CHOSEN, a=first, c=keys, never=NEVER), {"x": scores()})
    assert operators(graph) == ["MaskedSoftmax"]
    (keep,) = (t.values for t in graph.tensors.values() if t.is_constant)
    assert np.array_equal(keep, (CAUSAL & keys)[0, 0])


def test_a_row_that_two_constants_leave_nothing_of_is_refused() -> None:
    first = np.where(CAUSAL, 0, NEVER).astype(np.float32)
    keys = np.array([0, 1, 1, 1, 1, 1], bool).reshape(KEYS)
    with pytest.raises(ModelError) as caught:
        check_float(of_constants(ADDED_AND_CHOSEN, a=first, c=keys, never=NEVER), {"x": scores()})
    assert str(caught.value) == "Softmax 'soft': its mask leaves out all of a row; keep something in each"


def test_choices_of_two_numbers_stay_two() -> None:
    """A row that both together leave nothing of is that of the larger number."""
    nodes = [node("Where", ["k", "x", "low"], "s"), node("Where", ["q", "s", "lower"], "t"), SOFT]
    constants = {"low": np.float32(-1e9), "lower": np.float32(-2e9)}
    proto = model(nodes, {"x": SCORES, "k": KEYS, "q": KEYS}, constants=constants, kinds={"k": BOOL, "q": BOOL})
    graph = check_float(proto, {"x": scores(), "k": masks(*KEYS), "q": np.roll(masks(*KEYS), 2, axis=0)})
    assert operators(graph)[-1] == "Softmax"
