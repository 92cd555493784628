"""Attention, Einsum and RotaryEmbedding: every form, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_models import check_import, model, node, random, refusal

CAUSAL = np.tri(6) > 0
SHAPES = {"q": (2, 4, 6, 8), "k": (2, 4, 6, 8), "v": (2, 4, 6, 5)}


def constants_of(*names, opset=23, shared=1, flat=False):
    """Attention of constant keys and values."""
    shapes = {"k": (2, 4 // shared, 6, 8), "v": (2, 4 // shared, 6, 5)}
    shapes = {n: (s[0], s[2], s[1] * s[3]) for n, s in shapes.items()} if flat else shapes
    attributes = {"q_num_heads": 4, "kv_num_heads": 4 // shared} if flat else {}
    computed = {"q": (2, 6, 32) if flat else (2, 4, 6, 8)} | {n: s for n, s in shapes.items() if n not in names}
    given = {name: random(*shapes[name]) for name in names}
    attention_node = node("Attention", ["q", "k", "v"], "y", "att", **attributes)
    return model([attention_node], computed, constants=given, opset=opset)


@pytest.mark.parametrize("names", [("k",), ("v",), ("k", "v")])
@pytest.mark.parametrize("shared", [1, 2])
@pytest.mark.parametrize("flat", [False, True])
def test_keys_and_values_may_be_constant(names, shared, flat):
    check_import(constants_of(*names, shared=shared, flat=flat))


def attention(shapes=None, mask=None, opset=23, inputs=(), of_booleans=False, **attributes) -> onnx.ModelProto:
    shapes = dict(SHAPES if shapes is None else shapes)
    constants = {}
    if isinstance(mask, tuple):
        shapes["m"] = mask
    elif mask is not None:
        constants["m"] = mask
    names = [*("q", "k", "v"), *(["m"] if mask is not None else []), *inputs]
    shapes |= {name: (2, 4, 6, 8) for name in inputs if name}
    kinds = {"m": TensorProto.BOOL} if of_booleans else None
    attended = [node("Attention", names, "y", "att", **attributes)]
    return model(attended, shapes, constants=constants, opset=opset, kinds=kinds)


@pytest.mark.parametrize("opset", [23, 24])
@pytest.mark.parametrize(
    "form",
    [
        {},
        {"scale": 0.3},
        {"is_causal": 1},
        {"softcap": 2.0},
        {"mask": CAUSAL},
        {"mask": np.where(CAUSAL, random(6, 6), -np.inf).astype(np.float32)},
        {"mask": random(2, 1, 6, 6)},
        {"mask": random(6, 6), "is_causal": 1},
        {"mask": (6, 6)},
        {"mask": (2, 4, 6, 6), "is_causal": 1},
        *({"mask": m, "of_booleans": True} for m in ((6, 6), (2, 1, 6, 6), (2, 4, 6, 6))),
        *({"mask": m, "of_booleans": True, "is_causal": 1} for m in ((6, 6), (2, 1, 6, 6), (2, 4, 6, 6))),
        {"shapes": {"q": (2, 4, 6, 8), "k": (2, 2, 6, 8), "v": (2, 2, 6, 5)}, "is_causal": 1},
        {"shapes": {"q": (2, 4, 6, 8), "k": (2, 1, 9, 8), "v": (2, 1, 9, 5)}},
        {"shapes": {"q": (2, 6, 32), "k": (2, 7, 32), "v": (2, 7, 20)}, "q_num_heads": 4, "kv_num_heads": 4},
        {"shapes": {"q": (2, 6, 32), "k": (2, 7, 16), "v": (2, 7, 10)}, "q_num_heads": 4, "kv_num_heads": 2},
    ],
    ids=str,
)
def test_attention(opset, form):
    check_import(attention(opset=opset, **form))


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            attention(mask=(6, 6), inputs=("pk", "pv")),
            "past_key, past_value are not supported; export the model without a cache",
        ),
        (
            attention({"q": (2, 6, 30), "k": (2, 6, 30), "v": (2, 6, 30)}, q_num_heads=4, kv_num_heads=4),
            "q_num_heads=4 does not fit an input of shape [2, 6, 30]; it must divide its width",
        ),
        (
            attention({"q": (2, 4, 6, 8), "k": (2, 3, 6, 8), "v": (2, 3, 6, 8)}),
            "4 heads do not divide into 3 of keys and 3 of values",
        ),
        (
            attention(opset=25, left_window_size=2, is_causal=1),
            "left_window_size=2 is not supported; give attn_mask the window",
        ),
        (attention(mask=(6, 5)), "attn_mask of shape [6, 5] does not broadcast to [2, 4, 6, 6]"),
    ],
)
def test_attention_that_is_not_supported_is_refused(proto, message):
    assert f"Attention 'att': {message}" in refusal(proto)


def test_attention_whose_scores_are_read_is_refused():
    attention_node = node("Attention", ["q", "k", "v"], "y", "att")
    attention_node.output.extend(["", "", "s"])
    proto = model([attention_node], SHAPES, ["y", "s"], opset=23)
    assert refusal(proto) == "Attention 'att': its keys, values or scores are read; only Y is supported"


def einsum(equation, *shapes, constant=None):
    names = "ab"[: len(shapes)]
    computed = {name: shape for i, (name, shape) in enumerate(zip(names, shapes, strict=True)) if i != constant}
    constants = {} if constant is None else {names[constant]: random(*shapes[constant])}
    return model([node("Einsum", list(names), "y", "e", equation=equation)], computed, constants=constants)


@pytest.mark.parametrize("constant", [None, 0, 1])
@pytest.mark.parametrize(
    ("equation", "a", "b"),
    [
        ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
        ("bhid,bhjd->bhij", (1, 2, 3, 4), (1, 2, 5, 4)),
        ("bhij,bhjd->bhid", (1, 2, 3, 5), (1, 2, 5, 4)),
        ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)),
        ("bhqk,bkhd->bqhd", (2, 2, 3, 5), (2, 5, 2, 4)),
        ("abc,cd->abd", (2, 3, 4), (4, 5)),
        ("abc,cde->abde", (2, 3, 4), (4, 5, 6)),
        ("abcd,cde->abe", (2, 3, 4, 5), (4, 5, 6)),
        ("ab,cb", (2, 3), (4, 3)),
        ("ij,jk->ki", (2, 3), (3, 4)),
        ("i,j->ij", (3,), (4,)),
        ("bi,bi->bi", (2, 3), (2, 3)),
        ("bi,bi->b", (2, 3), (2, 3)),
        ("abx,bcy->ac", (2, 3, 4), (3, 5, 6)),
        ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
        ("...ij,jk->...ik", (2, 3, 4), (4, 5)),
    ],
)
def test_einsum_of_two(equation, a, b, constant):
    check_import(einsum(equation, a, b, constant=constant))


@pytest.mark.parametrize("equation", ["abc->cab", "abc->b", "abc->ca", "a b c -> b a c", "...c->c..."])
def test_einsum_of_one(equation):
    check_import(einsum(equation, (2, 3, 4)))


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("iij,jk->ik", [(2, 2, 3), (3, 4)], "term 'iij' has a letter twice; diagonals are not supported"),
        ("ij,jk->ik", [(1, 3), (1, 4)], "'j' is both 3 and 1; give a letter one size"),
        ("...ij,...jk->...ik", [(2, 3, 4), (1, 4, 5)], "'...' stands for both 2 and 1; give inputs one batch"),
    ],
)
def test_einsum_that_is_not_supported_is_refused(equation, shapes, message):
    assert f"Einsum 'e': {message}" in refusal(einsum(equation, *shapes))


def test_einsum_of_three_is_refused():
    nodes = [node("Einsum", ["a", "b", "c"], "y", "e", equation="ij,jk,kl->il")]
    proto = model(nodes, {"a": (2, 3), "b": (3, 4), "c": (4, 5)})
    assert refusal(proto) == (
        "Einsum 'e': equation 'ij,jk,kl->il' has 3 terms; supported are those of one input or two"
    )


@pytest.mark.parametrize("interleaved", [0, 1])
def test_rotary_embedding(interleaved):
    """As ONNX defines it."""
    rotary = node("RotaryEmbedding", ["x", "cos", "sin"], "y", "r", interleaved=interleaved)
    angles = {"cos": random(1, 6, 4), "sin": random(1, 6, 4, seed=1)}
    check_import(model([rotary], {"x": (1, 2, 6, 8)}, constants=angles, opset=23))
