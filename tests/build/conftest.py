"""What compiles is what these tests are about: nothing is remembered here."""

from collections.abc import Iterator

import pytest
from build_cache import compiling_by


@pytest.fixture(autouse=True)
def compiles() -> Iterator[None]:
    with compiling_by():
        yield
