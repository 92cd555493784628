"""Schemes, budgets, exports and the diagnosis on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from selections import quick

import mcuq
from mcuq.artifact import load
from mcuq.budget import Plan
from mcuq.cli import main
from mcuq.cli.options import Accuracy
from mcuq.quantize import NO_RECOVERY
from mcuq.report.candidates import Candidate, Figures
from mcuq.resources import resource_dir
from mcuq.validate import check_bits, probe_inputs

DIGITS = resource_dir("examples") / "digits"
MODEL = str(DIGITS / "digits.onnx")
CALIBRATION = ("--calibration", str(DIGITS / "digits_calibration.npz"))
COMPILE = ("compile", MODEL, "--board", "cortex-m4", *CALIBRATION)
DIAGNOSE = ("diagnose", MODEL, "--board", "cortex-m4", *CALIBRATION)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def call_json(*arguments: str) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("scheme", quick(["int4", "int16", "dynamic"]))
def test_a_scheme_is_compiled_and_exact(scheme: str, tmp_path: Path) -> None:
    found = call_json(*COMPILE, "--scheme", scheme, "-o", str(tmp_path))
    model = load(tmp_path)
    assert {"int4": "int8", "int16": "int16", "dynamic": "float32"}[scheme] == found["inputs"][0]["dtype"]
    assert check_bits(model, iter([probe_inputs(model.graph)]), "host").bit_exact


def test_types_of_inputs_and_outputs_are_shown(tmp_path: Path) -> None:
    result = call(*COMPILE, "--input-type", "uint8", "--output-type", "float32", "-o", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "(q - 0), uint8" in result.stdout
    assert "float, real values" in result.stdout
    header = (tmp_path / "digits.h").read_text()
    assert "void digits_run(const uint8_t *input, float *output);" in header
    assert "DIGITS_OUTPUT_SCALE" not in header


def test_a_file_states_schemes_layer_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[layers."node_Conv_*"]\nweights = "int4"\n')
    call_json(*COMPILE, "--scheme", str(path), "-o", str(tmp_path / "out"))
    graph = load(tmp_path / "out").graph
    storages = {node.name: graph.tensors[node.inputs[1]].storage for node in graph.nodes if len(node.inputs) == 3}
    assert {s for name, s in storages.items() if name.startswith("node_Conv_")} == {"int4"}
    assert {s for name, s in storages.items() if not name.startswith("node_Conv_")} == {"int8"}


def test_an_unknown_scheme_ends_with_1_and_one_line(tmp_path: Path) -> None:
    result = call(*COMPILE, "--scheme", "int7", "-o", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: scheme 'int7': is not known; use int8, int16, ")
    assert len(result.stderr.splitlines()) == 1


def test_options_make_scales_what_they_say(tmp_path: Path) -> None:
    call_json(*COMPILE, "--symmetric", "--power-of-two", "--per-tensor", "-o", str(tmp_path))
    graph = load(tmp_path).graph
    for node in graph.nodes:
        y = graph.tensors[node.output]
        assert y.zero_point == (-128 if "softmax" in node.name.lower() else 0), node.name
        assert (y.scale).hex().split("p")[0] == "0x1.0000000000000"
        if len(node.inputs) == 3:
            assert len(set(graph.tensors[node.inputs[1]].quantization.scale)) == 1


def test_the_quantized_model_is_exported(tmp_path: Path) -> None:
    found = call_json(*COMPILE, "--export-qdq", "-o", str(tmp_path))
    assert str(tmp_path / "digits_qdq.onnx") in found["files"]
    onnx.checker.check_model(onnx.load(tmp_path / "digits_qdq.onnx"))


def test_a_budget_chooses_bits_and_says_what_it_tried(tmp_path: Path) -> None:
    found = call_json(*COMPILE, "--max-flash", "9k", "-o", str(tmp_path))
    assert found["flash_bytes"] <= 9 * 1024
    assert len(found["tried"]) >= 2
    assert {"title", "optimize", "sqnr_db", "flash_bytes", "arena_bytes", "is_best"} <= found["tried"][0].keys()
    assert found["budget"] == [
        {"option": "--max-flash", "bound": 9 * 1024, "value": found["flash_bytes"], "is_met": True}
    ]
    again = call_json(*COMPILE, "--scheme", str(tmp_path / "digits_scheme.toml"), "-o", str(tmp_path / "again"))
    assert again["flash_bytes"] == found["flash_bytes"]


@pytest.mark.slow
def test_an_accuracy_is_judged_by_samples_that_the_models_tried_have_not_seen(tmp_path: Path) -> None:
    found = call_json(*COMPILE, "--min-sqnr", "10", "--data", CALIBRATION[1], "-o", str(tmp_path))
    assert found["tried_on"] == "25 of the calibration samples, held back from the models tried"
    assert {tried["samples"] for tried in found["tried"]} == {25}
    assert found["calibration_samples"] == 100


@pytest.mark.slow
def test_what_a_budget_was_judged_on_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.load(CALIBRATION[1])["x"][:30])
    other = str(tmp_path / "other.npz")
    result = call(*COMPILE, "--min-sqnr", "10", "--data", other, "-o", str(tmp_path))
    assert f"\n  tried   on the 30 samples of {other}\n" in result.stdout
    result = call(*COMPILE, "--max-flash", "1M", "-o", str(tmp_path))
    assert "\n  tried   on the 100 calibration samples, which the models tried have seen\n" in result.stdout


def test_a_model_of_all_samples_that_takes_more_than_was_tried_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = Candidate("all int8 weights")
    plan = Plan(tried, {tried: Figures(30.0, 1.0, None, 1000, 500, None, 25)})
    monkeypatch.setattr("mcuq.cli.compile.search", lambda *arguments: plan)
    result = call(*COMPILE, "--max-flash", "2k", "-o", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert re.fullmatch(
        r"error: --max-flash 2,048: calibrated on all samples the model takes \d\d,\d{3} bytes, more than on the part "
        r"that was tried; allow more, or give other inputs to judge by: --data DATA\n",
        result.stderr,
    )
    assert not (tmp_path / "out").exists()


def test_a_budget_needs_data(tmp_path: Path) -> None:
    result = call("compile", MODEL, "--board", "cortex-m4", "--max-flash", "12k", "-o", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == "error: a budget needs inputs to measure on; give --calibration DATA\n"


def test_weights_that_came_quantized_are_no_matter_of_a_budget_and_need_no_calibration(tmp_path: Path) -> None:
    call_json(*COMPILE, "--export-qdq", "--no-judge", "-o", str(tmp_path))
    given = ("compile", str(tmp_path / "digits_qdq.onnx"), "--board", "cortex-m4", "--optimize", "balanced")
    given = (*given, "-o", str(tmp_path / "out"))
    found = call_json(*given, "--max-flash", "1M")
    assert [row["title"] for row in found["tried"]] == ["given weights"]
    assert found["tried_on"] == "no inputs: how accurate it is, is not known"
    found = call_json(*given, "--max-flash", "1M", "--scheme", "float32")
    assert [row["title"] for row in found["tried"]] == ["all float32 weights"]
    found = call_json(*given, "--min-sqnr", "10", "--data", CALIBRATION[1])
    assert [(row["title"], row["samples"]) for row in found["tried"]] == [("given weights", 100)]
    result = call(*given, "--min-sqnr", "10")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: a budget needs inputs to measure on; give --data DATA\n",
    )
    result = call(*given, "--max-flash", "2k")
    assert result.exit_code == 1
    assert re.fullmatch(
        r"error: budget: nothing meets it \(1 choice tried, and weights of 5 layers came quantized and keep their "
        r"integers\), nearest is 'given weights': --max-flash 2,048 is missed by \d,\d{3} \(\d\d,\d{3} bytes\); "
        r"--max-flash \d{5} would be met\n",
        result.stderr,
    ), result.stderr


@pytest.mark.parametrize("text", ["much", "0", "-3", "1.5k"])
def test_a_budget_that_is_no_number_of_bytes_is_wrong_usage(text: str) -> None:
    result = call(*COMPILE, f"--max-flash={text}")
    assert result.exit_code == 2
    assert f"'{text}' is no number of bytes; give one such as 49152, 48k or 1M" in result.stderr


def test_a_budget_that_nothing_meets_ends_with_1_and_a_table_of_what_was_tried(tmp_path: Path) -> None:
    arguments = (*COMPILE, "--max-ram", "1k", "--optimize", "balanced", "-o", str(tmp_path / "out"))
    result = call(*arguments)
    assert result.exit_code == 1
    found = re.fullmatch(
        r"error: budget: nothing meets it \(2 choices tried\), nearest is 'all int8 weights': --max-ram 1,024 is "
        r"missed by (\d+) \((1,\d{3}) bytes\); --max-ram (\d+) would be met\n",
        result.stderr,
    )
    assert found is not None, result.stderr
    assert 1024 + int(found[1]) == int(found[3]) == int(found[2].replace(",", ""))
    assert re.search(r"^  tried +SQNR +agreement +accuracy +flash +RAM +instructions$", result.stdout, re.MULTILINE)
    assert re.search(rf"^\* all int8 weights  +.* {found[2]} .* nearest$", result.stdout, re.MULTILINE)
    result = call(*arguments, "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["hint"] == f"--max-ram {found[3]} would be met"
    assert said["budget"] == [{"option": "--max-ram", "bound": 1024, "value": int(found[3]), "is_met": False}]
    assert [row["title"] for row in said["tried"]] == ["all int8 weights", "all int8 weights, any RAM"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("board", "message"),
    [
        ("host", "counts on an emulated CPU, and board 'host' has none"),
        ("cortex-m55", "needs a clock and the CPU's cycles, and board 'cortex-m55' has none"),
    ],
)
def test_a_time_needs_a_cpu_whose_cycles_are_counted(board: str, message: str) -> None:
    result = call("compile", MODEL, "--board", board, "--max-ms", "5")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: --max-ms: {message}"


def test_flash_needs_a_board_whose_code_is_measured() -> None:
    result = call("compile", MODEL, "--board", "host", "--max-flash", "48k")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: --max-flash: counts code as the board's compiler makes it, and board 'host' has none; give the board "
        "that the model is for, as --board cortex-m4"
    )


@pytest.mark.parametrize("option", ["--max-ms", "--min-sqnr"])
@pytest.mark.parametrize(("text", "number"), [("nan", "nan"), ("inf", "inf"), ("1e400", "inf")])
def test_a_bound_that_is_not_finite_is_wrong_usage(option: str, text: str, number: str) -> None:
    result = call(*COMPILE, option, text)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        f"Error: Invalid value for '{option}': {number} is not finite; give a number such as 20"
    )


@pytest.mark.parametrize("text", ["most", "-1", "101", "nan"])
def test_an_accuracy_that_is_none_is_wrong_usage(text: str) -> None:
    result = call(*COMPILE, f"--min-accuracy={text}")
    assert result.exit_code == 2
    assert f"'{text}' is no accuracy; give one such as 90, in per cent, or 0.9" in result.stderr


@pytest.mark.parametrize(("text", "share"), [("90", 0.9), ("0.9", 0.9), ("1", 1.0), ("100", 1.0), ("1.5", 0.015)])
def test_an_accuracy_is_a_share_or_in_per_cent(text: str, share: float) -> None:
    assert Accuracy().convert(text, None, None) == share


def test_the_diagnosis_ranks_layers_and_says_what_to_do() -> None:
    found = call_json(*DIAGNOSE)
    layers = found["layers"]
    assert [layer["impact_db"] or 1e9 for layer in layers] == sorted(layer["impact_db"] or 1e9 for layer in layers)
    assert {"alone_db", "accumulated_db", "cosine", "worst_channel", "quantized_bytes", "float_bytes"} <= layers[
        0
    ].keys()
    assert layers[0]["advice"]["text"]
    assert sum(layers[0]["output_histogram"]["counts"]) > 0
    assert found["remedies"] == []
    text = call(*DIAGNOSE).stdout
    assert f"{found['sqnr_db']:.1f} dB at '{found['output']}'" in text
    assert "the layers that cost most:" in text
    assert layers[0]["advice"]["text"] in text


def test_the_diagnosis_needs_data() -> None:
    result = call("diagnose", MODEL, "--board", "cortex-m4")
    assert result.exit_code == 1
    assert (
        result.stderr == "error: diagnose: needs inputs to measure errors on; give --calibration DATA or --data DATA\n"
    )


@pytest.mark.slow
def test_remedies_are_tried_and_their_schemes_written(tmp_path: Path) -> None:
    found = call_json(*DIAGNOSE, "--fix", "-o", str(tmp_path))
    titles = [row["title"] for row in found["remedies"]]
    assert titles[0] == "as it is"
    assert {"calibrator minmax", "int16 activations of all layers", "the worst layer in float"} <= set(titles)
    assert {"no equalization", "rounding nearest", "rounding adaround", "clipped weights"} <= set(titles)
    by_title = {row["title"]: row for row in found["remedies"]}
    assert by_title["int16 activations of all layers"]["sqnr_db"] > by_title["as it is"]["sqnr_db"] + 5
    assert by_title["int16 activations of all layers"]["arena_bytes"] > by_title["as it is"]["arena_bytes"]
    assert by_title["as it is"]["options"] == ""
    assert by_title["rounding nearest"]["options"] == "--rounding nearest"
    assert by_title["clipped weights"]["options"] == "--clip-weights"
    assert by_title["no equalization"]["options"] == "--no-equalization"
    option, path = by_title["int16 activations of all layers"]["options"].split()
    assert option == "--scheme"
    again = call_json(*COMPILE, "--scheme", path, "-o", str(tmp_path / "again"))
    assert again["inputs"][0]["dtype"] == "int16"


def test_the_diagnosis_from_python_is_the_same() -> None:
    found = mcuq.diagnose(MODEL, "cortex-m4", CALIBRATION[1])
    assert [layer.name for layer in found.layers] == [layer["name"] for layer in call_json(*DIAGNOSE)["layers"]]
    with pytest.raises(mcuq.McuqError) as caught:
        mcuq.diagnose(MODEL)
    assert str(caught.value) == "diagnose: needs inputs to measure errors on; give calibration or data"


def test_what_is_done_for_accuracy_can_be_switched_off(tmp_path: Path) -> None:
    off = ("--rounding", "nearest", "--no-equalization", "--no-bias-correction", "--no-headroom")
    call_json(*COMPILE, *off, "-o", str(tmp_path / "off"))
    call_json(*COMPILE, "-o", str(tmp_path / "on"))
    without, with_all = (load(tmp_path / name).graph for name in ("off", "on"))
    samples = np.load(CALIBRATION[1])["x"]
    plain = mcuq.compile(MODEL, "cortex-m4", samples, recovery=NO_RECOVERY)
    assert plain.graph.text() == without.text()
    assert with_all.text() != without.text()
