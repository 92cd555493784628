"""--optimize: every goal computes the same bytes; what the kernels and functions of `size` and `speed` are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from golden.graphs import digits, tiny
from sample_kernels import KERNEL, kernels_and_pasted, name_of, names_read, sample, with_runtime
from selections import quick
from support import Case, integer_branches, integer_graph, random_inputs, random_reals

import mcuq
from mcuq.api import compare
from mcuq.boards.facts import Board
from mcuq.boards.find import load_board, parse_board
from mcuq.build.footprint import measure_choices, measure_footprint
from mcuq.build.target import build_target
from mcuq.compile import CompiledModel, assemble, with_goal
from mcuq.emit.model import emit
from mcuq.emit.parameters import render_shared
from mcuq.errors import BoardError, ModelError
from mcuq.graph.ir import Graph
from mcuq.kernels.kernel import Call
from mcuq.kernels.source import assembly_cpus, needs_of, runtime_of
from mcuq.lower import GOALS, Goal, lower
from mcuq.lower.goal import gcc_options, parse_goal
from mcuq.lower.share import PARAMETERS, share_functions
from mcuq.lower.smallest import flash_bytes, smallest_calls
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window
from mcuq.plan import plan_memory
from mcuq.plan.fit import STACK_BYTES
from mcuq.quantize import parse_scheme
from mcuq.resources import resource_dir
from mcuq.validate import check_bits

UNICORN = ("cortex-m0", "cortex-m3", "cortex-m4", "rv32imc")
HELIUM = pytest.param("cortex-m55", marks=pytest.mark.toolchain)
NETWORKS: dict[str, Callable[[], Graph]] = {"digits": digits, "tiny": tiny}


def model_for(graph: Graph, goal: Goal, board: str | Board = "cortex-m4", name: str = "net") -> CompiledModel:
    board = load_board(board) if isinstance(board, str) else board
    return assemble(graph, board, name, b"", optimize=goal)


def check(graph: Graph, goal: Goal, board: str, on: str) -> None:
    """Assert that every byte is the simulator's."""
    report = check_bits(model_for(graph, goal, board), iter([random_inputs(graph, 4, 7)]), on)
    assert report.first_mismatch is None, f"{goal} on {board}: {report.first_mismatch}"
    assert report.samples == 4
    assert report.compared_bytes > 0


# --- the same bytes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("board", quick(UNICORN))
def test_networks_give_the_simulators_bits_on_the_host(board: str, network: str, goal: Goal) -> None:
    check(NETWORKS[network](), goal, board, "host")


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("network", quick(NETWORKS))
@pytest.mark.parametrize("board", [*UNICORN, HELIUM])
def test_networks_give_the_simulators_bits_on_the_emulator(board: str, network: str, goal: Goal) -> None:
    check(NETWORKS[network](), goal, board, "emulator")


# --- what is emitted ---------------------------------------------------------------------------------------------


def files(graph: Graph, goal: Goal, board: str = "cortex-m4") -> str:
    return model_for(graph, goal, board).files["net.c"]


def test_balanced_says_nothing_about_optimization() -> None:
    text = files(digits(), "balanced")
    assert "#pragma" not in re.sub(r"#pragma GCC unroll", "", text)
    assert "Optimized for" not in text
    assert "parameters" not in text


@pytest.mark.parametrize(
    ("goal", "board", "options"),
    [
        ("size", "cortex-m0", '"Os"'),
        ("size", "cortex-m55", '"Os"'),
        ("speed", "cortex-m0", '"O2", "unroll-loops", "no-store-merging", "no-tree-slp-vectorize"'),
        ("speed", "cortex-m4", '"O2", "unroll-loops", "no-store-merging", "no-tree-slp-vectorize"'),
        ("speed", "cortex-m55", '"O3", "no-store-merging", "no-tree-slp-vectorize"'),
        ("speed", "rv32imc", '"O2", "peel-loops", "unswitch-loops", "no-store-merging", "no-tree-slp-vectorize"'),
    ],
)
def test_the_file_tells_its_goal_to_readers_and_to_gcc(goal: Goal, board: str, options: str) -> None:
    text = files(tiny(), goal, board)
    assert f" * Optimized for {goal}: mcuq compile --optimize {goal}.\n" in text
    assert text.count(f"#pragma GCC optimize ({options})\n") == 1
    assert text.count("#pragma GCC optimize") == 1
    before, after = text.split("#pragma GCC optimize")
    assert "static " not in before, "functions before the pragma are compiled without it"
    assert "static " in after
    assert text.count("#pragma clang attribute p") == (2 if goal == "size" else 0)


