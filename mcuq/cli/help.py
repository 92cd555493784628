"""mcuq help: what --help shows, for those who write it in front."""

from __future__ import annotations

import click


@click.command("help")
@click.argument("verb", required=False)
@click.pass_context
def help_(ctx: click.Context, verb: str | None) -> None:
    """Show the verbs, or the help of VERB.

    \b
    Example:  mcuq help compile
    """
    assert ctx.parent is not None
    if verb is None:
        click.echo(ctx.parent.get_help())
        return
    group = ctx.parent.command
    assert isinstance(group, click.Group)
    name, command, _ = group.resolve_command(ctx.parent, [verb])
    assert command is not None
    with click.Context(command, info_name=name, parent=ctx.parent) as inner:
        click.echo(command.get_help(inner))
