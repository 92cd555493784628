"""What Unicorn, the calling convention and the encoding of an instruction set ask of `unicorn_cpu`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcuq.boards.facts import Board
from mcuq.emulate.block_counts import count_riscv_instructions, count_thumb_instructions


@dataclass(frozen=True)
class UnicornIsa:
    """An instruction set.

    `constants` is the module with Unicorn's names of it, `architecture`, `modes`, `cpu_prefix` and the registers
    are such names. `arguments` are the registers of a call's first words; the first of them holds the result
    too. `code_bit` is added to an address of code that is jumped to.
    """

    constants: str
    architecture: str
    modes: tuple[str, ...]
    cpu_prefix: str
    arguments: tuple[str, ...]
    stack_pointer: str
    link: str
    program_counter: str
    stack_alignment: int
    code_bit: int
    count_instructions: Callable[[bytes], int]


# Procedure Call Standard for the Arm Architecture (AAPCS32).
THUMB = UnicornIsa(
    constants="unicorn.arm_const",
    architecture="UC_ARCH_ARM",
    modes=("UC_MODE_THUMB", "UC_MODE_MCLASS"),
    cpu_prefix="UC_CPU_ARM_",
    arguments=tuple(f"UC_ARM_REG_R{i}" for i in range(4)),
    stack_pointer="UC_ARM_REG_SP",
    link="UC_ARM_REG_LR",
    program_counter="UC_ARM_REG_PC",
    stack_alignment=8,
    code_bit=1,
    count_instructions=count_thumb_instructions,
)

# RISC-V ABIs Specification 1.0, integer calling convention.
RISCV32 = UnicornIsa(
    constants="unicorn.riscv_const",
    architecture="UC_ARCH_RISCV",
    modes=("UC_MODE_RISCV32",),
    cpu_prefix="UC_CPU_RISCV32_",
    arguments=tuple(f"UC_RISCV_REG_A{i}" for i in range(8)),
    stack_pointer="UC_RISCV_REG_SP",
    link="UC_RISCV_REG_RA",
    program_counter="UC_RISCV_REG_PC",
    stack_alignment=16,
    code_bit=0,
    count_instructions=count_riscv_instructions,
)


def isa_of(board: Board) -> UnicornIsa:
    """The instruction set of the board's CPU."""
    return RISCV32 if board.cpu.target.startswith("riscv32") else THUMB
