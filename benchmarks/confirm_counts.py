"""`mcuq profile`'s instructions against an independent count, for each reference network on each emulated board.

    python benchmarks/confirm_counts.py [--network NAME] [--board NAME] [--update]

prints a table and ends with 1 where two counts differ or an output byte is not the simulator's; --update writes
benchmarks/confirmed.md anew. icount.py says how QEMU counts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from icount import MACHINES, count_instructions
from kernels import NETWORKS, line
from reference_cases import case

from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel, assemble, compile_model
from mcuq.graph.simulate import simulate
from mcuq.report.profile import SAMPLE, profile_model
from mcuq.validate import probe_inputs

CONFIRMED = Path(__file__).with_name("confirmed.md")
HEADINGS = ("network", "board", "machine of QEMU", "mcuq profile", "QEMU -icount", "difference", "output bytes")
TEXT = """\
# Instructions counted twice

Written by `python benchmarks/confirm_counts.py --update`; docs/profile.md says how both counts are made. One inference
of the same input, from the entry of the model's run function to its return; output bytes are compared with the
simulator's. Not one figure is rounded: a difference of 0 is one of no instruction.

"""


@dataclass(frozen=True)
class Confirmation:
    """Both counts of one inference, and whether QEMU gave the simulator's bytes."""

    network: str
    board: str
    profiled: int
    counted: int
    is_bit_exact: bool

    @property
    def is_confirmed(self) -> bool:
        """Whether there is no difference of any kind."""
        return self.profiled == self.counted and self.is_bit_exact

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        counts = (self.profiled, self.counted, self.profiled - self.counted)
        machine = MACHINES[self.board].name
        return (self.network, self.board, machine, *(f"{n:,}" for n in counts), "equal" if self.is_bit_exact else "not")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--board", action="append", choices=sorted(MACHINES))
    parser.add_argument("--update", action="store_true", help="write the table anew")
    options = parser.parse_args()
    if options.update and (options.network or options.board):
        parser.error("--update writes all networks and boards")
    head = [line(HEADINGS), line(("---", "---", "---", *("---:",) * 3, "---"))]
    print(*head, sep="\n")
    found = []
    for network in options.network or NETWORKS:
        for row in confirm(network, options.board or sorted(MACHINES)):
            print(line(row.cells), flush=True)
            found.append(row)
    if options.update:
        CONFIRMED.write_text(TEXT + "\n".join([*head, *(line(row.cells) for row in found)]) + "\n", encoding="utf-8")
    sys.exit(not all(row.is_confirmed for row in found))


def confirm(network: str, boards: Sequence[str]) -> Iterator[Confirmation]:
    """Count the network, quantized once, on each board."""
    data = case(network)
    model = compile_model(data.onnx, boards[0], data.x_calibration, network)
    for board in boards:
        yield confirm_model(
            assemble(model.graph, load_board(board), network, model.onnx_model, model.origin, model.pruned)
        )


def confirm_model(model: CompiledModel) -> Confirmation:
    """Count one inference of the input that `mcuq profile` takes."""
    inputs = {name: samples[SAMPLE] for name, samples in probe_inputs(model.graph).items()}
    want = simulate(model.graph, {name: x[None] for name, x in inputs.items()})
    count = count_instructions(model, inputs)
    is_bit_exact = all((count.outputs[name] == want[name][0]).all() for name in model.graph.outputs)
    profiled = profile_model(model).instructions
    return Confirmation(model.name, model.board.name, profiled, count.instructions, is_bit_exact)


if __name__ == "__main__":
    main()
