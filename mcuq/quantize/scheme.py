"""What a network is quantized to: the grid of each layer's weights, and limits on scales and zero points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mcuq.quantization import ANY_ACTIVATIONS, ANY_WEIGHTS, ActivationOptions, WeightOptions
from mcuq.quantize.grid import INT8, Codebook, Grid


@dataclass(frozen=True)
class Scheme:
    """`grids` gives the weights of single layers, by name; all others have those of `grid`."""

    grid: Grid | Codebook = INT8
    grids: Mapping[str, Grid | Codebook] = field(default_factory=dict)
    weights: WeightOptions = ANY_WEIGHTS
    activations: ActivationOptions = ANY_ACTIVATIONS

    def grid_of(self, layer_name: str) -> Grid | Codebook:
        """The grid of a layer's weights."""
        return self.grids.get(layer_name, self.grid)

    def reach_of(self, layer_name: str) -> int:
        """The largest level of a layer's grid if its levels were evenly spread: what its resolution amounts to."""
        grid = self.grid_of(layer_name)
        return grid.size // 2 if isinstance(grid, Codebook) else grid.reach


INT8_SCHEME = Scheme()
