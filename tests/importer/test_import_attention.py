"""Attention, Einsum and RotaryEmbedding: every form, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from onnx_models import check_import, imported, model, node, original_outputs, random, refusal
from support import beside, check_c, check_portable_c, with_ranges

from mcuq.errors import ModelError
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize
from mcuq.quantize import NAMED, Scheme

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


def filled(counts=(2,), mask=None, of_booleans=False, opset=24, keys=9, **attributes) -> onnx.ModelProto:
    """Attention of keys that are filled as far as is computed, or known, for each of a batch."""
    shapes = {"q": (2, 4, 3, 8), "k": (2, 2, keys, 8), "v": (2, 2, keys, 5)}
    kinds = {"n": TensorProto.INT64, **({"m": TensorProto.BOOL} if of_booleans else {})}
    constants = {}
    for name, given in (("n", counts), ("m", mask)):
        if isinstance(given, tuple):
            shapes[name] = given
        elif given is not None:
            constants[name] = given
    names = ["q", "k", "v", "" if mask is None else "m", "", "", "n"]
    return model([node("Attention", names, "y", "att", **attributes)], shapes, (*"y",), constants, opset, kinds)


FILLED = [
    {},
    {"is_causal": 1},
    {"is_causal": 1, "left_window_size": 2, "opset": 25},
    {"left_window_size": 1, "right_window_size": 1, "opset": 25},
    {"mask": random(3, 9)},
    {"mask": random(3, 9), "is_causal": 1},
    {"mask": np.where(random(2, 1, 3, 9, seed=3) > -0.5, random(2, 1, 3, 9), -np.inf).astype(np.float32)},
    {"mask": random(3, 9, seed=2) > -0.5},
    {"mask": random(4, 3, 6)},  # of the first keys alone
    {"mask": random(2, 1, 3, 6, seed=2) > -0.5, "is_causal": 1},
    {"mask": (3, 9)},
    {"mask": (2, 4, 3, 6), "is_causal": 1},
    {"mask": (2, 1, 3, 9), "of_booleans": True},
    {"mask": (3, 6), "of_booleans": True, "is_causal": 1},
]


@pytest.mark.parametrize("form", FILLED, ids=lambda form: " ".join(f"{k}={np.shape(v) or v}" for k, v in form.items()))
def test_keys_that_are_filled_alone_are_read(form):
    """As ONNX's own evaluator has it, from none to all of the keys."""
    computed = filled(**form)
    graphs = [imported(computed), optimize(imported(computed))]
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in computed.graph.input}
    refused = []
    for seed, counts in enumerate(([0, 9], [1, 3], [6, 7], [9, 9])):
        x = {name: random(*shape, seed=seed) for name, shape in shapes.items()}
        x["n"] = np.array(counts)
        if form.get("of_booleans"):
            x["m"] = x["m"] > -0.5
        (want,) = ReferenceEvaluator(computed).run(None, x)
        fed = {name: np.asarray(value, np.float32) for name, value in x.items()}
        for graph in graphs:
            got = FloatModel(write_onnx(graph)).run(fed)["y"]
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
        del fed["n"]
        try:
            known = optimize(imported(filled(np.array(counts), **form)))
        except ModelError as error:
            assert "its mask leaves out all of a row; keep something in each" in str(error)
            refused.append(counts)
            continue
        np.testing.assert_allclose(FloatModel(write_onnx(known)).run(fed)["y"], want, rtol=0, atol=1e-5)
    assert [0, 9] in refused or form.get("of_booleans")
    assert [9, 9] not in refused


def test_c_of_keys_that_are_filled_gives_the_simulators_bits():
    graphs = [with_ranges(optimize(imported(filled(**form)))) for form in FILLED[:4] + FILLED[-2:]]
    check_portable_c(beside(graphs), "host")


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            attention(mask=(6, 6), inputs=("pk",)),
            "has one of past_key and past_value; it must have both or none",
        ),
        (
            attention(mask=(6, 12), inputs=("pk", "pv")),
            "past of shape [2, 4, 6, 8] does not fit keys or values of shape [2, 4, 6, 5]",
        ),
        (
            attention(mask=(6, 6), inputs=("pk", "pv", "n"), opset=24),
            "has nonpad_kv_seqlen beside past keys and values; give it one of the two",
        ),
        (
            filled((3,)),
            "nonpad_kv_seqlen of shape [3] does not fit a batch of 2",
        ),
        (
            filled(np.array([3, 4, 5])),
            "nonpad_kv_seqlen of shape [3] does not fit a batch of 2",
        ),
        (
            attention({"q": (2, 6, 30), "k": (2, 6, 30), "v": (2, 6, 30)}, q_num_heads=4, kv_num_heads=4),
            "q_num_heads=4 does not fit an input of shape [2, 6, 30]; it must divide its width",
        ),
        (
            attention({"q": (2, 4, 6, 8), "k": (2, 3, 6, 8), "v": (2, 3, 6, 8)}),
            "4 heads do not divide into 3 of keys and 3 of values",
        ),
        (attention(mask=(6, 5)), "attn_mask of shape [6, 5] does not broadcast to [2, 4, 6, 6]"),
    ],
)
def test_attention_that_is_not_supported_is_refused(proto, message):
    assert f"Attention 'att': {message}" in refusal(proto)


