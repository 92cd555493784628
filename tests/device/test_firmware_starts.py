"""An image that never answers: after three starts the loader stays, and the host can load another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from golden.graphs import digits
from host_board import LOADER_SOURCES, MODEL_SOURCES, SLOT_BYTES, HostBoard, build, read_hello
from pair_model import ECHO, HELLO, LOADER, MODEL, OK, RESET, UNKNOWN_TYPE
from support import model_of, random_inputs
from test_firmware_loader import BOOT, Programs, Slot, load

from mcuq.boards.find import load_board
from mcuq.build.firmware import Firmware, _Buffers, _files_of_all, _link, _Place, build_firmware, build_loader
from mcuq.compile import CompiledModel
from mcuq.device.flash import flash_method
from mcuq.device.link import open_link
from mcuq.device.messages import Role
from mcuq.device.session import Session
from mcuq.emit.listing import files_crc
from mcuq.emulate.machine import Machine
from mcuq.errors import DeviceError
from mcuq.validate.fleet import validate_port

STARTS = 3
STARTS_AT = SLOT_BYTES + 8  # in the mailbox

Start = Callable[[bytes], HostBoard]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """The loader; an image that resets the chip as soon as it waits for a byte; one that works."""
    folder = tmp_path_factory.mktemp("starts")
    images = [
        build(folder / idle, MODEL_SOURCES, sanitize=False, MCUQ_IDLE=idle).read_bytes()
        for idle in ("board_reset", "host_idle")
    ]
    return Programs(build(folder / "loader", LOADER_SOURCES, MCUQ_SLOT_RAM="1"), *images)


@pytest.fixture
def start(programs: Programs, tmp_path: Path) -> Iterator[Start]:
    """Switches the board on with an image in its slot; these bytes where it counts starts."""
    boards: list[HostBoard] = []

    def switch_on(image: bytes, starts: bytes = bytes(8)) -> HostBoard:
        slot = Slot(tmp_path / "slot")
        slot.put_image(image)
        slot.put(starts, STARTS_AT)
        boards.append(HostBoard(programs.loader, "--slot", str(slot.path)))
        return boards[-1]

    yield switch_on
    for board in boards:
        board.cut_power()


def see(board: HostBoard, *roles: int) -> None:
    for role in roles:
        board.started(role)


def test_an_image_that_never_answers_is_started_three_times_and_can_be_replaced(
    programs: Programs, start: Start
) -> None:
    board = start(programs.old)
    see(board, *[MODEL] * STARTS, LOADER)
    assert read_hello(board.request(HELLO)).role == LOADER
    load(board, programs.new)
    assert board.request(BOOT) == (OK, b"")
    see(board, MODEL)
    assert read_hello(board.request(HELLO)).role == MODEL


def test_a_reset_of_the_loader_tries_the_image_again(programs: Programs, start: Start) -> None:
    board = start(programs.old)
    see(board, *[MODEL] * STARTS, LOADER)
    board.press_reset()
    see(board, *[MODEL] * STARTS, LOADER)
    assert board.request(RESET, b"\0") == (OK, b"")
    see(board, *[MODEL] * STARTS, LOADER)
    assert board.request(BOOT) == (OK, b"")
    see(board, *[MODEL] * STARTS, LOADER)


@pytest.mark.parametrize(("request_type", "status"), [(ECHO, OK), (BOOT, UNKNOWN_TYPE)])
def test_any_answer_makes_the_count_begin_again(
    programs: Programs, start: Start, request_type: int, status: int
) -> None:
    board = start(programs.new)
    see(board, MODEL)
    for _ in range(3):
        for _ in range(2):  # the second answer shows that all of the first is done
            assert board.request(request_type) == (status, b"")
        for _ in range(STARTS):
            board.press_reset()
            see(board, MODEL)


def test_an_image_that_hangs_is_left_by_the_reset_button(programs: Programs, start: Start) -> None:
    """As seen by one that nobody asks."""
    board = start(programs.new)
    for role in [*[MODEL] * STARTS, LOADER, MODEL]:
        see(board, role)
        board.press_reset()


@pytest.mark.parametrize(
    "starts",
    [b"\xff" * 8, b"\x00\xff" * 4, b"\xaa" * 4 + b"\x55" * 4, b"\xff" * 4 + bytes(4), b"\3\0\0\0" + b"\xff" * 4],
    ids=lambda starts: starts.hex(),
)
def test_what_ram_holds_at_power_on_counts_as_no_start(programs: Programs, start: Start, starts: bytes) -> None:
    see(start(programs.old, starts), *[MODEL] * STARTS, LOADER)


# Emulated boards


def crashing(name: str) -> Firmware:
    """An image that faults before it has sent a byte."""
    board = load_board(name)
    memory = board.program_memory
    assert memory is not None
    illegal = ".word 0" if name == "riscv32-virt" else "udf #0"
    source = f'#include "board.h"\nvoid mcuq_main(void)\n{{\n    __asm__ volatile("{illegal}");\n}}\n'
    files = {"main.c": source, **_files_of_all(board)}
    return _link(files, [], _Place(board, memory, _Buffers(192, 0, False)), "-O1", {})


def crashing_in_its_run(model: CompiledModel) -> CompiledModel:
    """The model, with a fault before its first layer."""
    name = f"{model.name}.c"
    text = model.files[name]
    at = text.index("{\n", text.index(f"void {model.name}_run_in(")) + 2
    files = {**model.files, name: text[:at] + '    __asm__ volatile("udf #0");\n' + text[at:]}
    # As if mcuq had written it; the lines of calls are one further down.
    layers = tuple(
        replace(layer, calls=tuple(replace(call, line=call.line + 1) for call in layer.calls))
        for layer in model.listing.layers
    )
    crc = files_crc(files[f"{model.name}.h"], files[name])
    return replace(model, files=files, listing=replace(model.listing, files_crc=crc, layers=layers))


def check_that_it_is_replaced(model: CompiledModel, machine: Machine) -> None:
    flash_method(model.board).flash(build_firmware(model), machine.port)
    report = validate_port(model, iter([random_inputs(model.graph, 3)]), machine.port, 115_200, "flash it again")
    assert report.bit_exact
    machine.reset()
    with Session(open_link(machine.port)) as session:
        assert session.hello().role == Role.MODEL


@pytest.mark.toolchain
@pytest.mark.parametrize("name", ["mps2-an386", "microbit-v1", "riscv32-virt"])
def test_a_program_that_crashes_at_its_start_can_be_replaced(name: str) -> None:
    model = model_of(digits(), name, "digits")
    with Machine(model.board, build_loader(model.board), crashing(name)) as machine:
        with Session(open_link(machine.port)) as session:
            assert session.hello().role == Role.LOADER
        check_that_it_is_replaced(model, machine)


@pytest.mark.toolchain
def test_a_model_that_crashes_in_every_run_is_an_error_and_can_be_replaced() -> None:
    model = model_of(digits(), "mps2-an386", "digits")
    firmware = build_firmware(crashing_in_its_run(model))
    with Machine(model.board, build_loader(model.board), firmware) as machine:
        with pytest.raises(DeviceError, match=machine.port):
            validate_port(model, iter([random_inputs(model.graph, 3)]), machine.port, 115_200, "flash it again")
        check_that_it_is_replaced(model, machine)