def test_clang_gets_push_and_pop_in_this_order() -> None:
    text = files(tiny(), "size")
    push = "#pragma clang attribute push(__attribute__((minsize)), apply_to = function)\n"
    assert text.count(push) == 1
    behind = text.rpartition("\n}\n#endif\n")[2]
    assert "#if defined(__clang__)\n#pragma clang attribute pop\n#endif\n" in behind
    assert text.count("#pragma clang attribute pop") == 1


@pytest.mark.parametrize("goal", GOALS)
def test_the_header_and_the_interface_are_of_every_goal(goal: Goal) -> None:
    pattern = re.compile(
        r"^(?:void|int8_t \*)\w*net_\w+\(.*;$|^#define NET_\w+(?<!DIGEST)(?<!STACK_BYTES) \S+$", re.MULTILINE
    )
    found = pattern.findall(model_for(digits(), goal).files["net.h"])
    wanted = pattern.findall(model_for(digits(), "balanced").files["net.h"])
    assert len(found) > 10

    def named(lines: Sequence[str]) -> list[str]:
        return [line for line in lines if not re.search("ARENA_BYTES|_OFFSET|_DIGEST", line)]

    assert named(found) == named(wanted)


@pytest.mark.parametrize("goal", GOALS)
def test_the_same_program_gives_the_same_bytes(goal: Goal) -> None:
    assert files(tiny(), goal) == files(tiny(), goal)


def test_what_is_emitted_does_not_depend_on_the_compilers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(digits(), "size", "cortex-m0")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("MCUQ_CC", "gcc")
    assert measure_footprint(model_for(digits(), "size", "cortex-m0")).code_bytes is None
    assert files(digits(), "size", "cortex-m0") == before


# --- functions that several sizes share --------------------------------------------------------------------------


def convolutions(*channels: int) -> Graph:
    """Layers side by side whose channels and image sizes differ."""
    rng = np.random.default_rng(3)
    return integer_branches(
        [
            (Conv2d(Window((1, 1))), [(1, 4 + i, 5, c), rng.normal(size=(c + 1, 1, 1, c)), rng.normal(size=c + 1)])
            for i, c in enumerate(channels)
        ],
        3,
    )


def calls_of(graph: Graph, goal: Goal, board: str = "cortex-m4") -> list[Call]:
    program = lower(graph, load_board(board).cpu.features, goal)
    return [call for step in program.steps for call in step.calls]


def test_layers_of_different_sizes_share_a_function_that_reads_what_differs() -> None:
    calls = calls_of(convolutions(3, 5, 6, 9), "size")
    assert len({(call.constants, call.parameters) for call in calls}) == 1
    names = calls[0].parameters
    assert {"in_height", "out_height", "group_inputs", "group_outputs"} <= set(names)
    assert not {"batch", "in_width", "kernel_height", "prescale", "groups"} & set(names), "the same in all of them"
    for call, channels in zip(calls, (3, 5, 6, 9), strict=True):
        assert list(call.arrays)[-1] == PARAMETERS
        values = dict(zip(names, call.arrays[PARAMETERS].tolist(), strict=True))
        assert values["group_inputs"] == channels
        assert values["group_outputs"] == channels + 1


def test_constants_that_are_equal_stay_constants_in_the_c() -> None:
    text = files(convolutions(3, 5, 6, 9), "size")
    (function,) = re.findall(r"^static void net_conv2d_size_shared\((.*?)^}", text, re.DOTALL | re.MULTILINE)
    assert re.search(r"const int8_t \*parameters, int8_t \*y\)", function)
    head = function.partition("/* plain C from here on */")[0]
    assert "kernel_height = 1" in head.partition("};")[0]
    assert re.search(r"group_inputs = parameters\[\d+\]", head)
    assert "group_inputs" not in head.partition("};")[0]
    assert text.count("net_conv2d_size_shared(") == 5
    assert len(re.findall(r"^static const int8_t \w+_parameters\[\d+\] MCUQ_WEIGHTS = {$", text, re.MULTILINE)) == 4


