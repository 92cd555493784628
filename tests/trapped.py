"""Runs of a model on QEMU's Cortex-M machines with unaligned accesses trapped, as CCR.UNALIGN_TRP does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel
from mcuq.emulate.qemu_cpu import QemuModel, QemuProgram
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import join_tensors

# Armv7-M ARM B3.2.8: the Configuration and Control Register, UNALIGN_TRP is bit 3
TRAP = '*(volatile uint32_t *)0xe000ed14u |= 8u; __asm__ volatile("isb");'
# What compilers may be told for such CPUs; __ARM_FEATURE_UNALIGNED is then not defined.
STRICT = ("-mno-unaligned-access",)
# newlib's functions, whose memcpy takes words from any address, in place of those of firmware/memory.c: they are linked
# first, and the second ones are let pass.
NEWLIB = (*(f"-Wl,-u,{name}" for name in ("memcpy", "memmove", "memset", "memcmp")), "-lc", "-Wl,-z,muldefs")


def trapped_board(name: str = "mps2-an386", flags: Sequence[str] = ()) -> Board:
    """A board of QEMU (default: its Cortex-M4) with more flags for the compiler, for QemuProgram."""
    board = load_board(name)
    assert board.memory is not None
    if board.qemu is None:
        return replace(board, cpu=replace(board.cpu, gcc_flags=(*board.cpu.gcc_flags, *flags)))
    machine, gcc_flags = board.qemu.machine, (*board.cpu.gcc_flags, *flags)
    cpu = replace(board.cpu, unicorn_model=None, qemu_machine=machine, gcc_flags=gcc_flags)
    # The program stands behind the vectors, which are at 0.
    memory = replace(board.memory, flash_address=board.memory.flash_address + 0x100)
    return replace(board, cpu=cpu, memory=memory)


def run_trapped(
    model: CompiledModel, inputs: Mapping[str, Array], stack_bytes: int = 8192, then: str = ""
) -> list[bytes]:
    """All outputs of each sample of inputs (samples, *shape), one after the other; BuildError where it faults.

    The model is one for `trapped_board`; `then` is C that runs when the trap is set.
    """
    call = f"    {model.name}_run_in("
    source = model.files[f"{model.name}.c"]
    assert source.count(call) == 1
    files = {**model.files, f"{model.name}.c": source.replace(call, f"    {TRAP}\n    {then}\n{call}")}
    graph, places = model.graph, model.listing.accessors
    ports = [{places[n]: graph.tensors[n].size_bytes for n in side} for side in (graph.inputs, graph.outputs)]
    program = QemuProgram(files, QemuModel(model.name, *ports), model.board, stack_bytes)
    samples = len(next(iter(inputs.values())))
    given = [join_tensors({n: inputs[n][i] for n in graph.inputs}, graph.inputs) for i in range(samples)]
    return list(program.run(given).answers)


def simulated(model: CompiledModel, inputs: Mapping[str, Array]) -> list[bytes]:
    """What the simulator gives for them."""
    wanted = simulate(model.graph, inputs)
    samples = len(next(iter(inputs.values())))
    return [b"".join(np.ascontiguousarray(wanted[n][i]).tobytes() for n in model.graph.outputs) for i in range(samples)]
