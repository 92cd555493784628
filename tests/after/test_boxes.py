"""Boxes: decoding against its formulas in float64, choosing against ONNX Runtime's NonMaxSuppression, the C against its
twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
import pytest
from behind import Case, bound, check, graph_of, tensor
from front_end_c import CPUS
from numpy.typing import NDArray
from onnx import TensorProto, helper

from mcuq.after.boxes import Boxes
from mcuq.after.fomo import Fomo
from mcuq.after.scores import ONE
from mcuq.after.ssd import Ssd
from mcuq.after.yolo import Yolo
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Tensor

Reals = NDArray[np.float64]
SIZE = "width = 64\nheight = 96\n"
RNG = np.random.default_rng(0)
ANCHORS = np.concatenate([RNG.uniform(0, 1, (40, 2)), RNG.uniform(0.02, 0.8, (40, 2))], 1)
FILES = {"anchors.txt": "\n".join(" ".join(f"{v:.6f}" for v in row) for row in ANCHORS) + "\n"}
V5 = 'kind = "yolov5"\nthreshold = 0.1\n'
V8 = 'kind = "yolov8"\nthreshold = 0.3\n'
SSD = 'kind = "ssd"\nboxes = "b"\nclasses = "c"\nanchors = "anchors.txt"\nthreshold = 0.3\n'
FOMO = 'kind = "fomo"\n'
STRIDES = (8, 16, 32)
PIXELS = [[5, 9, 20, 30], [40, 22, 17, 60], [90, 60, 70, 80]]

# name -> text, outputs
CASES: dict[str, tuple[str, list[Tensor]]] = {
    "v5 planar": (
        f"{V5}anchors = {PIXELS}",
        [tensor(f"h{s}", (2 * 8, 96 // s, 64 // s), 0.05 + s / 900, 3 - s) for s in STRIDES],
    ),
    "v5 last, any class": (
        f'{V5}anchors = {PIXELS[:1]}\nstrides = [16]\nnms = "any"\ncandidates = 7\noverlap = 0.2',
        [tensor("h", (6, 4, 2 * 6), 0.0003, 0, "int16")],
    ),
    "v5 anchors first": (
        f"{V5}anchors = {PIXELS[1:]}\nstrides = [8, 16]\nheads = ['p', 'q']\noverlap = 1\nmax_boxes = 5",
        [tensor("q", (2, 6, 4, 7), 0.06, -9), tensor("p", (2, 12, 8, 7), 0.04, 9)],
    ),
    "v5 decoded": (f'{V5}decoded = true\nunit = "fractions"', [tensor("y", (60, 8), 1 / 32768, 0, "int16")]),
    "v8 planar": (
        f"{V8}bins = 5",
        [tensor(f"h{s}", (4 * 5 + 3, 96 // s, 64 // s), 0.07 + s / 900, s) for s in STRIDES],
    ),
    "v8 last": (f"{V8}strides = [16]\nmax_boxes = 3", [tensor("h", (6, 4, 4 * 16 + 1), 0.1, 128, "uint8")]),
    "v8 decoded": (f"{V8}decoded = true", [tensor("y", (4 + 2, 84), 0.005, 7, "int16")]),
    "ssd softmax": (
        f'{SSD}scores = "softmax"',
        [tensor("b", (40, 4), 0.06, 5), tensor("c", (40, 4), 0.05, 0)],
    ),
    "ssd sigmoid": (
        f'{SSD}scores = "sigmoid"\norder = "yxhw"\nbackground = -1\nvariances = [0.2, 0.1, 0.3, 0.2]',
        [tensor("c", (40, 1), 0.1, 0), tensor("b", (40, 4), 0.0004, 0, "int16")],
    ),
    "ssd probabilities": (
        f'{SSD}scores = "probabilities"\nbackground = 2\nvariances = [1, 1, 30, 30]',
        [tensor("b", (40, 4), 0.2, 0), tensor("c", (40, 3), 1 / 255, 0, "uint8")],
    ),
    "fomo last": (f'{FOMO}scores = "probabilities"', [tensor("y", (12, 8, 3), 1 / 256, -128)]),
    "fomo planar": (
        f'{FOMO}scores = "softmax"\nlayout = "nchw"\nthreshold = 0.4\nmax_boxes = 4',
        [tensor("y", (4, 12, 8), 0.05, 0)],
    ),
    "fomo few": (f'{FOMO}scores = "sigmoid"\ncandidates = 6\nthreshold = 0.7', [tensor("y", (7, 5, 2), 0.02, 1)]),
}


def made(name: str) -> tuple[Boxes, Graph, dict[str, NDArray[Any]]]:
    """The twin, and codes (samples, *shape): both extremes, all equal, and noise."""
    text, outputs = CASES[name]
    graph = graph_of(outputs)
    twin = bound(f"{text}\n{SIZE}", graph, FILES)
    assert isinstance(twin, Boxes)
    codes = {}
    for t in outputs:
        info, rng = np.iinfo(t.dtype), np.random.default_rng(t.elements)
        rows = [np.full(t.elements, v) for v in (info.min, info.max, t.zero_point)]
        rows += [rng.normal(t.zero_point, (info.max - info.min) / k, t.elements) for k in (3, 5, 8)]
        rows += [rng.integers(info.min, info.max + 1, t.elements)]
        codes[t.name] = np.stack(rows).clip(info.min, info.max).astype(t.dtype).reshape(-1, *t.shape[1:])
    return twin, graph, codes


def logistic(x: Reals) -> Reals:
    return 1 / (1 + np.exp(-x))


def corners(x: Reals, y: Reals, width: Reals, height: Reals) -> Reals:
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)


def places_of(real: Reals, stride: int, anchors: int) -> Reals:
    """A head (channels, height, width), or with channels last or anchors first: (anchors, height, width, channels)."""
    height, width = 96 // stride, 64 // stride
    if real.ndim == 4:
        return real
    if real.shape[1:] == (height, width):
        return real.reshape(anchors, -1, height, width).transpose(0, 2, 3, 1)
    return real.reshape(height, width, anchors, -1).transpose(2, 0, 1, 3)


def yolo(decoder: Yolo, real: Mapping[str, Reals]) -> tuple[Reals, Reals]:
    """Edges in pixels and scores of all classes, from the formulas."""
    edges, scores = [], []
    for head in decoder.heads:
        own = real[head.tensor.name]
        if decoder.is_decoded:
            rows = own.T if own.shape[0] < own.shape[1] else own
            unit = (64, 96) if decoder.version == 5 else (1, 1)
            edges.append(
                corners(rows[:, 0] * unit[0], rows[:, 1] * unit[1], rows[:, 2] * unit[0], rows[:, 3] * unit[1])
            )
            rows = rows.clip(0, 1)
            scores.append(rows[:, 5:] * rows[:, 4:5] if decoder.version == 5 else rows[:, 4:])
            continue
        own = places_of(own, head.stride, len(head.anchors))
        cy, cx = np.mgrid[: own.shape[1], : own.shape[2]]
        if decoder.version == 5:
            t = logistic(own)
            anchors = np.array(head.anchors)[:, None, None] / 256
            x, y = (2 * t[..., 0] - 0.5 + cx) * head.stride, (2 * t[..., 1] - 0.5 + cy) * head.stride
            size = (2 * t[..., 2:4]) ** 2 * anchors
            edges.append(corners(x, y, size[..., 0], size[..., 1]).reshape(-1, 4))
            scores.append((t[..., 5:] * t[..., 4:5]).reshape(-1, t.shape[-1] - 5))
        else:
            bins = decoder.bins
            logits = own[..., : 4 * bins].reshape(*own.shape[:3], 4, bins)
            powers = np.exp(logits - logits.max(-1, keepdims=True))
            far = (powers * np.arange(bins)).sum(-1) / powers.sum(-1)
            x, y = cx + 0.5, cy + 0.5
            sides = [x - far[..., 0], y - far[..., 1], x + far[..., 2], y + far[..., 3]]
            edges.append((np.stack(sides, -1) * head.stride).reshape(-1, 4))
            scores.append(logistic(own[..., 4 * bins :]).reshape(-1, own.shape[-1] - 4 * bins))
    return np.concatenate(edges), np.concatenate(scores)


def ssd(twin: Boxes, decoder: Ssd, real: Mapping[str, Reals]) -> tuple[Reals, Reals]:
    variances = twin.after.values["variances"]
    t = real["b"][:, [1, 0, 3, 2]] if twin.after.values["order"] == "yxhw" else real["b"]
    a = ANCHORS * [64, 96, 64, 96]
    x, y = (a[:, i] + t[:, i] * variances[i] * a[:, 2 + i] for i in (0, 1))
    with np.errstate(over="ignore"):
        # an extent is limited to 2^10 anchors
        width, height = (a[:, i] * np.exp(np.minimum(t[:, i] * variances[i], 10 * np.log(2))) for i in (2, 3))
    c = real["c"]
    if decoder.scores.kind == "softmax":
        powers = np.exp(c - c.max(-1, keepdims=True))
        return corners(x, y, width, height), powers / powers.sum(-1, keepdims=True)
    return corners(x, y, width, height), logistic(c) if decoder.scores.kind == "sigmoid" else c.clip(0, 1)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("fomo")])
def test_boxes_and_scores_are_those_of_real_numbers(name: str) -> None:
    twin, graph, codes = made(name)
    decoder = twin.decoder
    for sample in range(len(next(iter(codes.values())))):
        own = {n: x[sample] for n, x in codes.items()}
        real = {
            n: (x.astype(np.float64) - graph.tensors[n].zero_point) * graph.tensors[n].scale for n, x in own.items()
        }
        if isinstance(decoder, Yolo):
            edges, scores = yolo(decoder, real)
        else:
            assert isinstance(decoder, Ssd)
            edges, scores = ssd(twin, decoder, real)
        found = decoder.candidates({n: x.reshape(-1) for n, x in own.items()}, 0)
        wanted = edges.clip(0, [64, 96, 64, 96])
        # half of 2^-4 of a pixel is rounding; the rest are scores in 2^-15 of extents and anchors in 2^-8
        assert np.abs(found.edges / 16 - wanted).max() <= 1 / 16
        if isinstance(decoder, Ssd) and decoder.background >= 0:
            scores[:, decoder.background] = -1
        assert np.abs(found.scores / ONE - scores.max(-1)).max() <= 2 / ONE
        chosen = scores[np.arange(len(scores)), found.classes]
        assert np.abs(chosen - scores.max(-1)).max() <= 1e-12


def onnx_runtime(edges: NDArray[Any], scores: NDArray[Any], overlap: float, most: int) -> list[int]:
    """Which boxes of one class are left, in order."""
    graph = helper.make_graph(
        [helper.make_node("NonMaxSuppression", ["b", "s", "m", "i"], ["y"])],
        "g",
        [
            helper.make_tensor_value_info("b", TensorProto.FLOAT, (1, len(edges), 4)),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, (1, 1, len(edges))),
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT64, (None, 3))],
        [
            helper.make_tensor("m", TensorProto.INT64, [], [most]),
            helper.make_tensor("i", TensorProto.FLOAT, [], [overlap]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {"b": edges.astype(np.float32)[None, :, [1, 0, 3, 2]], "s": scores.astype(np.float32)[None, None]}
    return [int(row[2]) for row in session.run(None, given)[0]]


@pytest.mark.parametrize("size", [320, 640, 2047])
def test_fine_offsets_move_large_boxes_to_a_16th_of_a_pixel(size: int) -> None:
    """Small steps of 16 bits, times a variance of 0.1."""
    boxes = tensor("b", (40, 4), 0.8 / 32768, 0, "int16")
    text = f'{SSD}scores = "sigmoid"\nbackground = -1\nwidth = {size}\nheight = {size}'
    twin = bound(text, graph_of([boxes, tensor("c", (40, 1), 0.1, 0)]), FILES)
    assert isinstance(twin, Boxes) and isinstance(twin.decoder, Ssd)
    codes = np.random.default_rng(size).integers(-32768, 32768, (40, 4)).astype(np.int16)
    t, a = codes * boxes.scale * [0.1, 0.1, 0.2, 0.2], ANCHORS * size
    x, y = (a[:, i] + t[:, i] * a[:, 2 + i] for i in (0, 1))
    width, height = (a[:, i] * np.exp(t[:, i]) for i in (2, 3))
    wanted = corners(x, y, width, height).clip(0, size)
    # anchors of 2^-8 of a pixel; and half of 2^-4, which is rounding
    assert np.abs(twin.decoder.edges(codes.reshape(-1)) / 16 - wanted).max() <= 1 / 16


@pytest.mark.parametrize("any_class", [False, True])
@pytest.mark.parametrize("overlap", [0.1, 0.45, 0.8])
def test_boxes_that_overlap_are_left_out_as_onnx_does(overlap: float, any_class: bool) -> None:
    kept = f'overlap = {overlap}\nnms = "{"any" if any_class else "class"}"'
    text = f"{V8}decoded = true\ncandidates = 1000\nmax_boxes = 1000\n{kept}"
    y = tensor("y", (4 + 3, 200), 0.004, 0, "int16")
    twin = bound(f"{text}\n{SIZE}", graph_of([y]))
    assert isinstance(twin, Boxes)
    rng = np.random.default_rng(int(overlap * 10))
    real = np.concatenate([rng.uniform(0, 64, (2, 200)), rng.uniform(4, 60, (2, 200)), rng.uniform(0, 1.2, (3, 200))])
    codes = (real / y.scale).astype(np.int16)
    codes[4:] = rng.permuted(np.arange(600)).reshape(3, 200) * 0.4  # no two scores are equal in one class
    found = twin.decoder.candidates({"y": codes.reshape(-1)}, twin.threshold)
    wanted = set()
    for index in (0, 1, 2):
        own = np.flatnonzero((found.classes == index) | any_class)
        kept = onnx_runtime(found.edges[own], found.scores[own], twin.overlap / ONE, 1000)
        wanted |= {(*found.edges[own[i]].tolist(), int(found.scores[own[i]])) for i in kept}
    (boxes,) = twin.of({}, {"y": codes[None]})
    assert {(b.left, b.top, b.right, b.bottom, b.score) for b in boxes} == wanted
    assert 10 < len(boxes) < len(found.scores)
    assert [b.score for b in boxes] == sorted((b.score for b in boxes), reverse=True)


def test_cells_that_touch_are_one_object() -> None:
    y = tensor("y", (6, 8, 3), 1 / 256, -128)
    twin = bound(f'{FOMO}scores = "probabilities"\nwidth = 64\nheight = 48\nlabels = ["", "cup", "pen"]', graph_of([y]))
    picture = ["1.....2.", ".1....2.", "........", "...2....", "1.1..2.2", "11...222"]
    codes = np.full((6, 8, 3), -128, np.int8)
    for row, line in enumerate(picture):
        for column, mark in enumerate(line):
            codes[row, column, int(mark) if mark != "." else 0] = 100 + row
    (boxes,) = twin.of({}, {"y": codes[None]})
    assert [str(b) for b in boxes] == [
        "cup 0.910 at 0,32 24x16",  # by its box, which the cell of the third column touches
        "pen 0.910 at 40,32 24x16",
        "pen 0.902 at 24,24 8x8",
        "cup 0.895 at 0,0 16x16",
        "pen 0.895 at 48,0 8x16",
    ]


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("fomo")])
def test_objects_are_those_that_any_order_of_merging_gives(name: str) -> None:
    twin, _, codes = made(name)
    decoder = twin.decoder
    assert isinstance(decoder, Fomo)
    for sample in codes["y"]:
        q = sample.reshape(decoder.classes, -1).T if decoder.is_planar else sample.reshape(-1, decoder.classes)
        scores = decoder.scores.of(q)
        held = []
        for cell, best in enumerate(1 + q[:, 1:].argmax(-1)):
            x, y = cell % decoder.cells[0], cell // decoder.cells[0]
            if scores[cell, best] >= twin.threshold:
                held.append([x, y, x + 1, y + 1, best, scores[cell, best]])
        rng = np.random.default_rng(1)
        merged = True
        while merged:
            merged = False
            rng.shuffle(held)
            for i in range(len(held)):
                for k in range(i):
                    a, b = held[i], held[k]
                    if a[4] == b[4] and a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]:
                        both = [
                            min(a[0], b[0]),
                            min(a[1], b[1]),
                            max(a[2], b[2]),
                            max(a[3], b[3]),
                            a[4],
                            max(a[5], b[5]),
                        ]
                        held = [own for n, own in enumerate(held) if n not in (i, k)] + [both]
                        merged = True
                        break
                if merged:
                    break
        found = decoder.candidates({"y": sample.reshape(-1)}, twin.threshold)
        if len(held) < decoder.room:
            got = {(*e, c, s) for e, c, s in zip(found.edges.tolist(), found.classes, found.scores, strict=True)}
            unit = [64 * 16, 96 * 16] * 2
            cells = decoder.cells * 2
            assert got == {
                (*(int(v) * u // n for v, u, n in zip(own[:4], unit, cells, strict=True)), own[4], own[5])
                for own in held
            }


@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_boxes_of_its_twin(cpu: str) -> None:
    cases = []
    for name in CASES:
        twin, graph, codes = made(name)
        tensors, offset, given = twin.decoder.tensors, 0, []
        for t in tensors:
            given.append(f"(const {t.dtype}_t *)(const void *)(in + {offset})")
            offset += t.size_bytes + -t.size_bytes % 4
        call = f"""
    id_box found[ID_CANDIDATES];
    const int32_t count = id_boxes({", ".join(given)}, found);
    *(int32_t *)(void *)out = count;
    for (int32_t i = 0; i < count; i++)
        for (int32_t k = 0; k < 12; k++)
            out[4 + 12 * i + k] = ((const int8_t *)(const void *)(found + i))[k];