def test_a_parameter_that_needs_16_bits_makes_all_calls_have_them() -> None:
    rng = np.random.default_rng(3)
    cases: list[Case] = [
        (Conv2d(Window((1, 1))), [(1, 3, width, 3), rng.normal(size=(4, 1, 1, 3)), rng.normal(size=4)])
        for width in (5, 7, 9, 200)
    ]
    types = {call.arrays[PARAMETERS].dtype.name for call in calls_of(integer_branches(cases, 3), "size")}
    assert types == {"int16"}
    check(integer_branches(cases, 3), "size", "cortex-m4", "host")


def test_a_single_layer_has_a_function_without_parameters() -> None:
    (call,) = calls_of(convolutions(3), "size")
    assert call.parameters == ()
    assert PARAMETERS not in call.arrays


def test_equal_layers_share_a_function_without_parameters() -> None:
    calls = calls_of(convolutions(3), "size")
    shared = share_functions([tuple(calls), tuple(calls), tuple(calls)])
    assert {call.parameters for found in shared for call in found} == {()}


def test_calls_that_round_differently_share_no_function() -> None:
    graph = convolutions(3, 5, 6, 9)
    (one, two, three, four) = calls_of(graph, "balanced", "host")

    def finer(call: Call) -> Call:
        return Call(call.constants.with_numbers({"shift": -2}), arrays=call.arrays)

    shared = share_functions([(one,), (finer(two),), (three,), (finer(four),)])
    functions = [(found.constants, found.parameters) for (found,) in shared]
    assert functions[0] != functions[1]
    assert not {"shift"} & set(functions[1][1])


def test_every_kernel_compiles_with_all_constants_as_parameters() -> None:
    """-Wconversion must not depend on what is a constant; no array may have a size that is none (-Wvla)."""
    functions, needed = "", ["MCUQ_ASSUME"]
    for i, constants in enumerate(kernels_and_pasted()):
        names = names_read(constants)
        assert names, name_of(constants)
        functions += render_shared(constants, f"net_layer{i}", names, "int32_t") + f"void *net_run{i}(void);\n"
        functions += f"void *net_run{i}(void)\n{{\n    return (void *)(intptr_t)&net_layer{i};\n}}\n"
        needed += needs_of(constants)
    compile_strictly(with_runtime(functions, tuple(dict.fromkeys(needed))))


def compile_strictly(source: str) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    command = [compiler] if compiler else [sys.executable, "-m", "ziglang", "cc"]
    flags = ("-std=c99", "-Os", "-Wall", "-Wextra", "-Wconversion", "-Wvla", "-Wno-unused-function", "-Werror")
    ended = subprocess.run([*command, *flags, "-x", "c", "-c", "-", "-o", os.devnull], input=source.encode())
    assert ended.returncode == 0


def test_kernels_with_assembly_are_not_shared() -> None:
    """It may need all registers, so that compilers refuse it where sizes take some."""

    def has_assembly(template: str) -> bool:
        return bool(assembly_cpus(runtime_of(sample(KERNEL[template]))))

    assert all(has_assembly(template) for template in ("blocked/conv2d", "rv32/conv2d", "dsp/pointwise"))
    assert not any(
        has_assembly(template)
        for template in ("portable/conv2d", "portable/conv2d_size", "portable/fully_connected", "portable/elementwise")
    )
    assert {call.parameters for call in calls_of(convolutions(4, 8, 12), "balanced", "rv32imc")} == {()}
    own = calls_of(convolutions(4, 8, 12), "balanced", "rv32imc")
    assert [found for (found,) in share_functions([(call,) for call in own])] == own


