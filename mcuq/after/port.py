"""The outputs and inputs of a graph that something behind it reads."""

from __future__ import annotations

from mcuq.after.after import After
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import ChannelQuant, Quant, Tensor

DTYPES = ("int8", "uint8", "int16")


def integer_port(graph: Graph, name: str, after: After) -> Tensor:
    """The tensor of an input or output, integers of one scale. Raises ModelError where it is of others."""
    tensor = graph.tensors[name]
    if isinstance(tensor.quant, ChannelQuant):
        raise ModelError(f"{after.where}: '{name}' has scales per channel; it reads values of one scale")
    if not isinstance(tensor.quant, Quant) or tensor.dtype not in DTYPES or tensor.integers is not None:
        what = "integers that stand for themselves" if tensor.integers is not None else tensor.dtype
        raise ModelError(
            f"{after.where}: reads integers of one scale, '{name}' is of {what}; use a scheme of int8 or int16 outputs"
        )
    return tensor


def output_of(graph: Graph, after: After, key: str = "output") -> str:
    """The output that is named, or the only one. Raises ModelError where there is none such, or there are several."""
    name, given = after.values[key], graph.given_outputs
    listed = ", ".join(f"'{own}'" for own in given)
    if name and name not in given:
        raise ModelError(f"{after.where}: {key} = '{name}': is no output of the model, which has {listed}")
    if not name and len(given) > 1:
        raise ModelError(f"{after.where}: {key}: the model has {len(given)} outputs ({listed}); name one")
    return name or given[0]


def classes_of(tensor: Tensor, after: After) -> int:
    """How many classes an output has scores of. Raises ModelError where it has several places, or labels are others."""
    sizes = [size for size in tensor.shape if size > 1]
    shape = "x".join(map(str, tensor.shape))
    if len(sizes) > 1:
        raise ModelError(
            f"{after.where}: output '{tensor.name}' of shape {shape} has classes at several places; it reads one score "
            "a class"
        )
    check_labels(after, tensor, tensor.elements)
    return tensor.elements


def check_labels(after: After, tensor: Tensor, classes: int) -> None:
    """Raise ModelError where labels are others than classes."""
    if after.labels and len(after.labels) != classes:
        raise ModelError(
            f"{after.where}: labels: are {len(after.labels)}, output '{tensor.name}' has {classes} classes; "
            "give each one"
        )
