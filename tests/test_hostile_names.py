"""Whatever a model calls its nodes and tensors, its C builds without a warning and computes the simulator's bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_models import model, node, random, refusal, saved
from selections import quick
from support import random_inputs

import mcuq
from mcuq.validate.bits import check_bits

LONG = "l" * 10_000
NAMES = {
    "empty": "",
    "unicode": "höhe 😀",
    "right to left": "\u202eright",
    "newline": "a\nb",
    "return": "a\rb",
    "quotes": '\'"q"',
    "comment's end": "a*/b",
    "comment's begin": "/*",
    "splice": "a\\\nb",
    "backslash": "\\",
    "trigraph": "what??/",
    "percent": "%s%n%d",
    "NUL": "a\0b",
    "long": LONG,
    "keyword": "while",
    "type": "int",
    "directive": "x*/\n#error leaked",
}


@pytest.mark.parametrize("name", quick(NAMES.values(), 8), ids=NAMES.keys())
def test_the_c_builds_and_is_bit_exact(tmp_path: Path, name: str) -> None:
    # An empty name of a tensor means "none": only nodes may have it.
    x, y = f"{name}_in", name or "out"
    nodes = [
        node("Conv", [x, f"{name}_w"], f"{name}_1", name=name),
        node("Relu", [f"{name}_1"], f"{name}_2", name=name),
        node("Softmax", [f"{name}_2"], y, name=f"{name}3", axis=1),
    ]
    proto = model(nodes, {x: [1, 3, 4, 4]}, [y], constants={f"{name}_w": random(2, 3, 1, 1)})
    compiled = mcuq.compile(saved(proto, tmp_path), board="host")
    assert compiled.graph.inputs == (x,)
    assert compiled.graph.outputs == (y,)
    assert check_bits(compiled, iter([random_inputs(compiled.graph, 4)]), "host").bit_exact


@pytest.mark.parametrize("name", [n for n in NAMES.values() if n], ids=[i for i, n in NAMES.items() if n])
def test_a_refusal_is_one_line(name: str) -> None:
    text = refusal(model([node("NoSuchOperator", ["x"], "y", name=name)], {"x": [1, 4]}))
    assert "\n" not in text and "\r" not in text and "\0" not in text


def test_a_long_name_stands_with_both_ends_in_a_refusal() -> None:
    name = "begin" + "x" * 9_992 + "end"
    short = f"begin{'x' * 75}...(9,880 more letters)...{'x' * 37}end"
    assert refusal(model([node("NoSuchOperator", ["x"], "y", name=name)], {"x": [1, 4]})).startswith(
        f"net.onnx: operators that are not supported: NoSuchOperator ('{short}')"
    )
    assert str(mcuq.McuqError(f"{name} is no file, and '{name}' with spaces '{name} {name}'")) == (
        f"{short} is no file, and '{short}' with spaces 'begin{'x' * 75}...(19,881 more letters)...{'x' * 37}end'"
    )
    assert str(mcuq.McuqError("x" * 1000)) == "x" * 1000
