"""Functions whose assembly Python prints: the printer, and what all of them keep to."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from sample_kernels import with_runtime

from mcuq.kernels.asm import Assembly, Function, Macro, code, each, fill, named, registers_in, tied, wrapped
from mcuq.kernels.dsp.assembly import FUNCTIONS as DSP
from mcuq.kernels.dsp.assembly.width import S8, S16, Width
from mcuq.kernels.mve.assembly import FUNCTIONS as MVE
from mcuq.resources import resource_dir

FUNCTIONS = (*DSP, *MVE)
STATEMENT = re.compile(r"__asm__ volatile\((.*?)\);\n", re.DOTALL)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')

# --- the printer ---------------------------------------------------------------------------------------------------

STEP = Macro("MCUQ_STEP", "ldr r2, [r0], #4\nadd r1, r2")
SUM = Assembly(
    "push {r4-r6, lr}\n1:\nMCUQ_STEP MCUQ_STEP\nmov r4, r5 /* why */\nsubs %[n], #1\nbne 1b\npop {r4-r6, lr}",
    outputs=(*tied("+r", "r0"), *named("+&l", "n=left")),
    inputs=named("r", "a"),
    macros=(STEP,),
)


def test_a_statement_is_printed_as_one_writes_it() -> None:
    assert (
        fill("    $sum", sum=SUM)
        == r"""    __asm__ volatile("push {r4-r6, lr}\n"
                     "1:\n\t"
                     MCUQ_STEP MCUQ_STEP
                     "mov r4, r5\n\t" /* why */
                     "subs %[n], #1\n\t"
                     "bne 1b\n\t"
                     "pop {r4-r6, lr}"
                     : "+r"(r0), [n] "+&l"(left)
                     : [a] "r"(a)
                     : "r1", "r2", "cc", "memory");"""
    )


def test_a_macro_ends_its_lines_below_each_other() -> None:
    lines = str(STEP).splitlines()
    assert [line.rstrip("\\").rstrip() for line in lines] == [
        "#define MCUQ_STEP",
        r'    "ldr r2, [r0], #4\n\t"',
        r'    "add r1, r2\n\t"',
    ]
    assert [line[119:] for line in lines] == ["\\", "\\", ""]


def test_what_a_statement_overwrites_is_what_it_neither_restores_nor_has_as_an_operand() -> None:
    assert SUM.registers() == {"r0", "r1", "r2", "r4", "r5", "r6", "lr"}
    assert SUM.clobbers() == ["r1", "r2", "cc", "memory"]
    assert SUM.pushed_bytes() == 16
    order = Assembly("vmov q7, q2\nmov r12, r3\ndls lr, r12", outputs=()).clobbers()
    assert order == ["r3", "r12", "q2", "q7", "lr", "cc", "memory"]


def test_registers_are_told_from_operands_and_from_other_names() -> None:
    assert registers_in("ldrd %[r1], r2, [lr, r3]\nstm r12!, {r4-r6, r8}\nvldrb.8 q0, [%[q1]], #16\nvctp.8 lr2") == {
        *("r2", "r3", "r4", "r5", "r6", "r8", "r12"),
        *("q0", "lr"),
    }


def test_parts_are_indented_as_their_place_and_empty_ones_take_no_line() -> None:
    text = "\n    {\n        $sum\n        $none\n#undef X$n\n    }\n"
    assert fill(text, sum="a\nb", none="", n=2) == "    {\n        a\n        b\n#undef X2\n    }"
    assert code("\n    a\n    $more\n", more=each(["b", "c"])) == "a\nb\nc"
    with pytest.raises(KeyError, match="other"):
        fill("$other")


def test_lists_break_before_the_margin_and_go_on_below_their_first_item() -> None:
    items = [f"const int32_t *parameter_{k}" for k in range(6)]
    lines = wrapped("static void f(", items, 0).splitlines()
    assert " ".join(line.strip() for line in lines) == "static void f(" + ", ".join(items)
    assert all(len(line) <= 120 for line in lines)
    assert all(line.startswith(" " * 14 + "const") for line in lines[1:])
    assert all(len(a) + len(b.split(",")[0].strip()) + 1 > 117 for a, b in pairwise(lines))


def test_functions_that_only_one_body_calls_are_named_in_the_other() -> None:
    function = Function("f", "Does.", "int a", "dsp", "    g();", "    h();", twin_needs=("h",), assembly_needs=("g",))
    assert (
        function.text()
        == """/* Does. */
