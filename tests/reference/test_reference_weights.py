"""The reference networks with their constants in a file of their own: exact, and hardly an instruction more."""

from __future__ import annotations

import pytest
from reference_cases import reference_folder

from mcuq.compile import CompiledModel, compile_model, with_placement
from mcuq.lower import Placement
from mcuq.validate import BitsReport, check_bits
from mcuq.validate.bits import probe_inputs

# Instructions over those with constants in the C.
MOST = {"cortex-m0": 1.006, "cortex-m4": 1.002, "cortex-m55": 1.006, "rv32imc": 1.01}


def checked(model: CompiledModel) -> BitsReport:
    return check_bits(model, iter([{name: x[:3] for name, x in probe_inputs(model.graph).items()}]), "emulator")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "board"),
    [*((network, board) for network in ("kws", "ad") for board in MOST), *((n, "cortex-m4") for n in ("ic", "vww"))],
)
def test_external_weights_are_exact_and_cost_little(network: str, board: str) -> None:
    inline = compile_model(reference_folder() / "models" / f"{network}_int8_qdq.onnx", board=board)
    external = with_placement(inline, Placement("external"))
    before, after = checked(inline), checked(external)
    assert after.first_mismatch is None
    assert before.instructions is not None
    assert after.instructions is not None
    assert after.instructions <= MOST[board] * before.instructions
