"""Variables of streaming TensorFlow Lite files: inputs and outputs, which the caller passes on from run to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tflite_models import FAST, Node, T, check_mutants, constant, interpret, write

import mcuq
from mcuq.errors import McuqError
from mcuq.graph.simulate import run_layers
from mcuq.importer import import_model
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize
from mcuq.quantize import quantize_graph

HANDLE = T((), "resource")
FRAMES, KEPT, CHANNELS = 2, 3, 4


def handle(name: str, output: str) -> Node:
    return Node("VAR_HANDLE", [], [output], "VarHandleOptions", {"sharedName": name})


def named(**handles: str) -> list[Node]:
    return [handle(name, output) for output, name in handles.items()]


READ = Node("READ_VARIABLE", ["h"], ["before"], "ReadVariableOptions")
ASSIGN = Node("ASSIGN_VARIABLE", ["h", "after"], [], "AssignVariableOptions")
ONCE = Node("CALL_ONCE", [], [], "CallOnceOptions", {"initSubgraphIndex": 1})


def begins(value: T, name: str = "ring", *more: Node) -> tuple[Mapping[str, T], Sequence[Node]]:
    """The subgraph that gives the variable its first value."""
    return {"i": HANDLE, "first": value}, [
        handle(name, "i"),
        *more,
        Node("ASSIGN_VARIABLE", ["i", "first"], [], "AssignVariableOptions"),
    ]


def streaming(once: Any = None, nodes: Sequence[Node] = (), **others: T) -> bytes:
    """A layer over the last frames: those kept, and those that come."""
    rng = np.random.default_rng(0)
    joined = KEPT + FRAMES
    tensors = {
        "h": HANDLE,
        "x": T((1, FRAMES, CHANNELS)),
        "before": T((1, KEPT, CHANNELS)),
        "joined": T((1, joined, CHANNELS)),
        "b": constant(np.array([0, FRAMES, 0], np.int32)),
        "n": constant(np.array([1, KEPT, CHANNELS], np.int32)),
        "after": T((1, KEPT, CHANNELS)),
        "w": constant(rng.normal(size=(3, joined * CHANNELS)).astype(np.float32)),
        "y": T((1, 3)),
        **others,
    }
    middle = [
        Node("CONCATENATION", ["before", "x"], ["joined"], "ConcatenationOptions", {"axis": 1}),
        Node("SLICE", ["joined", "b", "n"], ["after"], "SliceOptions"),
        ASSIGN,
        Node("FULLY_CONNECTED", ["joined", "w", ""], ["y"], "FullyConnectedOptions"),
    ]
    once = begins(constant(np.zeros((1, KEPT, CHANNELS), np.float32))) if once is None else once
    return write(tensors, nodes or [ONCE, handle("ring", "h"), READ, *middle], once=once)


def integers() -> bytes:
    """The same in int8; it begins with 0, which is 7."""
    rng = np.random.default_rng(1)
    quant = {"scale": 0.05, "zero_point": 7}
    shapes = {"x": FRAMES, "before": KEPT, "joined": KEPT + FRAMES, "after": KEPT}
    others = {name: T((1, n, CHANNELS), "int8", 0.05, 7) for name, n in shapes.items()}
    others["w"] = constant(rng.integers(-127, 128, (3, (KEPT + FRAMES) * CHANNELS)).astype(np.int8), scale=0.01)
    others["y"] = T((1, 3), "int8", 0.2, -3)
    return streaming(begins(constant(np.full((1, KEPT, CHANNELS), 7, np.int8), **quant)), **others)


def test_a_stream_of_floats() -> None:
    file = streaming()
    graph = optimize(import_model(file)[0])
    assert list(graph.inputs) == ["x", "ring"]
    assert list(graph.outputs) == ["y", "ring.next"]
    runtime = FloatModel(write_onnx(graph))
    x = np.random.default_rng(2).normal(size=(10, 1, FRAMES, CHANNELS)).astype(np.float32)
    ring = np.zeros((1, KEPT, CHANNELS), np.float32)
    for frames, wanted in zip(x, interpret(file, {"x": x}, FAST)["y"], strict=True):
        got = runtime.run({"x": frames, "ring": ring})
        np.testing.assert_allclose(got["y"], wanted, rtol=1e-5, atol=1e-5)
        ring = got["ring.next"]


def test_a_stream_of_integers() -> None:
    file = integers()
    graph = quantize_graph(optimize(import_model(file)[0]), {})
    assert graph.tensors["ring"].quant == graph.tensors["ring.next"].quant == graph.tensors["x"].quant
    x = np.random.default_rng(2).integers(-128, 128, (50, 1, FRAMES, CHANNELS)).astype(np.int8)
    ring = np.full((1, 1, KEPT, CHANNELS), 7, np.int8)
    for frames, wanted in zip(x, interpret(file, {"x": x}, FAST)["y"], strict=True):
        got = run_layers(graph, {"x": frames[None], "ring": ring})
        np.testing.assert_array_equal(got["y"][0], wanted)
        ring = got["ring.next"]


def test_compile_says_what_is_to_be_passed_on() -> None:
    model = mcuq.compile(integers(), "host")
    assert model.origin.notes == (
        "'ring' is a variable: what the output 'ring.next' gives is to be given to the input 'ring' in the next run; "
        "in the first one it is 0",
    )


def test_a_variable_is_read_as_it_was_assigned() -> None:
    """Assigned x, read, doubled: y; read before, too, which is an input."""
    tensors = {"h": HANDLE, "before": T((1, 4)), "x": T((1, 4)), "again": T((1, 4)), "y": T((1, 4)), "z": T((1, 4))}
    assign = replace(ASSIGN, inputs=["h", "x"])
    nodes = [
        ONCE,
        handle("ring", "h"),
        READ,
        Node("ADD", ["before", "x"], ["z"], "AddOptions"),
        assign,
        replace(READ, outputs=["again"]),
        Node("ADD", ["again", "again"], ["y"], "AddOptions"),
    ]
    file = write(tensors, nodes, outputs=["y", "z"], once=begins(constant(np.ones((1, 4), np.float32))))
    runtime = FloatModel(write_onnx(optimize(import_model(file)[0])))
    x = np.random.default_rng(2).normal(size=(5, 1, 4)).astype(np.float32)
    wanted, ring = interpret(file, {"x": x}), np.ones((1, 4), np.float32)
    for index, value in enumerate(x):
        got = runtime.run({"x": value, "ring": ring})
        for name in "yz":
            np.testing.assert_allclose(got[name], wanted[name][index], rtol=1e-6)
        ring = got["ring.next"]
    assert mcuq.compile(file, "host", scheme="float32").origin.notes[0].endswith("in the first one it is 1")


def refusal(file: bytes) -> str:
    with pytest.raises(McuqError) as caught:
        import_model(file)
    return str(caught.value)


def only(*nodes: Node, once: Any = None, **others: T) -> bytes:
    """Operators on a variable of four values; y is -x."""
    tensors = {"h": HANDLE, "x": T((1, 4)), "before": T((1, 4)), "after": T((1, 4)), "y": T((1, 4)), **others}
    last = [Node("NEG", ["x"], ["y"], "NegOptions"), Node("ABS", ["x"], ["after"], "AbsOptions")]
    return write(tensors, [*last, *nodes], once=once)


ABS = Node("ABS", ["first"], ["first"], "AbsOptions")
REFUSED: Mapping[str, tuple[bytes, str]] = {
    "another beginning": (
        only(ONCE, once=begins(constant(np.zeros((1, 4), np.float32)), "ring", ABS)),
        "model: begins with ABS in the subgraph of CALL_ONCE; supported are variables that begin with constants",
    ),
    "a beginning that is computed": (
        only(ONCE, once=begins(T((1, 4)))),
        "model: begins with ASSIGN_VARIABLE in the subgraph of CALL_ONCE; supported are variables that begin with "
        "constants",
    ),
    "several first values": (
        only(ONCE, handle("v", "h"), READ, ASSIGN, once=begins(constant(np.arange(4, dtype=np.float32)[None]), "v")),
        "model: variable 'v' begins with several values; supported is one",
    ),
    "two quantizations": (
        only(handle("v", "h"), READ, ASSIGN, before=T((1, 4), "int8", 0.5), after=T((1, 4), "int8", 0.25)),
        "model: variable 'v' is read and assigned in two quantizations or shapes; convert the model again, with one",
    ),
    "two types": (
        only(handle("v", "h"), READ, ASSIGN, before=T((1, 4), "int8", 0.5)),
        "model: variable 'v' is read and assigned in two quantizations or shapes; convert the model again, with one",
    ),
    "never assigned": (
        only(handle("v", "h"), READ),
        "model: variable 'v' is never assigned; make it a constant",
    ),
    "without a name": (only(READ), "model: invalid graph: a variable is used before VAR_HANDLE names it"),
    "an assignment of nothing": (
        only(handle("v", "h"), replace(ASSIGN, inputs=["h"])),
        "model: invalid graph: ASSIGN_VARIABLE has 1 tensors for 2",
    ),
    "no such subgraph": (
        only(ONCE),
        "model: is cut short or damaged (it has no graph 1), @ bytes; convert or copy it again",
    ),
}


@pytest.mark.slow
def test_many_damaged_streams_are_read_or_refused() -> None:
    check_mutants(integers(), 1500, 3)


@pytest.mark.parametrize("name", REFUSED)
def test_a_variable_is_refused(name: str) -> None:
    file, text = REFUSED[name]
    assert refusal(file) == text.replace("@", str(len(file)))
