"""Firmware of compiled models as a process on this computer, at a pseudo-terminal: real C without an emulator."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from host_board import FIRMWARE, FIRMWARE_SOURCES, SLOT_ADDRESS, SLOT_BYTES, SLOT_SOURCES, build

from mcuq.build.firmware_source import firmware_sources, model_macros
from mcuq.build.several import as_several
from mcuq.compile import CompiledModel


def build_host_firmware(
    model: CompiledModel | Sequence[CompiledModel],
    folder: Path,
    payload_bytes: int = 1024,
    window_bytes: int = 0,
    keeps_input: bool = False,
    change: Callable[[str], str] = lambda text: text,
    takes_weights: bool = False,
) -> Path:
    """The program, built under AddressSanitizer and UBSan; `change` is made to each source file of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    models = as_several(model)
    files = firmware_sources(models, keeps_input)
    for name, text in files.items():
        (folder / name).write_text(change(text).replace('#include "model.h"', f'#include "{FIRMWARE}/model.h"'))
    included = [f"{each.name}.c" for each in models]
    own = [folder / name for name in files if name.endswith(".c") and name not in included]
    sources = (*FIRMWARE_SOURCES, *own)
    macros = {"MCUQ_KEEPS_INPUT": "1"} if keeps_input else {}
    macros |= {name: value for name, value in model_macros(models).items() if name == "MCUQ_MODELS"}
    if takes_weights:
        sources = (*sources, *SLOT_SOURCES)
        macros |= {"MCUQ_WEIGHTS_ADDRESS": f"{SLOT_ADDRESS}u", "MCUQ_SLOT_BYTES": f"{SLOT_BYTES // 2}u"}
        macros |= {"MCUQ_SLOT_RAM": "1"}
    return build(folder / "firmware", sources, payload_bytes, window_bytes, **macros)


@contextmanager
def running(program: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """(port, process); SIGUSR1 is the reset button."""
    process = subprocess.Popen(
        [str(program), "--pty", *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip(), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
