from dataclasses import replace

import numpy as np
import pytest

from mcuq.compile import compile_model, dataset_for
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Quant, Tensor
from mcuq.ops.identity import Identity
from mcuq.ops.regrid import QuantizeChannels, Regrid
from mcuq.quantize import Scheme, beyond_range, quantize_graph
from mcuq.resources import resource_dir
from mcuq.validate import measure_accuracy
from mcuq.validate.reach import InputMeter

# Steps of 0.01 with 0 as the code of 0.
RANGE = (-1.28, 1.27)


def graph() -> Graph:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Identity(), [builder.input("x", (1, 4))], "y"))
    return quantize_graph(builder.graph(), {"x": RANGE, "y": RANGE})


def test_values_up_to_a_step_beyond_the_range_are_within() -> None:
    tensor = Tensor("x", (1, 6), "int8", quant=Quant((0.01,), 0, "int8"))
    real = np.array([-1.289, -1.291, 0.0, 1.279, 1.281, 9.0])
    assert beyond_range(tensor, real).tolist() == [False, True, False, False, True, True]
    assert not beyond_range(Tensor("x", (1, 6)), real).any()


def test_inputs_beyond_the_calibrated_range_are_warned_of() -> None:
    meter = InputMeter(graph())
    meter.add({"x": np.zeros((60, 1, 4), np.float32)})
    assert meter.notes() == ()
    meter.add({"x": np.array([[[0.5, -0.5, 1.27, 254.0]]], np.float32)})
    assert meter.notes() == (
        "input 'x': 0.4 % of its values lie outside the calibrated range of -1.28 to 1.27 (they run from -0.5 to 254) "
        "and are clipped; scale inputs as for calibration, or calibrate on data like this",
    )


@pytest.mark.parametrize(("op", "input_type"), [(Regrid(1), "int8"), (QuantizeChannels(1), "float32")])
def test_channels_have_ranges_of_their_own(op: Regrid, input_type: str) -> None:
    builder = GraphBuilder("net")
    scale = np.array([1e-3, 1.0, 1e3], np.float32)
    names = [builder.input("x", (1, 3)), builder.constant(scale), builder.constant(np.zeros(3, np.float32))]
    builder.outputs.append(builder.add(op, names, "y"))
    meter = InputMeter(quantize_graph(builder.graph(), {"x": RANGE, "y": RANGE}, Scheme(input=input_type)))
    meter.add({"x": np.array([[0.9e-3, -0.9, 0.9e3]] * 50, np.float32)})
    assert meter.notes() == ()
    meter.add({"x": np.array([[0.9, 0.9, 0.9]], np.float32)})
    assert meter.notes() == (
        "input 'x': 0.7 % of its values lie outside the calibrated ranges of their channels and are clipped; scale "
        "inputs as for calibration, or calibrate on data like this",
    )


@pytest.mark.parametrize("input_type", ["int8", "float32"])
def test_pixels_in_other_units_are_noticed_whatever_the_inputs_type(input_type: str) -> None:
    folder = resource_dir("examples") / "digits"
    x = np.load(folder / "digits_calibration.npz")["x"][:20]
    scheme = replace(Scheme(), input=input_type)
    model = compile_model(folder / "digits.onnx", "host", x, scheme=scheme, judged=False)
    assert measure_accuracy(model, dataset_for(model.graph, x)).notes == ()
    (note,) = (n for n in measure_accuracy(model, dataset_for(model.graph, 255 * x)).notes if n.startswith("input"))
    assert "outside the calibrated range of 0 to 1.0" in note
    assert "(they run from 0 to 255)" in note
