"""Products with weights in blocks (MatMulNBits, MatMulBnb4) as MatMul with dequantized constants.

Sources: ONNX Runtime's docs/ContribOperators.md; the values of 4 bits are those of Dettmers et al., "QLoRA", NeurIPS
2023, appendix E (NF4), and of bitsandbytes' csrc/kernels.cu (FP4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.importer.rewriter import Rewriter, attributes_of, inputs_of

MICROSOFT = "com.microsoft"
CAME_WITH = "mcuq.came_with"  # of an Identity: what the weights behind it had in the file

_NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
_FP4_MAGNITUDES = (0.0, 5.208333333e-03, 2 / 3, 1.0, 1 / 3, 0.5, 1 / 6, 0.25)
CODES = {
    0: ("FP4", np.array([sign * m for sign in (1.0, -1.0) for m in _FP4_MAGNITUDES], np.float32)),
    1: ("NF4", np.array(_NF4, np.float32)),
}
"""Attribute quant_type -> its name, and the value of each code where a block's largest magnitude is 1."""
_BITS = (2, 4, 8)


def read_blocked(rewriter: Rewriter) -> None:
    """Replace the products whose weights are constants; raises ModelError for those that are not as the operator has
    them."""
    readers = {"MatMulNBits": _n_bits, "MatMulBnb4": _bnb4}
    nodes: list[onnx.NodeProto] = []
    for node in rewriter.nodes:
        read = readers.get(node.op_type) if node.domain == MICROSOFT else None
        nodes += [node] if read is None else read(rewriter, node, attributes_of(node))
    if len(nodes) != len(rewriter.nodes):
        rewriter.replace(nodes)


