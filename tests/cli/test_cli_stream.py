"""--stream and --stream-whole as they are typed, and what the verbs say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from stream_models import CHANNELS, FRAMES, of_each_frame, spectrogram, weighted_places

from mcuq.cli import main


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    onnx.save(of_each_frame(), tmp_path / "net.onnx")
    x = np.random.default_rng(0).normal(size=(24, 1, CHANNELS, FRAMES)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x)
    return tmp_path / "net.onnx"


def test_a_stream_is_compiled_simulated_and_run(network: Path) -> None:
    folder, data = str(network.parent / "out"), str(network.parent / "data.npz")
    given = ("--stream", "2:2", "--calibration", data, "--no-judge", "-o", folder)
    done = call("compile", str(network), "--board", "host", *given)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    start = lines.index("  stream  2 new frames a call, of 24 along dimension 2")
    assert lines[start + 1 : start + 4] == [
        "          outputs are the window's from call 4 on",
        "          928 MACs a call, 11,136 a whole window",
        "          'y' has its newest places along dimension 2, 3 frames behind the newest",
    ]
    assert not any(line.startswith("  state ") for line in lines)
    found = json.loads(call("simulate", folder, "--data", data, "--json").stdout)
    assert found["samples"] == 24
    assert found["sqnr_db"] > 25
    found = json.loads(call("run", folder, "--data", data, "--json").stdout)
    assert found["bit_exact"]
    assert found["samples"] == 24 * 4
    shown = json.loads(call("compile", str(network), "--board", "host", *given, "--json").stdout)
    assert shown["stream"]["calls"] == 4


def test_what_computes_whole_windows_is_told(tmp_path: Path) -> None:
    onnx.save(weighted_places(), tmp_path / "net.onnx")
    done = call("compile", str(tmp_path / "net.onnx"), "--board", "host", "--stream", "2", "-o", str(tmp_path / "out"))
    lines = done.stdout.splitlines()
    assert "  stream  one new frame a call, of 24 along dimension 2" in lines
    assert "          6 of its layers, from weigh on, compute the whole window in each call" in lines
    onnx.save(spectrogram(), tmp_path / "net.onnx")
    given = ("--stream", "2", "--stream-whole", "-o", str(tmp_path / "out"))
    done = call("compile", str(tmp_path / "net.onnx"), "--board", "host", *given)
    assert done.stderr.startswith(
        "warning: --stream: all layers compute the whole window in each call, from Conv2d 'conv_a' on, which needs all "
        "of its input: frames are held, and no work is saved\nwarning: no --calibration: ranges were guessed from "
        "made-up inputs, so the accuracy is UNKNOWN."
    )


def test_what_does_not_go_with_it_is_refused(network: Path) -> None:
    folder = str(network.parent / "out")
    for option in ("--push", "--step"):
        done = call("compile", str(network), "--board", "host", "--stream", "2", option, "-o", folder)
        assert done.exit_code == 1
        assert done.stderr.endswith(
            f"error: model 'net': {option}: does not go with states, which an inference takes whole; leave out one of "
            "the two\n"
        )
    done = call("compile", str(network), "--board", "host", "--stream", "time", "-o", folder)
    assert done.exit_code == 1
    assert done.stderr == (
        "error: --stream 'time': is no dimension of the input, as in 1, or one with the frames of a call behind it, as "
        "in 1:4\n"
    )
    done = call("compile", str(network), "--board", "host", "--stream-whole", "-o", folder)
    assert done.exit_code == 1
    assert done.stderr == "error: --stream-whole: says how --stream computes; give --stream AXIS too\n"
