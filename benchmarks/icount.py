"""Counts a model's instructions a second time, without anything that `mcuq profile` counts with: QEMU's -icount.

With -icount shift=0, QEMU lets each instruction take 1 ns of the machine's time (its manual, chapter "TCG Instruction
Counting"). RISC-V's minstret then is the count itself. On Cortex-M the time comes from SysTick, whose tick takes
n / d ns (lowest terms) on a machine, several instructions long. The count is exact all the same: n reads, three
instructions apart, give floor((d (t + 3 j) + c) / n) for j = 0..n-1, and where n shares no factor with d nor with 3,
the remainders of the n numerators are 0..n-1 in some order, so that the sum of the reads is d t plus a constant
(Hermite's identity). Sums before and after a call differ by d times its instructions.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile

from mcuq.boards.facts import Memory
from mcuq.build.target import build_target
from mcuq.compile import CompiledModel
from mcuq.graph.tensor import Array
from mcuq.plan.fit import STACK_BYTES

_ENTRY, _FAULT = "icount_reset", "icount_fault"


@dataclass(frozen=True)
class Machine:
    """One of QEMU's, and where it has memory; `clock_hz` is what drives SysTick (QEMU 7.2, hw/arm)."""

    name: str
    command: str
    memory: Memory
    vectors_address: int | None = None
    clock_hz: int | None = None
    options: tuple[str, ...] = ()

    @property
    def tick_ns(self) -> Fraction:
        """Time of one tick; 1 where instructions are counted directly."""
        return Fraction(1) if self.clock_hz is None else Fraction(10**9, self.clock_hz)


