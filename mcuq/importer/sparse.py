"""Sparse weights and constants: dense ones, which is what layers compute with."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from mcuq.errors import ModelError
from mcuq.importer.constants import tensor_value
from mcuq.importer.precision import graphs_of

MOST_ELEMENTS = 2**26


def densify(model: onnx.ModelProto, name: str) -> None:
    """Change the model so that what it stores as values and their places is stored whole. Raises ModelError for places
    that the tensor does not have, and where it is too large."""
    for graph in graphs_of(model.graph):
        for sparse in graph.sparse_initializer:
            graph.initializer.append(_dense(sparse, sparse.values.name, f"{name}: weight '{sparse.values.name}'"))
        del graph.sparse_initializer[:]
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.name == "sparse_value":
                    where = f"Constant '{node.name or node.output[0]}'"
                    value = _dense(attribute.sparse_tensor, "", where)
                    attribute.Clear()
                    attribute.name, attribute.type = "value", onnx.AttributeProto.TENSOR
                    attribute.t.CopyFrom(value)


def _dense(sparse: onnx.SparseTensorProto, name: str, where: str) -> TensorProto:
    shape = tuple(sparse.dims)
    if prod(shape) > MOST_ELEMENTS:
        raise ModelError(f"{where}: is sparse, of {prod(shape):,} elements; supported are {MOST_ELEMENTS:,}")
    values, places = tensor_value(sparse.values, where), tensor_value(sparse.indices, where)
    if places.ndim == 2 and places.shape[1] == len(shape):
        is_within = bool(((places >= 0) & (places < np.array(shape))).all())
        places = places @ np.array([prod(shape[axis + 1 :]) for axis in range(len(shape))], np.int64)
    else:
        is_within = places.ndim == 1 and bool(((places >= 0) & (places < prod(shape))).all())
    if not is_within or values.shape != places.shape or min(shape, default=0) < 1:
        raise ModelError(f"{where}: is damaged: its indices do not fit shape {list(shape)}; export the model again")
    dense = np.zeros(prod(shape), values.dtype)
    dense[places] = values
    return numpy_helper.from_array(dense.reshape(shape), name)
