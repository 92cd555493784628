"""Ports as the operating system has them, and what is said where they fail."""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial
import serial.rfc2217
import serial.tools.list_ports
from device_model import DeviceModel, ModelLink, on_pty, output_of, toy

import mcuq
from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.device import link as link_module
from mcuq.device.find import board_baud, find_port
from mcuq.device.link import PortInfo, open_link, ports
from mcuq.device.recorder import Recorder, Replay
from mcuq.device.session import Session
from mcuq.errors import DeviceError

INPUTS = [bytes(range(n, n + 6)) for n in range(5)]
OUTPUTS = [output_of(toy(), x) for x in INPUTS]


def infer_at(port: str) -> list[bytes]:
    with Session(open_link(port)) as session:
        return [inferred.outputs for inferred in session.infer_all(INPUTS)]


def message_of(port: str, baud: int = 115_200) -> str:
    with pytest.raises(DeviceError) as caught:
        open_link(port, baud)
    return str(caught.value)


@pytest.fixture
def two_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        SimpleNamespace(device="/dev/ttyUSB0", description="n/a", vid=None, pid=None),
        SimpleNamespace(device="/dev/ttyACM0", description="ST-Link", vid=0x0483, pid=0x374B),
    ]
    monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: found)


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """(the other end, path of the port)"""
    controller, port = os.openpty()
    tty.setraw(port)
    yield controller, os.ttyname(port)
    for file in (controller, port):
        os.close(file)


def test_a_device_at_a_pseudo_terminal_answers() -> None:
    with on_pty(DeviceModel(window_bytes=200)) as port:
        assert infer_at(port) == OUTPUTS


def test_ports_are_listed_by_name(two_ports: None) -> None:
    assert ports() == (
        PortInfo("/dev/ttyACM0", "ST-Link", 0x0483, 0x374B),
        PortInfo("/dev/ttyUSB0", "n/a", None, None),
    )


def test_a_missing_port_is_told_with_those_that_exist(two_ports: None) -> None:
    assert message_of("/dev/ttyACM1") == (
        "/dev/ttyACM1: there is no such port; there are: /dev/ttyACM0, /dev/ttyUSB0; did you mean '/dev/ttyACM0'?"
    )


def test_a_missing_port_on_a_computer_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial.tools.list_ports, "comports", list)
    assert message_of("/dev/ttyACM1") == (
        "/dev/ttyACM1: there is no such port; this computer has no serial port: is the board plugged in, with a cable "
        "that carries data?"
    )


def test_a_port_that_another_program_has_is_busy(terminal: tuple[int, str]) -> None:
    _, port = terminal
    with open_link(port):
        assert message_of(port) == (
            f"{port}: is busy: another program has it open; close that (a serial monitor, another mcuq) and retry"
        )
    open_link(port).close()


@pytest.mark.parametrize(("owner", "group"), [("dialout", "dialout"), ("uucp", "uucp"), ("root", "dialout")])
def test_a_port_without_permission_is_told_with_the_group_to_join(
    owner: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import grp

    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port: Permission denied")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(serial, "serial_for_url", refuse)
    monkeypatch.setattr(os, "stat", lambda _: SimpleNamespace(st_gid=4711))
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_name=owner))
    assert message_of("/dev/ttyACM0") == (
        f"/dev/ttyACM0: you may not open it: it belongs to the group '{group}'; sudo usermod -aG {group} $USER, then "
        "log out and in again"
    )


def test_a_port_without_permission_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port: Permission denied")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(serial, "serial_for_url", refuse)
    assert message_of("/dev/cu.usb") == (
        "/dev/cu.usb: you may not open it: give your user the right to read and write it"
    )


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("could not open port 'COM9': FileNotFoundError(2, 'not found')", "COM9: there is no such port; there are: "),
        ("could not open port 'COM9': PermissionError(13, 'Access is denied.')", "COM9: is busy: another program has "),
    ],
)
def test_what_windows_says(said: str, text: str, monkeypatch: pytest.MonkeyPatch, two_ports: None) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(said)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(serial, "serial_for_url", refuse)
    assert message_of("COM9").startswith(text)


def test_a_file_is_no_port(tmp_path: Path, two_ports: None) -> None:
    path = tmp_path / "file"
    path.touch()
    assert re.fullmatch(
        rf"{path}: cannot be opened as a serial port: Could not configure port: .*; there are: .*",
        message_of(str(path)),
    )


def test_a_rate_that_the_port_does_not_have(terminal: tuple[int, str]) -> None:
    _, port = terminal
    text = message_of(port, -1)
    assert text.startswith(f"{port}: cannot be opened at -1 baud: ")
    assert text.endswith("; use a rate that it has, such as 115200")


