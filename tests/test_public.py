"""`import mcuq` waits for nothing, and offers what it always did."""

import pkgutil
import subprocess
import sys
import types

import pytest

import mcuq
from mcuq import public
from mcuq.version import __version__


def test_everything_public_is_there_and_no_module_in_its_place() -> None:
    for module in ("mcuq.compile", "mcuq.demo", "mcuq.boards.find", "mcuq.report.profile", "mcuq.diagnose"):
        __import__(module)
    for name in public.__all__:
        assert getattr(mcuq, name) is getattr(public, name)
        assert not isinstance(getattr(mcuq, name), types.ModuleType)
    assert mcuq.__version__ == __version__
    assert set(public.__all__) <= set(dir(mcuq))


def test_the_functions_that_are_called_like_modules_are_listed() -> None:
    modules = {module.name for module in pkgutil.iter_modules(mcuq.__path__)}
    assert modules & set(public.__all__) == mcuq.__dict__["_CALLED_LIKE_MODULES"]


def test_a_star_brings_the_same() -> None:
    names: dict[str, object] = {}
    exec("from mcuq import *", names)
    assert set(public.__all__) <= set(names)


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match=r"^module 'mcuq' has no attribute 'compil'$"):
        mcuq.compil  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("arguments", [("-m", "mcuq", "--help"), ("-m", "mcuq", "--version"), ("-c", "import mcuq")])
def test_nothing_slow_is_imported_before_it_is_needed(arguments: tuple[str, ...]) -> None:
    ended = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert {"mcuq", "mcuq.version"} & imported
    slow = {"numpy", "onnx", "onnxruntime", "jinja2", "elftools", "unicorn", "rich", "serial", "google.protobuf"}
    assert imported & slow == set()
