"""Runs one sample on a device with a pause after each layer, and finds the first that is not the simulator's."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from mcuq.compile import CompiledModel
from mcuq.device.exchange import StatusError
from mcuq.device.messages import Status
from mcuq.device.session import Session
from mcuq.errors import DeviceError
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import run_layers
from mcuq.graph.states import BEFORE, states_in
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import differing_bytes, split_tensors

RESTARTS = 4
# What a device answers after a reset: it holds no input, or is not paused.
_AFTER_RESET = (Status.WRONG_INPUT, Status.WRONG_STATE, Status.NO_RESULT)


@dataclass(frozen=True)
class LayerMismatch:
    """The first byte that differs of the first layer that does: where, what the simulator says, what the device has."""

    layer: str
    op: str
    index: int
    want: float
    got: float

    def __str__(self) -> str:
        return f"{self.op} '{self.layer}', element {self.index}: want {self.want}, got {self.got}"


def first_wrong_layer(model: CompiledModel, session: Session, inputs: bytes) -> LayerMismatch | None:
    """None where every layer's output is right, this time. `inputs` are all input bytes, inputs in order.

    Raises DeviceError where the device is reset again and again, or does not answer.
    """
    given = _batch_of_one(model.wire, inputs)
    if model.graph.states:
        given = {**given, **states_in(model.graph, given.pop(BEFORE)[0])}
    values = run_layers(model.graph, model.from_given(given), keep_all=True)
    for _ in range(RESTARTS):
        try:
            found = _walk(session, model, values, inputs)
            if found is not None:
                session.resume()  # refused where the device was reset, and what was read lay in a fresh arena
            return found
        except StatusError as error:
            if error.status not in _AFTER_RESET:
                raise
    raise DeviceError(f"{session.link.name}: the device was reset {RESTARTS} times in a row; check its supply")


def _walk(session: Session, model: CompiledModel, values: dict[str, Array], inputs: bytes) -> LayerMismatch | None:
    session.end_pause()
    session.write_input(inputs)
    for number, (layer, listed) in enumerate(model.coded_layers):
        if number == 0:
            session.run(zlib.crc32(inputs), pause_after=0)
        else:
            session.resume(pause_after=number)
        if listed.output_offset is None:
            continue  # of its output some rows are held at a time
        want = values[layer.output.name].reshape(-1)
        got = np.frombuffer(session.read_arena(listed.output_offset, layer.output.size_bytes), want.dtype)
        different = np.flatnonzero(differing_bytes(want, got).any(axis=1))
        if different.size:
            index = int(different[0])
            return LayerMismatch(layer.name, type(layer.op).__name__, index, want[index].item(), got[index].item())
    session.end_pause()
    return None


def _batch_of_one(graph: Graph, inputs: bytes) -> dict[str, Array]:
    return {name: value[None] for name, value in split_tensors(inputs, graph, graph.inputs).items()}
