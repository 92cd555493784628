"""What no runtime takes as exporters write it, against NumPy."""

from __future__ import annotations

from math import erfc

import numpy as np
import onnx
import pytest
from onnx_models import imported, model, node, original_outputs, random, refusal

from mcuq.importer import read_model
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel


def check(proto: onnx.ModelProto, x: np.ndarray, wanted: np.ndarray) -> None:
    """The import and the model that calibration runs give this."""
    np.testing.assert_allclose(FloatModel(write_onnx(imported(proto))).run({"x": x})["y"], wanted, atol=1e-6)
    np.testing.assert_allclose(original_outputs(read_model(proto), {"x": x})["y"], wanted, atol=1e-6)


def test_a_pool_may_be_over_dimensions_along_which_it_does_nothing() -> None:
    """As jax2onnx writes max_pool: over an image, height and width in the middle."""
    x = random(1, 1, 2, 6, 4, 3)
    pool = node("MaxPool", ["x"], "y", kernel_shape=[1, 2, 2, 1], strides=[1, 2, 2, 1])
    check(model([pool], {"x": x.shape}), x, x.reshape(1, 1, 2, 3, 2, 2, 2, 3).max(axis=(4, 6)))


def test_such_a_pool_may_have_pads() -> None:
    x = random(2, 3, 2, 4, 5, 2)
    pool = node("AveragePool", ["x"], "y", kernel_shape=[1, 1, 3, 1], pads=[0, 0, 1, 0, 0, 0, 1, 0])
    means = [x[:, :, :, :, max(i - 1, 0) : i + 2].mean(axis=4) for i in range(5)]
    check(model([pool], {"x": x.shape}), x, np.stack(means, axis=4))


def test_a_pool_may_do_nothing_at_all() -> None:
    x = random(1, 2, 2, 3, 2, 2)
    check(model([node("MaxPool", ["x"], "y", kernel_shape=[1, 1, 1, 1])], {"x": x.shape}), x, x)


def test_erfc_is_1_less_erf() -> None:
    """As tf2onnx leaves it in the Gelu of Keras."""
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    check(model([node("Erfc", ["x"], "y")], {"x": x.shape}), x, np.vectorize(erfc)(x))


@pytest.mark.parametrize(
    "attributes", [{"kernel_shape": [2, 2, 2, 2]}, {"kernel_shape": [1, 2, 2, 1], "strides": [2, 2]}]
)
def test_a_pool_over_four_dimensions_is_refused(attributes: dict[str, list[int]]) -> None:
    proto = model([node("MaxPool", ["x"], "y", "pool", **attributes)], {"x": (1, 2, 4, 4, 4, 4)})
    assert refusal(proto).startswith(
        "MaxPool 'pool': input of shape [1, 2, 4, 4, 4, 4]; supported are 1-D (N, C, L), 2-D (N, C, H, W) and 3-D"
    )
