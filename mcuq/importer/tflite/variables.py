"""Variables of streaming models: each becomes an input, its value before a run, and an output, its value behind it.

A variable is a resource that VAR_HANDLE names; READ_VARIABLE and ASSIGN_VARIABLE work on it, and the subgraph of
CALL_ONCE gives what it begins with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array
from mcuq.importer.tflite.network import ABSENT, Network, Operator, Tensor
from mcuq.importer.tflite.writer import Writer


class Variables:
    """The variables of a network that is being written, by name."""

    def __init__(self, network: Network, writer: Writer, name: str) -> None:
        self._network, self._writer, self._file = network, writer, name
        self._handles: dict[int, str] = {}  # tensor -> the variable that it stands for
        self._begins: dict[str, Array] = {}
        self._inputs: dict[str, Tensor] = {}
        self._current: dict[str, int] = {}  # variable -> tensor that it was assigned last
        self.kinds: Mapping[str, Callable[[Operator], None]] = {
            "ASSIGN_VARIABLE": self._assign,
            "CALL_ONCE": self._begin,
            "READ_VARIABLE": self._read,
            "VAR_HANDLE": self._name,
        }

    def _name(self, operator: Operator) -> None:
        (handle,) = self._count(operator.outputs, 1, operator)
        self._handles[handle] = _shared_name(operator)

    def _begin(self, operator: Operator) -> None:
        """Take in what a subgraph of assignments of constants assigns."""
        inner = self._network.subgraph(operator.read("CallOnceOptions", "InitSubgraphIndex"))
        handles: dict[int, str] = {}
        for own in inner.operators:
            if own.kind == "VAR_HANDLE":
                (handle,) = self._count(own.outputs, 1, own)
                handles[handle] = _shared_name(own)
                continue
            value = None
            if own.kind == "ASSIGN_VARIABLE":
                handle, index = self._count(own.inputs, 2, own)
                value = inner.tensors[index].data
            if value is None or handle not in handles:
                raise ModelError(
                    f"{self._file}: begins with {own.kind} in the subgraph of CALL_ONCE; supported are variables that "
                    "begin with constants"
                )
            self._begins[handles[handle]] = value

    def _read(self, operator: Operator) -> None:
        (handle,), (output,) = self._count(operator.inputs, 1, operator), self._count(operator.outputs, 1, operator)
        variable, tensor = self._variable(handle), self._writer.tensors[output]
        if variable in self._current:
            self._writer.give(output, self._writer.real(self._current[variable]))
            return
        if variable not in self._inputs:
            self._inputs[variable] = replace(tensor, name=self._writer.fresh(variable))
        self._writer.give_input(output, self._inputs[variable])

    def _assign(self, operator: Operator) -> None:
        handle, index = self._count(operator.inputs, 2, operator)
        self._current[self._variable(handle)] = index

    def _variable(self, handle: int) -> str:
        if handle not in self._handles:
            raise ModelError(f"{self._file}: invalid graph: a variable is used before VAR_HANDLE names it")
        return self._handles[handle]

    def _count(self, indices: Sequence[int], count: int, operator: Operator) -> Sequence[int]:
        if len(indices) != count or ABSENT in indices:
            raise ModelError(f"{self._file}: invalid graph: {operator.kind} has {len(indices)} tensors for {count}")
        return indices

    def outputs(self) -> list[str]:
        """Make the variables' last values outputs of the model; returns a line on each for the user."""
        notes = []
        for variable, tensor in self._inputs.items():
            index = self._current.get(variable)
            if index is None:
                raise ModelError(f"{self._file}: variable '{variable}' is never assigned; make it a constant")
            last = self._writer.tensors[index]
            if (last.shape, last.type) != (tensor.shape, tensor.type) or not _same(last, tensor):
                raise ModelError(
                    f"{self._file}: variable '{variable}' is read and assigned in two quantizations or shapes; convert "
                    "the model again, with one"
                )
            output = self._writer.give_output(index, f"{tensor.name}.next")
            notes.append(
                f"'{tensor.name}' is a variable: what the output '{output}' gives is to be given to the input "
                f"'{tensor.name}' in the next run; in the first one it is {self._first(variable, tensor)}"
            )
        return notes

    def _first(self, variable: str, tensor: Tensor) -> str:
        value = self._begins.get(variable, np.zeros(1, np.float32))
        if np.unique(value).size != 1:
            raise ModelError(f"{self._file}: variable '{variable}' begins with several values; supported is one")
        first = float(value.reshape(-1)[0])
        if tensor.quantization is not None and variable in self._begins:
            first = (first - float(tensor.quantization.zero_point[0])) * float(tensor.quantization.scale[0])
        return f"{first:g}"


def _shared_name(operator: Operator) -> str:
    return str(operator.read("VarHandleOptions", "SharedName") or b"", "utf-8", "replace") or "variable"


def _same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have one quantization."""
    if a.quantization is None or b.quantization is None:
        return a.quantization is b.quantization
    return bool(
        np.array_equal(a.quantization.scale, b.quantization.scale)
        and np.array_equal(a.quantization.zero_point, b.quantization.zero_point)
    )
