"""What emitted C asks of the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

# CPU of mcuq.kernels.item -> the preprocessor's condition under which its assembly is taken, and what it is called.
_CPUS: Mapping[str, tuple[str, str]] = {
    "mve": ("defined(__ARM_FEATURE_MVE)", "Helium (MVE)"),
    "dsp": ("defined(__ARM_FEATURE_DSP)", "the DSP extension"),
    "armv6m": ("defined(__ARM_ARCH_6M__)", "Armv6-M"),
    "armv7m": ("defined(__ARM_ARCH_7M__)", "Armv7-M"),
    "rv32m": ("defined(__riscv_mul) && __riscv_xlen == 32", "RV32IM"),
}
# Items have assembly for either.
_EITHER = ("armv6m", "armv7m")


@dataclass(frozen=True)
class TargetCpu:
    """What assembly is for, and the preprocessor's condition under which it is taken."""

    name: str
    condition: str


def target_cpus(cpus: Set[str]) -> list[TargetCpu]:
    """Those of assembly for these; all of them are asked for, and one of Armv6-M and Armv7-M."""
    found = [cpu for cpu in _CPUS if cpu in cpus]
    either = [cpu for cpu in found if cpu in _EITHER]
    groups = [[cpu] for cpu in found if cpu not in _EITHER] + ([either] if either else [])
    return [
        TargetCpu(" or ".join(_CPUS[cpu][1] for cpu in group), " || ".join(_CPUS[cpu][0] for cpu in group))
        for group in groups
    ]
