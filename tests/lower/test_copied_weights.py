"""Weights that are copied into the arena before a layer reads them: which are, and the same bytes on every board."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from golden.graphs import digits
from onnx_models import model, node, random
from support import Case, integer_branches, random_inputs, with_ranges

import mcuq
from mcuq.artifact import load, save
from mcuq.boards.find import load_board
from mcuq.build.footprint import Footprint
from mcuq.cli.common import model_json, model_lines
from mcuq.compile import Aim, assemble_for
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.lower import alternatives
from mcuq.lower.copied import LEAST_USES, copied_bytes_of, copies_of, with_copied_weights
from mcuq.lower.memories import parse_memories
from mcuq.lower.placement import Placement
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.window import Window
from mcuq.validate import check_bits

RNG = np.random.default_rng(0)
X: dict[str, tuple[int, ...]] = {"x": (1, 3, 12, 12)}


def convolution(pixels: int, channels: int = 8) -> Case:
    weight = RNG.normal(size=(16, 1, 1, channels))
    return Conv2d(Window((1, 1))), [(1, 1, pixels, channels), weight, RNG.normal(size=16)]


CASES: list[Case] = [
    convolution(LEAST_USES),
    convolution(LEAST_USES - 1),
    (FullyConnected(), [(1, 32), RNG.normal(size=(8, 32)), RNG.normal(size=8)]),
    convolution(40, channels=24),
]


def network(has_dense: bool = True):
    """Convolutions and a dense layer."""
    nodes = [
        node("Conv", ["x", "w"], "a", "first", pads=[1, 1, 1, 1]),
        node("Relu", ["a"], "b"),
        node("Conv", ["b", "v"], "c", "second", strides=[2, 2]),
        node("GlobalAveragePool", ["c"], "d"),
        node("Flatten", ["d"], "e"),
        node("Gemm", ["e", "u"], "y", "last"),
    ]
    constants = {"w": random(8, 3, 3, 3), "v": random(16, 8, 3, 3), "u": random(16, 4)}
    return model(nodes, X, constants=constants)


def copies(compiled: mcuq.CompiledModel) -> int:
    """Sizes of which weights are copied."""
    return compiled.files["net.c"].count("mcuq_copy_bytes(scratch, weight, bytes);")


def data(count: int = 6):
    return {"x": np.stack([random(*X["x"][1:], seed=i) for i in range(count)])}


def test_weights_that_are_used_often_are_copied() -> None:
    program = alternatives(integer_branches(CASES), frozenset(), "balanced")[0]
    sizes = [copied_bytes_of(step) for step in program.steps if step.layer.op.macs(step.layer)]
    assert sizes == [128, 0, 0, 384]
    assert copies_of(program) == ()
    copying = with_copied_weights(program, 200)
    made = ["+".join(call.constants.stem() for call in step.calls) for step in copying.steps if step.calls]
    assert [name.startswith("copy_weights+") for name in made] == [True, False, False, False]
    assert [size_bytes for _, size_bytes in copies_of(copying)] == [128]
    assert copying.constant_bytes == program.constant_bytes
    assert [size_bytes for _, size_bytes in copies_of(with_copied_weights(program, 400))] == [128, 384]
    outputs = [step.layer.output.name for step in program.steps]
    assert with_copied_weights(program, 400, outputs) is program
    assert with_copied_weights(program, 100) is program


def test_packed_weights_are_unpacked_and_not_copied() -> None:
    compiled = mcuq.compile(network(), "cortex-m4", data(), name="net", scheme="int4", judged=False)
    program = alternatives(compiled.graph, load_board("cortex-m4").cpu.features, "balanced")[0]
    packed = [step for step in program.steps if any(t.packing for t in step.layer.inputs)]
    assert packed
    assert not any(map(copied_bytes_of, packed))


BOARDS = ["cortex-m0", "cortex-m4", "cortex-m7", "cortex-m55", "rv32imc", "nucleo-h743zi", "teensy-4.1"]


@pytest.mark.parametrize(
    ("board", "on"),
    [
        ("cortex-m4", "host"),
        *(pytest.param(board, "emulator", marks=[] if board == "cortex-m7" else pytest.mark.slow) for board in BOARDS),
    ],
)
def test_c_gives_the_simulators_bits(board: str, on: str) -> None:
    """Copies beside arrays that stay, of layers that share a function."""
    graph: Graph = integer_branches([*CASES, convolution(40, channels=24)])
    compiled = assemble_for(graph, load_board(board), "net", Aim(weights=Placement(copied_bytes=1024)))
    # Arrays that hold more than weights, or are filled up, are used less often; layers of a size share a function.
    made = {"cortex-m0": (2, 2), "cortex-m55": (1, 2)}.get(board, (2, 3))
    assert (copies(compiled), len(compiled.listing.copies)) == made
    report = check_bits(compiled, iter([random_inputs(graph, 3)]), on)
    assert report.first_mismatch is None
    assert report.compared_bytes > 0


@pytest.mark.parametrize("scheme", ["int16", "float32", "dynamic"])
def test_in_every_scheme(scheme: str) -> None:
    compiled = mcuq.compile(network(), "host", data(), name="net", scheme=scheme, judged=False, copied_bytes=8192)
    assert copies(compiled) == 2
    assert mcuq.run(compiled, data(2)).report.bit_exact


def test_where_ram_is_short_layers_run_by_rows_and_others_copy() -> None:
    graph, board = digits(), load_board("cortex-m4")

    def of(copied: int, most: int | None = None) -> mcuq.CompiledModel:
        return assemble_for(graph, board, "net", Aim(max_ram_bytes=most, weights=Placement(copied_bytes=copied)))

    plain, copying, bounded = of(0), of(300), of(300, 2700)
    assert [" net_rows" in compiled.files["net.c"] for compiled in (plain, copying, bounded)] == [False, False, True]
    assert bounded.arena_bytes <= 2700 < plain.arena_bytes <= copying.arena_bytes
    assert "COPIED_WEIGHTS" not in plain.files["net.h"]
    for compiled in (copying, bounded):
        assert "#define NET_COPIED_WEIGHTS_BYTES " in compiled.files["net.h"]
        assert check_bits(compiled, iter([random_inputs(graph, 3)]), "host").first_mismatch is None
    assert (copies(copying), copies(bounded)) == (3, 2)
    with pytest.raises(ModelError) as caught:
        of(16384, 3000)
    assert str(caught.value) == (
        "model 'net': --copy-weights 16384: there is no RAM for copies beside the arena; allow fewer bytes of weights, "
        "or more RAM, or leave it out"
    )


def test_a_copy_lies_in_the_fastest_memory() -> None:
    """Which is used most for its size."""
    graph = with_ranges(integer_branches([convolution(400, channels=64)]))
    aim = Aim(weights=Placement(copied_bytes=4096), memories=parse_memories("dtcm:2k,axi"))
    compiled = assemble_for(graph, load_board("nucleo-h743zi"), "net", aim)
    assert (compiled.arenas[0].memory, compiled.arenas[0].size_bytes) == ("dtcm", 1536)  # and 512 of the kernel's own
    assert check_bits(compiled, iter([random_inputs(graph, 3)]), "host").first_mismatch is None


def test_it_is_kept_in_files_and_with_external_weights(tmp_path: Path) -> None:
    given = {"copied_bytes": 8192, "weights": "external", "judged": False}
    compiled = mcuq.compile(network(), "host", data(), name="net", **given)
    assert copies(compiled) == 2
    assert mcuq.run(compiled, data(2)).report.bit_exact
    mcuq.save(compiled, tmp_path)
    again = mcuq.load(tmp_path / "net.mcuq")
    assert again.placement == replace(compiled.placement, arena="")
    assert again.placement.copied_bytes == 8192


def test_what_does_not_go() -> None:
    def of(**asked):
        with pytest.raises(ModelError) as caught:
            mcuq.compile(network(), "cortex-m4", data(), name="net", judged=False, **asked)
        return str(caught.value)

    assert of(copied_bytes=64, optimize="size") == (
        "model 'net': --copy-weights: does not go with --optimize size, whose functions are told where weights lie; "
        "leave out one of the two"
    )
    assert of(copied_bytes=4) == (
        "model 'net': --copy-weights 4: the weights that are used often enough have 224 bytes a layer, or more; allow "
        "as many"
    )


HELIUM: list[Case] = [
    convolution(64),
    (Conv2d(Window((3, 3), pads=(1, 1, 1, 1))), [(1, 9, 9, 8), RNG.normal(size=(12, 3, 3, 8)), RNG.normal(size=12)]),
    (Conv2d(Window((3, 3)), groups=16), [(1, 12, 12, 16), RNG.normal(size=(16, 3, 3, 1)), RNG.normal(size=16)]),
    (Conv2d(Window((5, 3)), groups=16), [(1, 12, 12, 16), RNG.normal(size=(16, 5, 3, 1)), RNG.normal(size=16)]),
    convolution(40, channels=80),
]


@pytest.mark.toolchain
def test_helium_kernels_copy_what_they_read_beside_weights_too() -> None:
    graph = integer_branches(HELIUM)
    compiled = assemble_for(graph, load_board("cortex-m55"), "net", Aim(weights=Placement(copied_bytes=4096)))
    arrays = {name.rpartition("_")[2] for name in compiled.listing.arrays}
    assert {"weight", "blocks", "records"} <= arrays
    assert len(compiled.listing.copies) == len(HELIUM)
    assert check_bits(compiled, iter([random_inputs(graph, 3)]), "emulator").first_mismatch is None


def test_summary_header_and_json_tell_what_is_copied_for_which_layers(tmp_path: Path) -> None:
    compiled = mcuq.compile(network(), "cortex-m7", data(), name="net", judged=False, copied_bytes=8192)
    assert compiled.listing.copies == (("first", 224), ("second", 1152))
    header = compiled.files["net.h"]
    assert " * first: 224\n * second: 1152\n */\n#define NET_COPIED_WEIGHTS_BYTES 1152\n" in header
    footprint = Footprint(compiled.constant_bytes, None, None)
    assert model_json(compiled, footprint)["copied_weights"] == [
        {"layer": "first", "bytes": 224},
        {"layer": "second", "bytes": 1152},
    ]
    lines = list(model_lines(compiled, footprint))
    at = lines.index("              1,376 bytes of the constants are copied in each inference:")
    assert lines[at + 1 : at + 3] == ["                224 first", "              1,152 second"]
    save(compiled, tmp_path)
    assert load(tmp_path).listing.copies == compiled.listing.copies
