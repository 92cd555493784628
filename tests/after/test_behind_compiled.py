"""Models with something behind them: compiled, simulated and run, saved and loaded; what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from behind_networks import data, network
from click.testing import CliRunner
from test_compiled import network as summing

from mcuq.after.read import parse_after, read_after
from mcuq.api import run, simulate
from mcuq.artifact import load, save
from mcuq.cli import main
from mcuq.compile import CompiledModel, compile_model, on_board, with_goal
from mcuq.errors import ArtifactError, McuqError, ModelError

TEXT = 'kind = "classes"\nscores = "softmax"\nlabels = "labels.txt"\ntop = 2\nfloats = true\n'
LABELS = {"labels.txt": "north\neast\nsouth\nwest\n"}


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return compile_model(network(), "cortex-m4", data(), "behind", after=parse_after(TEXT, "after.toml", LABELS))


def test_results_come_with_simulate_and_run(model: CompiledModel) -> None:
    x = data(30)
    said = simulate(model, x)
    assert run(model, x, on="host").after == said.after
    assert len(said.after) == 30
    real = said.outputs["y"].astype(np.float64)[:, :]
    scores = np.exp(real) / np.exp(real).sum(-1, keepdims=True)
    for found, own in zip(said.after, scores.reshape(30, 4), strict=True):
        assert [c.label for c in found] == [("north", "east", "south", "west")[c.index] for c in found]
        assert [c.score / 32768 for c in found] == pytest.approx(sorted(own)[:-3:-1], abs=1 / 32768)


def test_it_is_kept_with_the_model(model: CompiledModel, tmp_path: Path) -> None:
    written = save(with_goal(model, "size"), tmp_path / "built")
    assert {path.name for path in written} >= {"behind_after.c", "behind_after.h"}
    loaded = load(tmp_path / "built")
    loaded.checked_listing()
    assert simulate(loaded, data(5)).after == simulate(model, data(5)).after
    path = tmp_path / "built" / "behind_after.h"
    path.write_text(path.read_text().replace("TOP 2", "TOP 1"))
    with pytest.raises(ArtifactError) as error:
        load(tmp_path / "built").checked_listing()
    assert str(error.value) == (
        "behind_after.h, behind_after.c: were changed after mcuq wrote them; compile the model again"
    )


def test_c_for_any_cpu_is_as_it_was_written_on_a_board_too() -> None:
    model = compile_model(network(), "host", data(), "behind", after=parse_after(TEXT, "after.toml", LABELS))
    assert on_board(model, "cortex-m4").checked_listing() == model.listing
    source = model.files["behind_after.c"] + "\n"
    with pytest.raises(ArtifactError) as error:
        replace(model, files={**model.files, "behind_after.c": source}).checked_listing()
    assert str(error.value) == (
        "behind_after.h, behind_after.c: were changed after mcuq wrote them; compile the model again"
    )


def test_the_command_line_shows_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(network(), "behind.onnx")
    np.savez("data.npz", x=data(12))
    Path("after.toml").write_text(TEXT)
    Path("labels.txt").write_text(LABELS["labels.txt"])

    def said(*words: str) -> str:
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        return result.stdout

    asked = ("compile", "behind.onnx", "--board", "host", "--calibration", "data.npz", "--after", "after.toml")
    assert "  after   the 2 likeliest of 4 classes of 'y' (softmax)\n" in said(*asked, "-o", "built")
    facts = json.loads(said(*asked, "-o", "built", "--json"))
    assert facts["after"] == {
        "kind": "classes",
        "what": "the 2 likeliest of 4 classes of 'y' (softmax)",
        "table_bytes": 1028,
        "state_bytes": 0,
    }
    shown = [line for line in said("simulate", "built", "--data", "data.npz").splitlines() if "  after " in line]
    listed = json.loads(said("simulate", "built", "--data", "data.npz", "--json"))["after"]
    assert len(listed) == 12
    first = ", ".join(f"{c['label']} {c['score'] / 32768:.3f}" for c in listed[0])
    assert shown[0] == f"  after 0     {first}"
    assert shown[10:] == ["  after       and 2 more: --json has all"]
    assert shown[0] in said("run", "built", "--data", "data.npz")
    assert json.loads(said("run", "built", "--data", "data.npz", "--json"))["after"] == listed


def test_floats_alone_are_real_values_of_outputs() -> None:
    model = compile_model(network(names=("y", "z")), "host", data(), "behind", after=parse_after('kind = "floats"'))
    assert {"behind_quantize_input", "behind_dequantize_z"} <= set(
        model.files["behind_after.h"].replace("(", " ").split()
    )
    said = simulate(model, data(3))
    for index, own in enumerate(said.after):
        assert list(own) == ["y", "z"]
        for name, x in own.items():
            assert np.allclose(x, said.outputs[name][index], rtol=2.0**-23, atol=0)


KINDS = "classes, decision, anomaly, ssd, yolov5, yolov8, fomo, floats"
BOXES = 'kind = "yolov5"\nwidth = 64\nheight = 64\n'
REFUSED = {
    "": f"kind = None: must be one of {KINDS}",
    'kind = "class"': f"kind = 'class': must be one of {KINDS}; did you mean 'classes'?",
    "kind =": "is no TOML: Invalid value (at end of document)",
    'kind = "floats"\nfloats = true': "'floats' is no key of kind 'floats'; known keys: none",
    'kind = "classes"': "scores: is missing; it must be one of softmax, sigmoid, probabilities",
    'kind = "classes"\nscores = "linear"': "scores = 'linear': must be one of softmax, sigmoid, probabilities",
    'kind = "classes"\nscore = "softmax"': "'score' is no key of kind 'classes'; did you mean 'scores'?",
    'kind = "classes"\ntemperature = 0': "temperature = 0: must be a number from 0.01 to 100",
    'kind = "decision"\nscores = "softmax"\nwatch = "yes"': "watch = 'yes': must be a list of labels, or of numbers of "
    "classes from 0",
    'kind = "yolov8"': "width: is missing; it must be a whole number from 1 to 2047",
    'kind = "ssd"\nwidth = 9\nheight = 9\nboxes = "b"\nclasses = "c"\nscores = "softmax"': "anchors: is missing; it "
    "must be the name of a file",
    f"{BOXES}strides = []": "strides = []: must be a list of whole numbers from 1 to 256, one a head",
    f"{BOXES}heads = 'y'": "heads = 'y': must be a list of texts",
    f"{BOXES}anchors = [[1, 2], [3]]": "anchors = [[1, 2], [3]]: must be a list for each head, of widths and heights "
    "in pixels in turn, as many in each",
    'kind = "ssd"\nvariances = [1]': "variances = [1]: must be a list of 4 numbers from 0.001 to 100",
    f"{BOXES}candidates = 0": "candidates = 0: must be a whole number from 1 to 1000",
    'kind = "anomaly"\nquantile = 2': "quantile = 2: must be a number from 0 to 1",
    'kind = "classes"\ntop = 0': "top = 0: must be a whole number from 1 to 100",
    'kind = "classes"\nfloats = 1': "floats = 1: must be true or false",
    'kind = "classes"\noutput = 1': "output = 1: must be a text",
    f'kind = "classes"\ntop = {"9" * 5000}': "is no TOML: Exceeds the limit (4300 digits) for integer string "
    "conversion: value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit",
    f'kind = "classes"\nthreshold = {10**400}': f"threshold = {10**400}: must be a number from 0 to 1",
    'kind = "classes"\nlabels = [1]': "labels = [1]: must be a list of texts, or the name of a file that has one "
    "a line",
}


@pytest.mark.parametrize("text", REFUSED)
def test_files_that_say_what_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(McuqError) as error:
        parse_after(text, "after.toml")
    assert str(error.value) == f"after.toml: {REFUSED[text]}"


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    def refused(text: bytes | None) -> str:
        path = tmp_path / "a.toml"
        if text is not None:
            path.write_bytes(text)
        with pytest.raises(ModelError) as error:
            read_after(path)
        return str(error.value).replace(str(tmp_path), "")

    assert refused(None) == "after '/a.toml': cannot be read: No such file or directory; give a .toml file"
    assert refused(b"\xff\xfe") == "after '/a.toml': is no text; give a .toml file"
    assert refused(TEXT.encode()) == (
        "a.toml: labels = 'labels.txt': cannot be read: No such file or directory; give a text file beside it"
    )
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe")
    assert refused(TEXT.encode()) == "a.toml: labels = 'labels.txt': is no text; give a text file beside it"
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbf" + "\n".join(map(str, range(10))).encode())
    (tmp_path / "a.toml").write_text(TEXT)
    assert read_after(tmp_path / "a.toml").labels[0] == "0"
    assert refused(b'kind = "classes"\nlabels = "a\\u0000b"') == (
        "a.toml: labels = 'a\x00b': is no name of a file; give a text file beside it"
    )
    (tmp_path / "labels.txt").write_text("\n" * 65537)
    assert refused(TEXT.encode()) == "a.toml: labels: are 65,537; give 65,536 at most"


DECISION = 'kind = "decision"\nscores = "sigmoid"\n'
CLASSES = 'kind = "classes"\nscores = "softmax"\n'


@pytest.mark.parametrize(
    ("proto", "text", "scheme", "message"),
    [
        (
            network(),
            CLASSES,
            "float32",
            "after.toml: reads integers of one scale, 'y' is of float32; use a scheme of int8 or int16 outputs",
        ),
        (
            network(names=("y", "z")),
            CLASSES,
            "int8",
            "after.toml: output: the model has 2 outputs ('y', 'z'); name one",
        ),
        (
            network(),
            f'{CLASSES}output = "z"',
            "int8",
            "after.toml: output = 'z': is no output of the model, which has 'y'",
        ),
        (
            network(),
            f'{CLASSES}labels = ["a", "b"]',
            "int8",
            "after.toml: labels: are 2, output 'y' has 4 classes; give each one",
        ),
        (
            network(),
            f"{DECISION}threshold = 0.4\nrelease = 0.5",
            "int8",
            "after.toml: release = 0.5: is above threshold, 0.4; give less",
        ),
        (
            network(),
            f'{DECISION}watch = ["yes"]',
            "int8",
            "after.toml: watch: has 'yes'; there are 4 classes, labels are not given",
        ),
        (
            network(),
            f'{DECISION}watch = [4]\nlabels = ["a", "b", "c", "d"]',
            "int8",
            "after.toml: watch: has 4; there are 4 classes, labels are a, b, c, d",
        ),
        (
            network(),
            'kind = "floats"',
            "float32",
            "after.toml: kind = 'floats': no input or output has one scale; leave out --after",
        ),
        (
            network(names=("y", "classify")),
            f'{CLASSES}output = "y"',
            "int8",
            "model 'behind': --after: its C and that of a tensor both have 'behind_classify'; rename the tensor in the "
            "model's file",
        ),
    ],
)
def test_models_that_do_not_give_what_is_read_are_refused(
    proto: onnx.ModelProto, text: str, scheme: str, message: str
) -> None:
    with pytest.raises(ModelError) as error:
        compile_model(proto, "host", data(), "behind", scheme=scheme, after=parse_after(text, "after.toml"))
    assert str(error.value) == message


def test_outputs_of_several_places_are_refused() -> None:
    proto = network()
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2
    proto.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 2
    proto.graph.node[0].output[0] = "flat"
    shape = onnx.numpy_helper.from_array(np.array([1, 2, 2]), "shape")
    proto.graph.initializer.append(shape)
    proto.graph.node.append(onnx.helper.make_node("Reshape", ["flat", "shape"], ["y"]))
    with pytest.raises(ModelError) as error:
        compile_model(proto, "host", data(), "behind", after=parse_after(CLASSES, "after.toml"))
    assert str(error.value) == (
        "after.toml: output 'y' of shape 1x2x2 has classes at several places; it reads one score a class"
    )


def test_floats_where_the_header_has_them_already_are_refused() -> None:
    """An input whose features lie apart has a scale for each, and functions of its own."""
    samples = np.random.default_rng(0).normal([0, 16000, -16000], 3, (60, 1, 6, 3)).astype(np.float32)
    model = summing(1, 6, 3)
    assert "behind_quantize_input" in compile_model(model, "cortex-m4", samples, "behind").files["behind.h"]
    with pytest.raises(ModelError) as error:
        compile_model(model, "cortex-m4", samples, "behind", after=parse_after('kind = "floats"'))
    assert str(error.value) == (
        "model 'behind': --after: behind.h has 'behind_quantize_output' already, as a tensor has scales per channel; "
        "use that, and leave out floats"
    )
