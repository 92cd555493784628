"""The header of a model whose input has scales per channel: arrays, and a function that uses them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from support import model_of
from test_emit import CC, CXX, WARNINGS, cc

from mcuq.artifact import load, save
from mcuq.build.footprint import Footprint
from mcuq.cli.common import model_json, model_lines
from mcuq.compile import CompiledModel
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array, ChannelQuant
from mcuq.ops.convert import Convert
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.regrid import Regrid
from mcuq.ops.reshape import Reshape
from mcuq.quantize import Scheme, quantize_graph

SHAPE = (1, 3, 2)
SCALE, ZERO_POINTS = np.array([1e-3, 20.0, 5e4], np.float32), np.array([510, -1912, 0])
SHIFT = (-ZERO_POINTS * SCALE / 127.5).astype(np.float32)  # whole steps of 2 * SCALE / 255


def raw(dtype: str = "int8", second: bool = False) -> CompiledModel:
    """Three channels of two values each into a dense layer; `second`: another input of one scale beside it."""
    builder = GraphBuilder("raw")
    x = builder.input("x", SHAPE)
    constants = [builder.constant(SCALE, "scale"), builder.constant(SHIFT, "shift")]
    u = builder.add(Regrid(1), [x, *constants], "u")
    flat = builder.add(Reshape((1, 6)), [u if dtype == "int8" else builder.add(Convert("int8"), [u])])
    names = [flat, builder.constant(np.ones((2, 6), np.float32), "w"), builder.constant(np.zeros(2, np.float32), "b")]
    builder.outputs.append(builder.add(FullyConnected(), names, "y"))
    if second:
        z = builder.input("z", (1, 6))
        builder.outputs.append(builder.add(FullyConnected(), [z, *names[1:]], "v"))
    graph = builder.graph()
    ranges = dict.fromkeys((name for name, t in graph.tensors.items() if not t.is_constant), (-1.0, 1.0))
    return model_of(quantize_graph(graph, ranges, Scheme(input=dtype, output="int8")), "host", "raw")


def values() -> Array:
    """(9, 3, 2): inside of the channels' ranges, at their ends, and far outside."""
    u = np.random.default_rng(0).uniform(-1.3, 1.3, (9, 3, 2))
    u[0], u[1], u[2] = -1e7, 1e7, 0.0
    return np.asarray(u * SCALE[:, None] + SHIFT[:, None], np.float32)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_quantize_gives_the_codes_that_mcuq_gives(dtype: str, tmp_path: Path) -> None:
    model, x = raw(dtype), values()
    want = model.graph.tensors["x"].encode(x[:, None])
    rows = ", ".join(f"{float(v).hex()}f" for v in x.reshape(-1))
    (tmp_path / "main.c").write_text(
        f'#include <stdio.h>\n#include "raw.h"\nint main(void)\n{{\n    static const float x[] = {{{rows}}};\n'
        f"    for (int n = 0; n < 9; n++) {{\n        {want.dtype.name}_t q[RAW_INPUT_ELEMENTS];\n"
        "        raw_quantize_input(x + n * RAW_INPUT_ELEMENTS, q);\n"
        '        for (int i = 0; i < RAW_INPUT_ELEMENTS; i++) printf("%d\\n", q[i]);\n    }\n    return 0;\n}\n'
    )
    (tmp_path / "raw.h").write_text(model.files["raw.h"])
    command = [*CC, "-std=c99", *WARNINGS, "main.c", "-o", "program"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    printed = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True).stdout
    np.testing.assert_array_equal(np.array(printed.split(), int), want.reshape(-1))


@pytest.mark.parametrize("second", [False, True])
def test_compilers_take_arrays_and_functions_that_nobody_uses(second: bool, tmp_path: Path) -> None:
    model = raw(second=second)
    assert cc(tmp_path, model.files, "-c", "-O2", "-std=c99", *WARNINGS) == (0, "")
    files = {"raw.h": model.files["raw.h"], "main.cpp": '#include "raw.h"\nint main() { return 0; }\n'}
    warnings = [w for w in WARNINGS if w != "-Wmissing-prototypes"]
    assert cc(tmp_path, files, "-c", "-std=c++17", *warnings, command=CXX) == (0, "")
    assert ("raw_quantize_x" if second else "raw_quantize_input") in model.files["raw.h"]


def test_header_states_each_channel() -> None:
    header = raw().files["raw.h"]
    assert (
        "/* input 'x', shape 1 x 3 x 2, last dimension fastest */\n"
        "#define RAW_X_ELEMENTS 6\n"
        "/* Of the channels c along dimension 1: real = SCALES[c] * (q - ZERO_POINTS[c]) */\n"
        "static const float RAW_X_SCALES[3] = {\n"
        "    7.84313761e-06f, 0.156862751f, 392.15686f\n"
        "};\n"
        "static const int32_t RAW_X_ZERO_POINTS[3] = {\n"
        "    510, -1912, 0\n"
        "};\n"
    ) in header
    assert "#define RAW_INPUT_SCALES RAW_X_SCALES\n#define RAW_INPUT_ZERO_POINTS RAW_X_ZERO_POINTS\n" in header
    assert "RAW_X_SCALE " not in header
    assert "channels differ in range, and each has a scale and a zero point of its own" in header


def test_artifact_keeps_scales_per_channel(tmp_path: Path) -> None:
    model = raw()
    save(model, tmp_path)
    quant = load(tmp_path).graph.tensors["x"].quant
    assert isinstance(quant, ChannelQuant)
    assert quant == model.graph.tensors["x"].quant


def test_json_lists_scales_and_zero_points() -> None:
    (x,) = model_json(raw(), Footprint(0, None, None))["inputs"]
    assert x == {
        "name": "x",
        "shape": [1, 3, 2],
        "dtype": "int8",
        "scale": pytest.approx((SCALE / 127.5).tolist()),
        "zero_point": ZERO_POINTS.tolist(),
        "axis": 1,
    }


def test_summary_says_so() -> None:
    lines = list(model_lines(raw(), Footprint(0, None, None)))
    assert "  input   x  1 x 3 x 2  real = scale[c] * (q - zero_point[c])" in lines
    assert "          3 scales along dimension 1, 7.84e-06 to 392; --input-scale per-tensor: one" in lines
