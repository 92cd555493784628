"""The reference networks on a Cortex-M4 and an M55 that trap unaligned accesses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reference import compiled
from support import model_of, random_inputs
from trapped import NEWLIB, STRICT, run_trapped, simulated, trapped_board

pytestmark = [pytest.mark.reference, pytest.mark.toolchain]


NETWORKS = ("kws", "ic", "vww", "ad", "sww", "mnist_cnn")
FLAGS: dict[str, tuple[str, ...]] = {"default": (), "strict newlib": (*STRICT, *NEWLIB)}


@pytest.mark.parametrize("board", ["mps2-an386", "cortex-m55"])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_layer_faults(name: str, board: str) -> None:
    model = model_of(compiled(name).graph, trapped_board(board), name)
    inputs = random_inputs(model.graph, 2)
    want = simulated(model, inputs)
    for told, flags in FLAGS.items():
        assert run_trapped(replace(model, board=trapped_board(board, flags)), inputs) == want, told
