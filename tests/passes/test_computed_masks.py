"""Masks of attention that are inputs, or computed, as files spell them: against ONNX Runtime in each scheme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from mask_models import SCORES, check_float, operators, scores
from onnx import TensorProto
from onnx_models import imported, ints, model, node, original_outputs, random
from support import beside, model_of

import mcuq
from mcuq.compile import quantize_model
from mcuq.errors import ModelError, QuantizationError
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.passes import optimize
from mcuq.passes.split_heads import split_heads
from mcuq.validate import check_bits

LEAST = np.finfo(np.float32).min
BOOL, INT64, FLOAT = TensorProto.BOOL, TensorProto.INT64, TensorProto.FLOAT
SOFT = node("Softmax", ["t"], "y", "soft")
# (1 - mask) * low, of the mask `f`.
LOW_OF_FLOAT = [node("Sub", ["one", "f"], "inverted"), node("Mul", ["inverted", "low"], "m")]
ADDED = [node("Add", ["x", "m"], "t", "add"), SOFT]
KEYS = (1, 1, 1, 6)


def spelled(nodes: Sequence[onnx.NodeProto], mask: tuple[int, ...], kind: int, low: float) -> onnx.ModelProto:
    constants = {
        "low": np.float32(low),
        "zero": np.float32(0),
        "one": np.float32(1),
        "none": np.int64(0),
        "axes": ints(1, 2),
        "whole": ints(*SCORES),
        "causal": np.tri(5, 6)[None, None] > 0,
    }
    used = {name for n in nodes for name in n.input}
    return model(
        nodes,
        {"x": SCORES, "k": mask},
        constants={name: value for name, value in constants.items() if name in used},
        kinds={"k": kind},
    )


# Name -> nodes between scores `x`, mask `k` and the Softmax, the mask's shape and type, and what leaves out.
SPELLINGS = {
    "chosen": ([node("Where", ["k", "x", "low"], "t"), SOFT], KEYS, BOOL, LEAST),
    "chosen, of queries": ([node("Where", ["k", "x", "low"], "t"), SOFT], (1, 1, 5, 6), BOOL, -1e9),
    "chosen, of heads": ([node("Where", ["k", "x", "low"], "t"), SOFT], (1, 2, 1, 6), BOOL, -1e9),
    "masked_fill": ([node("Where", ["k", "low", "x"], "t"), SOFT], KEYS, BOOL, -np.inf),
    "masked_fill of what is not kept": (
        [node("Not", ["k"], "c"), node("Where", ["c", "low", "x"], "t"), SOFT],
        (1, 1, 5, 6),
        BOOL,
        -1e4,
    ),
    "added": ([node("Where", ["k", "zero", "low"], "m"), *ADDED], (1, 1, 5, 6), BOOL, -np.inf),
    "added, repeated before": (
        [node("Where", ["k", "low", "zero"], "w"), node("Expand", ["w", "whole"], "m"), *ADDED],
        KEYS,
        BOOL,
        -np.inf,
    ),
    "zeros and ones, cast": (
        [node("Unsqueeze", ["k", "axes"], "u"), node("Cast", ["u"], "f", to=FLOAT), *LOW_OF_FLOAT, *ADDED],
        (1, 6),
        INT64,
        LEAST,
    ),
    "zeros and ones, cast, -1e4": (
        [node("Unsqueeze", ["k", "axes"], "u"), node("Cast", ["u"], "f", to=FLOAT), *LOW_OF_FLOAT, *ADDED],
        (1, 6),
        INT64,
        -1e4,
    ),
    "booleans, cast": ([node("Cast", ["k"], "f", to=FLOAT), *LOW_OF_FLOAT, *ADDED], KEYS, BOOL, -1e9),
    "floats": ([node("Identity", ["k"], "f"), *LOW_OF_FLOAT, *ADDED], KEYS, FLOAT, -1e9),
    "floats of what is left out": ([node("Mul", ["k", "low"], "m"), *ADDED], KEYS, FLOAT, -1e9),
    "inverted and filled": (
        [
            node("Unsqueeze", ["k", "axes"], "u"),
            node("Expand", ["u", "whole"], "e"),
            node("Cast", ["e"], "f", to=FLOAT),
            node("Sub", ["one", "f"], "i"),
            node("Cast", ["i"], "b", to=BOOL),
            node("Where", ["b", "low", "i"], "m"),
            *ADDED,
        ],
        (1, 6),
        INT64,
        LEAST,
    ),
    "without NaN": (
        [
            node("Where", ["k", "zero", "low"], "m"),
            node("Add", ["x", "m"], "t"),
            node("Softmax", ["t"], "s"),
            node("IsNaN", ["s"], "n"),
            node("Where", ["n", "zero", "s"], "y"),
        ],
        (1, 1, 5, 6),
        BOOL,
        -np.inf,
    ),
    "of tokens": (
        [
            node("Equal", ["k", "none"], "e"),
            node("Unsqueeze", ["e", "axes"], "c"),
            node("Where", ["c", "low", "x"], "t"),
            SOFT,
        ],
        (1, 6),
        INT64,
        LEAST,
    ),
    "chosen twice": (
        [node("Where", ["causal", "x", "low"], "s"), node("Where", ["k", "s", "low"], "t"), SOFT],
        KEYS,
        BOOL,
        -1e9,
    ),
    "chosen twice, -inf": (
        [
            node("Not", ["k"], "c"),
            node("Where", ["c", "low", "x"], "s"),
            node("Where", ["causal", "s", "low"], "t"),
            SOFT,
        ],
        (1, 1, 5, 6),
        BOOL,
        -np.inf,
    ),
    "a mask within": (
        [node("Where", ["k", "x", "low"], "s"), node("Not", ["k"], "c"), node("Where", ["c", "s", "low"], "t"), SOFT],
        (1, 1, 5, 6),
        BOOL,
        -1e9,
    ),
    "added twice": (
        [
            node("Where", ["causal", "zero", "low"], "a"),
            node("Add", ["x", "a"], "s"),
            node("Where", ["k", "zero", "low"], "m"),
            node("Add", ["s", "m"], "t"),
            SOFT,
        ],
        KEYS,
        BOOL,
        -np.inf,
    ),
    "added and chosen": (
        [
            node("Where", ["k", "zero", "low"], "m"),
            node("Add", ["x", "m"], "s"),
            node("Where", ["causal", "s", "low"], "t"),
            SOFT,
        ],
        KEYS,
        BOOL,
        -np.inf,
    ),
    "a causal one that is filled": (
        [node("Where", ["causal", "zero", "low"], "a"), node("Where", ["k", "a", "low"], "m"), *ADDED],
        KEYS,
        BOOL,
        LEAST,
    ),
    "two that are added, -inf": (
        [
            node("Where", ["causal", "zero", "low"], "a"),
            node("Where", ["k", "zero", "low"], "b"),
            node("Add", ["a", "b"], "m"),
            *ADDED,
        ],
        KEYS,
        BOOL,
        -np.inf,
    ),
    "with a causal one": (
        [node("And", ["causal", "k"], "c"), node("Where", ["c", "zero", "low"], "m"), *ADDED],
        KEYS,
        BOOL,
        LEAST,
    ),
}


def masks(shape: tuple[int, ...], kind: int, count: int) -> Array:
    """Of 0 and 1 (0 to 2 of tokens); the first leaves out all, the second nothing."""
    rng = np.random.default_rng(3)
    found = rng.integers(0, 2, (count, *shape))
    found[0], found[1] = 0, 1
    return found.astype({BOOL: np.bool_, INT64: np.int64, FLOAT: np.float32}[kind])


@pytest.mark.parametrize("name", SPELLINGS)
def test_floats_are_those_of_onnx_runtime(name: str) -> None:
    nodes, shape, kind, low = SPELLINGS[name]
    proto = spelled(nodes, shape, kind, low)
    graph = quantize_model(proto.SerializeToString(), scheme="float32").graph
    assert "MaskedSoftmax" in operators(graph)
    assert not {"Add", "Where", "Concat", "FromIntegers"} & {*operators(graph)}
    x, keep = scores(8), masks(shape, kind, 8)
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, {"x": x, "k": keep})))["y"]
    want = np.stack([original_outputs(proto, {"x": a, "k": k})["y"] for a, k in zip(x, keep, strict=True)])
    assert np.array_equal(np.isnan(got), np.isnan(want))
    # Where -1e4 is added to all of a row, float32 rounds the scores to 2^-10.
    allowed = 1e-3 if low == -1e4 and kind == INT64 else 1e-6
    assert np.nanmax(np.abs(got - want)) <= allowed


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_integers_agree_and_c_gives_their_bits(scheme: str) -> None:
    """Of rows that keep something, shares within a step and what scores lose; others are numbers."""
    graphs, inputs = [], {}
    for i, (name, (nodes, shape, kind, low)) in enumerate(SPELLINGS.items()):
        proto = spelled(nodes, shape, kind, low)
        x, keep = scores(24), masks(shape, kind, 24)
        data = {"x": x, "k": keep}
        if np.isneginf(low) and name != "without NaN":  # which is refused when calibrating
            data = {"x": x, "k": _with_something(name, keep)}
        graph = quantize_model(proto.SerializeToString(), data, scheme=scheme).graph
        assert "MaskedSoftmax" in operators(graph), name
        given = quantize_inputs(graph, {"x": x, "k": keep})
        got = dequantize_outputs(graph, simulate(graph, given))["y"]
        want = np.stack([original_outputs(proto, {"x": a, "k": k})["y"] for a, k in zip(x, keep, strict=True)])
        some_rows = ~np.isnan(want)
        assert np.isfinite(got).all(), name
        assert (got[~some_rows] == 0).all(), name
        noise = np.square(got - want)[some_rows].sum()
        assert 10 * np.log10(np.square(want)[some_rows].sum() / noise) >= (30 if scheme == "int8" else 60), name
        graphs.append(graph)
        inputs |= {f"g{i}_{n}": v[:6] for n, v in given.items()}
    report = check_bits(model_of(beside(graphs), "host"), iter([inputs]), "host")
    assert report.first_mismatch is None, report.first_mismatch
    assert report.samples == 6


def _with_something(name: str, keep: Array) -> Array:
    """Masks of which each row keeps a place."""
    found = keep.copy()
    found[..., 0] = name not in ("masked_fill", "added, repeated before")
    return found


def test_rows_that_are_not_numbers_are_told() -> None:
    nodes, shape, kind, low = SPELLINGS["masked_fill"]
    proto = spelled(nodes, shape, kind, low).SerializeToString()
    data = {"x": scores(4), "k": np.zeros((4, *shape), bool)}
    said = (
        "'soft' makes NaN of a row of which its mask keeps nothing, where integers have 0: keep something in each row, "
        "or use --scheme float32"
    )
    assert said in mcuq.compile(proto, "host", data, judged=False).origin.notes
    assert said not in mcuq.compile(proto, "host", scheme="float32").origin.notes


@pytest.mark.parametrize("low", [-1e9, -1e4])
def test_a_mask_of_reals_that_is_added_is_refused_where_integers_lose_the_scores(low: float) -> None:
    """In floats it is what it is."""
    proto = model(ADDED, {"x": SCORES, "m": KEYS})
    keep = masks(KEYS, BOOL, 8)
    data = {"x": scores(8), "m": np.where(keep, 0, low).astype(np.float32)}
    with pytest.raises(QuantizationError) as caught:
        quantize_model(proto.SerializeToString(), data)
    assert str(caught.value) == (
        f"Softmax 'soft': 'm' adds numbers down to {low:.3g} to its scores, which integers of that range do not tell "
        "apart; make the mask an input of booleans, or of 0 and 1, by which Where chooses the scores, or use --scheme "
        "float32"
    )
    data["m"][:2] = -np.inf
    check_float(proto, data)


@pytest.mark.parametrize("low", [-9.0, -1e3])
def test_a_bias_that_is_no_mask_stays(low: float) -> None:
    nodes = [node("Where", ["k", "zero", "low"], "m"), *ADDED]
    found = optimize(imported(spelled(nodes, KEYS, BOOL, low)))
    assert operators(found) == ["Where", "Add", "Softmax"]


def test_a_condition_of_two_masks_is_one_of_its_own() -> None:
    nodes = [node("Less", ["x", "k"], "c"), node("Where", ["c", "zero", "low"], "m"), *ADDED]
    proto = model(nodes, {"x": SCORES, "k": SCORES}, constants={"zero": np.float32(0), "low": np.float32(-1e9)})
    assert operators(optimize(imported(proto))) == ["Compare", "MaskedSoftmax"]


def test_a_mask_that_repeats_here_and_there_is_refused() -> None:
    shape = (2, 2, 2, 2, 3)
    nodes = [node("Where", ["k", "x", "low"], "t"), SOFT]
    proto = model(
        nodes, {"x": shape, "k": (2, 1, 2, 1, 3)}, constants={"low": np.float32(-1e9)}, kinds={"k": TensorProto.BOOL}
    )
    with pytest.raises(ModelError) as caught:
        optimize(imported(proto))
    assert str(caught.value) == (
        "MaskedSoftmax 'soft': mask [2, 1, 2, 1, 3] of scores [2, 2, 2, 2, 3] repeats here and there; Expand it before"
    )


def test_heads_of_one_mask_are_split() -> None:
    """Scores of one head in memory at a time, with the same bytes."""
    nodes = [
        node("MatMul", ["x", "w"], "s"),
        node("Where", ["k", "s", "low"], "t"),
        node("Softmax", ["t"], "p"),
        node("MatMul", ["p", "x"], "y"),
    ]
    proto = model(
        nodes,
        {"x": (1, 4, 16, 16), "k": (1, 1, 1, 16), "w": (1, 4, 16, 16)},
        constants={"low": np.float32(-1e9)},
        kinds={"k": TensorProto.BOOL},
    )
    rng = np.random.default_rng(0)
    data = {
        "x": rng.normal(size=(8, 1, 4, 16, 16)).astype(np.float32),
        "k": rng.random((8, 1, 1, 1, 16)) < 0.7,
        "w": random(8, 1, 4, 16, 16),
    }
    graph = quantize_model(proto.SerializeToString(), data).graph
    split = split_heads(graph)
    assert operators(split).count("MaskedSoftmax") == 4
    given = quantize_inputs(graph, data)
    assert np.array_equal(simulate(graph, given)["y"], simulate(split, given)["y"])


# What is no mask of zeros and ones, or not of all that is read: name -> nodes, the mask's shape and type, its values.
OTHERS = {
    "a condition that always holds": (
        [node("Cast", ["k"], "f", to=FLOAT), node("GreaterOrEqual", ["f", "zero"], "c")],
        BOOL,
        None,
    ),
    "a condition that never holds": (
        [node("Cast", ["k"], "f", to=FLOAT), node("Less", ["f", "zero"], "c")],
        BOOL,
        None,
    ),
    "a limit of reals": ([node("Add", ["k", "k"], "f"), node("Greater", ["f", "one"], "c")], FLOAT, (0, 1)),
    "a limit of their function": ([node("Sigmoid", ["k"], "f"), node("Greater", ["f", "some"], "c")], FLOAT, (0, 2)),
    "integers that are not 1": (
        [node("Cast", ["k"], "f", to=FLOAT), node("Sub", ["one", "f"], "i"), node("Cast", ["i"], "c", to=BOOL)],
        INT64,
        (-1, 4),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_conditions_read_is_as_it_is(name: str) -> None:
    nodes, kind, ends = OTHERS[name]
    proto = chosen([*nodes, node("Where", ["c", "x", "low"], "t"), SOFT], KEYS, kind)
    rng = np.random.default_rng(6)
    shape = (8, *KEYS)
    keep = masks(KEYS, kind, 8) if ends is None else rng.uniform(*ends, shape) if kind == FLOAT else None
    check_float(proto, {"x": scores(8), "k": rng.integers(-1, 4, shape) if keep is None else keep})


def chosen(
    nodes: Sequence[onnx.NodeProto], mask: tuple[int, ...], kind: int, outputs: Sequence[str] = ("y",)
) -> onnx.ModelProto:
    constants = {
        "zero": np.float32(0),
        "one": np.float32(1),
        "two": np.float32(2),
        "some": np.float32(0.6),
        "low": np.float32(-1e9),
        "never": np.float32(-np.inf),
        "large": np.float32(1e9),
        "lows": np.array([-1e9, -2e9, -3e9, -4e9, -5e9, -6e9], np.float32),
        "pads": ints(0, 0, 0, 0, 0, 0, 0, 2),
        "causal": np.where(np.tri(5, 6) > 0, 0, -1e9).astype(np.float32)[None, None],
    }
    used = {name for n in nodes for name in n.input}
    constants = {name: value for name, value in constants.items() if name in used}
    return model(nodes, {"x": SCORES, "k": mask}, outputs, constants=constants, kinds={"k": kind})


# Name -> nodes and the mask's shape: what both masks, or the mask's numbers, make of rows that nothing is left of, too.
WIDE = {
    "padded with what is kept": (
        [node("Where", ["k", "zero", "low"], "w"), node("Pad", ["w", "pads"], "m"), *ADDED],
        (1, 1, 1, 4),
    ),
    "a large number for what is kept": ([node("Where", ["k", "large", "low"], "m"), *ADDED], KEYS),
    "numbers of which one is the largest": ([node("Where", ["k", "x", "lows"], "t"), SOFT], (1, 1, 5, 6)),
    "a second mask": (
        [
            node("Add", ["x", "causal"], "s"),
            node("Where", ["k", "zero", "low"], "m"),
            node("Add", ["s", "m"], "t"),
            SOFT,
        ],
        KEYS,
    ),
    "another dimension": (
        [node("Where", ["k", "x", "low"], "t"), node("Softmax", ["t"], "y", "soft", axis=2)],
        (1, 1, 5, 6),
    ),
    "two readers": (
        [
            node("Where", ["k", "x", "low"], "t"),
            node("Softmax", ["t"], "s", "soft"),
            node("Relu", ["t"], "r"),
            node("Add", ["s", "r"], "y"),
        ],
        KEYS,
    ),
    "a division behind": (
        [
            node("Where", ["k", "zero", "low"], "m"),
            node("Add", ["x", "m"], "s"),
            node("Div", ["s", "two"], "t"),
            SOFT,
        ],
        KEYS,
    ),
}


@pytest.mark.parametrize("name", WIDE)
def test_what_no_softmax_has_as_its_mask_is_refused_where_integers_lose_the_scores(name: str) -> None:
    nodes, shape = WIDE[name]
    proto, data = chosen(nodes, shape, BOOL), {"x": scores(8), "k": masks(shape, BOOL, 8)}
    assert "MaskedSoftmax" not in operators(check_float(proto, data))
    with pytest.raises(QuantizationError) as caught:
        quantize_model(proto.SerializeToString(), data)
    said, _, advice = str(caught.value).partition("; ")
    assert said.startswith("Softmax 'soft': its scores reach from -")
    assert said.endswith(", which integers do not tell apart")
    assert advice == (
        "where that is of a mask, let one Where or Add put it into the scores of one Softmax along the last dimension, "
        "which nothing else reads, or use --scheme float32"
    )


@pytest.mark.parametrize("low", ["low", "never"])
@pytest.mark.parametrize("shape", [(1, 1, 5, 1), (1, 2, 1, 1)])
def test_a_mask_of_whole_rows_is_the_softmaxs(shape: tuple[int, ...], low: str) -> None:
    proto = chosen([node("Where", ["k", "x", low], "t"), SOFT], shape, BOOL)
    graph = check_float(proto, {"x": scores(8), "k": masks(shape, BOOL, 8)})
    assert operators(graph) == ["Concat", "MaskedSoftmax"]


def test_a_multiple_of_minus_infinity_is_it() -> None:
    nodes = [node("Where", ["k", "zero", "never"], "w"), node("Mul", ["w", "some"], "m"), *ADDED]
    check_float(chosen(nodes, KEYS, BOOL), {"x": scores(8), "k": masks(KEYS, BOOL, 8)})


def test_a_mask_of_reals_is_told_and_has_zeros_and_ones() -> None:
    nodes = [node("Mul", ["k", "low"], "m"), *ADDED]
    proto = chosen(nodes, KEYS, FLOAT).SerializeToString()
    said = "'k' is read as a mask of zeros and ones, as it makes large numbers for the scores of 'soft'"
    data = {"x": scores(8), "k": masks(KEYS, FLOAT, 8)}
    assert said in mcuq.compile(proto, "host", scheme="float32").origin.notes
    assert said in quantize_model(proto, data).origin.notes
    data["k"][5, 0, 0, 0, 2] = 0.25
    with pytest.raises(QuantizationError) as caught:
        quantize_model(proto, data)
    assert str(caught.value) == (
        "Softmax 'soft': input 'k' is read as its mask of zeros and ones, but has 0.25 in the samples; let a "
        "comparison of it choose the scores"
    )
