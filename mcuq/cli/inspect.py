"""mcuq inspect: what is in a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from mcuq.artifact import is_compiled, load, save_text
from mcuq.cli.arena import arena_json, arena_lines
from mcuq.cli.common import json_option, out, print_json, print_lines
from mcuq.cli.options import refuse_unused, selection_options, shape_options
from mcuq.cli.table import Column, Row, table_lines
from mcuq.compile import CompiledModel
from mcuq.importer import Selection, nearest
from mcuq.report.arena_picture import arena_svg
from mcuq.report.inspect import Inspection, inspect_selected


@click.command()
@click.argument("model", type=click.Path())
@shape_options
@selection_options
@click.option("--picture", type=click.Path(), metavar="FILE", help="Draw the arena of a compiled model as SVG.")
@json_option
def inspect(model: str, shapes: dict[str, int], selected: Selection, picture: str | None, as_json: bool) -> None:
    """List operators, shapes, MACs and parameters of the ONNX or TensorFlow Lite file MODEL, and what is not supported;
    of a folder that compile wrote, or its .mcuq file, show what lies where in the arena, and when.

    \b
    Example:  mcuq inspect model.onnx
              mcuq inspect build/model --picture arena.svg
    """
    if is_compiled(model):
        parameters = ("shape", "outputs", "fixed", "states", "stateful", "initial", "layout")
        refuse_unused("is for a model that is not compiled yet", *parameters)
        _show_arena(load(model), picture, as_json)
        return
    refuse_unused("draws the arena of a compiled model; give the folder that compile wrote", "picture")
    found = inspect_selected(model, shapes, selected)
    if as_json:
        print_json(asdict(found))
        return
    console = out()
    console.print(f"{found.name}: opset {found.opset}, {found.producer or 'unknown exporter'}", markup=False)
    for kind, tensors in (("input", found.inputs), ("output", found.outputs)):
        for name, shape in tensors.items():
            console.print(f"  {kind:<7} {name}  {_shape(shape)}", markup=False)
    console.print(f"  nodes   {', '.join(f'{op} {n}' for op, n in found.operators.items())}", markup=False)
    if found.unsupported or found.problems:
        console.print("  not supported:")
        for op, nodes in found.unsupported.items():
            console.print(f"    {op}: {', '.join(nodes)}{nearest(op)}", markup=False)
        for problem in found.problems:
            console.print(f"    {problem}", markup=False)
        return
    for state in found.states:
        console.print(f"  state   {state.input}  from {state.output}", markup=False)
    if found.suggested:
        pairs = [f"--state {_escaped(state.input)}={_escaped(state.output)}" for state in found.suggested]
        console.print(f"  states? {' '.join(pairs)}", markup=False)
    for line in _quantization(found):
        console.print(line, markup=False)
    console.print("  all operators are supported; as it will be compiled:")
    print_lines(_layers(found, console.width))


def _show_arena(model: CompiledModel, picture: str | None, as_json: bool) -> None:
    """What lies in the arena of a compiled model."""
    written = None if picture is None else save_text(Path(picture), arena_svg(model.name, model.arena_map))
    if as_json:
        print_json(
            {
                "name": model.name,
                "board": model.board.name,
                "macs": model.macs,
                **arena_json(model.arena_map),
                "files": [] if written is None else [str(written)],
            }
        )
        return
    console = out()
    console.print(f"{model.name}: {len(model.graph.nodes)} layers, {model.macs:,} MACs, for {model.board.name}")
    print_lines(arena_lines(model.arena_map, console.width))
    if written is not None:
        console.print(f"  wrote   {written}", markup=False)


def _quantization(found: Inspection) -> Iterator[str]:
    """What came quantized, and what did not; nothing for a float model."""
    given = found.quantization
    if given is None or not given.is_quantized:
        return
    layers = len(given.weights) + len(given.rounded)
    tensors = len(given.activations) + len(given.calibrated)
    kept = (
        f"weights of {len(given.weights)} of {layers} layers, scales of {len(given.activations)} of {tensors} tensors"
    )
    yield f"  quantized: {kept}"
    for title, names in (
        (
            "weights rounded by mcuq",
            [name for name in given.rounded if name not in given.requantized and name not in given.lost],
        ),
        ("weights with a zero point, rounded anew", given.requantized),
        *(
            (f"weights with {what}, rounded anew", [name for name, own in given.lost.items() if own == what])
            for what in dict.fromkeys(given.lost.values())
        ),
        ("ranges at run time, calibrated here", found.dynamic),
        ("needs calibration data", given.calibrated),
    ):
        if names:
            yield f"    {title}: {', '.join(names)}"


def _layers(found: Inspection, width: int) -> Iterator[str]:
    columns = [Column("operator", is_number=False), Column("output", 1, False), Column("MACs"), Column("parameters")]
    rows = [
        Row(layer.name, (layer.op, _shape(layer.shape), f"{layer.macs:,}", f"{layer.parameters:,}"))
        for layer in found.layers
    ]
    rows.append(Row("total", ("", "", f"{found.macs:,}", f"{found.parameters:,}")))
    return table_lines("layer", columns, rows, width)


def _escaped(name: str) -> str:
    """A name as --state takes it."""
    return name.replace("=", "\\=")


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
