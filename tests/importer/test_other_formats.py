"""Models of other tools name what makes ONNX of them; models in memory are models."""

from pathlib import Path

import onnx
import pytest
from onnx_models import model, node, random, saved

import mcuq
from mcuq.errors import ModelError
from mcuq.importer import import_model, read_model

CONVERT = "convert it: python -m tf2onnx.convert"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "net.tflite",
            b"\x1c\0\0\0TFL2" + bytes(40),
            "net.tflite: is not a TensorFlow Lite model, which has TFL3 as its bytes 5 to 8; convert or copy it again",
        ),
        (
            "my net.h5",
            b"\x89HDF\r\n\x1a\n" + bytes(40),
            f"my net.h5: is a Keras model, not ONNX; {CONVERT} --keras 'FOLDER/my net.h5' "
            "--output 'FOLDER/my net.onnx'",
        ),
        (
            "net.keras",
            b"PK\x03\x04" + bytes(40),
            f"net.keras: is a Keras model, not ONNX; {CONVERT} --keras FOLDER/net.keras --output FOLDER/net.onnx",
        ),
        (
            "net.PT",
            b"PK\x03\x04" + bytes(40),
            "net.PT: is a PyTorch file, not ONNX; export it where it is made: "
            "torch.onnx.export(model, (example_input,), 'FOLDER/net.onnx')",
        ),
        (
            "inputs.npz",
            b"PK\x03\x04" + bytes(40),
            "inputs.npz: is data, not ONNX; give it to --calibration, and the .onnx file here",
        ),
        ("net.bin", b"PK\x03\x04" + bytes(40), "net.bin: is not an ONNX model; give an .onnx file"),
    ],
)
def test_a_file_of_another_tool_names_what_helps(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError) as caught:
        import_model(tmp_path / name)
    assert str(caught.value) == message.replace("FOLDER", str(tmp_path))


def test_a_saved_model_names_what_helps(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    with pytest.raises(ModelError) as caught:
        import_model(folder)
    assert str(caught.value) == f"{folder}: is a folder; give the .onnx file in it"
    (folder / "saved_model.pb").touch()
    with pytest.raises(ModelError) as caught:
        import_model(folder)
    assert str(caught.value) == (
        f"{folder}: is a SavedModel, not ONNX; {CONVERT} --saved-model {folder} --output {tmp_path}/net.onnx"
    )


def dense() -> onnx.ModelProto:
    """Called "ai.onnx", which reading makes "": a copy of it, not the user's."""
    found = model([node("Gemm", ["x", "w"], "y", "dense")], {"x": [1, 4]}, constants={"w": random(4, 3)})
    found.opset_import[0].domain = "ai.onnx"
    return found


def test_a_model_in_memory_is_what_its_file_is(tmp_path: Path) -> None:
    proto = dense()
    wanted = read_model(saved(proto, tmp_path))
    assert read_model(proto) == wanted
    assert read_model(proto.SerializeToString()) == wanted
    assert proto == dense()
    compiled = mcuq.compile(proto, "host", random(20, 4))
    assert compiled.name == "model"
    assert compiled.files == mcuq.compile(proto.SerializeToString(), "host", random(20, 4)).files
    assert mcuq.inspect(proto).parameters == 12 + 3
    assert mcuq.diagnose(proto, "host", random(20, 4)).layers


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelError, match=r"^model: is not an ONNX model; give an .onnx file$"):
        import_model(b"nonsense")
