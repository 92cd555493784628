"""Outputs exactly as far below their inputs as kernels say that they may lie: a byte lost before it is read shows."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from cases.every import drawn
from test_operators import CPUS, SCHEMES, check, sizes_for

from mcuq.graph.liveness import Storage, aligned
from mcuq.lower import Program
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.window import Window
from mcuq.plan import Plan

TIGHT_SCHEMES = [scheme for scheme in SCHEMES if scheme not in ("s8", "packed")]
overlaps: list[int] = []


def tight(program: Program) -> Plan:
    """Branches of one layer one behind the other in the arena, each output over its input where it may lie there."""
    storages: list[Storage] = []
    scratch: dict[int, int] = {}
    end = 0
    for index, step in enumerate(program.steps):
        x, y = step.layer.activations[0], step.layer.output
        rest = [t for t in step.layer.activations[1:] if t.name != x.name]
        distance = y.size_bytes if step.below is None else step.below.at_least
        distance = aligned(distance)
        low = end + max(0, -distance)
        places = {y.name: low, x.name: low + distance}
        end = aligned(max(low + y.size_bytes, low + distance + x.size_bytes))
        overlaps.append(y.size_bytes - distance)
        for other in rest:
            places[other.name] = end
            end += aligned(other.size_bytes)
        for name, offset in places.items():
            storages.append(Storage((name,), program.graph.tensors[name].size_bytes, -1, len(program.steps), offset))
        if step.scratch_bytes:
            scratch[index] = end
            end += aligned(step.scratch_bytes)
    return Plan(end, tuple(storages), scratch, end)


@pytest.fixture(autouse=True)
def _as_tight_as_kernels_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["mcuq.compile"], "plan_rows", lambda program, *_: (program, tight(program)))


@pytest.mark.parametrize("board", CPUS)
def test_outputs_over_inputs_have_the_simulators_bits(board: str) -> None:
    overlaps.clear()
    check([*sizes_for(board)[list(CPUS).index(board) :: 24], *drawn(7, 2)], 0, board, "emulator")
    assert sum(overlap > 0 for overlap in overlaps) > len(overlaps) // 4


def test_a_band_of_columns_has_read_all_rows() -> None:
    weight = np.linspace(-1, 1, 12).reshape(4, 1, 3, 1)
    case = (Conv2d(Window((1, 3), pads=(0, 2, 0, 2)), 4), [(1, 200, 1, 4), weight, np.zeros(4)])
    check([case], 0, "cortex-m4", "emulator")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("board", CPUS)
def test_outputs_of_many_sizes_over_inputs_have_the_simulators_bits(board: str, part: int) -> None:
    check(
        [*sizes_for(board)[part :: 48 if board == "cortex-m55" else 24], *drawn(8 + part, 3)], part, board, "emulator"
    )


@pytest.mark.slow
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4"])
@pytest.mark.parametrize("scheme", TIGHT_SCHEMES)
def test_outputs_of_other_schemes_over_inputs_have_the_simulators_bits(scheme: str, board: str) -> None:
    check([*sizes_for(board, scheme)[::12], *drawn(9, 2, SCHEMES[scheme].operators)], 9, board, "emulator", scheme)
