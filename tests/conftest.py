"""Settings for the whole suite."""

import gc
import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from build_cache import PLACE, remembering
from hypothesis import settings
from layout_cache import layouts_in
from smoke import mark_smoke

# Tests take all cores as it is: threads of BLAS in each of them would wait for one another. Workers inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# Half a minute each and more, most of them at the end of all tests: begun first, none of them leaves other cores idle.
LONGEST = (
    "tests/device/test_boards_end_to_end.py::test_the_keyword_spotter",
    "tests/test_conformance.py::test_every_case",
    "tests/test_conformance.py::test_the_c_of_some",
    "tests/test_examples.py::test_the_commands_of_the_vibration",
    "tests/test_examples.py::test_training_it_again",
    "tests/test_wheel.py::test_the_installed_wheel",
)

# Shared machines stall now and then: a deadline would fail tests for that, and timings do not belong in tests.
settings.register_profile("mcuq", deadline=None, derandomize=True)
settings.load_profile("mcuq")


def pytest_configure(config: pytest.Config) -> None:
    remembered = ExitStack()
    remembered.enter_context(remembering())
    remembered.enter_context(layouts_in(Path(os.environ[PLACE])))
    config.add_cleanup(remembered.close)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing that is collected is garbage: looking for some takes a third of the time, and later again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_smoke(items)
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
