"""mcuq compile: the main job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from mcuq.api import compare as compare_choices
from mcuq.artifact import save, save_all, save_qdq, save_text
from mcuq.boards.find import load_board
from mcuq.budget import Budget, BudgetError, Plan, budget_json, budget_lines, search
from mcuq.build.footprint import Choice, Footprint, measure_footprint
from mcuq.cli.candidates import candidates_json, candidates_lines
from mcuq.cli.common import (
    choices_json,
    command_line,
    finite,
    json_option,
    judgement_lines,
    model_json,
    model_lines,
    out,
    print_json,
    print_lines,
    progress,
    warn,
)
from mcuq.cli.options import (
    BUDGET,
    RECOVERY_PARAMETERS,
    after_option,
    board_option,
    budget_options,
    calibrations_option,
    front_end_option,
    gathered,
    is_given,
    memory_option,
    method_option,
    optimize_option,
    option_group,
    recovery_options,
    refuse_unused,
    scheme_options,
    selection_options,
    shape_options,
    solver_option,
    stream_option,
    weights_option,
    with_options,
)
from mcuq.cli.table import Column, Row, table_lines
from mcuq.compile import CompiledModel, Part, compile_as, needs_calibration, share_arena
from mcuq.emulate.cycles import cycle_model
from mcuq.errors import DataError, ModelError, QuantizationError
from mcuq.lower import Goal, stepped
from mcuq.options import Options
from mcuq.quantize import FEWEST_SAMPLES, scheme_toml
from mcuq.report.arena_picture import arena_svg
from mcuq.report.candidates import Candidate, Figures, Workbench
from mcuq.report.profile import profile_model


@dataclass(frozen=True)
class Destination:
    """The folder for the files, what begins C symbols, and whether the quantized ONNX and a picture of the arena are
    written too."""

    output: str | None
    name: str | None
    export_qdq: bool
    picture: bool


@dataclass(frozen=True)
class Limits:
    """What the model is to keep to, if anything, and the inputs to judge that by."""

    budget: Budget | None
    data: str | None


@dataclass(frozen=True)
class Shown:
    """Whether instructions are counted for each goal, and whether all is one JSON object."""

    compare: bool
    as_json: bool


@click.command("compile")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path())
@board_option
@calibrations_option
@method_option
@recovery_options
@option_group(
    "files",
    Destination,
    click.option("-o", "--output", type=click.Path(), metavar="DIR", help="Where the files go.  [default: build/ID]"),
    click.option("--name", metavar="ID", help="Begins every C symbol; A,B of two models.  [default: the file's name]"),
    click.option(
        "--export-qdq", is_flag=True, help="Write ID_qdq.onnx too: the quantized model for Netron and other runtimes."
    ),
    click.option("--picture", is_flag=True, help="Write ID_arena.svg too: what lies where in the arena, and when."),
)
@option_group(
    "judged",
    lambda no_judge: not no_judge,
    click.option(
        "--no-judge", is_flag=True, help="Do not tell the SQNR on held-back samples: a third of the time less."
    ),
)
@option_group(
    "prune",
    lambda no_prune: not no_prune,
    click.option("--no-prune", is_flag=True, help="Keep channels that no output depends on; outputs are the same."),
)
@click.option("--push", is_flag=True, help="The input comes row by row to ID_push: it is never whole in the arena.")
@option_group(
    "step",
    lambda step, step_cycles: stepped(step, step_cycles),
    click.option("--step", is_flag=True, help="An inference by steps too: ID_step(budget) returns what is left of it."),
    click.option(
        "--step-cycles",
        type=click.IntRange(min=1),
        metavar="N",
        help="The same, with layers cut so that no step takes more than about N cycles.",
    ),
)
@scheme_options
@budget_options
@click.option(
    "--data", type=click.Path(), metavar="DATA", help="Inputs to judge a budget on.  [default: part of --calibration]"
)
@optimize_option
@click.option("--compare", is_flag=True, help="Count the instructions of each --optimize too, on the emulated board.")
@weights_option
@memory_option
@stream_option
@solver_option
@front_end_option
@after_option
@shape_options
@selection_options
@json_option
@with_options(
    "scheme",
    "method",
    "recovery",
    "shapes",
    "selected",
    "prune",
    "judged",
    "optimize",
    "weights",
    "push",
    "memories",
    "step",
    "solver",
    "stream",
    "front_end",
    "after",
)
@gathered("limits", ("budget", "data"), Limits)
@gathered("shown", ("compare", "as_json"), Shown)
def compile_(
    models: tuple[str, ...],
    board: str,
    calibrations: tuple[str, ...],
    options: Options,
    files: Destination,
    limits: Limits,
    shown: Shown,
) -> None:
    """Quantize the ONNX or TensorFlow Lite file MODEL and write it as C: ID.c and ID.h, which need nothing else.

    Several MODELs share one arena, shared_arena.c, and run one at a time; give each a --calibration, in their order.

    ID.mcuq beside them is what simulate, run and the other verbs read.

    A quantized MODEL (Q/DQ, QLinear operators) keeps its scales and integers and needs no --calibration.

    \b
    Example:  mcuq compile model.onnx --board cortex-m4 --calibration inputs.npz -o build/model
    """
    if len(models) > 1:
        _compile_several(_Several(models, board, calibrations), options, files, shown)
        return
    (model,) = models
    if len(calibrations) > 1:
        raise DataError(f"--calibration: is given {len(calibrations)} times for one model; give one file or folder")
    calibration = calibrations[0] if calibrations else None
    if calibration is None:
        refuse_unused("needs real inputs; give --calibration DATA", *RECOVERY_PARAMETERS)
    if limits.budget is None:
        refuse_unused(f"is for a budget: {BUDGET}", "data")
    _refuse_uncounted(board)
    plan = None
    if limits.budget is not None:
        options = replace(options, max_ram_bytes=limits.budget.max_ram_bytes)
        try:
            plan = _plan(model, board, calibration, limits, options)
        except BudgetError as error:
            _print_nearest(error, shown.as_json)
            raise
        options = plan.chosen.options(options)
    with progress() as ticker:
        compiled = compile_as(model, board, calibration, options, files.name, ticker)
    choices: Sequence[Choice] = ()
    if options.max_ram_bytes is None or shown.compare:
        choices = compare_choices(compiled, count=shown.compare)
    footprint = next((choice.footprint for choice in choices if choice.optimize == options.optimize), None)
    footprint = footprint or measure_footprint(compiled)
    taken = _check_costs(limits.budget, compiled, footprint)
    folder = Path(files.output) if files.output else Path("build") / compiled.name
    written = save(compiled, folder)
    if files.export_qdq:
        written.append(save_qdq(compiled, folder))
    if files.picture:
        drawn = arena_svg(compiled.name, compiled.arena_map)
        written.append(save_text(folder / f"{compiled.name}_arena.svg", drawn))
    if plan is not None and (calibration is not None or plan.chosen.scheme.layers):
        written.append(save_text(folder / f"{compiled.name}_scheme.toml", scheme_toml(options.scheme)))
    _warn_of(compiled, calibration)
    tried_on = None if plan is None else _tried_on(plan, limits.budget, calibration, limits.data)
    met = None
    if plan is not None and limits.budget is not None and taken is not None:
        tried = plan.measured[plan.chosen]
        met = limits.budget, replace(taken, sqnr_db=tried.sqnr_db, accuracy=tried.accuracy)
    if shown.as_json:
        print_json(
            {
                **model_json(compiled, footprint),
                "choices": choices_json(choices),
                "tried": [] if plan is None else candidates_json(plan.measured),
                "tried_on": tried_on,
                "budget": [] if met is None else budget_json(*met),
                "files": [str(path) for path in written],
            }
        )
        return
    console = out()
    print_lines(model_lines(compiled, footprint))
    print_lines(_range_lines(compiled, options))
    if plan is not None and met is not None:
        print_lines(budget_lines(*met))
        print_lines(candidates_lines("  tried", plan.measured, {plan.chosen: "chosen"}, console.width))
        console.print(f"  tried   on {tried_on}", markup=False)
    if choices and footprint.compiler is not None:
        print_lines(_choices(choices, compiled.optimize, console.width))
    console.print(f"  wrote   {', '.join(map(str, written))}", markup=False)
    console.print(f"next: {command_line('run', folder)}", markup=False)


def _refuse_uncounted(board: str) -> None:
    """Options for what is not counted on the board."""
    known = load_board(board)
    if not known.cpu.is_emulated:
        refuse_unused(f"counts on an emulated CPU, and board '{board}' has none", "compare", "max_ms")
    if known.clock_hz is None or cycle_model(known.cpu.core) is None:
        refuse_unused(f"needs a clock and the CPU's cycles, and board '{board}' has none", "max_ms")
    if known.memory is None:
        refuse_unused(
            f"counts code as the board's compiler makes it, and board '{board}' has none; give the board that the "
            "model is for, as --board cortex-m4",
            "max_flash",
        )


@dataclass(frozen=True)
class _Several:
    """Model files, their board, and what each is calibrated on, if anything."""

    models: tuple[str, ...]
    board: str
    calibrations: tuple[str, ...]

    def calibration_of(self, number: int) -> str | None:
        """None where ranges are guessed."""
        return self.calibrations[number] if self.calibrations else None


# Parameters that are for one model: budgets, and what is told of one.
_BUDGETS = ("max_ram", "max_flash", "max_ms", "min_sqnr", "min_accuracy", "data")
_OF_ONE = (*_BUDGETS, "compare", "export_qdq", "picture", "memory")


def _compile_several(asked: _Several, options: Options, files: Destination, shown: Shown) -> None:
    """Models that share one arena."""
    refuse_unused("is for one model; compile it by itself", *_OF_ONE)
    count = len(asked.models)
    if not asked.calibrations:
        refuse_unused("needs real inputs; give --calibration DATA", *RECOVERY_PARAMETERS)
    elif len(asked.calibrations) != count:
        raise DataError(
            f"--calibration: is given {len(asked.calibrations)} times for {count} models; give one for each, in the "
            "order of the models, or none"
        )
    names: list[str | None] = [*files.name.split(",")] if files.name else [None] * count
    if len(names) != count:
        raise ModelError(f"--name {files.name}: {len(names)} for {count} models; give as many, with commas between")
    with progress() as ticker:
        each = [
            compile_as(path, asked.board, asked.calibration_of(i), options, name, ticker)
            for i, (path, name) in enumerate(zip(asked.models, names, strict=True))
        ]
    compiled = share_arena(each)
    footprints = [measure_footprint(model) for model in compiled]
    folder = Path(files.output) if files.output else Path("build") / "_".join(model.name for model in compiled)
    written = save_all(compiled, folder)
    for i, model in enumerate(compiled):
        _warn_of(model, asked.calibration_of(i), f"{model.name}: ")
    arena_bytes = max(model.arena_bytes for model in compiled)
    if shown.as_json:
        each_json = [model_json(model, footprint) for model, footprint in zip(compiled, footprints, strict=True)]
        print_json({"arena_bytes": arena_bytes, "models": each_json, "files": [str(path) for path in written]})
        return
    console = out()
    for model, footprint in zip(compiled, footprints, strict=True):
        print_lines(model_lines(model, footprint))
        print_lines(_range_lines(model, options))
    console.print(f"shared_arena: {arena_bytes:,} bytes of RAM for all of them, one at a time", markup=False)
    console.print(f"  wrote   {', '.join(map(str, written))}", markup=False)
    for model in compiled:
        console.print(f"next: {command_line('run', folder / f'{model.name}.mcuq')}", markup=False)


def _plan(model: str, board: str, calibration: str | None, limits: Limits, options: Options) -> Plan:
    """What meets the budget. Raises BudgetError, which has all that was tried for `--json`, where nothing does."""
    budget = limits.budget
    assert budget is not None
    if calibration is None and (budget.quality or budget.max_flash_bytes is not None):
        if needs_calibration(model, options):
            raise DataError("a budget needs inputs to measure on; give --calibration DATA")
        if budget.quality and limits.data is None:
            raise DataError("a budget needs inputs to measure on; give --data DATA")
    seen: str | Part | None = calibration
    unseen: str | Part | None = limits.data or calibration
    if calibration is not None and _holds_back(budget, calibration, limits.data):
        seen, unseen = Part(calibration, held_back=False), Part(calibration, held_back=True)
    is_timed = budget.max_ms is not None
    bench = Workbench(model, load_board(board), seen, unseen, replace(options, judged=False), times=is_timed)
    now = Candidate("", options.scheme, options.method, options.recovery)
    with progress() as ticker:
        return search(bench, now, budget, ticker("choosing", None), not is_given("optimize"))


def _print_nearest(error: BudgetError, as_json: bool) -> None:
    """What was tried for a budget that nothing meets: for people a table, for programs beside the error."""
    error.facts = finite(
        {"budget": budget_json(error.budget, error.measured[error.nearest]), "tried": candidates_json(error.measured)}
    )
    if not as_json:
        print_lines(candidates_lines("  tried", error.measured, {error.nearest: "nearest"}, out().width))


def _check_costs(budget: Budget | None, compiled: CompiledModel, footprint: Footprint) -> Figures | None:
    """What the model takes. Calibrated on all samples it may take more than on part of them."""
    if budget is None:
        return None
    times = None if budget.max_ms is None else profile_model(compiled).ms
    figures = Figures(None, None, None, footprint.flash_bytes, compiled.arena_bytes, None, ms=times)
    for limit in budget.costs:
        value = limit.value(figures)
        if value is not None and not limit.is_met_by(figures):
            raise QuantizationError(
                f"{limit.asked}: calibrated on all samples the model takes {limit.text(value)}, more than on the part "
                "that was tried; allow more, or give other inputs to judge by: --data DATA"
            )
    return figures


def _warn_of(compiled: CompiledModel, calibration: str | None, where: str = "") -> None:
    """What the user should know of how the model came to be; `where` says which one, if there are several."""
    origin = compiled.origin
    for note in origin.notes:
        warn(f"{where}{note}")
    if origin.ranges == "guessed":
        count = origin.batch_normalizations
        statistics = f"the statistics of {count} BatchNormalization{'s' * (count != 1)} and " if count else ""
        wanted = "about a hundred real inputs: --calibration inputs.npz (array `x`), or a folder of .npy or images"
        inputs = "made-up inputs"
        if compiled.graph.states and compiled.graph.stream is None:
            inputs = "one made-up sequence, which is all that is known of what states become"
            wanted = (
                "real sequences: --calibration sequences.npz (array `x`, (sequences, steps, ...)), or a folder with a "
                ".npy for each"
            )
        warn(
            f"{where}no --calibration: ranges were guessed from {statistics}{inputs}, so the accuracy is UNKNOWN. Give "
            f"{wanted}."
        )
    elif origin.ranges == "calibrated" and origin.samples < FEWEST_SAMPLES:
        samples = f"{origin.samples} sample{'s' * (origin.samples != 1)}"
        warn(
            f"{where}--calibration {calibration}: has {samples} only; what other inputs reach beyond theirs is "
            "clipped. Give about a hundred."
        )


def _range_lines(compiled: CompiledModel, options: Options) -> Iterator[str]:
    """Where ranges are from, and how well they do."""
    if compiled.origin.ranges == "given":
        yield "  ranges  those of the quantized model"
    elif compiled.origin.ranges == "calibrated":
        yield f"  ranges  from {compiled.origin.samples} samples, {options.method}"
        if options.judged:
            yield from judgement_lines(compiled)
    elif compiled.origin.judgement is not None:
        yield from judgement_lines(compiled)


def _holds_back(budget: Budget | None, calibration: str | None, data: str | None) -> bool:
    """Whether a budget of accuracy has no inputs to judge by but those of the calibration."""
    if budget is None or calibration is None or (budget.min_sqnr_db is None and budget.min_accuracy is None):
        return False
    return data is None or Path(data).resolve() == Path(calibration).resolve()


def _tried_on(plan: Plan, budget: Budget | None, calibration: str | None, data: str | None) -> str:
    """The inputs that the models of a budget were judged by."""
    samples = plan.measured[plan.chosen].samples
    if data is None and calibration is None:
        return "no inputs: how accurate it is, is not known"
    if _holds_back(budget, calibration, data):
        return f"{samples} of the calibration samples, held back from the models tried"
    if data is None:
        return f"the {samples} calibration samples, which the models tried have seen"
    return f"the {samples} samples of {data}"


def _choices(choices: Sequence[Choice], chosen: Goal, width: int) -> Iterator[str]:
    """What each --optimize takes, a dash where it was not counted or does not fit the board."""
    keys = ["flash_bytes", "code_bytes", "constant_bytes", "arena_bytes"]
    columns = [Column("flash"), Column("code", 1), Column("constants", 2), Column("arena")]
    if any(choice.instructions is not None for choice in choices):
        keys.append("instructions")
        columns.append(Column("instructions"))
    rows = []
    for row in choices_json(choices):
        mark = "*" if row["optimize"] == chosen else " "
        cells = ["-" if row[key] is None else f"{row[key]:,}" for key in keys]
        rows.append(Row(f"{mark} {row['optimize']}", cells))
    return table_lines("  --optimize", columns, rows, width)
