"""Clock cycles of basic blocks from a core's documented instruction timings; memory without wait states.

A core has a model only where its figures were held against hardware (docs/profile.md).
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mcuq.errors import BuildError


@dataclass(frozen=True)
class BlockCycles:
    """Cycles of one run of a block that goes on to the code behind it, and how many more it takes where its last
    instruction is a conditional jump and is taken."""

    cycles: int
    left_cycles: int


@dataclass(frozen=True)
class CycleModel:
    """`source` is the document with the timings; `block(code, address)` applies them to a basic block."""

    source: str
    block: Callable[[bytes, int], BlockCycles]


def cycle_model(core: str) -> CycleModel | None:
    """The model of a core, or None where no evidence says how far to trust one. Raises BuildError without Capstone."""
    model = _MODELS.get(core)
    if model is not None:
        _capstone()
    return model


_REFILL = 2  # of the pipeline behind a jump: 1 to 3, by the target's alignment and how early it is known
_OWN_CYCLES = {
    **dict.fromkeys(("tbb", "tbh"), 2),
    **dict.fromkeys(("sdiv", "udiv"), 12),  # 2 to 12, by the operands
    **dict.fromkeys(("vdiv", "vsqrt"), 14),
    **dict.fromkeys(("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms"), 3),
}
_JUMPS = ("b", "bl", "bx", "blx", "cbz", "cbnz", "tbb", "tbh")
_SINGLE_TRANSFER = re.compile(r"v?(ldr|str)(b|h|sb|sh)?t?")
_MULTIPLE_TRANSFER = re.compile(r"ldrd|strd|v?(ldm|stm)(ia|db)?|v?(push|pop)")


def _cortex_m4_block(code: bytes, address: int) -> BlockCycles:
    """Cortex-M4 technical reference manual (Arm DDI 0439, now Arm 100166), tables 3-1 and 7-1, and section 3.3.3 on
    pairs of loads; without that section's stalls for addresses just computed and for words that are not aligned.

    An instruction in an IT block counts as if its condition held.
    """
    cycles = left_cycles = 0
    loaded: int | None = None  # the register that the instruction before, a single load, has written
    for instruction in _disassembler().disasm(code, address):
        name = instruction.mnemonic.split(".")[0]
        is_conditional = instruction.cc != _capstone().arm.ARM_CC_AL and not name.startswith("it")
        name = name[:-2] if is_conditional else name
        own, written = _OWN_CYCLES.get(name, 1), None
        if _SINGLE_TRANSFER.fullmatch(name):
            own, written = _single_transfer(instruction, name, loaded)
        elif _MULTIPLE_TRANSFER.fullmatch(name):
            own = 1 + _words(instruction, name)
        elif name == "vmov" and _is_vmov_of_core_registers(instruction):
            own = 2
        jump_cycles = _REFILL if name in _JUMPS or _loads_program_counter(instruction, name) else 0
        may_fall_through = is_conditional or name in ("cbz", "cbnz")
        cycles += own + (0 if may_fall_through else jump_cycles)
        left_cycles = jump_cycles if may_fall_through else 0
        loaded = written
    return BlockCycles(cycles, left_cycles)


def _single_transfer(instruction: Any, name: str, loaded: int | None) -> tuple[int, int | None]:
    """(cycles, register loaded): 2, and 1 right behind a load whose result is not part of the address. A store at a
    fixed offset takes 1, as the write buffer has it then."""
    places = [operand.mem for operand in instruction.operands if operand.type == _capstone().arm.ARM_OP_MEM]
    follows_load = loaded is not None and all(loaded not in (place.base, place.index) for place in places)
    extra = 1 if _register_name(instruction, 0).startswith("d") else 0
    if "str" not in name:
        return 2 - follows_load + extra, instruction.operands[0].reg
    if name.startswith("str") and not any(place.index for place in places):
        return 1, None
    return 2 - follows_load + extra, None


def _words(instruction: Any, name: str) -> int:
    """How many words a transfer of several moves."""
    if name in ("ldrd", "strd"):
        return 2
    first = 0 if "push" in name or "pop" in name else 1  # the address comes first
    registers = len(instruction.operands) - first
    return registers * (2 if _register_name(instruction, first).startswith("d") else 1)


def _is_vmov_of_core_registers(instruction: Any) -> bool:
    """Whether a whole float, or two, move between the FPU and the core; half of a double takes a cycle less."""
    names = [_register_name(instruction, index) for index in range(len(instruction.operands))]
    return len(names) > 2 or (all(names) and sum(re.fullmatch(r"s\d+", name) is not None for name in names) == 1)


def _loads_program_counter(instruction: Any, name: str) -> bool:
    """Whether the instruction, which is no branch, writes the program counter."""
    if not name.startswith(("ldr", "ldm", "pop", "mov", "add")):
        return False
    count = len(instruction.operands) if name.startswith(("ldm", "pop")) else 1
    return any(_register_name(instruction, index) == "pc" for index in range(count))


def _register_name(instruction: Any, index: int) -> str:
    operand = instruction.operands[index]
    return instruction.reg_name(operand.reg) or "" if operand.type == _capstone().arm.ARM_OP_REG else ""


@functools.cache
def _capstone() -> Any:
    try:
        importlib.import_module("capstone.arm")
        return importlib.import_module("capstone")
    except ImportError as error:
        raise BuildError("estimated cycles need Capstone; pip install 'mcuq[emulator]'") from error


@functools.cache
def _disassembler() -> Any:
    capstone = _capstone()
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.detail = True
    return engine


_CORTEX_M4 = CycleModel("Arm DDI 0439, Cortex-M4 technical reference manual, tables 3-1 and 7-1", _cortex_m4_block)
# Cortex-M33 has no published table; the M4's was found to hold for it (docs/profile.md).
_CORTEX_M33 = replace(_CORTEX_M4, source=f"{_CORTEX_M4.source}, which were found to hold for Cortex-M33")
_MODELS = {"cortex-m4": _CORTEX_M4, "cortex-m33": _CORTEX_M33}
