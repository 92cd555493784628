"""Affine: in float graphs only."""

from __future__ import annotations

import numpy as np
import pytest
from support import float_graph, run_float

from mcuq.errors import ModelError
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.affine import Affine


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_float_meaning_is_a_scale_and_a_bias_along_the_axis(axis: int) -> None:
    rng = np.random.default_rng(axis)
    shape = (2, 3, 4)
    scale, bias = rng.normal(size=(2, shape[axis])).astype(np.float32)
    graph = float_graph(Affine(axis), [shape, scale, bias])
    x = rng.normal(size=(5, *shape)).astype(np.float32)
    along = [-1 if i == axis else 1 for i in range(3)]
    want = x * scale.reshape(along) + bias.reshape(along)
    assert np.allclose(run_float(write_onnx(graph), {"x0": x})["y"], want, rtol=1e-6, atol=1e-6)


def test_scale_or_bias_of_another_size_is_refused() -> None:
    for axis, scale, bias in [(1, 4, 4), (2, 3, 4), (0, 1, 1)]:
        with pytest.raises(ModelError) as caught:
            float_graph(Affine(axis), [(2, 3, 4), np.zeros(scale), np.zeros(bias)])
        assert str(caught.value) == (
            f"Affine 'layer': scale [{scale}] and bias [{bias}] do not fit axis {axis} of [2, 3, 4]"
        )


def test_it_has_no_integer_meaning() -> None:
    (layer,) = float_graph(Affine(0), [(2,), np.ones(2), np.ones(2)]).layers()
    with pytest.raises(NotImplementedError) as caught:
        layer.op.simulate(layer, [])
    assert str(caught.value) == "Affine is folded away before a graph is quantized"
