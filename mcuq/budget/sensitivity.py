"""How much noise a layer's weights add to the model's output on grids of fewer bits, measured one layer at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuq.dataset import Sample
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.weighted_operator import Weighted
from mcuq.quantize import logits_tensor
from mcuq.quantize.grid import GRIDS, Grid

# From fine to coarse; each takes about half of the one before.
LADDER = ("int8", "int4", "int2")


@dataclass(frozen=True)
class Sensitivity:
    """Of one layer on each grid of LADDER: `noise`, the squared error of the model's output with all else in float, and
    `weight_bytes` in flash."""

    layer: str
    noise: tuple[float, ...]
    weight_bytes: tuple[int, ...]


def measure_sensitivities(
    graph: Graph,
    samples: Sequence[Sample],
    tick: Callable[[], None] = lambda: None,
    layers: Sequence[Node] | None = None,
) -> tuple[Sensitivity, ...]:
    """One for each layer with weights of the float graph, or of `layers`, in order; `tick` is called after each."""
    watched = logits_tensor(graph)
    wanted = _outputs(graph, watched, samples)
    found = []
    for node in weighted_nodes(graph) if layers is None else layers:
        weight = graph.tensors[node.inputs[1]]
        noise = []
        for name in LADDER:
            rounded = replace(weight, data=_rounded(weight.values, GRIDS[name]))
            tensors = {**graph.tensors, weight.name: rounded}
            got = _outputs(replace(graph, tensors=tensors), watched, samples)
            noise.append(float(((got - wanted) ** 2).sum()))
        sizes = tuple(-(-weight.elements * GRIDS[name].bits // 8) for name in LADDER)
        found.append(Sensitivity(node.name, tuple(noise), sizes))
        tick()
    return tuple(found)


def weighted_nodes(graph: Graph) -> list[Node]:
    """The layers that have weights, in order."""
    return [node for node in graph.nodes if isinstance(node.op, Weighted)]


def _rounded(weight: Array, grid: Grid) -> Array:
    """Weights (channels, ...) as they are on the grid, rounded to nearest with a scale for each channel."""
    real = weight.reshape(len(weight), -1).astype(np.float64)
    scale = grid.scales(real)[:, None]
    q = grid.nearest(real / np.where(scale > 0, scale, 1.0))
    return np.where(scale > 0, q * scale, 0.0).reshape(weight.shape).astype(np.float32)


def _outputs(graph: Graph, name: str, samples: Sequence[Sample]) -> Array:
    model = FloatModel(write_onnx(graph, [name]))
    return np.stack([model.run(sample, [name])[name] for sample in samples]).astype(np.float64)
