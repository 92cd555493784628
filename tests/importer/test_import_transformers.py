"""Operators that ONNX Runtime's optimizers leave in files, in every form, against ONNX Runtime; and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import imported, model, node, original_outputs, random, refusal

from mcuq.compile import quantize_model
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.passes import optimize

MICROSOFT = "com.microsoft"
X = (2, 5, 8)
INT32, INT64 = TensorProto.INT32, TensorProto.INT64
# Of rows that are masked in all ways, but for the last of none.
KEPT = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0]], np.int32)


def fused(
    op_type: str,
    inputs: Sequence[str],
    shapes: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, Array] | None = None,
    outputs: Sequence[str] = ("y",),
    kinds: Mapping[str, int] | None = None,
    opset: int = 17,
    domain: str = MICROSOFT,
    **attributes: Any,
) -> onnx.ModelProto:
    """One operator; inputs that are in `shapes` are computed."""
    made = node(op_type, inputs, list(outputs), "op", domain=domain, **attributes)
    given = [name for name in outputs if name]
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return model([made], shapes, given, constants, kinds=kinds, opset_imports=imports)


def rotary(**attributes: Any) -> onnx.ModelProto:
    """RotaryEmbedding of places that are computed, with caches of four columns."""
    given = {"x": X, "i": (1,)}
    return fused("RotaryEmbedding", list("xicc"), given, {"c": square(3, 9, 4)}, kinds={"i": INT64}, **attributes)


def square(seed: int, rows: int, columns: int) -> Array:
    return random(rows, columns, seed=seed)


NORM = {"g": random(8, seed=1, low=0.5, high=2), "b": random(8, seed=2), "c": random(8, seed=3)}
PARTS = {"w": square(4, 8, 24), "b": random(24, seed=5)}
TABLES = {"words": square(6, 9, 8), "places": square(7, 6, 8), "parts": square(8, 2, 8), **NORM}
THREE = dict.fromkeys("qkv", X)
IMAGE = {"x": (1, 3, 6, 6)}
KERNEL = {"w": random(4, 3, 3, 3, seed=9), "b": random(4, seed=10)}
ANGLES = {"p": np.array([0]), "c": square(3, 9, 4)}

FORMS: dict[str, onnx.ModelProto] = {
    "Gelu": fused("Gelu", ["x"], {"x": X}),
    "BiasGelu": fused("BiasGelu", ["x", "c"], {"x": X}, {"c": NORM["c"]}),
    "FastGelu": fused("FastGelu", ["x"], {"x": X}),
    "FastGelu of a bias": fused("FastGelu", ["x", "c"], {"x": X}, {"c": NORM["c"]}),
    "QuickGelu": fused("QuickGelu", ["x"], {"x": X}),
    "QuickGelu of alpha": fused("QuickGelu", ["x"], {"x": X}, alpha=1.0),
    "FusedMatMul": fused("FusedMatMul", ["x", "z"], {"x": X, "z": (2, 8, 3)}, alpha=0.25),
    "FusedMatMul, changed": fused("FusedMatMul", ["x", "z"], {"x": X, "z": (2, 3, 5)}, transA=1, transB=1),
    "FusedMatMul of a constant": fused("FusedMatMul", ["x", "w"], {"x": X}, {"w": square(3, 4, 8)}, transB=1),
    **{
        f"FusedGemm, {kind}": fused(
            "FusedGemm",
            ["x", "w", "c"],
            {"x": (3, 8)},
            {"w": square(3, 4, 8), "c": random(4)},
            activation=kind,
            transB=1,
            alpha=0.5,
            **more,
        )
        for kind, more in (("Relu", {}), ("Tanh", {}), ("LeakyRelu", {"activation_alpha": 0.2}))
    },
    **{
        f"FusedConv, {kind}": fused(
            "FusedConv", ["x", "w", "b"], IMAGE, KERNEL, activation=kind, pads=[1, 1, 1, 1], **more
        )
        for kind, more in (
            ("Relu", {}),
            ("Sigmoid", {}),
            ("LeakyRelu", {"activation_params": [0.3]}),
            ("Clip", {"activation_params": [-0.5, 0.8]}),
        )
    },
    "FusedConv and a sum": fused(
        "FusedConv", ["x", "w", "b", "z"], {**IMAGE, "z": (1, 4, 4, 4)}, KERNEL, activation="Relu"
    ),
    "SkipLayerNormalization": fused("SkipLayerNormalization", ["x", "z", "g", "b"], {"x": X, "z": X}, NORM),
    "SkipLayerNormalization of a bias": fused(
        "SkipLayerNormalization", ["x", "z", "g", "b", "c"], {"x": X, "z": X}, NORM, epsilon=0.1
    ),
    "SkipLayerNormalization and its sum": fused(
        "SkipLayerNormalization", ["x", "z", "g", "b", "c"], {"x": X, "z": X}, NORM, ("y", "", "", "sum")
    ),
    "SkipSimplifiedLayerNormalization": fused(
        "SkipSimplifiedLayerNormalization", ["x", "z", "g", "c"], {"x": X, "z": X}, NORM, ("y", "", "", "sum")
    ),
    "SimplifiedLayerNormalization": fused(
        "SimplifiedLayerNormalization", ["x", "g"], {"x": X}, NORM, domain="", axis=-1, epsilon=0.01
    ),
    "SimplifiedLayerNormalization of opset 18": fused(
        "SimplifiedLayerNormalization", ["x", "g"], {"x": X}, NORM, domain="", opset=18
    ),
    "EmbedLayerNormalization": fused(
        "EmbedLayerNormalization",
        ["i", "s", "words", "places", "parts", "g", "b"],
        {"i": (2, 5), "s": (2, 5)},
        TABLES,
        ("y", ""),
        {"i": INT32, "s": INT32},
    ),
    "EmbedLayerNormalization without segments": fused(
        "EmbedLayerNormalization",
        ["i", "", "words", "places", "", "g", "b"],
        {"i": (2, 5)},
        TABLES,
        ("y", ""),
        {"i": INT32},
        epsilon=1e-3,
    ),
    "Attention": fused("Attention", ["x", "w", "b"], {"x": X}, PARTS, num_heads=2),
    "Attention of a scale": fused("Attention", ["x", "w", "b"], {"x": X}, PARTS, num_heads=4, scale=0.3),
    "Attention, causal": fused("Attention", ["x", "w", "b"], {"x": X}, PARTS, num_heads=2, unidirectional=1),
    "Attention of a mask": fused(
        "Attention", ["x", "w", "b", "m"], {"x": X, "m": (2, 5)}, PARTS, kinds={"m": INT32}, num_heads=2
    ),
    "Attention of a mask and a bias": fused(
        "Attention",
        ["x", "w", "b", "m", "", "a"],
        {"x": X, "m": (2, 5), "a": (2, 2, 5, 5)},
        PARTS,
        kinds={"m": INT32},
        num_heads=2,
    ),
    "MultiHeadAttention": fused("MultiHeadAttention", ["q", "k", "v"], THREE, num_heads=2),
    "MultiHeadAttention of biases": fused("MultiHeadAttention", ["q", "k", "v", "b"], THREE, PARTS, num_heads=4),
    "MultiHeadAttention of other sizes": fused(
        "MultiHeadAttention", ["q", "k", "v"], {"q": X, "k": (2, 7, 8), "v": (2, 7, 12)}, num_heads=2
    ),
    **{
        f"RotaryEmbedding, {kind}": fused(
            "RotaryEmbedding",
            ["x", "i", "cos", "sin"],
            {"x": shape},
            {"i": np.array(places), "cos": random(9, columns, seed=11), "sin": random(9, columns, seed=12)},
            **more,
        )
        for kind, shape, places, columns, more in (
            ("of heads", (2, 5, 8), [[3, 1, 4, 1, 5], [0, 2, 6, 7, 8]], 2, {"num_heads": 2}),
            ("of four dimensions", (2, 2, 5, 8), [[3, 1, 4, 1, 5], [0, 2, 6, 7, 8]], 4, {}),
            ("in pairs", (2, 5, 8), [[3, 1, 4, 1, 5], [0, 2, 6, 7, 8]], 2, {"interleaved": 1}),
            ("from a place on", (2, 5, 8), [3], 4, {"scale": 2.0}),
            ("of a part", (2, 5, 16), [2], 2, {"num_heads": 2, "rotary_embedding_dim": 4}),
            ("of a part in pairs", (2, 2, 5, 8), [2], 3, {"num_heads": 2, "rotary_embedding_dim": 6, "interleaved": 1}),
        )
    },
    "RotaryEmbedding of computed places": fused(
        "RotaryEmbedding",
        ["x", "i", "cos", "sin"],
        {"x": X, "i": (2, 5)},
        {"cos": random(9, 2, seed=11), "sin": random(9, 2, seed=12)},
        kinds={"i": INT64},
        num_heads=2,
    ),
    "MultiHeadAttention of a mask": fused(
        "MultiHeadAttention", ["q", "k", "v", "", "m"], {**THREE, "m": (2, 5)}, kinds={"m": INT32}, num_heads=2
    ),
}


def samples(proto: onnx.ModelProto, count: int) -> dict[str, Array]:
    """(count, *shape) of each input: normal floats, indices below 2, and masks that keep something and nothing."""
    rng = np.random.default_rng(5)
    found = {}
    for value in proto.graph.input:
        shape = (count, *(d.dim_value for d in value.type.tensor_type.shape.dim))
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            found[value.name] = rng.normal(size=shape).astype(np.float32)
        else:
            found[value.name] = rng.integers(0, 2, shape).astype(np.int32)
            found[value.name][0] = KEPT
            if value.name == "m":  # what is not above 0 is left out
                found["m"][1] *= 3
                found["m"][2] = 2 * found["m"][2] - 1
    return found


def of_runtime(proto: onnx.ModelProto, data: Mapping[str, Array]) -> dict[str, Array]:
    count = len(next(iter(data.values())))
    runs = [original_outputs(proto, {name: x[i] for name, x in data.items()}) for i in range(count)]
    return {name: np.stack([run[name] for run in runs]) for name in runs[0]}


@pytest.mark.parametrize("form", FORMS)
def test_floats_are_those_of_onnx_runtime(form: str) -> None:
    proto = FORMS[form]
    graph = quantize_model(proto.SerializeToString(), scheme="float32").graph
    data = samples(proto, 4)
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, data)))
    for name, want in of_runtime(proto, data).items():
        # A row that is masked throughout has its scores rounded to 2^-10 there.
        assert np.abs(got[name] - want).max() <= (2e-3 if "mask" in form else 2e-5), name


@pytest.mark.parametrize("form", ["Attention of a mask", "MultiHeadAttention of a mask"])
def test_integers_agree_too(form: str) -> None:
    proto = FORMS[form]
    data = samples(proto, 32)
    graph = quantize_model(proto.SerializeToString(), data).graph
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, data)))["y"]
    want = of_runtime(proto, data)["y"]
    assert 10 * np.log10(np.square(want).sum() / np.square(got - want).sum()) >= 25


@pytest.mark.parametrize(
    ("form", "operators"),
    [
        ("BiasGelu", ["Conv2d", "Gelu"]),
        ("FastGelu", ["Gelu"]),
        ("SkipLayerNormalization", ["Add", "Normalize"]),
        ("SkipSimplifiedLayerNormalization", ["Add", "Conv2d", "Normalize"]),
        ("FusedConv, Relu", ["Conv2d"]),
    ],
)
def test_what_they_become_has_layers_of_its_own(form: str, operators: list[str]) -> None:
    found = [type(n.op).__name__ for n in optimize(imported(FORMS[form])).nodes]
    kept = [name for name in found if name not in ("Reshape", "Transpose", "Affine")]
    assert kept == operators


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            rotary(rotary_embedding_dim=4),
            "RotaryEmbedding 'op': rotary_embedding_dim=4 does not fit caches of 4 columns; use 8",
        ),
        (
            rotary(is_packed_batching=1),
            "RotaryEmbedding 'op': is_packed_batching=1 is not supported; use a batch of equal lengths",
        ),
        (
            fused("FusedMatMul", ["x", "z"], {"x": X, "z": X}, transBatchA=1),
            "FusedMatMul 'op': transBatchA and transBatchB are not supported; use Transpose and MatMul",
        ),
        (
            fused("FusedGemm", ["x", "w"], {"x": (3, 8)}, {"w": square(3, 8, 4)}, activation="Selu"),
            "FusedGemm 'op': activation=Selu is not supported; use Clip, HardSigmoid, LeakyRelu, Relu, Sigmoid, Tanh",
        ),
        (
            fused("SkipLayerNormalization", ["x", "z", "g", "b"], {"x": X, "z": X}, NORM, ("y", "mean")),
            "SkipLayerNormalization 'op': its mean or deviation is read; only the output and the sum are supported",
        ),
        (
            fused("SkipLayerNormalization", ["x", "z", "g", "b"], {"x": X, "z": X}, NORM, opset=13),
            "SkipLayerNormalization 'op': is in a file of opset 13; export the model with opset 17 or later",
        ),
        (
            fused("Attention", ["x", "w", "b", "m"], {"x": X, "m": (2,)}, PARTS, kinds={"m": INT32}, num_heads=2),
            "Attention 'op': a mask of shape [2] is not supported; use one of (batch, 5), which is 1 or 0",
        ),
        (
            fused(
                "Attention",
                ["x", "w", "b", "m"],
                {"x": X, "m": (2, 5)},
                PARTS,
                kinds={"m": INT32},
                num_heads=2,
                unidirectional=1,
            ),
            "Attention 'op': unidirectional=1 beside a mask is not supported; put both into the mask",
        ),
        (
            fused("Attention", ["x", "w", "b", "", "p"], {"x": X, "p": (2, 2, 2, 3, 4)}, PARTS, num_heads=2),
            "Attention 'op': past is not supported; export the model without a cache",
        ),
        (
            fused("MultiHeadAttention", ["q"], {"q": (2, 5, 2, 3, 4)}, num_heads=2),
            "MultiHeadAttention 'op': is of packed queries, keys and values; supported are those of 3 dimensions each",
        ),
        (
            fused(
                "MultiHeadAttention",
                ["q", "k", "v"],
                {"q": X, "k": (2, 7, 8), "v": (2, 7, 8)},
                num_heads=2,
                unidirectional=1,
            ),
            "MultiHeadAttention 'op': unidirectional=1 of 5 queries and 7 keys is not supported; put it into the mask",
        ),
        (
            fused("SimplifiedLayerNormalization", ["x", "g"], {"x": X}, {"g": square(1, 5, 8)}, domain="", axis=1),
            "SimplifiedLayerNormalization 'op': axis=1 is not supported; use the last dimension",
        ),
    ],
    ids=str,
)
def test_what_is_not_supported_is_said(proto: onnx.ModelProto, message: str) -> None:
    assert message in refusal(proto)
