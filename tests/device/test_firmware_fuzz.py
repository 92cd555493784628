"""Random, mutated and valid frames without end: no fault, and never a state in which a valid frame is refused."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from host_board import FIRMWARE, MODEL_SOURCES, PROTOCOL_SOURCES, ROOT, TWO_SOURCES, compile_c
from selections import quick

SETTINGS = (
    "-DMCUQ_IDLE=fuzz_idle",
    '-DMCUQ_BOARD_NAME="fuzz"',
    '-DMCUQ_BUILD_TEXT="text"',
    "-DMCUQ_CLOCK_HZ=1000000000",
    "-DMCUQ_PAYLOAD_BYTES=1024",
    "-DMCUQ_SLOT_ADDRESS=0x10000000u",
    "-DMCUQ_SLOT_BYTES=0x10000u",
    "-DMCUQ_PAGE_BYTES=1024u",
    "-DMCUQ_MAILBOX_ADDRESS=0x10010000u",
)
LOADER = (FIRMWARE / "loader/main.c", FIRMWARE / "slots/slot.c")
KINDS = {
    "model": (MODEL_SOURCES, ("-DMCUQ_WINDOW_BYTES=0",)),
    "model-with-window": (MODEL_SOURCES, ("-DMCUQ_WINDOW_BYTES=1200", "-DMCUQ_KEEPS_INPUT")),
    "two models": (TWO_SOURCES, ("-DMCUQ_WINDOW_BYTES=0", "-DMCUQ_MODELS=2")),
    "loader": (LOADER, ("-DMCUQ_WINDOW_BYTES=0", "-DFUZZ_LOADER")),
    "loader-with-window": (LOADER, ("-DMCUQ_WINDOW_BYTES=1200", "-DFUZZ_LOADER")),
}


def fuzz(folder: Path, kind: str, seed: int, frames: int) -> tuple[int, int, int]:
    """Frames that went in, answers that came out, and resets."""
    sources, macros = KINDS[kind]
    harness = ROOT / "tests/device/fuzz_firmware.c"
    level = "-O2" if frames > 100_000 else "-O0"
    program = compile_c(folder / "fuzz", [harness, *sources, *PROTOCOL_SOURCES], [*SETTINGS, *macros], level=level)
    ended = subprocess.run(
        [str(program), str(seed), str(frames)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert ended.returncode == 0, ended.stderr
    counts = re.fullmatch(r"(\d+) frames, (\d+) answers, (\d+) resets\n", ended.stdout)
    assert counts is not None
    return int(counts[1]), int(counts[2]), int(counts[3])


@pytest.mark.parametrize("kind", quick(KINDS))
def test_nothing_that_is_received_is_a_fault(tmp_path: Path, kind: str) -> None:
    frames, answers, resets = fuzz(tmp_path, kind, seed=1, frames=20_000)
    assert frames >= 20_000
    assert answers > frames // 2
    assert resets > 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["model-with-window", "loader"])  # each half of both pairs
def test_a_million_frames_are_no_fault(tmp_path: Path, kind: str) -> None:
    frames, answers, resets = fuzz(tmp_path, kind, seed=2, frames=1_000_000)
    assert frames >= 1_000_000
    assert answers > frames // 2
    assert resets > 1000
