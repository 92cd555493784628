"""What calibration data says of a model's accuracy on inputs that it has not seen."""

from collections.abc import Sequence

import numpy as np
import onnx
import pytest

from mcuq.compile import quantize_model
from mcuq.dataset import Sample
from mcuq.errors import QuantizationError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.softmax import Softmax
from mcuq.quantize import quantize_on_samples
from mcuq.quantize.judge import CALIBRATED_ON, HELD_BACK, distinct_samples, held_back, judge


def network(softmax: bool = False) -> Graph:
    """Two dense layers; outputs "y" (behind a Softmax if asked) and "hidden"."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 6))
    weights = [builder.constant(rng.normal(size=shape).astype(np.float32)) for shape in ((8, 6), (4, 8))]
    biases = [builder.constant(np.zeros(size, np.float32)) for size in (8, 4)]
    hidden = builder.add(FullyConnected(minimum=0.0), [x, weights[0], biases[0]], "hidden")
    y = builder.add(FullyConnected(), [hidden, weights[1], biases[1]], "logits" if softmax else "y")
    builder.outputs += [builder.add(Softmax(), [y], "y") if softmax else y, hidden]
    return builder.graph()


def samples_of(count: int, seed: int = 0) -> list[dict[str, Array]]:
    return [{"x": row[None].astype(np.float32)} for row in np.random.default_rng(seed).normal(size=(count, 6))]


@pytest.mark.parametrize("count", [2, 3, 15, 47])
def test_few_samples_are_halves_that_judge_each_other(count: int) -> None:
    (first, second), (third, fourth) = held_back(count)
    assert (first, second) == (fourth, third)
    assert sorted(first + second) == list(range(count))
    assert len(first) == count // 2


@pytest.mark.parametrize("count", [48, 49, 256])
def test_of_many_samples_those_that_judge_are_held_back(count: int) -> None:
    ((unseen, others),) = held_back(count)
    assert (len(unseen), len(others)) == (HELD_BACK, CALIBRATED_ON)
    assert not {*unseen} & {*others}
    assert {*unseen, *others} <= {*range(count)}
    assert max(unseen) - min(unseen) > count / 2


def test_classes_in_turn_are_both_held_back_and_not() -> None:
    for count in range(12, 257):
        for period in (2, 3) if count < 48 else (2, 3, 4, 5):
            for unseen, others in held_back(count):
                assert {i % period for i in unseen} == {i % period for i in others} == {*range(period)}


def test_one_sample_cannot_judge_itself() -> None:
    assert held_back(1) == []
    assert judge(network(), samples_of(1), lambda part: pytest.fail("quantized")) is None


@pytest.mark.parametrize("softmax", [False, True])
def test_no_model_is_judged_by_samples_that_it_has_seen(softmax: bool) -> None:
    graph, samples = network(softmax), samples_of(20)
    parts: list[Sequence[Sample]] = []

    def quantize(part: Sequence[Sample]) -> Graph:
        parts.append(part)
        return quantize_on_samples(graph, part).graph

    found = judge(graph, samples, quantize)
    assert found is not None
    assert (found.samples, found.calibrated_on, found.halves) == (20, 10, True)
    assert found.judged_on == "20 samples, each half held back from a model of the other"
    assert [(q.output, q.tensor) for q in found.outputs] == [("y", "logits" if softmax else "y"), ("hidden", "hidden")]
    # The same by hand, in floating point, of the part that each model has not seen.
    signal = noise = np.zeros(2)
    weights = [t.values.astype(np.float64) for t in graph.tensors.values() if t.is_constant and len(t.shape) == 2]
    for part in parts:
        seen = {id(sample) for sample in part}
        x = np.stack([sample["x"] for sample in samples if id(sample) not in seen])
        assert len(x) + len(part) == 20
        hidden = np.maximum(x @ weights[0].T, 0)
        expected = [hidden @ weights[1].T, hidden]
        integer = quantize_on_samples(graph, part).graph
        watched = Graph("net", integer.nodes, integer.tensors, integer.inputs, (found.outputs[0].tensor, "hidden"))
        got = dequantize_outputs(watched, simulate(watched, quantize_inputs(integer, {"x": x})))
        signal = signal + [(e**2).sum() for e in expected]
        noise = noise + [((e - g) ** 2).sum() for e, g in zip(expected, got.values(), strict=True)]
    for quality, wanted in zip(found.outputs, 10 * np.log10(signal / noise), strict=True):
        assert quality.sqnr_db == pytest.approx(wanted, abs=1e-3)


def test_judging_changes_nothing_of_the_model() -> None:
    graph, samples = network(), samples_of(60)
    plain, judged = quantize_on_samples(graph, samples), quantize_on_samples(graph, samples, judged=True)
    assert plain.judgement is None
    assert judged.judgement is not None
    assert judged.judgement.judged_on == "16 held-back samples, with a model of 32 others"
    assert judged.judgement.outputs[0].sqnr_db > 25
    assert judged.notes == ()
    assert plain.graph.text() == judged.graph.text()
    for name, tensor in plain.graph.tensors.items():
        if tensor.is_constant:
            np.testing.assert_array_equal(tensor.values, judged.graph.tensors[name].values)


def test_an_output_that_is_far_off_is_warned_of() -> None:
    """One sample is a hundred times as large as the others: a model of the other half has not seen its like."""
    samples = [{"x": s["x"] * (100 if i == 7 else 1)} for i, s in enumerate(samples_of(20))]
    found = quantize_on_samples(network(), samples, judged=True)
    assert found.judgement is not None
    y, on = found.judgement.outputs[0], found.judgement.judged_on
    assert y.sqnr_db < 15
    assert y.saturated > 0.01
    assert found.notes[:2] == (
        f"output 'y': its SQNR is low, {y.sqnr_db:.1f} dB on {on}; find the layers that cost it: mcuq diagnose",
        f"output 'y': {100 * y.saturated:.1f} % of its values lie beyond its range on {on} and are clipped; "
        "give calibration data that reaches as far, or a --calibrator that clips less",
    )


def test_copies_judge_nothing_and_are_warned_of() -> None:
    samples = samples_of(3)
    found = quantize_on_samples(network(), [samples[i % 3] for i in range(60)], judged=True)
    assert found.judgement is not None
    assert found.judgement.samples == 3
    assert found.notes[0] == (
        "calibration data: 57 of 60 samples are copies of others and tell nothing new; "
        "give about a hundred different ones"
    )
    assert quantize_on_samples(network(), samples[:1] * 5, judged=True).judgement is None
    assert len(distinct_samples([*samples, *samples])) == 3


def test_what_cannot_be_made_of_fewer_samples_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise QuantizationError("tensor 'x': its range cannot be known")

    monkeypatch.setattr("mcuq.quantize.model.judge", refuse)
    found = quantize_on_samples(network(), samples_of(4), judged=True)
    assert found.judgement is None
    assert found.notes == (
        "how accurate the model is on other inputs was not judged: with fewer of the samples, "
        "tensor 'x': its range cannot be known",
    )


@pytest.mark.parametrize("scheme", ["dynamic", "float32"])
def test_a_model_without_ranges_is_judged_and_warned_of_too(scheme: str) -> None:
    """A dynamic layer has one scale for features whose ranges are 10^5 apart; all of them count alike in the output."""
    rng = np.random.default_rng(0)
    ranges = np.logspace(0, 5, 8)
    weight = (rng.normal(size=(8, 16)) / ranges[:, None]).astype(np.float32)
    rows = (rng.normal(size=(100, 1, 8)) * ranges).astype(np.float32)
    value = onnx.helper.make_tensor_value_info
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [value("x", onnx.TensorProto.FLOAT, (1, 8))], [value("y", onnx.TensorProto.FLOAT, (1, 16))]
    made = onnx.helper.make_graph(nodes, "net", *ends, [onnx.numpy_helper.from_array(weight, "w")])
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    origin = quantize_model(model, rows, scheme=scheme, judged=True).origin
    judgement = origin.judgement
    assert judgement is not None
    assert judgement.judged_on == f"{judgement.samples} samples, as the model takes nothing from data"
    (quality,) = judgement.outputs
    low = [note for note in origin.notes if note.startswith("output 'y': its SQNR is low, ")]
    assert (quality.sqnr_db > 100, len(low)) == ((True, 0) if scheme == "float32" else (False, 1))
    assert quantize_model(model, rows, scheme=scheme).origin.judgement is None
