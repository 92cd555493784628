"""Whatever the terminal and the names: verbs write, say what to type next, and refuse what would change nothing."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from selections import quick

from mcuq.cli import main
from mcuq.resources import resource_dir

MODEL = str(resource_dir("examples") / "digits" / "digits.onnx")
CALIBRATION = str(resource_dir("examples") / "digits" / "digits_calibration.npz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose every name is beyond ASCII and cp1252, in a folder whose name a shell would split."""
    home = tmp_path_factory.mktemp("it's a folder")
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.normal(size=(4, 4)).astype(np.float32), "重み")
    nodes = [
        helper.make_node("MatMul", ["入力", "重み"], ["層 \u2192 1"], name="層 \u2192 1"),
        helper.make_node("Relu", ["層 \u2192 1"], ["出力 ł"], name="活性化 ł"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("入力", "出力 ł")]
    graph = helper.make_graph(nodes, "図", ports[:1], ports[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, home / "net.onnx")
    np.savez(home / "x.npz", x=rng.normal(size=(20, 1, 4)).astype(np.float32))
    return home


SAID = "--- said ---"
# One command line after the other, and behind each that ends well SAID on both streams.
SAYING = """
import json, sys
from mcuq.cli import main
commands, end = json.loads(sys.argv[1])
for command in commands:
    try:
        main(command, prog_name="mcuq")
    except SystemExit as ended:
        assert not ended.code
    print(end, file=sys.stdout)
    print(end, file=sys.stderr)
"""


def said(encoding: str, *commands: Sequence[str]) -> list[str]:
    """What a terminal of that encoding is sent by each command, stderr last."""
    ended = subprocess.run(
        [sys.executable, "-c", SAYING, json.dumps([commands, SAID])],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"},
    )
    out, err = (stream.decode(encoding).split(SAID) for stream in (ended.stdout, ended.stderr))
    assert ended.returncode == 0, err
    assert len(out) == len(err) == len(commands) + 1
    return [a + b for a, b in zip(out[:-1], err[:-1], strict=True)]


@pytest.mark.parametrize("encoding", quick(["ascii", "cp1252"]))
def test_every_verb_writes_to_a_terminal_that_lacks_letters(folder: Path, encoding: str) -> None:
    model, data, out = str(folder / "net.onnx"), str(folder / "x.npz"), str(folder / encoding)
    given = (model, "--board", "cortex-m4", "--calibration", data)
    compiled, *texts, demo, _ = said(
        encoding,
        ["compile", *given, "-o", out],
        ["inspect", model],
        ["diagnose", *given],
        ["simulate", out, "--data", data],
        ["run", out, "--on", "host"],
        ["profile", out],
        ["demo"],
        ["boards"],
    )
    assert compiled.splitlines()[-1] == f"next: mcuq run {shlex.quote(out)}"
    assert any("\\u5c64 \\u2192 1" in text for text in texts)
    assert "bit-exact: 100/100" in demo


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rounding", "nearest"), "--rounding: needs real inputs; give --calibration DATA"),
        (("--no-headroom",), "--no-headroom: needs real inputs; give --calibration DATA"),
        (
            ("--calibration", CALIBRATION, "--data", CALIBRATION),
            "--data: is for a budget: --max-ram, --max-flash, --max-ms, --min-sqnr or --min-accuracy",
        ),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(arguments: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(main, ["compile", MODEL, "--board", "cortex-m4", *arguments])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {message}"


def test_counting_is_refused_on_a_board_without_an_emulator() -> None:
    result = CliRunner().invoke(main, ["compile", MODEL, "--board", "host", "--compare"])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: --compare: counts on an emulated CPU, and board 'host' has none"


def test_a_folder_for_schemes_is_refused_where_none_is_written() -> None:
    arguments = ["diagnose", MODEL, "--board", "host", "--calibration", CALIBRATION, "-o", "x"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: -o: is where --fix writes schemes; give --fix"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("net.onnx", "compile it first: mcuq compile {path} --board NAME"),
        ("x.npz", "give the folder that compile wrote, as in {parent}"),
    ],
)
def test_a_file_in_place_of_the_folder_is_refused_with_what_to_give(folder: Path, name: str, hint: str) -> None:
    path = folder / name
    result = CliRunner().invoke(main, ["run", str(path)])
    assert result.exit_code == 1
    said_hint = hint.format(path=shlex.quote(str(path)), parent=shlex.quote(str(folder)))
    assert result.stderr == f"error: {path}: is no compiled model; {said_hint}\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mcuq pro", {"profile"}),
        ("mcuq boards nucleo-", {"nucleo-f411re", "nucleo-f446re", "nucleo-g071rb", "nucleo-h743zi", "nucleo-l4r5zi"}),
        ("mcuq compile net.onnx --board microbit", {"microbit-v1"}),
        ("mcuq flash build/x --board teensy", {"teensy-4.1"}),
    ],
)
def test_shells_complete_verbs_and_boards(typed: str, offered: set[str]) -> None:
    words = {"_MCUQ_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    result = CliRunner().invoke(main, [], env=words, prog_name="mcuq")
    assert {line.partition(",")[2] for line in result.stdout.splitlines()} == offered
