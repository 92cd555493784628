"""Regrid and QuantizeChannels: codes that stay, bits on the host and the emulated CPU, and the error in steps."""

from __future__ import annotations

import numpy as np
import pytest
from support import model_of

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array, ChannelQuant
from mcuq.ops.regrid import QuantizeChannels, Regrid
from mcuq.quantize import Scheme, quantize_graph
from mcuq.validate import check_bits

SHAPE = (1, 3, 5, 2)
AXES = [1, 2, 3]


def graph_of(op: Regrid, x: str, span: tuple[float, float] = (-1.0, 1.0)) -> Graph:
    """x of type `x`, with scales from 1e-3 to 1e5 and shifts of either sign."""
    channels = SHAPE[op.axis]
    builder = GraphBuilder("layer")
    scale = np.geomspace(1e-3, 1e5, channels).astype(np.float32)
    shift = (scale * np.linspace(-3, 40, channels)).astype(np.float32)
    names = [builder.input("x", SHAPE), builder.constant(scale, "scale"), builder.constant(shift, "shift")]
    builder.outputs.append(builder.add(op, names, "y"))
    return quantize_graph(builder.graph(), {"x": span, "y": span}, Scheme(input=x))


def reals(graph: Graph, samples: int = 7) -> Array:
    """What its channels reach and a little more, their corners, and halves between steps."""
    layer = next(graph.layers())
    assert isinstance(layer.op, Regrid)
    scale, shift = (
        t.values.astype(np.float64).reshape([-1 if a == layer.op.axis else 1 for a in range(4)])
        for t in layer.inputs[1:]
    )
    u = np.random.default_rng(0).uniform(-1.2, 1.2, (samples, *SHAPE))
    u[0], u[1] = -1e9, 1e9
    u[2] = (np.arange(30).reshape(SHAPE) - 14.5) * layer.output.scale
    return np.asarray(u * scale + shift, np.float32)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_input_has_the_codes_of_its_channels(dtype: str, axis: int) -> None:
    graph = graph_of(Regrid(axis), dtype)
    x, layer = reals(graph), next(graph.layers())
    quant = graph.tensors["x"].quant
    assert isinstance(quant, ChannelQuant)
    codes = quantize_inputs(graph, {"x": x})
    assert codes["x"].dtype.name == dtype
    uniform = simulate(graph, codes)["y"]
    np.testing.assert_array_equal(uniform, codes["x"])
    shape = [-1 if a == axis else 1 for a in range(4)]
    scale, shift = (t.values.astype(np.float64).reshape(shape) for t in layer.inputs[1:])
    want = np.clip((x - shift) / scale, *graph.tensors["y"].quantization.real_bounds)
    # A zero point is a whole number, so that a shift may move by half a step.
    steps = np.abs(graph.tensors["y"].decode(uniform) - want) / graph.tensors["y"].scale
    assert steps.max() <= 1 + 1e-3


def test_numbers_of_the_input_are_real() -> None:
    graph = graph_of(Regrid(1), "int8")
    x = reals(graph)[3:]
    scale = np.array(graph.tensors["x"].quantization.scale).reshape(3, 1, 1)
    inside = np.abs(simulate(graph, quantize_inputs(graph, {"x": x}))["y"].astype(int)) < 127
    assert inside.mean() > 0.7
    back = graph.tensors["x"].decode(quantize_inputs(graph, {"x": x})["x"])
    assert (np.abs(back - x) / scale)[inside].max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("on", "dtype", "axis"),
    [("host", y, axis) for y in ("int8", "uint8", "int16") for axis in AXES] + [("emulator", "int8", 2)],
)
def test_float_input_gives_the_simulators_bits(on: str, dtype: str, axis: int) -> None:
    graph = graph_of(QuantizeChannels(axis, dtype), "float32")
    x = reals(graph, 8)
    x.reshape(8, -1)[3, :7] = [np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, 1e-40]
    report = check_bits(model_of(graph), iter([{"x": x}]), on)
    assert report.first_mismatch is None, graph.text()
    assert report.compared_bytes == 8 * graph.tensors["y"].size_bytes


def test_float_input_is_rounded_once() -> None:
    graph = graph_of(QuantizeChannels(1), "float32", (-1.5, 0.5))
    x, layer = reals(graph), next(graph.layers())
    got = dequantize_outputs(graph, simulate(graph, {"x": x}))["y"].astype(np.float64)
    scale, shift = (t.values.astype(np.float64).reshape(3, 1, 1) for t in layer.inputs[1:])
    want = np.clip((x - shift) / scale, *graph.tensors["y"].quantization.real_bounds)
    assert np.abs(got - want).max() <= (0.5 + 1e-3) * graph.tensors["y"].scale


def test_scales_and_shifts_are_those_of_the_axis() -> None:
    builder = GraphBuilder("layer")
    names = [builder.input("x", (1, 4)), *(builder.constant(np.ones(3, np.float32)) for _ in range(2))]
    with pytest.raises(Exception, match=r"scale \[3\] and shift \[3\] do not fit axis 1 of \[1, 4\]"):
        builder.add(Regrid(1), names, "y")
