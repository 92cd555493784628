"""Firmware on firmware/boards/host: builds it, starts it, and speaks docs/protocol.md to it.

Written from the specification alone and without mcuq.device, so that the two ends are checked against each other.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from build_cache import read_by, remembered

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
SLOT_ADDRESS, SLOT_BYTES, PAGE_BYTES = 0x1000_0000, 0x40_0000, 4096
ANSWER_S = 20.0

FLAGS = ("-std=c99", "-g1", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
TRAPS = ("-fsanitize=undefined", "-fsanitize-trap=undefined")
PROTOCOL_SOURCES = tuple(sorted((FIRMWARE / "protocol").glob("*.c")))
FIRMWARE_SOURCES = (FIRMWARE / "main.c", FIRMWARE / "stack.c", *sorted((FIRMWARE / "model").glob("*.c")))
MODEL_SOURCES = (*FIRMWARE_SOURCES, ROOT / "tests/device/pair_model.c")
TWO_SOURCES = (*MODEL_SOURCES, ROOT / "tests/device/reverse_model.c")
SLOT_SOURCES = tuple(FIRMWARE / "slots" / name for name in ("slot.c", "flash_ram.c"))
LOADER_SOURCES = (FIRMWARE / "loader/main.c", *SLOT_SOURCES)


def build(
    program: Path,
    sources: Sequence[Path],
    payload_bytes: int = 1024,
    window_bytes: int = 0,
    sanitize: bool = True,
    **macros: str | None,
) -> Path:
    """Compile firmware for this computer, and return the program; `macros` replace settings, None leaves one out."""
    settings: dict[str, str | None] = {
        "MCUQ_IDLE": "host_idle",
        "MCUQ_BOARD_NAME": '"host"',
        "MCUQ_BUILD_TEXT": '"for tests"',
        "MCUQ_CLOCK_HZ": "1000000000",
        "MCUQ_PAYLOAD_BYTES": f"{payload_bytes}",
        "MCUQ_WINDOW_BYTES": f"{window_bytes}",
        "MCUQ_SLOT_ADDRESS": f"{SLOT_ADDRESS}u",
        "MCUQ_SLOT_BYTES": f"{SLOT_BYTES}u",
        "MCUQ_PAGE_BYTES": f"{PAGE_BYTES}u",
        "MCUQ_MAILBOX_ADDRESS": f"{SLOT_ADDRESS + SLOT_BYTES}u",
    }
    defines = [f"-D{name}={value}" for name, value in (settings | macros).items() if value is not None]
    return compile_c(program, [*sources, *PROTOCOL_SOURCES, FIRMWARE / "boards/host/board.c"], defines, sanitize)


def compile_c(
    program: Path, sources: Sequence[Path], defines: Sequence[str] = (), sanitize: bool = True, level: str = "-O0"
) -> Path:
    """Compile C with sanitizers, `level` for what runs long; Zig, which comes by pip and has no AddressSanitizer, where
    there is nothing else."""
    command, sanitizers = ["cc"], (level, *SANITIZERS)
    if shutil.which("cc") is None or os.environ.get("MCUQ_CC") == "zig":
        command, sanitizers = [sys.executable, "-m", "ziglang", "cc"], ("-Og", *TRAPS)
    tools = [*command, *FLAGS, *(sanitizers if sanitize else ("-Og", "-s")), "-pthread"]
    headers = [path for folder in (FIRMWARE, ROOT / "tests/device") for path in sorted(folder.rglob("*.[ch]"))]
    files = {str(path): path.read_bytes() for path in (*sources, *headers)}

    def run(*words: str) -> None:
        ended = subprocess.run([*tools, *words], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr

    def compile() -> None:
        """Each source alone, with the macros that it may read: programs that differ in one share all others."""
        objects = []
        for i, source in enumerate(map(str, sources)):
            read = read_by(source, (), files)
            text = b"".join(read.values())
            words = (*(d for d in defines if re.split("[=(]", d)[0].removeprefix("-D").encode() in text), "-c", source)
            objects.append(program.with_name(f"{program.name}.{i}.o"))
            remembered(objects[-1], partial(run, *words, "-o", str(objects[-1])), [*tools, *words], read.items())
        run(*map(str, objects), "-o", str(program))

    remembered(program, compile, [*tools, *defines, *map(str, sources)], files.items())
    return program


def cobs_encode(data: bytes) -> bytes:
    """Blocks of up to 254 bytes without a 0, each behind its length + 1; no 0 follows a block of 254."""
    out = bytearray()
    pieces = data.split(b"\0")
    for i, piece in enumerate(pieces):
        is_last = i == len(pieces) - 1
        while len(piece) >= 254:
            out += b"\xff" + piece[:254]
            piece = piece[254:]
            if is_last and not piece:
                return bytes(out)
        out += bytes([len(piece) + 1]) + piece
    return bytes(out)


def cobs_decode(data: bytes) -> bytes:
    out = bytearray()
    while data:
        code = data[0]
        assert len(data) >= code > 0
        out += data[1:code]
        data = data[code:]
        if code != 255 and data:
            out.append(0)
    return bytes(out)


def frame(kind: int, sequence: int, body: bytes = b"") -> bytes:
    data = bytes([kind, sequence]) + body
    return cobs_encode(data + zlib.crc32(data).to_bytes(4, "little")) + b"\0"


@dataclass(frozen=True)
class Frame:
    kind: int
    sequence: int
    body: bytes


def unframe(encoded: bytes) -> Frame:
    data = cobs_decode(encoded)
    assert zlib.crc32(data[:-4]).to_bytes(4, "little") == data[-4:]
    return Frame(data[0], data[1], data[2:-4])


class HostBoard:
    """A firmware that runs, between a pair of pipes."""

    def __init__(self, program: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [str(program), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},  # fails under ptrace and in some containers
        )
        self._received = b""
        self._sequence = 0

    def __enter__(self) -> HostBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut_power()

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def read_frame(self, timeout_s: float = ANSWER_S) -> Frame | None:
        """The next frame, or None when there is none in time; a sanitizer's report fails the test."""
        assert self._process.stdout is not None
        until = time.monotonic() + timeout_s
        while True:
            encoded, zero, rest = self._received.partition(b"\0")
            if zero:
                self._received = rest
                if encoded:
                    return unframe(encoded)
                continue
            left_s = until - time.monotonic()
            if left_s <= 0 or not select.select([self._process.stdout], [], [], left_s)[0]:
                return None
            data = os.read(self._process.stdout.fileno(), 65536)
            assert data, f"the firmware has ended with {self._process.wait()}"
            self._received += data

    def expect(self, kind: int, sequence: int) -> bytes:
        """The body of the next frame, which must be this one."""
        found = self.read_frame()
        assert found is not None, f"no answer to {kind:#x}"
        assert (found.kind, found.sequence) == (kind, sequence), found
        return found.body

    def request(self, kind: int, body: bytes = b"", sequence: int | None = None) -> tuple[int, bytes]:
        """Status of the answer and what follows it."""
        if sequence is None:
            self._sequence = sequence = (self._sequence + 1) % 256
        self.write(frame(kind, sequence, body))
        answer = self.expect(kind | 0x80, sequence)
        return answer[0], answer[1:]

    def started(self, role: int) -> None:
        assert self.expect(0xFE, 0) == bytes([role])

    def press_reset(self) -> None:
        self._process.send_signal(signal.SIGUSR1)

    def switch_off(self) -> int:
        """End the input, and return how the process has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(ANSWER_S)

    def cut_power(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


@dataclass(frozen=True)
class Hello:
    status: int
    version: int
    role: int
    payload_bytes: int
    window_bytes: int
    flags: int
    reserved: int
    clock_hz: int
    numbers: tuple[int, ...]
    texts: tuple[str, ...]


def read_hello(answer: tuple[int, bytes]) -> Hello:
    status, body = answer
    fields = struct.unpack_from("<BBHHBBI", body)
    numbers = struct.unpack_from("<5IH", body, 12)
    texts, rest = [], body[34:]
    while rest:
        texts.append(rest[1 : 1 + rest[0]].decode())
        rest = rest[1 + rest[0] :]
    return Hello(status, *fields, numbers, tuple(texts))
