"""The arena over time: as a map, in a terminal, as SVG and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from mcuq.artifact import load
from mcuq.cli import main
from mcuq.cli.arena import arena_json, arena_lines
from mcuq.plan.arena_map import ArenaMap, Box, MapStep
from mcuq.report.arena_picture import arena_svg

MODEL = "examples/digits/digits.onnx"
SVG = "{http://www.w3.org/2000/svg}"

STEPS = tuple(MapStep(name, op) for name, op in [("first", "Conv2d"), ("second", "Conv2d"), ("third", "Softmax")])
ARENA = ArenaMap(
    (
        Box("image", "input", 0, 400, -1, 0),
        Box("maps", "tensor", 300, 300, 0, 1),
        Box("first", "scratch", 600, 100, 0, 0),
        Box("ring", "rows", 0, 250, 1, 2),
        Box("scores", "output", 300, 20, 2, 3),
    ),
    STEPS,
    800,
    700,
)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "digits"
    assert call("compile", MODEL, "--board", "cortex-m4", "--no-judge", "--picture", "-o", str(path)).exit_code == 0
    return path


def test_bytes_of_several_boxes_are_used_once() -> None:
    assert [ARENA.used_bytes(step) for step in range(-1, 4)] == [400, 700, 550, 270, 20]
    assert ARENA.peak == 0
    assert [box.name for box in ARENA.alive(0)] == ["image", "maps", "first"]
    assert ArenaMap().peak == -1


def test_the_terminal_shows_a_line_a_step() -> None:
    assert list(arena_lines(ARENA, 80)) == [
        "arena 800 bytes, possible for this order: 700 or more",
        "step       0 to 800                                  bytes",
        "input      iiiiiiiiiiiiiiiiiiii....................    400",
        "0 Conv2d   iiiiiiiiiiiiiii%%%%%##########~~~~~.....    700  <- peak",
        "1 Conv2d   =============..###############..........    550",
        "2 Softmax  =============..o........................    270",
        "output     ...............o........................     20",
        "  i input, o output, # + tensors, = - rows, ~ scratch, % overlap, . free",
    ]
    assert max(map(len, arena_lines(ARENA, 80))) <= 80


def test_json_has_boxes_steps_and_the_peak() -> None:
    found = arena_json(ARENA)
    assert (found["arena_bytes"], found["least_arena_bytes"], found["peak_step"], found["peak_bytes"]) == (
        800,
        700,
        0,
        700,
    )
    assert found["steps"][1] == {"name": "second", "operator": "Conv2d", "bytes": 550}
    assert found["boxes"][3] == {
        "name": "ring",
        "kind": "rows",
        "offset": 0,
        "bytes": 250,
        "first_step": 1,
        "last_step": 2,
    }


def test_the_picture_has_a_box_of_each_kind_and_what_they_say() -> None:
    root = ElementTree.fromstring(arena_svg("net", ARENA))
    boxes = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "box"]
    titles = [title.text for box in boxes for title in box.iter(f"{SVG}title")]
    assert sorted(str(title) for title in titles) == [
        "first (scratch): 100 bytes at 600, 0 Conv2d 'first'",
        "image (input): 400 bytes at 0, input to 0 Conv2d 'first'",
        "maps: 300 bytes at 300, 0 Conv2d 'first' to 1 Conv2d 'second'",
        "ring (rows): 250 bytes at 0, 1 Conv2d 'second' to 2 Softmax 'third'",
        "scores (output): 20 bytes at 300, 2 Softmax 'third' to output",
    ]
    (peak,) = (r for r in root.iter(f"{SVG}rect") if r.get("class") == "peak")
    assert peak[0].text == "peak: 0 Conv2d 'first', 700 bytes"
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"net: arena 800 bytes", "possible for this order: 700 or more", "peak 700", "rings of rows"} <= set(texts)
    by_title = {str(box[0].text).split()[0]: box for box in boxes}
    image, scores = by_title["image"], by_title["scores"]
    assert float(image.get("height", 0)) == pytest.approx(20 * float(scores.get("height", 0)), rel=0.02)
    assert float(image.get("width", 0)) == pytest.approx(float(scores.get("width", 0)), abs=0.1)
    assert {line.get("class") for line in root.iter(f"{SVG}line")} == {"grid", "line", "least"}


@pytest.mark.parametrize("count", [0, 1, 79, 500])
def test_any_names_and_numbers_of_steps_are_drawn(count: int) -> None:
    name = "<a&b\x00\x1b'\"\u202e>" * 9
    steps = tuple(MapStep(name, "Conv2d") for _ in range(count))
    arena = ArenaMap((Box(name, "tensor", 0, 8, -1, count),), steps, 8, 8)
    root = ElementTree.fromstring(arena_svg(name, arena))
    assert sum(r.get("class") == "box" for r in root.iter(f"{SVG}rect")) == 1
    assert len([t for t in root.iter(f"{SVG}text") if t.get("transform")]) <= 80
    assert len(list(arena_lines(arena, 80))) == count + 5


def test_compile_writes_the_picture_beside_the_c(folder: Path) -> None:
    picture = (folder / "digits_arena.svg").read_text()
    model = load(folder)
    assert picture == arena_svg("digits", model.arena_map)
    assert f"digits: arena {model.arena_bytes:,} bytes" in picture
    assert model.arena_map.size_bytes == model.arena_map.least_bytes == model.arena_bytes
    assert "the least possible for this order" in picture
    assert {step.name for step in model.arena_map.steps} == {node.name for node in model.graph.nodes}
    assert {box.kind for box in model.arena_map.boxes} >= {"input", "output", "tensor"}
    assert max(box.offset + box.size_bytes for box in model.arena_map.boxes) <= model.arena_bytes


def test_inspect_shows_the_arena_of_a_compiled_model(folder: Path, tmp_path: Path) -> None:
    model = load(folder)
    shown = call("inspect", str(folder)).stdout.splitlines()
    assert shown[0] == f"digits: {len(model.graph.nodes)} layers, {model.macs:,} MACs, for cortex-m4"
    assert shown[1:] == list(arena_lines(model.arena_map, 80))
    path = tmp_path / "arena.svg"
    found = json.loads(call("inspect", str(folder / "digits.mcuq"), "--picture", str(path), "--json").stdout)
    assert path.read_text() == (folder / "digits_arena.svg").read_text()
    assert found == {
        "name": "digits",
        "board": "cortex-m4",
        "macs": model.macs,
        **json.loads(json.dumps(arena_json(model.arena_map))),
        "files": [str(path)],
    }


def test_inspect_refuses_what_is_for_the_other_kind_of_model(folder: Path) -> None:
    found = call("inspect", MODEL, "--picture", "arena.svg")
    assert found.exit_code == 2
    assert "--picture: draws the arena of a compiled model; give the folder that compile wrote\n" in found.stderr
    for option, value in (("outputs", "y"), ("shape", "x=1"), ("fix-input", "x=1"), ("input-layout", "nhwc")):
        found = call("inspect", str(folder), f"--{option}", value)
        assert found.exit_code == 2
        assert f"--{option}: is for a model that is not compiled yet\n" in found.stderr
