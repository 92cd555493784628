"""--outputs, --fix-input and --input-layout as they are typed, in the verbs that read an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_models import model, node, original_outputs, random, saved
from test_cli import call, call_json

from mcuq import api
from mcuq.artifact import load

INPUTS = {"x": [1, 6], "-a=b": [1, 4]}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nodes = [node("MatMul", ["x", "w"], "m"), node("Relu", ["m"], "r,1"), node("Mul", ["r,1", "-a=b"], "-y")]
    proto = model([*nodes, node("Sigmoid", ["-y"], "z")], INPUTS, ["z"], {"w": random(6, 4)})
    return saved(proto, tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "x.npz"
    np.savez(path, x=random(60, 1, 6))
    return path


@pytest.mark.parametrize(
    ("arguments", "outputs"),
    [
        ((), ["z"]),
        (("--outputs", "-y"), ["-y"]),
        (("--outputs", "m,z"), ["m", "z"]),
        (("--outputs", "z", "--outputs", "m"), ["z", "m"]),
        (("--outputs", r"z,r\,1,m"), ["z", "r,1", "m"]),
    ],
)
def test_outputs_are_named_one_after_the_other_or_with_commas(
    network: Path, arguments: tuple[str, ...], outputs: list[str]
) -> None:
    assert list(call_json("inspect", str(network), *arguments)["outputs"]) == outputs


def test_the_value_of_an_input_follows_the_last_equals_sign(network: Path) -> None:
    assert list(call_json("inspect", str(network), "--fix-input", "-a=b=-0.5")["inputs"]) == ["x"]


def test_what_is_selected_is_compiled_simulated_run_and_diagnosed(network: Path, data: Path, tmp_path: Path) -> None:
    chosen = ("--outputs", "z,-y", "--fix-input=-a=b=-1.5e0", "--calibration", str(data))
    folder = str(tmp_path / "out")
    found = call_json("compile", str(network), "--board", "host", *chosen, "-o", folder)
    assert [port["name"] for port in found["inputs"]] == ["x"]
    assert [port["name"] for port in found["outputs"]] == ["z", "-y"]
    assert "fixed to -1.5" in (tmp_path / "out" / "net.c").read_text()
    assert call_json("simulate", folder, "--data", str(data))["sqnr_db"] > 30
    assert call_json("run", folder, "--data", str(data))["bit_exact"]
    assert call_json("diagnose", str(network), "--board", "host", *chosen)["output"] == "z"


def test_the_values_are_those_of_the_whole_network_given_the_constant(
    network: Path, data: Path, tmp_path: Path
) -> None:
    options = ("--fix-input=-a=b=0.75", "--calibration", str(data), "-o", str(tmp_path / "out"))
    call_json("compile", str(network), "--board", "host", *options)
    x = np.load(data)["x"]
    got = api.simulate(load(tmp_path / "out"), x).outputs["z"]
    constant = np.full(INPUTS["-a=b"], 0.75, np.float32)
    whole = onnx.load(network)
    wanted = np.stack([original_outputs(whole, {"x": sample, "-a=b": constant})["z"] for sample in x])
    np.testing.assert_allclose(got, wanted, rtol=0, atol=3 / 256)


def test_images_are_given_with_their_channels_last(tmp_path: Path) -> None:
    image = saved(
        model([node("Conv", ["x", "w"], "y")], {"x": [1, 2, 5, 4]}, ["y"], {"w": random(3, 2, 1, 1)}), tmp_path
    )
    found = call_json("inspect", str(image), "--input-layout", "nhwc")
    assert found["inputs"] == {"x": [1, 5, 4, 2]}
    np.save(tmp_path / "x.npy", random(20, 5, 4, 2))
    options = ("--board", "host", "--input-layout", "nhwc", "--calibration", str(tmp_path / "x.npy"), "--no-judge")
    compiled = call_json("compile", str(image), *options, "-o", str(tmp_path / "out"))
    assert [port["shape"] for port in compiled["inputs"]] == [[1, 5, 4, 2]]
    assert call_json("run", str(tmp_path / "out"))["bit_exact"]


@pytest.mark.slow
def test_a_budget_and_remedies_are_measured_on_what_is_selected(network: Path, data: Path, tmp_path: Path) -> None:
    chosen = ("--outputs", "m", "--calibration", str(data))
    budget = ("--min-sqnr", "20", "-o", str(tmp_path / "out"))
    found = call_json("compile", str(network), "--board", "host", *chosen, *budget)
    assert [port["name"] for port in found["outputs"]] == ["m"]
    remedies = call_json("diagnose", str(network), "--board", "host", *chosen, "--fix", "-o", str(tmp_path))["remedies"]
    assert remedies[0]["sqnr_db"] > 30


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--outputs", "zz"), "net.onnx: has no tensor 'zz' to be an output; did you mean 'z'?"),
        (("--outputs", "z,"), "net.onnx: has no tensor '' to be an output; its outputs are 'z'"),
        (
            ("--outputs", "z", "--outputs", "z"),
            "net.onnx: output 'z' is listed twice; leave one out, or copy it with Identity",
        ),
        (("--fix-input", "y=1"), "net.onnx: has no input 'y' to fix; its inputs are 'x', '-a=b'"),
        (
            ("--fix-input", "x=1", "--fix-input=-a=b=1"),
            "net.onnx: all its inputs are fixed; leave one to give when it runs",
        ),
        (
            ("--fix-input", "x=1", "--fix-input", "x=2"),
            "--fix-input x=2: input 'x' is fixed already; give it one value",
        ),
        *(
            (
                ("--fix-input", given),
                f"--fix-input {given}: is not of the form name=VALUE with a number, as in --fix-input gain=0.5",
            )
            for given in ("x", "x=", "=1", "x=one", "x=nan", "x=1e999")
        ),
    ],
)
def test_what_cannot_be_selected_is_said_in_one_line(network: Path, arguments: tuple[str, ...], text: str) -> None:
    result = call("compile", str(network), "--board", "host", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"error: {text}\n")
