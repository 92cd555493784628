"""`mcuq compile A B`: models that share one arena."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcuq.artifact import load
from mcuq.cli import main

FLOAT, QUANTIZED = "examples/digits/digits.onnx", "examples/pytorch_qat/digits_qat.onnx"
DATA = "examples/digits/digits_calibration.npz"
TWO = ("compile", FLOAT, QUANTIZED, "--board", "cortex-m4", "--no-judge")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def test_all_files_are_written_and_told_as_json(tmp_path: Path) -> None:
    result = call(*TWO, "--name", "one,two", "--weights", "external", "-o", str(tmp_path), "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [model["name"] for model in found["models"]] == ["one", "two"]
    assert found["arena_bytes"] == max(model["arena_bytes"] for model in found["models"])
    kinds = ("c", "h", "mcuq", "weights.bin")
    names = sorted(
        ["shared_arena.c", "shared_arena.h", *(f"{name}.{kind}" for name in ("one", "two") for kind in kinds)]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert sorted(found["files"]) == sorted(str(tmp_path / name) for name in names)
    assert "warning: one: no --calibration:" in result.stderr
    assert "warning: two:" not in result.stderr
    for name in ("one", "two"):
        assert load(tmp_path / f"{name}.mcuq").placement.arena == "shared_arena"
        said = call("run", str(tmp_path / f"{name}.mcuq"), "--on", "host", "--samples", "2")
        assert said.exit_code == 0
        assert "bit-exact: 20 of 20 output bytes equal, 2 samples" in said.stdout


@pytest.mark.slow
def test_people_are_told_of_each_and_of_the_arena(tmp_path: Path) -> None:
    result = call(*TWO, "--calibration", DATA, "--calibration", DATA, "-o", str(tmp_path))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    arena_bytes = max(load(tmp_path / f"{name}.mcuq").arena_bytes for name in ("digits", "digits_qat"))
    assert f"shared_arena: {arena_bytes:,} bytes of RAM for all of them, one at a time" in lines
    assert [line.split(":")[0] for line in lines if " MACs, for cortex-m4" in line] == ["digits", "digits_qat"]
    nexts = [line for line in lines if line.startswith("next: ")]
    assert nexts == [f"next: mcuq run {tmp_path / name}.mcuq" for name in ("digits", "digits_qat")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (*TWO, "--calibration", DATA),
            "error: --calibration: is given 1 times for 2 models; give one for each, in the order of the models, or "
            "none",
        ),
        ((*TWO, "--name", "a,b,c"), "error: --name a,b,c: 3 for 2 models; give as many, with commas between"),
        (
            ("compile", FLOAT, FLOAT, "--board", "host", "--no-judge"),
            "error: model 'digits' and model 'digits': both have 'digits' in C; give another name: --name",
        ),
        (
            ("compile", FLOAT, "--board", "host", "--calibration", DATA, "--calibration", DATA),
            "error: --calibration: is given 2 times for one model; give one file or folder",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], said: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 1
    assert " ".join(result.stderr.split()) == said


@pytest.mark.parametrize("option", [("--max-flash", "48k"), ("--compare",), ("--export-qdq",), ("--picture",)])
def test_what_is_for_one_model_is_wrong_usage(option: tuple[str, ...]) -> None:
    result = call(*TWO, *option)
    assert result.exit_code == 2
    assert f"{option[0]}: is for one model; compile it by itself" in " ".join(result.stderr.split())
