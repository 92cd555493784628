"""A file's operators one after the other, each written in ONNX."""

from __future__ import annotations

import onnx

from mcuq.errors import ModelError
from mcuq.importer.shapes import inferred_shapes
from mcuq.importer.tflite.control_flow import Branches
from mcuq.importer.tflite.file import read_file
from mcuq.importer.tflite.network import Network, Operator
from mcuq.importer.tflite.operator import Op, Refusal
from mcuq.importer.tflite.operators import OPERATORS
from mcuq.importer.tflite.variables import Variables
from mcuq.importer.tflite.writer import Writer
from mcuq.onnx_io.provenance import NOTES, note

DOMAIN = "tflite"  # of nodes that stand for operators that have no form in ONNX, or not with their options


def onnx_of(data: bytes, name: str) -> onnx.ModelProto:
    """The ONNX model that means what the file does, as Q/DQ where it is quantized.

    What is not supported is there as a node of `DOMAIN`, so that all of it is reported at once; one whose options are
    not has its reason as its doc_string. Raises ModelError for a file that is damaged.
    """
    network = read_file(data, name)
    writer = Writer(network, name, len(data))
    variables = Variables(network, writer, name)

    def write(operator: Operator) -> None:
        """The operator's form in ONNX, or a node that says why it has none."""
        if operator.kind in variables.kinds:
            variables.kinds[operator.kind](operator)
            return
        op, written = Op(operator, writer), len(writer.nodes)
        try:
            if operator.kind == "IF":
                op.give(branches(op, operator))
                return
            if operator.kind not in OPERATORS:
                raise Refusal
            values = OPERATORS[operator.kind](op)
            op.give([values] if isinstance(values, str) else values)
        except Refusal as refusal:
            del writer.nodes[written:]
            op.give(op.stand_in(DOMAIN, str(refusal)))

    branches = Branches(network, writer, write, tuple(variables.kinds))
    for operator in network.operators:
        write(operator)
    notes = [*branches.notes, *variables.outputs()]
    model = writer.model(network.outputs, network.description)
    note(model, NOTES, "\n".join(notes))
    _check_shapes(model, network, name)
    return model


def _check_shapes(model: onnx.ModelProto, network: Network, name: str) -> None:
    """Padding and the like follow from the shapes that the file states: they must be those that its operators give."""
    found = inferred_shapes(model)
    for tensor in network.tensors:
        if found.get(tensor.name, tensor.shape) != tensor.shape:
            raise ModelError(
                f"{name}: tensor '{tensor.name}' has shape {list(tensor.shape)} in the file, and its operator gives "
                f"{list(found[tensor.name])}; convert the model again, with fixed shapes"
            )
