"""Samples from .npz files and arrays: what is accepted, what is refused and how, and in how much memory."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcuq.dataset import Dataset, InputSpec, from_arrays, open_dataset
from mcuq.errors import DataError

AUDIO = InputSpec("audio", (1, 4, 3))
PAIR = (InputSpec("left", (1, 2)), InputSpec("right", (1, 3)))


def samples(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def written(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "cal.npz", **arrays)
    return folder / "cal.npz"


def stacked(dataset: Dataset, name: str) -> np.ndarray:
    return np.stack([sample[name] for sample in dataset])


def assert_refused(message: str, *arguments, read: bool = False, opener=open_dataset) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        dataset = opener(*arguments)
        if read:
            list(dataset)


def test_an_npz_yields_its_samples_in_order_as_often_as_asked(tmp_path):
    x = samples(7, 4, 3)
    dataset = open_dataset(written(tmp_path, x=x, y=np.arange(7)), [AUDIO])
    assert len(dataset) == 7
    for _ in range(2):
        np.testing.assert_array_equal(stacked(dataset, "audio"), x[:, None])
    np.testing.assert_array_equal(dataset.labels, np.arange(7))
    assert dataset.labels.dtype == np.int64
    assert dataset.label_names is None


def test_batches_stack_samples_and_the_last_has_what_is_left(tmp_path):
    x = samples(7, 4, 3)
    batches = list(open_dataset(written(tmp_path, x=x), [AUDIO]).batches(3))
    assert [batch["audio"].shape for batch in batches] == [(3, 1, 4, 3), (3, 1, 4, 3), (1, 1, 4, 3)]
    np.testing.assert_array_equal(np.concatenate([batch["audio"] for batch in batches]), x[:, None])


def test_two_iterations_at_once_do_not_disturb_each_other(tmp_path):
    dataset = open_dataset(written(tmp_path, x=samples(5, 4, 3)), [AUDIO])
    for a, b in zip(dataset, dataset, strict=True):
        np.testing.assert_array_equal(a["audio"], b["audio"])


def test_a_batch_of_one_may_be_spelled_out_or_left_out():
    x = samples(5, 4, 3)
    for given_x in (x, x[:, None]):
        np.testing.assert_array_equal(stacked(from_arrays(given_x, [AUDIO]), "audio"), x[:, None])


def test_a_model_of_batch_two_takes_two_at_a_time():
    x = samples(5, 2, 3)
    spec = InputSpec("x", (2, 3))
    np.testing.assert_array_equal(stacked(from_arrays(x, [spec]), "x"), x)
    assert_refused(
        "data: array 'x': shape (10, 3) does not fit the model's input 'x'; give (N, 2, 3) for N samples",
        x.reshape(10, 3),
        [spec],
        opener=from_arrays,
    )


def test_each_input_of_a_model_has_its_own_array(tmp_path):
    left, right = samples(4, 2), samples(4, 1, 3)
    dataset = open_dataset(written(tmp_path, left=left, right=right, unused=left), PAIR)
    np.testing.assert_array_equal(stacked(dataset, "left"), left[:, None])
    np.testing.assert_array_equal(stacked(dataset, "right"), right)


def test_x_comes_before_the_input_name_and_y_is_data_for_an_input_named_y(tmp_path):
    one, two = samples(3, 2), samples(3, 2) + 1
    spec = InputSpec("y", (1, 2))
    np.testing.assert_array_equal(stacked(from_arrays({"x": one, "y": [0, 1, 2]}, [spec]), "y"), one[:, None])
    dataset = open_dataset(written(tmp_path, y=two), [spec])
    np.testing.assert_array_equal(stacked(dataset, "y"), two[:, None])
    assert dataset.labels is None


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8", "u1", "i1", "<u2", "i8"])
def test_floats_and_integers_become_float32(tmp_path, dtype):
    x = np.arange(24).reshape(2, 4, 3).astype(dtype)
    values = stacked(open_dataset(written(tmp_path, x=x), [AUDIO]), "audio")
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, x[:, None].astype(np.float32))


def test_fortran_order_compression_and_a_column_of_labels_change_nothing(tmp_path):
    x = samples(6, 4, 3)
    np.savez_compressed(tmp_path / "cal.npz", x=np.asfortranarray(x), y=np.arange(6, dtype=np.uint8)[:, None])
    dataset = open_dataset(str(tmp_path / "cal.npz"), [AUDIO])
    np.testing.assert_array_equal(stacked(dataset, "audio"), x[:, None])
    np.testing.assert_array_equal(dataset.labels, np.arange(6))


@given(
    x=hnp.arrays(np.float32, st.tuples(st.integers(1, 9), st.just(2)), elements=st.floats(-9, 9, width=32)),
    batch=st.integers(1, 12),
)
def test_batches_of_any_size_carry_the_same_samples(x, batch):
    batches = from_arrays(x, [InputSpec("x", (1, 2))]).batches(batch)
    np.testing.assert_array_equal(np.concatenate([b["x"] for b in batches]), x[:, None])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path, save):
    def peak_bytes(n: int) -> int:
        path = tmp_path / f"{n}.npz"
        save(path, x=samples(n, 32, 32, 3))
        tracemalloc.start()
        for _ in open_dataset(path, [InputSpec("x", (1, 32, 32, 3))]):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    few, many = peak_bytes(10), peak_bytes(1000)
    assert many < few + 20_000  # one sample is 12,288 bytes


def test_a_missing_path_is_named():
    assert_refused(
        "no/cal.npz: no such file or folder; give an .npz file, or a folder of .npy files or images",
        "no/cal.npz",
        [AUDIO],
    )


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "cal.npz").write_text("a,b\n")
    assert_refused(
        "cal.npz: as an .npz file: cannot be read (File is not a zip file); "
        "it may be truncated or corrupt, write it again",
        tmp_path / "cal.npz",
        [AUDIO],
    )


def test_damaged_data_is_refused_when_it_is_read(tmp_path):
    path = written(tmp_path, x=np.zeros((3, 4, 3), np.float32))
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    assert_refused(
        "cal.npz: array 'x': cannot be read (Bad CRC-32 for file 'x.npy'); "
        "it may be truncated or corrupt, write it again",
        path,
        [AUDIO],
        read=True,
    )


def test_a_wrong_checksum_at_the_end_of_compressed_data_is_noticed(tmp_path):
    path = tmp_path / "cal.npz"
    np.savez_compressed(path, x=samples(3, 64, 64))
    with zipfile.ZipFile(path) as archive:
        checksum = archive.infolist()[0].CRC.to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(checksum, b"oops"))
    assert_refused(
        "cal.npz: array 'x': cannot be read (Bad CRC-32 for file 'x.npy'); "
        "it may be truncated or corrupt, write it again",
        path,
        [InputSpec("x", (1, 64, 64))],
        read=True,
    )


def test_an_array_that_ends_early_is_refused(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.zeros((3, 4, 3), np.float32))
    with zipfile.ZipFile(tmp_path / "cal.npz", "w") as archive:
        archive.writestr("x.npy", stream.getvalue()[:-50])
    assert_refused(
        "cal.npz: array 'x': cannot be read (it ends within sample 1); it may be truncated or corrupt, write it again",
        tmp_path / "cal.npz",
        [AUDIO],
        read=True,
    )


@pytest.mark.parametrize("version", [(3, 0), (9, 9)])
def test_an_array_of_an_unknown_format_version_is_refused(tmp_path, version):
    with zipfile.ZipFile(tmp_path / "cal.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY" + bytes(version) + bytes(100))
    assert_refused(
        f"cal.npz: array 'x': cannot be read (version {version[0]}.{version[1]} of the .npy format is not "
        "supported); it may be truncated or corrupt, write it again",
        tmp_path / "cal.npz",
        [AUDIO],
    )


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_whatever_byte_is_damaged_only_data_errors_of_one_line_arise(tmp_path, save):
    save(tmp_path / "cal.npz", x=np.asfortranarray(samples(3, 4, 3)), y=np.arange(3))
    whole = (tmp_path / "cal.npz").read_bytes()
    damaged = [whole[:n] for n in range(0, len(whole), 7)]
    damaged += [whole[:i] + bytes([whole[i] ^ 0xFF]) + whole[i + 1 :] for i in range(len(whole))]
    path = tmp_path / "bad.npz"
    for data in damaged:
        path.write_bytes(data)
        try:
            assert len(list(open_dataset(path, [AUDIO]))) > 0
        except DataError as error:
            assert str(error).startswith("bad.npz: ")
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("arrays", "inputs", "message"),
    [
        (
            {"sound": samples(2, 4, 3), "y": [0, 1]},
            [AUDIO],
            "cal.npz: no array 'x' or 'audio' for the model's input 'audio'; the arrays are: 'sound', 'y'",
        ),
        (
            {"left": samples(2, 2), "rihgt": samples(2, 3)},
            PAIR,
            "cal.npz: no array 'right' for the model's input 'right'; the arrays are: 'left', 'rihgt'; "
            "did you mean 'rihgt'?",
        ),
        ({}, [AUDIO], "cal.npz: no array 'x' or 'audio' for the model's input 'audio'; the arrays are: none"),
        (
            {"x": samples(2, 3, 4)},
            [AUDIO],
            "cal.npz: array 'x': shape (2, 3, 4) does not fit the model's input 'audio'; give (N, 4, 3) for N samples; "
            "transposed? np.moveaxis(x, -1, 1) puts the channels first",
        ),
        (
            {"x": np.float32(1)},
            [AUDIO],
            "cal.npz: array 'x': shape () does not fit the model's input 'audio'; give (N, 4, 3) for N samples",
        ),
        (
            {"x": samples(2, 4, 3) + 1j},
            [AUDIO],
            "cal.npz: array 'x': dtype complex64 is not supported; use float32, float64, float16 or integers",
        ),
        (
            {"x": np.array([["a"] * 3] * 4)[None]},
            [AUDIO],
            "cal.npz: array 'x': dtype <U1 is not supported; use float32, float64, float16 or integers",
        ),
        (
            {"x": np.zeros((2, 4, 3), bool)},
            [AUDIO],
            "cal.npz: array 'x': dtype bool is not supported; use float32, float64, float16 or integers",
        ),
        (
            {"x": np.full((2, 4, 3), None)},
            [AUDIO],
            "cal.npz: array 'x': dtype object is not supported; use float32, float64, float16 or integers",
        ),
        (
            {"x": samples(0, 4, 3)},
            [AUDIO],
            "cal.npz: array 'x': shape (0, 4, 3) has fewer than one sample; give at least one",
        ),
        (
            {"left": samples(2, 2), "right": samples(3, 3)},
            PAIR,
            "cal.npz: the inputs have different numbers of samples: 'left' has 2, 'right' has 3",
        ),
        (
            {"x": samples(2, 4, 3), "y": [0, 1, 2]},
            [AUDIO],
            "cal.npz: labels 'y': shape (3,) does not fit 2 samples; give one class number each, shape (2,)",
        ),
        (
            {"x": samples(2, 4, 3), "y": []},
            [AUDIO],
            "cal.npz: labels 'y': dtype float64 is not supported; give integer class numbers",
        ),
        (
            {"x": samples(2, 4, 3), "y": [1, 0.5]},
            [AUDIO],
            "cal.npz: labels 'y': sample 1 has 0.5, no class number; give integers",
        ),
        (
            {"x": samples(2, 4, 3), "y": [1, np.nan]},
            [AUDIO],
            "cal.npz: labels 'y': sample 1 has nan, no class number; give integers",
        ),
        (
            {"x": samples(2, 32, 16, 3)},
            [InputSpec("image", (1, 3, 32, 16))],
            "cal.npz: array 'x': shape (2, 32, 16, 3) does not fit the model's input 'image'; give (N, 3, 32, 16) for "
            "N samples; transposed? np.moveaxis(x, -1, 1) puts the channels first",
        ),
        (
            {"x": samples(2, 1, 3, 32, 16)},
            [InputSpec("image", (1, 32, 16, 3))],
            "cal.npz: array 'x': shape (2, 1, 3, 32, 16) does not fit the model's input 'image'; give (N, 32, 16, 3) "
            "for N samples; transposed? np.moveaxis(x, 2, -1) puts the channels last",
        ),
        (
            {"y": samples(2, 4, 3)},
            [AUDIO],
            "cal.npz: no array 'x' or 'audio' for the model's input 'audio'; the arrays are: 'y'",
        ),
        (
            {"x": samples(2, 4, 3), "y": np.eye(2, dtype=int)},
            [AUDIO],
            "cal.npz: labels 'y': shape (2, 2) does not fit 2 samples; give one class number each, shape (2,)",
        ),
    ],
)
def test_arrays_that_do_not_fit_the_model_are_refused(tmp_path, arrays, inputs, message):
    assert_refused(message, written(tmp_path, **arrays), inputs)


def test_the_only_array_of_a_file_may_have_any_name(tmp_path):
    x = samples(3, 4, 3)
    np.savez(tmp_path / "cal.npz", x)
    np.testing.assert_array_equal(stacked(open_dataset(tmp_path / "cal.npz", [AUDIO]), "audio"), x[:, None])


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_npy_file_holds_the_samples_of_the_only_input(tmp_path, order):
    x = samples(5, 4, 3)
    np.save(tmp_path / "cal.npy", np.asarray(x, order=order))
    dataset = open_dataset(tmp_path / "cal.npy", [AUDIO])
    np.testing.assert_array_equal(np.concatenate([batch["audio"] for batch in dataset.batches(2)]), x[:, None])
    assert dataset.labels is None


def test_a_npy_file_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "cal.npy"
    np.save(path, samples(5, 3))
    assert_refused(
        "cal.npy: shape (5, 3) does not fit the model's input 'audio'; give (N, 4, 3) for N samples", path, [AUDIO]
    )
    assert_refused(
        "cal.npy: a .npy file serves models with one input, this one has 2 ('left', 'right'); "
        "give an .npz file with one array each",
        path,
        PAIR,
    )
    np.save(path, samples(0, 4, 3))
    assert_refused("cal.npy: shape (0, 4, 3) has fewer than one sample; give at least one", path, [AUDIO])
    np.save(path, samples(5, 4, 3))
    path.write_bytes(path.read_bytes()[:-4])
    assert_refused(
        "cal.npy: cannot be read (mmap length is greater than file size); it may be truncated or corrupt, write it "
        "again",
        path,
        [AUDIO],
        read=True,
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cal.csv",
            "cal.csv: is text; make an .npz file of it: python -c 'import numpy as np; "
            "np.savez('\"'\"'FOLDER/cal.npz'\"'\"', x=np.loadtxt('\"'\"'FOLDER/cal.csv'\"'\"', "
            "delimiter='\"'\"','\"'\"', ndmin=2))'",
        ),
        (
            "cal.PT",
            "cal.PT: is PyTorch's; make an .npz file of it: python -c 'import numpy as np, torch; "
            "np.savez('\"'\"'FOLDER/cal.npz'\"'\"', x=torch.load('\"'\"'FOLDER/cal.PT'\"'\"'))'",
        ),
        ("cal.png", "cal.png: is one image; give the folder that it is in: FOLDER"),
    ],
)
def test_files_of_other_formats_name_the_command_that_helps(tmp_path, name, message):
    (tmp_path / name).write_text("1,2\n")
    assert_refused(message.replace("FOLDER", str(tmp_path)), tmp_path / name, [AUDIO])


def test_the_command_for_text_makes_the_file(tmp_path):
    (tmp_path / "cal.csv").write_text("1,2\n3,4\n")
    spec = InputSpec("x", (1, 2))
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path / "cal.csv", [spec])
    _, _, command = str(caught.value).partition("make an .npz file of it: python ")
    subprocess.run([sys.executable, *shlex.split(command)], check=True)
    np.testing.assert_array_equal(stacked(open_dataset(tmp_path / "cal.npz", [spec]), "x")[:, 0], [[1, 2], [3, 4]])


@pytest.mark.parametrize("kind", ["f4", "f8", "?", "u1"])
def test_labels_are_whole_numbers_of_any_type(kind):
    labels = np.array([1, 0, 1]).astype(kind)
    found = from_arrays(samples(3, 4, 3), [AUDIO], labels).labels
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [1, 0, 1])


class Tensor:
    """What PyTorch's tensors are like to NumPy while they need gradients: only what was detached can be converted."""

    def __init__(self, values, attached=True):
        self.values, self.attached = np.asarray(values), attached
        self.shape = self.values.shape

    def __array__(self, dtype=None, copy=None):
        return self.numpy()

    def detach(self):
        return Tensor(self.values, attached=False)

    def cpu(self):
        return self

    def numpy(self):
        if self.attached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.values.dtype == object:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


