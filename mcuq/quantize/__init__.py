"""Float Graph + calibration data -> int8 Graph."""

from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.bias_correction import correct_biases
from mcuq.quantize.calibrate import DEFAULT_METHOD, FEWEST_SAMPLES, calibrate, collect
from mcuq.quantize.method import METHODS, CalibrationMethod, parse_method
from mcuq.quantize.prune import UNPRUNED, Pruned, prune_graph
from mcuq.quantize.synthetic import input_specs, synthetic_dataset

__all__ = [
    "DEFAULT_METHOD",
    "FEWEST_SAMPLES",
    "METHODS",
    "UNPRUNED",
    "CalibrationMethod",
    "Pruned",
    "calibrate",
    "collect",
    "correct_biases",
    "input_specs",
    "parse_method",
    "prune_graph",
    "quantize_graph",
    "synthetic_dataset",
]
