"""Firmware of pair_model.c and the loader on this computer, for the tests of the device's side of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from host_board import LOADER_SOURCES, MODEL_SOURCES, TWO_SOURCES, HostBoard, build
from pair_model import LOADER, MODEL, SHORT_PAYLOAD_BYTES

Programs = dict[str, Path]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Firmware by kind: with one request at a time, with a window and a kept input, with the shortest frames, with two
    models."""
    folder = tmp_path_factory.mktemp("firmware")
    return {
        "polled": build(folder / "polled", MODEL_SOURCES),
        "window": build(folder / "window", MODEL_SOURCES, window_bytes=2048, MCUQ_KEEPS_INPUT="1"),
        "two": build(folder / "two", TWO_SOURCES, MCUQ_MODELS="2"),
        "two-keeping": build(folder / "two-keeping", TWO_SOURCES, MCUQ_MODELS="2", MCUQ_KEEPS_INPUT="1"),
        "short": build(folder / "short", MODEL_SOURCES, payload_bytes=SHORT_PAYLOAD_BYTES),
        "loader": build(folder / "loader", LOADER_SOURCES, MCUQ_SLOT_RAM="1"),
    }


@pytest.fixture(params=["polled", "window"])
def board(request: pytest.FixtureRequest, programs: Programs) -> Iterator[HostBoard]:
    with HostBoard(programs[request.param]) as board:
        board.started(MODEL)
        yield board


@pytest.fixture
def polled(programs: Programs) -> Iterator[HostBoard]:
    with HostBoard(programs["polled"]) as board:
        board.started(MODEL)
        yield board


@pytest.fixture
def keeping(programs: Programs) -> Iterator[HostBoard]:
    with HostBoard(programs["window"]) as board:
        board.started(MODEL)
        yield board


@pytest.fixture
def short(programs: Programs) -> Iterator[HostBoard]:
    with HostBoard(programs["short"]) as board:
        board.started(MODEL)
        yield board


@pytest.fixture
def loader(programs: Programs) -> Iterator[HostBoard]:
    with HostBoard(programs["loader"]) as board:
        board.started(LOADER)
        yield board
