"""Float graphs as importing gives them, channels first with Transposes around every operator over images."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from support import run_float

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.graph.tensor import Array, Shape
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.add import Add, Sub
from mcuq.ops.affine import Affine
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window

RELU = Clip(minimum=0.0)


class Network(GraphBuilder):
    """A graph under construction, with the layers that importing makes of ONNX nodes."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__("net")
        self.rng = np.random.default_rng(seed)

    def shape(self, x: str) -> Shape:
        return self.tensors[x].shape

    def normal(self, *shape: int) -> Array:
        return self.rng.normal(size=shape).astype(np.float32)

    def over_images(self, op: Operator, x: str, *constants: str, name: str | None = None) -> str:
        """`op` on the channels-first tensor `x`, (N, C, H, W) or (N, C, L)."""
        shape = self.shape(x)
        if len(shape) == 3:
            x = self.add(Reshape((*shape[:2], 1, shape[2])), [x])
        y = self.add(op, [self.add(Transpose((0, 2, 3, 1)), [x]), *constants], name=name)
        y = self.add(Transpose((0, 3, 1, 2)), [y])
        if len(shape) == 3:
            n, c, _, length = self.shape(y)
            y = self.add(Reshape((n, c, length)), [y])
        return y

    def conv(
        self, x: str, out_channels: int, kernel: int = 3, groups: int = 1, stride: int = 1, name: str = "conv"
    ) -> str:
        """A convolution with half of the kernel as padding."""
        tall = kernel if len(self.shape(x)) == 4 else 1
        side, top = kernel // 2, tall // 2
        window = Window((tall, kernel), (stride if tall > 1 else 1, stride), (top, side, top, side))
        channels = self.shape(x)[1] // groups
        weight = self.constant(
            self.normal(out_channels, tall, kernel, channels) / (kernel * channels**0.5), f"{name}.w"
        )
        bias = self.constant(self.normal(out_channels), f"{name}.b")
        return self.over_images(Conv2d(window, groups), x, weight, bias, name=self.fresh(name))

    def batch_norm(self, x: str, axis: int = 1) -> str:
        channels = self.shape(x)[axis]
        scale = self.constant(self.rng.uniform(0.5, 2, channels).astype(np.float32), "bn.scale")
        return self.add(Affine(axis), [x, scale, self.constant(self.normal(channels), "bn.bias")])

    def linear(self, x: str, outputs: int, name: str = "fc") -> str:
        inputs = self.shape(x)[1]
        weight = self.constant(self.normal(outputs, inputs) / inputs**0.5, f"{name}.w")
        return self.add(FullyConnected(), [x, weight, self.constant(self.normal(outputs), f"{name}.b")], name=name)

    def flatten(self, x: str) -> str:
        shape = self.shape(x)
        return self.add(Reshape((shape[0], prod(shape[1:]))), [x])

    def squeeze_excite(self, x: str, inner: int = 2) -> str:
        """Mean, two fully connected layers, a gate for each channel."""
        n, c = self.shape(x)[:2]
        pooled = self.add(Mean(tuple(range(2, len(self.shape(x))))), [x])
        hidden = self.add(RELU, [self.linear(self.flatten(pooled), inner)])
        gate = self.add(Sigmoid(), [self.linear(hidden, c)])
        gate = self.add(Reshape((n, c, *(1,) * (len(self.shape(x)) - 2))), [gate])
        return self.add(Mul(), [x, gate])

    def finish(self, *outputs: str) -> Graph:
        self.outputs += outputs
        return self.graph()


def random_network(seed: int) -> Graph:
    """A dozen layers of all kinds, images or signals, one or two outputs."""
    net = Network(seed)
    rng = net.rng
    x = net.input("x", (int(rng.integers(1, 3)), 3, 7, 6) if seed % 3 else (int(rng.integers(1, 3)), 4, 9))
    seen = [x]
    for _ in range(int(rng.integers(5, 13))):
        x = LAYERS[rng.integers(len(LAYERS))](net, x, seen)
        if min(net.shape(x)[2:]) < 3:
            break
        seen.append(x)
    outputs = [x]
    if rng.integers(2):
        outputs.append(str(rng.choice(seen[1:])) if len(seen) > 1 else x)
    if rng.integers(2):
        outputs[0] = net.add(Softmax(), [net.linear(net.flatten(x), 5)])
    return net.finish(*dict.fromkeys(o for o in outputs if o not in net.inputs))


