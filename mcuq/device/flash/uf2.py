"""Boards that show themselves as a USB drive which takes UF2 files: RP2040 and RP2350 (BOOTSEL held at power-on)."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from mcuq.build.firmware import Firmware
from mcuq.device.flash.method import FlashMethod, Progress, silent
from mcuq.errors import BoardError, DeviceError

# The format: github.com/microsoft/uf2, README.md, "File format".
MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
FAMILY_ID_PRESENT = 0x2000
BLOCK_BYTES = 512
PAYLOAD_BYTES = 256
DATA_BYTES = 476
INFO_FILE = "INFO_UF2.TXT"


def uf2_file(image: bytes, address: int, family_id: int) -> bytes:
    """The image as UF2 blocks of 256 bytes each; the last is filled up with zeros."""
    parts = [image[i : i + PAYLOAD_BYTES] for i in range(0, len(image), PAYLOAD_BYTES)]
    blocks = []
    for number, part in enumerate(parts):
        where = address + number * PAYLOAD_BYTES
        head = (*MAGIC[:2], FAMILY_ID_PRESENT, where, PAYLOAD_BYTES, number, len(parts), family_id)
        blocks.append(struct.pack("<8I", *head) + part.ljust(DATA_BYTES, b"\0") + struct.pack("<I", MAGIC[2]))
    return b"".join(blocks)


class Uf2Copy(FlashMethod):
    """Copies a UF2 file onto the board's drive; the board checks it, writes it and starts it."""

    port_is: ClassVar[str] = "the folder where the board's drive is mounted, or auto"

    def __init__(self, options: dict[str, str | int], mounts: Callable[[], Iterator[Path]] | None = None) -> None:
        super().__init__(options)
        self._mounts = mounts or mounted_folders

    def flash(self, firmware: Firmware, port: str, progress: Progress = silent) -> None:
        """Find the drive and write the file to it, through to the device."""
        if "family_id" not in self.options:
            raise BoardError(f"board '{firmware.board.name}': [flash] family_id is missing; uf2 blocks carry it")
        drive = self._drive(port)
        data = uf2_file(firmware.image, firmware.address, int(self.options["family_id"]))
        tick = progress("flashing", len(data))
        try:
            with (drive / "mcuq.uf2").open("wb") as file:
                for start in range(0, len(data), 128 * BLOCK_BYTES):
                    part = data[start : start + 128 * BLOCK_BYTES]
                    file.write(part)
                    tick(len(part))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DeviceError(
                f"{drive}: the drive went away or is full before all {len(data):,} bytes were copied "
                f"({error.strerror}); hold BOOTSEL, plug the board in and run this again"
            ) from error

    def _drive(self, port: str) -> Path:
        volume = self.text("volume")
        if port != "auto":
            if not (Path(port) / INFO_FILE).is_file():
                raise DeviceError(f"{port}: is no drive of a board: it has no {INFO_FILE}; give its folder, or auto")
            return Path(port)
        found = [folder for folder in self._mounts() if _is_called(folder, volume) and (folder / INFO_FILE).is_file()]
        if len(found) != 1:
            wanted = f" called {volume}" if volume else ""
            what = f"are {len(found)} drives: {', '.join(map(str, found))}" if found else f"is no drive{wanted}"
            raise DeviceError(
                f"uf2: there {what}; hold BOOTSEL, plug the board in, mount its drive, or give --port FOLDER"
            )
        return found[0]


def _is_called(folder: Path, volume: str) -> bool:
    """Windows mounts drives under letters: there the name says nothing."""
    return not volume or folder.name in ("", volume)


def mounted_folders() -> Iterator[Path]:
    """Where this computer has drives."""
    if sys.platform == "win32":
        yield from (Path(f"{letter}:/") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ")
        return
    roots = [Path("/Volumes")] if sys.platform == "darwin" else [Path("/media"), Path("/run/media"), Path("/mnt")]
    for root in roots:
        for level in (root.glob("*"), root.glob("*/*")):
            yield from sorted(path for path in level if path.is_dir())
