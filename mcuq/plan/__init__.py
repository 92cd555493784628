"""Program -> where each tensor lies in the arena; a pure function."""

from mcuq.graph.liveness import ALIGNMENT, Storage
from mcuq.plan.memory import Plan, may_take, plan_memory, plan_pushed, plan_rows, plan_split, plan_within
from mcuq.plan.steps import Stepper

__all__ = [
    "ALIGNMENT",
    "Plan",
    "Stepper",
    "Storage",
    "may_take",
    "plan_memory",
    "plan_pushed",
    "plan_rows",
    "plan_split",
    "plan_within",
]
