"""What finds the places of tensors in the arena."""

from __future__ import annotations

from typing import Literal, get_args

from mcuq.errors import one_of

Solver = Literal["search", "cp-sat"]
SOLVERS: tuple[Solver, ...] = get_args(Solver)


def parse_solver(text: str) -> Solver:
    """One of SOLVERS by its name. Raises ModelError for any other text."""
    return one_of(SOLVERS, text, "solver")
