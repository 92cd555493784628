"""com.microsoft: what ONNX Runtime's optimizers fuse of attention and convolutions, in ONNX's own operators.

Source: the documentation of ONNX Runtime's operators, docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from math import sqrt
from typing import Any

import numpy as np
import onnx

from mcuq.graph.tensor import Array
from mcuq.importer.flattening import Flattening, Rule, Rules, Scope, Stuck, Value
from mcuq.importer.rewriter import attributes_of

DOMAIN = "com.microsoft"
_LEAST_OPSET = 17  # of LayerNormalization


class _Spelling:
    """A node being spelled in others: its inputs and attributes, and what is added for it."""

    def __init__(self, flat: Flattening, node: onnx.NodeProto, values: list[Value], prefix: str) -> None:
        self.flat, self.node, self.prefix = flat, node, prefix
        self.attributes: Mapping[str, Any] = attributes_of(node)
        self._values = values

    def has(self, index: int) -> bool:
        return index < len(self._values) and self._values[index] != ""

    def input(self, index: int) -> str:
        return self.flat.tensor(self._values[index])

    def shape(self, index: int) -> tuple[int, ...]:
        return self.flat.shape_of(self._values[index])

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        return self.flat.add(op_type, inputs, f"{self.prefix}{op_type.lower()}", **attributes)[0]

    def constant(self, value: Array | Sequence[int]) -> str:
        return self.flat.constant(np.asarray(value), f"{self.prefix}constant")

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def plus(self, x: str, *indices: int) -> str:
        """The tensor and those inputs that there are."""
        for index in indices:
            if self.has(index):
                x = self.add("Add", x, self.input(index))
        return x

    def refuse(self, inputs: Mapping[int, str], advice: str) -> None:
        """Raise Stuck for inputs that the node has."""
        if given := [name for index, name in inputs.items() if self.has(index)]:
            raise Stuck(f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} not supported; {advice}")

    def refuse_outputs(self, indices: Sequence[int], said: str) -> None:
        if any(self.flat.is_read(self.node, index) for index in indices):
            raise Stuck(said)

    def layer_norm(self, x: str, scale: int, bias: int | None, epsilon: float = 1e-12) -> str:
        """LayerNormalization of the last dimension, or without mean and bias where `bias` is None; `epsilon` is the
        default."""
        epsilon = float(self.attributes.get("epsilon", epsilon))
        if bias is None:
            squares = self.add("Mul", x, x)
            mean = self._mean(squares)
            root = self.add("Sqrt", self.add("Add", mean, self.number(epsilon)))
            return self.add("Mul", self.add("Div", x, root), self.input(scale))
        if self.flat.opset < _LEAST_OPSET:
            raise Stuck(f"is in a file of opset {self.flat.opset}; export the model with opset {_LEAST_OPSET} or later")
        inputs = [x, self.input(scale), *([self.input(bias)] if self.has(bias) else [])]
        return self.add("LayerNormalization", *inputs, axis=-1, epsilon=epsilon)

    def _mean(self, x: str) -> str:
        """Along the last dimension."""
        if self.flat.opset < 18:
            return self.add("ReduceMean", x, axes=[-1], keepdims=1)
        return self.add("ReduceMean", x, self.constant([-1]), keepdims=1)


def _rule(spell: Callable[[_Spelling], str | list[Value]]) -> Rule:
    @wraps(spell, assigned=("__doc__",))
    def rule(flat: Flattening, node: onnx.NodeProto, values: list[Value], scope: Scope, prefix: str) -> list[Value]:
        found = spell(_Spelling(flat, node, values, prefix))
        return [found] if isinstance(found, str) else found

    return rule


def _gelu(node: _Spelling) -> str:
    """x * (1 + erf(x / sqrt 2)) / 2, of BiasGelu with its bias added before."""
    return _exact_gelu(node, node.plus(node.input(0), 1))


def _exact_gelu(node: _Spelling, x: str) -> str:
    erf = node.add("Erf", node.add("Div", x, node.number(sqrt(2))))
    return node.add("Mul", node.add("Mul", x, node.add("Add", erf, node.number(1))), node.number(0.5))


def _fast_gelu(node: _Spelling) -> str:
    """x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, with a bias before."""
    x = node.plus(node.input(0), 1)
    cube = node.add("Mul", node.add("Pow", x, node.number(3)), node.number(0.044715))
    tanh = node.add("Tanh", node.add("Mul", node.add("Add", x, cube), node.number(sqrt(2 / np.pi))))
    return node.add("Mul", node.add("Mul", x, node.add("Add", tanh, node.number(1))), node.number(0.5))


def _quick_gelu(node: _Spelling) -> str:
    """x * sigmoid(alpha * x)."""
    x, alpha = node.input(0), float(node.attributes.get("alpha", 1.702))
    return node.add("Mul", x, node.add("Sigmoid", node.add("Mul", x, node.number(alpha))))


def _fused_mat_mul(node: _Spelling) -> str:
    """alpha * A' B', the last two dimensions of either changed."""
    if node.attributes.get("transBatchA", 0) or node.attributes.get("transBatchB", 0):
        raise Stuck("transBatchA and transBatchB are not supported; use Transpose and MatMul")
    operands = []
    for index, name in enumerate(("transA", "transB")):
        x, rank = node.input(index), len(node.shape(index))
        if node.attributes.get(name, 0) and rank > 1:
            x = node.add("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])
        operands.append(x)
    y, alpha = node.add("MatMul", *operands), float(node.attributes.get("alpha", 1.0))
    return y if alpha == 1 else node.add("Mul", y, node.number(alpha))


_ACTIVATIONS: Mapping[str, tuple[str, ...]] = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
}


def _activated(node: _Spelling, y: str, parameters: Sequence[float]) -> str:
    kind = node.attributes.get("activation", b"").decode()
    if not kind:
        return y
    if kind == "Clip":
        return node.add("Clip", y, *map(node.number, parameters))
    if kind not in _ACTIVATIONS:
        raise Stuck(f"activation={kind} is not supported; use Clip, {', '.join(sorted(_ACTIVATIONS))}")
    return node.add(kind, y, **dict(zip(_ACTIVATIONS[kind], map(float, parameters), strict=False)))


def _fused_gemm(node: _Spelling) -> str:
    """Gemm, and a function of it."""
    own = {n: v for n, v in node.attributes.items() if n in ("alpha", "beta", "transA", "transB")}
    y = node.add("Gemm", *(node.input(i) for i in range(3) if node.has(i)), **own)
    given = [node.attributes[f"activation_{n}"] for n in ("alpha", "beta") if f"activation_{n}" in node.attributes]
    return _activated(node, y, given)


def _fused_conv(node: _Spelling) -> str:
    """Conv, a tensor added to it, and a function of both."""
    own = {n: v for n, v in node.attributes.items() if not n.startswith("activation")}
    y = node.plus(node.add("Conv", *(node.input(i) for i in range(3) if node.has(i)), **own), 3)
    return _activated(node, y, node.attributes.get("activation_params", ()))


def _skip_layer_norm(node: _Spelling) -> list[Value]:
    """LayerNormalization of the inputs' sum, and the sum."""
    node.refuse_outputs((1, 2), "its mean or deviation is read; only the output and the sum are supported")
    total = node.plus(node.input(0), 1, 4)
    return [node.layer_norm(total, 2, 3), "", "", total]