def run(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
    """Outputs by name of ONNX Runtime."""
    return run_float(write_onnx(graph), inputs)


def assert_same_meaning(before: Graph, after: Graph) -> None:
    """ONNX Runtime gives the same for both, to 1e-5 of each output's range."""
    rng = np.random.default_rng(0)
    inputs = {n: rng.normal(size=(3, *before.tensors[n].shape)).astype(np.float32) for n in before.inputs}
    assert after.inputs == before.inputs
    want, got = run(before, inputs), run(after, inputs)
    assert list(got) == list(want)
    for name, value in want.items():
        assert got[name].shape == value.shape
        largest = float(np.abs(value).max())
        assert np.abs(got[name] - value).max() <= 1e-5 * max(largest, 1.0), f"{before.text()}\n{after.text()}"


def same_shape(net: Network, x: str, seen: list[str]) -> str:
    """An earlier tensor of the shape of `x`, maybe itself."""
    return str(net.rng.choice([s for s in (*seen, x) if net.shape(s) == net.shape(x)]))


def _unary(net: Network, x: str, seen: list[str]) -> str:
    ops = (RELU, Clip(0.0, 6.0), Clip(-0.5, 0.5), Sigmoid(), HardSwish(), Tanh())
    return net.add(ops[net.rng.integers(len(ops))], [x])


def _conv(net: Network, x: str, seen: list[str]) -> str:
    groups = net.shape(x)[1] if net.rng.integers(2) else 1
    out_channels = groups if groups > 1 else int(net.rng.integers(1, 5))
    return net.conv(x, out_channels, int(net.rng.choice([1, 3])), groups)


def _constant_operand(net: Network, x: str, seen: list[str]) -> str:
    shape = net.shape(x)
    along = int(net.rng.integers(-1, len(shape)))
    kinds = [tuple(size if axis == along else 1 for axis, size in enumerate(shape)), shape]
    constant = net.constant(net.normal(*kinds[int(net.rng.integers(4) == 0)]), "k")
    op = (Add(), Sub(), Mul())[net.rng.integers(3)]
    return net.add(op, [x, constant] if net.rng.integers(2) else [constant, x])


def _join(net: Network, x: str, seen: list[str]) -> str:
    return net.add((Add(), Mul(), Sub())[net.rng.integers(3)], [x, same_shape(net, x, seen)])


def _concat(net: Network, x: str, seen: list[str]) -> str:
    return net.add(Concat(1), [x, same_shape(net, x, seen)]) if net.shape(x)[1] < 8 else x


def _pool(net: Network, x: str, seen: list[str]) -> str:
    producer = net.producer(x)
    if producer is not None and isinstance(producer.op, Pad):
        # ONNX Runtime 1.31 fuses the two and gets the padding of pools wrong.
        return _unary(net, x, seen)
    flat = len(net.shape(x)) == 3
    window = Window((1, 2) if flat else (2, 2), pads=(0, 0, 0, 1) if flat else (0, 1, 1, 0))
    op = (MaxPool(window), AveragePool(window), AveragePool(window, True))[net.rng.integers(3)]
    return net.over_images(op, x)


def _pad(net: Network, x: str, seen: list[str]) -> str:
    pads = [(0, 0, *(int(v) for v in net.rng.integers(0, 2, len(net.shape(x)) - 2))) for _ in range(2)]
    return net.add(Pad(*pads, value=float(net.rng.choice([0.0, 0.5]))), [x])


def _slice(net: Network, x: str, seen: list[str]) -> str:
    shape = net.shape(x)
    axis = int(net.rng.integers(1, len(shape)))
    if shape[axis] < 2:
        return x
    begin = tuple(int(a == axis) for a in range(len(shape)))
    return net.add(Slice(begin, tuple(n - b for n, b in zip(shape, begin, strict=True)), (1,) * len(shape)), [x])


def _batch_norm(net: Network, x: str, seen: list[str]) -> str:
    return net.batch_norm(x)


def _conv_bn_relu(net: Network, x: str, seen: list[str]) -> str:
    return net.add(RELU, [net.batch_norm(_conv(net, x, seen))])


def _squeeze_excite(net: Network, x: str, seen: list[str]) -> str:
    return net.squeeze_excite(x)


def _twice(net: Network, x: str, seen: list[str]) -> str:
    return net.add(Add(), [net.add(Sigmoid(), [x]), net.add(Sigmoid(), [x])])


LAYERS: tuple[Callable[[Network, str, list[str]], str], ...] = (
    _unary,
    _unary,
    _conv,
    _conv,
    _conv_bn_relu,
    _conv_bn_relu,
    _batch_norm,
    _constant_operand,
    _join,
    _concat,
    _pool,
    _pad,
    _slice,
    _squeeze_excite,
    _twice,
)
