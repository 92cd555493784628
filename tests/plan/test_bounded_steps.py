"""Inferences by steps: the bytes of a whole one by every budget, no step longer than stated, long layers cut into bands
of rows, and a full message where it cannot be."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from cases.recurrent import GATES, case
from float_cases import wild_inputs
from recurrent_networks import quantized
from row_networks import CPUS, SCHEMES, row_by_row, row_network
from selections import quick
from support import beside, integer_branches, model_of, random_inputs, with_ranges

from mcuq.artifact import load, save
from mcuq.boards.find import load_board
from mcuq.build.host_program import HostModel, build_host
from mcuq.build.pieces import IN_PIECES
from mcuq.compile import Aim, CompiledModel, assemble_for, compile_model, share_arena, with_goal
from mcuq.emit.listing import ListedSteps
from mcuq.errors import BoardError, ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor_bytes import join_samples
from mcuq.lower import Stepped, lower, parse_placement, stepped
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.add import Add
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.lstm import Lstm
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax
from mcuq.ops.window import Window
from mcuq.plan import Stepper
from mcuq.plan.segments import Finder
from mcuq.quantize import NAMED, Scheme
from mcuq.report.profile import profile_model
from mcuq.report.steps import count_steps
from mcuq.validate import check_bits

WHOLE = Stepped()
ALL_KINDS = 8  # of build/pieces.py: an inference each


def network() -> Graph:
    """Convolutions with taps and without, a depthwise one, a residual, a mean and a fully connected layer."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder("net")

    def constants(*shape: int) -> list[str]:
        values = rng.normal(0, 0.3, shape), rng.normal(0, 0.1, shape[:1])
        return [builder.constant(value.astype(np.float32)) for value in values]

    x = builder.input("x", (1, 13, 10, 3))
    same = Window((3, 3), pads=(1, 1, 1, 1))
    x = builder.add(Conv2d(same), [x, *constants(8, 3, 3, 3)], name="first")
    y = builder.add(Conv2d(same, 8), [x, *constants(8, 3, 3, 1)], name="depthwise")
    y = builder.add(Conv2d(Window((1, 1))), [y, *constants(8, 1, 1, 8)], name="pointwise")
    x = builder.add(Add(), [x, y], name="sum")
    x = builder.add(MaxPool(Window((2, 2), (2, 2))), [x], name="pool")
    x = builder.add(Reshape((1, 8)), [builder.add(Mean((1, 2)), [x], name="mean")])
    x = builder.add(FullyConnected(), [x, *constants(5, 8)], name="dense")
    builder.outputs.append(builder.add(Softmax(), [x], name="classes"))
    return builder.graph()


def steps_of(model: CompiledModel) -> ListedSteps:
    assert model.listing.steps is not None
    return model.listing.steps


def check_steps(graph: Graph, on: str, step: Stepped = WHOLE, board: str = "cortex-m4") -> CompiledModel:
    model = model_of(graph, board, step=step)
    has_floats = any(graph.tensors[name].dtype == "float32" for name in graph.inputs)
    inputs = wild_inputs(graph, ALL_KINDS) if has_floats else random_inputs(graph, ALL_KINDS)
    report = check_bits(model, iter([inputs]), on)
    assert report.first_mismatch is None, f"{graph.text()}{report.first_mismatch}"
    assert report.samples == ALL_KINDS
    return model


@pytest.mark.parametrize("scheme", quick(SCHEMES, 2))
def test_steps_of_each_scheme_give_the_simulators_bits(scheme: str) -> None:
    model = check_steps(SCHEMES[scheme](row_network(24), 24), "host", Stepped(2_000))
    assert steps_of(model).count > 5


@pytest.mark.parametrize("board", quick(["cortex-m4", "cortex-m0", "cortex-m55", "rv32imc"]))
def test_steps_give_the_simulators_bits_on_emulated_cpus(board: str) -> None:
    model = check_steps(with_ranges(network()), "emulator", Stepped(3_000), board)
    assert steps_of(model).count > 15


