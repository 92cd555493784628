import numpy as np
import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.quantization import quant_for_range
from mcuq.graph.tensor import Array
from mcuq.ops.sigmoid import Sigmoid
from mcuq.quantize.input_grid import input_grid_ranges

RNG = np.random.default_rng(2)


def graph_of(size: int) -> Graph:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Sigmoid(), [builder.input("x", (size,))], "y"))
    return builder.graph()


def ranges_of(values: Array) -> dict[str, tuple[float, float]]:
    return input_grid_ranges(graph_of(values.shape[1]), [{"x": row.astype(np.float32)} for row in values])


@pytest.mark.parametrize(("low", "high"), [(-211, 30), (0, 255), (-128, 127), (-90, 0), (3, 40), (0, 1)])
@pytest.mark.parametrize("step", [0.58470291, 1 / 255, 1.0, 3e-4])
def test_data_that_was_quantized_before_loses_nothing(low: int, high: int, step: float) -> None:
    values = (RNG.integers(low, high + 1, (6, 200)) * step).astype(np.float32)
    quant = quant_for_range(*ranges_of(values)["x"])
    error = np.abs(quant.dequantize(quant.quantize(values)) - values).max()
    assert error <= 1e-5 * np.abs(values).max()


def test_levels_to_spare_are_left_at_both_ends() -> None:
    values = np.array([[-100.0, 50.0, 7.0, 8.0]])
    low, high = ranges_of(values)["x"]
    assert (round(low), round(high)) == (-152, 103)


def test_real_numbers_are_on_no_grid() -> None:
    assert ranges_of(RNG.normal(size=(4, 50))) == {}


def test_a_grid_of_more_levels_than_int8_has_is_none() -> None:
    assert ranges_of(RNG.integers(0, 400, (40, 100)).astype(np.float64)) == {}


def test_an_input_of_zeros_is_on_no_grid() -> None:
    assert ranges_of(np.zeros((2, 5))) == {}
