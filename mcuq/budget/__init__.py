"""Compiling to a budget: bits for each layer, goals and rows, so that a model takes no more and is accurate enough."""

from mcuq.budget.limits import Budget
from mcuq.budget.search import Plan, search
from mcuq.budget.verdict import BudgetError, budget_json, budget_lines

__all__ = ["Budget", "BudgetError", "Plan", "budget_json", "budget_lines", "search"]
