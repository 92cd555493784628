"""What the steps of an inference take, counted one by one on the board's emulated CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

from mcuq.compile import CompiledModel
from mcuq.emulate.cycles import BlockCycles, CycleModel, cycle_model
from mcuq.emulate.emulator import build_for_target
from mcuq.emulate.unicorn_cpu import CallResult, UnicornCpu
from mcuq.errors import BoardError
from mcuq.validate.bits import probe_inputs

SAMPLE = 2  # of the probe inputs: the first random one


@dataclass(frozen=True)
class Spread:
    """The least, the middle and the largest of several counts."""

    least: int
    middle: int
    most: int


@dataclass(frozen=True)
class CountedSteps:
    """The steps of one inference by a budget, from entry to return of ID_step each: how many, what they take, and all
    together; cycles are None for a core without a cycle model."""

    budget: int
    count: int
    instructions: Spread
    cycles: Spread | None
    total_instructions: int
    total_cycles: int | None


def can_count_steps(model: CompiledModel) -> bool:
    """Whether the model goes by steps, and its board's emulator calls them one by one."""
    return model.is_stepped and model.board.cpu.unicorn_model is not None


def count_steps(model: CompiledModel, budgets: Sequence[int]) -> list[CountedSteps]:
    """Build the model's C and count an inference of a made-up input, the same each time, by each of the budgets.

    Raises BoardError where steps are not called one by one, BuildError where a compiler or the emulator is missing.
    """
    if not can_count_steps(model):
        raise BoardError(f"model '{model.name}': has no steps that are counted on {model.board.name}; use cortex-m4")
    names = [f"{model.name}_{name}" for name in ("step", "reset")]
    built = build_for_target(model, model.sources, names)
    cpu = UnicornCpu(built.elf, model.board)
    if model.start:
        cpu.call(model.start)
    timing = cycle_model(model.board.cpu.core)
    timed: dict[tuple[int, int], BlockCycles] = {}
    address = {name: cpu.call(accessor).value for name, accessor in model.listing.accessors.items()}
    counted = []
    for budget in budgets:
        cpu.call(names[1])
        for name, samples in probe_inputs(model.graph).items():
            cpu.write(address[name], samples[SAMPLE].tobytes())
        steps: list[CallResult] = []
        while not steps or steps[-1].value:
            steps.append(cpu.call(names[0], budget, count=True))
        counted.append(
            _counted(budget, steps, [_cycles(cpu, step, timing, timed) for step in steps] if timing else None)
        )
    return counted


def _counted(budget: int, steps: Sequence[CallResult], cycles: Sequence[int] | None) -> CountedSteps:
    instructions = [step.instructions or 0 for step in steps]
    return CountedSteps(
        budget,
        len(steps),
        _spread(instructions),
        None if cycles is None else _spread(cycles),
        sum(instructions),
        None if cycles is None else sum(cycles),
    )


def _spread(counts: Sequence[int]) -> Spread:
    return Spread(min(counts), median_low(counts), max(counts))


def _cycles(cpu: UnicornCpu, step: CallResult, timing: CycleModel, timed: dict[tuple[int, int], BlockCycles]) -> int:
    """`timed` is of blocks that ran before, most of which run in many steps."""
    total = 0
    for address, block in (step.blocks or {}).items():
        key = (address, block.block_bytes)
        if key not in timed:
            timed[key] = timing.block(cpu.read(*key), address)
        total += block.count * timed[key].cycles + block.left * timed[key].left_cycles
    return total
