"""What a listing says of the C is what the C holds, and equal constants are emitted once."""

from __future__ import annotations

import ctypes
import re
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
from support import check_c, model_of, with_ranges

from mcuq.build.shared_library import build_library
from mcuq.compile import CompiledModel
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.lower import lower
from mcuq.ops.concat import Concat
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.reshape import Reshape
from mcuq.report.profile import with_functions_apart


def _twins() -> Graph:
    """Two equal fully connected layers one after the other, joined with their input."""
    weight = np.linspace(-1, 1, 49, dtype=np.float32).reshape(7, 7)
    builder = GraphBuilder("twins")
    x = builder.input("x", (1, 7))
    constants = [builder.constant(weight), builder.constant(np.zeros(7, np.float32))]
    a = builder.add(FullyConnected(), [x, *constants], name="a")
    b = builder.add(FullyConnected(), [x, *constants], name="b", output="b")
    z = builder.add(Reshape((7, 1)), [builder.add(HardSwish(), [a], name="swish")], name="view")
    builder.outputs += [z, builder.add(Concat(1), [x, b], name="join")]
    return with_ranges(builder.graph())


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return model_of(_twins(), "host", "net")


def _constants(text: str) -> Mapping[str, np.ndarray]:
    """The arrays of constants as the C file has them."""
    found = re.findall(r"^static const (\w+)_t (\w+)\[\d+\] MCUQ_WEIGHTS = \{\n(.*?)\n\};", text, re.M | re.S)
    return {name: np.array(values.split(","), np.int64).astype(kind) for kind, name, values in found}


def test_layers_and_calls_are_listed_in_order_without_views(model: CompiledModel) -> None:
    layers = model.listing.layers
    assert [layer.name for layer in layers] == ["a", "swish", "b", "join_2"]
    assert [len(layer.calls) for layer in layers] == [1, 1, 1, 2]
    assert layers[1].calls[0].function == "net_swish"
    assert layers[1].calls[0].arrays == ("net_swish_table",)
    assert [layer.source or layer.name for layer, _ in model.coded_layers] == ["a", "swish", "b", "join"]


def test_lines_are_those_of_the_file(model: CompiledModel) -> None:
    lines = model.files["net.c"].split("\n")
    for name, line in model.listing.functions.items():
        assert lines[line - 1].startswith(f"static void {name}("), name
    for layer in model.listing.layers:
        for call in layer.calls:
            assert lines[call.line - 1].endswith(");")
            start = next(i for i in range(call.line - 1, 0, -1) if lines[i].strip() == f"/* {layer.name} */")
            assert f"    {call.function}(" in lines[start + 1]


def test_arrays_are_listed_with_their_bytes_and_crc(model: CompiledModel) -> None:
    found = _constants(model.files["net.c"])
    assert dict(model.listing.arrays) == {name: values.nbytes for name, values in found.items()}
    assert sum(model.listing.arrays.values()) == model.constant_bytes
    assert model.listing.constants_crc == zlib.crc32(b"".join(values.tobytes() for values in found.values()))


def test_the_digest_and_the_stack_are_those_of_the_header(model: CompiledModel) -> None:
    header = model.files["net.h"]
    assert f"#define NET_DIGEST 0x{model.listing.digest:08x}u\n" in header
    assert f"#define NET_STACK_BYTES {model.listing.stack_bytes}\n" in header


def test_offsets_are_where_the_c_has_inputs_and_outputs(model: CompiledModel) -> None:
    library = build_library(model.files["net.c"].replace('#include "net.h"', model.files["net.h"]))
    places = {tensor: getattr(library, name) for tensor, name in model.listing.accessors.items()}
    for place in places.values():
        place.restype = ctypes.c_size_t
    start = min(place() for place in places.values())
    offsets = {layer.output.name: listed.output_offset for layer, listed in model.coded_layers}
    outputs = {name: place() - start for name, place in places.items() if name in offsets}
    assert outputs
    least = min(offsets[name] for name in outputs) - min(outputs.values())
    assert {name: offsets[name] - least for name in outputs} == outputs


def test_functions_are_kept_apart_and_nothing_else_changes(model: CompiledModel) -> None:
    text = model.files["net.c"]
    apart = with_functions_apart(text, model.listing)
    assert apart.startswith("#if defined(__clang__)\n#define MCUQ_APART __attribute__((noinline))\n")
    assert apart.replace("static MCUQ_APART void ", "static void ").endswith(text)
    heads = [line for line in apart.split("\n") if line.startswith("static MCUQ_APART void ")]
    assert [head.removeprefix("static MCUQ_APART void ").partition("(")[0] for head in heads] == [
        *model.listing.functions
    ]


def test_equal_constants_are_emitted_once_and_counted_once() -> None:
    graph = _twins()
    model = model_of(graph, "host", "net")
    assert "net_a_weight" in model.listing.arrays
    assert "net_b_weight" not in model.listing.arrays
    assert model.listing.layers[2].calls[0].arrays[0] == "net_a_weight"
    everything = sum(a.nbytes for s in lower(graph).steps for c in s.calls for a in c.arrays.values())
    assert model.constant_bytes < everything
    check_c(graph, "host")


def test_equal_bytes_of_another_type_stay_apart() -> None:
    zeros = GraphBuilder("zeros")
    x = zeros.input("x", (1, 4))
    weight, bias = zeros.constant(np.zeros((1, 4), np.float32)), zeros.constant(np.zeros(1, np.float32))
    zeros.outputs.append(zeros.add(FullyConnected(), [x, weight, bias], name="y"))
    text = model_of(with_ranges(zeros.graph()), "host", "net").files["net.c"]
    assert "static const int8_t net_y_weight[4]" in text
    assert "static const int32_t net_y_bias[1]" in text
