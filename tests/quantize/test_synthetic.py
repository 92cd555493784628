import numpy as np

from mcuq.dataset import InputSpec
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.add import Add
from mcuq.ops.sigmoid import Sigmoid
from mcuq.quantize import calibrate, input_specs, quantize_graph, synthetic_dataset
from mcuq.quantize.synthetic import SAMPLES


def two_inputs() -> Graph:
    builder = GraphBuilder("net")
    a, b = builder.input("a", (1, 20, 20)), builder.input("b", (1, 1, 20))
    builder.outputs.append(builder.add(Add(), [builder.add(Sigmoid(), [a], "s"), b], "y"))
    return builder.graph()


def test_inputs_are_described_by_name_and_shape() -> None:
    assert input_specs(two_inputs()) == (InputSpec("a", (1, 20, 20)), InputSpec("b", (1, 1, 20)))


def test_made_up_samples_fit_the_inputs() -> None:
    dataset = synthetic_dataset(two_inputs())
    assert len(dataset) == SAMPLES == len(list(dataset))
    for sample in dataset:
        assert {name: (x.shape, x.dtype.name) for name, x in sample.items()} == {
            "a": ((1, 20, 20), "float32"),
            "b": ((1, 1, 20), "float32"),
        }
    assert dataset.labels is None


def test_made_up_samples_are_the_same_each_time() -> None:
    for first, second in zip(synthetic_dataset(two_inputs()), synthetic_dataset(two_inputs()), strict=True):
        assert all(np.array_equal(first[name], second[name]) for name in ("a", "b"))


def test_one_half_is_normal_and_one_half_between_0_and_1() -> None:
    values = np.stack([sample["a"] for sample in synthetic_dataset(two_inputs())])
    normal, uniform = values[: SAMPLES // 2], values[SAMPLES // 2 :]
    assert abs(normal.mean()) < 0.1
    assert abs(normal.std() - 1) < 0.1
    assert 0 <= uniform.min() < 0.01 < 0.99 < uniform.max() <= 1


def test_a_gain_multiplies_all_of_them() -> None:
    for plain, gained in zip(synthetic_dataset(two_inputs()), synthetic_dataset(two_inputs(), 64.0), strict=True):
        np.testing.assert_array_equal(gained["a"], 64 * plain["a"])


def test_a_model_without_data_is_calibrated_by_them() -> None:
    graph = two_inputs()
    ranges = calibrate(graph, synthetic_dataset(graph))
    assert ranges["a"][0] < -3
    assert quantize_graph(graph, ranges).is_integer
