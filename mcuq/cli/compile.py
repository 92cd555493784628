"""mcuq compile: the main job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from mcuq.api import compare as compare_choices
from mcuq.artifact import save, save_qdq, save_text
from mcuq.boards.find import load_board
from mcuq.budget import Budget, Plan, search
from mcuq.build.footprint import Choice
from mcuq.cli.candidates import candidates_json, candidates_lines
from mcuq.cli.common import (
    choices_json,
    command_line,
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
    RECOVERY_PARAMETERS,
    board_option,
    budget_options,
    calibration_options,
    optimize_option,
    parse_shapes,
    recovery_options,
    refuse_unused,
    scheme_options,
    selection_options,
    shape_option,
)
from mcuq.cli.table import Column, Row, table_lines
from mcuq.compile import Part, compile_model
from mcuq.errors import DataError, QuantizationError
from mcuq.importer import Selection
from mcuq.lower import Goal
from mcuq.quantize import FEWEST_SAMPLES, CalibrationMethod, Recovery, Scheme, scheme_toml
from mcuq.report.candidates import Candidate, Workbench


@click.command("compile")
@click.argument("model", type=click.Path())
@board_option
@calibration_options
@recovery_options
@click.option("-o", "--output", type=click.Path(), metavar="DIR", help="Where the files go.  [default: build/ID]")
@click.option("--name", metavar="ID", help="Begins every C symbol.  [default: the model file's name]")
@click.option(
    "--export-qdq", is_flag=True, help="Write ID_qdq.onnx too: the quantized model for Netron and other runtimes."
)
@click.option("--no-judge", is_flag=True, help="Do not tell the SQNR on held-back samples: a third of the time less.")
@click.option("--no-prune", is_flag=True, help="Keep channels that no output depends on; outputs are the same.")
@scheme_options
@budget_options
@click.option(
    "--data", type=click.Path(), metavar="DATA", help="Inputs to judge a budget on.  [default: part of --calibration]"
)
@optimize_option
@click.option("--compare", is_flag=True, help="Count the instructions of each --optimize too, on the emulated board.")
@shape_option
@selection_options
@json_option
def compile_(
    model: str,
    board: str,
    calibration: str | None,
    output: str | None,
    name: str | None,
    method: CalibrationMethod,
    recovery: Recovery,
    export_qdq: bool,
    no_judge: bool,
    no_prune: bool,
    scheme: Scheme,
    budget: Budget | None,
    data: str | None,
    optimize: Goal,
    compare: bool,
    shapes: tuple[str, ...],
    selected: Selection,
    as_json: bool,
) -> None:
    """Quantize the ONNX file MODEL and write it as C: ID.c and ID.h, which need nothing else.

    ID.mcuq beside them is what simulate, run and the other verbs read.

    A quantized MODEL (Q/DQ, QLinear operators) keeps its scales and integers and needs no --calibration.

    \b
    Example:  mcuq compile model.onnx --board cortex-m4 --calibration inputs.npz -o build/model
    """
    if calibration is None:
        refuse_unused("needs real inputs; give --calibration DATA", *RECOVERY_PARAMETERS)
    if budget is None:
        refuse_unused("is for a budget: --max-flash, --min-sqnr or --min-accuracy", "data")
    if not load_board(board).cpu.is_emulated:
        refuse_unused(f"counts on an emulated CPU, and board '{board}' has none", "compare")
    plan = None
    if budget is not None:
        now = Candidate("", scheme, method, recovery)
        plan = _plan(model, board, calibration, data, now, budget, shapes, selected, optimize)
        scheme = plan.chosen.scheme
    with progress() as ticker:
        compiled = compile_model(
            model,
            board,
            calibration,
            name,
            method,
            parse_shapes(shapes),
            ticker,
            prune=not no_prune,
            optimize=optimize,
            scheme=scheme,
            recovery=recovery,
            judged=not no_judge,
            outputs=selected.outputs,
            fix_inputs=dict(selected.fixed),
        )
    choices = compare_choices(compiled, count=compare)
    footprint = next(choice.footprint for choice in choices if choice.optimize == optimize)
    assert footprint is not None, "a model that does not fit is an error"
    if budget is not None and budget.max_flash_bytes is not None and footprint.flash_bytes > budget.max_flash_bytes:
        raise QuantizationError(
            f"--max-flash {budget.max_flash_bytes:,}: calibrated on all samples the model takes "
            f"{footprint.flash_bytes:,}, more than on the part that was tried; allow more, or give other inputs to "
            "judge by: --data DATA"
        )
    folder = Path(output) if output else Path("build") / compiled.name
    files = save(compiled, folder)
    if export_qdq:
        files.append(save_qdq(compiled, folder))
    if plan is not None:
        files.append(save_text(folder / f"{compiled.name}_scheme.toml", scheme_toml(scheme)))
    for note in compiled.origin.notes:
        warn(note)
    if compiled.origin.ranges == "guessed":
        count = compiled.origin.batch_normalizations
        statistics = f"the statistics of {count} BatchNormalization{'s' * (count != 1)} and " if count else ""
        warn(
            f"no --calibration: ranges were guessed from {statistics}made-up inputs, so the accuracy is UNKNOWN. "
            "Give about a hundred real inputs: --calibration inputs.npz (array `x`), or a folder of .npy or images."
        )
    elif compiled.origin.ranges == "calibrated" and compiled.origin.samples < FEWEST_SAMPLES:
        samples = f"{compiled.origin.samples} sample{'s' * (compiled.origin.samples != 1)}"
        warn(
            f"--calibration {calibration}: has {samples} only; what other inputs reach beyond theirs is clipped. "
            "Give about a hundred."
        )
    if as_json:
        paths = [str(path) for path in files]
        tried = [] if plan is None else candidates_json(plan.measured)
        print_json(
            {
                **model_json(compiled, footprint),
                "choices": choices_json(choices),
                "tried": tried,
                "tried_on": None if plan is None else _tried_on(plan, budget, calibration, data),
                "files": paths,
            }
        )
        return
    console = out()
    for line in model_lines(compiled, footprint):
        console.print(line, markup=False)
    if compiled.origin.ranges == "given":
        console.print("  ranges  those of the quantized model", markup=False)
    elif compiled.origin.ranges == "calibrated":
        console.print(f"  ranges  from {compiled.origin.samples} samples, {method}", markup=False)
    if compiled.origin.ranges == "calibrated" and not no_judge:
        for line in judgement_lines(compiled):
            console.print(line, markup=False)
    if plan is not None:
        how = {plan.chosen: "chosen"}
        print_lines(candidates_lines("  weights", plan.measured, how, console.width))
        console.print(f"  tried   on {_tried_on(plan, budget, calibration, data)}", markup=False)
    if footprint.compiler is not None:
        print_lines(_choices(choices, compiled.optimize, console.width))
    console.print(f"  wrote   {', '.join(map(str, files))}", markup=False)
    console.print(f"next: {command_line('run', folder)}", markup=False)


def _plan(
    model: str,
    board: str,
    calibration: str | None,
    data: str | None,
    now: Candidate,
    budget: Budget,
    shapes: tuple[str, ...],
    selected: Selection,
    optimize: Goal,
) -> Plan:
    """The bits that meet the budget."""
    if calibration is None:
        raise DataError("a budget needs inputs to measure on; give --calibration DATA")
    seen: str | Part = calibration
    unseen: str | Part = data or calibration
    if _holds_back(budget, calibration, data):
        seen, unseen = Part(calibration, held_back=False), Part(calibration, held_back=True)
    sizes = parse_shapes(shapes)
    bench = Workbench(model, load_board(board), seen, unseen, sizes, optimize, counts=False, selected=selected)
    with progress() as ticker:
        return search(bench, now, budget, ticker("choosing bits", None))


def _holds_back(budget: Budget | None, calibration: str | None, data: str | None) -> bool:
    """Whether a budget of accuracy has no inputs to judge by but those of the calibration."""
    if budget is None or calibration is None or (budget.min_sqnr_db is None and budget.min_accuracy is None):
        return False
    return data is None or Path(data).resolve() == Path(calibration).resolve()


def _tried_on(plan: Plan, budget: Budget | None, calibration: str | None, data: str | None) -> str:
    """The inputs that the models of a budget were judged by."""
    samples = plan.measured[plan.chosen].samples
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
