"""Bytes of arena of the reference networks, input, output and scratch included, by default and with `--optimize ram`;
each exact on the host and on the emulated CPU."""

from __future__ import annotations

import numpy as np
import pytest
from reference_cases import reference_folder

from mcuq.compile import compile_model, with_goal
from mcuq.graph.tensor import Array
from mcuq.validate import check_bits

# Of Cortex-M4: by default, with `ram`. Where whole tensors lie apart these take 17,640, 50,320, 55,360, 7,168 and 768.
ARENA = {"kws": (9832, 6744), "ic": (18236, 16924), "vww": (28192, 28192), "sww": (4096, 4096), "ad": (768, 768)}


def wild(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Two samples of random bytes, and one of each extreme."""
    ends = [np.full(shape, end, np.int8) for end in (-128, 127)]
    return np.stack([*rng.integers(-128, 128, (2, *shape)).astype(np.int8), *ends])


@pytest.mark.parametrize("network", ARENA)
def test_arena_by_default_and_with_ram(network: str) -> None:
    model = compile_model(reference_folder() / "models" / f"{network}_int8_qdq.onnx", board="cortex-m4")
    rows = with_goal(model, "ram")
    by_default, least = ARENA[network]
    assert model.arena_bytes <= by_default
    assert rows.arena_bytes <= least
    rng = np.random.default_rng(0)
    for own in (model, rows):
        inputs = {name: wild(own.graph.tensors[name].shape, rng) for name in own.graph.inputs}
        for on in ("host", "emulator"):
            assert check_bits(own, iter([inputs]), on).first_mismatch is None


@pytest.mark.slow
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m55", "rv32imc"])
@pytest.mark.parametrize("network", ["kws", "ic", "vww", "sww"])
def test_rows_are_exact_on_other_cpus(network: str, board: str) -> None:
    model = compile_model(reference_folder() / "models" / f"{network}_int8_qdq.onnx", board=board, optimize="ram")
    inputs = {name: wild(model.graph.tensors[name].shape, np.random.default_rng(1)) for name in model.graph.inputs}
    assert check_bits(model, iter([inputs]), "emulator").first_mismatch is None
