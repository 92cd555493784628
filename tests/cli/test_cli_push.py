"""mcuq compile --push, and the verbs on what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import float_graph

from mcuq.cli import main
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.softmax import Softmax
from mcuq.resources import resource_dir

DIGITS = resource_dir("examples") / "digits"
DATA = DIGITS / "digits_calibration.npz"


def compiled(*arguments: object) -> Result:
    return call("compile", *arguments, "--board", "cortex-m4", "--no-judge")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_rows_are_told(tmp_path: Path) -> None:
    told = compiled(DIGITS / "digits.onnx", "--calibration", DATA, "--push", "-o", tmp_path)
    assert told.exit_code == 0
    assert "bytes of arena, rows of the input, and output included\n" in told.stdout
    assert "  push            8 rows an inference, of 8 bytes\n" in told.stdout
    head = (tmp_path / "digits.h").read_text().partition("*/")[0]
    assert "optimize balanced, push, for cortex-m4" in " ".join(head.replace("\n *", "").split())


@pytest.mark.slow
def test_every_verb_takes_the_model(tmp_path: Path) -> None:
    assert compiled(DIGITS / "digits.onnx", "--calibration", DATA, "--push", "-o", tmp_path).exit_code == 0
    for verb, *given in (["run", "--on", "host"], ["run"], ["profile"], ["inspect"], ["simulate", "--data", DATA]):
        done = call(verb, tmp_path, *given, "--json")
        assert done.exit_code == 0, done.output
        assert verb != "run" or json.loads(done.stdout)["samples"] == 8


@pytest.mark.slow
def test_rows_are_told_in_json(tmp_path: Path) -> None:
    for given, push in ((["--push"], {"rows": 8, "row_bytes": 8, "taken": None}), ([], None)):
        arguments = ("--calibration", DATA, "-o", tmp_path / str(len(given)), "--json", *given)
        told = compiled(DIGITS / "digits.onnx", *arguments)
        assert told.exit_code == 0
        assert json.loads(told.stdout)["push"] == push


def test_what_cannot_be_pushed_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    model = tmp_path / "classes.onnx"
    model.write_bytes(write_onnx(float_graph(Softmax(), [(1, 8)])).SerializeToString())
    refused = call("compile", model, "--board", "cortex-m4", "--push", "-o", tmp_path / "out")
    assert refused.exit_code == 1
    assert "--push: its input cannot come row by row: Softmax 'y', which reads it first, does not" in refused.stderr
    assert not (tmp_path / "out").exists()
