"""One function for layers of different sizes: what differs among them becomes parameters, read at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call, Constants
from mcuq.kernels.source import assembly_cpus, code_bytes_of, runtime_of

PARAMETERS = "parameters"
# About how many bytes a parameter array takes where it is passed, and reading one value of it.
PASSED_BYTES, READ_BYTES = 12, 4
Calls = tuple[Call, ...]
_Family = tuple[bool, tuple[object, ...]]


@dataclass(frozen=True)
class _Shared:
    """A function for several calls: compiled with `constants`, but for `names`, whose values are of `dtype`."""

    constants: Constants
    names: tuple[str, ...]
    dtype: str

    def call(self, call: Call) -> Call:
        """The call as one of this function."""
        if not self.names:
            return replace(call, constants=self.constants)
        arrays = {**call.arrays, PARAMETERS: self.values(call.constants)}
        return replace(call, constants=self.constants, arrays=arrays, parameters=self.names)

    def values(self, constants: Constants) -> Array:
        """What a call with these constants gives the function."""
        numbers = constants.numbers()
        return np.array([numbers[name] for name in self.names], self.dtype)


def share_functions(steps: Sequence[Calls]) -> list[Calls]:
    """The calls with one function for all that can share it, where that saves flash.

    Calls of one kernel can where they round in the same way: of mcuq_requantize one branch is left. A constant that
    is equal in all of them stays a constant of C; the others are the call's last array.
    """
    families = [[_family(call.constants) for call in calls] for calls in steps]
    members: dict[_Family, list[Constants]] = {}
    for calls, own in zip(steps, families, strict=True):
        for call, family in zip(calls, own, strict=True):
            members.setdefault(family, []).append(call.constants)
    shared = {family: _function_of(constants) for family, constants in members.items()}
    saves = {family: _saves_flash(shared[family], constants) for family, constants in members.items()}
    return [
        tuple(shared[f].call(call) if saves[f] else call for call, f in zip(calls, own, strict=True))
        for calls, own in zip(steps, families, strict=True)
    ]


def shifts_down(constants: Constants) -> bool:
    """Whether `shift`, where the kernel has one, is at least 1."""
    return constants.numbers().get("shift", 1) >= 1


def _family(constants: Constants) -> _Family:
    return shifts_down(constants), constants.form()


def _function_of(members: Sequence[Constants]) -> _Shared:
    """What the kernel reads at run time are its constants that differ among the members."""
    numbers = [constants.numbers() for constants in members]
    names = tuple(name for name in numbers[0] if len({own[name] for own in numbers}) > 1)
    values = [int(own[name]) for own in numbers for name in names]
    return _Shared(members[0], names, next(name for name in ("int8", "int16", "int32") if _holds(name, values)))


def _holds(dtype: str, values: Sequence[int]) -> bool:
    bounds = np.iinfo(dtype)
    return all(bounds.min <= value <= bounds.max for value in values)


def _saves_flash(shared: _Shared, members: Sequence[Constants]) -> bool:
    """Whether one function and its parameters are less than a function for each.

    Half of a function's own code is what remains of it where all sizes are constants. Assembly among that code may
    leave too few registers for sizes that are none, so that compilers refuse it.
    """
    if assembly_cpus(runtime_of(shared.constants)):
        return False
    code_bytes = code_bytes_of(shared.constants)
    passed = sum(PASSED_BYTES + shared.values(constants).nbytes for constants in members) if shared.names else 0
    return code_bytes + READ_BYTES * len(shared.names) + passed < len(set(members)) * code_bytes // 2
