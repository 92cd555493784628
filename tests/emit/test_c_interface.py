"""What the generated C promises to the program around it: docs/c_interface.md, held by compilers."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from golden.graphs import digits, tiny
from state_models import recurrent, states_of
from stream_models import temporal_convolutions
from support import model_of, random_inputs, with_ranges

from mcuq.artifact import load, save
from mcuq.boards.find import load_board
from mcuq.build.host_program import HostModel, build_host
from mcuq.build.target import build_target
from mcuq.compile import Aim, CompiledModel, assemble_for, compile_model, quantize_model, with_goal
from mcuq.emit.stack import FRAMES_BYTES
from mcuq.errors import BuildError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.graph.tensor_bytes import join_tensors
from mcuq.importer import import_model, selection
from mcuq.lower import Goal, Placement, Stepped
from mcuq.lower.memories import RamUse, parse_memories
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.reshape import Reshape
from mcuq.ops.softmax import Softmax
from mcuq.ops.window import Window
from mcuq.passes.stream import Streaming, stream
from mcuq.quantize import parse_method, parse_scheme
from mcuq.resources import resource_dir

BOARDS = ("host", "cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "rv32imc")
SCHEMES = ("int8", "int16", "int4", "float32", "dynamic")
toolchain = pytest.mark.toolchain


def network() -> Graph:
    """A convolution of three channels, one of eight, a depthwise one, a pool, a dense layer, softmax."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")

    def conv(x: str, name: str, channels: int, groups: int, outputs: int, kernel: int) -> str:
        weight = builder.constant(rng.normal(size=(outputs, kernel, kernel, channels // groups)).astype(np.float32))
        bias = builder.constant(rng.normal(size=outputs).astype(np.float32))
        pad = kernel // 2
        return builder.add(
            Conv2d(Window((kernel, kernel), pads=(pad,) * 4), groups, minimum=0), [x, weight, bias], name
        )

    x = conv(builder.input("image", (1, 6, 6, 3)), "first", 3, 1, 8, 3)
    x = conv(conv(x, "depthwise", 8, 8, 8, 3), "pointwise", 8, 1, 6, 1)
    x = builder.add(Reshape((1, 54)), [builder.add(MaxPool(Window((2, 2), (2, 2))), [x], "pool")], "flat")
    dense = [builder.constant(rng.normal(size=shape).astype(np.float32)) for shape in ((5, 54), (5,))]
    builder.outputs.append(builder.add(Softmax(), [builder.add(FullyConnected(), [x, *dense], "dense")], "scores"))
    return builder.graph()


@cache
def graph_of(scheme: str) -> Graph:
    return with_ranges(network(), scheme=parse_scheme(scheme))


def model(scheme: str = "int8", board: str = "host", name: str = "net", goal: Goal = "balanced") -> CompiledModel:
    return with_goal(model_of(graph_of(scheme), board, name), goal)


def in_one_unit(models: list[CompiledModel]) -> dict[str, str]:
    """All headers, and all C in one file."""
    headers = {f"{m.name}.h": m.files[f"{m.name}.h"] for m in models}
    return {**headers, "unit.c": "".join(m.files[f"{m.name}.c"] for m in models)}


# --- several models in one translation unit ------------------------------------------------------------------------


def all_models(board: str) -> list[CompiledModel]:
    goals: tuple[Goal, ...] = ("balanced", "size", "speed")
    return [
        model(scheme, board, f"{scheme}_{goal}", goal)
        for i, scheme in enumerate(SCHEMES)
        for goal in goals[: 3 - i % 2]
    ]


@pytest.mark.parametrize(
    "board", [pytest.param(name, marks=pytest.mark.slow if name == "host" else toolchain) for name in BOARDS]
)
def test_models_of_all_schemes_and_goals_stand_in_one_translation_unit(board: str) -> None:
    models = all_models(board)
    if board == "host":
        sizes = [[models[0].graph.tensors[n].size_bytes for n in side] for side in ports(models[0].graph)]
        build_host(in_one_unit(models), HostModel(models[0].name, tuple(sizes[0]), tuple(sizes[1])), False).close()
    else:
        build_target(in_one_unit(models), f"{models[0].name}_run", (), load_board(board))


def ports(graph: Graph) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return graph.inputs, graph.outputs


def test_models_in_one_translation_unit_compute_what_they_do_alone() -> None:
    models = [model(scheme, name=scheme) for scheme in ("int8", "int16", "int4")]
    for one in models:
        inputs = random_inputs(one.graph, 3)
        assert run_host(one, in_one_unit(models), inputs) == expected(one, inputs)


def expected(one: CompiledModel, inputs: Mapping[str, Array]) -> list[bytes]:
    wanted = simulate(one.graph, inputs)
    return [join_tensors({k: v[i] for k, v in wanted.items()}, one.graph.outputs) for i in range(3)]


def run_host(one: CompiledModel, files: Mapping[str, str], inputs: Mapping[str, Array]) -> list[bytes]:
    sizes = [tuple(one.graph.tensors[n].size_bytes for n in side) for side in ports(one.graph)]
    with build_host(files, HostModel(one.name, *sizes)) as program:
        return program.run([join_tensors({k: v[i] for k, v in inputs.items()}, one.graph.inputs) for i in range(3)])


# --- working memory and sections -----------------------------------------------------------------------------------


def defined(one: CompiledModel, *macros: str) -> dict[str, str]:
    """The files with macros as a compiler's command line defines them."""
    lines = "".join(f"#define {macro}\n" for macro in macros)
    return {**one.files, f"{one.name}.c": f"{lines}{one.files[f'{one.name}.c']}"}


def test_without_an_arena_of_its_own_the_c_has_only_run_in(tmp_path: Path) -> None:
    one = model()
    assert symbols(tmp_path, defined(one, "NET_NO_ARENA")) == {("T", "net_run_in")}
    assert {name for kind, name in symbols(tmp_path, one.files) if kind == "T"} == {
        "net_run", "net_run_in", *one.listing.accessors.values()
    }  # fmt: skip
    inputs = random_inputs(one.graph, 3)
    assert run_host(one, defined(one, "NET_NO_ARENA"), inputs) == expected(one, inputs)


def symbols(folder: Path, files: Mapping[str, str]) -> set[tuple[str, str]]:
    """(kind as nm has it, name) of the global symbols that the C defines."""
    cc(folder, files, "-c", "-O2", "-std=c99", "-o", "model.o")
    said = subprocess.run(
        ["nm", "-g", "--defined-only", "model.o"], cwd=folder, capture_output=True, text=True, check=True
    )
    return {(line.split()[1], line.split()[2]) for line in said.stdout.splitlines()}


def cc(folder: Path, files: Mapping[str, str], *arguments: str, command: str = "cc") -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = [name for name in files if name.endswith(".c")]
    libraries = [argument for argument in arguments if argument.startswith("-l")]
    options = [argument for argument in arguments if argument not in libraries]
    subprocess.run([command, *options, *sources, *libraries], cwd=folder, check=True)


def test_arena_and_constants_are_placed_in_the_sections_that_are_asked_for(tmp_path: Path) -> None:
    one = model()
    files = defined(one, 'NET_ARENA_SECTION ".dtcm"', 'NET_WEIGHTS_SECTION ".qspi"')
    cc(tmp_path, files, "-c", "-O2", "-std=c99", "-o", "model.o")
    said = subprocess.run(["objdump", "-h", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    sizes = {line.split()[1]: int(line.split()[2], 16) for line in said.splitlines() if line.strip()[:1].isdigit()}
    assert sizes[".dtcm"] == one.arena_bytes
    assert one.constant_bytes <= sizes[".qspi"] < one.constant_bytes + 300  # compilers align arrays
    assert ".bss" not in sizes or sizes[".bss"] == 0
    inputs = random_inputs(one.graph, 3)
    assert run_host(one, files, inputs) == expected(one, inputs)


def test_an_arena_that_is_not_aligned_is_caught_where_asserts_are_asked_for() -> None:
    one = model()
    sizes = [tuple(one.graph.tensors[n].size_bytes for n in side) for side in ports(one.graph)]
    files = defined(one, "NET_ASSERT(condition) do { if (!(condition)) __builtin_trap(); } while (0)")
    inputs = random_inputs(one.graph, 3)
    assert run_host(one, files, inputs) == expected(one, inputs)
    askew = files["net.c"].replace("(uintptr_t)memory &", "((uintptr_t)memory + 2) &")
    program = build_host({**files, "net.c": askew}, HostModel("net", *sizes), False)
    with program, pytest.raises(BuildError) as caught:
        program.run([bytes(sizes[0][0])])
    assert str(caught.value).startswith("'net' on the host: stopped by SIG")


# --- compilers and CPUs --------------------------------------------------------------------------------------------


def said_by(folder: Path, files: Mapping[str, str], command: str, *arguments: str) -> tuple[int, str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    assert shutil.which(command), f"{command} is not installed"
    ended = subprocess.run(
        [command, "-std=c99", "-O2", "-ffreestanding", "-Wall", "-Wextra", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr


@toolchain
def test_big_endian_cpus_are_refused(tmp_path: Path) -> None:
    arguments = ("-mcpu=cortex-m4", "-mthumb", "-mbig-endian", "-c", "net.c")
    code, said = said_by(tmp_path, model(board="cortex-m4").files, "arm-none-eabi-gcc", *arguments)
    assert code == 1
    assert '#error "net.c is for little-endian CPUs"' in said


@toolchain
@pytest.mark.parametrize(
    ("board", "cpu", "name"),
    [
        ("cortex-m4", "cortex-m3", "the DSP extension"),
        ("cortex-m4", "cortex-m0", "the DSP extension"),
        ("cortex-m55", "cortex-m4", "Helium (MVE)"),
        ("cortex-m0", "cortex-m4", "Armv6-M or Armv7-M"),
        ("cortex-m3", "cortex-m33", "Armv6-M or Armv7-M"),
    ],
)
def test_a_cpu_without_what_the_c_is_for_is_told(board: str, cpu: str, name: str, tmp_path: Path) -> None:
    code, said = said_by(
        tmp_path, model(board=board).files, "arm-none-eabi-gcc", f"-mcpu={cpu}", "-mthumb", "-c", "net.c"
    )
    assert code == 0
    assert f'#warning "net.c is for {name}: on this CPU portable C stands in, which is slower"' in said


@toolchain
@pytest.mark.parametrize("board", [name for name in BOARDS if name != "host"])
def test_the_cpu_that_the_c_is_for_is_told_nothing(board: str, tmp_path: Path) -> None:
    cpu = load_board(board).cpu
    assert said_by(tmp_path, model(board=board).files, cpu.gcc, *cpu.gcc_flags, "-c", "net.c") == (0, "")


@toolchain
@pytest.mark.parametrize("compiler", ["__ICCARM__", "__CC_ARM"])
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "rv32imc"])
def test_compilers_without_gnu_assembly_get_none(board: str, compiler: str, tmp_path: Path) -> None:
    """IAR's and armcc 5: by their own macros, as neither can be installed here."""
    cpu = load_board(board).cpu
    header = "#include <stddef.h>\nvoid *memcpy(void *to, const void *from, size_t n_bytes);\n"
    for goal in ("balanced", "size"):
        files = {**model(board=board, goal=goal).files, "string.h": header}  # type: ignore[arg-type]
        arguments = (*cpu.gcc_flags, f"-D{compiler}", "-I.", "-E", "net.c")
        code, said = said_by(tmp_path, files, cpu.gcc, *arguments)
        assert code == 0
        assert re.findall(r"__asm__|noinline|__builtin_(?:memcpy|unreachable)", said) == []
        assert said_by(tmp_path, files, cpu.gcc, *arguments[:-2], "-c", "net.c")[0] == 0


def test_the_portable_c_computes_what_the_assembly_does() -> None:
    """What such compilers are given, by the host's."""
    one = model(board="cortex-m4")
    inputs = random_inputs(one.graph, 3)
    assert run_host(one, defined(one, "__CC_ARM"), inputs) == expected(one, inputs)


# --- what is linked ------------------------------------------------------------------------------------------------

DOCUMENT = (Path(__file__).parents[2] / "docs" / "c_interface.md").read_text(encoding="utf-8")
ANY_COMPILER = {"memcpy", "memmove", "memset"}
FLOATS = ("float32", "float16", "dynamic")
INTEGERS = ("int8", "int16", "int4", "int2", "ternary", "binary", "codebook")


def documented(board: str, scheme: str) -> set[str]:
    """The functions that docs/c_interface.md names for a CPU and a scheme."""
    table = [line.split("|") for line in DOCUMENT.splitlines() if line.startswith("| ")]
    (row,) = [cells for cells in table if board in cells[1].replace(",", " ").split()]
    integers, floats = (set(re.findall(r"`(\w+)`", cell)) for cell in row[2:4])
    return ANY_COMPILER | (floats if scheme in FLOATS else integers)


def undefined(folder: Path, one: CompiledModel, level: str) -> set[str]:
    cpu = one.board.cpu
    cc(folder, one.files, *cpu.gcc_flags, "-ffreestanding", level, "-c", "-o", "model.o", command=cpu.gcc)
    nm = subprocess.run(["nm", "-u", "model.o"], cwd=folder, capture_output=True, text=True, check=True)
    return {line.split()[-1] for line in nm.stdout.splitlines()}


@pytest.mark.slow
@toolchain
@pytest.mark.parametrize("scheme", [*INTEGERS, *FLOATS])
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "rv32imc"])
def test_nothing_is_called_but_what_the_document_names(board: str, scheme: str, tmp_path: Path) -> None:
    for level in ("-O0", "-O2", "-Os"):
        one = model(scheme, board, goal="size" if level == "-Os" else "balanced")
        assert undefined(tmp_path, one, level) <= documented(board, scheme), level


@toolchain
@pytest.mark.parametrize("scheme", ["int8", "float32"])
@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "rv32imc"])
def test_the_c_links_alone_but_for_what_compilers_bring(board: str, scheme: str, tmp_path: Path) -> None:
    one = model(scheme, board)
    cpu = one.board.cpu
    memory = (resource_dir("firmware") / "memory.c").read_text(encoding="utf-8")
    flags = (*cpu.gcc_flags, "-ffreestanding", "-nostdlib", "-O2", "-Wl,-e,net_run", "-o", "alone.elf")
    cc(tmp_path, {**one.files, "memory.c": memory}, *flags, "-lgcc", command=cpu.gcc)
    if board in ("cortex-m4", "cortex-m55"):
        cc(tmp_path, one.files if scheme == "int8" else {**one.files, "memory.c": memory}, *flags, command=cpu.gcc)


# --- what it says of itself ----------------------------------------------------------------------------------------


def test_both_files_have_one_licence_line() -> None:
    for text in model_of(tiny(), name="tiny").files.values():
        assert text.count("SPDX-License-Identifier: 0BSD\n") == 1
        assert text.count("SPDX") == 1


def test_the_files_say_which_onnx_file_and_options_they_were_made_with(tmp_path: Path) -> None:
    source = resource_dir("examples") / "digits" / "digits.onnx"
    samples = np.load(source.with_name("digits_calibration.npz"))["x"][:20]
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    made = compile_model(source, "cortex-m4", samples, scheme="int16", optimize="size", method=parse_method("minmax"))
    for one in (made, load(save(made, tmp_path / "digits")[0].parent)):
        for text in one.files.values():
            head = " ".join(text.partition("*/")[0].replace("\n *", "").split())
            assert f"From the ONNX file of SHA-256 {digest}:" in head
            assert "scheme int16, 20 samples by minmax, rounding gptq, bias correction, equalization, headroom" in head
            assert head.count("optimize size, for cortex-m4") == 1
    assert with_goal(made, "balanced").files["digits.h"].count("optimize balanced, for cortex-m4") == 1


def test_nothing_is_said_of_where_a_graph_without_a_file_is_from() -> None:
    assert "SHA" not in model_of(tiny(), name="tiny").files["tiny.h"]


def test_macros_and_figures_of_the_document_are_those_of_the_header() -> None:
    models = [model_of(tiny(), name="tiny", step=Stepped()), model_of(tiny(), name="tiny", push=True)]
    fast = replace(Placement(), fast=RamUse("psram", 2_000))
    parts = Aim(memories=parse_memories("ram:2000,psram:2000"), weights=fast)
    models.append(assemble_for(digits(), load_board("mps2-an386"), "tiny", parts))
    graph, _ = import_model(recurrent("GRU"), None, selection(None, None, states_of("GRU")))
    models.append(model_of(graph, name="tiny"))
    streaming = stream(quantize_model(temporal_convolutions()).graph, Streaming(2))
    models.append(model_of(streaming, name="tiny"))
    header = "".join(model.files["tiny.h"] for model in models)
    # the names of ID_after.h are in a page of their own
    told = "".join(row for row in DOCUMENT.splitlines(keepends=True) if "`ID_after.h`" not in row)
    for name in set(re.findall(r"\bID_(?:\w+)", told)):
        assert re.search(name.replace("ID_", "(?i:tiny)_").replace("_NAME_", "_PSRAM_"), header), name
    assert f"and {FRAMES_BYTES}\n  bytes for what compilers add" in DOCUMENT