def test_a_shared_depthwise_kernel_computes_its_depth_multiplier() -> None:
    rng = np.random.default_rng(6)
    windows = [(Conv2d(Window((3, 3)), c), (1, 7, 7, c), (c, 3, 3, 1)) for c in (8, 12, 20)]
    graph = integer_branches([(op, [x, rng.normal(size=w), rng.normal(size=w[0])]) for op, x, w in windows])
    (first,), *_ = share_functions([step.calls for step in lower(graph).steps])
    text = render_shared(first.constants, "net_layer", first.parameters, "int8_t")
    assert "depth_multiplier = out_channels / groups" in text
    assert "groups" in first.parameters


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_shared_depthwise_kernels_of_several_depth_multipliers_give_the_simulators_bits(scheme: str) -> None:
    rng = np.random.default_rng(1)
    sizes = ((8, 1), (12, 1), (20, 1), (9, 1), (10, 1), (6, 2), (4, 3))
    cases: list[Case] = [
        (Conv2d(Window((3, 3)), c), [(1, 7, 7, c), rng.normal(size=(c * m, 3, 3, 1)), rng.normal(size=c * m)])
        for c, m in sizes
    ]
    graph = integer_branches(cases, scheme=parse_scheme(scheme))
    if scheme == "int16":
        assert len({call.constants for call in calls_of(graph, "size", "cortex-m0")}) == 1
    check(graph, "size", "cortex-m0", "host")


@pytest.mark.parametrize("scheme", ["float32", "dynamic"])
def test_shared_depthwise_kernels_that_compute_in_float_compute_their_depth_multiplier(scheme: str) -> None:
    rng = np.random.default_rng(1)
    cases: list[Case] = [
        (Conv2d(Window((3, 3)), c), [(1, 7, 7, c), rng.normal(size=(c, 3, 3, 1)), rng.normal(size=c)])
        for c in (8, 12, 20, 9, 10, 11)
    ]
    graph = integer_branches(cases, scheme=parse_scheme(scheme))
    (constants,) = {call.constants for call in calls_of(graph, "size", "cortex-m0")}
    assert "depthwise" in constants.template
    samples = {n: x[None] for n, x in random_reals(graph, dict.fromkeys(graph.inputs, (-1, 1)), rng).items()}
    report = check_bits(model_for(graph, "size", "cortex-m0"), iter([samples]), "host")
    assert report.first_mismatch is None
    assert report.compared_bytes > 0


# --- the smallest kernels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", [*UNICORN, "cortex-m55"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_estimate_of_the_chosen_kernels_is_the_least_but_for_the_slack(network: str, board: str) -> None:
    graph = NETWORKS[network]()
    chosen = [step.calls for step in lower(graph, load_board(board).cpu.features, "size").steps]
    plain = [step.calls for step in lower(graph, frozenset()).steps]
    own = [step.calls for step in lower(graph, load_board(board).cpu.features).steps]
    assert flash_bytes(chosen) <= 1.01 * min(flash_bytes(plain), flash_bytes(own))


def test_layers_without_a_choice_keep_their_calls() -> None:
    call = calls_of(convolutions(3), "balanced")[0]
    assert smallest_calls([[], [(call,)], []], [1, 1, 1]) == [(), (call,), ()]


def test_a_faster_kernel_is_kept_where_it_takes_next_to_no_flash() -> None:
    rng = np.random.default_rng(5)
    graph = integer_graph(FullyConnected(), [(1, 512), rng.normal(size=(128, 512)), rng.normal(size=128)])
    (call,) = calls_of(graph, "size", "cortex-m4")
    assert call.constants.template == "dsp/fully_connected"


@pytest.mark.parametrize("board", [*UNICORN, HELIUM])
@pytest.mark.parametrize("network", quick(NETWORKS))
def test_size_is_smallest_and_speed_fastest(network: str, board: str) -> None:
    by_goal = {choice.optimize: choice for choice in compare(model_for(NETWORKS[network](), "balanced", board))}
    flash = {goal: choice.footprint.flash_bytes for goal, choice in by_goal.items() if choice.footprint}
    instructions = {goal: choice.instructions for goal, choice in by_goal.items()}
    # Rows, which balanced takes and speed does not, save RAM and take code.
    assert flash["size"] < min(flash["balanced"], flash["speed"])
    assert (instructions["speed"] or 0) <= (instructions["balanced"] or 0) < (instructions["size"] or 0)


# --- the choice in Python ----------------------------------------------------------------------------------------


