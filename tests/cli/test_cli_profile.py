"""mcuq profile as a person or a script calls it, and what compile says of pruning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper

from mcuq.artifact import load
from mcuq.cli import main
from mcuq.resources import resource_dir

DIGITS = resource_dir("examples") / "digits"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def call_json(*arguments: str) -> dict[str, Any]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def compile_digits(folder: Path, board: str) -> str:
    calibration = str(DIGITS / "digits_calibration.npz")
    model = str(DIGITS / "digits.onnx")
    call_json("compile", model, "--board", board, "--calibration", calibration, "-o", str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compile_digits(tmp_path_factory.mktemp("profile"), "cortex-m4")


def test_profile_prints_one_json_object_with_the_layers(digits: str) -> None:
    found = call_json("profile", digits)
    assert found["name"] == "digits"
    assert found["board"] == "cortex-m4"
    for layer in found["layers"]:
        assert layer.keys() == {
            "name",
            "op",
            "macs",
            "instructions",
            "cycles",
            "ms",
            "function",
            "code_bytes",
            "weight_bytes",
        }
    assert sum(layer["macs"] for layer in found["layers"]) == found["macs"] == 108_864
    assert (
        sum(layer["instructions"] for layer in found["layers"]) + found["other_instructions"] == found["instructions"]
    )
    assert found["ms"] == pytest.approx(found["cycles"] / 100_000)
    assert found["stack_bytes"] > 0
    assert found == call_json("profile", digits)


def test_profile_prints_a_table(digits: str) -> None:
    result = call("profile", digits)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("digits on emulated cortex-m4 (")
    assert lines[1].split() == [
        "layer",
        "operator",
        "MACs",
        "instructions",
        "per",
        "MAC",
        "cycles",
        "ms",
        "code",
        "weights",
    ]
    assert sum(line.startswith("between layers") for line in lines) == 1
    assert [line.split()[1] for line in lines if line.startswith("total")] == ["108,864"]
    assert lines[-1] == (
        "  cycles  Arm DDI 0439, Cortex-M4 technical reference manual, tables 3-1 and 7-1; no flash wait states"
    )


def test_profile_says_where_it_cannot_estimate_cycles(tmp_path: Path) -> None:
    folder = compile_digits(tmp_path, "cortex-m0")
    assert call_json("profile", folder)["cycles"] is None
    last = call("profile", folder).stdout.splitlines()[-1]
    assert last == "  cycles  not estimated: no model of cortex-m0 was held against hardware"


def test_profile_of_the_host_is_an_error_of_one_line(tmp_path: Path) -> None:
    result = call("profile", compile_digits(tmp_path, "host"))
    assert result.exit_code == 1
    assert result.stderr == ("error: board 'host' has no emulator to profile on; compile for an emulated board\n")


@pytest.fixture(scope="module")
def half_dead(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two 1x1 convolutions; four of the eight channels between them have weights of 1e-20."""
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=shape).astype(np.float32) for shape in ((8, 3, 1, 1), (2, 8, 1, 1)))
    first[::2] *= 1e-20
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["y"]),
        helper.make_node("Conv", ["y", "second"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "half_dead",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2, 4, 4])],
        [numpy_helper.from_array(first, "first"), numpy_helper.from_array(second, "second")],
    )
    path = tmp_path_factory.mktemp("half_dead") / "half_dead.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def test_compile_says_what_it_pruned(half_dead: str, tmp_path: Path) -> None:
    found = call_json("compile", half_dead, "--board", "cortex-m4", "-o", str(tmp_path))
    assert found["pruned_macs"] == 4 * 16 * (3 + 2)
    assert found["macs"] == 4 * 16 * (3 + 2)
    assert found["pruned_bytes"] == 4 * (3 + 4 + 2)
    assert load(tmp_path).pruned.macs == found["pruned_macs"]
    assert load(tmp_path).pruned.channels == 4
    text = call("compile", half_dead, "--board", "cortex-m4", "-o", str(tmp_path)).stdout
    assert "  pruned  320 MACs and 36 bytes of parameters: channels that no output depends on\n" in text


def test_no_prune_keeps_all_channels(half_dead: str, tmp_path: Path) -> None:
    found = call_json("compile", half_dead, "--board", "cortex-m4", "-o", str(tmp_path), "--no-prune")
    assert (found["macs"], found["pruned_macs"], found["pruned_bytes"]) == (8 * 16 * (3 + 2), 0, 0)
    text = call("compile", half_dead, "--board", "cortex-m4", "-o", str(tmp_path), "--no-prune").stdout
    assert "pruned" not in text
