import io
import json
import os
import pickle
import re
import stat
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden.graphs import tiny
from support import model_of, random_inputs

from mcuq.artifact import FORMAT, load, save
from mcuq.compile import CompiledModel, compile_model
from mcuq.errors import ArtifactError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.simulate import simulate
from mcuq.ops.identity import Identity
from mcuq.quantize import quantize_graph
from mcuq.resources import resource_dir
from mcuq.system import durable
from mcuq.validate import check_bits
from mcuq.version import __version__


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    """Has a Chain, Windows, infinite and finite bounds, int8 and int32 constants."""
    return model_of(tiny(), "host", "tiny")


def error_of(folder: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        load(folder)
    return str(caught.value)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# --- round trip ------------------------------------------------------------------------------------------------


def assert_equal(got: CompiledModel, want: CompiledModel) -> None:
    assert got.graph.text() == want.graph.text()
    assert got.graph.name == want.graph.name
    assert got.graph.nodes == want.graph.nodes
    assert list(got.graph.tensors) == list(want.graph.tensors)
    for name, tensor in want.graph.tensors.items():
        other = got.graph.tensors[name]
        assert (other.name, other.shape, other.dtype, other.quant) == (
            tensor.name,
            tensor.shape,
            tensor.dtype,
            tensor.quant,
        )
        assert (other.data is None) == (tensor.data is None)
        if tensor.data is not None:
            assert other.values.dtype == tensor.values.dtype
            assert np.array_equal(other.values, tensor.values)
    for field in fields(CompiledModel):
        if field.name != "graph":
            assert getattr(got, field.name) == getattr(want, field.name), field.name
    assert got.board.source == want.board.source


def test_a_saved_model_is_loaded_as_it_was(model: CompiledModel, tmp_path: Path) -> None:
    paths = save(model, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["tiny.h", "tiny.c", "tiny.mcuq"]
    assert all(path.is_file() for path in paths)
    assert sorted(contents(tmp_path / "new" / "folder")) == ["tiny.c", "tiny.h", "tiny.mcuq"]
    assert_equal(load(tmp_path / "new" / "folder"), model)
    assert_equal(load(tmp_path / "new" / "folder" / "tiny.mcuq"), model)


def test_a_compiled_onnx_model_is_loaded_as_it_was(tmp_path: Path) -> None:
    digits = resource_dir("examples") / "digits"
    model = compile_model(digits / "digits.onnx", "host", str(digits / "digits_calibration.npz"), name="seven")
    save(model, tmp_path)
    assert_equal(load(tmp_path), model)
    assert model.origin.samples > 0


def test_a_loaded_model_computes_the_same(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    loaded = load(tmp_path)
    inputs = random_inputs(model.graph, 4)
    assert np.array_equal(simulate(loaded.graph, inputs)["y"], simulate(model.graph, inputs)["y"])
    assert check_bits(loaded, iter([inputs]), "host").bit_exact


def test_odd_names_and_scalar_constants_survive(tmp_path: Path) -> None:
    builder = GraphBuilder("Ünïcode 日本")
    x = builder.input("a*/\\\n\0😀", ())
    builder.outputs.append(builder.add(Identity(), [x], '"quoted"'))

    model = model_of(quantize_graph(builder.graph(), {x: (-1.0, 1.0)}), name="net")
    save(model, tmp_path)
    assert_equal(load(tmp_path), model)


def test_the_c_is_read_as_it_lies_on_disk(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    (tmp_path / "tiny.c").write_bytes(b"/* changed \xc3\xbc */\r\n")
    assert load(tmp_path).files["tiny.c"] == "/* changed ü */\r\n"


def test_the_same_model_gives_the_same_bytes(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path / "a")
    save(model_of(tiny(), "host", "tiny"), tmp_path / "b")
    save(load(tmp_path / "a"), tmp_path / "c")
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")


def test_a_model_replaces_an_earlier_one_of_its_name(model: CompiledModel, tmp_path: Path) -> None:
    for name in model.files:
        (tmp_path / name).write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    save(model, tmp_path)
    assert_equal(load(tmp_path), model)
    assert sorted(contents(tmp_path)) == ["notes.txt", "tiny.c", "tiny.h", "tiny.mcuq"]


# --- nothing half written --------------------------------------------------------------------------------------


def fail_at(monkeypatch: pytest.MonkeyPatch, place: int, error: BaseException) -> None:
    """Let the replacement number `place` of a file in its final folder fail."""
    original, seen = durable.write_whole, []

    def write_whole(path: Path, data: bytes) -> None:
        if path.suffix != ".new":
            seen.append(path)
            if len(seen) == place + 1:
                raise error
        original(path, data)

    monkeypatch.setattr(durable, "write_whole", write_whole)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_failure_while_files_are_put_in_place_leaves_none(
    place: int, model: CompiledModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fail_at(monkeypatch, place, OSError(28, "No space left on device"))
    with pytest.raises(ArtifactError) as caught:
        save(model, tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be written: No space left on device; choose another folder with -o"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_while_files_are_put_in_place_keeps_the_earlier_model(
    place: int, error: BaseException, model: CompiledModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    builder = GraphBuilder("earlier")
    builder.outputs.append(builder.add(Identity(), [builder.input("x", (4,))], "y"))

    earlier = model_of(quantize_graph(builder.graph(), {"x": (-1.0, 1.0)}), name="tiny")
    save(earlier, tmp_path)
    before = contents(tmp_path)
    with monkeypatch.context() as patched:
        fail_at(patched, place, error)
        with pytest.raises(ArtifactError if isinstance(error, OSError) else KeyboardInterrupt):
            save(model, tmp_path)
    assert contents(tmp_path) == before
    assert_equal(load(tmp_path), earlier)


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_failure_while_files_are_written_leaves_none(
    place: int, model: CompiledModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original, seen = os.fsync, []

    def fsync(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            seen.append(handle)
            if len(seen) == place + 1:
                raise OSError(28, "No space left on device")
        original(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with pytest.raises(ArtifactError):
            save(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_a_file_stays(model: CompiledModel, tmp_path: Path) -> None:
    (tmp_path / "tiny.c").mkdir()
    (tmp_path / "tiny.c" / "mine").write_text("kept")
    with pytest.raises(ArtifactError) as caught:
        save(model, tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be written: Is a directory; choose another folder with -o"
    assert contents(tmp_path) == {"tiny.c/mine": b"kept"}


def test_a_folder_that_cannot_be_made_is_an_error(model: CompiledModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError) as caught:
        save(model, tmp_path / "file" / "folder")
    assert str(caught.value) == (
        f"{tmp_path / 'file' / 'folder'}: cannot be written: Not a directory; choose another folder with -o"
    )
    with pytest.raises(ArtifactError) as caught:
        save(model, tmp_path / "file")
    assert str(caught.value) == f"{tmp_path / 'file'}: cannot be written: File exists; choose another folder with -o"


def test_a_journal_that_is_none_is_an_error(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    (tmp_path / "tiny.mcuq.new").write_bytes(b"no zip")
    assert error_of(tmp_path) == (
        f"{tmp_path}: a save was cut off and cannot be completed (BadZipFile); compile the model again"
    )
    with pytest.raises(ArtifactError) as caught:
        save(model, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds a damaged journal NAME.mcuq.new; remove it, or choose another folder with -o"
    )


# --- what cannot be loaded -------------------------------------------------------------------------------------


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    want = f"{tmp_path}: holds no compiled model; make one: mcuq compile MODEL --board NAME -o {tmp_path}"
    assert error_of(tmp_path) == want
    nowhere = tmp_path / "nowhere"
    assert error_of(nowhere) == want.replace(str(tmp_path), str(nowhere))


def test_a_folder_with_several_models_is_an_error(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    save(model_of(tiny(), name="second"), tmp_path)
    assert error_of(tmp_path) == (
        f"{tmp_path}: holds several compiled models (second.mcuq, tiny.mcuq); give the path of one of them"
    )
    assert load(tmp_path / "second.mcuq").name == "second"


@pytest.mark.parametrize("name", ["tiny.c", "tiny.h"])
def test_a_missing_c_file_is_an_error(name: str, model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    (tmp_path / name).unlink()
    assert error_of(tmp_path) == f"{tmp_path}: '{name}' is missing beside tiny.mcuq; compile the model again"


def test_another_format_is_an_error(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    rewrite(tmp_path, lambda manifest: manifest.update(format=FORMAT + 1))
    assert error_of(tmp_path) == (
        f"tiny.mcuq: has format {FORMAT + 1}, this mcuq ({__version__}) reads {FORMAT}; compile the model again"
    )


def damaged(folder: Path) -> str:
    """The kind of error behind "is damaged", once the message is as it should be."""
    message = error_of(folder)
    pattern = rf"{re.escape(str(folder))}/tiny\.mcuq: is damaged \((\w+)\); compile the model again"
    found = re.fullmatch(pattern, message)
    assert found, message
    return found[1]


def test_a_file_that_is_no_zip_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "tiny.mcuq").write_bytes(b"hello")
    assert damaged(tmp_path) == "BadZipFile"


def test_a_file_cut_short_anywhere_is_damaged(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    data = (tmp_path / "tiny.mcuq").read_bytes()
    lengths = np.random.default_rng(0).integers(0, len(data), 60).tolist()
    for length in [0, 1, len(data) - 1, *lengths]:
        (tmp_path / "tiny.mcuq").write_bytes(data[:length])
        damaged(tmp_path)


def test_a_file_with_flipped_bits_is_damaged_or_reads_the_same(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    data = (tmp_path / "tiny.mcuq").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        (tmp_path / "tiny.mcuq").write_bytes(changed)
        try:
            loaded = load(tmp_path)
        except ArtifactError:
            damaged(tmp_path)
            refused += 1
        else:
            assert_equal(loaded, model)
    assert refused > 100


def members(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / "tiny.mcuq") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(folder: Path, found: dict[str, bytes]) -> None:
    with zipfile.ZipFile(folder / "tiny.mcuq", "w") as archive:
        for name, data in found.items():
            archive.writestr(name, data)


def rewrite(folder: Path, change: Callable[[Any], object]) -> None:
    """Change the manifest of the saved model."""
    found = members(folder)
    manifest = json.loads(found["manifest.json"])
    change(manifest)
    write_members(folder, found | {"manifest.json": json.dumps(manifest).encode()})


@pytest.mark.parametrize("name", ["manifest.json", "constants.npz", "model.onnx"])
def test_a_missing_member_is_damage(name: str, model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    write_members(tmp_path, {key: data for key, data in members(tmp_path).items() if key != name})
    assert damaged(tmp_path) == "KeyError"


MANIFESTS: dict[str, tuple[Callable[[Any], object], str]] = {
    "no graph": (lambda m: m.pop("graph"), "KeyError"),
    "an unknown operator": (lambda m: m["graph"]["nodes"][0]["op"].update(type="System"), "KeyError"),
    "an unknown attribute": (lambda m: m["graph"]["nodes"][0]["op"].update(evil=1), "TypeError"),
    "an attribute that does not fit": (lambda m: m["graph"]["nodes"][0]["op"].update(groups=7), "ModelError"),
    "a shape that does not fit": (lambda m: m["graph"]["tensors"][0].update(shape=[1, 1]), "ModelError"),
    "an unknown dtype": (lambda m: m["graph"]["tensors"][0].update(dtype="object"), "ModelError"),
    "an unknown tensor": (lambda m: m["graph"].update(inputs=["nowhere"]), "ModelError"),
    "a constant that is not there": (lambda m: m["graph"]["tensors"][-1].update(data="99"), "KeyError"),
    "a text for a list": (lambda m: m["graph"].update(nodes="none"), "TypeError"),
    "a number for a list": (lambda m: m["graph"].update(tensors=3), "TypeError"),
    "a board that is none": (lambda m: m.update(board="name = 1"), "BoardError"),
    "a goal that is none": (lambda m: m.update(optimize="flash"), "ModelError"),
    "a name that is a path": (lambda m: m.update(name="../tiny"), "ValueError"),
    "a name with C in it": (lambda m: m.update(name="tiny; int x"), "ValueError"),
    "a name that is a number": (lambda m: m.update(name=7), "AttributeError"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_makes_no_sense_is_damage(case: str, model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    change, error = MANIFESTS[case]
    rewrite(tmp_path, change)
    assert damaged(tmp_path) == error


def test_a_manifest_that_is_no_json_is_damage(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    for data in (b"", b"[", b"[]", b"\xff", b"[" * 100_000):
        write_members(tmp_path, members(tmp_path) | {"manifest.json": data})
        damaged(tmp_path)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_loading_executes_nothing(model: CompiledModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    found, bomb = members(tmp_path), Bomb(tmp_path / "exploded")
    arrays = io.BytesIO()
    np.savez(arrays, **{"0": np.array([bomb], object)})
    write_members(tmp_path, found | {"constants.npz": arrays.getvalue()})
    assert damaged(tmp_path) == "ValueError"
    write_members(tmp_path, found | {"constants.npz": pickle.dumps(bomb)})
    assert damaged(tmp_path) == "ValueError"
    assert not bomb.path.exists()
    pickle.loads(pickle.dumps(bomb))
    assert bomb.path.exists()
