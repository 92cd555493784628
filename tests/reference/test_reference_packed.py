"""The trained reference networks with packed weights, rounded to the nearest: flash, memory and bits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packed_cases import KINDS, pack_weights
from reference import compiled
from support import random_inputs

from mcuq.boards.find import load_board
from mcuq.compile import assemble
from mcuq.graph.ir import Graph
from mcuq.lower import lower
from mcuq.plan import plan_memory
from mcuq.validate import check_bits

pytestmark = pytest.mark.reference

MODELS = ("kws", "ic", "vww", "ad", "sww")
BOARDS = ("cortex-m0", "cortex-m4")
DSP = load_board("cortex-m4").cpu.features
# Bytes of arena more than with int8 weights: blocks of weights, where a layer at the peak has some.
MOST_MORE_ARENA_BYTES = {"kws": 256, "ic": 1024, "vww": 256, "ad": 3072, "sww": 1024}


def weight_bytes(graph: Graph) -> int:
    """What all weights take for Cortex-M4, without biases and multipliers."""
    calls = [call for step in lower(graph, DSP).steps for call in step.calls]
    return sum(call.arrays["weight"].nbytes for call in calls if "weight" in call.arrays)


@pytest.mark.parametrize("name", MODELS)
def test_weights_of_4_bits_take_at_most_55_percent_of_int8(name: str) -> None:
    graph = compiled(name).graph
    packed = pack_weights(graph, "int4", on_grid=False)
    assert 0 < weight_bytes(packed) <= 0.55 * weight_bytes(graph)


@pytest.mark.parametrize("name", MODELS)
def test_unpacking_takes_little_memory(name: str) -> None:
    graph = compiled(name).graph
    packed = pack_weights(graph, "int4", on_grid=False)
    # Kernels that unpack blocks of channels read their inputs for each: no output may lie over them.
    program = lower(graph, DSP)
    steps = tuple(replace(s, calls=tuple(replace(c, below=None) for c in s.calls)) for s in program.steps)
    apart = plan_memory(replace(program, steps=steps)).arena_bytes
    more = plan_memory(lower(packed, DSP)).arena_bytes - apart
    assert more <= MOST_MORE_ARENA_BYTES[name]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", MODELS)
def test_networks_of_all_packings_give_the_simulators_bits(name: str, board: str) -> None:
    graph = pack_weights(compiled(name).graph, KINDS, on_grid=False)
    model = assemble(graph, load_board(board), name, b"")
    report = check_bits(model, iter([random_inputs(graph, 3)]), "emulator")
    assert report.first_mismatch is None
    assert report.samples == 3
