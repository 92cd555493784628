"""What C declares of itself is what it has; items of the runtime may be any C."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from sample_kernels import (
    KERNELS,
    any_items,
    identifiers,
    kernels_and_pasted,
    name_of,
    pasted,
    template_text,
    with_runtime,
    without_comments,
)

from mcuq.arithmetic.expression import LIBRARY
from mcuq.emit.after import NEEDS as AFTER_NEEDS
from mcuq.emit.front_end import NEEDS as FRONT_END_NEEDS
from mcuq.emit.render import render_kernel
from mcuq.emit.segments import NEEDS as SEGMENT_NEEDS
from mcuq.graph.tensor import PACKINGS
from mcuq.kernels.item import CPUS, Declaration, Item, parse_declaration, parse_items
from mcuq.kernels.kernel import Constants
from mcuq.kernels.runtime import deepest_stack_bytes, needed_items, runtime
from mcuq.kernels.source import declaration_of, needs_of
from mcuq.resources import resource_dir

ITEMS = list(dict.fromkeys(runtime().values()))
# The preprocessor's condition of assembly for a CPU.
GUARDS = dict(
    zip(
        CPUS,
        ("__ARM_FEATURE_MVE", "__ARM_FEATURE_DSP", "__ARM_ARCH_6M__", "__ARM_ARCH_7M__", "__riscv_mul"),
        strict=True,
    )
)
ARRAY = re.compile(r"^ +(?!return|static)(?:const )?(\w+) [^=;(]*\[\d+\][^=;]*", re.MULTILINE)


def compile_all(folder: Path, sources: Mapping[str, str]) -> None:
    """Each file on its own, by one run of the compiler."""
    for name, text in sources.items():
        (folder / f"{name}.c").write_text(text)
    compiler = shutil.which("cc") or shutil.which("gcc")
    command = [compiler] if compiler else [sys.executable, "-m", "ziglang", "cc"]
    flags = ("-std=c99", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Wno-unused", "-Werror")
    files = [f"{name}.c" for name in sources]
    ended = subprocess.run([*command, *flags, *files], cwd=folder, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def own_stack_bytes(text: str) -> int:
    """Arrays, and registers that assembly saves."""
    arrays = 0
    for found in ARRAY.finditer(text):
        element_bytes = 8 if found[1] in ("int64_t", "sum_type", "double") else 4
        arrays += element_bytes * sum(map(int, re.findall(r"\[(\d+)\]", found[0])))
    return arrays + sum(4 * registers(listed) for listed in re.findall(r"\bpush \{([^}]*)\}", text))


def registers(listed: str) -> int:
    count = 0
    for part in listed.split(","):
        ends = [int(number) for number in re.findall(r"r(\d+)", part)]
        count += ends[-1] - ends[0] + 1 if ends else 1
    return count


def code_bytes(text: str) -> int:
    """A byte for a token of C, a third of that for a line of assembly."""
    text = re.sub(r'"[^"]*"', " ; ; ; ", without_comments(text))
    return len(re.findall(r"[A-Za-z_]\w*|\d\w*|[^\s\w]", text))


# --- what is declared is what is there ---------------------------------------------------------------------------


def test_every_header_has_items_and_every_name_one() -> None:
    headers = list((resource_dir("firmware") / "kernels").rglob("mcuq_*.h"))
    assert all(parse_items(path.read_text()) for path in headers)
    names = [name for item in ITEMS for name in item.names]
    assert len(names) == len(set(names)) == len(runtime())


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_item_declares_what_its_text_has(item: Item) -> None:
    assert set(item.declared.needs) == (identifiers(item.text) & runtime().keys()) - set(item.names)
    assert item.declared.stack_bytes == own_stack_bytes(item.text)
    guards = re.findall(r"^#(?:el)?if MCUQ_GNU .*$", item.text, re.MULTILINE)
    assert set(item.declared.cpus) == {cpu for cpu, guard in GUARDS.items() if any(guard in line for line in guards)}
    macros = set(re.findall(r"^#define (\w+)", item.text, re.MULTILINE)) - set(
        re.findall(r"^#undef (\w+)", item.text, re.MULTILINE)
    )
    if macros:
        assert set(item.names) == macros
        assert all(name.isupper() for name in item.names)
    else:
        assert re.findall(r"^(?:static .*?|\} )\b(\w+)[(;]", item.text, re.MULTILINE) == list(item.names)
        assert item.declared.code_bytes == pytest.approx(code_bytes(item.text), rel=0.1)


def test_each_item_compiles_with_only_what_it_declares(tmp_path: Path) -> None:
    compile_all(tmp_path, {item.name: with_runtime("", (item.name,)) for item in ITEMS})


@pytest.mark.parametrize("kind", KERNELS, ids=lambda kind: kind.template)
def test_kernel_declares_what_its_text_has(kind: type[Constants]) -> None:
    declared, text = declaration_of(kind.template), template_text(kind)
    body = re.sub(r"\{\{ \w+ \}\}", "", text.partition("/* plain C from here on */\n")[2])
    assert declared.stack_bytes == own_stack_bytes(text)
    assert declared.code_bytes == pytest.approx(code_bytes(body), rel=0.1)
    assert declared.cpus == ()


@pytest.mark.parametrize("constants", kernels_and_pasted(), ids=name_of)
def test_kernel_needs_what_its_text_names(constants: Constants) -> None:
    assert set(needs_of(constants)) == identifiers(render_kernel(constants, "net_layer")) & runtime().keys()


@pytest.mark.parametrize("constants", pasted(), ids=name_of)
def test_code_of_what_is_pasted_is_counted_as_that_of_a_template(constants: Constants) -> None:
    for fragment in constants.fragments():
        assert fragment.code_bytes == pytest.approx(code_bytes(fragment.text), rel=0.1)


def test_each_kernel_compiles_with_only_what_it_declares(tmp_path: Path) -> None:
    sources = [with_runtime(render_kernel(c, "net_layer"), needs_of(c)) for c in kernels_and_pasted()]
    compile_all(tmp_path, {f"kernel_{i}": text for i, text in enumerate(sources)})


def test_every_item_is_needed_by_something() -> None:
    """By kernels, by functions of one float, by another packing of weights, by the file around kernels, or by front
    ends."""
    needs = {need for constants in kernels_and_pasted() for need in needs_of(constants)}
    needs |= {*SEGMENT_NEEDS, *FRONT_END_NEEDS, *AFTER_NEEDS, *(f"mcuq_{name}" for name in LIBRARY)} | {
        f"mcuq_unpack_{packing}" for packing in PACKINGS
    }
    used = {item.name for item in needed_items(needs)}
    assert {item.name for item in ITEMS} - used == {"MCUQ_ASSUME"}


# --- items of any kind -------------------------------------------------------------------------------------------


def test_functions_of_any_signature_types_tables_and_shared_macros_are_items(tmp_path: Path) -> None:
    items = any_items()
    needed = needed_items(["mcuq_swapped", "mcuq_second"], items)
    assert [item.name for item in needed] == [
        "mcuq_pair",
        "MCUQ_TWICE",
        "mcuq_table",
        "mcuq_second",
        "mcuq_pair_of",
        "mcuq_swap",
    ]
    assert [item.name for item in needed_items(["mcuq_second"], items)] == ["MCUQ_TWICE", "mcuq_table", "mcuq_second"]
    text = "\n".join(item.text for item in needed)
    assert "item" not in text and "#endif" not in text
    compile_all(tmp_path, {"any": f"#include <stdint.h>\n{text}\n"})


def test_declarations_go_over_lines_and_clauses_stand_in_any_order() -> None:
    assert any_items()["mcuq_pair_of"].declared == Declaration(("mcuq_pair", "MCUQ_TWICE"), ("dsp",), 12, 30)
    assert parse_declaration("") == Declaration()
    assert parse_declaration(" points int16_t ") == Declaration(point_type="int16_t")


def test_an_item_that_stands_behind_its_user_is_emitted_before_it() -> None:
    """As those do whose text Python prints."""
    first = Item(("mcuq_user",), "int user;", Declaration(("mcuq_printed",)))
    printed = Item(("mcuq_printed",), "int printed;", Declaration())
    items = {item.name: item for item in (first, printed)}
    assert needed_items(["mcuq_user"], items) == [printed, first]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("need a", "declaration 'need a': 'need a' is no clause, or one of them twice"),
        ("code 1; code 2", "declaration 'code 1; code 2': 'code 2' is no clause, or one of them twice"),
        ("stack", "declaration 'stack': 'stack' is no clause, or one of them twice"),
        ("cpu z80", "declaration 'cpu z80': cpu is among mve, dsp, armv6m, armv7m, rv32m"),
    ],
)
def test_a_declaration_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_declaration(text)


def test_the_stack_is_that_of_the_deepest_path() -> None:
    deepest = max(
        runtime()[need].declared.stack_bytes + deepest_stack_bytes(runtime()[need].declared.needs)
        for need in runtime()["mcuq_dsp_expand_4"].declared.needs
    )
    own = runtime()["mcuq_dsp_expand_4"].declared.stack_bytes
    assert own > 0
    assert deepest_stack_bytes(["mcuq_dsp_expand_4"]) == own + deepest
    assert deepest_stack_bytes(["mcuq_clamp"]) == 0
