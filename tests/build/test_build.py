import dataclasses
import importlib.util
import re
import tempfile
from pathlib import Path

import pytest

from mcuq.boards.facts import Board, Memory
from mcuq.boards.find import load_board
from mcuq.build import compiler as build
from mcuq.build.elf import read_symbols
from mcuq.build.host_program import HostModel, build_host
from mcuq.build.target import Built, build_target
from mcuq.errors import BoardError, BuildError

COMPILERS = ["zig", pytest.param("gcc", marks=pytest.mark.toolchain)]

TOY_H = """
#include <stdint.h>
#define TOY_ARENA_BYTES 16
void toy_run(const int8_t *input, int8_t *output);
void toy_run_in(void *arena, const int8_t *input, int8_t *output);
int8_t *toy_input(void);
const int8_t *toy_output(void);
"""

# output[i] = input[i] + input[i + 4], by way of the arena; ARENA and EXTRA are where tests put their mistakes
TOY_C = """
#include "toy.h"

#ifndef TOUCHED
#define TOUCHED TOY_ARENA_BYTES
#endif
#ifndef EXTRA
#define EXTRA
#endif

static int8_t arena_[TOY_ARENA_BYTES];
int8_t *toy_input(void) { return arena_; }
const int8_t *toy_output(void) { return arena_ + 8; }
void toy_run(const int8_t *input, int8_t *output) { toy_run_in(arena_, input, output); }

void toy_run_in(void *arena, const int8_t *input, int8_t *output) {
    int8_t *a = arena;
    for (int i = 0; i < TOUCHED; i++) { a[i] = input[i % 8]; }
    for (int i = 0; i < 4; i++) { output[i] = (int8_t)(a[i] + a[i + 4]); }
    EXTRA
}
"""
TOY = HostModel("toy", input_bytes=(8,), output_bytes=(4,))
SAMPLE = bytes([1, 2, 3, 4, 10, 20, 30, 40])
ANSWER = bytes([11, 22, 33, 44])


@pytest.fixture(params=COMPILERS)
def compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MCUQ_CC", request.param)
    return str(request.param)


@pytest.fixture
def m4() -> Board:
    return load_board("cortex-m4")


def toy(**defines: str) -> dict[str, str]:
    head = "".join(f"#define {name} {text}\n" for name, text in defines.items())
    return {"toy.h": TOY_H, "toy.c": head + TOY_C}


def error_of_run(sources: dict[str, str], sanitize: bool = True) -> str:
    with build_host(sources, TOY, sanitize) as program, pytest.raises(BuildError) as caught:
        program.run([SAMPLE])
    return str(caught.value)


def test_a_program_for_a_board_has_code_in_flash_and_its_arena_in_ram(compiler: str, m4: Board) -> None:
    built = build_target(toy(), "toy_run", ["toy_input", "toy_output"], m4)
    versions = {"zig": r"zig cc [\d.]+ \(clang [\d.]+\)", "gcc": r"arm-none-eabi-gcc [\d.]+"}
    assert re.fullmatch(versions[compiler], built.compiler)
    assert m4.memory is not None
    assert {"toy_run", "toy_input", "toy_output"} <= built.symbols.keys()
    assert m4.memory.flash_address <= built.symbols["toy_run"] < m4.memory.flash_address + built.text_bytes
    assert built.symbols["toy_run"] % 2 == 0
    assert built.symbols["arena_"] >= built.symbols["mcuq_stack_top"]
    assert built.symbols["mcuq_stack_top"] - built.symbols["mcuq_stack_bottom"] == 8192
    assert (built.rodata_bytes, built.data_bytes, built.bss_bytes) == (0, 0, 16)
    assert built.ram_bytes == 16
    assert built.flash_bytes == built.text_bytes


def test_the_same_sources_give_the_same_bytes_without_any_path(compiler: str, m4: Board) -> None:
    first = build_target(toy(), "toy_run", [], m4)
    reordered = dict(reversed(toy().items()))
    assert build_target(reordered, "toy_run", [], m4) == first
    for path in (tempfile.gettempdir(), str(Path.cwd()), str(Path.home()), "mcuq-"):
        assert path.encode() not in first.elf


def test_functions_that_nobody_needs_are_left_out(compiler: str, m4: Board) -> None:
    assert "toy_output" not in build_target(toy(), "toy_run", [], m4).symbols
    assert "toy_output" in build_target(toy(), "toy_run", ["toy_output"], m4).symbols
    assert "memcpy" not in build_target(toy(), "toy_run", [], m4).symbols