@pytest.mark.slow
@pytest.mark.parametrize("board", CPUS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_steps_of_each_scheme_give_the_simulators_bits_on_emulated_cpus(scheme: str, board: str) -> None:
    check_steps(SCHEMES[scheme](row_network(23), 23), "emulator", Stepped(2_000), board)


@pytest.mark.parametrize("seed", quick([10, 0, 2]))
def test_layers_that_run_by_rows_step_by_bands(seed: int) -> None:
    with row_by_row(1 + seed % 3):
        model = check_steps(with_ranges(row_network(seed), seed), "host", board=CPUS[seed % len(CPUS)])
    assert "mcuq_next_band" in model.files["layer.c"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_more_layers_step_by_bands(seed: int) -> None:
    on = "emulator" if seed % 2 else "host"
    for step in (WHOLE, Stepped(1), Stepped(5_000)):
        check_steps(with_ranges(row_network(seed), seed), on, step, CPUS[seed % len(CPUS)])
        with row_by_row(1 + seed % 3):
            check_steps(with_ranges(row_network(seed), seed), on, step, CPUS[seed % len(CPUS)])


def test_several_inputs_and_outputs_and_parts_of_others() -> None:
    builder = GraphBuilder("ports")
    a, b = builder.input("a", (1, 6, 4, 4)), builder.input("b", (1, 6, 4, 4))
    both = builder.add(Concat(1), [builder.add(Sigmoid(), [a]), b])
    builder.outputs += [both, builder.add(Add(), [a, b]), builder.add(MaxPool(Window((2, 2), (2, 2))), [both])]
    for on in ("host", "emulator"):
        check_steps(with_ranges(builder.graph()), on, Stepped(200))


@pytest.mark.parametrize("scheme", quick(["int8", "int16"]))
def test_a_recurrent_layer_is_one_unit(scheme: str) -> None:
    graph, _, _ = quantized(case(Lstm(GATES[Lstm]), 5, 1, 3, 4), scheme)
    model = check_steps(graph, "host", Stepped(100))
    assert [layer for layer, _ in steps_of(model).too_long] == ["layer"]


EVERY_BUDGET = """
#include "net.h"
#include <string.h>

void {entry}(int32_t number, void *arena, int8_t *input, int8_t *output);

/* Every budget that does anything else than another one, and outputs made wrong where any gives other bytes. */
void {entry}(int32_t number, void *arena, int8_t *input, int8_t *output)
{{
    int8_t right[NET_OUTPUT_ELEMENTS];

    net_run_in(arena, input, output);
    memcpy(right, output, sizeof right);
    net_reset_in(arena);
    for (int32_t budget = number; budget <= NET_STEP_TOTAL + 1; budget++) {{
        int32_t calls = 1;
        for (; net_step_in(arena, input, output, budget) > 0; calls++) {{
        }}
        if (memcmp(right, output, sizeof right) != 0 || calls > NET_STEPS || (budget >= NET_STEP_TOTAL && calls > 1))
            output[0] = (int8_t)(right[0] + 1);
        if (output[0] != right[0])
            return;
        memset(output, 0x55, sizeof right);
    }}
    memcpy(output, right, sizeof right);
}}
"""


def test_every_budget_from_the_least_to_the_whole_gives_the_same_bytes() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 5, 3, 2))
    weight = builder.constant(np.linspace(-1, 1, 36).astype(np.float32).reshape(2, 3, 3, 2))
    x = builder.add(Conv2d(Window((3, 3), pads=(1, 1, 1, 1))), [x, weight, builder.constant(np.zeros(2, np.float32))])
    builder.outputs.append(builder.add(Softmax(), [builder.add(MaxPool(Window((2, 1), (2, 1))), [x])]))
    graph = with_ranges(builder.graph())
    with row_by_row(1):
        model = model_of(graph, "cortex-m55", "net", step=Stepped(300))
    assert steps_of(model).count > 5
    assert steps_of(model).total < 6_000
    sizes = [(graph.tensors[name].size_bytes,) for name in (*graph.inputs, *graph.outputs)]
    sources = {**model.files, "every.c": EVERY_BUDGET.format(entry=IN_PIECES)}
    inputs = random_inputs(graph, 2)
    with build_host(sources, HostModel("net", sizes[0], sizes[1], in_pieces=True)) as program:
        answers = program.run(join_samples(inputs, graph))
    assert answers == [value.tobytes() for value in simulate(graph, inputs)[graph.outputs[0]]]


