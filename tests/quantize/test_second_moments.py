import subprocess
import sys

import numpy as np
import pytest
from support import integer_graph

from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window
from mcuq.quantize import LayerScheme, Scheme
from mcuq.quantize.second_moments import SecondMoments, second_moments

RNG = np.random.default_rng(3)
PADDED = Window((3, 3), (2, 1), (1, 1, 1, 1))
CASES: dict[str, tuple[Operator, tuple[int, ...], tuple[int, ...]]] = {
    "dense": (FullyConnected(), (2, 40), (3, 40)),
    "conv": (Conv2d(PADDED), (1, 7, 6, 4), (5, 3, 3, 4)),
    "grouped": (Conv2d(PADDED, 2), (1, 7, 6, 4), (6, 3, 3, 2)),
    "depthwise": (Conv2d(PADDED, 4), (1, 7, 6, 4), (4, 3, 3, 1)),
}


def case(name: str, dtype: str) -> tuple[Layer, Array]:
    """A layer and its inputs, most of them at the ends of their type."""
    op, shape, weight = CASES[name]
    scheme = Scheme(LayerScheme("int8", dtype))
    inputs = [shape, RNG.normal(size=weight), np.zeros(weight[0])]
    (layer,) = integer_graph(op, inputs, {"x0": (-0.5, 2.0)}, scheme).layers()
    low, high = layer.inputs[0].quantization.bounds
    x = np.clip(RNG.normal(low / 2, 2 * high, (300, *shape)), low, high).astype(dtype)
    return layer, x


def windows_of(layer: Layer, x: Array) -> Array:
    """(groups, taps, windows): one output after another, tap by tap, without a matrix product."""
    centred = x.astype(np.int64) - layer.inputs[0].zero_point
    if not isinstance(layer.op, Conv2d):
        return centred.reshape(-1, centred.shape[-1]).T[None]
    images = np.pad(centred.reshape(-1, *centred.shape[2:]), ((0, 0), (1, 1), (1, 1), (0, 0)))
    _, height, width, _ = layer.output.shape
    found = [images[:, 2 * y : 2 * y + 3, x : x + 3] for y in range(height) for x in range(width)]
    stacked = np.concatenate(found).reshape(-1, 9, layer.op.groups, images.shape[3] // layer.op.groups)
    return stacked.transpose(2, 1, 3, 0).reshape(layer.op.groups, -1, len(stacked))


def covariances(moments: SecondMoments) -> Array:
    """Of all taps, in an order that is not theirs, put in order again."""
    groups, taps = moments.mean.shape
    order = np.stack([RNG.permutation(taps) for _ in range(groups)])
    found = np.stack([moments.covariance(slice(g, g + 1), order[g : g + 1])[0] for g in range(groups)])
    whole = np.empty_like(found)
    for g in range(groups):
        whole[g][np.ix_(order[g], order[g])] = found[g]
    return whole


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("name", CASES)
def test_moments_are_those_of_the_windows(name: str, dtype: str) -> None:
    layer, x = case(name, dtype)
    windows = windows_of(layer, x)
    count = windows.shape[2]
    mean = windows.sum(axis=2) / count
    products = np.einsum("gin,gjn->gij", windows, windows) / count
    moments = second_moments(layer, x)
    assert np.array_equal(moments.mean, mean)
    assert np.array_equal(covariances(moments), products - mean[:, :, None] * mean[:, None, :])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("name", CASES)
def test_moments_of_a_part_at_a_time_are_those_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, name: str, dtype: str
) -> None:
    layer, x = case(name, dtype)
    whole = second_moments(layer, x)
    monkeypatch.setattr("mcuq.quantize.second_moments.MOST_COVARIANCES", 1)
    parts = second_moments(layer, x)
    assert parts.whole is None
    assert np.array_equal(parts.mean, whole.mean)
    assert np.array_equal(parts.variance, whole.variance)
    assert np.array_equal(covariances(parts), covariances(whole))


WIDE = """
import resource, sys
import numpy as np
from mcuq.graph.builder import GraphBuilder
from mcuq.ops.fully_connected import FullyConnected
from mcuq.quantize import Recovery, adaround, quantize_on_samples
adaround.STEPS = 10  # memory does not grow with steps
rng = np.random.default_rng(0)
builder = GraphBuilder("net")
constants = [rng.normal(size=(2, 30_000)).astype(np.float32) / 173, np.zeros(2, np.float32)]
names = [builder.constant(values, name) for values, name in zip(constants, "wb")]
builder.outputs.append(builder.add(FullyConnected(), [builder.input("x", (1, 30_000)), *names], "y"))
samples = [{"x": rng.normal(size=(1, 30_000)).astype(np.float32)} for _ in range(20)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
quantize_on_samples(builder.graph(), samples, recovery=Recovery(sys.argv[1]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["gptq", "adaround"])
def test_a_layer_of_30_000_inputs_takes_less_than_500_megabytes(rounding: str) -> None:
    run = subprocess.run([sys.executable, "-c", WIDE, rounding], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 500