def test_an_unplugged_device_is_told_at_the_next_read_and_write() -> None:
    controller, port = os.openpty()
    tty.setraw(port)
    link = open_link(os.ttyname(port))
    os.close(port)
    os.close(controller)
    said = re.escape(link.name) + (
        r": the device is gone in the middle of the work \(.+\): unplugged, or without power; plug it in and run the "
        "command again"
    )
    for action in (lambda: link.read(1, 1.0), lambda: link.write(b"x")):
        with pytest.raises(DeviceError) as caught:
            action()
        assert re.fullmatch(said, str(caught.value))
    link.close()
    link.close()


def test_a_device_unplugged_in_the_middle_of_a_run_ends_it() -> None:
    device = DeviceModel()
    controller, port = os.openpty()
    tty.setraw(port)
    name = os.ttyname(port)

    def serve() -> None:
        while len(device.requests) < 4:
            os.write(controller, device.feed(os.read(controller, 4096)))
        os.close(controller)

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(DeviceError) as caught:
        infer_at(name)
    thread.join()
    os.close(port)
    assert str(caught.value).startswith(f"{name}: the device is gone in the middle of the work (")


def test_a_port_that_takes_no_bytes_ends_in_finite_time(
    terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "WRITE_TIMEOUT_S", 0.05)
    _, port = terminal
    with open_link(port) as link, pytest.raises(DeviceError) as caught:
        link.write(bytes(1_000_000))
    assert str(caught.value) == (
        f"{port}: the port took no more bytes for 0.05 s; unplug the board, plug it in again, and retry"
    )


def test_a_read_ends_at_its_timeout_and_brings_what_is_there(terminal: tuple[int, str]) -> None:
    controller, port = terminal
    with open_link(port) as link:
        started_s = time.monotonic()
        assert link.read(10, 0.1) == b""
        assert 0.1 <= time.monotonic() - started_s < 5
        os.write(controller, b"\0\1\r\n\x11\x13\x03\xff")
        received = b""
        while len(received) < 8:
            received += link.read(3, 1.0)
            assert len(received) % 3 in (0, 2) or len(received) < 8
        assert received == b"\0\1\r\n\x11\x13\x03\xff"
        link.write(b"\0\1\r\n\x11\x13\x03\xff")
        assert os.read(controller, 100) == b"\0\1\r\n\x11\x13\x03\xff"


@contextmanager
def tcp_server(device: DeviceModel, rfc2217: bool = False) -> Iterator[int]:
    """A port of this computer at which the device answers, as behind ser2net; (port number)."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, serial.serial_for_url("loop://", timeout=0) as line:
            connection.settimeout(10)
            manager = serial.rfc2217.PortManager(line, Writer(connection)) if rfc2217 else None
            while received := connection.recv(4096):
                data = b"".join(manager.filter(received)) if manager else received
                answer = device.feed(data)
                connection.sendall(b"".join(manager.escape(answer)) if manager else answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        thread.join()
        listening.close()


class Writer:
    """What pyserial's server wants of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.write = connection.sendall


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_a_board_on_another_machine_is_a_board(scheme: str) -> None:
    with tcp_server(DeviceModel(), rfc2217=scheme == "rfc2217") as port:
        assert infer_at(f"{scheme}://127.0.0.1:{port}") == OUTPUTS


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        number = unused.getsockname()[1]
    text = message_of(f"socket://127.0.0.1:{number}")
    assert text.startswith(f"socket://127.0.0.1:{number}: cannot be opened: ")
    assert text.endswith("is the server running there? Forms: socket://HOST:PORT, rfc2217://HOST:PORT")


def test_a_server_that_hangs_up_is_an_unplugged_device() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = open_link(f"socket://127.0.0.1:{server.getsockname()[1]}")
        server.accept()[0].close()
        with pytest.raises(DeviceError) as caught:
            link.read(1, 1.0)
        link.close()
    assert "the device is gone in the middle of the work (read failed: socket disconnected)" in str(caught.value)


INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
from mcuq.device.link import open_link
from mcuq.device.session import Session
with Session(open_link(sys.argv[1])) as session:
    session.hello()
    print("connected", flush=True)
    for _ in session.infer_all(bytes(6) for _ in range(10**9)):
        pass
