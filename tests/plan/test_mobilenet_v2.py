"""MobileNetV2 at sizes for microcontrollers, from a file as PyTorch writes it: its arena, work and bytes."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import onnx
import pytest
from mobilenet_v2 import images, mobilenet_v2
from support import random_inputs

from mcuq.compile import Aim, CompiledModel, assemble_for, compile_model
from mcuq.plan import plan_memory
from mcuq.report.profile import profile_model
from mcuq.validate import check_bits


def compiled(folder: Path, width: float, pixels: int) -> CompiledModel:
    path = folder / "net.onnx"
    onnx.save(mobilenet_v2(width, pixels, 10), path)
    return compile_model(path, "cortex-m4", images(4, pixels), optimize="speed")


def is_exact(model: CompiledModel) -> bool:
    return check_bits(model, iter([random_inputs(model.graph, 1)]), "emulator").first_mismatch is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "pixels", "default", "pushed"), [(0.35, 96, 48_000, 26_000), (0.3, 80, 36_000, 15_000)]
)
def test_arenas_are_small_for_next_to_no_work(
    tmp_path: Path, width: float, pixels: int, default: int, pushed: int
) -> None:
    fastest = compiled(tmp_path, width, pixels)
    by_default, least, by_rows = (
        assemble_for(fastest.graph, fastest.board, "net", aim) for aim in (Aim(), Aim("ram"), Aim(push=True))
    )
    compiler = sys.modules["mcuq.compile"]
    with mock.patch.object(compiler, "plan_rows", lambda program, *_: (program, plan_memory(program))):
        whole = assemble_for(fastest.graph, fastest.board, "net", Aim())
    assert by_default.arena_bytes <= default < 0.65 * whole.arena_bytes
    assert by_rows.arena_bytes <= pushed < least.arena_bytes <= by_default.arena_bytes
    instructions = [profile_model(model).instructions for model in (whole, by_default)]
    assert instructions[1] <= 1.02 * instructions[0]
    assert is_exact(by_default)
    assert is_exact(by_rows)
