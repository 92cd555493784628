"""Options that several verbs have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from mcuq.boards.find import board_names
from mcuq.budget import Budget
from mcuq.errors import ModelError
from mcuq.importer import Selection
from mcuq.lower import GOALS
from mcuq.quantize import (
    DEFAULT_METHOD,
    DEFAULT_RECOVERY,
    INPUT_SCALES,
    METHODS,
    NAMED,
    PORTS,
    ROUNDINGS,
    Recovery,
    Rounding,
    parse_method,
    parse_scheme,
)


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


def parse_shapes(given: tuple[str, ...]) -> dict[str, int]:
    """{"name": N} from "name=N" texts."""
    shapes = {}
    for text in given:
        name, _, size = text.partition("=")
        if not name or not size.isdigit():
            raise ModelError(f"--shape {text}: is not of the form name=N, as in --shape sequence=16")
        shapes[name] = int(size)
    return shapes


def parse_outputs(given: tuple[str, ...]) -> tuple[str, ...]:
    """The names in texts of one or several; a comma that belongs to a name has a backslash before it."""
    return tuple(name.replace("\\,", ",") for text in given for name in re.split(r"(?<!\\),", text))


def parse_fixed(given: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """(name, value) from "name=value" texts, whose last = is the one between."""
    fixed: dict[str, float] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        number = _number(value)
        if not name or not math.isfinite(number):
            raise ModelError(
                f"--fix-input {text}: is not of the form name=VALUE with a number, as in --fix-input gain=0.5"
            )
        if name in fixed:
            raise ModelError(f"--fix-input {text}: input '{name}' is fixed already; give it one value")
        fixed[name] = number
    return tuple(fixed.items())


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

shape_option = click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=N", help="Size of a symbolic dimension; may be repeated."
)


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--outputs and --fix-input; the command gets `selected`, a Selection."""

    @click.option(
        "--outputs",
        multiple=True,
        metavar="NAME[,NAME]",
        help="Tensors of MODEL to give out instead of its outputs; may be repeated.",
    )
    @click.option(
        "--fix-input",
        "fixed",
        multiple=True,
        metavar="NAME=VALUE",
        help="Make an input a constant, all of whose elements are VALUE; may be repeated.",
    )
    @wraps(command)
    def with_selection(*args: Any, outputs: tuple[str, ...], fixed: tuple[str, ...], **kwargs: Any) -> Any:
        return command(*args, selected=Selection(parse_outputs(outputs), parse_fixed(fixed)), **kwargs)

    return with_selection


optimize_option = click.option(
    "--optimize",
    type=click.Choice(GOALS),
    default=GOALS[0],
    show_default=True,
    help="Least flash, fewest instructions, or both in measure; outputs are the same.",
)