def _n_bits(rewriter: Rewriter, node: onnx.NodeProto, attributes: Mapping[str, Any]) -> list[onnx.NodeProto]:
    a, b, scale, zero_point, groups, bias = inputs_of(node, 6)
    bits = attributes.get("bits", 4)
    rows, taps, block = (attributes.get(name, 0) for name in ("N", "K", "block_size"))
    if bits not in _BITS:
        raise _error(node, f"bits={bits} is not supported; use one of {', '.join(map(str, _BITS))}")
    if attributes.get("weight_prepacked", 0):
        raise _error(node, "weight_prepacked=1 is for one kind of device; export weights as the operator defines them")
    if min(rows, taps, block) < 1:
        raise _error(node, f"K={taps}, N={rows}, block_size={block} must be positive")
    blocks = -(-taps // block)
    q = _unpacked(_stored(rewriter, node, b, "B", np.uint8), bits, (rows, blocks, block), node, "B")
    q = q.reshape(rows, -1)[:, :taps]
    scales = _of_size(_stored(rewriter, node, scale, "scales", np.float32), (rows, blocks), node, "scales")
    zeros = _zero_points(rewriter, node, zero_point, bits, (rows, blocks))
    if groups:
        index = _of_size(_stored(rewriter, node, groups, "g_idx", np.int32), (taps,), node, "g_idx")
        if index.min() < 0 or index.max() >= blocks:
            raise _error(node, f"g_idx holds {index.min()} to {index.max()}; blocks are 0 to {blocks - 1}")
        scales, zeros, block = scales[:, index], zeros[:, index], 1
    stem, each = str(node.output[0]), np.arange(taps) // block
    if zeros.dtype == np.float32:
        weight = (q - zeros[:, each]) * scales[:, each]
        found, nodes = _marked(rewriter, stem, weight.astype(np.float32), "zero points that are no integers")
    else:
        difference = q.astype(np.int16) - zeros[:, each]
        names = [rewriter.store(f"{stem}.weight", difference), rewriter.store(f"{stem}.scales", scales)]
        found = rewriter.fresh(f"{stem}.real")
        nodes = [helper.make_node("DequantizeLinear", names, [found], found, axis=1, block_size=block)]
    return [*nodes, *_product(rewriter, node, a, found, bias)]


def _zero_points(rewriter: Rewriter, node: onnx.NodeProto, name: str, bits: int, shape: tuple[int, int]) -> Array:
    """uint8 (rows, blocks), or float32 where the file has floats that are no integers of `bits`."""
    if not name:
        return np.full(shape, 1 << (bits - 1), np.uint8)
    stored = _stored(rewriter, node, name, "zero_points", np.uint8, np.float32)
    if stored.dtype == np.uint8:
        return _unpacked(stored, bits, shape, node, "zero_points")
    values = _of_size(stored, shape, node, "zero_points")
    whole = np.clip(np.rint(values), 0, (1 << bits) - 1)
    return whole.astype(np.uint8) if np.array_equal(whole, values) else values


def _bnb4(rewriter: Rewriter, node: onnx.NodeProto, attributes: Mapping[str, Any]) -> list[onnx.NodeProto]:
    a, b, scale = inputs_of(node, 3)
    kind = attributes.get("quant_type", -1)
    rows, taps, block = (attributes.get(name, 0) for name in ("N", "K", "block_size"))
    if kind not in CODES:
        raise _error(node, f"quant_type={kind} is not supported; use 0 (FP4) or 1 (NF4)")
    if attributes.get("transB", 1) != 1:
        raise _error(node, "transB=0 is not supported; use transB=1")
    if min(rows, taps, block) < 1:
        raise _error(node, f"K={taps}, N={rows}, block_size={block} must be positive")
    name, codes = CODES[kind]
    stored = _of_size(_stored(rewriter, node, b, "B", np.uint8), (-(-rows * taps // 2),), node, "B")
    index = np.stack([stored >> 4, stored & 15], axis=1).reshape(-1)[: rows * taps]
    blocks = -(-rows * taps // block)
    largest = _of_size(_stored(rewriter, node, scale, "absmax", np.float32), (blocks,), node, "absmax")
    weight = (codes[index] * largest[np.arange(rows * taps) // block]).reshape(rows, taps)
    found, nodes = _marked(rewriter, str(node.output[0]), weight, f"codes of {name} and scales of blocks")
    return [*nodes, *_product(rewriter, node, a, found, "")]


def _marked(rewriter: Rewriter, stem: str, weight: Array, came_with: str) -> tuple[str, list[onnx.NodeProto]]:
    """The name of a weight of floats that stand for others, and the node that says so."""
    found = rewriter.fresh(f"{stem}.real")
    identity = helper.make_node("Identity", [rewriter.store(f"{stem}.weight", weight)], [found], found)
    identity.metadata_props.add(key=CAME_WITH, value=came_with)
    return found, [identity]


def _product(rewriter: Rewriter, node: onnx.NodeProto, a: str, weight: str, bias: str) -> list[onnx.NodeProto]:
    """a times the transposed weight, and the bias if there is one."""
    output, name = str(node.output[0]), str(node.name or node.output[0])
    turned = rewriter.fresh(f"{weight}.transposed")
    product = rewriter.fresh(f"{output}.product") if bias else output
    nodes = [
        helper.make_node("Transpose", [weight], [turned], turned, perm=[1, 0]),
        helper.make_node("MatMul", [a, turned], [product], name),
    ]
    return [*nodes, helper.make_node("Add", [product, bias], [output], f"{output}.bias")] if bias else nodes


def _unpacked(stored: Array, bits: int, shape: tuple[int, ...], node: onnx.NodeProto, what: str) -> Array:
    """uint8 of `shape`, whose last dimension is packed into whole bytes, the first value in the lowest bits."""
    a_byte = 8 // bits
    packed = _of_size(stored, (*shape[:-1], -(-shape[-1] // a_byte)), node, what)
    fields = (packed[..., None] >> (bits * np.arange(a_byte, dtype=np.uint8))) & ((1 << bits) - 1)
    values: Array = fields.reshape(*shape[:-1], -1)[..., : shape[-1]].astype(np.uint8)
    return values


def _stored(rewriter: Rewriter, node: onnx.NodeProto, name: str, what: str, *dtypes: type) -> Array:
    value = rewriter.constant(name) if name else None
    if value is None:
        raise _error(node, f"{what} must be a constant; export the model with fixed weights and shapes")
    if value.dtype not in dtypes:
        raise _error(node, f"{what} is {value.dtype}; it must be {' or '.join(np.dtype(d).name for d in dtypes)}")
    return value


def _of_size(value: Array, shape: tuple[int, ...], node: onnx.NodeProto, what: str) -> Array:
    if value.size != np.prod(shape):
        raise _error(node, f"{what} has {value.size} elements; K, N, bits and block_size ask for {np.prod(shape)}")
    return value.reshape(shape)


def _error(node: onnx.NodeProto, text: str) -> ModelError:
    return ModelError(f"{node.op_type} '{node.name or node.output[0]}': {text}")
