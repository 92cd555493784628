"""mcuq boards: lists boards, or shows one."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table

from mcuq.boards import Board, board_names, load_board
from mcuq.cli.common import json_option, out, print_json


@click.command(short_help="List boards, or show one.")
@click.argument("name", required=False)
@json_option
def boards(name: str | None, as_json: bool) -> None:
    """List boards, or show the one called NAME (or described by a .toml file).

    \b
    Example:  mcuq boards cortex-m4
    """
    if name is not None:
        facts = _facts(load_board(name))
        if as_json:
            print_json(facts)
            return
        width = max(map(len, facts))
        for key, value in facts.items():
            out().print(f"{key:<{width}}  {_text(key, value)}", markup=False)
        return
    listed = [load_board(board) for board in board_names()]
    if as_json:
        print_json({"boards": [_facts(board) for board in listed]})
        return
    table = Table("board", "CPU", "flash", "RAM", "clock", "verified on", "what", box=None, pad_edge=False)
    for board in listed:
        facts = _facts(board)
        keys = ("name", "core", "flash_bytes", "ram_bytes", "clock_hz", "verified", "description")
        table.add_row(*(_text(key, facts[key]) for key in keys))
    out().print(table)


def _facts(board: Board) -> dict[str, Any]:
    memory = board.memory
    return {
        "name": board.name,
        "description": board.description,
        "verified": board.verified,
        "core": board.cpu.core,
        "features": sorted(board.cpu.features),
        "clock_hz": board.clock_hz,
        "flash_bytes": memory.flash_bytes if memory else None,
        "flash_address": memory.flash_address if memory else None,
        "ram_bytes": memory.ram_bytes if memory else None,
        "ram_address": memory.ram_address if memory else None,
        "emulated": board.cpu.is_emulated,
    }


def _text(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key.endswith("_bytes"):
        return f"{value // 1024:,} KiB" if value % 1024 == 0 else f"{value:,} B"
    if key.endswith("_hz"):
        return f"{value / 1e6:g} MHz"
    if key.endswith("_address"):
        return f"{value:#010x}"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
