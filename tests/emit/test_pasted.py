"""C that is pasted into templates: where it stands, what it names, and how long lines are broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcuq.emit.render import render_kernel
from mcuq.emit.text import broken
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.elementwise import ElementwiseConstants
from mcuq.kernels.source import code_bytes_of, needs_of

DOUBLED = Fragment.of("const int16_t two = 2 * x[i];\ny[i] = two;", "mcuq_clamp", name="doubled")
LOOP = ElementwiseConstants("const int8_t *x, ", "int16_t", 5, DOUBLED)


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("    f(a, b);", ["    f(a, b);"]),
        ("    y = call(first, second);", ["    y = call(first,", "             second);"]),
        (
            "    y = call(first, f(second), third);",
            ["    y = call(first,", "             f(second), third);"],
        ),
        ("  int32_t a = first, b = second;", ["  int32_t a = first,", "      b = second;"]),
        ("    y = f((a), g(b, c), d, e);", ["    y = f((a), g(b,", "                 c),", "          d, e);"]),
        ("    nowhere_to_break_it_at;", ["    nowhere_to_break_it_at;"]),
    ],
)
def test_a_long_line_goes_on_below_the_first_of_its_parentheses(line: str, lines: list[str]) -> None:
    assert broken(line, 22) == lines


def test_lines_stand_where_the_template_has_them() -> None:
    assert render_kernel(LOOP, "net_layer") == (
        "static void net_layer(const int8_t *x, int16_t *y)\n{\n    enum { elements = 5 };\n"
        "    /* plain C from here on */\n    for (int32_t i = 0; i < elements; i++) {\n"
        "        const int16_t two = 2 * x[i];\n        y[i] = two;\n    }\n}"
    )


def test_an_empty_one_leaves_no_line() -> None:
    text = render_kernel(replace(LOOP, statements=Fragment()), "net_layer")
    assert "    for (int32_t i = 0; i < elements; i++) {\n    }\n" in text


def test_numbers_and_floats_stand_in_the_head() -> None:
    named = Fragment.of("y[i] = x[i] + by;", numbers={"by": 3}, floats={"half": 0.5})
    assert "{\n    const float half = 0.5f;\n    enum { elements = 5, by = 3 };\n" in render_kernel(
        replace(LOOP, statements=named), "net_layer"
    )


def test_many_numbers_stand_on_lines_of_their_own() -> None:
    named = Fragment.of("y[i] = x[i];", numbers={f"number_{i}": 1000 + i for i in range(9)})
    lines = render_kernel(replace(LOOP, statements=named), "net_layer").splitlines()[2:7]
    assert lines[0] == "    enum {"
    assert lines[1] == "        elements = 5,"
    assert lines[2].startswith("        number_0 = 1000, number_1 = 1001, ") and lines[2].endswith(",")
    assert lines[3].endswith("number_8 = 1008")
    assert lines[4] == "    };"


def test_what_it_needs_and_its_code_are_the_kernels() -> None:
    assert needs_of(LOOP) == ("mcuq_clamp",)
    assert DOUBLED.code_bytes == 18
    assert code_bytes_of(LOOP) - code_bytes_of(replace(LOOP, statements=Fragment())) == DOUBLED.code_bytes


def test_infinities_among_its_floats_need_what_names_them() -> None:
    named = Fragment.of("y[i] = most;", floats={"most": float("inf")})
    assert needs_of(replace(LOOP, statements=named)) == ("mcuq_infinity",)


def test_functions_are_called_after_what_is_pasted() -> None:
    assert LOOP.stem() == "doubled"
    assert replace(LOOP, statements=Fragment()).stem() == "elementwise"
