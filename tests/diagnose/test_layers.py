"""Errors of layers, measured: each on networks where it is known which part is to blame."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from mcuq.diagnose.advice import advise
from mcuq.diagnose.layers import LayerNoise, measure_layers
from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.quantize import LayerScheme, Scheme, calibrate, insert_conversions, quantize_graph

SAMPLES = 40


def network(first: Array, second: Array) -> Graph:
    """Two fully connected layers, a Reshape between them, and a Softmax."""
    builder = GraphBuilder("net")
    x = builder.input("x", (1, first.shape[1]))
    zeros = [builder.constant(np.zeros(len(w), np.float32), f"b{i}") for i, w in enumerate((first, second))]
    y = builder.add(FullyConnected(), [x, builder.constant(first, "w0"), zeros[0]], "first")
    y = builder.add(Reshape((1, len(first))), [y], "view")
    y = builder.add(FullyConnected(), [y, builder.constant(second, "w1"), zeros[1]], "second")
    builder.outputs.append(builder.add(Softmax(), [y], "probabilities"))
    return builder.graph()


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def measured(graph: Graph, x: Array, scheme: Scheme = Scheme()) -> dict[str, LayerNoise]:  # noqa: B008
    typed = insert_conversions(graph, scheme)
    samples = [{"x": row[None]} for row in x]
    integer = quantize_graph(typed, calibrate(typed, samples), scheme)
    batches = [{"x": x[i : i + 16, None]} for i in range(0, len(x), 16)]
    return {found.layer.name: found for found in measure_layers(typed, integer, batches)}


def test_views_are_no_layers_and_all_others_are_measured_in_order() -> None:
    found = measured(network(normal(8, 6), normal(4, 8)), normal(SAMPLES, 6))
    assert list(found) == ["first", "second", "probabilities"]
    assert all(noise.values.values_seen for noise in found.values())


def test_the_first_layer_has_the_same_error_alone_and_in_the_model() -> None:
    found = measured(network(normal(8, 6), normal(4, 8)), normal(SAMPLES, 6))
    assert found["first"].accumulated.sqnr_db == pytest.approx(found["first"].alone.sqnr_db, abs=1e-6)


def test_values_that_are_not_finite_are_told_of_by_the_node_of_the_file() -> None:
    typed = insert_conversions(network(np.full((8, 6), 2, np.float32), normal(4, 8)), Scheme())
    integer = quantize_graph(typed, calibrate(typed, [{"x": row[None]} for row in normal(4, 6)]), Scheme())
    with pytest.raises(QuantizationError) as caught:
        measure_layers(typed, integer, [{"x": np.full((1, 1, 6), np.finfo(np.float32).max)}])
    assert str(caught.value) == (
        "the output of 'first': 8 of 8 values are NaN or Inf during calibration; "
        "check the calibration data and the model's weights"
    )


def test_errors_accumulate() -> None:
    found = measured(network(normal(8, 6), normal(4, 8)), normal(SAMPLES, 6))
    assert found["second"].accumulated.sqnr_db < found["second"].alone.sqnr_db


def test_the_impact_of_the_watched_layer_is_its_own_error() -> None:
    found = measured(network(normal(8, 6), normal(4, 8)), normal(SAMPLES, 6))
    assert found["second"].impact.sqnr_db == pytest.approx(found["second"].alone.sqnr_db)
    assert found["probabilities"].impact.sqnr_db == inf, "the logits do not depend on it"


def test_weights_with_an_outlier_are_the_largest_part_and_named() -> None:
    first = normal(8, 6) / 100
    first[:, 0] = 1.0  # one large weight in each row: the others have few steps
    x = normal(SAMPLES, 6)
    x[:, 0] = 0
    found = measured(network(first, normal(4, 8)), x)["first"]
    assert found.weights is not None
    assert found.weights.sqnr_db < min(found.inputs.sqnr_db, found.rounding.sqnr_db)
    advice = advise(found, ())
    assert advice.part == "weights"
    assert '[layers."first"] weights = "float32"' in advice.text


@pytest.mark.parametrize(("weights", "finer"), [("int4", "int8"), ("binary", "int8"), ("float16", "float32")])
def test_weights_that_are_not_as_fine_as_they_could_be_are_told_the_next(weights: str, finer: str) -> None:
    scheme = Scheme(LayerScheme(weights, "float32"))
    advice = advise(measured(network(normal(8, 6), normal(4, 8)), normal(SAMPLES, 6), scheme)["first"], ())
    assert (advice.part, advice.text) == ("weights", f'its {weights} weights: [layers."first"] weights = "{finer}"')


def test_inputs_with_outliers_are_the_largest_part_and_their_producer_is_named() -> None:
    first = np.eye(8, 6, dtype=np.float32)
    first[0] *= 500  # one channel takes the range of the tensor; the second layer does not read it
    second = normal(4, 8)
    second[:, 0] = 0
    found = measured(network(first, second), normal(SAMPLES, 6))["second"]
    assert found.inputs.sqnr_db < found.rounding.sqnr_db
    advice = advise(found, ("first",))
    assert (advice.part, advice.producers) == ("inputs", ("first",))
    assert advice.text == 'the numbers of its inputs: [layers."first"] activations = "int16"'


def test_noise_of_the_models_own_input_asks_for_a_finer_input() -> None:
    x = normal(SAMPLES, 6)
    x[:, 0] *= 1000
    first = normal(8, 6)
    first[:, 0] = 0
    graph = network(first, normal(4, 8))
    narrow = measured(graph, x)["first"]
    assert advise(narrow, ()).text == (
        'the model\'s input: --input-type int16 and [layers."first"] activations = "int16"'
    )
    scheme = Scheme(input="int16", layers={"first": LayerScheme("int8", "int16")})
    assert measured(graph, x, scheme)["first"].inputs.sqnr_db > narrow.inputs.sqnr_db + 25, "what is advised helps"


def test_int16_activations_take_the_rounding_away() -> None:
    graph, x = network(normal(8, 6), normal(4, 8)), normal(SAMPLES, 6)
    eight = measured(graph, x)["second"]
    sixteen = measured(graph, x, Scheme(layers={"second": LayerScheme("int8", "int16")}))["second"]
    assert sixteen.rounding.sqnr_db > eight.rounding.sqnr_db + 30


def test_clipped_values_are_counted_and_a_wider_range_advised() -> None:
    graph, x = network(normal(8, 6), normal(4, 8)), normal(SAMPLES, 6)
    ranges = calibrate(graph, [{"x": row[None]} for row in x])
    low, high = ranges["first"]
    integer = quantize_graph(graph, {**ranges, "first": (low / 3, high / 3)})
    found = measure_layers(graph, integer, [{"x": x[:, None]}])[0]
    assert 0.05 < found.clipped < 0.7
    advice = advise(found, ())
    assert advice.part == "clipping"
    assert advice.text.endswith("of its values: --calibrator minmax or mse")


def test_two_ways_to_the_output_are_both_float_but_for_the_layer() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 6))
    weight, bias = builder.constant(normal(6, 6), "w"), builder.constant(np.zeros(6, np.float32), "b")
    y = builder.add(FullyConnected(), [x, weight, bias], "branch")
    builder.outputs.append(builder.add(Add(), [y, x], "sum"))
    found = measured(builder.graph(), normal(SAMPLES, 6))
    assert found["branch"].impact.noise.sum() == pytest.approx(found["branch"].alone.noise.sum(), rel=1e-4)


def test_a_tick_follows_each_batch() -> None:
    graph, x = network(normal(8, 6), normal(4, 8)), normal(SAMPLES, 6)
    ranges = calibrate(graph, [{"x": row[None]} for row in x])
    seen: list[int] = []
    measure_layers(graph, quantize_graph(graph, ranges), [{"x": x[:16, None]}, {"x": x[16:20, None]}], seen.append)
    assert seen == [16, 4]
