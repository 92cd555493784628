"""Layers of different numbers side by side: never worse than the coarser of the two in the whole network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from mixed_networks import NETWORKS, mixed_network, mixed_samples
from onnx_models import original_outputs, saved
from selections import quick
from support import beside, model_of

from mcuq.compile import quantize_model
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.quantize import NAMED, Scheme
from mcuq.validate import check_bits

SCHEMES = tuple(NAMED)
# Those that differ in what layers write, and in how they compute it.
ACTIVATIONS = ("int8", "int16", "dynamic", "float32")
WRITING = {"int8": "int8", "int16": "int16", "float32": "float32"}
# What other roundings of the same steps may move the SQNR by; 0.7 dB was seen.
SCATTER_DB = 1.0
CALIBRATION, TEST = mixed_samples(32, 10), mixed_samples(96, 11)


@cache
def float_outputs(network: str) -> Array:
    """Of ONNX Runtime, (samples, classes), float64."""
    proto = mixed_network(network)
    return np.stack([original_outputs(proto, {"x": x[None]})["y"] for x in TEST]).astype(np.float64)


def quantized(network: str, scheme: Scheme) -> Graph:
    with TemporaryDirectory() as folder:
        return quantize_model(saved(mixed_network(network), Path(folder)), CALIBRATION, scheme=scheme).graph


def sqnr_db(network: str, graph: Graph) -> float:
    """Of the simulator against float, at the output."""
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, {"x": TEST[:, None]})))["y"]
    want = float_outputs(network)
    return float(10 * np.log10((want**2).sum() / ((want - got.reshape(want.shape)) ** 2).sum()))


@cache
def alone_db(network: str, name: str) -> float:
    """Of the whole network in one scheme."""
    return sqnr_db(network, quantized(network, Scheme(NAMED[name])))


def mixed(first: str, second: str, default: str) -> Scheme:
    return Scheme(NAMED[default], {"first": NAMED[first], "second": NAMED[second]})


@cache
def mixed_db(network: str, first: str, second: str, between: str) -> float:
    """Of the network in a mixture; of what is between counts what it writes, but where it has weights."""
    return sqnr_db(network, quantized(network, mixed(first, second, between)))


def between(network: str, default: str) -> str:
    """The scheme of what has no weights that is the same as `default`."""
    return default if network == "depthwise" else WRITING[NAMED[default].activations]


def check_mixture(network: str, first: str, second: str, default: str) -> None:
    """`default` is the scheme of all between the two layers."""
    got = mixed_db(network, first, second, between(network, default))
    assert got >= min(alone_db(network, name) for name in (first, second, default)) - SCATTER_DB


@pytest.mark.parametrize("network", quick(NETWORKS, 3))
def test_a_layer_of_other_activations_than_the_rest_costs_nothing(network: str) -> None:
    for own in ACTIVATIONS[1:]:
        check_mixture(network, own, "int8", "int8")
        check_mixture(network, "int8", own, own)


@pytest.mark.slow
@pytest.mark.parametrize("network", [network for network in NETWORKS if network != "depthwise"])
def test_between_layers_only_what_is_written_counts(network: str) -> None:
    """So that test_any_two_schemes_work_side_by_side need not quantize alike networks."""
    for default in SCHEMES:
        same = between(network, default)
        if same != default:
            ours, theirs = (quantized(network, mixed("int16", "int4", name)) for name in (default, same))
            assert ours.text() == theirs.text(), default
            constants = [name for name, tensor in ours.tensors.items() if tensor.is_constant]
            assert constants
            for name in constants:
                assert np.array_equal(ours.tensors[name].values, theirs.tensors[name].values), (default, name)


@pytest.mark.slow
@pytest.mark.parametrize("first", SCHEMES)
@pytest.mark.parametrize("network", NETWORKS)
def test_any_two_schemes_work_side_by_side(network: str, first: str) -> None:
    for second, default in product(SCHEMES, dict.fromkeys(("int8", first))):
        check_mixture(network, first, second, default)


def check_c(network: str, schemes: Sequence[Scheme]) -> None:
    """Of the network in each of the schemes, in one program."""
    graphs = [quantized(network, scheme) for scheme in schemes]
    x = np.concatenate([TEST[:6], 100 * TEST[:2]])[:, None]
    inputs = {f"g{i}_x": quantize_inputs(graph, {"x": x})["x"] for i, graph in enumerate(graphs)}
    graph = beside(graphs)
    report = check_bits(model_of(graph), iter([inputs]), "host")
    assert report.first_mismatch is None, f"{graph.text()}{report.first_mismatch}"
    assert report.samples == 8


@pytest.mark.parametrize("network", NETWORKS)
def test_c_of_a_mixture_gives_the_simulators_bits(network: str) -> None:
    kinds = list(product(ACTIVATIONS, ACTIVATIONS))
    first, second = kinds[(3 * list(NETWORKS).index(network) + 2) % len(kinds)]
    check_c(network, [mixed(first, second, "int8")])


@pytest.mark.slow
@pytest.mark.parametrize("first", [*ACTIVATIONS, "float16"])
@pytest.mark.parametrize("network", NETWORKS)
def test_c_of_any_mixture_of_activations_gives_the_simulators_bits(network: str, first: str) -> None:
    check_c(network, [mixed(first, second, "int8") for second in (*ACTIVATIONS, "int4")])
