"""QEMU runs what was built for boards that Unicorn does not have, and counts its instructions."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from mcuq.boards.facts import Board
from mcuq.boards.find import load_board
from mcuq.emulate import qemu_cpu
from mcuq.emulate.qemu_cpu import QemuModel, QemuProgram
from mcuq.errors import BoardError, BuildError

pytestmark = pytest.mark.toolchain

MODEL = QemuModel("twice", {"twice_input": 3}, {"twice_output": 3})
HEADER = """
#include <stdint.h>
#define TWICE_ARENA_BYTES 6
#define TWICE_INPUT_OFFSET 0
int8_t *twice_input(void);
int8_t *twice_output(void);
void twice_run(const int8_t *input, int8_t *output);
"""
SOURCE = """
#include "twice.h"
static int8_t arena[6];
int8_t *twice_input(void) { return arena; }
int8_t *twice_output(void) { return arena + 3; }
"""
DOUBLE = "void twice_run(const int8_t *x, int8_t *y) { for (int i = 0; i < 3; i++) y[i] = (int8_t)(2 * x[i]); }"
# push, vmov, movs, three times (subs, bne), vmov, strb, pop: 12; the vector register shows that MVE is on
COUNTED = """
__attribute__((naked)) void twice_run(const int8_t *x __attribute__((unused)), int8_t *y __attribute__((unused))) {
    __asm__ volatile("push {r4, lr}\\n\\tvmov.i8 q0, #7\\n\\tmovs r4, #3\\n1:\\n\\tsubs r4, #1\\n\\tbne 1b\\n\\t"
                     "vmov.u8 r4, q0[3]\\n\\tstrb r4, [r1]\\n\\tpop {r4, pc}");
}
"""
FAULT = "void twice_run(const int8_t *x, int8_t *y) { (void)x; *y = *(volatile int8_t *)0xf0000000; }"
ENDLESS = "void twice_run(const int8_t *x, int8_t *y) { (void)x; for (;;) *(volatile int8_t *)y = 1; }"
STACK = """
void twice_run(const int8_t *x, int8_t *y) {
    volatile int8_t local[1000];
    for (int i = 0; i < 1000; i++) local[i] = x[0];
    *y = local[999];
}
"""


def program(run: str, board: Board | None = None) -> QemuProgram:
    sources: Mapping[str, str] = {"twice.h": HEADER, "twice.c": SOURCE + run}
    return QemuProgram(sources, MODEL, board or load_board("cortex-m55"), 4096)


def test_each_sample_has_its_answer() -> None:
    result = program(DOUBLE).run([bytes([1, 2, 3]), bytes([0, 255, 7]), bytes([9, 9, 9])])
    assert result.answers == (bytes([2, 4, 6]), bytes([0, 254, 14]), bytes([18, 18, 18]))
    assert result.instructions is None and result.blocks is None


def test_instructions_are_counted_from_entry_to_return_of_the_first_inference() -> None:
    result = program(COUNTED).run([bytes(3)] * 2, count=True)
    assert result.answers[1][0] == 7
    assert result.instructions == 3 + 3 * 2 + 3
    assert result.blocks is not None
    assert sum(block.instructions * block.count for block in result.blocks.values()) == 12
    assert program(COUNTED).run([bytes(3)] * 2, count=True) == result


def test_blocks_do_not_overlap() -> None:
    blocks = program(DOUBLE).run([bytes(3)], count=True).blocks
    assert blocks is not None
    edges = sorted((address, address + block.block_bytes) for address, block in blocks.items())
    assert all(end <= start for (_, end), (start, _) in pairwise(edges))


def test_stack_is_measured() -> None:
    assert 1000 <= program(STACK).run([bytes(3)]).stack_bytes < 1100


def test_a_fault_is_reported() -> None:
    with pytest.raises(BuildError, match=r"^'twice' on emulated cortex-m55: stops with a fault$"):
        program(FAULT).run([bytes(3)])


def test_an_endless_model_is_stopped() -> None:
    with pytest.raises(BuildError, match=r"^'twice' on emulated cortex-m55: did not end within 0.5 s$"):
        program(ENDLESS).run([bytes(3)], time_limit_s=0.5)


def test_a_sample_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="does not have 3 bytes"):
        program(DOUBLE).run([bytes(2)])


def test_a_board_without_machine_is_refused() -> None:
    with pytest.raises(BoardError, match=r"^board 'cortex-m4' cannot be emulated; use a board with qemu_machine$"):
        program(DOUBLE, load_board("cortex-m4"))


def test_missing_qemu_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu_cpu.shutil, "which", lambda command: None)
    with pytest.raises(BuildError, match="qemu-system-arm not found; install Debian's qemu-system-arm"):
        program(DOUBLE)
