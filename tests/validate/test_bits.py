import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from golden.graphs import tiny
from support import model_of, random_inputs

from mcuq.compile import CompiledModel
from mcuq.errors import BoardError, BuildError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.tanh import Tanh
from mcuq.quantize import quantize_graph
from mcuq.validate import Mismatch, check_bits

TARGETS = ["host", "emulator"]


def batches(inputs: Mapping[str, Array], *sizes: int) -> Iterator[dict[str, Array]]:
    start = 0
    for count in sizes:
        yield {name: x[start : start + count] for name, x in inputs.items()}
        start += count


def two_ports(board: str = "cortex-m4") -> CompiledModel:
    builder = GraphBuilder("net")
    a, b = builder.input("a", (1, 3)), builder.input("b", (1, 3))
    total = builder.add(Add(), [a, b], "total")
    builder.outputs += [builder.add(Tanh(), [total], "curve"), total]
    graph = quantize_graph(builder.graph(), dict.fromkeys(("a", "b", "total", "curve"), (-1.0, 1.0)))
    return model_of(graph, board, "net")


def matrix() -> CompiledModel:
    """y = x, by a matrix whose second row is what the tests change; for a board with portable kernels alone."""
    builder = GraphBuilder("net")
    weight = builder.constant(np.eye(3, dtype=np.float32), "w")
    bias = builder.constant(np.zeros(3, np.float32), "b")
    builder.outputs.append(builder.add(FullyConnected(), [builder.input("x", (1, 3)), weight, bias], "y", "layer"))
    return model_of(quantize_graph(builder.graph(), {"x": (-1.28, 1.27), "y": (-1.28, 1.27)}), "host", "net")


def tampered(model: CompiledModel, old: str, new: str) -> CompiledModel:
    """The model with one place of its C text changed."""
    text = model.files[f"{model.name}.c"]
    assert text.count(old) == 1
    return replace(model, files={**model.files, f"{model.name}.c": text.replace(old, new)})


@pytest.mark.parametrize("on", TARGETS)
def test_every_byte_of_every_output_is_compared(on: str) -> None:
    model = two_ports()
    report = check_bits(model, batches(random_inputs(model.graph, 7), 3, 4), on)
    assert report.bit_exact
    assert (report.on, report.samples, report.compared_bytes, report.mismatches) == (on, 7, 7 * 6, 0)
    assert report.first_mismatch is None
    assert report.cycles is None


def test_a_changed_weight_is_found_with_sample_output_and_element() -> None:
    model = tampered(matrix(), "0, 127, 0,", "0, 126, 0,")
    x = np.zeros((4, 1, 3), np.int8)
    # 126 / 127 of 10 still rounds to 10; of 100 to 99.
    x[1, 0, 1], x[2, 0, 1], x[3, 0, 1] = 10, 100, -100
    report = check_bits(model, iter([{"x": x[:2]}, {"x": x[2:]}]))
    assert not report.bit_exact
    assert report.first_mismatch == Mismatch(sample=2, output="y", index=1, want=100, got=99)
    assert (report.samples, report.exact_samples, report.mismatches, report.compared_bytes) == (4, 2, 2, 12)
    assert str(report.first_mismatch) == "sample 2, output 'y', element 1: want 100, got 99"


@pytest.mark.parametrize("on", TARGETS)
def test_the_output_that_differs_is_named(on: str) -> None:
    model = two_ports()
    first = re.findall(r"net_curve_2_table\[256\] MCUQ_WEIGHTS = \{\n    (-?\d+),", model.files["net.c"])[0]
    changed = tampered(
        model,
        f"net_curve_2_table[256] MCUQ_WEIGHTS = {{\n    {first},",
        "net_curve_2_table[256] MCUQ_WEIGHTS = {\n    55,",
    )
    report = check_bits(changed, iter([random_inputs(model.graph, 2)]), on)
    assert report.first_mismatch == Mismatch(0, "curve", 0, want=int(first), got=55)
    assert report.mismatches == 3


