"""A whole emulated board: QEMU (GPL-2.0, a program of its own) runs the firmware and answers on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any

from mcuq.boards.facts import Board
from mcuq.boards.find import board_names, load_board
from mcuq.build.firmware import Firmware, build_firmware, build_loader, slot_header
from mcuq.compile import CompiledModel
from mcuq.emulate.gdb import write_memory
from mcuq.errors import BoardError, BuildError
from mcuq.system.interrupt import before_interrupts
from mcuq.system.process import Watcher
from mcuq.system.work_folder import work_folder

START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 2.0
_DEBIAN_PACKAGES = {"arm": "qemu-system-arm", "riscv32": "qemu-system-misc"}


class Machine(contextlib.AbstractContextManager["Machine"]):
    """A board that QEMU emulates, from power-on until `close`.

    `port` is the path of its UART's pseudo-terminal, `emulator` says which QEMU it is.
    """

    port: str
    emulator: str

    def __init__(self, board: Board, flash: Firmware, slot: Firmware | None = None) -> None:
        """Start the board with `flash` at the start of its flash: its loader, or a model's firmware where it has none.
        `slot` is a model's firmware that is already in the loader's slot.

        Raises BoardError where QEMU does not emulate the board, BuildError where QEMU is missing or does not start.
        """
        check_emulated(board)
        assert board.qemu is not None
        qemu = _find_qemu(board.qemu.system)
        control, debugger = socket.socketpair(), socket.socketpair()
        with debugger[0], work_folder() as folder:
            # Read once, at start: QEMU puts it back into memory at every reset, as flash would have kept it.
            program = folder / "flash.elf"
            program.write_bytes(flash.elf)
            with before_interrupts():
                with control[1], debugger[1]:  # QEMU's ends: where QEMU ends, ours must see it
                    sockets = (control[1].fileno(), debugger[1].fileno())
                    self._process = _start([qemu, *_arguments(board, program, *sockets)], sockets)
                # Also where nobody calls close(): at the latest when the interpreter ends.
                self._stop = weakref.finalize(self, _stop, self._process, Watcher(self._process.pid), control[0])
            try:
                self._control = _Control(control[0], self._process, board)
                self.port = self._control.port()
                self.emulator = self._control.version()
                if slot is not None:
                    assert board.loader is not None
                    write_memory(debugger[0], board.loader.slot_address, slot_header(slot), START_TIMEOUT_S)
                    write_memory(debugger[0], slot.address, slot.image, START_TIMEOUT_S)
                self._control.command("cont")
            except BaseException:
                self._stop()
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reset(self) -> None:
        """Press the board's reset button: RAM keeps what it holds."""
        self._control.command("system_reset")

    @property
    def is_running(self) -> bool:
        """Whether QEMU is still there."""
        return self._process.poll() is None

    def close(self) -> None:
        """Switch the board off; the port is gone."""
        self._stop()


def emulate(model: CompiledModel, board: Board | None = None, empty: bool = False) -> Machine:
    """Switch on an emulated board, the model's own if `board` is None, with the model's firmware, or with the loader
    alone if `empty`.

    Raises BoardError where QEMU does not emulate the board, the model does not fit it, or it is to be empty and has no
    loader; BuildError where a compiler or QEMU is missing.
    """
    board = board or model.board
    check_emulated(board)
    if board.loader is None and empty:
        raise BoardError(f"board '{board.name}' has no [loader], so that it cannot start empty; leave out --empty")
    if empty:
        return Machine(board, build_loader(board))
    firmware = build_firmware(model, board)
    return Machine(board, firmware) if board.loader is None else Machine(board, build_loader(board), firmware)


def check_emulated(board: Board) -> None:
    """Raise BoardError where QEMU does not emulate the board."""
    if board.qemu is None:
        names = [name for name in board_names() if load_board(name).qemu is not None]
        raise BoardError(f"board '{board.name}' is not emulated; use one of: {', '.join(names)}")


class _Control:
    """QEMU's machine protocol (QMP): one JSON object a line, a command, its answer, events in between."""

    def __init__(self, connection: socket.socket, process: subprocess.Popen[bytes], board: Board) -> None:
        self._connection = connection
        self._process = process
        self._name = board.name
        self._pending = b""
        self._read()  # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str) -> Any:
        """What the command returns."""
        self._connection.sendall(json.dumps({"execute": name}).encode() + b"\n")
        while True:
            answer = self._read()
            if "error" in answer:
                raise BuildError(f"QEMU for '{self._name}': {name} failed: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def port(self) -> str:
        """The path of the pseudo-terminal."""
        uart = next(device for device in self.command("query-chardev") if device["label"] == "uart")
        return str(uart["filename"]).removeprefix("pty:")

    def version(self) -> str:
        """QEMU's name and version."""
        found = self.command("query-version")["qemu"]
        return f"QEMU {found['major']}.{found['minor']}.{found['micro']}"

    def _read(self) -> Any:
        deadline = time.monotonic() + START_TIMEOUT_S
        while b"\n" not in self._pending:
            self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                received = self._connection.recv(65536)
            except TimeoutError:
                raise BuildError(f"QEMU for '{self._name}': no answer within {START_TIMEOUT_S:g} s") from None
            except OSError:
                received = b""
            if not received:
                raise BuildError(f"QEMU for '{self._name}' {self._how_it_ended()}")
            self._pending += received
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

    def _how_it_ended(self) -> str:
        try:
            said = self._process.communicate(timeout=_STOP_TIMEOUT_S)[1].decode("utf-8", "replace").strip()
        except subprocess.TimeoutExpired:
            return "closed its control connection"
        return f"ended with {self._process.returncode}: {said or 'it says nothing'}"


def _start(command: list[str], sockets: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=sockets,
        start_new_session=True,  # Ctrl-C is for the process that owns the machine
    )


def _arguments(board: Board, flash: Path, control: int, debugger: int) -> list[str]:
    """No devices that a person would look at; the CPU stands still until it is told to go."""
    assert board.qemu is not None
    arguments = ["-M", board.qemu.machine, "-nodefaults", "-no-user-config", "-display", "none", "-S"]
    arguments += ["-bios", "none"] if board.qemu.system.startswith("riscv") else []
    arguments += ["-kernel", str(flash)]
    arguments += ["-chardev", f"socket,id=control,fd={control}", "-mon", "chardev=control,mode=control"]
    arguments += ["-chardev", f"socket,id=debugger,fd={debugger}", "-gdb", "chardev:debugger"]
    arguments += ["-chardev", "pty,id=uart"]
    arguments += ["-serial", "null"] * board.qemu.serial + ["-serial", "chardev:uart"]
    return arguments


def _find_qemu(system: str) -> str:
    name = f"qemu-system-{system}"
    found = shutil.which(name)
    if found is None:
        package = _DEBIAN_PACKAGES.get(system, name)
        raise BuildError(f"{name} is not installed; install QEMU, on Debian: apt-get install {package}")
    return found


def _stop(process: subprocess.Popen[bytes], watcher: Watcher, control: socket.socket) -> None:
    control.close()
    watcher.close()
    process.kill()  # it has nothing to save
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_TIMEOUT_S)
    if process.stderr is not None:
        process.stderr.close()
