import dataclasses
import itertools
import random
import struct
import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest

from mcuq.boards.find import load_board
from mcuq.build.target import build_target
from mcuq.emulate import block_counts
from mcuq.emulate.unicorn_cpu import Block, UnicornCpu
from mcuq.errors import BoardError, BuildError

COMPILERS = ["zig", pytest.param("gcc", marks=pytest.mark.toolchain)]
M4 = load_board("cortex-m4")

# Naked functions are the same instructions whatever the compiler.
ASSEMBLY = """
#define ASM(name, text) void name(void); __attribute__((naked)) void name(void) { __asm__(text); }
ASM(store, "str r1, [r0]\\n bx lr")
ASM(load, "ldr r0, [r0]\\n bx lr")
ASM(jump, "push {r4, lr}\\n blx r0\\n pop {r4, pc}")
ASM(undefined, "nop\\n udf #0")
ASM(spin, "b .")
ASM(recurse, "push {r4, lr}\\n bl recurse")
ASM(large_frame, "sub sp, sp, #0x10000\\n str r0, [sp]\\n add sp, sp, #0x10000\\n bx lr")
ASM(push_words, "mov r1, sp\\n 0: push {r0}\\n subs r0, #1\\n bne 0b\\n mov sp, r1\\n bx lr")
ASM(count_down, "0: subs r0, #1\\n bne 0b\\n bx lr")
ASM(choose, "cmp r0, #0\\n itte ne\\n movne.w r0, #7\\n movne r1, #1\\n moveq r0, #9\\n bx lr")
ASM(fault_in_it, "cmp r0, #0\\n itttt eq\\n ldreq r0, [r0]\\n moveq r0, #1\\n moveq r0, #2\\n moveq r0, #3\\n bx lr")
ASM(set_register, "vmov s20, r0\\n mov r12, r0\\n bx lr")
ASM(get_registers, "vmov r0, s20\\n orr r0, r12\\n bx lr")
ASM(after_fault, "movs r0, #5\\n movs r0, #6\\n movs r0, #7\\n movs r0, #8\\n bx lr")
"""

