"""Float Graph + calibration data -> int8 Graph."""

from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.bias_correction import correct_biases
from mcuq.quantize.calibrate import DEFAULT_METHOD, calibrate
from mcuq.quantize.ranges import METHODS, CalibrationMethod, parse_method
from mcuq.quantize.synthetic import input_specs, synthetic_dataset

__all__ = [
    "DEFAULT_METHOD",
    "METHODS",
    "CalibrationMethod",
    "calibrate",
    "correct_biases",
    "input_specs",
    "parse_method",
    "quantize_graph",
    "synthetic_dataset",
]
