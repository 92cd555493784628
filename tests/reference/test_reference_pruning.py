"""Pruning on the trained reference networks: what it saves, and that every output byte stays."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from reference_cases import case

from mcuq.compile import compile_model
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import quantize_inputs, run_layers, simulate
from mcuq.graph.tensor import Array
from mcuq.quantize import UNPRUNED, prune_graph
from mcuq.quantize.intervals import intervals

pytestmark = pytest.mark.reference

MODELS = ("kws", "kws_refw", "ic", "vww", "ad", "sww", "mnist_cnn", "mnist_mlp")

# Multiply-accumulates that interval analysis leaves (design document KERNELS); the others have no dead channels.
VWW_MACS = 3_727_313
VWW_PARAMETER_BYTES = 41_234


@pytest.mark.parametrize("name", MODELS)
def test_the_pruned_network_gives_the_same_bytes_on_all_test_inputs(name: str) -> None:
    graph = _unpruned(name)
    pruned, saved = prune_graph(graph)
    print(f"{name}: {saved}")
    if saved == UNPRUNED:
        assert pruned.text() == graph.text()
        constants = [t for t in graph.tensors.values() if t.is_constant]
        assert all(np.array_equal(t.values, pruned.tensors[t.name].values) for t in constants)
        return
    inputs = _integers(graph, case(name).x)
    want, got = simulate(graph, inputs), simulate(pruned, inputs)
    assert want.keys() == got.keys()
    for output, value in want.items():
        assert len(value) == len(case(name).x)
        assert np.array_equal(value, got[output])


def test_half_of_vww_goes() -> None:
    pruned, saved = prune_graph(_unpruned("vww"))
    assert pruned.macs() <= VWW_MACS
    assert pruned.macs() + saved.macs == 7_489_664
    assert sum(t.size_bytes for t in pruned.tensors.values() if t.is_constant) <= VWW_PARAMETER_BYTES


def test_no_value_of_vww_lies_outside_of_its_interval() -> None:
    graph = _unpruned("vww")
    found = intervals(graph)
    for name, value in run_layers(graph, _integers(graph, case("vww").x[:20]), keep_all=True).items():
        low, high = found[name]
        assert (low <= value).all(), name
        assert (value <= high).all(), name


def test_the_c_of_a_pruned_network_is_what_compile_writes() -> None:
    data = case("vww")
    model = compile_model(data.onnx, "cortex-m4", data.x_calibration)
    assert model.pruned == prune_graph(_unpruned("vww"))[1]
    assert model.macs <= VWW_MACS


@cache
def _unpruned(name: str) -> Graph:
    return compile_model(case(name).onnx, "cortex-m4", case(name).x_calibration, name=name, prune=False).graph


def _integers(graph: Graph, x: Array) -> dict[str, Array]:
    (name,) = graph.inputs
    return quantize_inputs(graph, {name: x.reshape(-1, *graph.tensors[name].shape)})
