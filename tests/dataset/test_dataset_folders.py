"""Samples that are one file each: .npy files and images, with and without a folder per class."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcuq.dataset import InputSpec, open_dataset
from mcuq.errors import DataError

VECTOR = InputSpec("v", (1, 3))
COLOUR = InputSpec("image", (1, 4, 5, 3))


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)


def save_image(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(values).save(path)


def save_npy(path: Path, values: object) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    np.save(path, values)


def assert_refused(message: str, folder: Path, *inputs: InputSpec) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        list(open_dataset(folder, inputs))


def test_npy_files_are_read_in_the_order_of_their_names_with_or_without_the_batch(tmp_path):
    save_npy(tmp_path / "b.npy", np.array([[4, 5, 6]], np.int16))
    save_npy(tmp_path / "a.npy", np.array([1.0, 2.0, 3.0]))
    (tmp_path / "notes.txt").write_text("not a sample")
    (tmp_path / ".a.npy").write_text("not a sample either")
    dataset = open_dataset(tmp_path, [VECTOR])
    assert len(dataset) == 2
    assert dataset.labels is None
    for _ in range(2):
        assert [sample["v"].tolist() for sample in dataset] == [[[1, 2, 3]], [[4, 5, 6]]]
    (batch,) = dataset.batches(2)
    assert batch["v"].shape == (2, 1, 3)
    assert batch["v"].dtype == np.float32


def test_a_npy_file_in_fortran_order_reads_the_same(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    save_npy(tmp_path / "a.npy", np.asfortranarray(values))
    (sample,) = open_dataset(tmp_path, [InputSpec("x", (4, 3))])
    np.testing.assert_array_equal(sample["x"], values)


@pytest.mark.parametrize("suffix", ["png", "bmp", "PNG"])
def test_colour_images_come_in_the_layout_of_the_model(tmp_path, suffix):
    save_image(tmp_path / f"a.{suffix}", pixels())
    (nhwc,) = open_dataset(tmp_path, [COLOUR])
    np.testing.assert_array_equal(nhwc["image"], pixels()[None].astype(np.float32))
    (nchw,) = open_dataset(tmp_path, [InputSpec("image", (1, 3, 4, 5))])
    np.testing.assert_array_equal(nchw["image"], pixels().transpose(2, 0, 1)[None])


def test_jpeg_files_are_read(tmp_path):
    save_image(tmp_path / "a.jpg", np.full((4, 5, 3), 200, np.uint8))
    (sample,) = open_dataset(tmp_path, [COLOUR])
    np.testing.assert_allclose(sample["image"], 200, atol=2)


@pytest.mark.parametrize("shape", [(1, 4, 5, 1), (1, 1, 4, 5)])
def test_grey_images_fit_models_of_one_channel(tmp_path, shape):
    save_image(tmp_path / "a.png", pixels()[:, :, 0])
    (sample,) = open_dataset(tmp_path, [InputSpec("image", shape)])
    np.testing.assert_array_equal(sample["image"], pixels()[:, :, 0].reshape(shape))


def test_a_grey_image_fills_all_channels_of_a_colour_model(tmp_path):
    save_image(tmp_path / "a.png", pixels()[:, :, 0])
    (sample,) = open_dataset(tmp_path, [COLOUR])
    np.testing.assert_array_equal(sample["image"], np.repeat(pixels()[None, :, :, :1], 3, axis=3))


def test_subfolders_are_classes_in_the_order_of_their_names(tmp_path):
    for name, value in (("dog", 2), ("cat", 1), ("ant", 0)):
        save_npy(tmp_path / name / "1.npy", np.full(3, value))
    save_npy(tmp_path / "cat" / "2.npy", np.full(3, 1))
    (tmp_path / ".cache").mkdir()
    dataset = open_dataset(tmp_path, [VECTOR])
    assert dataset.label_names == ("ant", "cat", "dog")
    assert dataset.labels.tolist() == [0, 1, 1, 2]
    assert [int(sample["v"][0, 0]) for sample in dataset] == dataset.labels.tolist()


def test_classes_named_by_numbers_are_in_numeric_order(tmp_path):
    for number in range(12):
        save_npy(tmp_path / str(number) / "a.npy", np.full(3, number))
    dataset = open_dataset(tmp_path, [VECTOR])
    assert dataset.label_names == tuple(str(number) for number in range(12))
    assert [int(sample["v"][0, 0]) for sample in dataset] == list(range(12))


def test_a_class_without_samples_keeps_its_number(tmp_path):
    (tmp_path / "a").mkdir()
    save_npy(tmp_path / "b" / "1.npy", np.zeros(3))
    dataset = open_dataset(tmp_path, [VECTOR])
    assert dataset.label_names == ("a", "b")
    assert dataset.labels.tolist() == [1]


def test_the_folder_may_be_the_current_one(tmp_path, monkeypatch):
    save_npy(tmp_path / "a.npy", np.full(3, np.nan))
    monkeypatch.chdir(tmp_path)
    message = f"{tmp_path.name}/a.npy: 3 of 3 values are NaN, Inf or beyond float32; mend or remove the sample"
    assert_refused(message, Path(), VECTOR)


def test_a_folder_without_samples_is_refused(tmp_path):
    (tmp_path / "d").mkdir()
    message = "d: has fewer than one sample; give at least one of .npy, .png, .jpg, .jpeg, .bmp"
    assert_refused(message, tmp_path / "d", VECTOR)
    (tmp_path / "d" / "cat").mkdir()
    assert_refused(message, tmp_path / "d", VECTOR)


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    def refuse(_folder: Path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert_refused(f"{tmp_path.name}: cannot be listed (Permission denied)", tmp_path, VECTOR)


def test_a_folder_cannot_feed_two_inputs(tmp_path):
    assert_refused(
        f"{tmp_path.name}: a folder serves models with one input, this one has 2 ('v', 'image'); "
        "give an .npz file with one array each",
        tmp_path,
        VECTOR,
        COLOUR,
    )


def test_mixtures_in_a_folder_are_refused(tmp_path):
    save_npy(tmp_path / "d" / "a.npy", np.zeros(3))
    save_image(tmp_path / "d" / "b.png", pixels())
    folder = tmp_path / "d"
    assert_refused("d: holds both .npy files and images; give one or the other", folder, VECTOR)
    (folder / "cat").mkdir()
    assert_refused("d: holds both samples and subfolders; give one or the other", folder, VECTOR)
    (folder / "a.npy").unlink()
    (folder / "b.png").unlink()
    (folder / "cat" / "old").mkdir()
    assert_refused(
        "d/cat: holds subfolders; a class's folder holds its samples only",
        folder,
        VECTOR,
    )


def test_npy_files_that_do_not_fit_are_refused_by_name(tmp_path):
    path = tmp_path / "d" / "a.npy"
    save_npy(path, np.zeros(4))
    assert_refused("d/a.npy: shape (4,) does not fit the model's input 'v'; give (1, 3)", tmp_path / "d", VECTOR)
    save_npy(path, np.array([None] * 3))
    assert_refused(
        "d/a.npy: dtype object is not supported; use float32, float64, float16 or integers",
        tmp_path / "d",
        VECTOR,
    )
    path.write_bytes(b"")
    assert_refused(
        "d/a.npy: cannot be read (EOF: reading magic string, expected 8 bytes got 0); "
        "it may be truncated or corrupt, write it again",
        tmp_path / "d",
        VECTOR,
    )


def test_an_image_of_another_size_is_refused_not_resized(tmp_path):
    save_image(tmp_path / "d" / "cat" / "a.png", pixels().transpose(1, 0, 2).copy())
    assert_refused(
        "d/cat/a.png: the image is 4 x 5 pixels (width x height), the model takes 5 x 4; resize it first",
        tmp_path / "d",
        COLOUR,
    )


def test_an_image_of_16_bits_is_refused(tmp_path):
    save_image(tmp_path / "d" / "a.png", pixels()[:, :, 0].astype(np.uint16))
    assert_refused("d/a.png: pixel format I;16 is not supported; use 8 bits a channel", tmp_path / "d", COLOUR)


def test_damaged_images_are_refused(tmp_path):
    path = tmp_path / "d" / "a.png"
    save_image(path, pixels())
    whole = path.read_bytes()
    path.write_bytes(whole[:60])
    assert_refused(
        "d/a.png: cannot be read (image file is truncated); it may be truncated or corrupt, write it again",
        tmp_path / "d",
        COLOUR,
    )
    path.write_bytes(b"no image")
    assert_refused(
        f"d/a.png: cannot be read (cannot identify image file {str(path)!r}); "
        "it may be truncated or corrupt, write it again",
        tmp_path / "d",
        COLOUR,
    )


@pytest.mark.parametrize("shape", [(1, 128), (1, 4, 5, 2), (2, 4, 5, 3)])
def test_images_are_refused_where_the_input_is_none(tmp_path, shape):
    save_image(tmp_path / "d" / "a.png", pixels())
    assert_refused(
        f"d: images do not fit the model's input 'x' of shape {shape}; "
        "they need 1 or 3 channels, last or first, and a batch of 1",
        tmp_path / "d",
        InputSpec("x", shape),
    )


def test_without_pillow_images_say_how_to_get_it(tmp_path, monkeypatch):
    save_image(tmp_path / "d" / "a.png", pixels())
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert_refused(
        "d: reading images needs Pillow; install it with: pip install 'mcuq[images]'", tmp_path / "d", COLOUR
    )
