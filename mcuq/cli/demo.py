"""mcuq demo: the main job on a bundled network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from mcuq.cli.common import json_option, model_json, model_lines, out, percent, print_json, print_lines
from mcuq.cli.exit_codes import DIFFERS
from mcuq.cli.options import complete_board
from mcuq.demo import Demo, run_demo
from mcuq.graph.tensor import Array

MOST_SHOWN = 6
SHADES, ASCII_SHADES = " ░▒▓█", " .+#@"


@click.command()
@click.option(
    "--board",
    default="cortex-m4",
    show_default=True,
    metavar="NAME",
    shell_complete=complete_board,
    help="A board with an emulator.",
)
@json_option
def demo(board: str, as_json: bool) -> None:
    """Compile a small network that reads digits, and run 100 real digits on an emulated board.

    \b
    Example:  mcuq demo
    """
    result = run_demo(board)
    if as_json:
        bits = {**asdict(result.bits), "bit_exact": result.bits.bit_exact}
        print_json({**model_json(result.model, result.footprint), **asdict(result.accuracy), **bits, "files": []})
    else:
        console = out()
        encoding = (sys.stdout.encoding or "ascii").lower()
        print_lines(demo_lines(result, encoding.startswith("utf"), console.width))
    if not result.bits.bit_exact:
        click.get_current_context().exit(DIFFERS)


def demo_lines(result: Demo, unicode: bool, width: int) -> Iterator[str]:
    """As many digits as fit, with the board's answers, then the figures."""
    shown = min(MOST_SHOWN, (width + 2) // (2 * result.images.shape[2] + 2))
    shades = SHADES if unicode else ASCII_SHADES
    yield from _pictures(result.images[:shown], result.labels[:shown], result.answers[:shown], shades)
    yield ""
    yield from model_lines(result.model, result.footprint)
    accuracy, bits = result.accuracy, result.bits
    reference = percent(accuracy.float_accuracy)
    yield f"  accuracy     {percent(accuracy.accuracy)} on {accuracy.samples} digits, float model {reference}"
    if bits.instructions is not None:
        yield f"  instructions {bits.instructions:,} an inference, stack {bits.stack_bytes:,} bytes"
    verdict = "bit-exact" if bits.bit_exact else "NOT bit-exact"
    yield f"  {verdict}: {bits.exact_samples}/{bits.samples}"
    yield "next: mcuq compile YOUR.onnx --board cortex-m4 --calibration YOUR.npz"


def _pictures(images: Array, labels: Array, answers: Array, shades: str) -> Iterator[str]:
    """Digits side by side, two characters a pixel, and under each what it is and what the board said."""
    for y in range(images.shape[1]):
        rows = ("".join(2 * shades[round(float(p) * (len(shades) - 1))] for p in image[y]) for image in images)
        yield "  ".join(rows)
    yield "  ".join(
        f"a {label}; board: {answer}".ljust(2 * images.shape[2]) for label, answer in zip(labels, answers, strict=True)
    )
