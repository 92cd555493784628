"""The generic Cortex-M boards: the digits example on the emulated CPU of each, with both compilers."""

from __future__ import annotations

import numpy as np
import pytest
from selections import quick

from mcuq.boards.find import load_board
from mcuq.compile import assemble, compile_model
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import quantize_inputs
from mcuq.resources import resource_dir
from mcuq.validate import check_bits

BOARDS = ("cortex-m0", "cortex-m33", "cortex-m0plus", "cortex-m3", "cortex-m7")
DIGITS = resource_dir("examples") / "digits"


@pytest.fixture(scope="module")
def digits() -> Graph:
    return compile_model(DIGITS / "digits.onnx", "host", str(DIGITS / "digits_calibration.npz")).graph


# Zig makes its library anew for each core: four seconds.
@pytest.mark.parametrize("compiler", [pytest.param("gcc", marks=pytest.mark.toolchain), "zig"])
@pytest.mark.parametrize("name", quick(BOARDS, 2))
def test_digits_are_bit_exact_on_the_emulated_cpu(
    name: str, compiler: str, digits: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    images = np.load(DIGITS / "digits_test.npz")["x"][:20].astype(np.float32)
    model = assemble(digits, load_board(name), "digits", b"")
    report = check_bits(model, iter([quantize_inputs(digits, {digits.inputs[0]: images})]), "emulator")
    assert report.first_mismatch is None
    assert (report.samples, report.bit_exact) == (20, True)
    assert report.compiler.startswith("zig cc" if compiler == "zig" else "arm-none-eabi-gcc")


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("cortex-m0", {"armv6m"}),
        ("cortex-m0plus", {"armv6m"}),
        ("cortex-m3", {"armv7m"}),
        ("cortex-m7", {"dsp", "fpu"}),
        ("cortex-m33", {"dsp", "fpu"}),
    ],
)
def test_each_board_has_the_features_of_its_cpu(name: str, features: set[str]) -> None:
    assert load_board(name).cpu.features == features
