"""The command line: one module a verb, which parses, calls and prints."""

from __future__ import annotations

from typing import Any

import click

from mcuq.cli.boards import boards
from mcuq.cli.compile import compile_
from mcuq.cli.demo import demo
from mcuq.cli.diagnose import diagnose
from mcuq.cli.emulate import emulate_
from mcuq.cli.flash import flash
from mcuq.cli.inspect import inspect
from mcuq.cli.profile import profile
from mcuq.cli.run import run
from mcuq.cli.simulate import simulate
from mcuq.cli.validate import validate
from mcuq.errors import McuqError
from mcuq.version import __version__


class _Verbs(click.Group):
    """Verbs in the order in which a person meets them; a McuqError is its text and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except McuqError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(1)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mcuq")
def main() -> None:
    """Neural networks from ONNX to int8 C for microcontrollers, proved bit for bit.

    \b
    First:  mcuq demo
    Then:   mcuq compile model.onnx --board cortex-m4 --calibration inputs.npz -o build/model
            mcuq run build/model
            mcuq profile build/model
    """


for verb in (demo, boards, inspect, compile_, diagnose, simulate, run, profile, emulate_, flash, validate):
    main.add_command(verb)