def _skip_rms_norm(node: _Spelling) -> list[Value]:
    """What SkipLayerNormalization is, without the mean, and no bias behind."""
    node.refuse_outputs((1, 2), "its mean or deviation is read; only the output and the sum are supported")
    total = node.plus(node.input(0), 1, 3)
    return [node.layer_norm(total, 2, None), "", "", total]


def _rms_norm(node: _Spelling) -> str:
    """x / sqrt(mean of x^2 + epsilon) * scale, along the last dimension."""
    rank = len(node.shape(0))
    if node.attributes.get("axis", -1) not in (-1, rank - 1):
        raise Stuck(f"axis={node.attributes['axis']} is not supported; use the last dimension")
    node.refuse_outputs((1,), "its deviation is read; only the output is supported")
    return node.layer_norm(node.input(0), 1, None, 1e-5)


def _embed_layer_norm(node: _Spelling) -> list[Value]:
    """Rows of tables of words, places and segments, added and normalized."""
    if node.flat.is_read(node.node, 1):
        raise Stuck("its mask's lengths are read; optimize with raw attention masks (use_raw_attention_mask)")
    words, length = node.add("Gather", node.input(2), node.input(0), axis=0), node.shape(0)[1]
    if node.has(8):
        places = node.add("Gather", node.input(3), node.input(8), axis=0)
    else:
        places = node.add("Gather", node.input(3), node.constant(np.arange(length)), axis=0)
    total = node.add("Add", words, places)
    if node.has(1) and node.has(4):
        total = node.add("Add", total, node.add("Gather", node.input(4), node.input(1), axis=0))
    return [node.layer_norm(total, 5, 6), "", total]


