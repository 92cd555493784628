"""Functions that jump or swing have large tables where they read 16 bits, and the user is told."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import model, node

import mcuq
from mcuq.quantize import LayerScheme, Scheme
from mcuq.quantize.large_tables import SMOOTH_BYTES


def function(op_type: str) -> onnx.ModelProto:
    return model([node(op_type, ["x"], ["y"], name="wave")], {"x": [1, 64]}, ["y"])


def compiled(op_type: str, reach: float, scheme: Scheme | str) -> mcuq.CompiledModel:
    x = np.random.default_rng(0).uniform(-reach, reach, (20, 64)).astype(np.float32)
    x[:, :2] = -reach, reach
    return mcuq.compile(function(op_type), "host", x, scheme=scheme, judged=False, name="net")


def tables(notes: tuple[str, ...]) -> list[str]:
    return [note for note in notes if "table" in note]


@pytest.mark.parametrize(("op_type", "reach"), [("Sin", 30), ("Floor", 30)])
def test_a_large_table_is_told_with_its_bytes_and_what_works(op_type: str, reach: float) -> None:
    large = compiled(op_type, reach, "int16")
    (layer,) = (layer for layer in large.graph.layers() if type(layer.op).__name__ == op_type)
    table_bytes = sum(table.nbytes for table in layer.op.pieces(layer))  # type: ignore[attr-defined]
    assert SMOOTH_BYTES < table_bytes <= large.constant_bytes
    low, high = layer.inputs[0].quantization.real_bounds
    assert low == pytest.approx(-high, rel=1e-3)
    assert tables(large.origin.notes) == [
        f"'wave' ({op_type}): its table for int16 takes {table_bytes:,} bytes of flash, as it jumps or swings often "
        f'from {low:.3g} to {high:.3g}, which its input covers; [layers."wave"] activations = "float32" computes it '
        "without a table"
    ]
    advised = compiled(op_type, reach, Scheme(LayerScheme("int8", "int16"), {"wave": LayerScheme("int8", "float32")}))
    assert not tables(advised.origin.notes)
    assert advised.constant_bytes < large.constant_bytes - SMOOTH_BYTES


SMOOTH = {"Tanh": 100, "Sigmoid": 100, "Softsign": 100, "Erf": 100, "Abs": 100, "Relu": 100, "Exp": 3, "Round": 1}


@pytest.mark.parametrize("op_type", SMOOTH)
def test_smooth_functions_and_those_of_few_jumps_have_no_such_table(op_type: str) -> None:
    assert not tables(compiled(op_type, SMOOTH[op_type], "int16").origin.notes)


@pytest.mark.parametrize("scheme", ["int8", "float32", "dynamic"])
def test_other_schemes_have_no_such_table(scheme: str) -> None:
    assert not tables(compiled("Floor", 100, scheme).origin.notes)
