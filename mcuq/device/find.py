"""Finds the port of a board by what its USB interface calls itself."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.boards.facts import Board
from mcuq.boards.find import board_names, load_board
from mcuq.device.link import DEFAULT_BAUD, PortInfo, ports
from mcuq.errors import DeviceError


def find_port(board: Board) -> str:
    """The one port whose USB ids are those of the board; of any board that mcuq knows, where this one states none.

    Raises DeviceError where there is none, or several.
    """
    known = {board.name: board} if board.usb else {name: load_board(name) for name in board_names()}
    found = _matching(known)
    if len(found) == 1:
        return next(iter(found))
    if found:
        listed = ", ".join(f"{port} ({names})" for port, names in found.items())
        raise DeviceError(f"--port auto: several boards are there: {listed}; give --port for the one you mean")
    present = ", ".join(f"{port.name} ({_usb(port)})" for port in ports()) or "none"
    wanted = ", ".join(name for name, each in known.items() if each.usb) or "no board has a [usb] table"
    raise DeviceError(
        f"--port auto: no board found; looked for the USB ids of: {wanted}; ports of this computer: {present}; "
        "plug the board in, or give --port"
    )


def board_baud(board: Board) -> int:
    """The rate at which the board's firmware speaks."""
    return board.uart.baud if board.uart else DEFAULT_BAUD


def _matching(boards: Mapping[str, Board]) -> dict[str, str]:
    """Port -> the names of the boards that it may be."""
    found = {}
    for port in ports():
        ids = (port.usb_vendor_id, port.usb_product_id)
        names = [name for name, b in boards.items() if b.usb and (b.usb.vendor_id, b.usb.product_id) == ids]
        if names:
            found[port.name] = ", ".join(names)
    return found


def _usb(port: PortInfo) -> str:
    if port.usb_vendor_id is None or port.usb_product_id is None:
        return "no USB"
    return f"{port.usb_vendor_id:04x}:{port.usb_product_id:04x}"