"""
        samples = [
            b"".join(codes[t.name][i].tobytes() + bytes(-t.size_bytes % 4) for t in tensors)
            for i in range(len(codes[tensors[0].name]))
        ]
        want = []
        for boxes in twin.of({}, codes):
            rows = [[b.left, b.top, b.right, b.bottom, b.index, b.score] for b in boxes]
            data = np.array(rows, np.int64).astype(np.uint16)
            want.append(np.int32(len(boxes)).tobytes() + data.tobytes())
        assert max(map(len, want)) >= 40
        cases.append(Case(twin, graph, call, samples, want))
    check(cpu, cases)


Y = tensor("y", (4, 6, 4), 0.1)
BOTH = [tensor("b", (40, 4), 0.1), tensor("c", (40, 3), 0.1)]
REFUSED: list[tuple[str, list[Tensor], str]] = [
    (f'{V8}heads = ["z"]', [Y], "heads: 'z' is no output of the model, which has 'y'"),
    (V8, [Y], "strides: has 3 heads, the model 1; give each one"),
    (f"{V5}strides = [8]", [Y], "anchors: has 3 heads, the model 1; give each one"),
    (
        f"{V8}strides = [8]",
        [Y],
        "heads: 'y' of shape 1x4x6x4 is no grid of stride 8 in an image of 64x96: (channels, 12, 8) or (12, 8, "
        "channels), 1 anchors a cell",
    ),
    (
        f"{V8}strides = [16]",
        [tensor("y", (24, 6, 4), 0.1)],
        "heads: have -40 classes behind 64 channels; must all have the same, 1 or more",
    ),
    (
        f"{V8}strides = [16, 16]",
        [Y, tensor("z", (4, 6, 4), 0.1, 0, "int16")],
        "heads: are of several types; use a scheme that gives them one",
    ),
    (
        f"{V8}decoded = true",
        [Y],
        "decoded: takes one output of places, and 4 channels and classes of each; the model has 1x4x6x4",
    ),
    (
        f'{V8}decoded = true\nlabels = ["a"]',
        [tensor("y", (6, 50), 0.1)],
        "labels: are 1, output 'y' has 2 classes; give each one",
    ),
    (
        f'{SSD}scores = "softmax"',
        [tensor("b", (41, 4), 0.1), BOTH[1]],
        "anchors: are 40; 'b' of shape 1x41x4 and 'c' of shape 1x40x3 must have four offsets and scores of "
        "classes for each",
    ),
    (f'{SSD}scores = "softmax"\nbackground = 3', BOTH, "background = 3: there are 3 classes; -1 is none"),
    (
        f'{SSD}scores = "softmax"',
        [BOTH[0], tensor("c", (40, 1), 0.1)],
        "output 'c' has 1 class and background = 0; give -1 where none is the background",
    ),
    (
        f'{FOMO}scores = "softmax"',
        [tensor("y", (6, 4), 0.1)],
        "output 'y' of shape 1x6x4 is no grid of classes; give one of four dimensions, the first of them 1",
    ),
    (f'{FOMO}scores = "softmax"', [tensor("y", (6, 4, 1), 0.1)], "output 'y' has 1 class; the first is the background"),
]


@pytest.mark.parametrize(("text", "outputs", "message"), REFUSED)
def test_outputs_that_hold_no_such_boxes_are_refused(text: str, outputs: list[Tensor], message: str) -> None:
    with pytest.raises(ModelError) as error:
        bound(f"{text}\n{SIZE}", graph_of(outputs), FILES)
    assert str(error.value) == f"after.toml: {message}"


def test_anchors_that_are_none_are_refused() -> None:
    def refused(text: str) -> str:
        with pytest.raises(ModelError) as error:
            bound(f'{SSD}scores = "softmax"\n{SIZE}', graph_of(BOTH), {"anchors.txt": text})
        return str(error.value)

    head = "after.toml: anchors = 'anchors.txt': "
    line = "is no anchor; give x and y of its middle, width and height, as fractions of the image"
    assert refused("\n") == f"{head}has none; give one a line"
    assert refused("0 0 1 1\n0.5, 0.5, 1\n") == f"{head}line 2 {line}"
    assert refused("0 0 1 a\n") == f"{head}line 1 {line}"
    assert refused("0 0 0 1\n") == f"{head}line 1 {line}"
    assert refused("0 nan 1 1\n") == f"{head}line 1 {line}"
