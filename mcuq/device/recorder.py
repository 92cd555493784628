"""Recorder writes what passes a link to a file; Replay is a link that plays such a file: anyone's board as a test.

A transcript is text: a head, then a line for each run of bytes in one direction, in hexadecimal: `>` to the device,
`<` from it. It has no times: a replay's clock moves on exactly where a recorded wait ended in a new line.
"""

from __future__ import annotations

from pathlib import Path

from mcuq.device.link import Link
from mcuq.errors import DeviceError

_HEAD = "mcuq transcript 1, {baud} baud"
_TO_DEVICE, _FROM_DEVICE = ">", "<"


class Recorder:
    """A link that keeps what passes it, and writes the file when it is closed."""

    def __init__(self, link: Link, path: str | Path) -> None:
        """Raises DeviceError where the file cannot be written."""
        self._link = link
        self._path = Path(path)
        self._lines: list[tuple[str, bytearray]] = []
        self._is_closed = False
        self._save()

    @property
    def name(self) -> str:
        return self._link.name

    @property
    def baud(self) -> int:
        return self._link.baud

    def write(self, data: bytes) -> None:
        self._keep(_TO_DEVICE, data)
        self._link.write(data)

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        data = self._link.read(max_bytes, timeout_s)
        self._keep(_FROM_DEVICE, data)
        return data

    def close(self) -> None:
        self._link.close()
        if not self._is_closed:
            self._is_closed = True
            self._save()

    def _keep(self, direction: str, data: bytes) -> None:
        if not data:
            return
        if not self._lines or self._lines[-1][0] != direction:
            self._lines.append((direction, bytearray()))
        self._lines[-1][1].extend(data)

    def _save(self) -> None:
        lines = [_HEAD.format(baud=self.baud), *(f"{direction} {data.hex()}" for direction, data in self._lines)]
        try:
            self._path.write_text("\n".join(lines) + "\n", encoding="ascii")
        except OSError as error:
            raise DeviceError(f"{self._path}: cannot be written: {error.strerror}; choose another file") from error


class Replay:
    """A link to the device of a transcript: reads what it sent, and insists on the same requests.

    Pass its `clock` to the session, so that time-outs of the recording take no time.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises DeviceError where the file cannot be read or is no transcript."""
        self.name = Path(path).name
        self._now_s = 0.0
        self._lines: list[tuple[str, bytes]] = []
        self._line = 0
        self._done_bytes = 0
        try:
            head, *lines = Path(path).read_text(encoding="ascii").splitlines()
            before, after = _HEAD.split("{baud}")
            if not head.startswith(before) or not head.endswith(after):
                raise ValueError(f"its first line is '{head[:40]}'")
            self.baud = int(head.removeprefix(before).removesuffix(after))
            for line in lines:
                if line[:2] not in (f"{_TO_DEVICE} ", f"{_FROM_DEVICE} "):
                    raise ValueError(f"a line begins with '{line[:2]}'")
                data = bytes.fromhex(line[2:])
                if not data:
                    raise ValueError("a line has no bytes")
                self._lines.append((line[0], data))
        except OSError as error:
            raise DeviceError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise DeviceError(f"{path}: is no transcript of this mcuq: {error}; record it again") from error

    def clock(self) -> float:
        """Seconds that a session has waited in vain."""
        return self._now_s

    @property
    def is_at_end(self) -> bool:
        """Whether everything in the transcript has passed."""
        return self._line == len(self._lines)

    def write(self, data: bytes) -> None:
        for byte in data:
            direction, want = self._current()
            if direction != _TO_DEVICE or want[self._done_bytes] != byte:
                expected = f"{want[self._done_bytes]:02x}" if direction == _TO_DEVICE else "nothing"
                raise DeviceError(
                    f"{self.name}: line {self._line + 2}, byte {self._done_bytes}: the host writes {byte:02x}, "
                    f"recorded is {expected}; the requests have changed: record the transcript again"
                )
            self._pass(1)

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        direction, data = self._current()
        if direction == _TO_DEVICE:
            self._now_s += timeout_s
            return b""
        found = data[self._done_bytes : self._done_bytes + max_bytes]
        self._pass(len(found))
        return found

    def close(self) -> None:
        """Nothing is open."""

    def _current(self) -> tuple[str, bytes]:
        if self.is_at_end:
            raise DeviceError(f"{self.name}: the transcript has ended, the host goes on; record it again")
        return self._lines[self._line]

    def _pass(self, n_bytes: int) -> None:
        self._done_bytes += n_bytes
        if self._done_bytes == len(self._lines[self._line][1]):
            self._line += 1
            self._done_bytes = 0
