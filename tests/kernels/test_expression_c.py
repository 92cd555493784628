"""Expressions as C: the text, and its bits against NumPy's for floats of all kinds."""

from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest
from float_twins import UNFUSED, assert_same_bits, floats, run_loop

from mcuq.arithmetic.expression import LIBRARY, X, call, clamp, where
from mcuq.build.shared_library import build_library
from mcuq.graph.tensor import Array
from mcuq.kernels.expression_c import assignment
from mcuq.ops import OPS
from mcuq.ops.function import Example, Function
from mcuq.resources import resource_dir

EXAMPLES = [e for op in OPS.values() if issubclass(op, Function) for e in op.examples()]
KERNELS = resource_dir("firmware") / "kernels"


@pytest.fixture(scope="module")
def c() -> ctypes.CDLL:
    """each_function_I of each example."""
    text = UNFUSED + (KERNELS / "mcuq_float.h").read_text()
    text += (KERNELS / "mcuq_functions.h").read_text().replace('#include "mcuq_float.h"\n', "")
    for i, example in enumerate(EXAMPLES):
        text += f"void each_function_{i}(int64_t n, const float *in, float *out)\n{{\n"
        text += "    for (int64_t i = 0; i < n; i++) {\n        const float x = in[i];\n        "
        text += assignment(example.op.expression, "out[i]").text + "\n    }\n}\n"
    return build_library(text)


def inputs(example: Example) -> Array:
    within = np.random.default_rng(0).uniform(example.low, example.high, 20_000).astype(np.float32)
    return np.concatenate([floats()[::20], within, floats()[-700:]])


@pytest.mark.parametrize("index", range(len(EXAMPLES)), ids=lambda i: str(EXAMPLES[i].op))
def test_c_gives_the_bits_of_numpy(c: ctypes.CDLL, index: int) -> None:
    x = inputs(EXAMPLES[index])
    assert_same_bits(EXAMPLES[index].op.float_function(x), run_loop(c, f"function_{index}", x), x)


def test_each_operation_is_assigned_before_the_next_reads_it() -> None:
    assert assignment(X * 2 + 0.5, "y").text == (
        "const float t0 = x * 2.0f;\nconst float t1 = t0 + 0.5f;\ny = mcuq_one_nan(t1);"
    )


def test_a_function_alone_is_assigned_as_it_is() -> None:
    assert assignment(call("sigmoid", X), "y").text == "y = mcuq_sigmoid(x);"
    assert assignment(clamp(X * 0.2, 0, 1), "y").text.splitlines() == [
        "const float t0 = x * 0.200000003f;",
        "y = mcuq_clamp_float(t0, 0.0f, 1.0f);",
    ]
    assert assignment(X, "y").text == "y = x;"


def test_cheap_branches_are_both_computed() -> None:
    assert assignment(where(X < 0, X * 0.5, X), "y").text.splitlines() == [
        "const float t0 = x * 0.5f;",
        "const float t1 = x < 0.0f ? t0 : x;",
        "y = mcuq_one_nan(t1);",
    ]


def test_what_a_costly_branch_alone_needs_is_computed_there() -> None:
    double = X * 2
    text = assignment(where(double > X, call("exponential", double - 1) + double, double), "y").text
    assert text.splitlines() == [
        "const float t0 = x * 2.0f;",
        "float t1;",
        "if (t0 > x) {",
        "    const float t2 = t0 - 1.0f;",
        "    const float t3 = mcuq_exponential(t2);",
        "    t1 = t3 + t0;",
        "} else {",
        "    t1 = t0;",
        "}",
        "y = mcuq_one_nan(t1);",
    ]


def test_every_function_of_the_library_is_in_the_headers() -> None:
    text = "".join((KERNELS / name).read_text() for name in ("mcuq_float.h", "mcuq_functions.h"))
    assert {f"mcuq_{name}" for name in LIBRARY} <= set(re.findall(r"^static inline float (\w+)\(", text, re.MULTILINE))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.op))
def test_what_is_printed_declares_what_it_names(example: Example) -> None:
    found = assignment(example.op.expression, "out[i]")
    assert set(found.needs) == set(re.findall(r"mcuq_\w+", found.text))
