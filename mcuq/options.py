"""What a user asks of a compilation beside the model, its data and the board: one value, from the verbs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict, Unpack, cast

from mcuq.after.after import After
from mcuq.after.read import read_after
from mcuq.errors import did_you_mean
from mcuq.front_end.feed import AnyFrontEnd
from mcuq.front_end.read import read_front_end
from mcuq.importer import WHOLE, InputLayout, Selection, Sizes, selection
from mcuq.lower import INLINE, Goal, Placement, Solver, Stepped, parse_goal, parse_placement, parse_solver, stepped
from mcuq.lower.memories import RamUse, parse_memories
from mcuq.lower.placement import parse_fast
from mcuq.passes.stream import Streaming, parse_streaming
from mcuq.quantize import (
    DEFAULT_METHOD,
    DEFAULT_RECOVERY,
    INT8_SCHEME,
    CalibrationMethod,
    Recovery,
    Scheme,
    parse_method,
    parse_recovery,
    parse_scheme,
)


@dataclass(frozen=True)
class Options:
    """How a model is to be quantized and made into C.

    `scheme` says in which numbers the layers compute, `method` finds ranges, `recovery` is what is done for accuracy.
    `shapes` gives sizes to symbolic dimensions and shapes to inputs; `selected` says which outputs are wanted and which
    inputs are constant.
    `prune` takes out channels that no output depends on; outputs are the same bytes either way, and whatever `optimize`
    is: "size" takes the least flash, "speed" the fewest instructions. Where the arena is to take at most
    `max_ram_bytes`, layers run row by row as far as that asks, whatever `optimize` is. With calibration data, `judged`
    says whether the model's origin tells how accurate it is on inputs that it has not seen, which takes half as much
    time again. `weights` says where constants go: into the C, into a section, or into a file of their own.
    `push` is for an input that comes row by row, and is never whole in memory. `memories` are those of the board that
    the arena is to lie in; none: its main one, or all where that is too small. With `step`, an inference goes by steps.
    `stream` says along which dimension of the input frames come one by one, of which windows are made.
    `front_end` makes the input of sound or images, and `after` says what is done with the outputs.
    """

    scheme: Scheme = INT8_SCHEME
    method: CalibrationMethod = DEFAULT_METHOD
    recovery: Recovery = DEFAULT_RECOVERY
    shapes: Sizes = field(default_factory=dict)
    selected: Selection = WHOLE
    prune: bool = True
    judged: bool = True
    optimize: Goal = "balanced"
    max_ram_bytes: int | None = None
    weights: Placement = INLINE
    push: bool = False
    memories: tuple[RamUse, ...] = ()
    step: Stepped | None = None
    solver: Solver = "search"
    stream: Streaming | None = None
    front_end: AnyFrontEnd | None = None
    after: After | None = None


class Wanted(TypedDict, total=False):
    """What of a model is wanted, as Python callers spell it.

    `outputs` are the tensors of the file to give out, by name (default: the model's own), and `fix_inputs` makes inputs
    constants, all of whose elements are the value given; data then holds the other inputs. `states` are pairs of an
    input and the output that is its value at the next inference, `stateful` makes the states of recurrent operators
    such pairs, and `initial_states` has the numbers that states begin with, by their inputs (default: 0); data then has
    sequences. With `input_layout` "nhwc" images are given with their channels last, in the C and in data, whatever the
    file's order.
    """

    outputs: Sequence[str] | None
    fix_inputs: Mapping[str, float] | None
    states: Mapping[str, str] | None
    stateful: bool
    initial_states: Mapping[str, float] | None
    input_layout: InputLayout | None


class Asked(Wanted, total=False):
    """Options as Python callers spell them; what is left out is as in Options.

    `scheme`, `method` and `recovery` also by name, `weights` as "inline", "external" or "section:NAME", and `memory`
    names the board's memories, as in "dtcm:64k,axi", `fast_weights` one for constants, as in "dtcm:32k"; `copied_bytes`
    are the most of a layer's weights that are copied into the arena before they are read. `step_cycles`
    is about the most that a step is to take, with which layers are cut; it says `step` too. The `solver` "cp-sat" goes
    on looking for a smaller arena, or the proof that there is none, where the search ends. `stream` is the dimension of
    the input along which frames come, or "AXIS:HOP" with how many a call takes; `stream_whole` computes
    layers that padding reaches of the whole window, which holds less. `front_end` and `after` may be their .toml files.
    """

    scheme: Scheme | str
    method: CalibrationMethod | str
    recovery: Recovery | str
    shapes: Sizes | None
    prune: bool
    judged: bool
    optimize: Goal
    max_ram_bytes: int | None
    weights: Placement | str
    push: bool
    memory: str
    fast_weights: str
    copied_bytes: int
    step: bool
    step_cycles: int | None
    solver: Solver
    stream: int | str | None
    stream_whole: bool
    front_end: AnyFrontEnd | str | Path | None
    after: After | str | Path | None


def options_of(**asked: Unpack[Asked]) -> Options:
    """The value of what was asked. Raises TypeError for what is none of Asked, McuqError for unknown names."""
    for name in asked.keys() - Asked.__annotations__.keys():
        raise TypeError(f"'{name}' is no option{did_you_mean(name, Asked.__annotations__)}")
    scheme, method = asked.get("scheme", INT8_SCHEME), asked.get("method", DEFAULT_METHOD)
    recovery, weights = asked.get("recovery", DEFAULT_RECOVERY), asked.get("weights", INLINE)
    front, after = asked.get("front_end"), asked.get("after")
    placement, fast = parse_placement(weights) if isinstance(weights, str) else weights, asked.get("fast_weights")
    if fast:
        placement = replace(placement, fast=parse_fast(fast))
    if asked.get("copied_bytes"):
        placement = replace(placement, copied_bytes=asked["copied_bytes"])
    return Options(
        parse_scheme(scheme) if isinstance(scheme, str) else scheme,
        parse_method(method) if isinstance(method, str) else method,
        parse_recovery(recovery) if isinstance(recovery, str) else recovery,
        asked.get("shapes") or {},
        selection(
            asked.get("outputs"),
            asked.get("fix_inputs"),
            asked.get("states"),
            asked.get("stateful", False),
            asked.get("initial_states"),
            asked.get("input_layout"),
        ),
        asked.get("prune", True),
        asked.get("judged", True),
        parse_goal(cast(str, asked.get("optimize", "balanced"))),
        asked.get("max_ram_bytes"),
        placement,
        asked.get("push", False),
        parse_memories(asked["memory"]) if asked.get("memory") else (),
        stepped(asked.get("step", False), asked.get("step_cycles")),
        parse_solver(cast(str, asked.get("solver", "search"))),
        None
        if asked.get("stream") is None
        else parse_streaming(str(asked["stream"]), not asked.get("stream_whole", False)),
        read_front_end(front) if isinstance(front, str | Path) else front,
        read_after(after) if isinstance(after, str | Path) else after,
    )
