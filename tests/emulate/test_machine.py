"""Whole emulated boards: they start, answer, are reset, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from golden.graphs import digits
from support import is_alive, model_of, wait_until_gone

from mcuq.artifact import save
from mcuq.boards.find import board_names, load_board
from mcuq.build.firmware import _Buffers, _files_of_all, _link, _Place, build_loader
from mcuq.compile import CompiledModel
from mcuq.device.link import open_link
from mcuq.device.messages import Role
from mcuq.device.session import Session
from mcuq.emulate import machine as machines
from mcuq.emulate.gdb import write_memory
from mcuq.emulate.machine import Machine, emulate
from mcuq.errors import BoardError, BuildError

BOARD = load_board("mps2-an386")


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return model_of(digits(), BOARD, "digits")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that must be empty in the end."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.toolchain
def test_a_board_starts_with_its_model_and_leaves_nothing_behind(model: CompiledModel, temporary: Path) -> None:
    with emulate(model) as machine:
        pid = machine._process.pid
        assert machine.is_running
        assert machine.emulator.startswith("QEMU ")
        assert list(temporary.iterdir()) == []
        with Session(open_link(machine.port)) as session:
            info = session.hello()
            assert (info.role, info.board, info.model) == (Role.MODEL, "mps2-an386", "digits")
    assert not machine.is_running
    assert not is_alive(pid)


@pytest.mark.toolchain
def test_an_empty_board_has_the_loader_alone(model: CompiledModel) -> None:
    with emulate(model, empty=True) as machine, Session(open_link(machine.port)) as session:
        info = session.hello()
        assert (info.role, info.model, info.image_bytes) == (Role.LOADER, "", 0)


@pytest.mark.toolchain
def test_the_reset_button_starts_the_board_again(model: CompiledModel) -> None:
    with emulate(model) as machine, Session(open_link(machine.port)) as session:
        session.hello()
        starts = session.traffic.starts
        machine.reset()
        session.hello()
        assert session.traffic.starts == starts + 1


def starts_seen(name: str, body: str) -> bytes:
    """What a board without a loader sends within three starts of a program that sends an A and then does `body`."""
    board = replace(load_board(name), loader=None, flashing=None)
    assert board.memory is not None
    source = f"""
        #include "board.h"
        int deeper(volatile int *above);
        volatile int start = 1;
        int deeper(volatile int *above)
        {{
            volatile int here[64];
            here[0] = above[0] + 1;
            return here[0] > 0 ? deeper(here) + here[1] : 0;
        }}
        void mcuq_main(void)
        {{
            board_start();
            board_send('A');
            {body}
            board_send('!');
        }}
    """
    files = {"main.c": source, **_files_of_all(board)}
    program = _link(files, [], _Place(board, board.memory, _Buffers(192, 0, False)), "-O1", {})
    seen = b""
    with Machine(board, program) as machine:
        link = open_link(machine.port)
        deadline = time.monotonic() + 30
        while seen.count(b"A") < 3 and b"!" not in seen and time.monotonic() < deadline:
            seen += link.read(100, 1.0)
        link.close()
    return seen


@pytest.mark.toolchain
@pytest.mark.parametrize("name", ["mps2-an386", "microbit-v1", "stm32vldiscovery", "lm3s6965evb", "riscv32-virt"])
def test_a_fault_resets_the_chip(name: str) -> None:
    illegal = ".word 0" if name == "riscv32-virt" else "udf #0"
    assert set(starts_seen(name, f'__asm__ volatile("{illegal}");')) == {ord("A")}


@pytest.mark.toolchain
def test_armv8m_resets_where_a_program_needs_more_stack_than_there_is() -> None:
    assert set(starts_seen("mps2-an505", "(void)deeper(&start);")) == {ord("A")}


@pytest.mark.toolchain
def test_an_exception_switches_the_board_off(model: CompiledModel, temporary: Path) -> None:
    with pytest.raises(RuntimeError, match="mine"), emulate(model) as machine:
        pid = machine._process.pid
        raise RuntimeError("mine")
    assert not is_alive(pid)


@pytest.mark.toolchain
def test_a_board_that_nobody_closes_is_off_when_python_ends(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    code = (
        "from mcuq.artifact import load; from mcuq.emulate.machine import emulate\n"
        f"machine = emulate(load({str(tmp_path)!r})); print(machine._process.pid)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wait_until_gone(int(ended.stdout))


@pytest.mark.toolchain
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGHUP, 130), (signal.SIGKILL, -9)]
)
def test_ctrl_c_and_kill_end_the_command_and_the_board(
    model: CompiledModel, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    save(model, tmp_path)
    verb = f"from mcuq.cli.emulate import emulate_; emulate_([{str(tmp_path)!r}, '--json'])"
    command = subprocess.Popen([sys.executable, "-c", verb], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout is not None
    text = b""
    while not text.rstrip().endswith(b"}"):
        line = command.stdout.readline()
        assert line, command.communicate()
        text += line
    said = json.loads(text)
    assert (said["name"], said["board"], said["empty"]) == ("digits", "mps2-an386", False)
    started = children(command.pid)
    assert sorted(name_of(pid) for pid in started) == ["qemu-system-arm", "sh"]
    with Session(open_link(said["port"])) as session:
        assert session.hello().model == "digits"
    command.send_signal(number)
    out, errors = command.communicate(timeout=20)
    assert (command.returncode, out, errors) == (code, b"", b"")
    for pid in started:
        wait_until_gone(pid)


def is_busy(pid: int) -> bool:
    """Whether a thread of the process runs or wants to."""
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    return "R" in states


@pytest.mark.toolchain
@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("board", [name for name in board_names() if load_board(name).qemu is not None])
def test_an_idle_board_takes_none_of_the_computers_time(board: str, empty: bool) -> None:
    if empty and load_board(board).loader is None:
        with pytest.raises(BoardError, match="cannot start empty"):
            emulate(model_of(digits(), board, "digits"), empty=True)
        return
    with emulate(model_of(digits(), board, "digits"), empty=empty) as machine:
        link = open_link(machine.port)
        with Session(link) as session:
            for _ in range(3):  # it wakes for each
                session.hello()
            deadline = time.monotonic() + 20
            while any(is_busy(machine._process.pid) for _ in range(20)):
                assert time.monotonic() < deadline, "it never rests"
                time.sleep(0.01)
            assert session.hello().board == board


def name_of(pid: int) -> str:
    return Path(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0])).name


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.toolchain
def test_what_qemu_says_when_it_does_not_start_is_in_the_error(model: CompiledModel, temporary: Path) -> None:
    assert BOARD.qemu is not None
    board = replace(BOARD, qemu=replace(BOARD.qemu, machine="no-such-machine"))
    with pytest.raises(BuildError) as caught:
        Machine(board, build_loader(BOARD))
    assert str(caught.value).startswith("QEMU for 'mps2-an386' ended with 1: qemu-system-arm: ")
    assert "unsupported machine type" in str(caught.value)


def answered(answer: bytes) -> str:
    """The error of a write to a debugger that answers so."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        if not answer:
            theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(BuildError) as caught:
            write_memory(ours, 0x2000_0000, b"abc", 0.05)
        return str(caught.value)


