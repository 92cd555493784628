"""Validates one device, or several at once: a thread each, one result each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mcuq.compile import CompiledModel
from mcuq.device.link import Link, open_link
from mcuq.device.session import Session
from mcuq.errors import McuqError
from mcuq.graph.tensor import Array
from mcuq.validate.device import DeviceReport, validate_device
from mcuq.validate.expected import Expected

Tick = Callable[[], None]
_STOP_S = 0.2  # how long a thread may go on after Ctrl-C


@dataclass(frozen=True)
class Member:
    """A device of the fleet: its port, and what came of it: a report, or why there is none."""

    port: str
    report: DeviceReport | None
    error: str | None


class _Stopped(Exception):
    """Another thread has ended the run."""


class _StoppableLink:
    """A link of one thread that another can end, also while it waits."""

    def __init__(self, link: Link, stop: threading.Event) -> None:
        self._link = link
        self._stop = stop
        self.name = link.name
        self.baud = link.baud

    def write(self, data: bytes) -> None:
        self._link.write(data)

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        end_s = time.monotonic() + timeout_s
        while True:
            if self._stop.is_set():
                raise _Stopped
            left_s = end_s - time.monotonic()
            data = self._link.read(max_bytes, min(max(left_s, 0.0), _STOP_S))
            if data or left_s <= _STOP_S:
                return data

    def close(self) -> None:
        self._link.close()


def validate_port(
    model: CompiledModel,
    batches: Iterator[Mapping[str, Array]],
    port: str,
    baud: int,
    mend: str,
    tick: Tick = lambda: None,
    wrap: Callable[[Link], Link] = lambda link: link,
) -> DeviceReport:
    """`validate_device` of the device at a port with int8 batches (samples, *shape); `wrap` may record the link."""
    with Expected(model.graph, batches, model.as_given, model.calls()) as samples:
        return _validate(model, samples, port, baud, mend, tick, wrap)


def validate_fleet(
    model: CompiledModel,
    batches: Iterator[Mapping[str, Array]],
    ports: Sequence[str],
    baud: int,
    mend: Callable[[str], str],
    ticks: Sequence[Tick],
) -> tuple[Member, ...]:
    """The same of all ports at once, each sample simulated once; what is wrong with one does not stop the others.

    `mend(port)` is the command that flashes the model there; `ticks` are called after each sample of their port.
    """
    stop = threading.Event()

    def stoppable(link: Link) -> Link:
        return _StoppableLink(link, stop)

    def member(port: str, tick: Tick) -> Member:
        try:
            return Member(port, _validate(model, samples, port, baud, mend(port), tick, stoppable), None)
        except McuqError as error:
            return Member(port, None, str(error))

    with (
        Expected(model.graph, batches, model.as_given, model.calls()) as samples,
        ThreadPoolExecutor(max_workers=len(ports)) as pool,
    ):
        try:
            return tuple(pool.map(member, ports, ticks))
        finally:
            stop.set()


def _validate(
    model: CompiledModel,
    samples: Expected,
    port: str,
    baud: int,
    mend: str,
    tick: Tick,
    wrap: Callable[[Link], Link],
) -> DeviceReport:
    opened = open_link(port, baud)
    try:
        link = wrap(opened)
    except BaseException:
        opened.close()
        raise
    with Session(link, mend=mend) as session:
        return validate_device(model, session, samples, mend, tick)
