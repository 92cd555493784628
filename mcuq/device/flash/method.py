"""What a way of flashing is: the interface of the classes beside this module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from mcuq.build.firmware import Firmware

Progress = Callable[[str, int], Callable[[int], None]]
"""progress(task, total bytes) returns what is called with the bytes that each step has done."""

Options = Mapping[str, str | int]


def silent(task: str, total: int) -> Callable[[int], None]:
    """A Progress that shows nothing."""
    return lambda n_bytes: None


class FlashMethod(ABC):
    """One way to write a program to a board; `options` are those of the board file's [flash]."""

    # What --port means to it, for help and errors.
    port_is: ClassVar[str]
    # Whether that is a serial port, which can be found by the board's USB ids.
    is_serial: ClassVar[bool] = False

    def __init__(self, options: Options) -> None:
        self.options = options

    def text(self, key: str, default: str = "") -> str:
        """An option that is a text."""
        return str(self.options.get(key, default))

    @abstractmethod
    def flash(self, firmware: Firmware, port: str, progress: Progress = silent) -> None:
        """Write the program, check it, and start it.

        Raises DeviceError where the device does not take it, BuildError where a program that this needs is missing.
        """