MCUQ_NOINLINE
static void f(int a)
{
#if MCUQ_GNU && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    g();
    (void)h; /* the twin's */
#else
    h();
    (void)g; /* the assembly's */
#endif
}"""
    )
    assert function.item().declared.needs == ("MCUQ_GNU", "MCUQ_NOINLINE", "h", "g")


# --- what is printed -----------------------------------------------------------------------------------------------


def statements(function: Function) -> list[tuple[str, list[str]]]:
    """Of each asm statement, the instructions, macros in their places, and its outputs, inputs and clobbers."""
    text = function.text()
    macros = {
        name: "".join(STRING.findall(body)) for name, body in re.findall(r"#define (\w+) *\\\n((?:.*\\\n)*.*\n)", text)
    }
    found = []
    for statement in STATEMENT.findall(text):
        body, *operands = re.split(r"\n +: ?", statement)
        for name, lines in macros.items():
            body = re.sub(rf"\b{name}\b", f'"{lines}"'.replace("\\", r"\\"), body)
        found.append(("".join(STRING.findall(body)).replace(r"\n", "\n").replace(r"\t", ""), operands))
    return found


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_every_operand_is_used_and_every_name_and_label_is_there(function: Function) -> None:
    assert statements(function) or function.assembly_needs
    for body, (outputs, inputs, _) in statements(function):
        names = re.findall(r"\[(\w+)\] \"", outputs + ", " + inputs)
        assert sorted(names) == sorted(set(names))
        assert set(names) == set(re.findall(r"%\[(\w+)\]", body))
        lines = body.splitlines()
        labels = [line[0] for line in lines if line.endswith(":")]
        assert len(labels) == len(set(labels))
        for k, line in enumerate(lines):
            for label, way in re.findall(r"\b(\d)([bf])$", line):
                assert f"{label}:" in (lines[:k] if way == "b" else lines[k:]), line
        assert {line[0] for line in lines if line.endswith(":")} == set(re.findall(r"\b(\d)[bf]$", body, re.MULTILINE))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_what_goes_on_the_stack_leaves_it_and_no_register_is_lost(function: Function) -> None:
    for body, (outputs, inputs, clobbers) in statements(function):
        pushed = [registers_in(listed) for listed in re.findall(r"\bpush \{(.*?)\}", body)]
        popped = [registers_in(listed) for listed in re.findall(r"\bpop \{(.*?)\}", body)]
        freed = sum(map(int, re.findall(r"^add sp, #(\d+)$", body, re.MULTILINE)))
        assert 4 * sum(map(len, pushed)) == 4 * sum(map(len, popped)) + freed
        assert pushed[:1] == popped
        tied_to = set(re.findall(r'"\((r\d+)\)', outputs + inputs))
        told = set(STRING.findall(clobbers)) - {"cc", "memory"}
        saved = popped[0] if popped else frozenset()
        assert told | tied_to | saved >= registers_in(body)
        assert not told & (tied_to | saved)
        assert registers_in(body) >= told


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_printed_lines_fit_and_leave_no_place_unfilled(function: Function) -> None:
    text = function.text()
    assert max(map(len, text.splitlines())) <= 120
    assert "$" not in text
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


@pytest.mark.parametrize("width", [S8, S16], ids=["s8", "s16"])
def test_a_width_saturates_to_and_stores_its_own_elements_only(width: Width) -> None:
    functions = [function for function in DSP if ("s16" in function.name) == (width is S16)]
    text = "\n".join(function.text() for function in functions)
    bits, store = (8, "strb") if width is S8 else (16, "strh")
    assert set(re.findall(r"ssat r\d+, #(\d+)", text)) == {str(bits)}
    assert set(re.findall(r"\bstr[bh]\b", text)) == {store}


def test_both_widths_have_the_same_loops_but_for_saturation_and_stores() -> None:
    by_name = {function.name: function for function in DSP}
    for name in ("product_4", "depthwise_3x3_1", "depthwise_3x3_2", "depthwise_n"):
        kind, _, rest = name.partition("_")
        s8 = statements(by_name[f"mcuq_dsp_{name}"])[0][0]
        s16 = statements(by_name[f"mcuq_dsp_{kind}_s16_{rest}"])[0][0]
        assert re.sub(r"strb (.*?)(\], #2)?$", r"strh \1\2", s8.replace("#8, r", "#16, r"), flags=re.MULTILINE) == (
            s16.replace("[lr], #4", "[lr], #2")
        )


@pytest.mark.parametrize("taps", [64, 128])
def test_unrolled_products_read_every_tap_of_both_rows_and_of_three_vectors_once(taps: int) -> None:
    function = next(function for function in MVE if function.name == f"mcuq_mve_dot_2x3_{taps}")
    ((body, _),) = statements(function)
    loads = re.findall(r"vldrb\.8 (q\d), \[%\[(\w+)\](?:, #(\d+))?\]", body)
    read = [(taps if row == "w1" else 0, int(at or 0)) for _, row, at in loads if row in ("weight", "w1")]
    assert sorted(base + at for base, at in read) == list(range(0, 2 * taps, 16))
    assert all(at <= 127 for _, at in read)  # what VLDRB reaches
    for x in ("x0", "x1", "x2"):
        assert [int(at or 0) for _, name, at in loads if name == x] == list(range(0, taps, 16))
    assert len(re.findall(r"vmladava", body)) == 6 * taps // 16


@pytest.mark.parametrize(("rows", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2)])
def test_a_plane_is_read_row_by_row_a_stride_apart(rows: int, stride: int) -> None:
    function = next(function for function in MVE if function.name == f"mcuq_mve_depthwise_dot_{rows}_{stride}")
    ((body, _),) = statements(function)
    reads = re.findall(r"vldrb\.8 q\d, \[%\[plane\d?\]\], #(\d)", body)
    assert reads == [str(stride)] * (4 * rows)
    assert len(re.findall(r"vmladav\.s8", body)) == 4
    assert len(re.findall(r"vmladava\.s8", body)) == 4 * (rows - 1)


def test_the_frame_is_read_where_it_lies() -> None:
    for function in DSP:
        words = re.search(r"uint32_t frame\[(\d+)\]", function.text())
        size = int(words[1]) if words else 22
        for body, _ in statements(function):
            places = [int(place) for place in re.findall(r"\[sp, #(\d+)\]", body)]
            pairs = [int(place) for place in re.findall(r"[ls]t?rd \w+, \w+, \[sp, #(\d+)\]", body)]
            assert all(place % 4 == 0 and place < 4 * size for place in places)
            assert all(place + 4 < 4 * size for place in pairs)


def test_no_header_of_the_runtime_is_long() -> None:
    headers = (resource_dir("firmware") / "kernels").rglob("*.h")
    long = {path.name: lines for path in headers if (lines := len(path.read_text().splitlines())) > 450}
    assert long == {}


@pytest.mark.toolchain
@pytest.mark.parametrize("cpu", ["dsp", "mve"])
def test_every_function_assembles(cpu: str, tmp_path: Path) -> None:
    functions = {"dsp": DSP, "mve": MVE}[cpu]
    names = tuple(function.name for function in functions)
    (tmp_path / "printed.c").write_text(with_runtime("", names))
    flags = {"dsp": ("-mcpu=cortex-m4", "-mthumb"), "mve": ("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard")}[cpu]
    command = [
        "arm-none-eabi-gcc",
        "-std=c99",
        *flags,
        "-O2",
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Wno-unused-function",
    ]
    ended = subprocess.run(
        [*command, "-Werror", "-c", "printed.c", "-o", "printed.o"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