def cached(flat=False, past=3, shared=1, mask=None, of_booleans=False, scores=None, opset=23, **attributes):
    """Attention behind `past` keys and values, of which all outputs are read."""
    heads = 4 // shared
    shapes = {"q": (2, 4, 6, 8), "k": (2, heads, 6, 8), "v": (2, heads, 6, 5)}
    if flat:
        shapes = {n: (s[0], s[2], s[1] * s[3]) for n, s in shapes.items()}
        attributes |= {"q_num_heads": 4, "kv_num_heads": heads}
    shapes |= {"pk": (2, heads, past, 8), "pv": (2, heads, past, 5)}
    if mask is not None:
        shapes["m"] = mask
    outputs = ["y", "present_k", "present_v"]
    if scores is not None:
        outputs.append("s")
        attributes["qk_matmul_output_mode"] = scores
    attention_node = node("Attention", ["q", "k", "v", "" if mask is None else "m", "pk", "pv"], outputs, **attributes)
    kinds = {"m": TensorProto.BOOL} if of_booleans else None
    return model([attention_node], shapes, outputs, opset=opset, kinds=kinds)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"flat": True},
        {"shared": 2, "flat": True, "is_causal": 1},
        {"past": 1, "is_causal": 1},
        {"mask": (6, 9)},
        {"mask": (2, 1, 6, 9), "is_causal": 1},
        {"mask": (2, 4, 6, 9), "of_booleans": True, "is_causal": 1},
        {"scores": 0},
        {"scores": 3, "is_causal": 1},
    ],
    ids=str,
)
def test_attention_behind_past_keys_and_values(form):
    check_import(cached(**form))


def reference(proto, sample):
    """What ONNX's own evaluation makes of it."""
    return dict(zip((v.name for v in proto.graph.output), ReferenceEvaluator(proto).run(None, sample), strict=True))


@pytest.mark.parametrize(
    "proto",
    [
        cached(scores=1, softcap=2.0, opset=25),
        cached(scores=2, mask=(6, 9), opset=25),
        cached(opset=25, left_window_size=2, is_causal=1),
        cached(opset=25, left_window_size=1, right_window_size=2),
        attention(opset=25, left_window_size=0, right_window_size=3),
        attention(opset=25, left_window_size=2, mask=(6, 6), of_booleans=True),
    ],
    ids=["scores with a cap", "scores with a mask", "causal window", "window", "window ahead", "window and mask"],
)
def test_windows_and_scores_are_those_of_onnx(proto):
    """ONNX Runtime does not run them."""
    rng = np.random.default_rng(0)
    sample = {}
    for value in proto.graph.input:
        x = rng.normal(size=[d.dim_value for d in value.type.tensor_type.shape.dim]).astype(np.float32)
        sample[value.name] = x > 0 if value.type.tensor_type.elem_type == TensorProto.BOOL else x
    want = reference(proto, sample)
    for graph in (imported(proto), optimize(imported(proto))):
        got = FloatModel(write_onnx(graph)).run(sample)
        for name, values in want.items():
            np.testing.assert_allclose(got[name], values, rtol=0, atol=2e-6, err_msg=name)


def test_scores_that_a_mask_leaves_out_are_refused():
    assert refusal(cached(scores=2, is_causal=1)) == (
        "Attention 'y': qk_matmul_output_mode=2 is not supported beside masks that leave out; use 0, 1 or 3"
    )


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_c_of_a_cache_gives_the_simulators_bytes(scheme):
    """Its keys and values of before are inputs, and those with the new ones outputs."""
    check_portable_c(with_ranges(optimize(imported(cached(is_causal=1))), scheme=Scheme(NAMED[scheme])), "host")


@pytest.mark.slow
@pytest.mark.parametrize(
    "board", ["cortex-m0", "cortex-m4", "rv32imc", pytest.param("cortex-m55", marks=pytest.mark.toolchain)]
)
def test_c_of_a_cache_on_an_emulated_cpu_gives_the_simulators_bytes(board):
    forms = ({"is_causal": 1}, {"shared": 2, "flat": True}, {"mask": (2, 4, 6, 9), "of_booleans": True})
    check_c(beside([with_ranges(optimize(imported(cached(**form)))) for form in forms]), "emulator", 2, board=board)


def test_masks_that_are_infinite_are_found():
    nodes = [
        node("Equal", ["x", "low"], "a"),
        node("Equal", ["high", "x"], "b"),
        node("Where", ["a", "one", "x"], "c"),
        node("Where", ["b", "one", "c"], "y"),
    ]
    constants = {"low": np.float32(-np.inf), "high": np.float32([np.inf]), "one": np.float32(1)}
    proto = model(nodes, {"x": (2, 3)}, constants=constants)
    x = np.float32([[1, -np.inf, np.inf], [3e38, -3.4e38, 0]])
    got = FloatModel(write_onnx(imported(proto))).run({"x": x})["y"]
    assert np.array_equal(got, original_outputs(proto, {"x": x})["y"])


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
