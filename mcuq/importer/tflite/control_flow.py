"""IF: the operators of its branches among those around it.

Where the condition is computed both branches are, and one result is taken: no operator has an effect but its result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mcuq.importer.both_branches import both_branches
from mcuq.importer.tflite.network import ABSENT, Network, Operator
from mcuq.importer.tflite.operator import Op
from mcuq.importer.tflite.writer import Writer

# A branch that is within itself, or more of them than anybody would write, would never end.
_DEEPEST = 8


class Branches:
    """Writes IF; `write` does it for the operators of a branch, of the kinds `stateful` none may be one."""

    def __init__(
        self, network: Network, writer: Writer, write: Callable[[Operator], None], stateful: Sequence[str]
    ) -> None:
        self._network, self._writer, self._write, self._stateful = network, writer, write, stateful
        self._within: list[int] = []
        self.notes: list[str] = []  # what the file's user has to know

    def __call__(self, op: Op, operator: Operator) -> list[str]:
        """The real values of its outputs. Raises Refusal."""
        numbers = [int(operator.read("IfOptions", f"{side}SubgraphIndex")) for side in ("Then", "Else")]
        condition = op.input(0).data
        if condition is not None:
            return self._results(op, operator, numbers[not condition.any()])
        taken, other = (self._results(op, operator, number) for number in numbers)
        if len(taken) != len(other):
            raise op.error(f"has branches of {len(taken)} and {len(other)} outputs")
        self.notes.append(both_branches("IF", op.name))
        return [op.write("Where", [op.x(0), a, b]) for a, b in zip(taken, other, strict=True)]

    def _results(self, op: Op, operator: Operator, number: int) -> list[str]:
        branch = self._network.subgraph(number)
        if number in self._within or len(self._within) == _DEEPEST:
            raise op.error(f"lies in branches of branches; at most {_DEEPEST} of them may, and none within itself")
        if any(each.kind in self._stateful for each in branch.operators):
            raise op.error("has a branch that reads or changes variables; only values may depend on its condition")
        if len(branch.inputs) != op.count - 1:
            raise op.error(f"has {op.count - 1} inputs for a branch of {len(branch.inputs)}")
        writer, first = self._writer, len(self._writer.tensors)
        for tensor in branch.tensors:
            writer.tensors.append(replace(tensor, name=writer.fresh(f"{op.name}/{tensor.name}")))
        for index, own in enumerate(branch.inputs):
            given = op.input(index + 1)
            if given.data is not None:  # a constant, which operators may need to know
                writer.tensors[first + own] = replace(
                    writer.tensors[first + own], data=given.data, quantization=given.quantization
                )
            else:
                writer.stand_for(first + own, op.x(index + 1))
        self._within.append(number)
        for each in branch.operators:
            moved = [[i if i == ABSENT else first + i for i in ends] for ends in (each.inputs, each.outputs)]
            self._write(replace(each, inputs=moved[0], outputs=moved[1]))
        self._within.pop()
        results = [first + i for i in branch.outputs]
        outputs = [op.output(i) for i in range(len(results))]
        for index, output in zip(results, outputs, strict=True):
            if (shape := writer.tensors[index].shape) != output.shape:
                raise op.error(f"gives shape {list(output.shape)} by a branch that gives {list(shape)}")
        return [writer.real(index) for index in results]