def test_tensors_with_gradients_are_arrays():
    x, y = samples(3, 4, 3), np.array([2, 0, 1])
    for given_x in (Tensor(x), {"audio": Tensor(x)}, [Tensor(sample) for sample in x]):
        dataset = from_arrays(given_x, [AUDIO], Tensor(y))
        np.testing.assert_array_equal(stacked(dataset, "audio"), x[:, None])
        np.testing.assert_array_equal(dataset.labels, y)
    assert_refused(
        "data: array 'x': cannot become a NumPy array (Got unsupported ScalarType BFloat16); give float32: x.float()",
        Tensor(np.full((3, 4, 3), None)),
        [AUDIO],
        opener=from_arrays,
    )


def test_a_pair_is_inputs_and_labels():
    x, y = samples(3, 4, 3), np.array([2, 0, 1])
    for pair in ((x, y), ({"audio": x}, y), (Tensor(x), Tensor(y.astype(float)))):
        dataset = from_arrays(pair, [AUDIO])
        np.testing.assert_array_equal(stacked(dataset, "audio"), x[:, None])
        np.testing.assert_array_equal(dataset.labels, y)
    two = from_arrays((x[0], x[1]), [AUDIO])
    np.testing.assert_array_equal(stacked(two, "audio"), x[:2, None])
    assert two.labels is None


def test_values_that_are_not_finite_are_counted_in_their_sample(tmp_path):
    x = samples(9, 4, 3).astype(np.float64)
    x[7, 0] = np.nan, -np.inf, 1e300
    x[8] = np.nan
    path = written(tmp_path, x=x)
    message = "cal.npz: array 'x', sample 7: 3 of 12 values are NaN, Inf or beyond float32; mend or remove the sample"
    assert_refused(message, path, [AUDIO], read=True)
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        list(open_dataset(path, [AUDIO]).batches(5))


def test_arrays_in_memory_are_refused_as_those_in_files_are():
    assert_refused(
        "data: array 'x': its rows differ in length; give an array of one shape",
        [[1, 2], [3]],
        [InputSpec("x", (1, 2))],
        opener=from_arrays,
    )
    assert_refused(
        "data: labels: shape (2,) does not fit 3 samples; give one class number each, shape (3,)",
        samples(3, 4, 3),
        [AUDIO],
        [0, 1],
        opener=from_arrays,
    )


def test_an_empty_batch_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match=r"^a batch has at least one sample, got 0$"):
        next(from_arrays(samples(3, 4, 3), [AUDIO]).batches(0))
