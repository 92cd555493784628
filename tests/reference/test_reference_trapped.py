"""The reference networks on a Cortex-M4 that traps unaligned accesses."""

from __future__ import annotations

import pytest
from reference import compiled
from support import model_of, random_inputs
from trapped import STRICT, run_trapped, simulated, trapped_board

pytestmark = [pytest.mark.reference, pytest.mark.toolchain]


@pytest.mark.parametrize("name", ["kws", "ic", "vww", "ad", "sww"])
def test_no_layer_faults(name: str) -> None:
    model = model_of(compiled(name).graph, trapped_board("mps2-an386", STRICT), name)
    inputs = random_inputs(model.graph, 4)
    assert run_trapped(model, inputs) == simulated(model, inputs)