"""


def test_ctrl_c_leaves_the_port_usable() -> None:
    with on_pty(DeviceModel(window_bytes=100)) as port:
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, port], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 60)[0]
        assert process.stdout.readline() == b"connected\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert b"KeyboardInterrupt" in said
        assert infer_at(port) == OUTPUTS


def board_with_usb(tmp_path: Path, ids: tuple[int, int] | None) -> Board:
    board = load_board("cortex-m4")
    from dataclasses import replace

    from mcuq.boards.facts import Usb

    return replace(board, usb=Usb(*ids) if ids else None)


def test_a_board_is_found_by_its_usb_ids(two_ports: None, tmp_path: Path) -> None:
    assert find_port(board_with_usb(tmp_path, (0x0483, 0x374B))) == "/dev/ttyACM0"


def test_no_board_with_these_usb_ids(two_ports: None, tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        find_port(board_with_usb(tmp_path, (0x2E8A, 0x0003)))
    assert str(caught.value) == (
        "--port auto: no board found; looked for the USB ids of: cortex-m4; ports of this computer: /dev/ttyACM0 "
        "(0483:374b), /dev/ttyUSB0 (no USB); plug the board in, or give --port"
    )


def test_several_boards_with_these_usb_ids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = [SimpleNamespace(device=f"COM{n}", description="", vid=1, pid=2) for n in (3, 4)]
    monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: found)
    with pytest.raises(DeviceError) as caught:
        find_port(board_with_usb(tmp_path, (1, 2)))
    assert str(caught.value) == (
        "--port auto: several boards are there: COM3 (cortex-m4), COM4 (cortex-m4); give --port for the one you mean"
    )


def test_the_rate_is_the_boards() -> None:
    assert board_baud(load_board("cortex-m4")) == 115_200
    assert board_baud(load_board("mps2-an386")) == 115_200


def record(path: Path, device: DeviceModel) -> None:
    link = ModelLink(device)
    with Session(Recorder(link, path), link.clock) as session:
        assert [inferred.outputs for inferred in session.infer_all(INPUTS)] == OUTPUTS


def replay(path: Path, inputs: list[bytes]) -> list[bytes]:
    link = Replay(path)
    with Session(link, link.clock) as session:
        outputs = [inferred.outputs for inferred in session.infer_all(inputs)]
    assert link.is_at_end
    return outputs


@pytest.mark.parametrize("window_bytes", [0, 60])
def test_what_was_recorded_is_replayed(window_bytes: int, tmp_path: Path) -> None:
    record(tmp_path / "t.txt", DeviceModel(window_bytes=window_bytes))
    assert replay(tmp_path / "t.txt", INPUTS) == OUTPUTS
    head, *lines = (tmp_path / "t.txt").read_text().splitlines()
    assert head == "mcuq transcript 1, 115200 baud"
    assert {line[:2] for line in lines} == {"> ", "< "}
    assert all(a[0] != b[0] for a, b in pairwise(lines))


def test_a_replay_waits_as_the_recording_did(tmp_path: Path) -> None:
    class Deaf(DeviceModel):
        def feed(self, data: bytes) -> bytes:
            if self.inferences == 0 and not self.received and len(self.requests) == 2:
                self.requests.append(0)
                return b""
            return super().feed(data)

    record(tmp_path / "t.txt", Deaf())
    link = Replay(tmp_path / "t.txt")
    with Session(link, link.clock) as session:
        assert [inferred.outputs for inferred in session.infer_all(INPUTS)] == OUTPUTS
    assert session.traffic.repeats == 1
    assert link.clock() > 0.1


def test_a_replay_names_the_byte_that_differs(tmp_path: Path) -> None:
    record(tmp_path / "t.txt", DeviceModel())
    with pytest.raises(DeviceError) as caught:
        replay(tmp_path / "t.txt", [INPUTS[0], INPUTS[0]])
    assert str(caught.value) == (
        "t.txt: line 8, byte 0: the host writes 03, recorded is 0d; the requests have changed: record the transcript "
        "again"
    )


def test_a_replay_ends_where_the_recording_did(tmp_path: Path) -> None:
    record(tmp_path / "t.txt", DeviceModel())
    with pytest.raises(DeviceError) as caught:
        replay(tmp_path / "t.txt", [*INPUTS, INPUTS[0]])
    assert str(caught.value) == "t.txt: the transcript has ended, the host goes on; record it again"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello\n", "its first line is 'hello'"),
        ("mcuq transcript 1, 9600 baud\n? 00\n", "a line begins with '? '"),
        ("mcuq transcript 1, 9600 baud\n> \n", "a line has no bytes"),
        ("mcuq transcript 1, 9600 baud\n> 0g\n", "non-hexadecimal number found in fromhex() arg at position 1"),
        ("", "not enough values to unpack (expected at least 1, got 0)"),
    ],
)
def test_a_file_that_is_no_transcript(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(DeviceError) as caught:
        Replay(tmp_path / "t.txt")
    path = tmp_path / "t.txt"
    assert str(caught.value) == f"{path}: is no transcript of this mcuq: {said}; record it again"


def test_a_transcript_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        Replay(tmp_path / "none.txt")
    assert str(caught.value) == f"{tmp_path / 'none.txt'}: cannot be read: No such file or directory"
    with pytest.raises(DeviceError) as caught:
        Recorder(ModelLink(), tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be written: Is a directory; choose another file"


def test_without_usb_ids_of_its_own_a_board_is_found_by_those_of_any(two_ports: None) -> None:
    assert load_board("nucleo-f446re").usb is not None
    assert find_port(load_board("cortex-m4")) == "/dev/ttyACM0"


def test_one_module_opens_ports() -> None:
    modules = Path(mcuq.__file__).parent.rglob("*.py")
    opening = [path.name for path in modules if re.search(r"import_extra\(.serial|import serial", path.read_text())]
    assert opening == ["link.py"]