def scheme_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--scheme and what changes parts of it; the command gets `scheme`, a Scheme."""

    @click.option(
        "--scheme",
        "scheme_text",
        default="int8",
        show_default=True,
        metavar="NAME|FILE.toml",
        help=f"Numbers to compute in: {', '.join(NAMED)}; a .toml file states them layer by layer.",
    )
    @click.option("--input-type", type=click.Choice(PORTS), help="Type of the model's inputs.  [default: the scheme's]")
    @click.option("--output-type", type=click.Choice(PORTS), help="Type of the outputs.  [default: the scheme's]")
    @click.option(
        "--input-scale",
        type=click.Choice(INPUT_SCALES),
        help="One scale for each input, or where channels differ one for each of them.  [default: auto]",
    )
    @click.option("--per-tensor", is_flag=True, help="One weight scale a layer instead of one an output channel.")
    @click.option("--symmetric", is_flag=True, help="Activations with zero point 0.")
    @click.option("--power-of-two", is_flag=True, help="Scales that are powers of two: requantization is a shift.")
    @click.option("--clip-weights", is_flag=True, help="int8 weights by least squared error, the largest clipped.")
    @wraps(command)
    def with_scheme(
        *args: Any,
        scheme_text: str,
        input_type: str | None,
        output_type: str | None,
        input_scale: str | None,
        per_tensor: bool,
        symmetric: bool,
        power_of_two: bool,
        clip_weights: bool,
        **kwargs: Any,
    ) -> Any:
        given = parse_scheme(scheme_text)
        scheme = replace(
            given,
            input=input_type or given.input,
            output=output_type or given.output,
            input_scale=input_scale or given.input_scale,
            per_channel=given.per_channel and not per_tensor,
            symmetric=given.symmetric or symmetric,
            power_of_two=given.power_of_two or power_of_two,
            clip_weights=given.clip_weights or clip_weights,
        )
        return command(*args, scheme=scheme, **kwargs)

    return with_scheme


RECOVERY_PARAMETERS = ("rounding", "no_equalization", "no_bias_correction", "no_headroom")


def recovery_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is done for accuracy; the command gets `recovery`, a Recovery."""

    @click.option(
        "--rounding",
        type=click.Choice(ROUNDINGS),
        default=DEFAULT_RECOVERY.rounding,
        show_default=True,
        help="How weights are rounded: by what errs least on real inputs, or to nearest.",
    )
    @click.option("--no-equalization", is_flag=True, help="Leave channels of one tensor as different as they are.")
    @click.option("--no-bias-correction", is_flag=True, help="Leave biases as they are.")
    @click.option("--no-headroom", is_flag=True, help="End ranges at the largest value that was seen.")
    @wraps(command)
    def with_recovery(
        *args: Any,
        rounding: Rounding,
        no_equalization: bool,
        no_bias_correction: bool,
        no_headroom: bool,
        **kwargs: Any,
    ) -> Any:
        recovery = Recovery(rounding, not no_bias_correction, not no_equalization, not no_headroom)
        return command(*args, recovery=recovery, **kwargs)

    return with_recovery


def calibration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--calibration and --calibrator; the command gets `calibration`, a path, and `method`, a CalibrationMethod."""

    @click.option(
        "--calibration",
        type=click.Path(),
        metavar="DATA",
        help="Inputs to find ranges on: .npz with `x`, or a folder of .npy or images. A hundred real ones do.",
    )
    @click.option(
        "--calibrator",
        default=str(DEFAULT_METHOD),
        show_default=True,
        metavar="METHOD",
        help=f"How ranges are found: {', '.join(METHODS)} (percentile:99.99 sets the share kept, "
        "moving_average:0.05 the weight of each new sample).",
    )
    @wraps(command)
    def with_method(*args: Any, calibrator: str, **kwargs: Any) -> Any:
        return command(*args, method=parse_method(calibrator), **kwargs)

    return with_method


class Bytes(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: 49152, 48k (times 1024) or 2M."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+)([kKmM]?)(?:i?[bB])?", str(value))
        if found is None or int(found[1]) == 0:
            self.fail(f"'{value}' is no number of bytes; give one such as 49152, 48k or 1M", param, ctx)
        return int(found[1]) * {"": 1, "k": 2**10, "m": 2**20}[found[2].lower()]


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--max-flash, --min-sqnr, --min-accuracy; the command gets `budget`, a Budget, or None where there is none."""

    @click.option("--max-flash", type=Bytes(), metavar="BYTES", help="Choose each layer's bits to fit: 48k.")
    @click.option("--min-sqnr", type=float, metavar="DB", help="Choose the fewest bits that reach this SQNR.")
    @click.option(
        "--min-accuracy",
        type=click.FloatRange(0, 100),
        metavar="PERCENT",
        help="Choose the fewest bits that reach this accuracy, on data with labels `y`.",
    )
    @wraps(command)
    def with_budget(
        *args: Any, max_flash: int | None, min_sqnr: float | None, min_accuracy: float | None, **kwargs: Any
    ) -> Any:
        share = None if min_accuracy is None else min_accuracy / 100
        budget = Budget(max_flash, min_sqnr, share)
        return command(*args, budget=None if budget == Budget() else budget, **kwargs)

    return with_budget
