"""Float Graph + calibration data -> int8 Graph."""

from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.bias_correction import correct_biases
from mcuq.quantize.calibrate import DEFAULT_METHOD, calibrate
from mcuq.quantize.dtypes import float_tensors, insert_conversions
from mcuq.quantize.prune import UNPRUNED, Pruned, prune_graph
from mcuq.quantize.ranges import METHODS, CalibrationMethod, parse_method
from mcuq.quantize.scheme import NAMED, PORTS, Scheme, parse_scheme
from mcuq.quantize.synthetic import input_specs, synthetic_dataset

__all__ = [
    "DEFAULT_METHOD",
    "METHODS",
    "NAMED",
    "PORTS",
    "UNPRUNED",
    "CalibrationMethod",
    "Pruned",
    "Scheme",
    "calibrate",
    "correct_biases",
    "float_tensors",
    "input_specs",
    "insert_conversions",
    "parse_method",
    "parse_scheme",
    "prune_graph",
    "quantize_graph",
    "synthetic_dataset",
]
