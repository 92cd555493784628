"""Programs of others: whatever they say and however they end, they end, and nothing of them is left."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import wait_until_gone

from mcuq.system.process import run


def test_what_a_program_says_is_kept_byte_for_byte() -> None:
    code = r"import sys; sys.stdout.buffer.write(b'\xff\0'); sys.stderr.buffer.write(b'\xfe'); sys.exit(3)"
    ended = run([sys.executable, "-c", code])
    assert (ended.code, ended.stdout, ended.stderr) == (3, b"\xff\0", b"\xfe")


def test_both_streams_as_one_keep_their_order() -> None:
    code = "import os; os.write(1, b'a'); os.write(2, b'b'); os.write(1, b'c')"
    ended = run([sys.executable, "-c", code], one_stream=True)
    assert (ended.stdout, ended.stderr) == (b"abc", b"")


def test_a_program_reads_what_it_is_given() -> None:
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"
    assert run([sys.executable, "-c", code], stdin=b"abc").stdout == b"cba"


def test_a_program_that_a_signal_stops_ends_with_its_number() -> None:
    assert run([sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"]).code == -15


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(child)!r}, 'w').write(str(child.pid)); time.sleep(600)"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        run([sys.executable, "-c", code], time_limit_s=3)
    wait_until_gone(int(child.read_text()))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_ends_with_the_one_that_runs_it(tmp_path: Path, number: signal.Signals) -> None:
    where = tmp_path / "pid"
    inner = f"import os, time; open({str(where)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    # Shells let what they start behind "&" ignore SIGINT, and so do its children.
    heeds = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    runs = f"from mcuq.system.process import run; run([sys.executable, '-c', {inner!r}])"
    outer = subprocess.Popen([sys.executable, "-c", f"{heeds}; {runs}"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not where.is_file() or not where.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    outer.send_signal(number)
    outer.wait(20)
    wait_until_gone(int(where.read_text()))
