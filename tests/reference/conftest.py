"""Networks that people have: their C is compiled as mcuq's users compile it."""

from collections.abc import Iterator

import pytest
from build_cache import compile_once, compiling_by


@pytest.fixture(autouse=True)
def compiles() -> Iterator[None]:
    with compiling_by(compile_once):
        yield
