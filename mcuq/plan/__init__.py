"""Program -> where each tensor lies in the arena; a pure function."""

from mcuq.graph.liveness import ALIGNMENT, Storage
from mcuq.plan.memory import Plan, plan_memory, plan_pushed, plan_rows, plan_within

__all__ = ["ALIGNMENT", "Plan", "Storage", "plan_memory", "plan_pushed", "plan_rows", "plan_within"]
