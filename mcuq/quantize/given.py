"""What of a float graph's quantization came with the model, and what is left to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Quant
from mcuq.ops.given_weights import came_with, has_given_weights, loses_given_weights
from mcuq.ops.weighted_operator import is_weighted
from mcuq.quantize.calibrate import scaled_tensors
from mcuq.quantize.groups import given_quants, scale_groups

# Of inputs that the file has as int8, booleans or uint8, and takes for real values: they say nothing of how it came.
_INTEGER_INPUTS = (Quant((1.0,)), Quant((1.0,), -128))


@dataclass(frozen=True)
class GivenQuantization:
    """Names in the order of the graph.

    `activations` are computed tensors with a given scale, `calibrated` those whose range is to be found in data;
    `weights` are layers whose weights keep their given integers, `rounded` those whose weights are rounded by mcuq, of
    which `requantized` came as integers that do not fit int8 about zero. `lost` has those that came quantized in a way
    that no layer has here, and by each what that is.
    """

    activations: tuple[str, ...]
    calibrated: tuple[str, ...]
    weights: tuple[str, ...]
    rounded: tuple[str, ...]
    requantized: tuple[str, ...]
    lost: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_quantized(self) -> bool:
        """Whether the model came quantized, be it in part."""
        return bool(self.activations or self.weights or self.requantized or self.lost)

    @property
    def needs_data(self) -> bool:
        """Whether there are ranges to find."""
        return bool(self.calibrated)


def given_quantization(graph: Graph) -> GivenQuantization:
    """Read it off the simplified float graph."""
    weighted = [layer for layer in graph.layers() if is_weighted(layer)]
    return GivenQuantization(
        activations=tuple(
            name
            for name, quant in given_quants(graph, scale_groups(graph)).items()
            if quant not in _INTEGER_INPUTS and graph.tensors[name].integers is None
        ),
        calibrated=tuple(scaled_tensors(graph)),
        weights=tuple(layer.name for layer in weighted if has_given_weights(layer)),
        rounded=tuple(layer.name for layer in weighted if not has_given_weights(layer)),
        requantized=tuple(layer.name for layer in weighted if loses_given_weights(layer)),
        lost={layer.name: what for layer in weighted if (what := came_with(layer))},
    )
