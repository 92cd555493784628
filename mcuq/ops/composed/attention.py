"""Attention of opset 23 and later: scores of queries and keys, a mask, Softmax, and what it weighs of the values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array, Integers, Shape
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.masked_softmax import NOTHING, MaskedSoftmax
from mcuq.ops.mat_mul import MatMul, broadcasts_to
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose

LEAST = float(np.finfo(np.float32).min)  # what passes.mask_softmax takes for a mask


def from_attention(node: OnnxNode, graph: GraphBuilder) -> tuple[str, ...]:
    """Inputs of 4 dimensions, or of 3 with numbers of heads; groups of heads may share keys and values. Masks may be
    computed. Past keys and values, as many as the file says, stand before the others, and both together are outputs."""
    if node.has(6):
        raise node.error("nonpad_kv_seqlen is not supported; give attn_mask which keys are left out")
    if node.has(4) != node.has(5):
        raise node.error("has one of past_key and past_value; it must have both or none")
    q, k, v = (_heads(node, graph, i, "q_num_heads" if i == 0 else "kv_num_heads") for i in range(3))
    past = node.shape(4)[2] if node.has(4) else 0
    k, v = (_with_past(node, graph, i, x) for i, x in ((1, k), (2, v)))
    present = (k if node.gives(1) else "", v if node.gives(2) else "")
    batch, heads, queries, width = graph.tensors[q].shape
    groups, keys = graph.tensors[k].shape[1:3]
    if heads % groups or graph.tensors[v].shape[1] != groups:
        raise node.error(f"{heads} heads do not divide into {groups} of keys and {graph.tensors[v].shape[1]} of values")
    scale = float(node.attribute("scale", 1 / np.sqrt(width)))
    q = graph.add(Mul(), [q, _number(graph, scale, 4)])
    shared = heads // groups
    if shared > 1:
        q = graph.add(Reshape((batch, groups, shared, queries, width)), [q])
        k, v = (_with_axis(graph, name) for name in (k, v))
    scores = graph.add(MatMul(transposed=True), [q, k], None, f"{node.name}.scores")
    whole = (batch, heads, queries, keys)
    if shared > 1:
        scores = graph.add(Reshape(whole), [scores])
    given = {0: scores}
    scores = given[1] = _capped(node, graph, scores)
    allowed = _allowed(node, *whole[2:], past)
    if node.has(3) and not node.is_constant(3) and graph.tensors[node.computed(3)].integers is not None:
        keep = _kept(node, graph, whole, allowed)
        shares = graph.add(MaskedSoftmax(), [scores, keep], None, f"{node.name}.softmax")
    else:
        scores = _masked(node, graph, scores, whole, allowed)
        if not _leaves_out(node, allowed):
            given[2] = scores
        shares = graph.add(Softmax(), [scores], None, f"{node.name}.softmax")
    given[3] = shares
    if shared > 1:
        shares = graph.add(Reshape((batch, groups, shared, queries, keys)), [shares])
    output = node.outputs[0]
    is_flat = len(node.shape(0)) == 3
    y = graph.add(MatMul(), [shares, v], None if is_flat or shared > 1 else output, node.name)
    values = graph.tensors[v].shape[-1]
    if shared > 1:
        y = graph.add(Reshape((batch, heads, queries, values)), [y], None if is_flat else output)
    if is_flat:
        y = graph.add(Reshape((batch, queries, heads * values)), [graph.add(Transpose((0, 2, 1, 3)), [y])], output)
    return y, *present, _scores_of(node, given)


def _scores_of(node: OnnxNode, given: Mapping[int, str]) -> str:
    """What output 3 is, if it is read: scores, those with a cap, those with masks, or shares, by their modes."""
    mode = node.attribute("qk_matmul_output_mode", 0)
    if not node.gives(3):
        return ""
    if mode not in given:
        raise node.error(
            f"qk_matmul_output_mode={mode} is not supported beside masks that leave out; use 0, 1 or 3",
            "qk_matmul_output_mode",
        )
    return given[mode]


def _leaves_out(node: OnnxNode, allowed: Array | None) -> bool:
    """Whether a mask has what is no number that scores could be."""
    if not node.has(3) or not node.is_constant(3):
        return allowed is not None
    mask = node.constant(3, "attn_mask")
    return allowed is not None or mask.dtype == bool or bool((mask < NOTHING).any())


def _with_past(node: OnnxNode, graph: GraphBuilder, index: int, x: str) -> str:
    """Keys or values behind those of before, (batch, heads, places, width)."""
    if not node.has(index + 3):
        return x
    shape, own = node.shape(index + 3), graph.tensors[x].shape
    if len(shape) != 4 or (*shape[:2], own[2], shape[3]) != own:
        raise node.error(f"past of shape {list(shape)} does not fit keys or values of shape {list(own)}")
    if shape[2] == 0:
        return x
    before = _constant(node, graph, index + 3, shape) if node.is_constant(index + 3) else node.computed(index + 3)
    return graph.add(Concat(2), [before, x])


def _allowed(node: OnnxNode, queries: int, keys: int, past: int) -> Array | None:
    """bool (queries, keys): what the file's attributes let each query, which stands behind the past, read; None where
    that is all."""
    ahead = np.arange(keys) - (np.arange(queries)[:, None] + past)
    found = np.ones(ahead.shape, bool)
    if node.attribute("is_causal", 0):
        found &= ahead <= 0
    if (left := node.attribute("left_window_size", -1)) >= 0:
        found &= -ahead <= left
    if (right := node.attribute("right_window_size", -1)) >= 0:
        found &= ahead <= right
    return None if found.all() else found


def _heads(node: OnnxNode, graph: GraphBuilder, index: int, attribute: str) -> str:
    """The input as (batch, heads, places, width); keys and values may be constant."""
    shape = node.shape(index)
    is_constant = index > 0 and node.is_constant(index)
    if len(shape) == 4:
        return _constant(node, graph, index, shape) if is_constant else node.computed(index)
    heads = int(node.attribute(attribute, 0))
    if len(shape) != 3 or heads < 1 or shape[2] % heads:
        raise node.error(f"{attribute}={heads} does not fit an input of shape {list(shape)}; it must divide its width")
    split, order = (shape[0], shape[1], heads, shape[2] // heads), (0, 2, 1, 3)
    if is_constant:
        return _constant(node, graph, index, split, order)
    return graph.add(Transpose(order), [graph.add(Reshape(split), [node.computed(index)])])


def _constant(
    node: OnnxNode, graph: GraphBuilder, index: int, shape: Shape, order: tuple[int, ...] = (0, 1, 2, 3)
) -> str:
    values = weights(node, index, "matrix").reshape(shape).transpose(order)
    return graph.constant(values, node.inputs[index])


def _with_axis(graph: GraphBuilder, x: str) -> str:
    """A dimension of 1 behind the heads."""
    tensor = graph.tensors[x]
    shape = (*tensor.shape[:2], 1, *tensor.shape[2:])
    return graph.constant(tensor.values.reshape(shape), x) if tensor.is_constant else graph.add(Reshape(shape), [x])


def _number(graph: GraphBuilder, value: float, rank: int) -> str:
    return graph.constant(np.full((1,) * rank, value, np.float32))


def _capped(node: OnnxNode, graph: GraphBuilder, scores: str) -> str:
    """softcap * Tanh(scores / softcap), where there is one."""
    cap = float(node.attribute("softcap", 0.0))
    if cap == 0:
        return scores
    inner = graph.add(Tanh(), [graph.add(Mul(), [scores, _number(graph, 1 / cap, 4)])])
    return graph.add(Mul(), [inner, _number(graph, cap, 4)])


def _kept(node: OnnxNode, graph: GraphBuilder, whole: Shape, allowed: Array | None) -> str:
    """A mask of booleans that is computed, of 4 dimensions, and of allowed keys alone. A row of nothing gives zeros, as
    the operator has it."""
    keep, shape = node.computed(3), (1,) * (4 - len(node.shape(3))) + node.shape(3)
    _check_mask(node, whole)
    if shape != node.shape(3):
        keep = graph.add(Reshape(shape), [keep])
    if allowed is None:
        return keep
    also = graph.constant(allowed.astype(np.float32)[None, None], f"{node.name}.allowed", Integers.of(0, 1))
    return graph.add(IntegerArithmetic("And"), [keep, also])


def _check_mask(node: OnnxNode, whole: Shape) -> None:
    if not broadcasts_to(node.shape(3), whole):
        raise node.error(f"attn_mask of shape {list(node.shape(3))} does not broadcast to {list(whole)}")


def _masked(node: OnnxNode, graph: GraphBuilder, scores: str, whole: Shape, allowed: Array | None) -> str:
    """Scores with masks added: what is given, and that of allowed keys alone."""
    mask: Array | None = None if allowed is None else np.where(allowed, 0.0, LEAST)
    if node.has(3):
        _check_mask(node, whole)
        if node.is_constant(3):
            given = node.constant(3, "attn_mask")
            given = np.where(given, 0.0, LEAST) if given.dtype == bool else np.maximum(given, LEAST)
            mask = given if mask is None else np.where(mask < 0, mask, given)
        else:
            shape = (1,) * (4 - len(node.shape(3))) + node.shape(3)
            given_mask = node.computed(3)
            if shape != node.shape(3):
                given_mask = graph.add(Reshape(shape), [given_mask])
            scores = graph.add(Add(), [scores, given_mask])
    if mask is None:
        return scores
    mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape).astype(np.float32)
    return graph.add(Add(), [scores, graph.constant(mask, f"{node.name}.mask")])