def test_initial_values_occupy_both_flash_and_ram(compiler: str, m4: Board) -> None:
    source = "int f(int i); static int table[100] = {7}; int f(int i) { table[i]++; return table[i + 1]; }"
    built = build_target({"f.c": source}, "f", [], m4)
    assert (built.data_bytes, built.bss_bytes, built.ram_bytes) == (400, 0, 400)
    assert built.text_bytes + 400 <= built.flash_bytes <= built.text_bytes + 407  # aligned to 8


def test_constants_occupy_flash_alone(compiler: str, m4: Board) -> None:
    source = "int f(int i); static const int table[100] = {7, 8}; int f(int i) { return table[i]; }"
    built = build_target({"f.c": source}, "f", [], m4)
    assert (built.rodata_bytes, built.data_bytes, built.ram_bytes) == (400, 0, 0)
    assert built.text_bytes + 400 <= built.flash_bytes <= built.text_bytes + 407


def test_helpers_for_64_bits_and_calls_the_compiler_makes_up_are_linked(compiler: str, m4: Board) -> None:
    source = """
    struct big { char bytes[999]; };
    long long divide(long long a, long long b);
    void copy(struct big *to, const struct big *from);
    long long divide(long long a, long long b) { return a / b; }
    void copy(struct big *to, const struct big *from) { *to = *from; }
    """
    built = build_target({"f.c": source}, "divide", ["copy"], m4)
    assert {"__aeabi_ldivmod", "memcpy"} <= built.symbols.keys() or "__aeabi_memcpy" in built.symbols


def test_the_compilers_agree_on_which_flags_a_cpu_with_an_fpu_needs(compiler: str, m4: Board) -> None:
    source = "float f(float a, float b); float f(float a, float b) { return a * b; }"
    built = build_target({"f.c": source}, "f", [], m4)
    assert built.text_bytes <= 8  # vmul.f32 s0, s0, s1; bx lr


def test_symbols_are_listed_by_address_with_static_functions_and_sizes(compiler: str, m4: Board) -> None:
    source = """
    static __attribute__((noinline)) int helper(int x) { return x * 3 + 1; }
    int f(int x);
    int f(int x) { return helper(x) + helper(x + 1); }
    """
    symbols = read_symbols(build_target({"f.c": source}, "f", [], m4).elf)
    assert list(symbols) == sorted(symbols, key=lambda symbol: (symbol.address, symbol.name))
    functions = {symbol.name: symbol for symbol in symbols if symbol.is_function}
    assert {"f", "helper"} <= functions.keys()
    assert all(functions[name].symbol_bytes > 0 for name in ("f", "helper"))
    assert not any(symbol.name.startswith("$") for symbol in symbols)


def shrink(board: Board, **sizes: int) -> Board:
    assert isinstance(board.memory, Memory)
    return dataclasses.replace(board, memory=dataclasses.replace(board.memory, **sizes))


def with_table(n_bytes: int) -> dict[str, str]:
    source = f"int f(int i); static const char table[{n_bytes}] = {{1}}; int f(int i) {{ return table[i]; }}"
    return {"f.c": source}


def test_a_program_that_just_fits_is_built(compiler: str, m4: Board) -> None:
    built = build_target(toy(), "toy_run", [], m4)
    exact = shrink(m4, flash_bytes=built.flash_bytes, ram_bytes=built.ram_bytes + 8192)
    assert build_target(toy(), "toy_run", [], exact) == built


@pytest.mark.parametrize("table_bytes", [2000, 2_000_000])
def test_too_much_flash_is_an_error_with_figures(compiler: str, m4: Board, table_bytes: int) -> None:
    small = shrink(m4, flash_bytes=1024)
    code: Built = build_target(with_table(16), "f", [], m4)
    with pytest.raises(BoardError) as caught:
        build_target(with_table(table_bytes), "f", [], small)
    assert str(caught.value) == (
        f"'f' needs {code.flash_bytes - 16 + table_bytes:,} bytes of flash (code {code.text_bytes}, "
        f"constants {code.rodata_bytes - 16 + table_bytes:,}, initial values 0), cortex-m4 has 1,024; "
        "use a smaller model or a board with more flash"
    )


def test_too_much_ram_is_an_error_with_figures(compiler: str, m4: Board) -> None:
    source = "int f(int i); static int table[70000]; int f(int i) { return table[i]++; }"
    with pytest.raises(BoardError) as caught:
        build_target({"f.c": source}, "f", [], m4, stack_bytes=2048)
    assert str(caught.value) == (
        "'f' needs 282,048 bytes of RAM (data 280,000, stack 2,048), cortex-m4 has 262,144; "
        "use a smaller model or a board with more RAM"
    )


