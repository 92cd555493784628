"""What emitted C asks of the CPU."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from mcuq.kernels.item import CPUS

# Items have assembly for either.
_EITHER = ("armv6m", "armv7m")


@dataclass(frozen=True)
class TargetCpu:
    """What assembly is for, and the preprocessor's condition under which it is taken."""

    name: str
    condition: str


def target_cpus(cpus: Set[str]) -> list[TargetCpu]:
    """Those of assembly for these; all of them are asked for, and one of Armv6-M and Armv7-M."""
    found = [cpu for cpu in CPUS if cpu in cpus]
    either = [cpu for cpu in found if cpu in _EITHER]
    groups = [[cpu] for cpu in found if cpu not in _EITHER] + ([either] if either else [])
    return [
        TargetCpu(" or ".join(CPUS[cpu].title for cpu in group), " || ".join(CPUS[cpu].condition for cpu in group))
        for group in groups
    ]