@pytest.mark.parametrize("on", quick(["emulator", "host"]))
def test_a_step_that_is_wrong_is_no_success(on: str) -> None:
    model = model_of(with_ranges(network()), step=WHOLE)
    text = model.files["layer.c"]
    for right, wrong in (
        ("if (used > 0 && used + cost > budget)", "if (used > 0 && used > budget)"),
        ("    return step[0];\n", "    return step[0] / 2;\n"),
    ):
        assert right in text
        changed = replace(model, files={**model.files, "layer.c": text.replace(right, wrong)})
        with mock.patch.object(CompiledModel, "checked_listing"):
            report = check_bits(changed, iter([random_inputs(model.graph, ALL_KINDS)]), on)
        assert report.exact_samples < report.samples == ALL_KINDS


def test_layers_are_cut_until_no_step_is_longer_than_asked() -> None:
    graph = with_ranges(network())
    whole, cut = model_of(graph, step=WHOLE), model_of(graph, step=Stepped(9_000))
    assert (steps_of(whole).count, steps_of(whole).longest_layer, steps_of(whole).too_long) == (8, "first", ())
    assert steps_of(whole).longest > 9_000 >= steps_of(cut).longest
    assert (steps_of(cut).asked, steps_of(cut).too_long) == (9_000, ())
    assert steps_of(cut).total < 1.3 * steps_of(whole).total
    shortest = steps_of(model_of(graph, step=Stepped(1)))
    names = [layer for layer, _ in shortest.too_long]
    assert names == ["first", "depthwise", "pointwise", "sum", "pool", "mean", "dense", "classes"]
    assert shortest.longest == dict(shortest.too_long)["first"] < 9_000  # a row of it


def test_the_longest_of_several_rows_is_not_too_long() -> None:
    """Layers that run row by row for RAM make fewer rows at a time."""
    builder = GraphBuilder("rows")
    x = builder.add(MaxPool(Window((2, 2), (2, 2))), [builder.input("x", (1, 32, 8, 4))])
    builder.outputs.append(builder.add(MaxPool(Window((2, 2), (2, 2))), [x]))
    features = load_board("cortex-m4").cpu.features
    program = lower(with_ranges(builder.graph()), features)
    for longest, bands in ((None, [4, 4]), (10**6, [4, 4]), (1_200, [1, 2]), (1, [1, 1])):
        stepper = Stepper(features, "cortex-m4", Stepped(longest))
        segment = Finder(program, features, most_rows=stepper.most_rows).segment(0, 1, (4, 4), 2**30)
        assert segment is not None
        assert [stage.band for stage in segment.stages] == bands


