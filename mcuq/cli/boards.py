"""mcuq boards: lists boards, or shows one."""

from __future__ import annotations

from typing import Any

import click

from mcuq.boards.facts import Board, Memory
from mcuq.boards.find import board_names, is_path, load_board, search_boards
from mcuq.cli.common import json_option, out, print_json, print_lines
from mcuq.cli.options import complete_board
from mcuq.cli.table import Column, Row, table_lines
from mcuq.device.flash import METHODS


@click.command()
@click.argument("name", required=False, shell_complete=complete_board)
@json_option
def boards(name: str | None, as_json: bool) -> None:
    """List boards, or show the one called NAME (or described by a .toml file).

    A NAME that is none is looked for: a chip, a vendor, a CPU, a word of the description.

    \b
    Example:  mcuq boards cortex-m4
              mcuq boards nordic
    """
    if name is not None and (name in board_names() or is_path(name) or not search_boards(name)):
        facts = _facts(load_board(name))
        if as_json:
            print_json(facts)
            return
        known = {key: value for key, value in facts.items() if value is not None}
        width = max(map(len, known))
        for key, value in known.items():
            said = f" ({_PROOF[value]})" if key == "verified" else ""
            out().print(f"{key:<{width}}  {_text(key, value)}{said}", markup=False)
        return
    listed = [load_board(board) for board in (search_boards(name) if name else board_names())]
    if as_json:
        print_json({"boards": [_facts(board) for board in listed]})
        return
    rows = []
    for board in listed:
        facts = _facts(board)
        rows.append(Row(board.name, [_text(key, facts[key]) for key in _COLUMNS.values()]))
    titles = [Column(title, _RANKS.get(title, 0), title in _NUMBERS) for title in _COLUMNS]
    print_lines(table_lines("board", titles, rows, out().width))


_COLUMNS = {
    "CPU": "core",
    "flash": "flash_bytes",
    "RAM": "ram_bytes",
    "clock": "clock_hz",
    "family": "family",
    "flashed by": "flash_method",
    "verified on": "verified",
    "what": "description",
}
_NUMBERS = ("flash", "RAM", "clock")
_RANKS = {"what": 3, "family": 2, "flashed by": 1}
_PROOF = {
    "hardware": "proved on the device itself",
    "emulator": "proved on an emulator, not on hardware",
    "untried": "written from its manuals, not run on hardware",
}


def _facts(board: Board) -> dict[str, Any]:
    """All that is known; None for what the board does not have."""
    memory, uart, flashing, loader = board.memory, board.uart, board.flashing, board.loader
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
        **_more(memory),
        "emulated": board.cpu.is_emulated,
        "qemu_machine": board.qemu.machine if board.qemu else board.cpu.qemu_machine,
        "family": board.driver.family if board.driver else None,
        "cycle_counter": board.driver.counter if board.driver else None,
        "uart_address": uart.address if uart else None,
        "uart_interrupt": uart.interrupt if uart else None,
        "uart_clock_hz": uart.clock_hz if uart else None,
        "uart_baud": uart.baud if uart else None,
        "uart_tx": uart.tx if uart else None,
        "uart_rx": uart.rx if uart else None,
        **({f"uart_{key}": value for key, value in uart.settings} if uart else {}),
        **{f"clock_{key}": value for key, value in board.clock},
        "flash_method": flashing.method if flashing else None,
        "flash_port": METHODS[flashing.method].port_is if flashing else None,
        "flash_wait_states": flashing.wait_states if flashing else None,
        **({f"flash_{key}": value for key, value in flashing.options} if flashing else {}),
        "loader_slot_address": loader.slot_address if loader else None,
        "loader_slot_bytes": loader.slot_bytes if loader else None,
        "loader_page_bytes": loader.page_bytes if loader else None,
        "loader_kind": loader.kind if loader else None,
        "usb": f"{board.usb.vendor_id:04x}:{board.usb.product_id:04x}" if board.usb else None,
    }


def _more(memory: Memory | None) -> dict[str, Any]:
    """What is known of memories beside the main one, whose name is told where there are such."""
    if memory is None or not memory.more:
        return {}
    facts: dict[str, Any] = {"ram_name": memory.ram_name}
    for ram in memory.more:
        facts |= {f"{ram.name}_bytes": ram.size_bytes, f"{ram.name}_address": ram.address}
        facts |= {f"{ram.name}_is_fast": ram.is_fast}
    return facts


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
