"""STM32's ROM loader, against a device model written from AN3155 on a real pseudo-terminal."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from device.flash.firmwares import firmware
from device.flash.stm32_model import CHIP_ID, FLASH, Faults, Stm32Model

from mcuq.device.flash.stm32_protocol import Stm32Rom
from mcuq.device.flash.stm32_rom import Stm32RomLoader
from mcuq.device.link import open_link
from mcuq.errors import BoardError, DeviceError

OPTIONS = {"sectors": "4x16K 1x64K 7x128K"}
# A pseudo-terminal has no parity bit, and refuses to be asked for one.
on_pty = partial(open_link, parity="N")


def without_parity(port: str, baud: int, parity: str):  # type: ignore[no-untyped-def]
    assert parity == "E"
    return open_link(port, baud)


def flash(model: Stm32Model, n_bytes: int = 20_001, options: dict[str, str] = OPTIONS) -> bytes:
    program = firmware(n_bytes)
    Stm32RomLoader(options, without_parity).flash(program, model.port)
    return program.image


def rom(model: Stm32Model) -> Stm32Rom:
    return Stm32Rom(open_link(model.port), answer_s=0.2, sector_s=0.2)


@pytest.mark.parametrize("n_bytes", [1, 4, 255, 256, 257, 16384, 16385, 70_000])
@pytest.mark.parametrize("extended", [True, False])
def test_the_program_is_written_and_started(n_bytes: int, extended: bool) -> None:
    with Stm32Model(extended=extended) as model:
        image = flash(model, n_bytes)
        assert bytes(model.memory[:n_bytes]) == image
        assert model.went == FLASH


def test_only_the_sectors_under_the_program_are_erased() -> None:
    with Stm32Model() as model:
        flash(model, 20_001)
        assert model.erased == [0, 1]
        assert model.memory[32768:] == b"\x55" * (len(model.memory) - 32768)


def test_the_rom_tells_its_version_and_chip() -> None:
    with Stm32Model() as model:
        found = rom(model)
        found.connect()
        assert (found.version, found.chip_id) == (0x31, CHIP_ID)
        assert 0x44 in found.commands


def test_a_rom_that_is_connected_already_is_connected_to_again() -> None:
    with Stm32Model() as model:
        rom(model).connect()
        found = rom(model)
        found.connect()
        assert found.chip_id == CHIP_ID


def test_refused_commands_are_repeated() -> None:
    with Stm32Model(Faults(refused={0x00: 1, 0x44: 2, 0x31: 3, 0x11: 1, 0x21: 2})) as model:
        image = flash(model)
        assert bytes(model.memory[: len(image)]) == image


def test_a_slow_erase_is_waited_for() -> None:
    with Stm32Model(Faults(erase_s=1.5)) as model:
        image = flash(model)
        assert bytes(model.memory[: len(image)]) == image


def lossy(position: int) -> None:
    """Flash 300 bytes while the byte at this position never reaches the ROM."""
    program = firmware(300)
    with Stm32Model(Faults(lost=frozenset({position}))) as model:
        quick = partial(Stm32Rom, answer_s=0.2, sector_s=0.2)
        Stm32RomLoader(OPTIONS, without_parity, quick).flash(program, model.port)
        assert bytes(model.memory[:300]) == program.image
        assert model.went == FLASH
        assert model.memory[16384:] == b"\x55" * (len(model.memory) - 16384)


# The exchange: connect 5 bytes, ERASE 7, WRITE 7 + 258, WRITE 7 + 46, READs 9 each, GO 7. After byte 299 the filler
# passes for a checksum, and all is written once more.
@pytest.mark.parametrize(
    "position", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19, 20, 100, 276, 277, 278, 299]
)
def test_a_lost_byte_is_recovered_from(position: int) -> None:
    lossy(position)


@pytest.mark.slow
@pytest.mark.parametrize("position", [*range(1, 44), *range(44, 356, 5)])
def test_a_byte_lost_anywhere_is_recovered_from(position: int) -> None:
    lossy(position)


def test_silence_ends_with_what_to_do() -> None:
    with Stm32Model(Faults(lost=frozenset(range(1000)))) as model:
        with pytest.raises(DeviceError) as error:
            rom(model).connect()
        assert str(error.value) == (
            f"{model.port}: no STM32 ROM loader answers; set BOOT0 high, press reset and run this again "
            "(ST's AN2606 says which pins the chip's ROM listens on)"
        )


class Chatty:
    """A link to a program that writes without end, and whose `y` is ACK."""

    name = "chatty"
    baud = 115_200

    def __init__(self) -> None:
        self.text = itertools.cycle(b"y\nread")

    def write(self, data: bytes) -> None:
        """Nobody listens."""

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        return bytes((next(self.text),))

    def close(self) -> None:
        """Nothing is open."""


def test_a_program_that_writes_without_end_is_an_error_in_finite_time() -> None:
    seconds = itertools.count(0, 0.001)
    with pytest.raises(DeviceError) as error:
        Stm32Rom(Chatty(), clock=lambda: next(seconds)).connect()
    assert str(error.value) == (
        "chatty: the STM32 ROM loader does not answer GET in 4 attempts; check the cable, press reset with BOOT0 high "
        "and run this again"
    )
    assert next(seconds) < 60


def test_a_rom_that_falls_silent_ends_with_what_was_awaited() -> None:
    with Stm32Model() as model:
        found = rom(model)
        found.connect()
        model.faults.lost = frozenset(range(model.received + 1, model.received + 100_000))
        found._answer_s = 0.02  # so that the fillers take no half minute
        with pytest.raises(DeviceError) as error:
            found.write(FLASH, b"1234")
        assert str(error.value) == (
            f"{model.port}: the STM32 ROM loader does not answer WRITE at 0x08000000 in 4 attempts; check the cable, "
            "press reset with BOOT0 high and run this again"
        )


def test_a_protected_chip_is_told_from_a_silent_one() -> None:
    with Stm32Model(Faults(is_protected=True)) as model:
        with pytest.raises(DeviceError) as error:
            flash(model)
        assert str(error.value) == (
            f"{model.port}: the STM32 ROM loader refuses WRITE at 0x08000000 4 times; is the chip read- or "
            "write-protected? Remove the protection with ST's STM32CubeProgrammer, which erases the chip"
        )
        assert model.went is None


def test_flash_that_does_not_hold_is_found_and_not_started() -> None:
    with Stm32Model(Faults(stuck_address=FLASH + 300)) as model:
        with pytest.raises(DeviceError) as error:
            flash(model)
        assert str(error.value) == (
            f"{model.port}: flash differs from what was written near 0x08000100; run this again; if it stays, the "
            "flash is worn out or the chip is another than mps2-an386's"
        )
        assert model.went is None


def test_a_board_must_say_its_sectors() -> None:
    with pytest.raises(BoardError) as error:
        Stm32RomLoader({}).flash(firmware(4), "/dev/null")
    assert str(error.value) == "board 'mps2-an386': [flash] sectors is missing; stm32-rom erases by them"


class Lines:
    """A link that notes what the modem lines do."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def set_line(self, line: str, is_active: bool) -> None:
        self.seen.append((line, is_active))


def test_lines_put_the_chip_into_its_rom() -> None:
    lines = Lines()
    Stm32RomLoader({"boot0": "dtr", "reset": "!rts"})._enter_rom(lines)  # type: ignore[arg-type]
    assert lines.seen == [("dtr", True), ("rts", False), ("rts", True)]


def test_an_unknown_line_is_refused() -> None:
    with pytest.raises(BoardError) as error:
        Stm32RomLoader({"boot0": "cts"})._enter_rom(Lines())  # type: ignore[arg-type]
    assert str(error.value) == "[flash] boot0 or reset = 'cts': must be dtr, rts, !dtr or !rts"
