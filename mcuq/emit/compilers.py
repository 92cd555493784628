"""What emitted C asks of the compiler and the CPU, found in its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mcuq.lower.source import compiler_source

# Macro in the guard of assembly -> when the assembly is taken, and what such a CPU is called.
_GUARDS: Mapping[str, tuple[str, str]] = {
    "__ARM_FEATURE_MVE": ("defined(__ARM_FEATURE_MVE)", "Helium (MVE)"),
    "__ARM_FEATURE_DSP": ("defined(__ARM_FEATURE_DSP)", "the DSP extension"),
    "__ARM_ARCH_6M__": ("defined(__ARM_ARCH_6M__)", "Armv6-M"),
    "__ARM_ARCH_7M__": ("defined(__ARM_ARCH_7M__)", "Armv7-M"),
    "__riscv_mul": ("defined(__riscv_mul) && __riscv_xlen == 32", "RV32IM"),
}
# Functions with assembly for either.
_EITHER = ("__ARM_ARCH_6M__", "__ARM_ARCH_7M__")


@dataclass(frozen=True)
class TargetCpu:
    """What assembly is for, and the preprocessor's condition under which it is taken."""

    name: str
    condition: str


def target_cpus(code: str) -> list[TargetCpu]:
    """The CPUs that assembly in the C is for; all of them are asked for, and one of Armv6-M and Armv7-M."""
    found = [guard for guard in _GUARDS if re.search(rf"^#(?:el)?if MCUQ_GNU .*{guard}", code, re.MULTILINE)]
    either = [guard for guard in found if guard in _EITHER]
    groups = [[guard] for guard in found if guard not in _EITHER] + ([either] if either else [])
    return [
        TargetCpu(" or ".join(_GUARDS[guard][1] for guard in group), " || ".join(_GUARDS[guard][0] for guard in group))
        for group in groups
    ]


def macros_of(text: str) -> list[str]:
    """The macros that C text defines and leaves defined, in their order."""
    gone = set(re.findall(r"^#undef (\w+)", text, re.MULTILINE))
    return [name for name in dict.fromkeys(re.findall(r"^#define (\w+)", text, re.MULTILINE)) if name not in gone]


def uses_compiler_source(code: str) -> bool:
    """Whether the C uses a macro of firmware/kernels/mcuq_compiler.h."""
    return any(re.search(rf"\b{name}\b", code) for name in macros_of(compiler_source()))