def _attention(node: _Spelling) -> list[Value]:
    """Queries, keys and values by one matrix, then attention."""
    node.refuse({4: "past", 6: "past_sequence_length"}, "export the model without a cache")
    node.refuse_outputs((1,), "its present keys and values are read; export the model without a cache")
    width = node.shape(1)[1]
    sizes = [*node.attributes.get("qkv_hidden_sizes", ())] or [width // 3] * 3
    product = node.plus(node.add("MatMul", node.input(0), node.input(1)), 2)
    q, k, v = _parts(node, product, sizes, 2)
    return [_attended(node, (q, k, v), sizes, node.shape(0)[1], mask=3)]


def _multi_head_attention(node: _Spelling) -> list[Value]:
    """Attention of queries, keys and values, each (batch, places, width)."""
    node.refuse({6: "past_key", 7: "past_value"}, "export the model without a cache")
    node.refuse_outputs((1, 2, 3), "its present keys, values or scores are read; only the output is supported")
    if not (node.has(1) and node.has(2)) or any(len(node.shape(i)) != 3 for i in range(3)):
        raise Stuck("is of packed queries, keys and values; supported are those of 3 dimensions each")
    sizes = [node.shape(i)[2] for i in range(3)]
    q, k, v = (node.input(i) for i in range(3))
    if node.has(3):
        q, k, v = (
            node.add("Add", x, part) for x, part in zip((q, k, v), _parts(node, node.input(3), sizes, 0), strict=True)
        )
    return [_attended(node, (q, k, v), sizes, node.shape(1)[1], mask=4)]


def _rotary_embedding(node: _Spelling) -> str:
    """Pairs of each head's first elements turned by the angles of their place, (batch, places, width) or (batch, heads,
    places, size)."""
    if node.attributes.get("is_packed_batching", 0):
        raise Stuck("is_packed_batching=1 is not supported; use a batch of equal lengths")
    shape, (table, half) = node.shape(0), node.shape(2)
    turned = int(node.attributes.get("rotary_embedding_dim", 0)) or 2 * half
    if turned != 2 * half:
        raise Stuck(f"rotary_embedding_dim={turned} does not fit caches of {half} columns; use {2 * half}")
    x, is_flat = node.input(0), len(shape) == 3
    if is_flat:
        heads = int(node.attributes.get("num_heads", 0)) or shape[2] // turned
        x = node.add("Reshape", x, node.constant([0, 0, heads, shape[2] // heads]))
    size = shape[2] // heads if is_flat else shape[3]
    length = shape[1] if is_flat else shape[2]
    places = node.input(1)
    if node.shape(1) in ((), (1,)):  # the first, from which the others follow
        if table == length:  # no other is within the caches
            places = node.constant(np.arange(length))
        else:
            places = node.add("Add", places, node.constant(np.arange(length)))
        places = node.flat.unsqueezed(places, 0, f"{node.prefix}places")
    cos, sin = (
        node.flat.unsqueezed(node.add("Gather", node.input(index), places, axis=0), 2 if is_flat else 1, node.prefix)
        for index in (2, 3)
    )
    if node.attributes.get("interleaved", 0):
        first, second = (_columns(node, x, start, turned, 2) for start in (0, 1))
    else:
        first, second = _columns(node, x, 0, half), _columns(node, x, half, turned)
    real = node.add("Sub", node.add("Mul", first, cos), node.add("Mul", second, sin))
    imaginary = node.add("Add", node.add("Mul", first, sin), node.add("Mul", second, cos))
    if node.attributes.get("interleaved", 0):
        pairs = node.flat.stacked([real, imaginary], 4, f"{node.prefix}pairs")
        parts = [node.add("Reshape", pairs, node.constant([0, 0, 0, turned]))]
    else:
        parts = [real, imaginary]
    if turned < size:
        parts.append(_columns(node, x, turned, size))
    y = node.add("Concat", *parts, axis=3) if len(parts) > 1 else parts[0]
    return node.add("Reshape", y, node.constant([0, 0, shape[2]])) if is_flat else y


def _columns(node: _Spelling, x: str, start: int, end: int, step: int = 1) -> str:
    """Those of the last of four dimensions."""
    return node.add("Slice", x, *(node.constant([value]) for value in (start, end, 3, step)))


def _parts(node: _Spelling, x: str, sizes: Sequence[int], axis: int) -> list[str]:
    ends = np.cumsum(sizes)
    return [
        node.add("Slice", x, node.constant([end - size]), node.constant([end]), node.constant([axis]))
        for size, end in zip(sizes, ends.tolist(), strict=True)
    ]


_BIAS = 5  # the input that is added to scores


def _attended(node: _Spelling, inputs: Sequence[str], sizes: Sequence[int], keys: int, mask: int) -> str:
    """Of queries, keys and values of these widths; `mask` is the index of that input."""
    heads = int(node.attributes["num_heads"])
    if node.attributes.get("do_rotary", 0):
        raise Stuck("do_rotary=1 is not supported; use RotaryEmbedding before it")
    q, k, v = (_heads(node, x, heads, size) for x, size in zip(inputs, sizes, strict=True))
    scale = float(node.attributes.get("scale", 0.0)) or 1 / sqrt(sizes[0] // heads)
    k = node.add("Transpose", k, perm=[0, 1, 3, 2])
    scores = node.add("MatMul", node.add("Mul", q, node.number(scale)), k)
    scores = node.plus(scores, _BIAS)
    is_causal = bool(node.attributes.get("unidirectional", 0))
    if node.has(mask):
        if is_causal:
            raise Stuck("unidirectional=1 beside a mask is not supported; put both into the mask")
        scores = node.add("Add", scores, _low(node, mask, keys))
    elif is_causal:
        queries = node.shape(0)[1]
        if queries != keys:
            raise Stuck(f"unidirectional=1 of {queries} queries and {keys} keys is not supported; put it into the mask")
        later = np.where(np.tri(keys) > 0, 0, -np.inf).astype(np.float32)
        scores = node.add("Add", scores, node.constant(later))
    y = node.add("MatMul", node.add("Softmax", scores, axis=-1), v)
    y = node.add("Transpose", y, perm=[0, 2, 1, 3])
    return node.add("Reshape", y, node.constant([0, 0, sizes[2]]))


def _heads(node: _Spelling, x: str, heads: int, size: int) -> str:
    """(batch, places, size) as (batch, heads, places, size / heads)."""
    split = node.add("Reshape", x, node.constant([0, 0, heads, size // heads]))
    return node.add("Transpose", split, perm=[0, 2, 1, 3])


def _low(node: _Spelling, mask: int, keys: int) -> str:
    """What is added to scores: mask_filter_value where the mask, (batch, keys) or (batch, queries, keys), is 0 or
    less."""
    shape = node.shape(mask)
    if len(shape) not in (2, 3) or shape[-1] != keys:
        raise Stuck(f"a mask of shape {list(shape)} is not supported; use one of (batch, {keys}), which is 1 or 0")
    kept = node.add("Greater", node.input(mask), node.constant(np.array(0, np.int32)))
    for axis in (1, 2)[: 4 - len(shape)]:
        kept = node.flat.unsqueezed(kept, axis, f"{node.prefix}mask")
    low = float(node.attributes.get("mask_filter_value", -10000.0))
    return node.add("Where", kept, node.number(0), node.number(low))


# By ONNX's own domain, which does not have it.
RMS = ("", "SimplifiedLayerNormalization")
TRANSFORMERS: Rules = {
    RMS: _rule(_rms_norm),
    **{
        (DOMAIN, op_type): _rule(spell)
        for op_type, spell in {
            "Attention": _attention,
            "BiasGelu": _gelu,
            "EmbedLayerNormalization": _embed_layer_norm,
            "FastGelu": _fast_gelu,
            "FusedConv": _fused_conv,
            "FusedGemm": _fused_gemm,
            "FusedMatMul": _fused_mat_mul,
            "Gelu": _gelu,
            "MultiHeadAttention": _multi_head_attention,
            "QuickGelu": _quick_gelu,
            "RotaryEmbedding": _rotary_embedding,
            "SkipLayerNormalization": _skip_layer_norm,
            "SkipSimplifiedLayerNormalization": _skip_rms_norm,
        }.items()
    },
}
