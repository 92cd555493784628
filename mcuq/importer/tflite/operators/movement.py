"""Operators that move elements: shapes, slices, joins and parts."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
import onnx

from mcuq.importer.tflite.operator import Converter, Op

_ENDLESS = 2**31 - 1  # to the end; ONNX limits it to the dimension


def reshape(op: Op) -> str:
    """The shape is the second input, or else stands in the options, one size of which may be -1."""
    if op.has(1) and op.input(1).data is None:
        return op.write("Reshape", [op.x(), op.write("Cast", [op.x(1)], to=onnx.TensorProto.INT64)])
    if op.has(1):
        return op.reshaped(op.x(), _resolved(op, op.ints(1, "shape")))
    sizes = op.option("ReshapeOptions", "NewShapeAsNumpy")
    if not isinstance(sizes, np.ndarray):
        raise op.error("has no shape; give it as the second input")
    return op.reshaped(op.x(), _resolved(op, [int(n) for n in sizes]))


def _resolved(op: Op, sizes: list[int]) -> list[int]:
    """The shape with the number for -1: ONNX's 0 means another thing."""
    elements, known = prod(op.shape(0)), prod(n for n in sizes if n != -1)
    if sizes.count(-1) == 1 and known and elements % known == 0:
        sizes = [elements // known if n == -1 else n for n in sizes]
    if prod(sizes) != elements or min(sizes, default=0) < 0:
        raise op.error(f"shape {sizes} does not fit input of shape {list(op.shape(0))}")
    return sizes


def squeeze(op: Op) -> str:
    shape = op.shape(0)
    axes = op.option("SqueezeOptions", "SqueezeDimsAsNumpy")
    given = {op.axis(int(a), len(shape)) for a in axes} if isinstance(axes, np.ndarray) and axes.size else None
    for axis in sorted(given or ()):
        if shape[axis] != 1:
            raise op.error(f"dimension {axis} of {list(shape)} is not 1")
    return op.reshaped(op.x(), [n for a, n in enumerate(shape) if (n != 1 if given is None else a not in given)])


def expand_dims(op: Op) -> str:
    shape = op.shape(0)
    axis = op.number(1, "axis")
    axis = op.axis(axis, len(shape) + 1)
    return op.reshaped(op.x(), [*shape[:axis], 1, *shape[axis:]])


def transpose(op: Op) -> str:
    perm = op.ints(1, "perm")
    if sorted(perm) != list(range(len(op.shape(0)))):
        raise op.error(f"perm={perm} does not fit input of shape {list(op.shape(0))}")
    return op.write("Transpose", [op.x()], perm=perm)


def concatenation(op: Op) -> str:
    options = "ConcatenationOptions"
    axis = op.axis(op.option(options, "Axis"), len(op.shape(0)))
    y = op.write("Concat", [op.x(i) for i in range(op.count)], axis=axis)
    return op.activated(y, options)


def pack(op: Op) -> str:
    """Joins tensors along a new dimension."""
    shape = op.shape(0)
    axis = op.axis(op.option("PackOptions", "Axis"), len(shape) + 1)
    parts = [op.reshaped(op.x(i), [*shape[:axis], 1, *shape[axis:]]) for i in range(op.count)]
    return op.write("Concat", parts, axis=axis)


def unpack(op: Op) -> list[str]:
    shape = op.shape(0)
    axis = op.axis(op.option("UnpackOptions", "Axis"), len(shape))
    if shape[axis] != op.outputs:
        raise op.error(f"parts of dimension {axis} of {list(shape)} are {shape[axis]}, its outputs {op.outputs}")
    parts = op.write_many("Split", [op.x(), op.value([1] * op.outputs)], op.outputs, axis=axis)
    return [op.reshaped(part, [*shape[:axis], *shape[axis + 1 :]]) for part in parts]


def split(op: Op) -> list[str]:
    """Equal parts; the axis is the first input."""
    axis = op.number(0, "axis")
    axis = op.axis(axis, len(op.shape(1)))
    if op.shape(1)[axis] % op.outputs:
        raise op.error(f"{op.outputs} parts of dimension {axis} of {list(op.shape(1))} are not equal")
    sizes = [op.shape(1)[axis] // op.outputs] * op.outputs
    return op.write_many("Split", [op.x(1), op.value(sizes)], op.outputs, axis=axis)


def split_v(op: Op) -> list[str]:
    """Parts of given sizes, one of which may be -1."""
    axis = op.number(2, "axis")
    axis = op.axis(axis, len(op.shape(0)))
    sizes = op.ints(1, "sizes")
    if sizes.count(-1) == 1:
        rest = op.shape(0)[axis] - sum(n for n in sizes if n != -1)
        sizes = [rest if n == -1 else n for n in sizes]
    if sum(sizes) != op.shape(0)[axis] or min(sizes) < 0 or len(sizes) != op.outputs:
        raise op.error(f"sizes {sizes} do not fit dimension {axis} of {list(op.shape(0))}")
    return op.write_many("Split", [op.x(), op.value(sizes)], op.outputs, axis=axis)


def slice_(op: Op) -> str:
    """From `begin`, `size` elements, -1 for all that follow."""
    begin, size = op.ints(1, "begin"), op.ints(2, "size")
    shape = op.shape(0)
    if not len(begin) == len(size) == len(shape):
        raise op.error(f"begin={begin} and size={size} do not fit input of shape {list(shape)}")
    end = [n if s == -1 else b + s for n, b, s in zip(shape, begin, size, strict=True)]
    return _sliced(op, begin, end, [1] * len(shape))


def strided_slice(op: Op) -> str:
    """Begin, end and stride of each dimension, as far as bits of masks do not say otherwise."""
    options = "StridedSliceOptions"
    shape = op.shape(0)
    begin, end, strides = (op.ints(i, what) for i, what in ((1, "begin"), (2, "end"), (3, "strides")))
    masks = {field: int(op.option(options, f"{field}Mask")) for field in ("Begin", "End", "Ellipsis", "NewAxis")}
    dropped = int(op.option(options, "ShrinkAxisMask"))
    if masks["Ellipsis"] or masks["NewAxis"] or op.option(options, "Offset"):
        raise op.error("ellipsis_mask, new_axis_mask and offset are not supported; use begin and end of each dimension")
    if not len(begin) == len(end) == len(strides) <= len(shape) or 0 in strides:
        raise op.error(f"begin={begin}, end={end}, strides={strides} do not fit input of shape {list(shape)}")
    for axis, stride in enumerate(strides):
        if dropped >> axis & 1:
            begin[axis] = op.axis(begin[axis], shape[axis])
            end[axis], strides[axis] = begin[axis] + 1, 1
            continue
        if masks["Begin"] >> axis & 1:
            begin[axis] = 0 if stride > 0 else _ENDLESS
        if masks["End"] >> axis & 1:
            end[axis] = _ENDLESS if stride > 0 else -_ENDLESS
    y = _sliced(op, begin, end, strides)
    kept = [axis for axis in range(len(shape)) if not dropped >> axis & 1]
    if len(kept) == len(shape):
        return y
    sizes = [len(range(*slice(b, e, s).indices(n))) for b, e, s, n in zip(begin, end, strides, shape, strict=False)]
    sizes += shape[len(sizes) :]
    return op.reshaped(y, [sizes[axis] for axis in kept])


def _sliced(op: Op, begin: list[int], end: list[int], strides: list[int]) -> str:
    axes = list(range(len(begin)))
    return op.write("Slice", [op.x(), *map(op.value, (begin, end, axes, strides))])


def reverse(op: Op) -> str:
    axes = op.ints(1, "axis")
    count = len(axes)
    values = ([-1] * count, [-_ENDLESS] * count, axes, [-1] * count)
    return op.write("Slice", [op.x(), *map(op.value, values)])


def pad(op: Op) -> str:
    """With 0, or with the third input."""
    value = [op.x(2)] if op.has(2) else []
    return op.write("Pad", [op.x(), _pads(op), *value], mode="constant")


def mirror_pad(op: Op) -> str:
    mode = op.option("MirrorPadOptions", "Mode")
    if mode != 0:
        raise op.error("mode SYMMETRIC is not supported; use REFLECT")
    return op.write("Pad", [op.x(), _pads(op)], mode="reflect")


def _pads(op: Op) -> str:
    value = op.constant(1, "paddings")
    if value.shape != (len(op.shape(0)), 2):
        raise op.error(f"paddings are of shape {list(value.shape)}; input is of shape {list(op.shape(0))}")
    return op.value(value.astype(np.int64).T.reshape(-1))


def gather(op: Op) -> str:
    """Elements of one dimension by their indices."""
    if op.option("GatherOptions", "BatchDims"):
        raise op.error("batch_dims is not supported; use 0")
    axis = op.axis(op.option("GatherOptions", "Axis"), len(op.shape(0)))
    return op.write("Gather", [op.x(0), op.x(1)], axis=axis)


def densify(op: Op) -> str:
    """Sparse weights, which are read as dense ones."""
    op.know(op.constant(0, "input"))
    return op.x()


def tile(op: Op) -> str:
    return op.write("Tile", [op.x(), op.value(op.ints(1, "multiples"))])


def broadcast_to(op: Op) -> str:
    return op.write("Expand", [op.x(), op.value(op.ints(1, "shape"))])


def shape(op: Op) -> str:
    """A constant, as all shapes are fixed."""
    return op.write("Cast", [op.write("Shape", [op.x()])], to=op.type_of(op.output()))


def depth(kind: str, options: str) -> Converter:
    """DEPTH_TO_SPACE, which has a block's pixels first in its channels as ONNX's DCR, and SPACE_TO_DEPTH."""

    def convert(op: Op) -> str:
        op.images(0)
        size = int(op.option(options, "BlockSize"))
        if size < 1:
            raise op.error(f"block_size is {size}; it must be 1 or more")
        return op.channels_last(op.write(kind, [op.channels_first(op.x())], blocksize=size))

    return convert


MOVEMENT: Mapping[str, Converter] = {
    "BROADCAST_TO": broadcast_to,
    "CONCATENATION": concatenation,
    "DENSIFY": densify,
    "DEPTH_TO_SPACE": depth("DepthToSpace", "DepthToSpaceOptions"),
    "EXPAND_DIMS": expand_dims,
    "GATHER": gather,
    "MIRROR_PAD": mirror_pad,
    "PACK": pack,
    "PAD": pad,
    "PADV2": pad,
    "RESHAPE": reshape,
    "REVERSE_V2": reverse,
    "SHAPE": shape,
    "SLICE": slice_,
    "SPACE_TO_DEPTH": depth("SpaceToDepth", "SpaceToDepthOptions"),
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUEEZE": squeeze,
    "STRIDED_SLICE": strided_slice,
    "TILE": tile,
    "TRANSPOSE": transpose,
    "UNPACK": unpack,
}