@pytest.mark.parametrize("on", TARGETS)
def test_what_the_c_gave_is_shown_to_the_observer(on: str) -> None:
    model = two_ports()
    inputs = random_inputs(model.graph, 5)
    seen: list[tuple[int, Mapping[str, Array]]] = []
    ticks: list[int] = []
    check_bits(
        model,
        batches(inputs, 2, 3),
        on,
        lambda sample, outputs: seen.append((sample, outputs)),
        lambda: ticks.append(len(seen)),
    )
    assert [sample for sample, _ in seen] == [0, 1, 2, 3, 4]
    assert ticks == [1, 2, 3, 4, 5]
    want = simulate(model.graph, inputs)
    for sample, outputs in seen:
        assert list(outputs) == ["curve", "total"]
        for name, value in outputs.items():
            assert np.array_equal(value, want[name][sample])


def test_the_emulator_is_the_default_where_the_board_has_one() -> None:
    model = model_of(tiny(), name="tiny")
    report = check_bits(model, iter([random_inputs(model.graph, 2)]))
    assert report.on == "emulator"
    assert report.instructions is not None and report.instructions > 1000
    assert report.stack_bytes is not None and 0 < report.stack_bytes < 1000


def test_the_host_counts_no_instructions() -> None:
    model = model_of(tiny(), board="host", name="tiny")
    report = check_bits(model, iter([random_inputs(model.graph, 2)]))
    assert (report.on, report.instructions, report.stack_bytes) == ("host", None, None)
    assert report.compiler


def test_a_board_without_an_emulator_is_an_error() -> None:
    model = model_of(tiny(), board="host", name="tiny")
    with pytest.raises(BoardError) as caught:
        check_bits(model, iter([]), "emulator")
    assert str(caught.value) == "board 'host' has no emulator; use --on host"


def test_c_that_reads_beyond_its_input_is_stopped_on_the_host() -> None:
    model = tampered(matrix(), "rows = 1,", "rows = 2,")
    with pytest.raises(BuildError) as caught:
        check_bits(model, iter([random_inputs(model.graph, 2)]), "host")
    assert str(caught.value).startswith("'net' on the host: ended with 1:\n")
    assert "heap-buffer-overflow" in str(caught.value)


QEMU = pytest.param("cortex-m55", "emulator", marks=pytest.mark.toolchain)


@pytest.mark.parametrize(("board", "on"), [("cortex-m4", "host"), ("cortex-m4", "emulator"), QEMU])
def test_a_layer_that_runs_only_once_is_found_though_the_input_stays_the_same(board: str, on: str) -> None:
    """What an inference has left in memory would be right for the next."""
    model = two_ports(board)
    body = model.files["net.c"].partition("void net_run_in(")[2].partition("\n}")[0]
    call = re.findall(r"    net_\w+\([^;]*\);\n", body)[-1]
    x = random_inputs(model.graph, 1)
    inputs = {name: np.repeat(value, 4, axis=0) for name, value in x.items()}
    assert check_bits(model, iter([inputs]), on).bit_exact
    report = check_bits(
        tampered(model, call, f"    static int runs;\n    if (runs++ == 0)\n    {call}"), iter([inputs]), on
    )
    assert (report.samples, report.exact_samples) == (4, 1)


@pytest.mark.parametrize(("board", "on"), [("cortex-m4", "host"), ("cortex-m4", "emulator"), QEMU])
def test_one_byte_that_is_written_only_once_is_found(board: str, on: str) -> None:
    model = two_ports(board)
    text = model.files["net.c"]
    (body,) = re.findall(r"static void net_\w*total\w*\([^)]*\)\n(\{.*?\n\})", text, re.DOTALL)
    kept = "static int runs;\n    const int8_t kept = y[1];"
    broken = f"{{\n    {kept}\n    {body}\n    if (runs++ > 0)\n        y[1] = kept;\n}}"
    inputs = {name: np.repeat(value, 5, axis=0) for name, value in random_inputs(model.graph, 1).items()}
    report = check_bits(tampered(model, body, broken), iter([inputs]), on)
    assert report.first_mismatch is not None
    assert (report.exact_samples, report.first_mismatch.sample, report.first_mismatch.index) == (1, 1, 1)


def test_no_sample_is_not_bit_exact() -> None:
    report = check_bits(matrix(), iter([]), "host")
    assert (report.samples, report.compared_bytes, report.bit_exact) == (0, 0, False)


def test_a_report_is_exact_only_without_mismatches() -> None:
    report = check_bits(matrix(), iter([{"x": np.zeros((1, 1, 3), np.int8)}]), "host")
    assert report.bit_exact
    assert not replace(report, mismatches=1).bit_exact
