"""Start-up and the core's timer, apart from any model."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from golden.graphs import digits
from register_harness import SYST_CSR, SYST_CVR, Chip, Harness
from support import model_of

from mcuq.boards.find import load_board
from mcuq.build.firmware import _Buffers, _files_of_all, _link, _Place, build_firmware
from mcuq.device.link import open_link
from mcuq.emulate.machine import Machine

PERIOD = 1 << 24


class SysTick(Chip):
    """A core whose timer stands at this number of ticks since its start; its interrupt has just been served."""

    def __init__(self, ticks: int) -> None:
        super().__init__({SYST_CSR: 7})
        self.ticks = ticks

    def read(self, address: int) -> int:
        return -self.ticks % PERIOD if address == SYST_CVR else super().read(address)


@pytest.mark.parametrize("wraps", [0, 1, 255])
@pytest.mark.parametrize("ticks", [0, 1, 2, PERIOD - 1])
def test_systick_counts_on_where_it_reads_zero(wraps: int, ticks: int) -> None:
    """It asks for its interrupt as it reaches 0, one tick before it is loaded again."""
    harness = Harness(build_firmware(model_of(digits(), "nucleo-g071rb", "digits")), SysTick(PERIOD * wraps + ticks))
    harness.engine.mem_write(harness.address_of("wraps"), wraps.to_bytes(4, "little"))
    harness.engine.mem_write(harness.address_of("uses_systick"), b"\1")
    assert harness.call("mcuq_counter") == PERIOD * wraps + ticks


@pytest.mark.toolchain
@pytest.mark.parametrize("name", ["mps2-an386", "riscv32-virt"])
def test_a_program_that_is_not_optimized_starts(name: str) -> None:
    """Each function has a frame then, the one that paints the stack too."""
    board = replace(load_board(name), loader=None, flashing=None)
    assert board.memory is not None
    source = """
        #include "board.h"
        static volatile uint8_t text[] = {'r', 'u', 'n', 's', 0};
        static volatile uint8_t zero;
        void mcuq_main(void)
        {
            board_start();
            for (int i = 0;; i = text[i + 1] == zero ? 0 : i + 1)
                board_send(text[i]);
        }
    """
    files = {"main.c": source, **_files_of_all(board)}
    seen = b""
    with Machine(board, _link(files, [], _Place(board, board.memory, _Buffers(192, 0, False)), "-O0", {})) as machine:
        link = open_link(machine.port)
        deadline = time.monotonic() + 10
        while b"runsruns" not in seen and time.monotonic() < deadline:
            seen += link.read(100, 1.0)
        link.close()
    assert b"runsruns" in seen
