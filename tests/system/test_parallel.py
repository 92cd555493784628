"""Functions side by side, and Ctrl-C between steps that belong together."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from support import wait_until_gone

from mcuq.system.interrupt import before_interrupts
from mcuq.system.parallel import in_parallel
from mcuq.system.process import run


def test_results_are_in_order_and_functions_at_the_same_time() -> None:
    meet = threading.Barrier(3, timeout=30)

    def met(number: int) -> int:
        meet.wait()
        return number

    assert in_parallel(*(partial(met, number) for number in range(3))) == [0, 1, 2]
    assert in_parallel() == []


def test_an_error_is_raised_when_the_others_have_ended() -> None:
    ended: list[int] = []

    def fails() -> None:
        raise ValueError("mine")

    def works() -> None:
        time.sleep(0.05)
        ended.append(1)

    with pytest.raises(ValueError, match="mine"):
        in_parallel(fails, works)
    assert ended == [1]


def test_an_interrupt_ends_all_programs_also_those_that_a_thread_starts_next(tmp_path: Path) -> None:
    def programs(name: str) -> None:
        for number in range(2):
            where = tmp_path / f"{name}{number}"
            code = f"import os, time; open({str(where)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
            run([sys.executable, "-c", code])

    def interrupts() -> None:
        while not all((tmp_path / f"{name}0").is_file() for name in "ab"):
            time.sleep(0.01)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            in_parallel(partial(programs, "a"), partial(programs, "b"), interrupts)
    finally:
        signal.signal(signal.SIGINT, before)
    for path in tmp_path.iterdir():
        if text := path.read_text():
            wait_until_gone(int(text))


def test_an_interrupt_waits_for_the_end_of_what_is_begun() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done: list[int] = []
    try:
        with pytest.raises(KeyboardInterrupt), before_interrupts():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with before_interrupts():
            signal.raise_signal(signal.SIGINT)
            done.append(2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == [1, 2]


def test_an_interrupt_while_a_program_is_started_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Slow(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)  # type: ignore[call-overload]
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("mcuq.system.process.subprocess.Popen", Slow)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run([sys.executable, "-c", "import time; time.sleep(600)"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(started) == 2  # the program and its watcher
    for process in started:
        assert process.poll() is not None
