"""Data of sequences, for models with states: its forms, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcuq.dataset import InputSpec
from mcuq.dataset.sequences import Sequences, open_sequences
from mcuq.errors import DataError
from mcuq.graph.states import RESET

ONE = (InputSpec("x", (1, 3)),)
TWO = (*ONE, InputSpec("gain", (1, 2)))


def values(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def read(data: object, specs: tuple[InputSpec, ...] = ONE) -> tuple[list[list[float]], list[bool]]:
    """The first element of x at each call, and whether it begins a sequence."""
    found = [*open_sequences(data, specs)]
    return [sample["x"].reshape(-1)[0].item() for sample in found], [bool(sample[RESET]) for sample in found]


FIRSTS = ([0, 3, 6, 9], [True, False, True, False])


def test_arrays_are_sequences_of_steps() -> None:
    assert read(values(2, 2, 1, 3)) == FIRSTS
    assert read(values(2, 2, 3)) == FIRSTS
    assert read({"x": values(2, 2, 3), "gain": values(2, 2, 2)}, TWO) == FIRSTS


def test_a_list_has_sequences_of_any_length() -> None:
    assert read([values(1, 3), values(3, 3)]) == ([0, 0, 3, 6], [True, True, False, False])
    assert read([{"x": values(2, 3), "gain": values(2, 2)}], TWO) == ([0, 3], [True, False])


def test_files_are_what_arrays_are(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", values(2, 2, 1, 3))
    np.savez(tmp_path / "two.npz", x=values(2, 2, 3), gain=values(2, 2, 2))
    assert read(tmp_path / "one.npy") == FIRSTS
    assert read(str(tmp_path / "two.npz"), TWO) == FIRSTS


def test_a_folder_has_a_sequence_in_each_file(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", values(3, 3))
    np.save(tmp_path / "a.npy", values(1, 1, 3))
    (tmp_path / "notes.txt").write_text("not data")
    assert read(tmp_path) == ([0, 0, 3, 6], [True, True, False, False])
    both = tmp_path / "both"
    both.mkdir()
    np.savez(both / "a.npz", x=values(2, 3), gain=values(2, 2))
    assert read(both, TWO) == ([0, 3], [True, False])


def test_batches_hold_calls_in_order_across_sequences() -> None:
    found = open_sequences(values(2, 3, 3), ONE)
    assert isinstance(found, Sequences)
    assert len(found) == 6
    batches = [*found.batches(4)]
    assert [batch["x"].shape for batch in batches] == [(4, 1, 3), (2, 1, 3)]
    assert batches[0][RESET].tolist() == [1, 0, 0, 1]


def test_whole_sequences_are_held_back() -> None:
    found = open_sequences(values(8, 2, 3), ONE)
    held, others = found.part(True), found.part(False)
    assert len(held) + len(others) == 16
    assert {len(part) for part in (*held.parts, *others.parts)} == {2}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            values(8, 3),
            "data: array 'x': shape (8, 3) does not fit the model's input 'x'; the model has states, which go along "
            "sequences: give shape (sequences, steps, 3)",
        ),
        (
            values(8, 2, 4),
            "data: array 'x': shape (8, 2, 4) does not fit the model's input 'x'; the model has states, which go along "
            "sequences: give shape (sequences, steps, 3)",
        ),
        (
            values(8, 1, 3),
            "data: all sequences are of one call, which tells nothing of what states become; give several steps each, "
            "shape (sequences, steps, 3)",
        ),
        (
            [values(1, 3)],
            "data: its sequence is of one call, which tells nothing of what states become; give several steps each, "
            "shape (sequences, steps, 3)",
        ),
        ([], "data: holds no sequence; give .npy or .npz files, one each"),
        (
            iter([values(2, 3)]),
            "data: the model has states, which go along sequences: give a file, a folder, arrays (sequences, steps, "
            "...), or a list of arrays (steps, ...)",
        ),
        (
            [values(2, 3), values(2, 4)],
            "data: sequence 1: array 'x': shape (2, 4) does not fit the model's input 'x'; give (N, 3) for N samples",
        ),
    ],
)
def test_what_is_no_sequence_is_said_so(data: object, message: str) -> None:
    with pytest.raises(DataError) as error:
        open_sequences(data, ONE)
    assert str(error.value) == message


def test_inputs_have_as_many_steps_as_one_another() -> None:
    with pytest.raises(DataError) as error:
        open_sequences({"x": values(2, 2, 3), "gain": values(2, 3, 2)}, TWO)
    assert str(error.value) == (
        "data: the inputs have different numbers of sequences or steps: 'x' has 2 of 2 steps, 'gain' has 2 of 3 steps"
    )


def test_files_that_are_none_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        open_sequences(tmp_path / "none.npz", ONE)
    missing = f"{tmp_path / 'none.npz'}: no such file or folder; give an .npz file, or a folder of .npy or .npz files"
    assert str(error.value) == missing
    with pytest.raises(DataError) as error:
        open_sequences(tmp_path, ONE)
    assert str(error.value) == f"{tmp_path.name}: holds no sequence; give .npy or .npz files, one each"
    (tmp_path / "bad.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"bad\.npz: cannot be read"):
        open_sequences(tmp_path / "bad.npz", ONE)
