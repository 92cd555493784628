"""Files appear whole or not at all, and several of them together, whenever the process is killed."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mcuq.system.durable import replace_together, settled, write_whole


@pytest.mark.parametrize("kind", ["unnamed", "named"])
def test_files_are_old_or_new_wherever_the_process_is_killed(kind: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("cut_saves.py")
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path), kind], capture_output=True, text=True, check=True, timeout=120
    )
    states = [line.split(maxsplit=1)[1].strip() for line in ended.stdout.splitlines()]
    assert len(states) > 20
    assert set(states) == {"old", "new"}
    first_new = states.index("new")
    assert set(states[first_new:]) == {"new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.c", "a.h", "a.mcuq"]


def test_a_file_replaces_an_earlier_one(tmp_path: Path) -> None:
    for data in (b"first", b"", b"x" * 100_000):
        write_whole(tmp_path / "f", data)
        assert (tmp_path / "f").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_that_cannot_be_replaced_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "f", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_whole(tmp_path / "f", b"")
    assert (tmp_path / "f").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_two_that_replace_the_same_files_take_turns(tmp_path: Path) -> None:
    def replace(letter: bytes) -> None:
        for _ in range(20):
            replace_together(tmp_path / "a.mcuq", {"a.c": letter, "a.mcuq": letter})

    threads = [threading.Thread(target=replace, args=(letter,)) for letter in (b"1", b"2")]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        with settled(tmp_path, ".mcuq"):
            seen.add(tuple(path.read_bytes() for path in sorted(tmp_path.iterdir())))
    assert seen <= {(), (b"1", b"1"), (b"2", b"2")}
