"""Program -> where each tensor lies in the arena; a pure function."""

from mcuq.plan.memory import ALIGNMENT, Plan, Storage, plan_memory

__all__ = ["ALIGNMENT", "Plan", "Storage", "plan_memory"]
