"""--state, --stateful and --initial-state as they are typed, and what the verbs say of states."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from state_models import recurrent, sequences

from mcuq.cli import main

STATES = ("--state", "h=h_out", "--state", "c=c_out")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    onnx.save(recurrent("LSTM"), tmp_path / "net.onnx")
    np.savez(tmp_path / "data.npz", x=sequences(3, 8))
    return tmp_path / "net.onnx"


def test_states_are_compiled_simulated_and_run(network: Path) -> None:
    folder, data = str(network.parent / "out"), str(network.parent / "data.npz")
    given = (*STATES, "--initial-state", "c=0.5", "--calibration", data, "--no-judge", "-o", folder)
    done = call("compile", str(network), "--board", "host", *given)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert any("52 bytes of state besides, for each stream" in line for line in lines)
    assert "  state   c  1 x 1 x 12  int16, from 'c_out', 0.5 at first" in lines
    assert not any(line.startswith("  input   h") for line in lines)
    found = json.loads(call("simulate", folder, "--data", data, "--json").stdout)
    assert found["samples"] == 24
    assert found["sqnr_db"] > 25
    for more in ((), ("--data", data)):
        found = json.loads(call("run", folder, *more, "--json").stdout)
        assert found["bit_exact"]
        assert found["compared_bytes"] == found["samples"] * (3 + 52)


def test_states_are_suggested_and_never_assumed(network: Path) -> None:
    lines = call("inspect", str(network)).stdout.splitlines()
    assert "  states? --state h=h_out --state c=c_out" in lines
    lines = call("inspect", str(network), *STATES).stdout.splitlines()
    assert "  state   h  from h_out" in lines
    assert not any("states?" in line for line in lines)


def test_without_sequences_it_is_said_that_nothing_is_known_of_states(network: Path) -> None:
    done = call("compile", str(network), "--board", "host", *STATES, "-o", str(network.parent / "out"))
    assert done.stderr == (
        "warning: no --calibration: ranges were guessed from one made-up sequence, which is all that is known of what "
        "states become, so the accuracy is UNKNOWN. Give real sequences: --calibration sequences.npz (array `x`, "
        "(sequences, steps, ...)), or a folder with a .npy for each.\n"
    )


def test_data_without_sequences_is_refused(network: Path) -> None:
    path = network.parent / "samples.npy"
    np.save(path, sequences(1, 8)[0])
    done = call("compile", str(network), "--board", "host", *STATES, "--calibration", str(path))
    assert done.exit_code == 1
    assert done.stderr == (
        "error: samples.npy: all sequences are of one call, which tells nothing of what states become; give several "
        "steps each, shape (sequences, steps, 1, 6)\n"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ("--state", "h"),
            "--state h: is not of the form INPUT=OUTPUT, as in --state h_in=h_out; a = within a name has a backslash "
            "before it",
        ),
        (
            ("--state", "h=h_out", "--initial-state", "h"),
            "--initial-state h: is not of the form name=VALUE with a number, as in --initial-state h=1",
        ),
        (
            ("--state", "h=h_out", "--initial-state", "h=1", "--initial-state", "h=2"),
            "--initial-state h=2: state 'h' has a value already; give it one value",
        ),
        (
            ("--state", "a\\=b=h_out"),
            "net.onnx: state 'a=b=h_out': the model has no input 'a=b'; its inputs are 'x', 'h', 'c'",
        ),
    ],
)
def test_what_is_typed_wrong_is_said_in_one_line(network: Path, given: tuple[str, ...], message: str) -> None:
    done = call("compile", str(network), "--board", "host", *given)
    assert (done.exit_code, done.stderr) == (1, f"error: {message}\n")
