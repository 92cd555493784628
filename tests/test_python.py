"""What only those see who use mcuq from Python: names for options, and how results show themselves."""

import numpy as np
import pytest

import mcuq
from mcuq.errors import QuantizationError
from mcuq.quantize import NO_RECOVERY, parse_recovery
from mcuq.resources import resource_dir

DIGITS = resource_dir("examples") / "digits"
X = np.load(DIGITS / "digits_calibration.npz")["x"][:20]


@pytest.fixture(scope="module")
def model() -> mcuq.CompiledModel:
    return mcuq.compile(DIGITS / "digits.onnx", "host", X)


def test_method_scheme_and_recovery_may_be_names() -> None:
    named = mcuq.compile(DIGITS / "digits.onnx", "host", X, method="mse", scheme="int4", recovery="none", judged=False)
    method = mcuq.CalibrationMethod("mse")
    typed = mcuq.compile(
        DIGITS / "digits.onnx", "host", X, method=method, scheme="int4", recovery=NO_RECOVERY, judged=False
    )
    assert named.files == typed.files


def test_a_recovery_is_named_or_the_default_with_another_rounding() -> None:
    assert parse_recovery("default") == parse_recovery("gptq") == mcuq.Recovery()
    assert parse_recovery("none") == NO_RECOVERY
    assert parse_recovery("nearest") == mcuq.Recovery(rounding="nearest")
    with pytest.raises(QuantizationError) as caught:
        parse_recovery("gtpq")
    assert str(caught.value) == (
        "recovery 'gtpq': unknown; use 'default', 'none', 'nearest', 'gptq', 'adaround', or a Recovery; "
        "did you mean 'gptq'?"
    )


def test_results_show_themselves_in_a_line_and_in_a_table(model: mcuq.CompiledModel) -> None:
    judgement = model.origin.judgement
    assert judgement is not None
    assert repr(model) == (
        f"<CompiledModel digits: board host, layers {len(model.graph.nodes)}, MACs 108,864, constants "
        f"{model.constant_bytes:,} bytes, arena {model.arena_bytes:,} bytes, ranges calibrated, "
        f"SQNR {judgement.outputs[0].sqnr_db:.1f} dB>"
    )
    labels = mcuq.simulate(model, X).integers["logits"].reshape(20, -1).argmax(axis=1)
    simulation = mcuq.simulate(model, (X, labels))
    assert simulation.report.accuracy == 1.0
    assert repr(simulation) == (
        f"<Simulation: samples 20, accuracy 100.00 % (float {100 * simulation.report.float_accuracy:.2f} %), agreement "
        f"{100 * simulation.report.agreement:.2f} %, SQNR {simulation.report.sqnr_db:.1f} dB>"
    )
    run = mcuq.run(model, X[:3])
    assert repr(run) == "<Run: on host, samples 3, bit-exact yes>"
    assert run._repr_html_() == (
        "<table><caption>Run</caption><tr><th>on</th><td>host</td></tr><tr><th>samples</th><td>3</td></tr>"
        "<tr><th>bit-exact</th><td>yes</td></tr></table>"
    )


SOURCES = {
    "generator": lambda: (x for x in X),
    "batches": lambda: iter([X[:13], X[13:]]),
    "function": lambda: lambda: iter(X),
    "list of dictionaries": lambda: [{"image": x} for x in X],
}


@pytest.mark.parametrize("source", SOURCES)
def test_what_makes_samples_serves_simulate_and_run_as_arrays_do(model: mcuq.CompiledModel, source: str) -> None:
    wanted, found = mcuq.simulate(model, X), mcuq.simulate(model, SOURCES[source]())
    assert found.report == wanted.report
    np.testing.assert_array_equal(found.integers["logits"], wanted.integers["logits"])
    run = mcuq.run(model, SOURCES[source]())
    assert (run.report.samples, run.report.bit_exact) == (20, True)
    np.testing.assert_array_equal(run.integers["logits"], wanted.integers["logits"])


def test_what_makes_samples_gives_their_labels(model: mcuq.CompiledModel) -> None:
    labels = mcuq.simulate(model, X).integers["logits"].reshape(20, -1).argmax(axis=1)
    for data in (zip(X, labels, strict=True), ({"image": x, "y": y} for x, y in zip(X, labels, strict=True))):
        assert mcuq.simulate(model, data).report.accuracy == 1.0
    assert mcuq.simulate(model, iter([(X[:5], labels[:5]), (X[5:], labels[5:])])).report.accuracy == 1.0
    assert mcuq.simulate(model, iter(X), labels).report.accuracy == 1.0
    assert mcuq.simulate(model, iter(X)).report.accuracy is None
