"""UF2 files and the drive they are copied to."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from device.flash.firmwares import firmware

from mcuq.device.flash.uf2 import Uf2Copy, uf2_file
from mcuq.errors import BoardError, DeviceError

RP2040 = 0xE48BFF56  # github.com/microsoft/uf2, utils/uf2families.json


def drive(folder: Path, name: str = "RPI-RP2") -> Path:
    made = folder / name
    made.mkdir()
    (made / "INFO_UF2.TXT").write_text("UF2 Bootloader\n")
    return made


def image_of(data: bytes) -> tuple[int, bytes]:
    """(address, bytes) that the blocks carry, each field checked against the format's description."""
    blocks = [data[i : i + 512] for i in range(0, len(data), 512)]
    image, first = b"", struct.unpack_from("<I", data, 12)[0]
    for number, block in enumerate(blocks):
        head = struct.unpack_from("<8I", block)
        assert head[:2] == (0x0A324655, 0x9E5D5157)
        assert head[2:] == (0x2000, first + 256 * number, 256, number, len(blocks), RP2040)
        assert block[288:508] == bytes(220)
        assert struct.unpack_from("<I", block, 508) == (0x0AB16F30,)
        image += block[32:288]
    return first, image


@pytest.mark.parametrize("n_bytes", [1, 255, 256, 257, 5000])
def test_blocks_carry_the_whole_image(n_bytes: int) -> None:
    image = firmware(n_bytes).image
    address, found = image_of(uf2_file(image, 0x1000_0000, RP2040))
    assert address == 0x1000_0000
    assert found == image.ljust(-(-n_bytes // 256) * 256, b"\0")


def test_the_file_is_copied_to_the_drive(tmp_path: Path) -> None:
    where, program = drive(tmp_path), firmware(40_000, address=0x1000_0000)
    done: list[int] = []
    Uf2Copy({"family_id": RP2040}).flash(program, str(where), lambda task, total: done.append)
    written = (where / "mcuq.uf2").read_bytes()
    assert image_of(written)[1][:40_000] == program.image
    assert sum(done) == len(written)


def test_auto_finds_the_one_drive_of_that_name(tmp_path: Path) -> None:
    folders = [drive(tmp_path), drive(tmp_path, "OTHER"), tmp_path]
    method = Uf2Copy({"family_id": RP2040, "volume": "RPI-RP2"}, lambda: iter(folders))
    method.flash(firmware(10, address=0x1000_0000), "auto")
    assert (folders[0] / "mcuq.uf2").is_file()
    assert not (folders[1] / "mcuq.uf2").exists()


def test_no_drive_says_how_to_get_one() -> None:
    with pytest.raises(DeviceError) as error:
        Uf2Copy({"family_id": RP2040, "volume": "RPI-RP2"}, lambda: iter(())).flash(firmware(10), "auto")
    assert str(error.value) == (
        "uf2: there is no drive called RPI-RP2; hold BOOTSEL, plug the board in, mount its drive, or give --port FOLDER"
    )


def test_two_drives_are_not_chosen_between(tmp_path: Path) -> None:
    folders = [drive(tmp_path, "a"), drive(tmp_path, "b")]
    with pytest.raises(DeviceError) as error:
        Uf2Copy({"family_id": RP2040}, lambda: iter(folders)).flash(firmware(10), "auto")
    assert str(error.value) == (
        f"uf2: there are 2 drives: {folders[0]}, {folders[1]}; hold BOOTSEL, plug the board in, mount its drive, or "
        "give --port FOLDER"
    )


def test_a_folder_that_is_no_drive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as error:
        Uf2Copy({"family_id": RP2040}).flash(firmware(10), str(tmp_path))
    assert str(error.value) == (f"{tmp_path}: is no drive of a board: it has no INFO_UF2.TXT; give its folder, or auto")


def test_a_drive_that_goes_away_is_told(tmp_path: Path) -> None:
    where = drive(tmp_path)
    (where / "mcuq.uf2").mkdir()
    with pytest.raises(DeviceError) as error:
        Uf2Copy({"family_id": RP2040}).flash(firmware(10), str(where))
    assert str(error.value) == (
        f"{where}: the drive went away or is full before all 512 bytes were copied (Is a directory); hold BOOTSEL, "
        "plug the board in and run this again"
    )


def test_a_board_must_say_its_family(tmp_path: Path) -> None:
    with pytest.raises(BoardError) as error:
        Uf2Copy({}).flash(firmware(10), str(tmp_path))
    assert str(error.value) == "board 'mps2-an386': [flash] family_id is missing; uf2 blocks carry it"
