"""Options that several verbs have."""

from __future__ import annotations

import click

from mcuq.errors import ModelError
from mcuq.lower import GOALS


def parse_shapes(given: tuple[str, ...]) -> dict[str, int]:
    """{"name": N} from "name=N" texts."""
    shapes = {}
    for text in given:
        name, _, size = text.partition("=")
        if not name or not size.isdigit():
            raise ModelError(f"--shape {text}: is not of the form name=N, as in --shape sequence=16")
        shapes[name] = int(size)
    return shapes


shape_option = click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=N", help="Size of a symbolic dimension; may be repeated."
)

optimize_option = click.option(
    "--optimize",
    type=click.Choice(GOALS),
    default=GOALS[0],
    show_default=True,
    help="Least flash, fewest instructions, or both in measure; outputs are the same.",
)