def test_memory_that_the_debugger_cannot_write_is_an_error() -> None:
    assert answered(b"+$E22#a9") == "QEMU's debugger: writing at 0x20000000 failed: E22"
    assert answered(b"") == "QEMU's debugger: the connection ended"
    assert answered(b"+$OK") == "QEMU's debugger: no answer"


def test_memory_is_written_in_packets_of_the_debuggers_protocol() -> None:
    ours, theirs = socket.socketpair()
    sent = bytearray()

    def debugger() -> None:
        for count in (1, 2):
            while sent.count(b"#") < count or sent[-3:-2] != b"#":
                sent.extend(theirs.recv(4096))
            theirs.sendall(b"+$OK#9a")

    with ours, theirs:
        thread = threading.Thread(target=debugger)
        thread.start()
        write_memory(ours, 0x1000, bytes(1025), 10.0)
        thread.join()
        sent.extend(theirs.recv(4096))
    first, second = b"M1000,400:" + b"00" * 1024, b"M1400,1:00"
    assert sent == b"".join(b"$%b#%02x+" % (packet, sum(packet) % 256) for packet in (first, second))


def test_missing_qemu_is_answered_with_what_to_install(monkeypatch: pytest.MonkeyPatch, model: CompiledModel) -> None:
    wanted = (
        ("mps2-an386", "qemu-system-arm", "qemu-system-arm"),
        ("riscv32-virt", "qemu-system-riscv32", "qemu-system-misc"),
    )
    loaders = {name: build_loader(load_board(name)) for name, _, _ in wanted}  # by the compilers that there are
    monkeypatch.setattr(machines.shutil, "which", lambda name: None)
    for name, command, package in wanted:
        with pytest.raises(BuildError) as caught:
            Machine(load_board(name), loaders[name])
        text = f"{command} is not installed; install QEMU, on Debian: apt-get install {package}"
        assert str(caught.value) == text


def test_a_board_without_a_machine_is_answered_with_those_that_have_one() -> None:
    with pytest.raises(BoardError) as caught:
        emulate(model_of(digits(), "cortex-m4", "digits"))
    assert str(caught.value).startswith("board 'cortex-m4' is not emulated; use one of: lm3s6965evb, microbit-v1, ")


def test_a_board_without_a_loader_cannot_start_empty() -> None:
    with pytest.raises(BoardError) as caught:
        emulate(model_of(digits(), "stm32vldiscovery", "digits"), empty=True)
    text = "board 'stm32vldiscovery' has no [loader], so that it cannot start empty; leave out --empty"
    assert str(caught.value) == text
