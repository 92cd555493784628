"""Program -> where each tensor lies in the arena; a pure function."""

from mcuq.graph.liveness import ALIGNMENT, Storage
from mcuq.plan.memory import Plan, may_take, plan_memory, plan_pushed, plan_rows, plan_split, plan_within

__all__ = [
    "ALIGNMENT",
    "Plan",
    "Storage",
    "may_take",
    "plan_memory",
    "plan_pushed",
    "plan_rows",
    "plan_split",
    "plan_within",
]
