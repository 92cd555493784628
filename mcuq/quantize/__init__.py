"""Float Graph + calibration data -> int8 Graph."""

from mcuq.quantize.apply import check_accumulators, quantize_graph
from mcuq.quantize.batch_norm import trained_outputs, trained_twin, widened
from mcuq.quantize.calibrate import (
    DEFAULT_METHOD,
    FEWEST_SAMPLES,
    Range,
    calibrate,
    collect,
    constant_notes,
    scaled_tensors,
)
from mcuq.quantize.dtypes import computed_in_floats, float_tensors, insert_conversions
from mcuq.quantize.given import GivenQuantization, given_quantization
from mcuq.quantize.judge import Judgement, judge_fixed
from mcuq.quantize.method import METHODS, CalibrationMethod, parameters_text, parse_method
from mcuq.quantize.model import MOST_SAMPLES, Quantized, quantize_on_samples
from mcuq.quantize.numbers import INPUT_SCALES, WEIGHTS
from mcuq.quantize.origin import UNKNOWN_ORIGIN, Origin
from mcuq.quantize.prune import UNPRUNED, Pruned, prune_graph
from mcuq.quantize.quality import (
    OutputQuality,
    QualityMeter,
    beyond_range,
    decibels,
    logits_tensor,
    quality_notes,
    sqnr_text,
    watched_tensors,
)
from mcuq.quantize.recover import DEFAULT_RECOVERY, NO_RECOVERY, ROUNDINGS, Recovery, Rounding, parse_recovery
from mcuq.quantize.scheme import (
    INT8_SCHEME,
    NAMED,
    PORTS,
    LayerScheme,
    Scheme,
    parse_scheme,
    scheme_name,
    scheme_toml,
)
from mcuq.quantize.synthetic import input_specs, synthetic_dataset

__all__ = [
    "DEFAULT_METHOD",
    "DEFAULT_RECOVERY",
    "FEWEST_SAMPLES",
    "INPUT_SCALES",
    "INT8_SCHEME",
    "METHODS",
    "MOST_SAMPLES",
    "NAMED",
    "NO_RECOVERY",
    "PORTS",
    "ROUNDINGS",
    "UNKNOWN_ORIGIN",
    "UNPRUNED",
    "WEIGHTS",
    "CalibrationMethod",
    "GivenQuantization",
    "Judgement",
    "LayerScheme",
    "Origin",
    "OutputQuality",
    "Pruned",
    "QualityMeter",
    "Quantized",
    "Range",
    "Recovery",
    "Rounding",
    "Scheme",
    "beyond_range",
    "calibrate",
    "check_accumulators",
    "collect",
    "computed_in_floats",
    "constant_notes",
    "decibels",
    "float_tensors",
    "given_quantization",
    "input_specs",
    "insert_conversions",
    "judge_fixed",
    "logits_tensor",
    "parameters_text",
    "parse_method",
    "parse_recovery",
    "parse_scheme",
    "prune_graph",
    "quality_notes",
    "quantize_graph",
    "quantize_on_samples",
    "scaled_tensors",
    "scheme_name",
    "scheme_toml",
    "sqnr_text",
    "synthetic_dataset",
    "trained_outputs",
    "trained_twin",
    "watched_tensors",
    "widened",
]
