"""What finds the places of tensors in the arena."""

from __future__ import annotations

from typing import Literal, get_args

from mcuq.errors import ModelError, did_you_mean

Solver = Literal["search", "cp-sat"]
SOLVERS: tuple[Solver, ...] = get_args(Solver)


def parse_solver(text: str) -> Solver:
    """One of SOLVERS by its name. Raises ModelError for any other text."""
    for solver in SOLVERS:
        if solver == text:
            return solver
    raise ModelError(f"solver '{text}': is not known; use {', '.join(SOLVERS)}{did_you_mean(text, SOLVERS)}")
