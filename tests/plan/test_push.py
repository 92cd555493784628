"""An input whose rows are pushed: the bytes of the whole input in pieces of any size, a ring of its rows in memory, and
a full message where it cannot come so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from float_cases import DYNAMIC, check_floats, with_scheme
from row_networks import CPUS, row_by_row, row_network
from row_networks import SCHEMES as ALL_SCHEMES
from support import check_c, integer_branches, model_of, random_inputs, with_ranges

from mcuq.artifact import load, save
from mcuq.boards.find import load_board
from mcuq.compile import Aim, assemble_for, compile_model, with_goal
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.lower import parse_placement
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops.add import Add
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.softmax import Softmax
from mcuq.ops.total import Total
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window
from mcuq.plan.segments import Segment
from mcuq.report.profile import profile_model
from mcuq.validate import check_bits

SAME = Window((3, 3), pads=(1, 1, 1, 1))
SCHEMES = [name for name in ALL_SCHEMES if name != "dynamic"]
SEEDS = (0, 1, 2, 3, 5, 7, 9, 10, 11, 12)  # networks whose input can be pushed


def refusal(graph: Graph) -> str:
    with pytest.raises(ModelError) as caught:
        model_of(graph, push=True)
    return str(caught.value)


def image(channels_first: bool = False) -> tuple[GraphBuilder, str]:
    builder = GraphBuilder("image")
    if not channels_first:
        return builder, builder.input("x", (1, 12, 8, 3))
    x = builder.input("x", (1, 3, 12, 8))
    return builder, builder.add(Transpose((0, 2, 3, 1)), [x], name="to_rows")


def conv(builder: GraphBuilder, x: str, channels: int, stride: int = 1, name: str = "conv") -> str:
    rng = np.random.default_rng(channels)
    weight = rng.normal(0, 0.3, (channels, 3, 3, builder.tensors[x].shape[3])).astype(np.float32)
    constants = [builder.constant(weight, "w"), builder.constant(np.zeros(channels, np.float32), "b")]
    return builder.add(Conv2d(Window((3, 3), (stride, stride), (1, 1, 1, 1))), [x, *constants], name=name)


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_are_pushed_give_the_simulators_bits(seed: int) -> None:
    found: list[Segment] = []
    with row_by_row(1 + seed % 4, found, push=True):
        check_c(with_ranges(row_network(seed), seed), "host", board=CPUS[seed % len(CPUS)])
    assert found[0].is_pushed


@pytest.mark.parametrize("board", CPUS)
def test_rows_that_are_pushed_give_the_simulators_bits_on_emulated_cpus(board: str) -> None:
    with row_by_row(2, push=True):
        check_c(with_ranges(row_network(23), 23), "emulator", board=board)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rows_of_each_scheme_that_are_pushed_give_the_simulators_bits(scheme: str) -> None:
    with row_by_row(2, push=True):
        check_floats(ALL_SCHEMES[scheme](row_network(24), 24), "host", load_board("cortex-m4"), 6)


@pytest.mark.slow
@pytest.mark.parametrize("board", CPUS)
@pytest.mark.parametrize("seed", (13, 14, 15, 16, 17, 18, 19))
def test_more_rows_that_are_pushed_give_the_simulators_bits(seed: int, board: str) -> None:
    with row_by_row(1 + seed % 3, push=True):
        check_c(with_ranges(row_network(seed), seed), "emulator" if seed % 2 else "host", board=board)


def test_channels_first_are_pushed_channels_last() -> None:
    builder, x = image(channels_first=True)
    builder.outputs.append(builder.add(MaxPool(Window((2, 2), (2, 2))), [conv(builder, x, 4)]))
    model = model_of(with_ranges(builder.graph()), push=True)
    push = model.listing.push
    assert push is not None
    assert (push.taken, push.rows, push.row_bytes) == ("to_rows", 12, 24)
    header = model.files["layer.h"]
    assert "/* input 'x', shape 1 x 12 x 8 x 3, last dimension fastest */" in header
    assert "shape above, whose dimensions the model has in another one. */" in header
    for on in ("host", "emulator"):
        report = check_bits(model, iter([random_inputs(model.graph, 6)]), on)
        assert report.bit_exact, report.first_mismatch
    x, given = (batch["x"] for batch in (random_inputs(model.graph, 2), model.as_given(random_inputs(model.graph, 2))))
    assert np.array_equal(given, x.transpose(0, 1, 3, 4, 2))


def test_rows_are_those_of_the_shape_that_layers_read() -> None:
    builder = GraphBuilder("view")
    x = builder.add(Reshape((1, 10, 6, 1)), [builder.input("x", (1, 60))])
    x = builder.add(Mean((1, 2)), [conv(builder, x, 4)])
    builder.outputs.append(builder.add(Softmax(), [x]))
    model = model_of(with_ranges(builder.graph()), push=True)
    assert "#define LAYER_ROWS 10\n#define LAYER_ROW_ELEMENTS 6\n" in model.files["layer.h"]
    assert check_bits(model, iter([random_inputs(model.graph, 6)]), "host").bit_exact


def test_outputs_of_the_pushed_rows_and_of_what_follows_are_there_at_the_end() -> None:
    builder, x = image()
    late = builder.add(Add(), [x, conv(builder, x, 3)], name="sum")
    builder.outputs.append(late)
    builder.outputs.append(builder.add(Reshape((1, 36)), [conv(builder, late, 6, stride=4)]))
    with row_by_row(1, push=True):
        for on in ("host", "emulator"):
            check_c(with_ranges(builder.graph()), on)


def test_outputs_may_be_called_as_what_the_c_declares() -> None:
    builder, x = image()
    for name in ("rows", "given", "state", "band"):
        builder.outputs.append(builder.add(MaxPool(SAME), [x], name))
    with row_by_row(1, push=True):
        check_c(with_ranges(builder.graph()), "host")
    with row_by_row(1):
        check_c(with_ranges(builder.graph()), "host")


def test_a_wrong_answer_is_no_success() -> None:
    builder, x = image()
    builder.outputs.append(conv(builder, x, 4))
    model = model_of(with_ranges(builder.graph()), push=True)
    text = model.files["layer.c"]
    assert "return 12 - state[1];" in text
    wrong = replace(model, files={**model.files, "layer.c": text.replace("return 12 - state[1];", "return 12;")})
    for on in ("host", "emulator"):
        for samples, exact in ((1, 1), (2, 1)):  # the first one is of all rows at once
            report = check_bits(wrong, iter([random_inputs(model.graph, samples)]), on)
            assert (report.samples, report.exact_samples) == (samples, exact)


def test_the_input_takes_a_few_rows_of_the_arena() -> None:
    builder = GraphBuilder("tall")
    x = builder.add(MaxPool(Window((2, 2), (2, 2))), [builder.input("x", (1, 64, 64, 4))])
    builder.outputs.append(builder.add(Mean((1, 2)), [conv(builder, x, 4)]))
    graph = with_ranges(builder.graph())
    pushed, whole = (model_of(graph, optimize="ram", push=push).arena_bytes for push in (True, False))
    assert pushed < 2_000 < 64 * 64 * 4 < whole


@pytest.mark.parametrize("goal", ("speed", "ram", "size"))
def test_rows_are_pushed_whatever_the_goal_is(goal: str) -> None:
    builder, x = image()
    builder.outputs.append(builder.add(Sigmoid(), [conv(builder, conv(builder, x, 4), 4)]))
    model = model_of(with_ranges(builder.graph()), optimize=goal, push=True)  # type: ignore[arg-type]
    assert check_bits(model, iter([random_inputs(model.graph, 6)]), "host").bit_exact


def test_several_inputs_cannot_be_pushed() -> None:
    graph = integer_branches([(Sigmoid(), [(1, 4, 4, 2)]), (Sigmoid(), [(1, 4, 4, 2)])])
    assert refusal(graph) == (
        "model 'layers': --push: its input cannot come row by row: it has 2 inputs, and rows come of one; compile it "
        "without --push"
    )


def test_an_input_that_is_an_output_too_cannot_be_pushed() -> None:
    builder, x = image()
    builder.outputs += [x, builder.add(Sigmoid(), [x])]
    assert refusal(with_ranges(builder.graph())) == (
        "model 'image': --push: its input cannot come row by row: 'x' is an output too, all of which is to be kept; "
        "compile it without --push"
    )


def test_a_layer_that_needs_all_rows_is_named() -> None:
    assert refusal(integer_branches([(Softmax(), [(1, 8)])])) == (
        "model 'layers': --push: its input cannot come row by row: Softmax 'layer0', which reads it first, does not "
        "run row by row; compile it without --push"
    )
    builder, x = image()
    late = builder.add(MaxPool(SAME), [builder.add(MaxPool(SAME), [x])])
    builder.outputs.append(builder.add(Total(), [x, late, builder.add(Sigmoid(), [late])], name="three"))
    assert refusal(with_ranges(builder.graph())) == (
        "model 'image': --push: its input cannot come row by row: Total 'three' reads it too, and does not run row by "
        "row; compile it without --push"
    )


def test_two_orders_of_one_input_cannot_be_pushed() -> None:
    builder = GraphBuilder("orders")
    x = builder.input("x", (1, 4, 4, 4))
    for name in ("first", "second"):
        y = builder.add(Transpose((0, 2, 3, 1)), [x], name=name)
        builder.outputs.append(builder.add(MaxPool(SAME), [y]))
    assert refusal(with_ranges(builder.graph())) == (
        "model 'orders': --push: its input cannot come row by row: 'first', 'second' read 'x', each in an order of its "
        "own; compile it without --push"
    )


def test_rows_that_no_kernel_reads_one_by_one_cannot_be_pushed() -> None:
    builder, x = image()
    builder.outputs.append(builder.add(AveragePool(Window((2, 2), pads=(1, 0, 1, 1)), False), [x], name="edges"))
    assert refusal(with_ranges(builder.graph())) == (
        "model 'image': --push: its input cannot come row by row: AveragePool 'edges' makes a row of padding alone, or "
        "of what no kernel reads row by row; compile it without --push"
    )


def test_more_rows_than_the_c_counts_cannot_be_pushed() -> None:
    builder = GraphBuilder("image")
    builder.outputs.append(builder.add(MaxPool(Window((1, 2), (1, 2))), [builder.input("x", (1, 1, 40_000, 1))]))
    assert refusal(with_ranges(builder.graph())) == (
        "model 'image': --push: its input cannot come row by row: it has 40,000 rows; supported are 32,767; compile it "
        "without --push"
    )


def test_a_dynamic_layer_needs_all_rows() -> None:
    builder, x = image()
    builder.outputs.append(conv(builder, x, 4))
    assert refusal(with_scheme(builder.graph(), DYNAMIC, 0)) == (
        "model 'image': --push: its input cannot come row by row: Conv2d 'conv', which reads it first, does not run "
        "row by row; compile it without --push"
    )


def test_the_option_is_kept_from_files_to_other_goals(tmp_path: Path) -> None:
    builder, x = image(channels_first=True)
    builder.outputs.append(builder.add(MaxPool(Window((2, 2), (2, 2))), [conv(builder, x, 4)]))
    path = tmp_path / "image.onnx"
    path.write_bytes(write_onnx(builder.graph()).SerializeToString())
    model = compile_model(path, push=True)
    save(model, tmp_path)
    loaded = load(tmp_path)
    assert loaded.listing == model.listing
    assert loaded.is_pushed
    assert with_goal(loaded, "ram").is_pushed
    profile = profile_model(loaded)
    assert [layer.op for layer in profile.layers] == ["Conv2d", "MaxPool"]
    assert 0 < profile.other_instructions < profile.instructions


def test_weights_may_lie_elsewhere() -> None:
    builder, x = image()
    builder.outputs.append(conv(builder, x, 4))
    model = assemble_for(
        with_ranges(builder.graph()),
        load_board("cortex-m4"),
        "layer",
        Aim(weights=parse_placement("external"), push=True),
    )
    for on in ("host", "emulator"):
        assert check_bits(model, iter([random_inputs(model.graph, 6)]), on).bit_exact
    text = model.files["layer.c"]
    assert "    if (weights == NULL)\n        return LAYER_ROWS_WITHOUT_WEIGHTS;\n" in text
    assert "12, output) == 0 ? LAYER_WEIGHTS_OK : LAYER_NO_WEIGHTS;\n" in text


def test_the_arena_of_an_input_that_is_pushed_may_have_a_bound() -> None:
    builder, x = image()
    builder.outputs.append(conv(builder, conv(builder, conv(builder, x, 8), 8), 2))
    graph = with_ranges(builder.graph())
    board = load_board("cortex-m4")
    free = assemble_for(graph, board, "layer", Aim("speed", push=True)).arena_bytes
    bound = assemble_for(graph, board, "layer", Aim(max_ram_bytes=free - 1, push=True))
    assert bound.is_pushed
    assert bound.arena_bytes < free
    assert check_bits(bound, iter([random_inputs(graph, 6)]), "host").bit_exact
