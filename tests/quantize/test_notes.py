"""What compile says of layers that do not follow the scheme."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, random, saved
from quantized_models import dequantize, quantize, scale_of

import mcuq
from mcuq.compile import compile_model
from mcuq.graph.builder import GraphBuilder
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.quantize import NAMED, LayerScheme, Scheme, insert_conversions
from mcuq.quantize.notes import scheme_notes


def notes(scheme: Scheme, count: int) -> tuple[str, ...]:
    """Of a chain of Sigmoid, Reshape and `count` FakeQuantize."""
    builder = GraphBuilder("net")
    y = builder.add(Sigmoid(), [builder.input("x", (1, 4))], "sigmoid", "sigmoid")
    y = builder.add(Reshape((4,)), [y], "view", "view")
    for i in range(count):
        y = builder.add(FakeQuantize(0.1 + i, 3), [y], f"q{i}", f"q{i}")
    builder.outputs.append(y)
    return scheme_notes(insert_conversions(builder.graph(), scheme), scheme)


@pytest.mark.parametrize(("scheme", "wanted"), [("int16", "int16"), ("float32", "float32"), ("dynamic", "float32")])
def test_layers_of_other_types_than_the_scheme_asks_for_are_named(scheme: str, wanted: str) -> None:
    text = "compute in int8, as their operators have no"
    assert notes(Scheme(NAMED[scheme]), 2) == (f"'q0', 'q1' {text} {wanted}, which the scheme asks for",)
    assert notes(Scheme(NAMED[scheme]), 5) == (
        f"'q0', 'q1', 'q2' and 2 more {text} {wanted}, which the scheme asks for",
    )
    assert notes(Scheme(layers={"q1": NAMED[scheme]}), 2) == (f"'q1' {text} {wanted}, which the scheme asks for",)


@pytest.mark.parametrize("scheme", NAMED)
def test_layers_that_follow_the_scheme_are_not_mentioned(scheme: str) -> None:
    assert notes(Scheme(NAMED[scheme]), 0) == ()
    assert notes(Scheme(), 2) == ()
    assert notes(Scheme(layers={"view": LayerScheme("int8", "int16")}), 0) == ()


def test_weights_that_came_quantized_and_are_asked_for_in_fewer_bits_are_named(tmp_path: Path) -> None:
    constants = {
        "s": scale_of(0.02),
        "z": np.int8(0),
        "w": np.arange(-6, 18, 2).reshape(3, 4).astype(np.int8),
        "b": random(3),
    }
    nodes = [
        quantize("x", "xq"),
        dequantize("xq", "xr"),
        dequantize("w", "wr"),
        node("Gemm", ["xr", "wr", "b"], "c", "dense", transB=1),
        quantize("c", "cq"),
        dequantize("cq", "y"),
    ]
    path = saved(model(nodes, {"x": (1, 4)}, constants=constants), tmp_path)
    assert compile_model(path, scheme="int4").origin.notes == (
        "weights of 'dense' came quantized and stay as they are; quantize the float model to have int4",
    )
    for scheme in ("int8", "float16"):
        assert compile_model(path, scheme=scheme).origin.notes == ()


def test_places_that_8_bits_do_not_tell_apart_are_said_and_more_bits_help() -> None:
    """MaxUnpool puts values where MaxPool found them."""
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        node("Conv", ["x", "w"], "c", "conv", pads=[1, 1, 1, 1]),
        node("MaxPool", ["c"], ["p", "i"], "pool", **window),
        node("MaxUnpool", ["p", "i"], "y", "unpool", **window),
    ]
    proto = model(nodes, {"x": (1, 3, 16, 16)}, constants={"w": random(8, 3, 3, 3)}).SerializeToString()
    x = np.random.default_rng(0).normal(0, 1, (40, 1, 3, 16, 16)).astype(np.float32)
    note = (
        "'pool': of values that 8 bits do not tell apart the first counts as the largest, and what is put back to its "
        "place may be beside it; there are fewer with --scheme int16, and none with float32"
    )
    found = {}
    for scheme in ("int8", "int16", "float32"):
        compiled = mcuq.compile(proto, board="host", calibration=x, scheme=scheme)
        found[scheme] = mcuq.simulate(compiled, x).report.outputs[0].sqnr_db, note in compiled.origin.notes
    decibels, noted = zip(*found.values(), strict=True)
    assert decibels[0] + 5 < decibels[1] < decibels[2] - 50
    assert noted == (True, False, False)
