"""One run of the float network serves all that measures its activations."""

import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest

from mcuq.dataset import Sample
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.fully_connected import FullyConnected
from mcuq.quantize import DEFAULT_METHOD, calibrate, quantize_on_samples
from mcuq.quantize.calibrate import RangeCollectors
from mcuq.quantize.headroom import Extremes, Headroom, add_headroom
from mcuq.quantize.means import ChannelMeans, channel_means, corrected_tensors
from mcuq.quantize.model import MOST_SAMPLES
from mcuq.quantize.observe import Only, observe


def dense_layers() -> Graph:
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 6))
    for index, minimum in enumerate((0.0, 0.0, -np.inf)):
        weight = builder.constant(rng.normal(size=(6, 6)).astype(np.float32), "w")
        bias = builder.constant(rng.normal(size=6).astype(np.float32), "b")
        x = builder.add(FullyConnected(minimum=minimum), [x, weight, bias], f"y{index}")
    builder.outputs.append(x)
    return builder.graph()


def samples(count: int) -> list[Sample]:
    values = np.random.default_rng(1).normal(size=(count, 1, 6)).astype(np.float32)
    return [{"x": value} for value in values]


def test_each_sample_is_read_once_and_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: Counter[bytes] = Counter()
    original = FloatModel.run

    def counted(self: FloatModel, sample: Mapping[str, Array], outputs: Sequence[str] | None = None) -> object:
        runs[sample["x"].tobytes()] += 1
        return original(self, sample, outputs)

    class Data:
        readings = 0

        def __len__(self) -> int:
            return 20

        def __iter__(self) -> Iterator[Sample]:
            self.readings += 1
            return iter(samples(20))

    data = Data()
    monkeypatch.setattr(FloatModel, "run", counted)
    quantize_on_samples(dense_layers(), data)
    assert data.readings == 1
    assert sorted(runs.values()) == [2] * 20


def test_many_samples_are_read_twice_and_those_not_chosen_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: Counter[bytes] = Counter()
    original = FloatModel.run

    def counted(self: FloatModel, sample: Mapping[str, Array], outputs: Sequence[str] | None = None) -> object:
        runs[sample["x"].tobytes()] += 1
        return original(self, sample, outputs)

    monkeypatch.setattr(FloatModel, "run", counted)
    quantize_on_samples(dense_layers(), samples(MOST_SAMPLES + 50))
    assert Counter(runs.values()) == {2: MOST_SAMPLES, 1: 50}


def test_one_run_for_all_gives_what_runs_for_each_do() -> None:
    graph, data = dense_layers(), samples(40)
    collectors = RangeCollectors(graph)
    headroom, means = Headroom(graph, collectors.names), ChannelMeans(graph, corrected_tensors(graph))
    seen = ChannelMeans(graph, ["x"])
    observe(graph, data, [collectors, headroom, means, Only(seen, [3, 5])])
    ranges = collectors.ranges(DEFAULT_METHOD)
    assert ranges == calibrate(graph, data)
    assert headroom.widened(ranges) == add_headroom(graph, ranges, data)
    for name, mean in channel_means(graph, data).items():
        assert means.means[name].tolist() == mean.tolist()
    np.testing.assert_array_equal(seen.means["x"], (data[3]["x"][0].astype(np.float64) + data[5]["x"][0]) / 2)


@pytest.mark.parametrize("sign", [1, -1])
def test_extremes_do_not_depend_on_what_is_left_out(sign: int) -> None:
    """The rows that no half can clip are dropped on the way: in ascending order of samples none is dropped early, in
    descending order nearly all are."""
    rng = np.random.default_rng(2)
    values = sign * rng.normal(size=(60, 4 * 50)).astype(np.float32) ** 3
    values = values[np.argsort(np.abs(values).max(axis=1))]
    weight = rng.normal(size=(3, 4)).astype(np.float32)
    span = float(values.min()), float(values.max())
    found = []
    for order in (values, values[::-1], values[rng.permutation(60)]):
        extremes = Extremes(weight)
        for row in order:
            extremes.add(row)
        found.append(extremes.widened(span))
    assert found[0] == found[1] == found[2]
    assert found[0] != span


def test_extremes_hold_no_more_than_eleven_samples() -> None:
    values = np.maximum(np.random.default_rng(3).normal(size=(30, 100_000)).astype(np.float32), 0)

    def peak_samples(count: int) -> float:
        tracemalloc.start()
        extremes = Extremes()
        for row in values[:count]:
            extremes.add(row)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak / values[0].nbytes

    assert peak_samples(5) < 6
    assert peak_samples(30) < 15
