"""benchmarks/icount.py: QEMU's count is exact, and confirms what `mcuq profile` counts on every board."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from confirm_counts import CONFIRMED, Confirmation, confirm, confirm_model
from icount import MACHINES, count_instructions
from kernels import NETWORKS, RESULTS, emulated_boards, read_rows

from mcuq.boards.find import load_board
from mcuq.compile import CompiledModel, assemble, compile_model
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.ops.identity import Identity
from mcuq.quantize import quantize_graph
from mcuq.resources import resource_dir

HEADER = """
#include <stdint.h>
int8_t *net_input(void);
int8_t *net_output(void);
void net_run(const int8_t *x, int8_t *y);
"""
SOURCE = """
#include "net.h"
static int8_t arena[8];
int8_t *net_input(void) { return arena; }
int8_t *net_output(void) { return arena + 4; }
__attribute__((naked)) void net_run(const int8_t *x __attribute__((unused)), int8_t *y __attribute__((unused)))
"""
THUMB = ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")
THUMB_2 = THUMB[2:]
# (boards, instructions of net_run, how many of them run)
COUNTED = [
    (THUMB, "bx lr", 1),
    (THUMB, "movs r2, #3; 1: subs r2, r2, #1; bne 1b; bx lr", 1 + 3 * 2 + 1),
    (THUMB, "ldr r2, =100001; 1: subs r2, r2, #1; bne 1b; bx lr; .ltorg", 1 + 100_001 * 2 + 1),
    (THUMB, "push {r4, lr}; movs r4, #5; bl 2f; pop {r4, pc}; 2: adds r4, r4, #1; bx lr", 3 + 2 + 1),
    # An instruction in an IT block counts, whether its condition holds or not; so does IT itself.
    (THUMB_2, "cmp r0, #0; itte eq; moveq r2, #1; moveq r2, #2; movne r2, #3; bx lr", 6),
    (THUMB_2, "cmp r0, #0; it ne; bxne lr; nop; bx lr", 3),
    (THUMB_2, "cmp r0, #0; it eq; bxeq lr; nop; bx lr", 5),
    (THUMB_2, "movs r2, #2; 1: subs r2, r2, #1; it pl; bpl 1b; bx lr", 1 + 3 * 3 + 1),
    (("cortex-m4", "cortex-m7", "cortex-m33"), "vmov s0, r0; vmov r2, s0; cbnz r2, 1f; nop; 1: bx lr", 4),
    # Vectors under a predicate count whole, and loops that end with LE by the instructions that run.
    (("cortex-m55",), "vmov.i8 q0, #1; vptt.i8 eq, q0, q1; vaddt.i8 q0, q0, q0; vaddt.i8 q0, q0, q0; bx lr", 5),
    (("cortex-m55",), "push {r4, lr}; movs r4, #4; dls lr, r4; 1: nop; le lr, 1b; pop {r4, pc}", 3 + 4 * 2 + 1),
    (("rv32imc",), "ret", 1),
    (("rv32imc",), "li a2, 100001; 1: addi a2, a2, -1; bnez a2, 1b; ret", 2 + 100_001 * 2 + 1),
    (("rv32imc",), "li a2, 7; mul a2, a2, a2; mulh a2, a2, a2; beqz a2, 1f; nop; 1: ret", 5),
]  # fmt: skip


@cache
def _graph() -> Graph:
    """Four bytes in, four bytes out."""
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Identity(), [builder.input("input", (1, 4))], name="output"))
    graph = builder.graph()
    return quantize_graph(graph, dict.fromkeys(graph.inputs, (-1.0, 1.0)))


@cache
def _digits() -> CompiledModel:
    folder = resource_dir("examples") / "digits"
    return compile_model(folder / "digits.onnx", "host", str(folder / "digits_calibration.npz"))


@pytest.mark.toolchain
@pytest.mark.parametrize(
    ("board", "text", "want"), [(board, text, want) for boards, text, want in COUNTED for board in boards]
)
def test_instructions_counted_by_hand(board: str, text: str, want: int) -> None:
    model = assemble(_graph(), load_board(board), "net", b"")
    syntax = "" if board == "rv32imc" else ".syntax unified; "
    files = {"net.h": HEADER, "net.c": f'{SOURCE}{{ __asm__ volatile("{syntax}{text}"); }}'}
    (name,) = model.graph.inputs
    assert count_instructions(replace(model, files=files), {name: np.zeros((1, 4), np.int8)}).instructions == want


@pytest.mark.toolchain
@pytest.mark.parametrize(
    ("board", "compiler"),
    [(name, "gcc") for name in sorted(MACHINES)]
    + [(name, "zig") for name in sorted(MACHINES) if load_board(name).cpu.unicorn_model],
)
def test_profile_of_digits_is_confirmed(board: str, compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", compiler)
    digits = _digits()
    found = confirm_model(assemble(digits.graph, load_board(board), "digits", digits.onnx_model, 100))
    assert found.profiled == found.counted > 10_000
    assert found.is_bit_exact


@pytest.mark.reference
def test_profile_of_kws_is_confirmed_on_every_board() -> None:
    for found in confirm("kws", sorted(MACHINES)):
        assert found.profiled == found.counted > 10_000
        assert found.is_bit_exact


def test_any_difference_shows() -> None:
    equal = Confirmation("kws", "cortex-m4", 1_000_000, 1_000_000, True)
    assert equal.is_confirmed
    assert equal.cells == ("kws", "cortex-m4", "mps2-an386", "1,000,000", "1,000,000", "0", "equal")
    other = replace(equal, counted=1_000_001, is_bit_exact=False)
    assert other.cells[-2:] == ("-1", "not")
    assert not replace(equal, counted=1_000_001).is_confirmed
    assert not replace(equal, is_bit_exact=False).is_confirmed


def test_every_emulated_core_has_a_machine_that_counts_exactly() -> None:
    assert {load_board(n).cpu.core for n in MACHINES} == {load_board(n).cpu.core for n in emulated_boards()}
    for machine in MACHINES.values():
        assert machine.clock_hz is None or machine.tick_ns.numerator % 3 != 0


def test_the_committed_table_confirms_the_committed_figures() -> None:
    lines = CONFIRMED.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in lines if row.startswith("| ")][2:]
    results = read_rows(RESULTS.read_text(encoding="utf-8"))
    assert {(row[0], row[1]): row[4] for row in rows} == {
        (network, board): cells[1] for (network, board), cells in results.items() if board in MACHINES
    }, "run python benchmarks/kernels.py --update and python benchmarks/confirm_counts.py --update"
    assert {(row[5], row[6]) for row in rows} == {("0", "equal")}
    assert {row[0] for row in rows} == set(NETWORKS)