C = """
#include <stdint.h>
int calls(int n);
int floats(int n);
int straight(int n);
int32_t weighted(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t g);
int32_t tick(void);
int copies(int n);

static volatile int32_t table[64];
static int32_t ticks = 41;

int32_t tick(void) { return ++ticks; }
int32_t weighted(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t g) {
    return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f + 1000000 * g;
}

__attribute__((noinline)) static int leaf(int a) { return table[a & 63] * 3 + (a & 1); }
__attribute__((noinline)) static int tail(int a) { return leaf(a + 1); }
__attribute__((noinline)) static int fibonacci(int a) {
    return a <= 1 ? 1 : fibonacci(a - 1) + fibonacci(a - 2);
}
__attribute__((noinline)) static int jump_table(int a) {
    switch (a) {
    case 0: return 5;
    case 1: return leaf(a);
    case 2: return 77 + a * a;
    case 3: return tail(a);
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
int floats(int n) {
    float s = 0;
    for (int i = 0; i < n; i++) { s += 1.5f * (float)i; }
    return (int)s;
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
C_NAMES = ["calls", "floats", "straight", "weighted", "tick", "copies"]
MEMORY_NAMES = ["memcpy", "memmove", "memset", "memcmp"]


@pytest.fixture(scope="module", params=COMPILERS)
def elf(request: pytest.FixtureRequest) -> bytes:
    keep = [*ASSEMBLY_NAMES, *C_NAMES, *MEMORY_NAMES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCUQ_CC", request.param)
        return build_target({"a.c": ASSEMBLY, "c.c": C}, "calls", keep, M4, stack_bytes=4096).elf


@pytest.fixture
def cpu(elf: bytes) -> UnicornCpu:
    return UnicornCpu(elf, M4)


def error_of_call(cpu: UnicornCpu, symbol: str, *args: int, time_limit_s: float = 60) -> str:
    with pytest.raises(BuildError) as caught:
        cpu.call(symbol, *args, time_limit_s=time_limit_s)
    return str(caught.value)


def count_by_single_instructions(elf: bytes, symbol: str, *args: int) -> int:
    """Count with Unicorn's hook for single instructions.

    It leaves out those that an IT block skips, so an IT instruction is counted with all that it covers, and
    those not again.
    """
    unicorn: Any = __import__("unicorn")
    cpu = UnicornCpu(elf, M4)
    covered = set()
    n_instructions = 0

    def see(engine: Any, address: int, n_bytes: int, data: object) -> None:
        nonlocal n_instructions
        if address in covered:
            return
        n_instructions += 1
        halfword = int.from_bytes(cpu.read(address, 2), "little")
        if halfword & 0xFF00 == 0xBF00 and halfword & 0xF:
            n_covered = 5 - (halfword & -halfword).bit_length()
            n_instructions += n_covered
            at = address + 2
            for _ in range(n_covered):
                covered.add(at)
                at += 4 if cpu.read(at + 1, 1)[0] >> 3 in (0b11101, 0b11110, 0b11111) else 2

    cpu._engine.hook_add(unicorn.UC_HOOK_CODE, see)
    cpu.call(symbol, *args)
    return n_instructions


def test_arguments_beyond_the_fourth_go_on_the_stack(cpu: UnicornCpu) -> None:
    assert cpu.call("weighted", 1, 2, 3, 4, 5, 6, 7).value == 7654321


def test_negative_arguments_and_results_are_words(cpu: UnicornCpu) -> None:
    assert cpu.call("weighted", -1, 0, 0, 0, 0, 0, 0).value == 2**32 - 1


def test_initial_values_are_in_ram_and_last_from_call_to_call(cpu: UnicornCpu) -> None:
    assert [cpu.call("tick").value for _ in range(3)] == [42, 43, 44]


def test_the_fpu_computes(cpu: UnicornCpu) -> None:
    assert cpu.call("floats", 100).value == 7425


def test_ram_can_be_read_and_written(cpu: UnicornCpu) -> None:
    address = 0x2003_FFFC
    cpu.write(address, b"\x78\x56\x34\x12")
    assert cpu.call("load", address).value == 0x1234_5678
    cpu.call("store", address, 0xAABB_CCDD)
    assert cpu.read(address, 4) == b"\xdd\xcc\xbb\xaa"


def test_addresses_outside_of_memory_are_refused(cpu: UnicornCpu) -> None:
    with pytest.raises(BuildError) as caught:
        cpu.read(0x2003_FFFC, 5)
    text = "emulated cortex-m4: 5 bytes at 0x2003fffc are not all in flash or in RAM"
    assert str(caught.value) == text
    with pytest.raises(BuildError) as caught:
        cpu.write(0x1000_0000, b"x")
    text = "emulated cortex-m4: 1 bytes at 0x10000000 are not all in flash or in RAM"
    assert str(caught.value) == text


@pytest.mark.parametrize(("n", "expected"), [(1, 3), (2, 5), (1000, 2001)])
def test_a_loop_counts_every_turn(cpu: UnicornCpu, n: int, expected: int) -> None:
    assert cpu.call("count_down", n, count=True).instructions == expected


def test_instructions_in_an_it_block_count_whether_or_not_they_act(cpu: UnicornCpu) -> None:
    taken, skipped = cpu.call("choose", 1, count=True), cpu.call("choose", 0, count=True)
    assert (taken.value, skipped.value) == (7, 9)
    assert (taken.instructions, skipped.instructions) == (6, 6)


@pytest.mark.parametrize(
    ("symbol", "args"),
    [
        ("calls", (1,)),
        ("calls", (300,)),
        ("floats", (50,)),
        ("straight", (2,)),
        ("copies", (100,)),
        ("memset", (0x2002_0001, 3, 30)),
        ("memmove", (0x2002_0001, 0x2002_0000, 30)),
    ],
)
def test_counting_blocks_gives_what_counting_instructions_gives(elf: bytes, symbol: str, args: tuple[int, ...]) -> None:
    expected = count_by_single_instructions(elf, symbol, *args)
    assert UnicornCpu(elf, M4).call(symbol, *args, count=True).instructions == expected


def test_blocks_name_where_the_instructions_ran(cpu: UnicornCpu) -> None:
    blocks = cpu.call("count_down", 10, count=True).blocks
    address = cpu.address_of("count_down")
    assert blocks == {address: Block(4, 2, count=10, left=9), address + 4: Block(2, 1, count=1)}


def test_counting_can_be_switched_on_and_off_and_starts_from_zero(cpu: UnicornCpu) -> None:
    first = cpu.call("calls", 20, count=True)
    plain = cpu.call("calls", 20)
    assert plain.instructions is None
    assert plain.blocks is None
    assert cpu.call("count_down", 5, count=True).instructions == 11
    assert cpu.call("count_down", 5, count=True).instructions == 11
    assert first.instructions is not None


def test_both_counters_agree(elf: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    native = UnicornCpu(elf, M4)
    assert isinstance(native._counter, block_counts.NativeBlockCounter)

    def fail() -> None:
        raise BuildError("no C compiler")

    monkeypatch.setattr(block_counts, "_native_hook", fail)
    python = UnicornCpu(elf, M4)
    assert isinstance(python._counter, block_counts.PythonBlockCounter)
    monkeypatch.undo()
    for symbol, argument in (("calls", 200), ("straight", 2), ("count_down", 5), ("calls", 200)):
        assert python.call(symbol, argument, count=True) == native.call(symbol, argument, count=True)


def test_a_block_that_changes_is_a_bug_and_not_a_wrong_count(cpu: UnicornCpu) -> None:
    address = cpu.address_of("count_down")
    cpu.call("count_down", 2, count=True)
    cpu._counter._shared.first_address = address + 2  # type: ignore[attr-defined]
    with pytest.raises(AssertionError) as caught:
        cpu.call("count_down", 2, count=True)
    text = "2 basic blocks changed their length or lay outside of the code"
    assert str(caught.value) == text


@pytest.mark.parametrize("n_words", [1, 2, 100, 1024])
def test_the_stack_is_measured_down_to_its_last_byte(cpu: UnicornCpu, n_words: int) -> None:
    assert cpu.call("push_words", n_words).stack_bytes == 4 * n_words
    assert cpu.call("count_down", 1).stack_bytes == 0


OVERFLOW = "needs more stack than the 4,096 bytes it was built with"


def test_one_word_too_much_on_the_stack_is_a_fault(cpu: UnicornCpu) -> None:
    at = cpu.address_of("push_words") + 2
    text = f"emulated cortex-m4: push_words {OVERFLOW}, in push_words+0x2 ({at:#010x})"
    assert error_of_call(cpu, "push_words", 1025) == text


@pytest.mark.parametrize(("symbol", "offset"), [("recurse", 0), ("large_frame", 4)])
def test_a_stack_overflow_is_named(cpu: UnicornCpu, symbol: str, offset: int) -> None:
    at = cpu.address_of(symbol) + offset
    text = f"emulated cortex-m4: {symbol} {OVERFLOW}, in {symbol}+{offset:#x} ({at:#010x})"
    assert error_of_call(cpu, symbol) == text


@pytest.mark.parametrize(
    ("symbol", "args", "does"),
    [
        ("store", (0x0800_0000,), "writes 4 bytes at 0x08000000 (flash)"),
        ("store", (0,), "writes 4 bytes at 0x00000000 (no memory)"),
        ("store", (0x2004_0000,), "writes 4 bytes at 0x20040000 (no memory)"),
        ("load", (0,), "reads 4 bytes at 0x00000000 (no memory)"),
        ("load", (0x2004_0000,), "reads 4 bytes at 0x20040000 (no memory)"),
    ],
)
@pytest.mark.parametrize("count", [False, True])
def test_a_wrong_access_is_named_with_its_place(
    cpu: UnicornCpu, symbol: str, args: tuple[int, ...], does: str, count: bool
) -> None:
    with pytest.raises(BuildError) as caught:
        cpu.call(symbol, *args, count=count)
    at = cpu.address_of(symbol)
    assert str(caught.value) == f"emulated cortex-m4: {symbol} {does}, in {symbol}+0x0 ({at:#010x})"
    assert cpu.call("count_down", 3, count=True).instructions == 7


@pytest.mark.parametrize(("target", "region"), [(0x2000_8001, "RAM"), (0x3000_0001, "no memory")])
def test_a_jump_out_of_the_code_is_named_with_where_it_would_return(cpu: UnicornCpu, target: int, region: str) -> None:
    at = cpu.address_of("jump") + 4
    assert error_of_call(cpu, "jump", target) == (
        f"emulated cortex-m4: jump jumps to {target - 1:#010x} ({region}), "
        f"with the return address jump+0x4 ({at:#010x})"
    )


def test_an_undefined_instruction_is_named(cpu: UnicornCpu) -> None:
    at = cpu.address_of("undefined") + 2
    assert error_of_call(cpu, "undefined") == (
        f"emulated cortex-m4: undefined stops in undefined+0x2 ({at:#010x}): Invalid instruction (UC_ERR_INSN_INVALID)"
    )


def test_what_runs_too_long_is_stopped_and_the_next_call_works(cpu: UnicornCpu) -> None:
    at = cpu.address_of("spin")
    text = f"emulated cortex-m4: spin did not return within 0.1 s; it was in spin+0x0 ({at:#010x})"
    assert error_of_call(cpu, "spin", time_limit_s=0.1) == text
    assert cpu.call("count_down", 3, count=True).instructions == 7


def test_a_fault_inside_an_it_block_leaves_nothing_to_the_next_call(cpu: UnicornCpu) -> None:
    error_of_call(cpu, "fault_in_it", 0)
    assert cpu.call("after_fault").value == 8
    assert cpu.call("choose", 1).value == 7


def test_registers_do_not_last_from_call_to_call(cpu: UnicornCpu) -> None:
    cpu.call("set_register", 5)
    assert cpu.call("get_registers", 5).value == 0


def test_an_unknown_function_is_answered_with_the_nearest_one(cpu: UnicornCpu) -> None:
    text = "emulated cortex-m4: 'wieghted' is not in the program; did you mean 'weighted'?"
    assert error_of_call(cpu, "wieghted") == text


def test_a_board_without_an_emulator_is_refused(elf: bytes) -> None:
    with pytest.raises(BoardError) as caught:
        UnicornCpu(elf, load_board("host"))
    assert str(caught.value) == "board 'host' cannot be emulated; use a board with unicorn_model"


def test_a_cpu_that_unicorn_does_not_know_is_refused(elf: bytes) -> None:
    board = dataclasses.replace(M4, cpu=dataclasses.replace(M4.cpu, unicorn_model="cortex-m99"))
    with pytest.raises(BoardError) as caught:
        UnicornCpu(elf, board)
    text = f"unicorn_model = 'cortex-m99' is not a CPU of Unicorn {metadata.version('unicorn')}"
    assert str(caught.value) == text


def test_a_missing_unicorn_says_what_to_install(elf: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "unicorn", None)
    with pytest.raises(BuildError) as caught:
        UnicornCpu(elf, M4)
    assert str(caught.value) == "the emulator needs Unicorn; pip install 'mcuq[emulator]'"


def test_the_core_imports_neither_unicorn_nor_zig() -> None:
    program = (
        "import sys; import mcuq.build.target, mcuq.emulate.unicorn_cpu; "
        "sys.exit(any(name in sys.modules for name in ('unicorn', 'ziglang')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


ALIGNMENTS = list(itertools.product(range(4), range(4)))
RAM = 0x2002_0000


@pytest.mark.parametrize("n_bytes", [0, 1, 3, 4, 5, 8, 17, 64])
def test_memcpy_and_memmove_copy_like_python(cpu: UnicornCpu, n_bytes: int) -> None:
    before = random.Random(n_bytes).randbytes(160)
    for to, source in ALIGNMENTS:
        for name, to_at in (("memcpy", 80 + to), ("memmove", source + to), ("memmove", to)):
            cpu.write(RAM, before)
            assert cpu.call(name, RAM + to_at, RAM + source, n_bytes).value == RAM + to_at
            after = bytearray(before)
            after[to_at : to_at + n_bytes] = before[source : source + n_bytes]
            assert cpu.read(RAM, 160) == after, (name, to_at, source)


@pytest.mark.parametrize("n_bytes", [0, 1, 3, 4, 5, 8, 17, 64])
def test_memset_and_memcmp_work_like_python(cpu: UnicornCpu, n_bytes: int) -> None:
    before = random.Random(n_bytes).randbytes(96)
    for to in range(4):
        cpu.write(RAM, before)
        assert cpu.call("memset", RAM + to, 0x1A5, n_bytes).value == RAM + to
        after = before[:to] + b"\xa5" * n_bytes + before[to + n_bytes :]
        assert cpu.read(RAM, 96) == after
        cpu.write(RAM + 96, before)
        (difference,) = struct.unpack("<i", struct.pack("<I", cpu.call("memcmp", RAM, RAM + 96, 96).value))
        assert (difference > 0) - (difference < 0) == (after > before) - (after < before)
