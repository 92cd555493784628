"""Flash that a compiled model takes on its board: measured by building it where a compiler is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from mcuq.build.arena_sections import arena_sections
from mcuq.build.compiler import target_compiler
from mcuq.build.target import build_target
from mcuq.compile import CompiledModel, with_goal
from mcuq.lower import GOALS, Goal
from mcuq.plan.fit import STACK_BYTES, DoesNotFit, flash_error
from mcuq.system.parallel import in_parallel

ROOMY_FLASH_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Footprint:
    """Bytes of flash; without a `compiler` for the board the code is not counted and `code_bytes` is None."""

    constant_bytes: int
    code_bytes: int | None
    compiler: str | None

    @property
    def flash_bytes(self) -> int:
        """Constants, and code where it was measured."""
        return self.constant_bytes + (self.code_bytes or 0)


@dataclass(frozen=True)
class Choice:
    """What a model takes when it is optimized for one of the goals.

    `footprint` and `arena_bytes` are None where it does not fit the board then, `instructions` of one inference also
    where they were not counted.
    """

    optimize: Goal
    footprint: Footprint | None
    arena_bytes: int | None
    instructions: int | None


def measure_choices(
    model: CompiledModel, count: Callable[[CompiledModel], int | None] | None = None
) -> tuple[Choice, ...]:
    """The model optimized for each of GOALS. `count` gives the instructions of one inference of a compiled model.

    Raises DoesNotFit where the model as it is does not fit its board, and says which goal would.
    """

    def measured(goal: Goal) -> Choice | DoesNotFit:
        try:
            other = with_goal(model, goal)
            return Choice(goal, measure_footprint(other), other.arena_bytes, count(other) if count else None)
        except DoesNotFit as error:
            return error

    # Compilers are most of the time that it takes.
    found: dict[Goal, Choice | DoesNotFit] = dict(
        zip(GOALS, in_parallel(*(partial(measured, goal) for goal in GOALS)), strict=True)
    )
    asked = found[model.optimize]
    choices = tuple(
        Choice(goal, None, None, None) if isinstance(choice, DoesNotFit) else choice for goal, choice in found.items()
    )
    if isinstance(asked, DoesNotFit):
        raise _unless_optimized(asked, choices)
    return choices


def _unless_optimized(error: DoesNotFit, choices: Sequence[Choice]) -> DoesNotFit:
    """The error with the goal that takes least flash, if any fits."""
    fitting = {choice.footprint.flash_bytes: choice for choice in choices if choice.footprint is not None}
    if not fitting:
        return error
    flash_bytes = min(fitting)
    return error.unless(f"--optimize {fitting[flash_bytes].optimize}", f"{flash_bytes:,} bytes of flash")


def measure_footprint(model: CompiledModel) -> Footprint:
    """Build the model for its board and measure. Raises BoardError where code, and constants that are not elsewhere,
    exceed the flash."""
    memory = model.board.memory
    compiler = target_compiler(model.board) if memory else None
    if memory is None or compiler is None:
        return Footprint(model.constant_bytes, None, None)
    keep = [*model.listing.accessors.values(), *([model.start] if model.start else [])]
    keep += [f"{model.name}_push", f"{model.name}_reset"] if model.is_pushed else []
    keep += [f"{model.name}_step", f"{model.name}_reset"] if model.is_stepped else []
    # Linked with room to spare, so that what is too large is measured too, and reported with its parts.
    roomy = replace(model.board, memory=replace(memory, flash_bytes=max(memory.flash_bytes, ROOMY_FLASH_BYTES)))
    arenas = arena_sections(model, model.board)
    built = build_target(model.sources, f"{model.name}_run", keep, roomy, stack_bytes=STACK_BYTES, arenas=arenas)
    code_bytes = built.flash_bytes - model.constant_bytes
    in_flash = 0 if model.placement.is_elsewhere else model.constant_bytes
    if in_flash + code_bytes > memory.flash_bytes:
        constants = [t for t in model.graph.tensors.values() if t.is_constant]
        raise flash_error(model.name, in_flash, code_bytes, constants, model.board)
    return Footprint(model.constant_bytes, code_bytes, built.compiler)
