"""Networks of very many nodes compile or are refused; what once took the square of them does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import ModelProto
from onnx_models import model, node, random, refusal, saved
from selections import quick
from support import random_inputs

import mcuq
from mcuq.graph.builder import GraphBuilder
from mcuq.importer.load import MOST_NODES
from mcuq.ops.identity import Identity
from mcuq.validate.bits import check_bits

CONSTANTS = {"Add": random(4), "Mul": random(4), "Conv": random(4, 4, 1, 1)}


def chain(kinds: list[str], length: int) -> ModelProto:
    """Nodes of the kinds in turn, from x to y."""
    used = [kinds[i % len(kinds)] for i in range(length)]
    tensors = ["x", *(f"t{i}" for i in range(1, length)), "y"]
    nodes = [
        node(kind, [tensors[i], *([kind] if kind in CONSTANTS else [])], tensors[i + 1]) for i, kind in enumerate(used)
    ]
    shape = [1, 4, 2, 2] if "Conv" in kinds else [1, 4]
    return model(nodes, {"x": shape}, constants={kind: CONSTANTS[kind] for kind in kinds if kind in CONSTANTS})


@pytest.mark.parametrize("kinds", quick([["Relu"], ["Identity"], ["Relu", "Add", "Mul"]], 2), ids="-".join)
def test_2000_nodes_compile(tmp_path: Path, kinds: list[str]) -> None:
    compiled = mcuq.compile(saved(chain(kinds, 2000), tmp_path), board="host")
    assert check_bits(compiled, iter([random_inputs(compiled.graph, 4)]), "host").bit_exact


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Relu", "Conv"])
def test_100_000_nodes_are_refused(kind: str) -> None:
    assert refusal(chain([kind], 100_000)) == (
        "net.onnx: has 100,000 nodes, supported are 8,000 at most; give a smaller network"
    )


@pytest.mark.slow
def test_as_many_nodes_as_are_supported_compile(tmp_path: Path) -> None:
    mcuq.compile(saved(chain(["Relu"], MOST_NODES), tmp_path), board="host")


def test_names_by_number_are_the_first_that_are_free() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1,))
    builder.reserve(["c_3"])
    names = [builder.constant(random(1), "c") for _ in range(4)]
    assert names == ["c", "c_2", "c_4", "c_5"]
    nodes = [builder.nodes[builder.add(Identity(), [x], f"t{i}", "n")].name for i in range(3)]
    assert nodes == ["n", "n_2", "n_3"]
