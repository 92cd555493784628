"""Options that several verbs have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import reduce, wraps
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from mcuq.after.read import read_after
from mcuq.boards.find import board_names
from mcuq.budget import Budget
from mcuq.compile import CompiledModel
from mcuq.errors import DataError, ModelError
from mcuq.front_end.read import read_front_end
from mcuq.importer import INPUT_LAYOUTS, Selection
from mcuq.lower import GOALS, SOLVERS, parse_placement
from mcuq.lower.memories import parse_memories
from mcuq.lower.placement import parse_fast
from mcuq.options import Options
from mcuq.passes.stream import Streaming, parse_streaming
from mcuq.quantize import (
    DEFAULT_METHOD,
    DEFAULT_RECOVERY,
    INPUT_SCALES,
    METHODS,
    NAMED,
    PORTS,
    ROUNDINGS,
    Recovery,
    Scheme,
    parameters_text,
    parse_method,
    parse_scheme,
)


def is_given(parameter: str) -> bool:
    """Whether the option stands on the command line."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def refuse_unused(reason: str, *parameters: str) -> None:
    """Raise click.UsageError for the first of these options that was given: where it would change nothing, whoever gave
    it expects something else. `reason` says what it is for."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name) if parameter.name in parameters else None
        if source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]}: {reason}")


def complete_board(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of boards, for shells that complete what is typed."""
    return [CompletionItem(name) for name in board_names() if name.startswith(incomplete)]


def parse_shapes(given: tuple[str, ...]) -> dict[str, int | tuple[int, ...]]:
    """{"name": N} from "name=N" texts, {"name": (N, N)} from "name=N,N"; the last = is the one between."""
    shapes: dict[str, int | tuple[int, ...]] = {}
    for text in given:
        name, _, size = text.rpartition("=")
        sizes = size.split(",")
        if not name or not all(number.isdecimal() for number in sizes):
            raise ModelError(
                f"--shape {text}: is not of the form name=N, as in --shape sequence=16 or --shape x=1,3,32,32"
            )
        shapes[name] = int(size) if len(sizes) == 1 else tuple(map(int, sizes))
    return shapes


def parse_outputs(given: tuple[str, ...]) -> tuple[str, ...]:
    """The names in texts of one or several; a comma that belongs to a name has a backslash before it."""
    return tuple(name.replace("\\,", ",") for text in given for name in re.split(r"(?<!\\),", text))


