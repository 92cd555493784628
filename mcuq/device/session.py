"""What is asked of a device: who it is, to run its model, what it holds in memory, to take a new image."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from mcuq.device.exchange import ATTEMPTS, Exchange, StatusError, Traffic
from mcuq.device.link import Link
from mcuq.device.messages import (
    PROTOCOL_VERSION,
    Ability,
    Boot,
    Checksum,
    Commit,
    Constants,
    Continue,
    DeviceInfo,
    Echo,
    Erase,
    EraseWeights,
    Hello,
    HighWater,
    Infer,
    Inferred,
    LayerCycles,
    Marks,
    Paint,
    ProtocolVersion,
    Ran,
    ReadArena,
    ReadOutput,
    Request,
    Reset,
    Role,
    Run,
    RunSelfTest,
    SelfTest,
    Status,
    UseWeights,
    Write,
    WriteInput,
    WriteWeights,
)
from mcuq.emit.weights import HEAD_BYTES
from mcuq.errors import DeviceError

A = TypeVar("A")

RESTARTS = 6  # of a sample whose input or result the device has lost
OFFSET_BYTES = 4  # before the data of WRITE_INPUT and WRITE
PAGE_ERASE_S = 0.2  # several times what the flash of a chip with a loader takes: tens of milliseconds
WORD_BYTES = 4  # each WRITE begins at a whole word of flash
STATUS_BYTES = 1
CYCLES_BYTES = 4
SHORT_WORK_S = 0.1
MEMORY_WORK_S = 5.0  # CRC-32 over a megabyte, bit by bit, at 16 MHz
UNKNOWN_INFERENCE_S = 10.0
LEAST_INFERENCE_S = 1.0
START_S = 2.0  # for the loader's CRC-32 over its image, and clocks that settle


class Session:
    """A conversation with one device, for one thread; closes its link at the end of a `with` block.

    `inference_s` is the longest that an inference may take before the first one has been measured. `traffic` counts.
    """

    def __init__(
        self, link: Link, clock: Callable[[], float] = time.monotonic, attempts: int = ATTEMPTS, mend: str = ""
    ) -> None:
        """`clock` is in seconds; `mend` is the command that puts the right firmware on the device, for errors."""
        self.link = link
        self.inference_s = UNKNOWN_INFERENCE_S
        self._mend = mend or f"mcuq flash DIR --port {link.name}"
        self._clock = clock
        self._slowest_s = 0.0
        self._exchange = Exchange(link, clock, attempts)
        self._info: DeviceInfo | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.link.close()

    @property
    def traffic(self) -> Traffic:
        """Bytes both ways, repeats and starts of the device so far."""
        return self._exchange.traffic

    @property
    def info(self) -> DeviceInfo:
        """What the last `hello` told; the first use asks."""
        return self._info or self.hello()

    def request(self, request: Request[A], work_s: float = SHORT_WORK_S) -> A:
        """The answer to one request, on which the device may work for `work_s`.

        Raises StatusError where the device refuses it, DeviceError where no answer comes after all repeats.
        """
        (answer,) = self._exchange.answers([request], work_s=work_s)
        return answer

    # Any firmware

    def hello(self) -> DeviceInfo:
        """Who is there. Raises DeviceError for a device that speaks another version of the protocol."""
        info = self.request(Hello())
        if isinstance(info, ProtocolVersion):
            upgrade = ", or upgrade mcuq" if info.version > PROTOCOL_VERSION else ""
            raise DeviceError(
                f"{self.link.name}: the device speaks protocol version {info.version}, this mcuq speaks "
                f"{PROTOCOL_VERSION}; flash it: {self._mend}{upgrade}"
            )
        self._info = info
        return info

    def echo(self, data: bytes) -> bytes:
        """The same bytes, from the device. Raises DeviceError where they differ."""
        return self.request(Echo(data))

    def self_test(self) -> SelfTest:
        """The checks that failed: none, if the value is 0."""
        test = RunSelfTest()
        try:
            return self.request(test, work_s=1.0)
        except StatusError as error:
            if error.status != Status.SELF_TEST_FAILED:
                raise
            return test.unpack(error.body)

    def reset(self, stay_in_loader: bool = False) -> DeviceInfo:
        """Start the device again, and ask who is there then."""
        request = Reset(stay_in_loader)
        if stay_in_loader:  # which has no models
            self._exchange.model = 0
        return self._hello_after(request)

    def _hello_after(self, request: Reset | Boot) -> DeviceInfo:
        """HELLO to what runs then; not before it says that it starts, as what a chip receives in its reset is lost."""
        starts = self.traffic.starts
        self.request(request, work_s=MEMORY_WORK_S)
        self._exchange.await_start(starts, START_S)
        return self.hello()

    # A model

    def choose(self, digest: int) -> DeviceInfo:
        """From now on speak of the device's model with this digest; of its first where it has none such."""
        self._exchange.model = 0
        first = self.hello()
        if first.role == Role.MODEL and first.digest != digest:
            for index in range(1, first.models):
                self._exchange.model = index
                if self.hello().digest == digest:
                    return self.info
            self._exchange.model = 0
            self._info = first
        return first

    @property
    def _room_bytes(self) -> int:
        """Most bytes of a request's body."""
        return self.info.payload_bytes - self._exchange.address_bytes

    def infer_all(self, inputs: Iterable[bytes]) -> Iterator[Inferred]:
        """Cycles and outputs for each input (all input tensors, in order), as fast as line and device allow."""
        self.end_pause()
        info = self.info
        if (
            info.input_bytes <= self._room_bytes
            and STATUS_BYTES + CYCLES_BYTES + info.output_bytes <= info.payload_bytes
        ):
            requests = (Infer(data, info.output_bytes) for data in inputs)
            return self._exchange.answers(requests, info.window_bytes, self.inference_s)
        return (self._infer_in_parts(data) for data in inputs)

    def _infer_in_parts(self, data: bytes) -> Inferred:
        crc = zlib.crc32(data)
        by_rows = bool(self.info.abilities & Ability.TAKES_ROWS)
        # The device was reset after its input, or after its run; or within an input of which it takes rows.
        lost = (Status.WRONG_INPUT, Status.NO_RESULT, *((Status.BAD_ADDRESS,) if by_rows else ()))
        for _ in range(RESTARTS):
            try:
                started_s = self._clock()
                self.write_input(data)
                started_s = started_s if by_rows else self._clock()
                ran = self.run(crc)
                self._slowest_s = max(self._slowest_s, self._clock() - started_s)
                self.inference_s = max(LEAST_INFERENCE_S, 4 * self._slowest_s)
                return Inferred(ran.cycles, self.read_output(crc))
            except StatusError as error:
                if error.status not in lost:
                    raise
        raise DeviceError(
            f"{self.link.name}: the device has lost its input or result {RESTARTS} times in a row; it is being reset, "
            "or its memory fails"
        )

    def write_input(self, data: bytes) -> None:
        """Write all input bytes, in as many parts as it takes."""
        step = self._room_bytes - OFFSET_BYTES
        parts = (WriteInput(offset, data[offset : offset + step]) for offset in range(0, len(data), step))
        window_bytes, work_s = self.info.window_bytes, SHORT_WORK_S
        if self.info.abilities & Ability.TAKES_ROWS:  # in their order, and most of the inference is computed then
            window_bytes, work_s = 0, self.inference_s
        for _ in self._exchange.answers(parts, window_bytes, work_s):
            pass

    def run(self, input_crc: int, count: int = 1, pause_after: int | None = None) -> Ran:
        """Run the written input `count` times, pausing after a layer if asked.

        Raises StatusError with WRONG_INPUT where the device does not hold an input with this CRC-32.
        """
        request = Run(input_crc, count, pause_after)
        try:
            return self.request(request, work_s=self.inference_s * count)
        except StatusError as error:
            if error.status != Status.WRONG_STATE:
                raise
        self.end_pause()
        return self.request(request, work_s=self.inference_s * count)

    def resume(self, pause_after: int | None = None) -> Ran:
        """Go on from a pause. Raises StatusError with WRONG_STATE where the device is not paused, as after a reset."""
        return self.request(Continue(pause_after), work_s=self.inference_s)

    def end_pause(self) -> None:
        """Let a model run to its end which this or an earlier session has left paused."""
        try:
            for _ in range(RESTARTS):
                # A device may take the first one for a repeat of what an earlier session asked.
                if not self.resume().is_paused:
                    return
        except StatusError as error:
            if error.status != Status.WRONG_STATE:
                raise
            return
        raise DeviceError(f"{self.link.name}: the device stays paused; press its reset button, then retry")

    def read_output(self, input_crc: int) -> bytes:
        """All output bytes. Raises StatusError with NO_RESULT where that input was not run."""
        return self._read(self.info.output_bytes, lambda offset, n: ReadOutput(input_crc, offset, n))

    def read_arena(self, offset: int, n_bytes: int) -> bytes:
        """Bytes of the arena; in a pause, what layers have left there."""
        return self._read(n_bytes, lambda at, n: ReadArena(offset + at, n))

    def _read(self, n_bytes: int, request: Callable[[int, int], Request[bytes]]) -> bytes:
        step = self.info.payload_bytes - STATUS_BYTES
        requests = [request(at, min(step, n_bytes - at)) for at in range(0, n_bytes, step)]
        parts: Iterator[bytes] = self._exchange.answers(requests, self.info.window_bytes, SHORT_WORK_S)
        return b"".join(parts)

    def layer_cycles(self) -> tuple[int, ...]:
        """Cycles of each layer in the last complete run."""
        info = self.info
        step = (info.payload_bytes - STATUS_BYTES) // CYCLES_BYTES
        requests = (LayerCycles(first, min(step, info.layers - first)) for first in range(0, info.layers, step))
        return tuple(cycles for part in self._exchange.answers(requests, 0, SHORT_WORK_S) for cycles in part)

    def marks(self, paint: Paint = Paint.NOTHING) -> HighWater:
        """How much stack and arena was used; `paint` then prepares the arena for the next runs."""
        return self.request(Marks(paint), work_s=1.0)

    def checksum(self) -> Constants:
        """CRC-32 over the model's constants as the device holds them."""
        return self.request(Checksum(), work_s=MEMORY_WORK_S)

    # The loader

    def erase(self, image_bytes: int) -> None:
        """Make the slot invalid and erase what an image of this size takes."""
        pages = 1 + -(-image_bytes // max(self.info.page_bytes, 1))
        self.request(Erase(image_bytes), work_s=SHORT_WORK_S + PAGE_ERASE_S * pages)

    def write(self, image: bytes, tick: Callable[[int], None] = lambda n_bytes: None, work_s: float = 0.5) -> None:
        """Write the image into the erased slot; `tick(bytes)` after each part."""
        self._write(Write, image, tick, work_s)

    def _write(self, kind: type[Write], image: bytes, tick: Callable[[int], None], work_s: float) -> None:
        step = (self.info.payload_bytes - OFFSET_BYTES) // WORD_BYTES * WORD_BYTES
        parts = [kind(offset, image[offset : offset + step]) for offset in range(0, len(image), step)]
        answers = self._exchange.answers(parts, self.info.window_bytes, work_s)
        for part, _ in zip(parts, answers, strict=True):
            tick(len(part.data))

    def commit(self, image: bytes) -> None:
        """Make the written image valid. Raises StatusError with WRONG_IMAGE where the slot holds other bytes."""
        self.request(Commit(len(image), zlib.crc32(image)), work_s=MEMORY_WORK_S)

    # Weights that are replaced

    def erase_weights(self, blob: bytes, page_bytes: int) -> None:
        """Make room for the blob. Raises StatusError, WRONG_IMAGE, where it is another program's: nothing is erased."""
        pages = 1 + -(-len(blob) // page_bytes)
        self.request(EraseWeights(blob[:HEAD_BYTES]), work_s=SHORT_WORK_S + PAGE_ERASE_S * pages)

    def write_weights(self, blob: bytes, tick: Callable[[int], None] = lambda n_bytes: None) -> None:
        """Write the blob into the slot that was erased; `tick(bytes)` after each part."""
        self._write(WriteWeights, blob, tick, 0.5)

    def use_weights(self, blob: bytes) -> None:
        """Let the device compute with the blob from now on. Raises StatusError, WRONG_IMAGE, where it is not whole."""
        self.request(UseWeights(len(blob), zlib.crc32(blob)), work_s=MEMORY_WORK_S)

    def boot(self) -> DeviceInfo:
        """Leave the loader for the image, and ask who is there then.

        Raises StatusError with WRONG_IMAGE where there is no valid image.
        """
        try:
            info = self._hello_after(Boot())
        except StatusError as error:
            # The answer was lost, and the repeat reached the image that runs by now.
            if error.status != Status.UNKNOWN_TYPE:
                raise
            info = self.hello()
        if info.role != Role.MODEL:
            raise DeviceError(f"{self.link.name}: the device is in its loader again after BOOT; flash it: {self._mend}")
        return info