def test_a_function_that_is_not_in_the_sources_is_named(compiler: str, m4: Board) -> None:
    with pytest.raises(BuildError) as caught:
        build_target(toy(), "toy_run", ["toy_outputs"], m4)
    assert str(caught.value) == "function 'toy_outputs' is not in the sources"
    with pytest.raises(BuildError) as caught:
        build_target(toy(), "toy_ran", ["toy_run"], m4)
    assert str(caught.value) == "function 'toy_ran' is not in the sources; did you mean 'toy_run'?"


def test_a_compilers_refusal_is_quoted(compiler: str, m4: Board) -> None:
    version = build_target(toy(), "toy_run", [], m4).compiler
    with pytest.raises(BuildError) as caught:
        build_target({"f.c": "#error stop here\n"}, "f", [], m4)
    said = {
        "gcc": "  f.c:1:2: error: #error stop here\n      1 | #error stop here\n        |  ^~~~~",
        "zig": "  f.c:1:2: error: stop here\n      1 | #error stop here\n        |  ^\n  1 error generated.",
    }
    assert str(caught.value) == f"{version} refuses the sources:\n{said[compiler]}"


def test_a_warning_about_a_conversion_is_an_error(compiler: str, m4: Board) -> None:
    source = "signed char f(int x); signed char f(int x) { return x; }"
    with pytest.raises(BuildError, match="conversion"):
        build_target({"f.c": source}, "f", [], m4)


def test_the_host_is_not_a_board_to_link_for() -> None:
    with pytest.raises(BoardError) as caught:
        build_target(toy(), "toy_run", [], load_board("host"))
    text = "board 'host' has no memory to link for; use a board with a [memory] table"
    assert str(caught.value) == text


def test_without_gnu_compilers_zig_is_used(monkeypatch: pytest.MonkeyPatch, m4: Board) -> None:
    monkeypatch.delenv("MCUQ_CC", raising=False)
    monkeypatch.setattr(build.shutil, "which", lambda command: None)
    assert build_target(toy(), "toy_run", [], m4).compiler.startswith("zig cc ")


@pytest.mark.parametrize(
    ("wanted", "looked_for"),
    [("", "arm-none-eabi-gcc, ziglang"), ("gcc", "arm-none-eabi-gcc"), ("zig", "ziglang")],
)
def test_without_any_compiler_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, m4: Board, wanted: str, looked_for: str
) -> None:
    monkeypatch.setenv("MCUQ_CC", wanted)
    monkeypatch.setattr(build.shutil, "which", lambda command: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BuildError) as caught:
        build_target(toy(), "toy_run", [], m4)
    assert str(caught.value) == (
        f"no C compiler: {looked_for} not found; pip install 'mcuq[emulator]', or install Debian's gcc-arm-none-eabi"
    )


def test_a_wrong_choice_of_compiler_is_refused(monkeypatch: pytest.MonkeyPatch, m4: Board) -> None:
    monkeypatch.setenv("MCUQ_CC", "icc")
    with pytest.raises(BuildError) as caught:
        build_target(toy(), "toy_run", [], m4)
    assert str(caught.value) == "MCUQ_CC='icc' is not supported; use gcc or zig, or unset it"


@pytest.mark.parametrize("sanitize", [True, False])
@pytest.mark.parametrize("wanted", ["gcc", "zig"])
def test_the_host_runs_every_sample(monkeypatch: pytest.MonkeyPatch, wanted: str, sanitize: bool) -> None:
    monkeypatch.setenv("MCUQ_CC", wanted)
    with build_host(toy(), TOY, sanitize) as program:
        assert program.run([]) == []
        assert program.run([SAMPLE, bytes(8), SAMPLE]) == [ANSWER, bytes(4), ANSWER]


def test_the_host_program_says_what_checks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with build_host(toy(), TOY) as program:
        assert re.fullmatch(r"cc [\d.]+ with AddressSanitizer and UBSan", program.compiler)
    with build_host(toy(), TOY, sanitize=False) as program:
        assert re.fullmatch(r"cc [\d.]+", program.compiler)
    monkeypatch.setenv("MCUQ_CC", "zig")
    with build_host(toy(), TOY) as program:
        assert program.compiler.endswith(") with UBSan as traps, without AddressSanitizer")


