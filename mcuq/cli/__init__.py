"""The command line: one module a verb, which parses, calls and prints. A verb is imported when it is called: most need
a second of libraries, `mcuq --help` none of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from mcuq.cli.exit_codes import INTERRUPTED, WRONG
from mcuq.errors import McuqError, did_you_mean
from mcuq.version import __version__


class _Verb(NamedTuple):
    """A module of this package, the command in it, and what it does in a line."""

    module: str
    command: str
    does: str


_VERBS = {
    "demo": _Verb("demo", "demo", "Run the main job on a bundled network."),
    "boards": _Verb("boards", "boards", "List boards, or show one."),
    "inspect": _Verb("inspect", "inspect", "Show what is in a model."),
    "compile": _Verb("compile", "compile_", "Quantize a model and write it as C."),
    "diagnose": _Verb("diagnose", "diagnose", "Show which layers lose accuracy, and what helps."),
    "simulate": _Verb("simulate", "simulate", "Measure accuracy, next to the float model."),
    "run": _Verb("run", "run", "Compare the C with the simulator, byte for byte."),
    "profile": _Verb("profile", "profile", "Count instructions and estimate cycles, layer by layer."),
    "emulate": _Verb("emulate", "emulate_", "Switch on an emulated board with the firmware."),
    "flash": _Verb("flash", "flash", "Build the firmware and write it to a board."),
    "validate": _Verb("validate", "validate", "Compare a device with the simulator, byte for byte."),
    "plan": _Verb("plan", "plan", "Lay out buffers of a CSV file in memory."),
    "help": _Verb("help", "help_", "Show this, or the help of a verb."),
}


class _Verbs(click.Group):
    """Verbs in the order in which a person meets them.

    Exit codes: 0 done, 1 a McuqError, 2 wrong usage, 3 a comparison that differs, 130 interrupted. With --json whatever
    ends a verb is one JSON object on stdout.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        verb = _VERBS[cmd_name]
        command = getattr(import_module(f"mcuq.cli.{verb.module}"), verb.command)
        assert isinstance(command, click.Command)
        command.short_help = verb.does
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _VERBS and not args[0].startswith("-"):
            ctx.fail(f"'{args[0]}' is no verb of mcuq{did_you_mean(args[0], _VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.does) for name, verb in _VERBS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        _write_any_text()
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given
        try:
            # What a verb returns, or the code that it exits with.
            code = super().main(given, prog_name, complete_var, False, **extra)
        except McuqError as error:
            _say(str(error), f"error: {error}", as_json, error.facts)
            code = WRONG
        except click.Abort:
            _say("interrupted", "interrupted", as_json)
            code = INTERRUPTED
        except click.ClickException as error:
            if as_json:
                _say(error.format_message(), "", as_json)
            error.show()
            code = error.exit_code
        sys.exit(code if isinstance(code, int) else 0)


def _say(error: str, text: str, as_json: bool, facts: Mapping[str, Any] = MappingProxyType({})) -> None:
    """What went wrong: on stderr for people, as an object on stdout for programs."""
    if text:
        click.echo(text, err=True)
    if as_json:
        what, _, hint = error.partition("; ")
        click.echo(json.dumps({"error": what, "hint": hint or None, **facts}, indent=2))


def _write_any_text() -> None:
    """Names of layers and files are any text: a terminal that lacks a letter shows its number instead."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="mcuq")
def main() -> None:
    """Neural networks from ONNX to int8 C for microcontrollers, proved bit for bit.

    \b
    First:  mcuq demo
    Then:   mcuq compile model.onnx --board cortex-m4 --calibration inputs.npz -o build/model
            mcuq run build/model
            mcuq profile build/model

    Exit codes: 0 done, 1 an error, 2 wrong usage, 3 a comparison that differs, 130 interrupted.
    """
