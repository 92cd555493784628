"""Run by test_durable.py: replaces files again and again, killed at one system call after the other.

    python cut_saves.py FOLDER

For each call number one child; after it, FOLDER is as it was left. Prints the states found after recovery.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcuq.system import durable

OLD = {"a.c": b"old c" * 1000, "a.h": b"old h", "a.mcuq": b"old m" * 100}
NEW = {"a.c": b"new c" * 900, "a.h": b"new h", "a.mcuq": b"new m" * 120}
CALLS = ("open", "link", "fsync", "replace", "unlink", "close")


def main(folder: Path, has_unnamed_files: bool) -> None:
    if not has_unnamed_files:
        del os.O_TMPFILE
    number = 0
    while True:
        for path in folder.iterdir():
            path.unlink()
        durable.replace_together(folder / "a.mcuq", OLD)
        child = os.fork()
        if child == 0:
            kill_at(number)
            durable.replace_together(folder / "a.mcuq", NEW)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        hidden = [path.name for path in folder.iterdir() if path.name.startswith(".")]
        with durable.settled(folder, ".mcuq"):
            found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        state = "old" if found == OLD else "new" if found == NEW else f"mixed {sorted(found)}"
        print(number, state, f"hidden {hidden}" if hidden else "", flush=True)
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        number += 1


def kill_at(number: int) -> None:
    """End this process at its call number `number`."""
    seen = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def stop(*arguments: Any, **keywords: Any) -> Any:
            nonlocal seen
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
            return call(*arguments, **keywords)

        return stop

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "unnamed")
