"""Where a compiled model spends its instructions: counted layer by layer on the board's emulated CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.compile import CompiledModel
from mcuq.emit.listing import Listing
from mcuq.emulate.cycles import CycleModel, cycle_model
from mcuq.emulate.emulator import Trace
from mcuq.emulate.emulators import emulator_for
from mcuq.emulate.unicorn_cpu import Block, Part
from mcuq.errors import BoardError
from mcuq.validate.bits import probe_inputs

SAMPLE = 2  # of the probe inputs: the first random one


@dataclass(frozen=True)
class LayerProfile:
    """One layer of the emitted C; views are none.

    `code_bytes` and `weight_bytes` of what several layers share stand at the first of them. `cycles` is None for a
    core without a cycle model, `ms` also for a board without a clock.
    """

    name: str
    op: str
    macs: int
    instructions: int
    cycles: int | None
    ms: float | None
    function: str
    code_bytes: int
    weight_bytes: int


@dataclass(frozen=True)
class Profile:
    """One inference of a compiled model on its board's emulated CPU, from entry to return of ID_run.

    `instructions` and `cycles` are of the C as it is; the layers are counted in a build that keeps their functions
    apart. The difference, `other_instructions` and `other_cycles`, is the way into the first layer, less what the
    compiler saves by inlining. `cycle_source` is the document behind the cycles, which are without flash wait states.
    """

    layers: tuple[LayerProfile, ...]
    macs: int
    instructions: int
    other_instructions: int
    cycles: int | None
    other_cycles: int | None
    ms: float | None
    cycle_source: str | None
    clock_hz: int | None
    stack_bytes: int
    arena_bytes: int
    flash_bytes: int
    code_bytes: int
    constant_bytes: int
    compiler: str


def profile_model(model: CompiledModel) -> Profile:
    """Build the model's C files and count one inference of a made-up input, the same each time.

    Raises BoardError where the board is not emulated, BuildError where a compiler or the emulator is missing,
    ArtifactError where the C is not as mcuq wrote it.
    """
    emulator = emulator_for(model.board)
    if emulator is None:
        raise BoardError(f"board '{model.board.name}' has no emulator to profile on; compile for an emulated board")
    listing = model.checked_listing()
    timing = cycle_model(model.board.cpu.core)
    apart_files = {**model.sources, f"{model.name}.c": with_functions_apart(model.files[f"{model.name}.c"], listing)}
    probes = model.as_given(probe_inputs(model.graph))
    if model.graph.states:
        known = {**probes, **model.calls().run(probes)}
        probes = {name: known[name] for name in model.wire.inputs}
    sample = {name: np.ascontiguousarray(samples[SAMPLE]).tobytes() for name, samples in probes.items()}
    marks = [*listing.functions, *([f"{model.name}_{BETWEEN}"] if listing.order else [])]
    built, plain, apart = emulator.traces(model, apart_files, sorted(marks), sample)
    counted = _layer_profiles(model, apart, timing)
    cycles = _cycles(plain, [plain.blocks], timing)
    return Profile(
        layers=counted,
        macs=model.macs,
        instructions=plain.instructions,
        other_instructions=plain.instructions - sum(layer.instructions for layer in counted),
        cycles=cycles,
        other_cycles=None if cycles is None else cycles - sum(layer.cycles or 0 for layer in counted),
        ms=_milliseconds(model, cycles),
        cycle_source=timing.source if timing else None,
        clock_hz=model.board.clock_hz,
        stack_bytes=plain.stack_bytes,
        arena_bytes=model.arena_bytes,
        flash_bytes=built.flash_bytes,
        code_bytes=built.flash_bytes - model.constant_bytes,
        constant_bytes=model.constant_bytes,
        compiler=built.compiler,
    )


# What segments call between layers: its instructions are no layer's.
BETWEEN = "mcuq_next_band"


def with_functions_apart(text: str, listing: Listing) -> str:
    """The C with its kernels kept out of others, so that arriving at one of them is the start of a layer."""
    lines = text.split("\n")
    for line in listing.functions.values():
        lines[line - 1] = lines[line - 1].replace("static void", "static MCUQ_APART void", 1)
    return _APART + "\n".join(lines)


_APART = """\
#if defined(__clang__)
#define MCUQ_APART __attribute__((noinline))
#else
#define MCUQ_APART __attribute__((noinline, noclone))
#endif
"""


def _layer_profiles(
    model: CompiledModel,
    trace: Trace,
    timing: CycleModel | None,
) -> tuple[LayerProfile, ...]:
    listing = model.listing
    order = listing.order or range(len(listing.calls))
    between = trace.symbols.get(f"{model.name}_{BETWEEN}")
    parts = [part for part in trace.parts[1:] if between is None or part.address != between.address]
    if len(order) != len(parts):
        raise AssertionError(f"{model.name}: {len(parts)} calls where {len(order)} are listed")
    parts_of: dict[int, list[Part]] = {}
    for number, part in zip(order, parts, strict=True):
        parts_of.setdefault(number, []).append(part)
    arrays = dict(model.listing.arrays)
    code = {name: symbol.symbol_bytes for name, symbol in trace.symbols.items()}
    profiles = []
    first = 0
    for layer, listed in model.coded_layers:
        calls = listed.calls
        numbers = range(first, first + len(calls))
        first += len(calls)
        if any(
            part.address != trace.symbols[call.function].address
            for number, call in zip(numbers, calls, strict=True)
            for part in parts_of[number]
        ):
            raise AssertionError(f"{layer.where}: ran other functions than its own")
        own = [part for number in numbers for part in parts_of[number]]
        cycles = _cycles(trace, [part.blocks for part in own], timing)
        profiles.append(
            LayerProfile(
                name=layer.name,
                op=type(layer.op).__name__,
                macs=layer.op.macs(layer),
                instructions=sum(b.instructions * b.count for part in own for b in part.blocks.values()),
                cycles=cycles,
                ms=_milliseconds(model, cycles),
                function=", ".join(dict.fromkeys(call.function for call in calls)),
                code_bytes=sum(code.pop(call.function, 0) for call in calls),
                weight_bytes=sum(arrays.pop(name, 0) for call in calls for name in call.arrays),
            )
        )
    return tuple(profiles)


def _cycles(trace: Trace, parts: Sequence[Mapping[int, Block]], timing: CycleModel | None) -> int | None:
    if timing is None:
        return None
    total = 0
    for blocks in parts:
        for address, block in blocks.items():
            key = (address, block.block_bytes)
            if key not in trace.timed:
                trace.timed[key] = timing.block(trace.read(*key), address)
            total += block.count * trace.timed[key].cycles + block.left * trace.timed[key].left_cycles
    return total


def _milliseconds(model: CompiledModel, cycles: int | None) -> float | None:
    return None if cycles is None or model.board.clock_hz is None else 1000 * cycles / model.board.clock_hz
