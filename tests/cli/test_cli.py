"""The verbs as a person or a script calls them: output, JSON keys, exit codes, errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx_models import model, node, saved

import mcuq
from mcuq.artifact import load
from mcuq.cli import main
from mcuq.quantize.calibrators import CALIBRATORS
from mcuq.resources import resource_dir
from mcuq.version import __version__

DIGITS = resource_dir("examples") / "digits"
MODEL = str(DIGITS / "digits.onnx")
QUANTIZED = str(Path(__file__).parents[2] / "examples" / "pytorch_qat" / "digits_qat.onnx")
CALIBRATION = str(DIGITS / "digits_calibration.npz")
TEST = str(DIGITS / "digits_test.npz")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def call_json(*arguments: str) -> dict[str, Any]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled") / "digits"
    call_json("compile", MODEL, "--board", "cortex-m4", "--calibration", CALIBRATION, "-o", str(folder))
    return folder


def test_compile_writes_three_files_and_prints_their_facts_as_json(tmp_path: Path) -> None:
    found = call_json(
        "compile",
        MODEL,
        "--board",
        "cortex-m4",
        "--calibration",
        CALIBRATION,
        "-o",
        str(tmp_path / "out"),
        "--name",
        "net",
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["net.c", "net.h", "net.mcuq"]
    assert sorted(found["files"]) == [str(tmp_path / "out" / name) for name in ("net.c", "net.h", "net.mcuq")]
    assert found["name"] == "net"
    assert found["board"] == "cortex-m4"
    assert found["macs"] == 108_864
    assert 2 * 8 * 8 * 16 <= found["arena_bytes"] < 3 * 8 * 8 * 16  # the residual block: its sum lies over an operand
    assert found["flash_bytes"] == found["constant_bytes"] + found["code_bytes"]
    assert found["calibration_samples"] == 100
    (image,) = found["inputs"]
    assert image == {
        "name": "image",
        "shape": [1, 1, 8, 8],
        "dtype": "int8",
        "scale": pytest.approx(1 / 240),  # pixels are sixteenths: 15 codes each, none is rounded
        "zero_point": -128,
    }
    (logits,) = found["outputs"]
    assert logits["shape"] == [1, 10]
    assert logits["sqnr_db"] > 30
    assert found["judged_on"] == "16 held-back samples, with a model of 32 others"


def test_compile_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        call_json("compile", MODEL, "--board", "cortex-m4", "--calibration", CALIBRATION, "-o", str(tmp_path / folder))
    for name in ("digits.c", "digits.h", "digits.mcuq"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_compile_shows_what_each_choice_of_optimize_takes(tmp_path: Path) -> None:
    arguments = ("compile", MODEL, "--board", "cortex-m0", "--calibration", CALIBRATION, "-o", str(tmp_path))
    found = call_json(*arguments, "--optimize", "size")
    assert found["optimize"] == "size"
    assert [choice["optimize"] for choice in found["choices"]] == ["balanced", "speed", "size", "ram"]
    balanced, speed, size, ram = found["choices"]
    assert size == {
        "optimize": "size",
        "flash_bytes": found["flash_bytes"],
        "code_bytes": found["code_bytes"],
        "constant_bytes": found["constant_bytes"],
        "arena_bytes": found["arena_bytes"],
        "instructions": None,
    }
    assert size["flash_bytes"] < balanced["flash_bytes"] <= speed["flash_bytes"]
    assert ram["arena_bytes"] <= balanced["arena_bytes"] <= speed["arena_bytes"]
    result = call(*arguments, "--optimize", "speed")
    assert "for cortex-m0, optimized for speed\n" in result.stdout
    assert re.search(r"^  --optimize +flash +code +constants +arena *$", result.stdout, re.MULTILINE)
    rows = re.findall(r"^([* ]) (balanced|speed|size|ram) +([\d,]+) ", result.stdout, re.MULTILINE)
    assert [row[:2] for row in rows] == [(" ", "balanced"), ("*", "speed"), (" ", "size"), (" ", "ram")]
    assert int(rows[2][2].replace(",", "")) == size["flash_bytes"]


def test_an_arena_of_so_many_bytes_at_most_is_what_layers_run_row_by_row_for(tmp_path: Path) -> None:
    arguments = ("compile", MODEL, "--board", "cortex-m4", "--max-ram", "2k", "--optimize", "balanced")
    found = call_json(*arguments, "--compare", "-o", str(tmp_path))
    assert found["arena_bytes"] <= found["max_ram_bytes"] == 2048
    assert all((choice["arena_bytes"] or 0) <= 2048 for choice in found["choices"])
    text = " ".join((tmp_path / "digits.c").read_text().split())
    assert "optimize balanced, an arena of 2,048 bytes at most, for cortex-m4." in text.replace(" * ", " ")
    assert load(tmp_path).max_ram_bytes == 2048
    assert found["tried_on"] == "no inputs: how accurate it is, is not known"
    result = call(*arguments, "-o", str(tmp_path))
    assert re.search(r"^  budget  --max-ram +1,\d{3} bytes, at most 2,048$", result.stdout, re.MULTILINE)
    assert re.search(r"^\* all int8 weights  .*  chosen$", result.stdout, re.MULTILINE)


def test_compare_counts_the_instructions_of_each_choice(tmp_path: Path) -> None:
    arguments = ("compile", MODEL, "--board", "cortex-m0", "--calibration", CALIBRATION, "-o", str(tmp_path))
    balanced, speed, size, ram = call_json(*arguments, "--compare")["choices"]
    assert speed["instructions"] <= balanced["instructions"] <= ram["instructions"] < size["instructions"]
    assert call_json("profile", str(tmp_path))["instructions"] == balanced["instructions"]


def test_later_verbs_are_of_the_chosen_goal(tmp_path: Path) -> None:
    arguments = ("--board", "cortex-m0", "--calibration", CALIBRATION, "-o", str(tmp_path), "--optimize", "size")
    flash_bytes = call_json("compile", MODEL, *arguments)["flash_bytes"]
    assert call_json("profile", str(tmp_path))["flash_bytes"] == flash_bytes
    assert call_json("run", str(tmp_path), "--data", TEST, "--samples", "5")["bit_exact"]


def test_compile_without_calibration_warns_loudly_on_stderr(tmp_path: Path) -> None:
    result = call("compile", MODEL, "--board", "cortex-m4", "-o", str(tmp_path), "--json")
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: no --calibration: ranges were guessed from made-up inputs, so the accuracy is UNKNOWN. "
        "Give about a hundred real inputs: --calibration inputs.npz (array `x`), or a folder of .npy or images.\n"
    )
    assert json.loads(result.stdout)["calibration_samples"] == 0


def test_compile_without_calibration_says_which_statistics_it_used(tmp_path: Path) -> None:
    each = {name: np.array([0.5, 2], np.float32) for name in ("gamma", "beta", "mean", "var")}
    nodes = [node("BatchNormalization", ["x", *each], "n"), node("Relu", ["n"], "y")]
    path = str(saved(model(nodes, {"x": [1, 2, 4, 4]}, constants=each), tmp_path))
    result = call("compile", path, "--board", "host", "-o", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: no --calibration: ranges were guessed from the statistics of 1 BatchNormalization and made-up "
        "inputs, so the accuracy is UNKNOWN. "
        "Give about a hundred real inputs: --calibration inputs.npz (array `x`), or a folder of .npy or images.\n"
    )


@pytest.mark.parametrize(("count", "text"), [(1, "1 sample"), (9, "9 samples"), (10, None)])
def test_compile_warns_of_few_samples(tmp_path: Path, count: int, text: str | None) -> None:
    np.savez(tmp_path / "few.npz", x=np.load(CALIBRATION)["x"][:count])
    few = str(tmp_path / "few.npz")
    result = call("compile", MODEL, "--board", "host", "--calibration", few, "-o", str(tmp_path / "out"))
    assert result.exit_code == 0
    warning = f"warning: --calibration {few}: has {text} only; what other inputs reach beyond theirs is clipped. "
    assert result.stderr == (f"{warning}Give about a hundred.\n" if text else "")


@pytest.mark.parametrize(
    "method",
    ["moving_average:0.05", *(name for name, calibrator in CALIBRATORS.items() if calibrator.parameter is None)],
)
def test_compile_takes_every_calibrator(tmp_path: Path, method: str) -> None:
    arguments = ("--calibration", CALIBRATION, "--calibrator", method, "-o", str(tmp_path))
    result = call("compile", MODEL, "--board", "host", *arguments)
    assert result.exit_code == 0
    assert f"  ranges  from 100 samples, {method}\n" in result.stdout


def test_compile_says_how_it_does_on_samples_that_were_held_back(tmp_path: Path) -> None:
    arguments = ("compile", MODEL, "--board", "host", "--calibration", CALIBRATION, "-o", str(tmp_path))
    found = re.search(
        r"^  SQNR    (\d\d\.\d) dB of 'logits'\n          on 16 held-back samples, with a model of 32 others\n",
        call(*arguments).stdout,
        re.MULTILINE,
    )
    assert found
    kept = load(tmp_path).origin.judgement
    assert kept is not None
    assert f"{kept.outputs[0].sqnr_db:.1f}" == found[1]
    unjudged = call(*arguments, "--no-judge")
    assert "SQNR" not in unjudged.stdout
    assert load(tmp_path).origin.judgement is None


def test_one_sample_says_nothing_of_others(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", x=np.load(CALIBRATION)["x"][:1])
    arguments = ("compile", MODEL, "--board", "host", "--calibration", str(tmp_path / "one.npz"), "-o", str(tmp_path))
    assert "\n  SQNR    not known on other inputs\n" in call(*arguments).stdout
    found = call_json(*arguments)
    assert (found["judged_on"], found["outputs"][0]["sqnr_db"]) == (None, None)


def test_simulate_warns_of_labels_that_are_no_classes(compiled: Path, tmp_path: Path) -> None:
    data = np.load(TEST)
    np.savez(tmp_path / "from_1.npz", x=data["x"][:50], y=data["y"][:50] + 1)
    result = call("simulate", str(compiled), "--data", str(tmp_path / "from_1.npz"))
    assert result.stderr == (
        "warning: labels: they run from 1 to 10, the classes of output 'logits' from 0 to 9: accuracy is not counted; "
        "subtract 1?\n"
    )
    assert "accuracy" not in result.stdout


def test_simulate_reports_accuracy_next_to_float(compiled: Path) -> None:
    found = call_json("simulate", str(compiled), "--data", TEST)
    assert found["samples"] == 500
    assert found["float_accuracy"] == pytest.approx(0.99)
    assert found["accuracy"] >= 0.985
    assert found["agreement"] >= 0.99
    assert found["sqnr_db"] > 30


def test_simulate_agrees_with_the_accuracy_counted_from_python(compiled: Path) -> None:
    import mcuq

    data = np.load(TEST)
    outputs = mcuq.simulate(mcuq.load(compiled), data["x"]).integers["logits"]
    expected = float((outputs.reshape(-1, 10).argmax(axis=1) == data["y"]).mean())
    assert call_json("simulate", str(compiled), "--data", TEST)["accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_run_compares_every_byte(compiled: Path, on: str) -> None:
    found = call_json("run", str(compiled), "--data", TEST, "--samples", "70", "--on", on)
    assert found["samples"] == found["exact_samples"] == 70
    assert found["compared_bytes"] == 700
    assert found["mismatches"] == 0
    assert found["bit_exact"] is True
    assert (found["instructions"] is None) == (on == "host")
    assert found["cycles"] is None


def test_run_without_data_uses_made_up_inputs(compiled: Path) -> None:
    assert call_json("run", str(compiled))["samples"] == 8


def test_run_exits_with_3_and_says_where_when_a_byte_differs(tmp_path: Path) -> None:
    call_json("compile", MODEL, "--board", "host", "--calibration", CALIBRATION, "-o", str(tmp_path))
    source = tmp_path / "digits.c"
    # The last bias array is the classifier's: a changed bias moves the first score.
    head, tail = source.read_text().rsplit("_bias[10] MCUQ_WEIGHTS = {\n", 1)
    source.write_text(f"{head}_bias[10] MCUQ_WEIGHTS = {{\n    1000000 + {tail.lstrip()}")
    result = call("run", str(tmp_path), "--on", "host")
    assert result.exit_code == 3
    assert "NOT bit-exact" in result.stdout
    assert re.fullmatch(
        r"warning: first difference: sample \d, output 'logits', element 0: want -?\d+, got 127\n", result.stderr
    )
    assert json.loads(call("run", str(tmp_path), "--on", "host", "--json").stdout)["bit_exact"] is False


def test_demo_does_the_main_job_in_one_object() -> None:
    found = call_json("demo")
    assert found["bit_exact"] is True
    assert found["samples"] == found["exact_samples"] == 100
    assert found["accuracy"] >= 0.97
    for key in ("name", "files", "macs", "flash_bytes", "arena_bytes", "board", "inputs", "outputs", "instructions"):
        assert key in found


def test_demo_shows_digits_and_the_verdict() -> None:
    text = call("demo").stdout
    assert "a 4; board: 4" in text
    assert "bit-exact: 100/100" in text
    assert "accuracy" in text
    assert "RAM" in text
    assert "flash" in text
    assert "instructions" in text


def test_boards_lists_all_and_shows_one() -> None:
    listed = call_json("boards")["boards"]
    assert {"cortex-m4", "host"} <= {board["name"] for board in listed}
    shown = call_json("boards", "cortex-m4")
    assert shown in listed
    assert shown["ram_bytes"] == 262_144
    assert "256 KiB" in call("boards").stdout
    assert "emulator" in call("boards", "cortex-m4").stdout


def test_inspect_lists_layers_and_totals() -> None:
    found = call_json("inspect", MODEL)
    assert found["macs"] == 108_864
    assert found["unsupported"] == {}
    assert found["operators"]["Conv"] == 4
    assert sum(layer["macs"] for layer in found["layers"]) == found["macs"]
    assert "total" in call("inspect", MODEL).stdout


def test_inspect_names_unsupported_nodes_without_failing(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("RandomNormalLike", ["x"], ["y"], name="head/noise")
    graph = helper.make_graph([node], "g", [x], [y])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    found = call_json("inspect", str(tmp_path / "m.onnx"))
    assert found["unsupported"] == {"RandomNormalLike": ["head/noise"]}
    assert found["macs"] is None
    assert "RandomNormalLike: head/noise" in call("inspect", str(tmp_path / "m.onnx")).stdout


@pytest.mark.parametrize("verb", ["demo", "boards", "inspect", "compile", "simulate", "run", "plan"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    result = call(verb, "--help")
    assert result.exit_code == 0
    assert f"Example:  mcuq {verb}" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", MODEL),
        ("compile", MODEL, "--board"),
        ("compile", MODEL, "--board", "cortex-m0", "--optimize", "fast"),
        ("nonsense",),
        ("run",),
        ("run", "x", "--on", "mars"),
        ("--what",),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert call(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("compile", MODEL, "--board", "cortex-m4f"),
            "board 'cortex-m4f' is not known; did you mean 'cortex-m4'? (mcuq boards lists them)",
        ),
        (("compile", "nope.onnx", "--board", "cortex-m4"), "nope.onnx: no such file"),
        (
            ("compile", MODEL, "--board", "cortex-m4", "--shape", "n"),
            "--shape n: is not of the form name=N, as in --shape sequence=16 or --shape x=1,3,32,32",
        ),
        (
            ("compile", MODEL, "--board", "cortex-m4", "--shape", "x=1,,8"),
            "--shape x=1,,8: is not of the form name=N, as in --shape sequence=16 or --shape x=1,3,32,32",
        ),
        (
            ("compile", MODEL, "--board", "cortex-m4", "--shape", "n=2"),
            "digits.onnx: no input has a dimension 'n'; all its dimensions are fixed",
        ),
        (
            ("compile", MODEL, "--board", "cortex-m4", "--name", "int"),
            "--name 'int': is no C identifier of 40 characters at most; use letters, digits and single underscores, "
            "as in 'int_'",
        ),
        (
            ("compile", MODEL, "--board", "cortex-m4", "--name", "stdint"),
            "--name 'stdint': is the name of a header or function of the C library; use another, as in 'stdint_'",
        ),
        (("run", "nowhere"), "nowhere: holds no compiled model; make one: mcuq compile MODEL --board NAME -o nowhere"),
        (("inspect", "nope.onnx"), "nope.onnx: no such file"),
    ],
)
def test_what_the_user_can_mend_is_one_line_on_stderr_and_exit_code_1(arguments: tuple[str, ...], text: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"error: {text}\n"


def test_with_json_an_error_is_one_object(tmp_path: Path) -> None:
    result = call("run", str(tmp_path), "--json")
    what, hint = f"{tmp_path}: holds no compiled model", f"make one: mcuq compile MODEL --board NAME -o {tmp_path}"
    assert (result.exit_code, result.stderr) == (1, f"error: {what}; {hint}\n")
    assert json.loads(result.stdout) == {"error": what, "hint": hint}
    result = call("inspect", "nope.onnx", "--json")
    assert json.loads(result.stdout) == {"error": "nope.onnx: no such file", "hint": None}
    result = call("run", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {"error": "Missing argument 'DIR'.", "hint": None}


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_an_interrupted_verb_ends_with_130(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mcuq.cli.inspect.inspect_selected", interrupted)
    result = call("inspect", MODEL, *arguments)
    assert result.exit_code == 130
    assert result.stderr == "\ninterrupted\n"  # behind the ^C of a terminal
    assert not arguments or json.loads(result.stdout) == {"error": "interrupted", "hint": None}


def test_help_is_a_verb_too() -> None:
    assert call("help").stdout == call("--help").stdout
    assert call("help", "compile").stdout == call("compile", "--help").stdout
    assert call("-V").stdout == call("--version").stdout == f"mcuq, version {__version__}\n"


def test_a_verb_that_is_none_is_named() -> None:
    for arguments in (("compil",), ("help", "compil")):
        result = call(*arguments)
        assert result.exit_code == 2
        assert "Error: 'compil' is no verb of mcuq; did you mean 'compile'?\n" in result.stderr


def test_an_unwritable_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / "file" / "out"
    result = call("compile", MODEL, "--board", "cortex-m4", "--calibration", CALIBRATION, "-o", str(folder))
    assert result.exit_code == 1
    assert result.stderr == f"error: {folder}: cannot be written: Not a directory; choose another folder with -o\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_compile_writes_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", x=np.full((3, 1, 8, 8), np.nan, np.float32))
    out = tmp_path / "out"
    result = call("compile", MODEL, "--board", "cortex-m4", "--calibration", str(tmp_path / "bad.npz"), "-o", str(out))
    assert result.exit_code == 1
    assert "bad.npz" in result.stderr
    assert not out.exists()


def test_boards_of_ones_own_are_files(tmp_path: Path) -> None:
    board = (resource_dir("boards") / "cortex-m4.toml").read_text().replace('name = "cortex-m4"', 'name = "mine"')
    (tmp_path / "mine.toml").write_text(board.replace("ram_bytes = 262_144", "ram_bytes = 6_500"))
    out = tmp_path / "out"
    result = call(
        "compile", MODEL, "--board", str(tmp_path / "mine.toml"), "--calibration", CALIBRATION, "-o", str(out)
    )
    assert result.exit_code == 1
    assert re.fullmatch(
        r"error: model 'digits' needs 6,\d{3} bytes of RAM \(arena 2,\d{3} \+ stack 4,096\), mine has 6,500; largest "
        r"tensors: 'node_Conv_57' 1x8x8x16 1,024, 'node_relu' 1x8x8x16 1,024, 'node_relu_1' 1x8x8x16 1,024; "
        r"it fits with --optimize ram, which needs 5,\d{3} bytes of RAM; or try a board with more, such as "
        r"[\w-]+(, [\w-]+)*\n",
        result.stderr,
    )
    assert not out.exists()
    (tmp_path / "mine.toml").write_text(board)
    assert call_json("compile", MODEL, "--board", str(tmp_path / "mine.toml"), "-o", str(out))["board"] == "mine"
    (tmp_path / "mine.toml").unlink()
    assert call_json("run", str(out))["bit_exact"] is True


def test_compile_of_a_quantized_model_needs_no_calibration_and_warns_of_nothing(tmp_path: Path) -> None:
    result = call("compile", QUANTIZED, "--board", "cortex-m4", "-o", str(tmp_path))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "  ranges  those of the quantized model\n" in result.stdout
    found = call_json("compile", QUANTIZED, "--board", "cortex-m4", "-o", str(tmp_path))
    assert (found["ranges"], found["calibration_samples"], found["notes"]) == ("given", 0, [])


def test_compile_warns_of_what_a_quantized_model_leaves_open(tmp_path: Path) -> None:
    # Without the quantization of its logits.
    proto = onnx.load(QUANTIZED)
    *kept, _scale, _zero_point, _quantize, last = proto.graph.node
    kept[-1].output[0] = last.output[0]
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    onnx.save(proto, tmp_path / "m.onnx")
    result = call("compile", str(tmp_path / "m.onnx"), "--board", "cortex-m4", "-o", str(tmp_path))
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: the model gives no scale for 'logits': found as for a float model\n"
        "warning: no --calibration: ranges were guessed from made-up inputs, so the accuracy is UNKNOWN. "
        "Give about a hundred real inputs: --calibration inputs.npz (array `x`), or a folder of .npy or images.\n"
    )


def test_inspect_says_what_came_quantized(tmp_path: Path) -> None:
    found = call_json("inspect", QUANTIZED)
    assert found["quantization"]["rounded"] == []
    assert found["quantization"]["calibrated"] == []
    assert len(found["quantization"]["weights"]) == 5
    assert found["dynamic"] == []
    assert "  quantized: weights of 5 of 5 layers, scales of 11 of 11 tensors\n" in call("inspect", QUANTIZED).stdout
    assert "quantized:" not in call("inspect", MODEL).stdout
    assert call_json("inspect", MODEL)["quantization"]["activations"] == []


def test_equal_outputs_are_called_exact_and_not_so_many_decibels(tmp_path: Path) -> None:
    """The float model gives whole numbers, which int8 holds."""
    proto = model([node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])], {"x": [1, 1, 4, 4]}, ["y"])
    x = np.random.default_rng(0).integers(-128, 128, (20, 1, 1, 4, 4)).astype(np.float32)
    x[0].flat[:2] = -128, 127
    np.savez(tmp_path / "x.npz", x=x)
    data = str(tmp_path / "x.npz")
    compiled = call(
        *("compile", str(saved(proto, tmp_path)), "--board", "host", "--calibration", data, "-o", str(tmp_path / "net"))
    )
    assert "\n  SQNR    exact of 'y'\n" in compiled.stdout
    assert "\n  SQNR        exact   of 'y'\n" in call("simulate", str(tmp_path / "net"), "--data", data).stdout
    found = load(tmp_path / "net")
    assert repr(found).endswith("SQNR exact>")
    assert repr(mcuq.simulate(found, x)).endswith("SQNR exact>")
