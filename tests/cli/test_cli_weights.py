"""`--weights`: constants beside the C, and the verbs that read them there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mcuq.cli import main

MODEL = "examples/digits/digits.onnx"
pytestmark = pytest.mark.toolchain


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def call_json(*arguments: str) -> dict[str, Any]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "digits"
    options = ("--board", "cortex-m4", "--no-judge", "--weights", "external", "-o", str(path))
    found = call_json("compile", MODEL, *options)
    names = ["digits.c", "digits.h", "digits.mcuq", "digits.weights.bin"]
    assert sorted(file.name for file in path.iterdir()) == names
    assert sorted(found["files"]) == [str(path / name) for name in names]
    n_bytes = (path / "digits.weights.bin").stat().st_size
    assert (found["weights"], found["weights_bytes"]) == ("external", n_bytes)
    assert found["constant_bytes"] < n_bytes < found["constant_bytes"] + 300
    return path


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_run_gives_the_c_its_weights(folder: Path, on: str) -> None:
    found = call_json("run", str(folder), "--on", on, "--samples", "3")
    assert found["bit_exact"]
    assert found["samples"] == 3


@pytest.mark.slow
def test_profile_counts_weights_that_are_not_in_the_c(folder: Path) -> None:
    found = call_json("profile", str(folder))
    assert found["constant_bytes"] == sum(layer["weight_bytes"] for layer in found["layers"])


def test_damaged_weights_are_told_and_end_with_1(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    blob = bytearray((folder / "digits.weights.bin").read_bytes())
    blob[-8] ^= 1
    (tmp_path / "digits.weights.bin").write_bytes(blob)
    result = call("run", str(tmp_path), "--on", "host")
    assert result.exit_code == 1
    assert " ".join(result.stderr.split()).endswith(
        "digits.weights.bin: digits.c refuses it, DIGITS_WEIGHTS_DAMAGED: a byte is not as it was written; compile the "
        "model again"
    )


@pytest.mark.slow
def test_people_are_told_where_constants_are(tmp_path: Path) -> None:
    for place, said in (("external", "bytes in digits.weights.bin"), ("section:.qspi", "in section .qspi")):
        result = call(
            "compile", MODEL, "--board", "host", "--no-judge", "--weights", place, "-o", str(tmp_path / place[:3])
        )
        assert result.exit_code == 0
        (line,) = [line for line in result.stdout.splitlines() if line.startswith("  weights ")]
        assert said in line


def test_a_place_that_is_none_is_refused() -> None:
    result = call("compile", MODEL, "--board", "host", "--weights", "flash")
    assert result.exit_code == 1
    assert "weights 'flash': is not known; use inline, external, section:NAME" in " ".join(result.stderr.split())
