"""Attention of opset 23 and later: scores of queries and keys, a mask, Softmax, and what it weighs of the values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import LARGEST_INTEGER, Array, Shape
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.add import Add
from mcuq.ops.compare import Compare
from mcuq.ops.concat import Concat
from mcuq.ops.integer_arithmetic import IntegerArithmetic, integer
from mcuq.ops.masked_softmax import NOTHING, MaskedSoftmax
from mcuq.ops.mat_mul import MatMul, broadcasts_to
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose

LEAST = float(np.finfo(np.float32).min)  # what passes.mask_softmax takes for a mask


def from_attention(node: OnnxNode, graph: GraphBuilder) -> tuple[str, ...]:
    """Inputs of 4 dimensions, or of 3 with numbers of heads; groups of heads may share keys and values. Masks may be
    computed, and how many keys are filled. Past keys and values, as many as the file says, stand before the others, and
    both together are outputs."""
    if node.has(6) and (node.has(4) or node.has(5)):
        raise node.error("has nonpad_kv_seqlen beside past keys and values; give it one of the two")
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
    filled = node.has(6) and not node.is_constant(6)
    masked = _masked_keys(node, keys)
    node = _with_whole_mask(node, graph, keys - masked)
    allowed = None if filled else _allowed(node, queries, keys, past)
    if masked < keys:
        behind = np.broadcast_to(np.arange(keys) < masked, (queries, keys))
        allowed = behind if allowed is None else allowed & behind
    of_booleans = node.has(3) and not node.is_constant(3) and graph.tensors[node.computed(3)].integers is not None
    if filled or of_booleans:
        if not of_booleans:
            scores = _with_finite_mask(node, graph, scores, whole)
        keep = _kept(node, graph, whole, allowed, of_booleans)
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


def _masked_keys(node: OnnxNode, keys: int) -> int:
    """How many keys a mask is about: from opset 24 on it may leave out the last ones, which are then not read."""
    last = node.shape(3)[-1] if node.has(3) and node.shape(3) else 1
    return last if node.opset >= 24 and 1 < last < keys else keys


def _with_whole_mask(node: OnnxNode, graph: GraphBuilder, missing: int) -> OnnxNode:
    """The node whose mask has so many keys more, to which it adds nothing."""
    if not missing:
        return node
    before, after = ((0,) * (len(node.shape(3)) - 1) + (count,) for count in (0, missing))
    if node.is_constant(3):
        mask = np.pad(node.constant(3, "attn_mask"), [*zip(before, after, strict=True)])
        return replace(node, constants={**node.constants, node.inputs[3]: mask})
    padded = graph.add(Pad(before, after), [node.computed(3)], None, node.name)
    inputs = (*node.inputs[:3], padded, *node.inputs[4:])
    return replace(node, inputs=inputs, tensors=graph.tensors)


def _allowed(node: OnnxNode, queries: int, keys: int, past: int) -> Array | None:
    """bool (queries, keys), or with a batch and 1 before: what the file's attributes let each query, which stands
    behind the past or is the last of those that are filled, read; None where that is all."""
    # Without it as if all that is before the last query was filled.
    filled = np.array(past + queries)
    if node.has(6):
        _check_filled(node)
        filled = node.constant(6, "nonpad_kv_seqlen").reshape(-1, 1, 1, 1)
    least, most = _bounds(node, queries, keys, is_filled=not node.has(6))
    found: Array = (filled >= least) & (filled <= most)
    return None if found.all() else found


def _bounds(node: OnnxNode, queries: int, keys: int, is_filled: bool = False) -> tuple[Array, Array]:
    """int64 (queries, keys): how many keys must be filled at least and may be at most for each query to read each key,
    where the last query stands at the last of them. Where all are filled anyway no key is beyond."""
    ahead = np.arange(keys) - np.arange(queries)[:, None] + queries
    least = np.full(ahead.shape, 0) if is_filled else np.broadcast_to(np.arange(keys) + 1, ahead.shape)
    if node.attribute("is_causal", 0):
        least = np.maximum(least, ahead)
    if (right := node.attribute("right_window_size", -1)) >= 0:
        least = np.maximum(least, ahead - right)
    left = node.attribute("left_window_size", -1)
    most = ahead + left if left >= 0 else np.full(ahead.shape, LARGEST_INTEGER)
    return least, most


def _check_filled(node: OnnxNode) -> None:
    if node.shape(6) != node.shape(0)[:1]:
        raise node.error(f"nonpad_kv_seqlen of shape {list(node.shape(6))} does not fit a batch of {node.shape(0)[0]}")


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


def _kept(node: OnnxNode, graph: GraphBuilder, whole: Shape, allowed: Array | None, of_booleans: bool) -> str:
    """A mask of booleans that is computed, of 4 dimensions: one that is given, allowed keys, those that are filled. A
    row of nothing gives zeros, as the operator has it."""
    parts = []
    if of_booleans:
        _check_mask(node, whole)
        parts.append(_of_four(graph, node.computed(3), node.shape(3)))
    elif node.has(3) and node.is_constant(3):
        mask = node.constant(3, "attn_mask")
        kept = mask if mask.dtype == bool else mask >= NOTHING
        kept = kept if allowed is None else kept & allowed
        allowed = None if kept.all() else kept
    if allowed is not None:
        allowed = allowed.reshape((1,) * (4 - allowed.ndim) + allowed.shape)
        parts.append(integer(graph, allowed.astype(np.int64), f"{node.name}.allowed"))
    if node.has(6) and not node.is_constant(6):
        _check_filled(node)
        filled = graph.add(Reshape((node.shape(6)[0], 1, 1, 1)), [node.integers(6)])
        least, most = _bounds(node, whole[2], whole[3])
        for relation, bound in ((">=", least), ("<=", most)):
            bound = bound[:1] if (bound == bound[:1]).all() else bound
            if relation == ">=" or bound.min() < whole[3]:
                limit = integer(graph, bound[None, None], f"{node.name}.filled")
                parts.append(graph.add(Compare(relation), [filled, limit], None, node.name))
    keep, *others = sorted(parts, key=lambda name: graph.tensors[name].is_constant)
    for other in others:
        keep = graph.add(IntegerArithmetic("And"), [keep, other], None, node.name)
    return keep


def _with_finite_mask(node: OnnxNode, graph: GraphBuilder, scores: str, whole: Shape) -> str:
    """Scores and what a mask of real values adds to those that it keeps."""
    if not node.has(3):
        return scores
    _check_mask(node, whole)
    if not node.is_constant(3):
        return graph.add(Add(), [scores, _of_four(graph, node.computed(3), node.shape(3))])
    mask = node.constant(3, "attn_mask")
    added = np.zeros(mask.shape) if mask.dtype == bool else np.where(mask < NOTHING, 0, mask)
    if not added.any():
        return scores
    added = added.reshape((1,) * (4 - added.ndim) + added.shape).astype(np.float32)
    return graph.add(Add(), [scores, graph.constant(added, f"{node.name}.mask")])


def _of_four(graph: GraphBuilder, x: str, shape: Shape) -> str:
    """The tensor with as many dimensions as scores have."""
    return x if len(shape) == 4 else graph.add(Reshape((1,) * (4 - len(shape)) + shape), [x])


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
            scores = graph.add(Add(), [scores, _of_four(graph, node.computed(3), node.shape(3))])
    if mask is None:
        return scores
    mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape).astype(np.float32)
    return graph.add(Add(), [scores, graph.constant(mask, f"{node.name}.mask")])
