"""Mixed precision: bits for each layer, so that a model fits a budget or reaches an accuracy."""

from mcuq.budget.search import Budget, Plan, search

__all__ = ["Budget", "Plan", "search"]
