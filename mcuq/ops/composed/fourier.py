"""DFT and STFT: products with the transform's matrix, of a signal, or of a window that moves along it.

X[k] = sum over t of x[t] * exp(-2 pi i k t / n); the inverse has the other sign and 1 / n. Complex numbers are pairs of
a last dimension, a real one has one number there.
"""

from __future__ import annotations

from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window

# Numbers of a matrix: 64 MB of floats, more than any microcontroller has.
MOST = 2**24


def from_dft(node: OnnxNode, graph: GraphBuilder) -> str:
    """Constant length and axis: a product with the transform's matrix, which is as many weights."""
    shape, parts = node.shape(0), _parts(node)
    rank, inverse, onesided = len(shape), bool(node.attribute("inverse", 0)), bool(node.attribute("onesided", 0))
    axis = node.attribute("axis", 1) if node.opset < 20 else _whole(node, 2, "axis", -2)
    if not -rank <= axis < rank or axis % rank == rank - 1:
        raise node.error(f"axis={axis} is none of the signal's, of shape {list(shape)}")
    axis %= rank
    points = shape[axis]
    length = _whole(node, 1, "dft_length", 2 * (points - 1) if inverse and onesided else points)
    if onesided and parts != (2 if inverse else 1):
        raise node.error(
            f"onesided=1 and inverse={int(inverse)} of a signal of {parts} numbers a point; give it {3 - parts}"
        )
    taken = min(points, length // 2 + 1 if inverse and onesided else length)
    bins = length // 2 + 1 if onesided and not inverse else length
    gives = 1 if onesided and inverse else 2
    _check_size(node, length, taken * parts, bins * gives)
    if onesided and inverse:
        matrix = _real_inverse(length, taken)
    else:
        matrix = _matrix(length, taken, bins, inverse)[:, :, :, :parts]
    perm = (*(i for i in range(rank) if i not in (axis, rank - 1)), axis, rank - 1)
    x = node.computed(0)
    if taken < points:
        sizes = tuple(taken if i == axis else n for i, n in enumerate(shape))
        x = graph.add(Slice((0,) * rank, sizes, (1,) * rank), [x])
    x = graph.add(Transpose(perm), [x]) if perm != tuple(range(rank)) else x
    others = graph.tensors[x].shape[:-2]
    x = graph.add(Reshape((prod(others), taken * parts)), [x])
    inputs = [x, *_weights(node, graph, matrix.reshape(bins * gives, taken * parts))]
    y = graph.add(FullyConnected(), inputs, None, node.name)
    y = graph.add(Reshape((*others, bins, gives)), [y])
    back = tuple(map(int, np.argsort(perm)))
    return graph.add(Transpose(back), [y], node.outputs[0]) if back != tuple(range(rank)) else y


def from_stft(node: OnnxNode, graph: GraphBuilder) -> str:
    """Constant step, length and window: a convolution along the signal, whose kernels are the window times the
    transform's rows."""
    shape, parts = node.shape(0), _parts(node)
    if len(shape) != 3:
        raise node.error(f"signal of shape {list(shape)}; supported is (batch, length, 1 or 2)")
    step = _whole(node, 1, "frame_step", 1)
    window = weights(node, 2, "window") if node.has(2) else None
    length = _whole(node, 3, "frame_length", shape[1] if window is None else window.size)
    if window is not None and window.shape != (length,):
        raise node.error(f"window of shape {list(window.shape)} does not fit frame_length={length}")
    if step < 1 or not 1 <= length <= shape[1]:
        raise node.error(f"frame_step={step} and frame_length={length} do not fit a signal of {shape[1]} points")
    onesided = bool(node.attribute("onesided", 1))
    if onesided and parts == 2:
        raise node.error("onesided=1 of a complex signal is not supported; use onesided=0", "onesided")
    bins = length // 2 + 1 if onesided else length
    _check_size(node, length, length * parts, 2 * bins)
    matrix = _matrix(length, length, bins, inverse=False)[:, :, :, :parts]
    if window is not None:
        matrix = matrix * window.astype(np.float64)[:, None]
    x = graph.add(Reshape((shape[0], 1, *shape[1:])), [node.computed(0)])
    inputs = [x, *_weights(node, graph, matrix.reshape(2 * bins, 1, length, parts))]
    y = graph.add(Conv2d(Window((1, length), (1, step))), inputs, None, node.name)
    frames = graph.tensors[y].shape[2]
    return graph.add(Reshape((shape[0], frames, bins, 2)), [y], node.outputs[0])


def _parts(node: OnnxNode) -> int:
    """Numbers of a point of the signal."""
    shape = node.shape(0)
    if len(shape) < 2 or shape[-1] not in (1, 2):
        raise node.error(f"signal of shape {list(shape)}; its last dimension must be 1, or 2 for complex numbers")
    return shape[-1]


def _whole(node: OnnxNode, index: int, what: str, default: int) -> int:
    """A constant whole number."""
    if not node.has(index):
        return default
    value = node.constant(index, what)
    if value.size != 1 or value.dtype.kind not in "iu":
        raise node.error(f"{what} is {value.dtype} of shape {list(value.shape)}; it must be one whole number")
    return int(value.reshape(()))


def _check_size(node: OnnxNode, length: int, taps: int, outputs: int) -> None:
    if length < 1:
        raise node.error(f"has a length of {length}; it must be 1 or more")
    if taps * outputs > MOST:
        raise node.error(f"of {length:,} points is too large; supported are matrices of {MOST:,} numbers")


def _weights(node: OnnxNode, graph: GraphBuilder, matrix: Array) -> list[str]:
    """The matrix, outputs first, and a bias of zeros."""
    bias = np.zeros(len(matrix), np.float32)
    weight = graph.constant(matrix.astype(np.float32), f"{node.name}.transform")
    return [weight, graph.constant(bias, f"{node.name}.bias")]


def _turns(length: int, rows: int, columns: int) -> tuple[Array, Array]:
    """Cosine and sine of 2 pi * row * column / length; angles are reduced as whole numbers, so that none is less exact
    than others."""
    angles = np.outer(np.arange(rows), np.arange(columns)) % length * (2 * np.pi / length)
    return np.cos(angles), np.sin(angles)


def _matrix(length: int, taken: int, bins: int, inverse: bool) -> Array:
    """(bins, 2 of the output, taken, 2 of the input) of the transform of complex numbers."""
    cosine, sine = _turns(length, bins, taken)
    if inverse:
        cosine, sine = cosine / length, -sine / length
    return np.stack([np.stack([cosine, sine], axis=-1), np.stack([-sine, cosine], axis=-1)], axis=1)


def _real_inverse(length: int, taken: int) -> Array:
    """(length, 1, taken, 2) of the inverse that gives real numbers, of the bins up to half: all but those of 0 and of
    half the length stand for two."""
    cosine, sine = _turns(length, length, taken)
    twice = np.full(taken, 2.0)
    twice[0] = 1
    if length % 2 == 0 and taken == length // 2 + 1:
        twice[-1] = 1
    return np.stack([cosine * twice, -sine * twice], axis=-1)[:, None] / length
