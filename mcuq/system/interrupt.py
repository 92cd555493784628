"""Ctrl-C comes between any two steps: those that belong together are done first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def before_interrupts() -> Iterator[None]:
    """What is begun inside, such as a program with what will end it, is not left half begun: Ctrl-C takes effect behind
    it. Only the main thread is ever interrupted, and only where somebody heeds the signal."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])
