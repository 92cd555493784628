"""Chooses a kernel for each layer: integer Graph + CPU features + goal -> Program."""

from mcuq.lower.choose import alternatives, choose_kernel, lower
from mcuq.lower.goal import GOALS, Goal, parse_goal
from mcuq.lower.placement import INLINE, Placement, check_section, parse_placement
from mcuq.lower.program import Program, Step, array_key
from mcuq.lower.solver import SOLVERS, Solver, parse_solver
from mcuq.lower.stepped import Stepped, stepped

__all__ = [
    "GOALS",
    "INLINE",
    "SOLVERS",
    "Goal",
    "Placement",
    "Program",
    "Solver",
    "Step",
    "Stepped",
    "alternatives",
    "array_key",
    "check_section",
    "choose_kernel",
    "lower",
    "parse_goal",
    "parse_placement",
    "parse_solver",
    "stepped",
]