@pytest.mark.parametrize("board", quick(["cortex-m4", "cortex-m0", "rv32imc"]))
def test_steps_take_about_what_is_stated(board: str) -> None:
    for step in (WHOLE, Stepped(8_000)):
        model = model_of(with_ranges(network()), board, step=step)
        said = steps_of(model)
        single, several, half = count_steps(model, [0, 2 * said.longest, said.total // 2])
        assert single.count == said.count > several.count
        assert half.count in (2, 3)
        taken = single.instructions if single.cycles is None else single.cycles
        assert said.unit == ("instructions" if single.cycles is None else "cycles")
        assert taken.most / 1.6 < said.longest < taken.most * 1.6
        total = single.total_instructions if single.total_cycles is None else single.total_cycles
        assert total / 1.4 < said.total < total * 1.4
        assert single.instructions.least <= single.instructions.middle <= single.instructions.most


def images() -> Graph:
    """Convolutions of few channels and of more, of one tap and of several, of channels alone."""
    rng = np.random.default_rng(1)
    builder = GraphBuilder("net")
    channels = 3
    x = builder.input("x", (1, 12, 10, channels))
    for out, taps, groups in ((8, 3, 1), (8, 3, 8), (16, 1, 1), (16, 5, 16), (24, 3, 1), (12, 1, 1)):
        values = rng.normal(0, 0.3, (out, taps, taps, channels // groups)), rng.normal(0, 0.1, out)
        inputs = [x, *(builder.constant(value.astype(np.float32)) for value in values)]
        x = builder.add(Conv2d(Window((taps, taps), pads=(taps // 2,) * 4), groups), inputs)
        channels = out
    builder.outputs.append(x)
    return builder.graph()


@pytest.mark.parametrize("board", quick(["cortex-m0", "cortex-m3", "cortex-m4", "rv32imc"]))
def test_a_function_that_all_convolutions_share_takes_about_what_is_stated(board: str) -> None:
    graph = with_ranges(images())
    used = [step.calls[0].constants.template for step in lower(graph, load_board(board).cpu.features, "size").steps]
    assert used == ["portable/conv2d_size"] * 6
    model = assemble_for(graph, load_board(board), "net", Aim("size", step=WHOLE))
    said = steps_of(model)
    (single,) = count_steps(model, [0])
    taken, total = (single.instructions, single.total_instructions)
    if single.cycles is not None and single.total_cycles is not None:
        taken, total = (single.cycles, single.total_cycles)
    assert taken.most / 1.3 < said.longest < taken.most * 1.3
    assert total / 1.3 < said.total < total * 1.3


def test_a_whole_inference_takes_hardly_more_instructions() -> None:
    graph = with_ranges(network())
    plain, cut = (profile_model(model_of(graph, step=step)) for step in (None, Stepped(9_000)))
    assert [layer.name for layer in cut.layers] == [layer.name for layer in plain.layers]
    assert plain.instructions < cut.instructions <= 1.4 * plain.instructions
    (whole,) = count_steps(model_of(graph, step=WHOLE), [2**31 - 1])
    assert whole.count == 1
    assert whole.total_instructions <= 1.01 * plain.instructions


def test_the_header_states_them_and_nothing_without_the_option() -> None:
    graph = with_ranges(network())
    model = model_of(graph, "cortex-m0", "net", step=WHOLE)
    header, said = model.files["net.h"], steps_of(model)
    for name, value in (("STEPS", said.count), ("STEP_WORST", said.longest), ("STEP_TOTAL", said.total)):
        assert f"#define NET_{name} {value}\n" in header
    assert "is counted in about instructions of the CPU" in header
    assert "about CPU cycles, without wait states" in model_of(graph, "cortex-m4", step=WHOLE).files["layer.h"]
    assert all(line in header for line in ("int32_t net_step(int32_t budget);\n", "void net_reset(void);\n"))
    assert "int32_t net_step_in(void *arena, const int8_t *input, int8_t *output, int32_t budget);\n" in header
    plain = model_of(graph, "cortex-m0", "net")
    assert not re.search("_step|_reset|_units", plain.files["net.h"] + plain.files["net.c"], re.IGNORECASE)


def test_outputs_may_be_called_as_what_the_c_declares() -> None:
    builder = GraphBuilder("names")
    x = builder.input("budget", (1, 4, 3, 2))
    for name in ("step", "used", "unit", "cost", "units", "state"):
        builder.outputs.append(builder.add(MaxPool(Window((2, 2))), [x], name))
    for step in (WHOLE, Stepped(1)):
        check_steps(with_ranges(builder.graph()), "host", step)


def test_weights_may_lie_elsewhere() -> None:
    model = assemble_for(
        with_ranges(network()),
        load_board("cortex-m4"),
        "net",
        Aim(weights=parse_placement("external"), step=Stepped(9_000)),
    )
    for on in ("host", "emulator"):
        assert check_bits(model, iter([random_inputs(model.graph, ALL_KINDS)]), on).bit_exact
    text = model.files["net.c"]
    assert "    if (weights == NULL)\n        return NET_STEP_WITHOUT_WEIGHTS;\n" in text
    assert "INT32_MAX) == 0 ? NET_WEIGHTS_OK : NET_NO_WEIGHTS;\n" in text


@pytest.mark.parametrize("goal", quick(["size", "speed", "ram"]))
def test_layers_are_cut_but_where_they_share_functions(goal: str) -> None:
    graph = with_ranges(network())
    model = model_of(graph, optimize=goal, step=Stepped(9_000))  # type: ignore[arg-type]
    assert (steps_of(model).longest <= 9_000) == (goal != "size")
    assert check_bits(model, iter([random_inputs(graph, ALL_KINDS)]), "host").bit_exact


@pytest.mark.slow
def test_the_arena_may_have_a_bound() -> None:
    graph, board = with_ranges(network()), load_board("cortex-m4")
    free = assemble_for(graph, board, "net", Aim("speed", step=Stepped(9_000))).arena_bytes
    bound = assemble_for(graph, board, "net", Aim(max_ram_bytes=free - 1, step=Stepped(9_000)))
    assert bound.arena_bytes < free
    assert bound.is_stepped
    assert check_bits(bound, iter([random_inputs(graph, ALL_KINDS)]), "host").bit_exact


def test_the_option_is_kept_from_files_to_other_goals(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(write_onnx(network()).SerializeToString())
    model = compile_model(path, step_cycles=50)
    save(model, tmp_path)
    loaded = load(tmp_path)
    assert loaded.listing == model.listing
    assert steps_of(loaded).too_long
    assert steps_of(with_goal(loaded, "ram")).asked == 50
    said = re.sub(r"\s+\*?\s*", " ", model.files["net.h"].partition("*/")[0])
    assert "steps of 50 cycles at most" in said
    assert compile_model(path, step=True).listing.steps is not None
    assert compile_model(path).listing.steps is None


def test_what_does_not_go_with_steps_is_refused() -> None:
    graph = with_ranges(network())
    with pytest.raises(ModelError) as caught:
        assemble_for(graph, load_board("cortex-m4"), "net", Aim(push=True, step=WHOLE))
    assert str(caught.value) == (
        "model 'net': --step: does not go with --push, where what is computed of a row is a step; leave out one of the "
        "two"
    )
    with pytest.raises(ModelError) as caught:
        share_arena([model_of(graph, name="one"), model_of(graph, name="two", step=WHOLE)])
    assert str(caught.value) == (
        "arena 'shared_arena': model 'two' goes by steps and keeps half an inference in the arena between them; "
        "compile it without --step to share"
    )
    with pytest.raises(ModelError) as caught:
        stepped(False, 0)
    assert str(caught.value) == "--step-cycles 0: is no number of cycles; give one such as 20000"
    with pytest.raises(BoardError) as unsuited:
        count_steps(model_of(graph, name="net"), [0])
    assert str(unsuited.value) == "model 'net': has no steps that are counted on cortex-m4; use cortex-m4"


def test_a_longer_inference_than_the_c_counts_is_refused() -> None:
    graph = with_ranges(network())
    total = steps_of(model_of(graph, step=WHOLE)).total
    with mock.patch("mcuq.plan.steps.MOST_CYCLES", total):
        model_of(graph, step=WHOLE)
    with mock.patch("mcuq.plan.steps.MOST_CYCLES", total - 1), pytest.raises(ModelError) as caught:
        model_of(graph, step=WHOLE)
    assert str(caught.value) == (
        f"model 'net': --step: an inference takes about {total:,} cycles, and steps count {total - 1:,} at most; "
        "compile it without --step"
    )


def test_steps_are_alike_for_layers_side_by_side() -> None:
    """Equal functions are shared by bands of several layers, and each has its own case."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(8, 1, 1, 8)).astype(np.float32), rng.normal(size=8).astype(np.float32)
    cases = [(Conv2d(Window((1, 1))), [(1, 6, 5, 8), *weight]) for _ in range(3)]
    model = check_steps(beside([integer_branches(cases), with_ranges(network())]), "host", Stepped(1_000))
    assert steps_of(model).count > 20


def test_a_profile_tells_calls_by_one_instruction_apart() -> None:
    """Compilers make one call of two cases that call the same function, one behind the other."""
    builder = GraphBuilder("twice")
    x = builder.input("x", (1, 6, 5, 8))
    for _ in range(3):
        x = builder.add(Sigmoid(), [x])
    builder.outputs.append(x)
    graph = with_ranges(builder.graph(), scheme=Scheme(NAMED["int16"]))
    first, second, third = profile_model(model_of(graph, optimize="size", step=WHOLE)).layers
    assert first.function == second.function == third.function
    counted = sorted(layer.instructions for layer in (first, second, third))
    assert counted[2] - counted[0] < 50 < counted[0]  # what is between two calls is the first one's


@pytest.mark.parametrize("board", quick(["cortex-m4", "rv32imc"]))
def test_functions_in_floats_take_about_what_is_stated(board: str) -> None:
    builder = GraphBuilder("functions")
    builder.outputs.append(builder.add(Sigmoid(), [builder.input("x", (1, 9, 8, 2))]))
    model = model_of(SCHEMES["float32"](builder.graph(), 0), board, step=WHOLE)
    (single,) = count_steps(model, [0])
    taken = single.instructions if single.cycles is None else single.cycles
    assert taken.most / 1.6 < steps_of(model).longest < taken.most * 1.6