_MEGABYTE = 1 << 20
# Behind the vectors, which start the flash of these machines.
_MPS2 = Memory(0x1000, 4 * _MEGABYTE - 0x1000, 0x2000_0000, 4 * _MEGABYTE)
# The Cortex-M0 of the micro:bit, with more memory than that has.
_MICROBIT = Machine(
    "microbit",
    "qemu-system-arm",
    Memory(0x1000, _MEGABYTE - 0x1000, 0x2000_0000, _MEGABYTE // 4),
    0,
    16_000_000,
    ("-global", f"nrf51-soc.flash-size={_MEGABYTE}", "-global", f"nrf51-soc.sram-size={_MEGABYTE // 4}"),
)
MACHINES: Mapping[str, Machine] = {
    "cortex-m0": _MICROBIT,
    "cortex-m0plus": _MICROBIT,  # QEMU has no Cortex-M0+
    "cortex-m3": Machine("mps2-an385", "qemu-system-arm", _MPS2, 0, 25_000_000),
    "cortex-m4": Machine("mps2-an386", "qemu-system-arm", _MPS2, 0, 25_000_000),
    "cortex-m7": Machine("mps2-an500", "qemu-system-arm", _MPS2, 0, 25_000_000),
    "cortex-m33": Machine(
        "mps2-an505",
        "qemu-system-arm",
        Memory(0x1000_1000, 4 * _MEGABYTE - 0x1000, 0x3800_0000, 2 * _MEGABYTE),  # secure, as the core starts
        0x1000_0000,
        20_000_000,
    ),
    "cortex-m55": Machine(
        "mps3-an547",
        "qemu-system-arm",
        Memory(0x0100_0000, 2 * _MEGABYTE, 0x2000_0000, _MEGABYTE // 2),
        0,
        32_000_000,
    ),
    "rv32imc": Machine(
        "virt",
        "qemu-system-riscv32",
        Memory(0x8000_0000, 4 * _MEGABYTE, 0x8040_0000, 4 * _MEGABYTE),
        options=("-bios", "none"),
    ),
}


@dataclass(frozen=True)
class Count:
    """What one inference did on QEMU's machine: instructions from entry to return of the model's run function, and
    int8 outputs by name."""

    instructions: int
    outputs: Mapping[str, Array]


def count_instructions(model: CompiledModel, inputs: Mapping[str, Array]) -> Count:
    """Run the model's C on int8 inputs (each of its tensor's shape) on the machine of MACHINES for its board."""
    machine = MACHINES[model.board.name]
    board = replace(model.board, memory=machine.memory)
    sources = {
        **model.files,
        "icount.c": Path(__file__).with_name("icount.c").read_text(encoding="utf-8"),
        "icount_model.h": _header(model, machine, inputs),
    }
    built = build_target(sources, _ENTRY, (_FAULT, f"{model.name}_run"), board, stack_bytes=STACK_BYTES)
    with tempfile.TemporaryDirectory(prefix="mcuq-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command = [machine.command, "-M", machine.name, "-icount", "shift=0", *machine.options]
        command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        command += ["-semihosting-config", "enable=on,target=native", *_load(built.elf, built.symbols, machine, folder)]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode != 0:
            raise RuntimeError(f"{model.name} on {machine.name}: QEMU ended with {ended.returncode}: {ended.stderr}")
        answer = (folder / "answer.bin").read_bytes()
    nothing, whole = struct.unpack("<II", answer[:8])
    instructions, remainder = divmod(whole - nothing, machine.tick_ns.denominator)
    if remainder:
        raise AssertionError(f"{model.name} on {machine.name}: the reads sum to no whole number of instructions")
    # The call of nothing had one instruction of its own: its return.
    return Count(instructions + 1, _outputs(model, answer[8:]))


def _header(model: CompiledModel, machine: Machine, inputs: Mapping[str, Array]) -> str:
    """What icount.c must know of the model and the machine."""
    places = model.listing.accessors
    arrays, tensors = [], []
    for i, name in enumerate(model.graph.inputs):
        values = ", ".join(str(value) for value in inputs[name].reshape(-1).tolist())
        arrays.append(f"static const int8_t icount_input_{i}[] = {{{values}}};\n")
        tensors.append(f"{{{places[name]}, icount_input_{i}, sizeof icount_input_{i}}}")
    for name in model.graph.outputs:
        tensors.append(f"{{{places[name]}, NULL, {model.graph.tensors[name].size_bytes}}}")
    arguments = ", ".join(f"{places[name]}()" for name in (*model.graph.inputs, *model.graph.outputs))
    return (
        f'#include "{model.name}.h"\n'
        f"{''.join(arrays)}"
        f"#define ICOUNT_MODEL {model.name}_run\n"
        f"#define ICOUNT_CALL(run) run({arguments})\n"
        f"#define ICOUNT_TENSORS {', '.join(tensors)}\n"
        f"#define ICOUNT_READS {machine.tick_ns.numerator}\n"
    )


def _load(elf: bytes, symbols: Mapping[str, int], machine: Machine, folder: Path) -> list[str]:
    """QEMU's arguments that put the program into the machine's memory and start it."""
    entry = symbols[_ENTRY]
    arguments = []
    images: dict[int, bytes] = {}
    if machine.vectors_address is None:
        arguments += ["-device", f"loader,addr={entry:#x},cpu-num=0"]
    else:
        faults = [symbols[_FAULT] | 1] * 14
        images[machine.vectors_address] = struct.pack("<16I", symbols["mcuq_stack_top"], entry | 1, *faults)
    (folder / "program.elf").write_bytes(elf)
    with (folder / "program.elf").open("rb") as file:
        for segment in ELFFile(file).iter_segments("PT_LOAD"):
            if segment["p_filesz"] > 0:  # to p_vaddr: no startup code runs that would copy .data out of flash
                images[segment["p_vaddr"]] = segment.data()
    for address, data in images.items():
        (folder / f"{address:x}.bin").write_bytes(data)
        arguments += ["-device", f"loader,file={address:x}.bin,addr={address:#x},force-raw=on"]
    return arguments


def _outputs(model: CompiledModel, answer: bytes) -> dict[str, Array]:
    values, outputs = np.frombuffer(answer, np.int8), {}
    for name in model.graph.outputs:
        tensor = model.graph.tensors[name]
        outputs[name], values = values[: tensor.elements].reshape(tensor.shape), values[tensor.elements :]
    return outputs
