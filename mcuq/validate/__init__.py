"""Comparisons: simulator against float, C against simulator."""

from mcuq.validate.accuracy import AccuracyReport, compare_with_float, measure_accuracy
from mcuq.validate.bits import BitsReport, Mismatch, check_bits, integer_batches, probe_inputs

__all__ = [
    "AccuracyReport",
    "BitsReport",
    "Mismatch",
    "check_bits",
    "compare_with_float",
    "integer_batches",
    "measure_accuracy",
    "probe_inputs",
]
