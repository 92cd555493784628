"""One weight a channel: it is exact with many scales, of which the bias chooses."""

from __future__ import annotations

import numpy as np
from support import float_graph

from mcuq.ops.conv2d import Conv2d
from mcuq.ops.single_tap import single_tap_scale
from mcuq.ops.window import Window
from mcuq.quantize import quantize_graph


def test_weights_stay_exact() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=500), rng.normal(size=500)
    n = np.abs(weight) / single_tap_scale(weight, bias, 0.01)
    assert np.allclose(n, np.rint(n), atol=1e-9)
    assert n.min() >= 64 - 1e-9
    assert n.max() <= 127 + 1e-9


def test_biases_are_nearer_than_with_127() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=500), rng.normal(size=500)

    def error(scale: np.ndarray) -> float:
        step = 0.01 * scale
        return float(np.abs(np.rint(bias / step) * step - bias).mean())

    assert error(single_tap_scale(weight, bias, 0.01)) < error(np.abs(weight) / 127) / 10


def test_without_a_bias_it_is_127() -> None:
    assert np.allclose(single_tap_scale(np.array([0.5, -2.0, 0.0]), np.zeros(3), 0.1), [0.5 / 127, 2 / 127, 0])


def test_a_layer_of_single_taps_rounds_as_its_real_numbers_do() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(64, 1, 1, 1)).astype(np.float32), rng.normal(size=64).astype(np.float32)
    float_layer = float_graph(Conv2d(Window((1, 1)), 64), [(1, 1, 1, 64), weight, bias])
    graph = quantize_graph(float_layer, {"x0": (-1, 1), "y": (-4, 4)})
    (layer,) = graph.layers()
    x = rng.integers(-128, 128, (1000, 1, 1, 1, 64)).astype(np.int8)
    got = layer.op.simulate(layer, [x, *(t.values for t in layer.inputs[1:])])
    real = (x.astype(float) - layer.inputs[0].zero_point) * layer.inputs[0].scale * weight.reshape(-1) + bias
    assert (got == layer.output.quantization.quantize(real)).mean() >= 0.9995
