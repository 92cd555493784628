"""Requests over a link until each is answered: repeats, gives up in finite time, and says why.

Every request may be repeated without harm (docs/protocol.md), so there is one remedy for all faults: send it again,
at once where the fault shows itself, else after a time-out. Answers that nobody waits for are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from mcuq.device.link import Link
from mcuq.device.messages import (
    ANSWER,
    DAMAGED,
    MEANING,
    OF_MODEL,
    OF_MODEL_BYTES,
    STARTED,
    Boot,
    Continue,
    Infer,
    Request,
    Reset,
    Role,
    Run,
    Status,
)
from mcuq.device.protocol import DELIMITER, Damage, Decoder, Frame, encode, wire_bytes
from mcuq.errors import DeviceError

A = TypeVar("A")

ATTEMPTS = 6
# On top of the time on the wire: USB adapters hold bytes back up to 16 ms, and a busy computer wakes late.
PATIENCE_S = 0.25
LONGEST_PATIENCE_S = 2.0
BITS_PER_BYTE = 10
MOST_UNANSWERED = 64  # far below 256, so that a sequence number means one request
# Half of what Linux keeps of a serial port's input while nobody reads.
MOST_AWAITED_BYTES = 2048
READ_BYTES = 4096


class StatusError(DeviceError):
    """The device has refused a request; `status` and `body` are those of its answer."""

    def __init__(self, text: str, status: int, body: bytes) -> None:
        super().__init__(text)
        self.status = status
        self.body = body


@dataclass
class Traffic:
    """What has passed since the session began: bytes on the wire, requests sent again, starts of the device."""

    bytes_written: int = 0
    bytes_read: int = 0
    repeats: int = 0
    starts: int = 0


@dataclass(eq=False)
class _Sent:
    """A request that is not answered yet.

    `timed` counts the times it was sent because of a time-out, the first one included. A fault may show itself
    several times: only the first between two time-outs `hastened` a repeat. Of all sendings, counted over the session,
    `alive_from` is the first whose answer may still come, `last` the last.
    """

    index: int
    request: Request[Any]
    sequence: int
    frame: bytes
    alive_from: int
    last: int
    timed: int = 1
    starts: int = 0
    hastened: bool = False


@dataclass
class _Heard:
    """What has arrived since the last answer, and since when."""

    since_s: float
    n_bytes: int = 0
    damages: int = 0
    refusals: int = 0
    timeouts: int = 0


class Exchange:
    """Sends requests and matches answers. One at a time: a call ends what an earlier one has left.

    `model` is the index of the one that requests are about, of those that a device has; each names it, so that a reset
    of the device changes nothing. 0 is what a request that names none is about.
    """

    model: int = 0

    def __init__(self, link: Link, clock: Callable[[], float], attempts: int = ATTEMPTS) -> None:
        self.traffic = Traffic()
        self._link = link
        self._clock = clock
        self._attempts = attempts
        self._decoder = Decoder()
        self._sequence = 0
        self._sendings = 0
        self._last_of_runs: dict[type[Request[Any]], int] = {}
        self._unanswered: list[_Sent] = []  # in the order in which they were last sent
        self._answers: dict[int, Frame] = {}
        self._slowest_s: float | None = None  # of an inference
        self._work_s = 0.0
        self._is_new = True
        self._was_answered = False
        self._is_loader = False  # what has started last, since the session began
        self._awaited_since_s = self._deadline_s = 0.0
        self._heard = _Heard(0.0)

    def answers(self, requests: Iterable[Request[A]], window_bytes: int = 0, work_s: float = 0.0) -> Iterator[A]:
        """The answers, in the order of the requests.

        Several requests are on their way together as far as their frames have no more than `window_bytes`.
        `work_s` is the longest that the device may work on one. Raises StatusError where the device refuses one,
        DeviceError where an answer does not come.
        """
        self._unanswered.clear()
        self._answers.clear()
        self._work_s = work_s
        asked: dict[int, Request[A]] = {}
        source = iter(requests)
        following = next(source, None)
        done = 0
        while following is not None or asked:
            while following is not None and self._has_room(following, window_bytes):
                index = done + len(asked)
                asked[index] = following
                self._send_new(index, following)
                following = next(source, None)
            while done not in self._answers:
                self._listen()
            yield self._unpacked(asked.pop(done), self._answers.pop(done))
            done += 1
            # What the caller has done with the answer took time, in which nobody listened.
            self._await_next()

    def await_start(self, starts: int, timeout_s: float) -> None:
        """Listen until the device has started more than `starts` times, at most `timeout_s`."""
        self._unanswered.clear()
        self._deadline_s = self._clock() + timeout_s
        while self.traffic.starts <= starts and self._clock() < self._deadline_s:
            self._listen()

    def _has_room(self, request: Request[Any], window_bytes: int) -> bool:
        if not self._unanswered:
            return not self._answers
        # The first counts too: its predecessor's answer has arrived before the device takes it out of its buffer.
        waiting = sum(1 + len(sent.frame) for sent in self._unanswered)
        own = 1 + wire_bytes(self.address_bytes + len(request.pack()))
        awaited = sum(_answer_bytes(sent.request) for sent in self._unanswered) + _answer_bytes(request)
        return (
            waiting + own <= window_bytes
            and awaited <= MOST_AWAITED_BYTES
            and len(self._unanswered) + len(self._answers) < MOST_UNANSWERED
        )

    def _send_new(self, index: int, request: Request[Any]) -> None:
        sequence = self._next_sequence(request)
        self._sendings += 1
        frame = self._framed(request, sequence)
        sent = _Sent(index, request, sequence, frame, self._sendings, self._sendings)
        # What noise or an earlier program has left on the line ends at the first delimiter.
        self._write(DELIMITER * self._is_new + sent.frame)
        self._is_new = False
        self._unanswered.append(sent)
        if len(self._unanswered) == 1:
            self._heard = _Heard(self._clock())
            self._await_next()

    @property
    def address_bytes(self) -> int:
        """Of a request's body: what names its model."""
        return OF_MODEL_BYTES if self.model else 0

    def _framed(self, request: Request[Any], sequence: int) -> bytes:
        if not self.model:
            return encode(request.type, sequence, request.pack())
        return encode(OF_MODEL, sequence, bytes((self.model, request.type)) + request.pack())

    def _next_sequence(self, request: Request[Any]) -> int:
        """One that the last request of this type did not have, where the device takes that for its repeat."""
        while True:
            sequence, self._sequence = self._sequence, (self._sequence + 1) % 256
            if not isinstance(request, Run | Continue):
                return sequence
            if self._last_of_runs.get(type(request)) != sequence:
                self._last_of_runs[type(request)] = sequence
                return sequence

    def _write(self, data: bytes) -> None:
        self._link.write(data)
        self.traffic.bytes_written += len(data)

    def _repeat(self, sent: _Sent, is_lost: bool) -> None:
        """Send it again: because what was sent is lost, or because it takes too long."""
        self._write(DELIMITER + sent.frame)
        self.traffic.repeats += 1
        self._sendings += 1
        sent.last = self._sendings
        if is_lost:
            sent.alive_from = sent.last
        self._unanswered.remove(sent)
        self._unanswered.append(sent)

    def _await_next(self) -> None:
        """Set the time until which something must come of the request that was sent first."""
        now_s = self._awaited_since_s = self._clock()
        if not self._unanswered:
            return
        first = self._unanswered[0]
        on_wire = sum(len(sent.frame) + _answer_bytes(sent.request) for sent in self._unanswered)
        is_known = isinstance(first.request, Infer) and self._slowest_s is not None
        work_s = 2 * (self._slowest_s or 0.0) if is_known else self._work_s
        patience_s = min(PATIENCE_S * 2**self._heard.timeouts, LONGEST_PATIENCE_S)
        self._deadline_s = now_s + on_wire * BITS_PER_BYTE / self._link.baud + work_s + patience_s

    def _listen(self) -> None:
        """Take in what arrives next; at a time-out repeat what was sent first, or give up."""
        data = self._link.read(READ_BYTES, max(0.0, self._deadline_s - self._clock()))
        self.traffic.bytes_read += len(data)
        self._heard.n_bytes += len(data)
        for found in self._decoder.feed(data):
            self._take(found)
        # Also while bytes keep arriving: they may be noise for ever.
        if self._unanswered and self._clock() >= self._deadline_s:
            first = self._unanswered[0]
            self._heard.timeouts += 1
            if max(first.timed, self._heard.timeouts) >= self._attempts:
                raise DeviceError(self._why_no_answer(first))
            first.timed += 1
            first.hastened = False
            self._repeat(first, is_lost=False)
            self._await_next()

    def _take(self, found: Frame | Damage) -> None:
        if isinstance(found, Damage) or found.type == DAMAGED:
            self._hasten(isinstance(found, Frame))
        elif found.type == STARTED:
            self._start_again(found)
        else:
            self._answer(found)

    def _hasten(self, device_says_so: bool) -> None:
        """A frame was hurt on its way, most likely the first one's, or its answer."""
        if device_says_so:
            self._heard.refusals += 1
        else:
            self._heard.damages += 1
        if self._unanswered and not self._unanswered[0].hastened:
            first = self._unanswered[0]
            first.hastened = True
            self._repeat(first, is_lost=True)
            self._await_next()

    def _start_again(self, frame: Frame) -> None:
        """The device has just started: all that it had received is lost."""
        self.traffic.starts += 1
        self._is_loader = frame.body == bytes((Role.LOADER,))
        for sent in list(self._unanswered):
            if isinstance(sent.request, Reset | Boot):
                self._answer(Frame(sent.request.type | ANSWER, sent.sequence, bytes((Status.OK,))))
                continue
            sent.starts += 1
            if sent.starts >= self._attempts:
                raise DeviceError(
                    f"{self._link.name}: the device has started {sent.starts} times over while {sent.request.name} "
                    "was awaited: its program crashes, or its supply breaks down; unplug it, plug it in and retry, "
                    "then flash it again"
                )
            self._repeat(sent, is_lost=True)
        self._await_next()

    def _answer(self, frame: Frame) -> None:
        is_refused = self.model and frame.type == OF_MODEL | ANSWER  # no such model; else the answer is the request's
        awaited = [
            (frame.type if is_refused else sent.request.type | ANSWER, sent.sequence) for sent in self._unanswered
        ]
        key = (frame.type, frame.sequence)
        if key not in awaited or not frame.body:
            return
        position = awaited.index(key)
        sent = self._unanswered.pop(position)
        self._answers[sent.index] = frame
        if isinstance(sent.request, Infer) and position == 0 and sent.timed == 1 and not sent.hastened:
            self._slowest_s = max(self._clock() - self._awaited_since_s, self._slowest_s or 0.0)
        # The device answers in the order in which it receives: what was sent before this is lost.
        for earlier in self._unanswered[:position]:
            if earlier.last < sent.alive_from and not earlier.hastened:
                earlier.hastened = True
                self._repeat(earlier, is_lost=True)
        self._was_answered = True
        self._heard = _Heard(self._clock())
        self._await_next()

    def _unpacked(self, request: Request[A], frame: Frame) -> A:
        status, body = frame.body[0], frame.body[1:]
        name = self._link.name
        if status == Status.UNKNOWN_TYPE and self._is_loader:
            raise StatusError(
                f"{name}: the device was in its loader when {request.name} was awaited: its program crashes again and "
                "again, or there is none; flash it again",
                status,
                body,
            )
        if status != Status.OK:
            known = status in tuple(Status)
            label, meaning = (Status(status).name, MEANING[Status(status)]) if known else ("?", "mcuq does not know it")
            text = f"{name}: the device answers {request.name} with status {status} ({label}): {meaning}"
            raise StatusError(text, status, body)
        try:
            return request.unpack(body)
        except DeviceError as error:
            raise DeviceError(f"{name}: {error}; flash the device with this mcuq") from error

    def _why_no_answer(self, sent: _Sent) -> str:
        heard, name = self._heard, self._link.name
        took_s = self._clock() - heard.since_s
        what = f"{name}: no answer to {sent.request.name} within {took_s:.1f} s, sent {sent.timed} times"
        if heard.refusals:
            return (
                f"{what}: the device hears frames, but damaged ones ({heard.refusals}); is the cable long or the "
                "ground loose? Try another cable or USB port"
            )
        if heard.n_bytes and not self._was_answered:
            return (
                f"{what}, but {heard.n_bytes} bytes that are no frames: is the baud rate right ({self._link.baud})? "
                "Does the board run mcuq's firmware?"
            )
        if heard.n_bytes:
            return (
                f"{what}, but {heard.n_bytes} bytes with {heard.damages} damaged frames: is another program reading "
                "this port, or the cable loose?"
            )
        if self._was_answered:
            return f"{what}: the device answered before and is silent now; press its reset button and run this again"
        return (
            f"{what}, and not one byte: is the board powered, is this its port, and does it run mcuq's firmware "
            f"at {self._link.baud} baud?"
        )


def _answer_bytes(request: Request[Any]) -> int:
    return wire_bytes(1 + request.answer_bytes)
