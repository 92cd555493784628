"""Identity: a copy, where an output must have memory of its own. Elsewhere it vanishes at import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.elementwise import Elementwise
from mcuq.ops.moves import Moves


def from_identity(node: OnnxNode, graph: GraphBuilder) -> str:
    """The input itself stands for the output; Dropout does nothing at inference."""
    if node.gives(1):
        raise node.error("output mask is not supported; export the model for inference (model.eval())")
    if node.has(2) and (not node.is_constant(2) or node.constant(2, "training_mode").any()):
        raise node.error("is in training mode; export the model for inference (model.eval())")
    return node.computed(0)


@dataclass(frozen=True)
class Identity(Elementwise, Moves):
    """y = x. Exact."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Identity": from_identity, "Dropout": from_identity}
    permutes = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.node("Identity", [layer.inputs[0].name], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return inputs[0]
