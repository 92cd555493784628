import numpy as np
import pytest

from mcuq.validate.labels import Labels


def counted(labels: list[int] | None, answers: list[int], classes: int = 4) -> Labels:
    found = Labels("y", classes, None if labels is None else np.array(labels))
    for part in np.array_split(np.array(answers), 3):
        found.add(part, part)
    return found


def test_labels_that_are_met_more_often_than_by_chance_are_no_matter() -> None:
    found = counted([0, 1, 2, 3] * 5, [0, 1, 2, 3] * 4 + [1, 2, 3, 0])
    assert found.accuracy == found.float_accuracy == 0.8
    assert found.notes() == ()


def test_without_labels_there_is_no_accuracy() -> None:
    found = counted(None, [0, 1, 2])
    assert (found.accuracy, found.notes()) == (None, ())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 2, 3, 4], "run from 1 to 4, the classes of output 'y' from 0 to 3: accuracy is not counted; subtract 1?"),
        (
            [-1, 2, 3, 3],
            "run from -1 to 3, the classes of output 'y' from 0 to 3: accuracy is not counted; "
            "give class numbers that begin with 0",
        ),
        (
            [7, 7, 7, 7],
            "are 7, the classes of output 'y' from 0 to 3: accuracy is not counted; "
            "give class numbers that begin with 0",
        ),
    ],
)
def test_labels_that_no_class_has_are_not_counted(labels: list[int], message: str) -> None:
    found = counted(labels, [0, 1, 2, 3])
    assert found.accuracy is None
    assert found.float_accuracy is None
    assert found.notes() == (f"labels: they {message}",)


def test_an_output_of_one_value_has_no_classes() -> None:
    found = counted([0, 1, 0], [0, 0, 0], classes=1)
    assert found.accuracy is None
    assert found.notes() == ("labels: output 'y' has one value, not one for each class: accuracy is not counted",)


CHANCE = "of them, no more than by chance; check the labels, and that inputs are scaled as in training"


def test_answers_that_know_nothing_of_the_labels_are_warned_of() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200).tolist()
    found = counted(labels, rng.permutation(labels).tolist())
    assert found.float_accuracy is not None
    assert found.notes() == (f"labels: the float model meets {100 * found.float_accuracy:.1f} % {CHANCE}",)
    assert counted([0, 0, 1, 2], [0] * 4).notes() == (f"labels: the float model meets 50.0 % {CHANCE}",)


def test_chance_warns_of_two_data_sets_in_a_hundred() -> None:
    rng = np.random.default_rng(1)
    warned = sum(
        not counted(rng.integers(0, 4, 50).tolist(), rng.integers(0, 4, 50).tolist()).notes() for _ in range(500)
    )
    assert 0 < warned < 25


def test_a_rare_class_that_is_found_is_no_chance() -> None:
    """Fewer answers are right than if all were the frequent class, but they are not blind."""
    labels = [1] * 5 + [0] * 95
    answers = [1] * 4 + [0] + [1] * 5 + [0] * 90
    assert counted(labels, answers).notes() == ()


def test_samples_of_one_class_say_nothing_of_chance() -> None:
    assert counted([2, 2, 2], [2, 2, 0]).notes() == ()