def test_an_unknown_goal_is_an_error() -> None:
    model = resource_dir("examples") / "digits" / "digits.onnx"
    with pytest.raises(ModelError) as caught:
        mcuq.compile(model, optimize="sise")  # type: ignore[arg-type]
    assert str(caught.value) == "optimize 'sise': is not known; use balanced, speed, size, ram; did you mean 'size'?"
    assert [parse_goal(goal) for goal in GOALS] == ["balanced", "speed", "size", "ram"]


@pytest.mark.parametrize("goal", GOALS)
def test_a_saved_model_keeps_its_goal(goal: Goal, tmp_path: Path) -> None:
    model = model_for(tiny(), goal)
    mcuq.save(model, tmp_path)
    assert mcuq.load(tmp_path).optimize == goal
    assert mcuq.load(tmp_path).files == model.files


def test_with_goal_is_the_same_graph_for_another_goal() -> None:
    balanced = model_for(digits(), "balanced", "cortex-m0")
    size = with_goal(balanced, "size")
    assert size.files == model_for(digits(), "size", "cortex-m0").files
    assert size.graph is balanced.graph
    assert with_goal(size, "size") is size
    assert with_goal(size, "balanced").files == balanced.files


def test_choices_are_in_order_and_of_what_was_measured() -> None:
    model = model_for(digits(), "size", "cortex-m0")
    choices = measure_choices(model, lambda other: len(other.optimize))
    assert [choice.optimize for choice in choices] == list(GOALS)
    assert [choice.instructions for choice in choices] == [8, 5, 4, 3]
    assert choices[2].footprint == measure_footprint(model)
    assert [choice.arena_bytes for choice in choices] == [with_goal(model, goal).arena_bytes for goal in GOALS]


def test_a_choice_that_does_not_fit_the_board_is_empty() -> None:
    size = model_for(digits(), "size", "cortex-m0")
    small = load_board("cortex-m0").source.replace("flash_bytes = 1_048_576", "flash_bytes = 9_000")
    assert small != load_board("cortex-m0").source
    board = parse_board(small, "cortex-m0.toml")
    with pytest.raises(BoardError) as caught:
        measure_choices(model_for(digits(), "balanced", board))
    needed = measure_footprint(size).flash_bytes
    assert re.fullmatch(
        r"model 'net' needs [\d,]+ bytes of flash \(constants [\d,]+ \+ code [\d,]+\), cortex-m0 has 9,000; largest "
        rf"tensors: .*; it fits with --optimize size, which needs {needed:,} bytes of flash; or try a board with more, "
        r"such as .*",
        str(caught.value),
    )
    balanced, speed, smallest, ram = measure_choices(model_for(digits(), "size", board))
    assert (balanced.footprint, balanced.arena_bytes, balanced.instructions) == (None, None, None)
    assert speed.footprint is ram.footprint is None
    assert smallest.footprint == measure_footprint(size)


def test_on_the_host_nothing_is_counted() -> None:
    for choice in compare(model_for(tiny(), "balanced", "host")):
        assert choice.instructions is None
        assert choice.footprint is not None
        assert choice.footprint.code_bytes is None


def test_goals_by_name_tell_gcc_what() -> None:
    assert gcc_options("balanced", frozenset({"mve"})) == ()
    assert gcc_options("size", frozenset({"mve"})) == ("Os",)
    assert gcc_options("speed", frozenset({"dsp", "mve"})) == ("O3", "no-store-merging", "no-tree-slp-vectorize")


def test_the_users_own_level_does_not_undo_size() -> None:
    model = model_for(digits(), "size", "cortex-m0")
    keep = tuple(model.listing.accessors.values())

    def code_bytes(level: str) -> int:
        return build_target(model.files, "net_run", keep, model.board, level, STACK_BYTES).text_bytes

    assert abs(code_bytes("-O3") - code_bytes("-O2")) <= 16


def test_views_have_no_calls_whatever_the_goal() -> None:
    for goal in GOALS:
        program = lower(tiny(), frozenset(), goal)
        assert all(bool(step.calls) != step.layer.op.is_view for step in program.steps)
        assert program.goal == goal
        assert emit(program, plan_memory(program), "net").files["net.c"]
