"""Float Graph + calibration data -> int8 Graph."""

from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.batch_norm import trained_outputs, trained_twin, widened
from mcuq.quantize.bias_correction import MOST_SAMPLES, correct_biases
from mcuq.quantize.calibrate import DEFAULT_METHOD, FEWEST_SAMPLES, Range, calibrate, collect, scaled_tensors
from mcuq.quantize.method import METHODS, CalibrationMethod, parse_method
from mcuq.quantize.prune import UNPRUNED, Pruned, prune_graph
from mcuq.quantize.synthetic import input_specs, synthetic_dataset

__all__ = [
    "DEFAULT_METHOD",
    "FEWEST_SAMPLES",
    "METHODS",
    "MOST_SAMPLES",
    "UNPRUNED",
    "CalibrationMethod",
    "Pruned",
    "Range",
    "calibrate",
    "collect",
    "correct_biases",
    "input_specs",
    "parse_method",
    "prune_graph",
    "quantize_graph",
    "scaled_tensors",
    "synthetic_dataset",
    "trained_outputs",
    "trained_twin",
    "widened",
]