def test_much_data_both_ways_does_not_block() -> None:
    sources = {
        "echo.h": "#include <stdint.h>\n#define ECHO_ARENA_BYTES 1\n"
        "void echo_run_in(void *arena, const int8_t *x, int8_t *y);\n",
        "echo.c": '#include "echo.h"\nvoid echo_run_in(void *arena, const int8_t *x, int8_t *y) {\n'
        "(void)arena; for (int i = 0; i < 10000; i++) { y[i] = x[i]; } }\n",
    }
    samples = [bytes([i % 251]) * 10_000 for i in range(500)]
    with build_host(sources, HostModel("echo", (10_000,), (10_000,))) as program:
        assert program.run(samples) == samples


def test_several_inputs_and_outputs_keep_their_order() -> None:
    sources = {
        "two.h": "#include <stdint.h>\n#define TWO_ARENA_BYTES 8\n"
        "void two_run_in(void *arena, const int8_t *a, const int8_t *b, int8_t *c, int8_t *d);\n",
        "two.c": '#include "two.h"\n'
        "void two_run_in(void *arena, const int8_t *a, const int8_t *b, int8_t *c, int8_t *d) {\n"
        "(void)arena; c[0] = b[1]; d[0] = a[0]; d[1] = b[0]; }\n",
    }
    with build_host(sources, HostModel("two", (1, 2), (1, 2))) as program:
        assert program.run([b"abc", b"xyz"]) == [b"cab", b"zxy"]


@pytest.mark.parametrize(
    ("mistake", "kind"),
    [
        ({"TOUCHED": "17"}, "WRITE"),
        ({"EXTRA": "output[4] = 0;"}, "WRITE"),
        ({"EXTRA": "output[-1] = 0;"}, "WRITE"),
        ({"EXTRA": "output[0] = input[8];"}, "READ"),
        ({"EXTRA": "output[0] = input[-1];"}, "READ"),
    ],
)
def test_one_byte_beyond_the_arena_or_a_tensor_is_caught(mistake: dict[str, str], kind: str) -> None:
    report = error_of_run(toy(**mistake))
    begin, access, place = report.splitlines()[:3]
    assert begin == "'toy' on the host: ended with 1:"
    assert access.startswith("  ERROR: AddressSanitizer: heap-buffer-overflow on address 0x")
    assert place.startswith(f"  {kind} of size 1 at 0x")
    assert re.search(r"\n      #0 0x[0-9a-f]+ in toy_run_in toy\.c:\d+\n", report)
    assert tempfile.gettempdir() not in report


def test_undefined_arithmetic_is_caught() -> None:
    source = toy(EXTRA="volatile int q = 2147483647; q = q + 1;")
    assert re.fullmatch(
        r"'toy' on the host: ended with 1:\n  toy\.c:\d+:\d+: runtime error: signed integer overflow: "
        r"2147483647 \+ 1 cannot be represented in type 'int'",
        error_of_run(source),
    )


def test_undefined_arithmetic_is_caught_with_zig_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUQ_CC", "zig")
    source = toy(EXTRA="volatile int q = 2147483647; q = q + 1;")
    assert error_of_run(source) in {f"'toy' on the host: stopped by {name}" for name in ("SIGILL", "SIGTRAP")}


def test_a_crash_without_sanitizers_names_the_signal() -> None:
    source = toy(EXTRA="volatile uintptr_t p = 8; *(volatile int *)p = 1;")
    assert error_of_run(source, sanitize=False) == "'toy' on the host: stopped by SIGSEGV"


def test_a_program_that_does_not_end_is_stopped() -> None:
    program = build_host(toy(EXTRA="volatile int on = 1; while (on) {}"), TOY, sanitize=False)
    with program, pytest.raises(BuildError) as caught:
        program.run([SAMPLE], timeout_s=0.2)
    assert str(caught.value) == "'toy' on the host: did not end within 0.2 s"


def test_a_sample_of_another_length_is_the_callers_bug() -> None:
    with build_host(toy(), TOY, sanitize=False) as program, pytest.raises(ValueError) as caught:
        program.run([b"1234567"])
    assert str(caught.value) == "a sample has 7 bytes, not 8"


def test_nothing_stays_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, m4: Board) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with build_host(toy(), TOY, sanitize=False):
        assert list(tmp_path.iterdir()) != []
    build_target(toy(), "toy_run", [], m4)
    with pytest.raises(BuildError):
        build_host({"toy.h": TOY_H, "toy.c": "#error no"}, TOY)
    assert list(tmp_path.iterdir()) == []
