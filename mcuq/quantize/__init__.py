"""Float Graph + calibration data -> int8 Graph."""

from mcuq.quantize.apply import quantize_graph
from mcuq.quantize.calibrate import DEFAULT_METHOD, calibrate
from mcuq.quantize.ranges import CalibrationMethod, parse_method
from mcuq.quantize.synthetic import synthetic_dataset

__all__ = [
    "DEFAULT_METHOD",
    "CalibrationMethod",
    "calibrate",
    "parse_method",
    "quantize_graph",
    "synthetic_dataset",
]
