"""A compiled model as the network of a device model: its layers run by the simulator, in an arena as planned."""

from __future__ import annotations

import re

import numpy as np
from device_model import Arena, Network

from mcuq.compile import CompiledModel
from mcuq.graph.operator import Layer
from mcuq.lower import lower
from mcuq.plan import plan_rows


def network_of(model: CompiledModel, spoiled: dict[str, tuple[int, int]] | None = None) -> Network:
    """`spoiled`: layer -> (element of its output, what is added to it)."""
    features = model.board.cpu.features
    program, plan = plan_rows(lower(model.graph, features, model.optimize), features)
    wrong = spoiled or {}

    def place(name: str) -> tuple[int, int]:
        return plan.offset_of(name), model.graph.tensors[name].size_bytes

    def run(layer: Layer, arena: Arena) -> None:
        arguments = []
        for t in layer.inputs:
            if t.is_constant:
                arguments.append(t.values)
            else:
                offset, n = place(t.name)
                arguments.append(np.frombuffer(bytes(arena[offset : offset + n]), np.int8).reshape(1, *t.shape))
        offset, n = place(layer.output.name)
        output = bytearray(layer.op.simulate(layer, arguments).astype(np.int8).tobytes())
        if layer.name in wrong:
            element, difference = wrong[layer.name]
            output[element] = (output[element] + difference) % 256
        arena[offset : offset + n] = output

    layers = [layer for layer, _ in model.coded_layers]  # bytes of the others lie in their places already
    constants = b"".join(
        np.ascontiguousarray(array).tobytes()
        for array in {
            (array.dtype.name, array.tobytes()): array
            for step in program.steps
            for call in step.calls
            for array in call.arrays.values()
        }.values()
    )
    digest = re.search(r"_DIGEST (0x\w+)u", model.files[f"{model.name}.h"])
    assert digest is not None
    return Network(
        model.name,
        int(digest[1], 16),
        model.arena_bytes,
        [place(name) for name in model.graph.inputs],
        [place(name) for name in model.graph.outputs],
        [lambda arena, layer=layer: run(layer, arena) for layer in layers],
        constants,
    )


def payload_for(network: Network) -> int:
    """The smallest that lets INFER pass."""
    return max(192, network.input_bytes, 5 + network.output_bytes)