def parse_fixed(given: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """(name, value) from "name=value" texts, whose last = is the one between."""
    return _numbers(given, "--fix-input", "gain=0.5", "input '{}' is fixed already")


def parse_initial(given: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """The same of what states begin with."""
    return _numbers(given, "--initial-state", "h=1", "state '{}' has a value already")


def _numbers(given: tuple[str, ...], option: str, example: str, is_known: str) -> tuple[tuple[str, float], ...]:
    found: dict[str, float] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        number = _number(value)
        if not name or not math.isfinite(number):
            raise ModelError(f"{option} {text}: is not of the form name=VALUE with a number, as in {option} {example}")
        if name in found:
            raise ModelError(f"{option} {text}: {is_known.format(name)}; give it one value")
        found[name] = number
    return tuple(found.items())


def parse_states(given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(input, output) from "input=output" texts; a = that belongs to a name has a backslash before it."""
    found = []
    for text in given:
        names = [name.replace("\\=", "=") for name in re.split(r"(?<!\\)=", text)]
        if len(names) != 2 or not all(names):
            raise ModelError(
                f"--state {text}: is not of the form INPUT=OUTPUT, as in --state h_in=h_out; a = within a name has a "
                "backslash before it"
            )
        found.append((names[0], names[1]))
    return tuple(found)


def _number(text: str) -> float:
    """The number that is written, integers of any size as they are; NaN for what is none."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return int(text) if re.fullmatch(r"[+-]?\d+", text) and math.isfinite(number) else number


board_option = click.option(
    "--board",
    required=True,
    metavar="NAME",
    shell_complete=complete_board,
    help="A board of `mcuq boards`, or a board's .toml file.",
)

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def gathered(name: str, fields: Collection[str], make: Callable[..., Any]) -> Decorator:
    """The command gets `name`, which `make` makes of those of its parameters that are in `fields`, instead of these."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_one(**given: Any) -> Any:
            made = make(**{field: given.pop(field) for field in fields})
            return command(**given, **{name: made})

        return with_one

    return decorate


def option_group(name: str, make: Callable[..., Any], *options: Decorator) -> Decorator:
    """The options as one value: the command gets `name`, which `make` makes of them."""
    fields: list[str] = []
    for option in options:
        (parameter,) = getattr(option(lambda: None), "__click_params__")  # noqa: B009
        fields.append(parameter.name)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return reduce(
            lambda decorated, option: option(decorated), reversed(options), gathered(name, fields, make)(command)
        )

    return decorate


shape_options = option_group(
    "shapes",
    lambda shape: parse_shapes(shape),
    click.option(
        "--shape",
        "shape",
        multiple=True,
        metavar="NAME=N[,N]",
        help="Size of a symbolic dimension, or all sizes of an input; may be repeated.",
    ),
)

selection_options = option_group(
    "selected",
    lambda outputs, fixed, states, stateful, initial, layout: Selection(
        parse_outputs(outputs), parse_fixed(fixed), parse_states(states), stateful, parse_initial(initial), layout
    ),
    click.option(
        "--outputs",
        multiple=True,
        metavar="NAME[,NAME]",
        help="Tensors of MODEL to give out instead of its outputs; may be repeated.",
    ),
    click.option(
        "--fix-input",
        "fixed",
        multiple=True,
        metavar="NAME=VALUE",
        help="Make an input a constant, all of whose elements are VALUE; may be repeated.",
    ),
    click.option(
        "--state",
        "states",
        multiple=True,
        metavar="INPUT=OUTPUT",
        help="Keep OUTPUT in the C as the next inference's INPUT; may be repeated. `mcuq inspect` suggests pairs.",
    ),
    click.option("--stateful", is_flag=True, help="Keep the states of LSTM, GRU and RNN from call to call."),
    click.option(
        "--initial-state",
        "initial",
        multiple=True,
        metavar="INPUT=VALUE",
        help="What all elements of a state begin with; may be repeated.  [default: 0]",
    ),
    click.option(
        "--input-layout",
        "layout",
        type=click.Choice(INPUT_LAYOUTS),
        default=INPUT_LAYOUTS[0],
        help="Order of images that are given: the model's own, or channels last (nhwc), as cameras have them.",
    ),
)


class Bytes(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: 49152, 48k (times 1024) or 2M."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+)([kKmM]?)(?:i?[bB])?", str(value))
        if found is None or int(found[1]) == 0:
            self.fail(f"'{value}' is no number of bytes; give one such as 49152, 48k or 1M", param, ctx)
        return int(found[1]) * {"": 1, "k": 2**10, "m": 2**20}[found[2].lower()]


optimize_option = click.option(
    "--optimize",
    type=click.Choice(GOALS),
    default=GOALS[0],
    show_default=True,
    help="Least flash or RAM, fewest instructions, or all in measure; outputs are the same.",
)


solver_option = click.option(
    "--solver",
    type=click.Choice(SOLVERS),
    default=SOLVERS[0],
    show_default=True,
    help="What finds places in the arena: the own search, or behind it OR-tools (pip install 'mcuq[solver]').",
)


def _streaming(stream: str | None, stream_whole: bool) -> Streaming | None:
    if stream is None:
        if stream_whole:
            raise ModelError("--stream-whole: says how --stream computes; give --stream AXIS too")
        return None
    return parse_streaming(stream, not stream_whole)


stream_option = option_group(
    "stream",
    _streaming,
    click.option(
        "--stream",
        metavar="AXIS[:HOP]",
        help="Each call takes HOP new frames along that dimension of the input: outputs are those of the whole window.",
    ),
    click.option(
        "--stream-whole",
        is_flag=True,
        help="With --stream, layers that padding reaches compute the whole window in each call: less RAM, more work.",
    ),
)

front_end_option = option_group(
    "front_end",
    lambda file: None if file is None else read_front_end(file),
    click.option(
        "--front-end",
        "file",
        type=click.Path(),
        metavar="FILE.toml",
        help="How the input is made of sound, images or samples, by C too; DATA may be WAV, image or CSV files.",
    ),
)

after_option = option_group(
    "after",
    lambda after_file: None if after_file is None else read_after(after_file),
    click.option(
        "--after",
        "after_file",
        type=click.Path(),
        metavar="FILE.toml",
        help="What is done with the outputs: labels, decisions, boxes, anomalies; ID_after.c too.",
    ),
)

weights_option = option_group(
    "weights",
    lambda place, fast, copied: replace(
        parse_placement(place), fast=None if fast is None else parse_fast(fast), copied_bytes=copied or 0
    ),
    click.option(
        "--weights",
        "place",
        default="inline",
        show_default=True,
        metavar="PLACE",
        help="Where constants go: inline in ID.c, external into ID.weights.bin, or section:NAME of the linker.",
    ),
    click.option(
        "--fast-weights",
        "fast",
        metavar="NAME[:BYTES]",
        help="Memory of the board into which start-up copies the constants that are used most: dtcm:32k.",
    ),
    click.option(
        "--copy-weights",
        "copied",
        type=Bytes(),
        metavar="BYTES",
        help="Copy weights that a layer reads often into the arena first, if they are no more: 16k.",
    ),
)


memory_option = option_group(
    "memories",
    lambda memory: parse_memories(memory) if memory is not None else (),
    click.option(
        "--memory",
        metavar="NAME[:BYTES],...",
        help="Memories of the board for the arena: dtcm:64k,axi.  [default: RAM; all of them if that is too small]",
    ),
)


def _scheme(scheme_text: str, per_tensor: bool, **changes: Any) -> Scheme:
    """The scheme of that name or file, with what was given instead of its own."""
    scheme = parse_scheme(scheme_text)
    given = {name.removesuffix("_type"): value for name, value in changes.items() if value}
    return replace(scheme, per_channel=scheme.per_channel and not per_tensor, **given)


scheme_options = option_group(
    "scheme",
    _scheme,
    click.option(
        "--scheme",
        "scheme_text",
        default="int8",
        show_default=True,
        metavar="NAME|FILE.toml",
        help=f"Numbers to compute in: {', '.join(NAMED)}; a .toml file states them layer by layer.",
    ),
    click.option("--input-type", type=click.Choice(PORTS), help="Type of the model's inputs.  [default: the scheme's]"),
    click.option("--output-type", type=click.Choice(PORTS), help="Type of the outputs.  [default: the scheme's]"),
    click.option(
        "--input-scale",
        type=click.Choice([*INPUT_SCALES]),
        help="One scale for each input, or where channels differ one for each of them.  [default: auto]",
    ),
    click.option("--per-tensor", is_flag=True, help="One weight scale a layer instead of one an output channel."),
    click.option("--symmetric", is_flag=True, help="Activations with zero point 0."),
    click.option("--power-of-two", is_flag=True, help="Scales that are powers of two: requantization is a shift."),
    click.option("--clip-weights", is_flag=True, help="int8 weights by least squared error, the largest clipped."),
)

RECOVERY_PARAMETERS = ("rounding", "no_equalization", "no_bias_correction", "no_headroom")

recovery_options = option_group(
    "recovery",
    lambda rounding, no_equalization, no_bias_correction, no_headroom: Recovery(
        rounding, not no_bias_correction, not no_equalization, not no_headroom
    ),
    click.option(
        "--rounding",
        type=click.Choice(ROUNDINGS),
        default=DEFAULT_RECOVERY.rounding,
        show_default=True,
        help="How weights are rounded: by what errs least on real inputs, or to nearest.",
    ),
    click.option("--no-equalization", is_flag=True, help="Leave channels of one tensor as different as they are."),
    click.option("--no-bias-correction", is_flag=True, help="Leave biases as they are."),
    click.option("--no-headroom", is_flag=True, help="End ranges at the largest value that was seen."),
)

calibration_option = click.option(
    "--calibration",
    type=click.Path(),
    metavar="DATA",
    help="Inputs to find ranges on: .npz with `x`, or a folder of .npy or images. A hundred real ones do.",
)

calibrations_option = click.option(
    "--calibration",
    "calibrations",
    multiple=True,
    type=click.Path(),
    metavar="DATA",
    help="Inputs to find ranges on: .npz with `x`, or a folder of .npy or images. A hundred real ones do.",
)

data_option = click.option(
    "--data",
    multiple=True,
    type=click.Path(),
    metavar="DATA",
    help=".npz with `x`, or a folder; of several models, one for each, by their names.  [default: made up]",
)


def one_for_each(option: str, given: Sequence[str], models: Sequence[CompiledModel]) -> Sequence[str | None]:
    """What is given for each of the models; None for all where nothing is. Raises DataError for another number."""
    if not given:
        return [None] * len(models)
    if len(given) != len(models):
        names = ", ".join(model.name for model in models)
        raise DataError(
            f"{option}: is given {len(given)} times for {names}; give one for each, in this order, or the path of one "
            "of them: DIR/ID.mcuq"
        )
    return given


method_option = option_group(
    "method",
    parse_method,
    click.option(
        "--calibrator",
        "text",
        default=str(DEFAULT_METHOD),
        show_default=True,
        metavar="METHOD",
        help=f"How ranges are found: {', '.join(METHODS)} ({parameters_text()}).",
    ),
)


def with_options(*fields: str) -> Decorator:
    """The command gets `options`, an Options of those of its fields that are named here."""
    return gathered("options", fields, Options)


class Accuracy(click.ParamType):  # type: ignore[type-arg]
    """A share of labels: 0.9, or 90 in per cent; up to 1 it is a share."""

    name = "accuracy"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = _number(str(value))
        if not 0 <= number <= 100:
            self.fail(f"'{value}' is no accuracy; give one such as 90, in per cent, or 0.9", param, ctx)
        return number if number <= 1 else number / 100


def _is_finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Click takes nan and inf for numbers."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not finite; give a number such as 20", context, parameter)
    return value


def _budget(
    max_ram: int | None, max_flash: int | None, max_ms: float | None, min_sqnr: float | None, min_accuracy: float | None
) -> Budget | None:
    """None where there is none."""
    budget = Budget(max_flash, min_sqnr, min_accuracy, max_ram, max_ms)
    return None if budget == Budget() else budget


BUDGET = "--max-ram, --max-flash, --max-ms, --min-sqnr or --min-accuracy"

budget_options = option_group(
    "budget",
    _budget,
    click.option(
        "--max-ram", type=Bytes(), metavar="BYTES", help="The fastest program whose arena takes no more: 64k."
    ),
    click.option("--max-flash", type=Bytes(), metavar="BYTES", help="Choose each layer's bits to fit: 48k."),
    click.option(
        "--max-ms",
        type=click.FloatRange(0, min_open=True),
        callback=_is_finite,
        metavar="MS",
        help="Choose what takes no longer, by the emulated CPU's cycles at the board's clock.",
    ),
    click.option(
        "--min-sqnr",
        type=float,
        callback=_is_finite,
        metavar="DB",
        help="Choose the fewest bits that reach this SQNR.",
    ),
    click.option(
        "--min-accuracy",
        type=Accuracy(),
        metavar="PERCENT",
        help="Choose the fewest bits that reach this accuracy (90, or 0.9), on data with labels `y`.",
    ),
)
