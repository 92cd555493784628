from typing import Any

import pytest

from mcuq.boards.find import load_board
from mcuq.build.elf import read_symbols
from mcuq.build.target import build_target
from mcuq.emulate.block_counts import count_riscv_instructions
from mcuq.emulate.unicorn_cpu import Block, UnicornCpu
from mcuq.errors import BuildError

COMPILERS = ["zig", pytest.param("gcc", marks=pytest.mark.toolchain)]
RV32 = load_board("rv32imc")

# Naked functions are the same instructions whatever the compiler.
ASSEMBLY = """
#define ASM(name, text) void name(void); __attribute__((naked)) void name(void) { __asm__(text); }
ASM(store, "sw a1, 0(a0)\\n ret")
ASM(load, "lw a0, 0(a0)\\n ret")
ASM(jump, "addi sp, sp, -16\\n sw ra, 12(sp)\\n jalr a0\\n lw ra, 12(sp)\\n addi sp, sp, 16\\n ret")
ASM(undefined, "nop\\n .2byte 0")
ASM(spin, "0: j 0b")
ASM(recurse, "addi sp, sp, -16\\n sw ra, 12(sp)\\n jal recurse")
ASM(push_words, "mv a1, sp\\n 0: addi sp, sp, -4\\n sw a0, 0(sp)\\n addi a0, a0, -1\\n bnez a0, 0b\\n mv sp, a1\\n ret")
ASM(count_down, "0: addi a0, a0, -1\\n bnez a0, 0b\\n ret")
ASM(set_register, "mv t3, a0\\n mv s5, a0\\n ret")
ASM(get_registers, "or a0, t3, s5\\n ret")
ASM(stack_pointer, "mv a0, sp\\n ret")
"""

C = """
#include <stdint.h>
int calls(int n);
int straight(int n);
int32_t weighted(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t g, int32_t h, int32_t i,
                 int32_t j);
int32_t tick(void);
int copies(int n);
int64_t divide(int64_t a, int64_t b);

static volatile int32_t table[64];
static int32_t ticks = 41;

int64_t divide(int64_t a, int64_t b) { return a / b; }
int32_t tick(void) { return ++ticks; }
int32_t weighted(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t g, int32_t h, int32_t i,
                 int32_t j) {
    return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f + 1000000 * g + 10000000 * h + 100000000 * i
        - 1000000000 * j;
}

__attribute__((noinline)) static int leaf(int a) { return table[a & 63] * 3 + (a & 1); }
__attribute__((noinline)) static int fibonacci(int a) {
    return a <= 1 ? 1 : fibonacci(a - 1) + fibonacci(a - 2);
}
__attribute__((noinline)) static int jump_table(int a) {
    switch (a) {
    case 0: return 5;
    case 1: return leaf(a);
    case 2: return 77 + a * a;
    case 3: return leaf(a + 1);
    case 4: table[1]++; return 1;
    case 5: return table[7];
    case 6: return a ^ 33;
    default: return 9;
    }
}
int calls(int n) {
    int s = 0;
    for (int i = 0; i < n; i++) {
        s += jump_table(i % 9);
        if ((i ^ s) & 1) { s += 3; }
        table[i & 63] = i > s ? i : s;
        s = (s & 0xffff) + fibonacci(i & 7);
    }
    return s;
}
int copies(int n) {
    struct { int32_t word[40]; } a = {{1, 2, 3}}, b;
    for (int i = 0; i < n; i++) { b = a; a.word[i % 40] = b.word[(i + 1) % 40] + 1; }
    return a.word[0];
}
/* More than a page of code, and more in a row than Unicorn puts into one block. */
#define STEP table[0] = table[0] * 3 + table[1]; table[1] = table[2] ^ table[0];
#define STEPS8 STEP STEP STEP STEP STEP STEP STEP STEP
#define STEPS64 STEPS8 STEPS8 STEPS8 STEPS8 STEPS8 STEPS8 STEPS8 STEPS8
int straight(int n) {
    for (int i = 0; i < n; i++) { STEPS64 STEPS64 STEPS64 STEPS64 STEPS64 STEPS64 }
    return table[0];
}
"""
ASSEMBLY_NAMES = [line[4 : line.index(",")] for line in ASSEMBLY.splitlines() if line.startswith("ASM(")]
C_NAMES = ["calls", "straight", "weighted", "tick", "copies", "divide"]


