"""Float Graph + calibration data -> int8 Graph."""

from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.calibrate import DEFAULT_METHOD, calibrate
from mcuq.quantize.grid import GRIDS, INT8, Codebook, Grid
from mcuq.quantize.model import Quantized, quantize_model
from mcuq.quantize.prune import UNPRUNED, Pruned, prune_graph
from mcuq.quantize.ranges import METHODS, CalibrationMethod, parse_method
from mcuq.quantize.recover import DEFAULT_RECOVERY, NO_RECOVERY, Recovery
from mcuq.quantize.scheme import INT8_SCHEME, Scheme
from mcuq.quantize.synthetic import input_specs, synthetic_dataset

__all__ = [
    "DEFAULT_METHOD",
    "DEFAULT_RECOVERY",
    "GRIDS",
    "INT8",
    "INT8_SCHEME",
    "METHODS",
    "NO_RECOVERY",
    "UNPRUNED",
    "CalibrationMethod",
    "Codebook",
    "Grid",
    "Pruned",
    "Quantized",
    "Recovery",
    "Scheme",
    "calibrate",
    "input_specs",
    "parse_method",
    "prune_graph",
    "quantize_graph",
    "quantize_model",
    "synthetic_dataset",
]
