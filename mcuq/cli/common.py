"""What the verbs share: JSON on stdout, everything else on stderr, progress on a terminal only."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mcuq.build.footprint import Choice, Footprint
from mcuq.compile import CompiledModel
from mcuq.emit.weights import weights_file
from mcuq.graph.tensor import ChannelQuant
from mcuq.onnx_io.provenance import named_outputs
from mcuq.quantize import sqnr_text

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there.")

# A pipe has no edge.
PIPE_COLUMNS = 1_000_000


class Tick(Protocol):
    """What a task calls for each step: one of its units, or as many as it says."""

    def __call__(self, steps: int = 1, /) -> None: ...


Ticker = Callable[[str, int | None], Tick]


def out() -> Console:
    """Standard output for people; in a pipe lines are as long as they are."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=PIPE_COLUMNS)


def print_lines(lines: Iterable[str]) -> None:
    """Lines on standard output as they are; a terminal wraps what is wider than it."""
    console = out()
    for line in lines:
        console.print(line, markup=False)


def command_line(verb: str, *arguments: object) -> str:
    """A command as it is to be typed, whatever is in the paths."""
    return shlex.join(["mcuq", verb, *map(str, arguments)])


def warn(text: str) -> None:
    """A warning on stderr, in colour on a terminal."""
    click.secho(f"warning: {text}", fg="yellow", err=True)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout. JSON has no infinity: such a figure is null."""
    click.echo(json.dumps(finite(value), indent=2))


def finite(value: Any) -> Any:
    """The value with None for what JSON has no number of."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def progress() -> Iterator[Ticker]:
    """`tick = ticker(task, total)` shows a bar on stderr that `tick()` or `tick(steps)` moves; nothing where stderr is
    no terminal.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def ticker(task: str, total: int | None) -> Tick:
            bar = bars.add_task(task, total=total)

            def tick(steps: int = 1, /) -> None:
                bars.advance(bar, steps)

            return tick

        yield ticker


def model_json(model: CompiledModel, footprint: Footprint) -> dict[str, Any]:
    """The facts of a compiled model, as `compile --json` prints them."""
    judgement, push = model.origin.judgement, model.listing.push
    decibels = {quality.output: quality.sqnr_db for quality in judgement.outputs} if judgement else {}
    fast = model.listing.fast
    return {
        "name": model.name,
        "board": model.board.name,
        "optimize": model.optimize,
        "max_ram_bytes": model.max_ram_bytes,
        "push": None if push is None else {"rows": push.rows, "row_bytes": push.row_bytes, "taken": push.taken or None},
        "steps": _steps_json(model),
        "layers": len(model.graph.nodes),
        "macs": model.macs,
        "pruned_macs": model.pruned.macs,
        "pruned_bytes": model.pruned.parameter_bytes,
        "flash_bytes": footprint.flash_bytes,
        "constant_bytes": footprint.constant_bytes,
        "code_bytes": footprint.code_bytes,
        "compiler": footprint.compiler,
        "weights": model.placement.text,
        "fast_weights": None if fast is None else {"memory": fast.memory, "bytes": fast.size_bytes},
        "copied_weights": [{"layer": layer, "bytes": size_bytes} for layer, size_bytes in model.listing.copies],
        "weights_bytes": None if model.blob is None else len(model.blob),
        "arena_bytes": model.arena_bytes,
        "least_arena_bytes": model.arena_map.least_bytes,
        "arenas": [
            {"memory": part.memory or model.board_ram, "bytes": part.size_bytes, "array": model.array_of(part)}
            for part in model.arenas
        ],
        "stack_bytes": model.stack_bytes,
        "ranges": model.origin.ranges,
        "calibration_samples": model.origin.samples,
        "judged_on": judgement.judged_on if judgement else None,
        "notes": list(model.origin.notes),
        "inputs": [_tensor_json(model, name) for name in model.graph.given_inputs],
        "outputs": [{**_tensor_json(model, name), "sqnr_db": decibels.get(name)} for name in model.graph.given_outputs],
        "front_end": _front_end_json(model),
        "after": _after_json(model),
        "state_bytes": model.listing.state_bytes,
        "states": [
            {**_tensor_json(model, state.input), "output": state.output, "initial": state.initial}
            for state in model.graph.states
        ],
        "stream": None if model.graph.stream is None else asdict(model.graph.stream),
    }


def _stream_lines(model: CompiledModel) -> Iterator[str]:
    """What a call takes of a window, and what it costs."""
    own = model.graph.stream
    if own is None:
        return
    new = "one new frame" if own.hop == 1 else f"{own.hop} new frames"
    yield f"  stream  {new} a call, of {own.window} along dimension {own.axis}"
    yield f"          outputs are the window's from call {own.calls} on"
    yield f"          {model.macs:,} MACs a call, {own.macs:,} a whole window"
    for output in own.outputs:
        behind = f"{output.delay} frames behind the newest" if output.delay else "up to the newest frame"
        yield f"          '{output.name}' has its newest places along dimension {output.axis}, {behind}"
    if own.whole:
        yield f"          {len(own.whole)} of its layers, from {own.whole[0]} on, compute the whole window in each call"


def _steps_json(model: CompiledModel) -> dict[str, Any] | None:
    """How an inference goes by steps."""
    steps = model.listing.steps
    if steps is None:
        return None
    return {
        "count": steps.count,
        "unit": steps.unit,
        "total": steps.total,
        "worst": steps.longest,
        "worst_layer": steps.longest_layer,
        "asked": steps.asked,
        "too_long": [{"layer": layer, "takes": cycles} for layer, cycles in steps.too_long],
    }


def _front_end_json(model: CompiledModel) -> dict[str, Any] | None:
    """What makes the input, and what it takes."""
    made = model.front_end_files()
    if made is None or model.front_end is None:
        return None
    return {
        "what": model.front_end.described(),
        "table_bytes": made.table_bytes,
        "state_bytes": made.state_bytes,
        f"instructions_per_{made.unit}": made.instructions,
    }


def _front_end_lines(model: CompiledModel) -> Iterator[str]:
    """The same for people."""
    made = model.front_end_files()
    if made is None or model.front_end is None:
        return
    yield f"  {made.kind:<7} {model.front_end.described()}"
    yield (
        f"          {made.table_bytes:,} bytes of tables, {made.state_bytes:,} of RAM, about {made.instructions:,} "
        f"instructions a {made.unit}"
    )


def _after_json(model: CompiledModel) -> dict[str, Any] | None:
    """What is done with the outputs, and what it takes."""
    made, twin = model.after_files(), model.twin()
    if made is None or twin is None:
        return None
    return {
        "kind": twin.after.kind,
        "what": twin.described(),
        "table_bytes": made.table_bytes,
        "state_bytes": made.state_bytes,
    }


def _after_lines(model: CompiledModel) -> Iterator[str]:
    """The same for people."""
    made, twin = model.after_files(), model.twin()
    if made is None or twin is None:
        return
    yield f"  after   {twin.described()}"
    yield f"          {made.table_bytes:,} bytes of tables, {made.state_bytes:,} of state"


def _step_lines(model: CompiledModel) -> Iterator[str]:
    """The same for people."""
    steps = model.listing.steps
    if steps is None:
        return
    longest = f"{steps.longest:,} {steps.unit} at most ({steps.longest_layer})"
    yield f"  steps   {steps.count:>9,} of about {longest}, {steps.total:,} in all"
    for layer, cycles in steps.too_long:
        yield f"          {layer} takes about {cycles:,} and cannot be cut further"


def choices_json(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """What each choice of --optimize takes, as `compile --json` prints it."""
    return [
        {
            "optimize": choice.optimize,
            "flash_bytes": choice.footprint.flash_bytes if choice.footprint else None,
            "code_bytes": choice.footprint.code_bytes if choice.footprint else None,
            "constant_bytes": choice.footprint.constant_bytes if choice.footprint else None,
            "arena_bytes": choice.arena_bytes,
            "instructions": choice.instructions,
        }
        for choice in choices
    ]


def _tensor_json(model: CompiledModel, name: str) -> dict[str, Any]:
    tensor = model.graph.tensors[name]
    scale: float | list[float] | None = None
    zero_point: int | list[int] | None = None
    channels: dict[str, int] = {}
    if isinstance(tensor.quant, ChannelQuant):
        scale, zero_point = list(tensor.quant.scale), list(tensor.quant.zero_points)
        channels = {"axis": len(tensor.shape) + tensor.quant.axis}
    elif tensor.quant is not None:
        scale, zero_point = tensor.scale, tensor.zero_point
    return {
        "name": name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": scale,
        "zero_point": zero_point,
        **channels,
        **({"integers": [tensor.integers.low, tensor.integers.high]} if tensor.integers else {}),
    }


def model_lines(model: CompiledModel, footprint: Footprint) -> Iterator[str]:
    """The same for people."""
    goal = "" if model.optimize == "balanced" else f", optimized for {model.optimize}"
    yield f"{model.name}: {len(model.graph.nodes)} layers, {model.macs:,} MACs, for {model.board.name}{goal}"
    if footprint.code_bytes is None:
        why = f"no compiler for {model.board.name} is installed" if model.board.memory else "the host's is not counted"
        yield f"  flash   {footprint.constant_bytes:>9,} bytes of constants; code not measured: {why}"
    else:
        parts = f"constants {footprint.constant_bytes:,} + code {footprint.code_bytes:,}"
        yield f"  flash   {footprint.flash_bytes:>9,} bytes ({parts}; {footprint.compiler})"
    if model.blob is not None:
        yield f"  weights {len(model.blob):>9,} bytes in {weights_file(model.name)}"
    elif model.placement.is_elsewhere:
        yield f"  weights           in section {model.placement.section}"
    if model.listing.fast is not None:
        fast = model.listing.fast
        yield f"          {fast.size_bytes:>9,} bytes of the constants are copied into {fast.memory} by start-up code"
    if model.listing.copies:
        copies = model.listing.copies
        yield f"          {sum(own for _, own in copies):>9,} bytes of the constants are copied in each inference:"
        yield from (f"          {size_bytes:>9,} {layer}" for layer, size_bytes in copies)
    push, states = model.listing.push, model.graph.states
    held = "input and output" if push is None else "rows of the input, and output"
    yield f"  RAM     {model.arena_bytes:>9,} bytes of arena, {held} included"
    yield f"          {model.arena_map.least_text}"
    if states:
        yield f"          {model.listing.state_bytes:>9,} bytes of state besides, for each stream"
    for part in model.listing.arenas:
        yield f"          {part.size_bytes:>9,} of them in {part.memory or model.board_ram}: {model.array_of(part)}"
    if push is not None:
        order = f", in the order behind layer {push.taken}" if push.taken else ""
        yield f"  push    {push.rows:>9,} rows an inference, of {push.row_bytes:,} bytes{order}"
    yield from _step_lines(model)
    yield from _front_end_lines(model)
    yield from _after_lines(model)
    yield f"  stack   {model.stack_bytes:>9,} bytes at most"
    if model.pruned.channels:
        saved = f"{model.pruned.macs:,} MACs and {model.pruned.parameter_bytes:,} bytes of parameters"
        yield f"  pruned  {saved}: channels that no output depends on"
    for kind, names in (("input", model.graph.given_inputs), ("output", model.graph.given_outputs)):
        for name in names:
            tensor = model.graph.tensors[name]
            shape = " x ".join(map(str, tensor.shape))
            if tensor.quant is None:
                yield f"  {kind:<7} {name}  {shape}  float, real values"
                continue
            dtype = "" if tensor.dtype == "int8" else f", {tensor.dtype}"
            if tensor.integers is not None:
                reach = f"{tensor.integers.low} to {tensor.integers.high}"
                yield f"  {kind:<7} {name}  {shape}  integers from {reach}{dtype}"
                continue
            if isinstance(tensor.quant, ChannelQuant):
                yield f"  {kind:<7} {name}  {shape}  real = scale[c] * (q - zero_point[c]){dtype}"
                refuse = "; --input-scale per-tensor: one" if kind == "input" else ""
                yield f"          {_channels(tensor.quant, len(tensor.shape))}{refuse}"
                continue
            offset = f" {'-' if tensor.zero_point >= 0 else '+'} {abs(tensor.zero_point)}"
            yield f"  {kind:<7} {name}  {shape}  real = {tensor.scale:.6g} * (q{offset}){dtype}"
    yield from _stream_lines(model)
    for state in () if model.graph.stream else states:
        tensor = model.graph.tensors[state.input]
        shape = " x ".join(map(str, tensor.shape))
        first = f", {state.initial:g} at first" if state.initial else ""
        yield f"  state   {state.input}  {shape}  {tensor.dtype}, from '{state.output}'{first}"
    for text in named_outputs(model.onnx_model):
        yield f"  names   {text}"


def _channels(quant: ChannelQuant, rank: int) -> str:
    """What scales per channel are, in a few words."""
    low, high = min(quant.scale), max(quant.scale)
    return f"{len(quant.scale)} scales along dimension {rank + quant.axis}, {low:.3g} to {high:.3g}"


def judgement_lines(model: CompiledModel) -> Iterator[str]:
    """How accurate the model is on inputs that it has not seen, for people."""
    judgement = model.origin.judgement
    if judgement is None:
        yield "  SQNR    not known on other inputs"
        return
    for quality in judgement.outputs:
        yield f"  SQNR    {sqnr_text(quality.sqnr_db)} of '{quality.tensor}'"
    yield f"          on {judgement.judged_on}"


def percent(share: float | None) -> str:
    """A share as a percentage, or a dash."""
    return "-" if share is None else f"{100 * share:.2f} %"


def decibels(value: float | None) -> str:
    """A ratio in dB for a column that says so, or a dash where there is none."""
    return "-" if value is None else sqnr_text(value).removesuffix(" dB")