@pytest.fixture(scope="module", params=COMPILERS)
def elf(request: pytest.FixtureRequest) -> bytes:
    keep = [*ASSEMBLY_NAMES, *C_NAMES, "memset", "memmove"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCUQ_CC", request.param)
        return build_target({"a.c": ASSEMBLY, "c.c": C}, "calls", keep, RV32, stack_bytes=4096).elf


@pytest.fixture
def cpu(elf: bytes) -> UnicornCpu:
    return UnicornCpu(elf, RV32)


def error_of_call(cpu: UnicornCpu, symbol: str, *args: int, time_limit_s: float = 60) -> str:
    with pytest.raises(BuildError) as caught:
        cpu.call(symbol, *args, time_limit_s=time_limit_s)
    return str(caught.value)


def count_by_single_instructions(elf: bytes, symbol: str, *args: int) -> int:
    """Count with Unicorn's hook for single instructions."""
    unicorn: Any = __import__("unicorn")
    cpu = UnicornCpu(elf, RV32)
    n_instructions = 0

    def see(engine: Any, address: int, n_bytes: int, data: object) -> None:
        nonlocal n_instructions
        n_instructions += 1

    cpu._engine.hook_add(unicorn.UC_HOOK_CODE, see)
    cpu.call(symbol, *args)
    return n_instructions


def test_arguments_beyond_the_eighth_go_on_the_stack(cpu: UnicornCpu) -> None:
    assert cpu.call("weighted", 1, 2, 3, 4, 5, 6, 7, 8, 9, 0).value == 987654321
    assert cpu.call("weighted", 0, 0, 0, 0, 0, 0, 0, 0, 9, 1).value == 2**32 - 100000000


def test_the_stack_pointer_is_a_multiple_of_sixteen(cpu: UnicornCpu) -> None:
    assert cpu.call("stack_pointer").value == cpu.address_of("mcuq_stack_top")
    assert cpu.call("stack_pointer", *range(9)).value == cpu.address_of("mcuq_stack_top") - 16


def test_initial_values_are_in_ram_and_last_from_call_to_call(cpu: UnicornCpu) -> None:
    assert [cpu.call("tick").value for _ in range(3)] == [42, 43, 44]


def test_helpers_for_64_bits_are_linked(cpu: UnicornCpu) -> None:
    assert cpu.call("divide", -100, -1, 7, 0).value == 2**32 - 14


def test_registers_do_not_last_from_call_to_call(cpu: UnicornCpu) -> None:
    cpu.call("set_register", 5)
    assert cpu.call("get_registers", 5).value == 0


@pytest.mark.parametrize(("n", "expected"), [(1, 3), (2, 5), (1000, 2001)])
def test_a_loop_counts_every_turn(cpu: UnicornCpu, n: int, expected: int) -> None:
    assert cpu.call("count_down", n, count=True).instructions == expected


@pytest.mark.parametrize(
    ("symbol", "args"),
    [
        ("calls", (1,)),
        ("calls", (300,)),
        ("straight", (2,)),
        ("copies", (100,)),
        ("divide", (12345678, 9, 77, 0)),
        ("memset", (0x8002_0001, 3, 30)),
        ("memmove", (0x8002_0001, 0x8002_0000, 30)),
    ],
)
def test_counting_blocks_gives_what_counting_instructions_gives(elf: bytes, symbol: str, args: tuple[int, ...]) -> None:
    expected = count_by_single_instructions(elf, symbol, *args)
    assert UnicornCpu(elf, RV32).call(symbol, *args, count=True).instructions == expected


def test_blocks_name_where_the_instructions_ran(cpu: UnicornCpu) -> None:
    blocks = cpu.call("count_down", 10, count=True).blocks
    address = cpu.address_of("count_down")
    assert blocks == {address: Block(4, 2, count=10, left=9), address + 4: Block(2, 1, count=1)}


def test_instructions_are_counted_by_their_lowest_two_bits() -> None:
    nop, compressed_nop = bytes.fromhex("13000000"), bytes.fromhex("0100")
    assert count_riscv_instructions(b"") == 0
    assert count_riscv_instructions(nop + compressed_nop + compressed_nop + nop) == 4


@pytest.mark.parametrize("n_words", [1, 2, 100, 1024])
def test_the_stack_is_measured_down_to_its_last_byte(cpu: UnicornCpu, n_words: int) -> None:
    assert cpu.call("push_words", n_words).stack_bytes == 4 * n_words
    assert cpu.call("count_down", 1).stack_bytes == 0


def test_a_stack_overflow_is_named(cpu: UnicornCpu) -> None:
    overflow = "needs more stack than the 4,096 bytes it was built with"
    assert error_of_call(cpu, "push_words", 1025).startswith(f"emulated rv32imc: push_words {overflow}, in push_words+")
    assert error_of_call(cpu, "recurse").startswith(f"emulated rv32imc: recurse {overflow}, in recurse+")


@pytest.mark.parametrize(
    ("symbol", "args", "does"),
    [
        ("store", (0x2000_0000,), "writes 4 bytes at 0x20000000 (flash)"),
        ("store", (0,), "writes 4 bytes at 0x00000000 (no memory)"),
        ("store", (0x8004_0000,), "writes 4 bytes at 0x80040000 (no memory)"),
        ("load", (0,), "reads 4 bytes at 0x00000000 (no memory)"),
    ],
)
@pytest.mark.parametrize("count", [False, True])
def test_a_wrong_access_is_named_with_its_place(
    cpu: UnicornCpu, symbol: str, args: tuple[int, ...], does: str, count: bool
) -> None:
    with pytest.raises(BuildError) as caught:
        cpu.call(symbol, *args, count=count)
    at = cpu.address_of(symbol)
    assert str(caught.value) == f"emulated rv32imc: {symbol} {does}, in {symbol}+0x0 ({at:#010x})"
    assert cpu.call("count_down", 3, count=True).instructions == 7


@pytest.mark.parametrize(("target", "region"), [(0x8000_8000, "RAM"), (0x3000_0000, "no memory")])
def test_a_jump_out_of_the_code_is_named_with_where_it_would_return(cpu: UnicornCpu, target: int, region: str) -> None:
    at = cpu.address_of("jump") + 6
    assert error_of_call(cpu, "jump", target) == (
        f"emulated rv32imc: jump jumps to {target:#010x} ({region}), with the return address jump+0x6 ({at:#010x})"
    )


def test_an_undefined_instruction_stops_the_call(cpu: UnicornCpu) -> None:
    text = error_of_call(cpu, "undefined")
    assert text.startswith("emulated rv32imc: undefined stops in ")
    assert text.endswith("(UC_ERR_EXCEPTION)")


def test_what_runs_too_long_is_stopped_and_the_next_call_works(cpu: UnicornCpu) -> None:
    at = cpu.address_of("spin")
    text = f"emulated rv32imc: spin did not return within 0.1 s; it was in spin+0x0 ({at:#010x})"
    assert error_of_call(cpu, "spin", time_limit_s=0.1) == text
    assert cpu.call("count_down", 3, count=True).instructions == 7


def test_local_labels_are_not_listed_as_symbols(elf: bytes) -> None:
    assert not any(symbol.name.startswith((".L", "$")) for symbol in read_symbols(elf))
