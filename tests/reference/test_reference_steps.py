"""Steps of the reference networks: the simulator's bytes by all budgets, none longer than stated but for a little, and
inferences hardly longer for it."""

from __future__ import annotations

import numpy as np
import pytest
from reference_cases import reference_folder
from selections import quick

from mcuq.compile import CompiledModel, compile_model
from mcuq.report.profile import profile_model
from mcuq.report.steps import count_steps
from mcuq.validate import check_bits

# Of Cortex-M4 with steps of 50,000 cycles: times the instructions of the default.
MORE = {"kws": 1.25, "ic": 1.1, "vww": 1.3, "sww": 1.5}
ROW = 1.3  # times what is stated, of single units


def network(name: str, board: str, **asked: int | bool) -> CompiledModel:
    return compile_model(reference_folder() / "models" / f"{name}_int8_qdq.onnx", board=board, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", quick(MORE))
def test_steps_are_as_long_as_stated(name: str) -> None:
    plain = profile_model(network(name, "cortex-m4"))
    whole, cut = network(name, "cortex-m4", step=True), network(name, "cortex-m4", step_cycles=50_000)
    (at_once,) = count_steps(whole, [2**31 - 1])
    assert at_once.total_instructions <= 1.005 * plain.instructions
    for model in (whole, cut):
        said = model.listing.steps
        assert said is not None
        for own in count_steps(model, [0, 10_000, 200_000]):
            assert own.cycles is not None
            assert own.cycles.most <= ROW * max(said.longest, own.budget)
            assert own.total_cycles is not None
            assert own.total_cycles / 1.25 < said.total < own.total_cycles * 1.25
            assert own.budget > 0 or own.count == said.count
        assert own.total_instructions <= MORE[name] * plain.instructions


@pytest.mark.slow
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
@pytest.mark.parametrize("name", MORE)
def test_steps_are_exact(name: str, board: str) -> None:
    model = network(name, board, step_cycles=100_000)
    rng = np.random.default_rng(0)
    inputs = {
        t: rng.integers(-128, 128, (8, *model.graph.tensors[t].shape)).astype(np.int8) for t in model.graph.inputs
    }
    for on in ("host", "emulator"):
        assert check_bits(model, iter([inputs]), on).first_mismatch is None
