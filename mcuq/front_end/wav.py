"""WAV files, as samples of 16 bits."""

from __future__ import annotations

import wave
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from mcuq.errors import DataError

SUFFIX = ".wav"


def is_wav(path: Path) -> bool:
    """Whether the file is called so."""
    return path.suffix.lower() == SUFFIX and path.is_file() and not path.name.startswith(".")


def read_wav(path: Path, where: str, rate_hz: int) -> NDArray[np.int16]:
    """The samples of a file of one channel, 16 bits and `rate_hz`. Raises DataError, with the command that makes such a
    file of it, for all others: how to resample is part of the model."""
    make = (
        f"make it so: sox {quote(str(path))} -r {rate_hz} -c 1 -b 16 -e signed-integer {quote(path.stem)}_{rate_hz}.wav"
    )
    try:
        with wave.open(str(path)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            count = file.getnframes()
            data = file.readframes(count) if (channels, width, rate) == (1, 2, rate_hz) else b""
    except (wave.Error, EOFError, OSError) as error:
        why = "it ends too early" if isinstance(error, EOFError) else str(error)
        raise DataError(f"{where}: is no WAV file of 16-bit PCM that can be read: {why}; {make}") from None
    if (channels, width, rate) != (1, 2, rate_hz):
        found = f"{channels} channel{'s' * (channels > 1)}, {8 * width} bits, {rate:,} Hz"
        raise DataError(f"{where}: has {found}; the front end takes 1 channel, 16 bits, {rate_hz:,} Hz: {make}")
    if len(data) != 2 * count:
        raise DataError(f"{where}: says that it has {count:,} samples, and has {len(data) // 2:,}; record it again")
    return np.frombuffer(data, "<i2").astype(np.int16)
