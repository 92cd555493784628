"""Faults of the line between the host's session and the firmware's own C, which runs as a process."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from device_model import Fault, Wire
from golden.graphs import tiny
from host_model import build_host_firmware, running
from selections import quick
from support import model_of, random_inputs

from mcuq.compile import CompiledModel
from mcuq.device import exchange
from mcuq.device.link import open_link
from mcuq.device.session import Session
from mcuq.errors import DeviceError
from mcuq.graph.simulate import simulate
from mcuq.validate.device import validate_device
from mcuq.validate.expected import Expected

KINDS = ("flipped", "zeroed", "dropped", "doubled", "inserted")
PATIENCE_S = 0.02  # on pipes an answer takes no time
ATTEMPTS = 12  # a busy computer may halt the process for seconds


class PipeLink:
    """A link to a process, with a fault on the way."""

    name = "process"
    baud = 100_000_000

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.outward, self.inward = Wire(), Wire()

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(self.outward.carry(data))

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            return b""
        data = os.read(self._process.stdout.fileno(), max_bytes)
        assert data, f"the firmware has ended with {self._process.wait()}"
        return self.inward.carry(data)

    def close(self) -> None:
        """The process goes on."""


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return model_of(tiny(), name="tiny")


@pytest.fixture(scope="module", params=["one request at a time", "a window"])
def process(
    request: pytest.FixtureRequest, model: CompiledModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[bytes]]:
    """One device for all faults of all tests: none may leave it in a state that a later session notices."""
    window_bytes = 512 if request.param == "a window" else 0
    program = build_host_firmware(model, tmp_path_factory.mktemp("firmware"), 192, window_bytes)
    started = subprocess.Popen(
        [str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    yield started
    started.kill()
    started.wait()
    for stream in (started.stdin, started.stdout):
        assert stream is not None
        stream.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PATIENCE_S", PATIENCE_S)


def talk(model: CompiledModel, link: PipeLink) -> Session:
    """HELLO, CONTINUE, two inferences; all outputs are right."""
    inputs = random_inputs(model.graph, 2)
    want = simulate(model.graph, inputs)["y"]
    session = Session(link, attempts=ATTEMPTS)
    session.inference_s = 0.0
    outputs = [inferred.outputs for inferred in session.infer_all(x.tobytes() for x in inputs["x"])]
    assert outputs == [y.tobytes() for y in want]
    return session


@pytest.mark.parametrize("direction", ["outward", "inward"])
@pytest.mark.parametrize("kind", quick(KINDS))
def test_one_bad_byte_at_every_position_is_repaired_with_the_real_firmware(
    model: CompiledModel, process: subprocess.Popen[bytes], kind: str, direction: str, impatient: None
) -> None:
    good = PipeLink(process)
    while talk(model, good).traffic.repeats > 0:  # as where the computer was busy
        good = PipeLink(process)
    positions = getattr(good, direction).sent_bytes
    assert positions > 100
    for position in range(positions):
        link = PipeLink(process)
        setattr(link, direction, Wire(Fault(position, kind)))
        talk(model, link)


@pytest.mark.slow
def test_the_reset_button_at_any_moment_of_a_validation_is_repaired(model: CompiledModel, tmp_path: Path) -> None:
    program = build_host_firmware(model, tmp_path, 192, 512)
    batches = [random_inputs(model.graph, 40, seed) for seed in range(5)]
    presses = 0
    with running(program) as (port, process), open_link(port) as link:
        for number in range(10):
            pressed_at = {7 * number, 9 * number + 60, 190 - number}
            done = 0

            def tick(moments: set[int] = pressed_at) -> None:
                nonlocal done, presses
                done += 1
                if done in moments:
                    process.send_signal(signal.SIGUSR1)
                    presses += 1

            with Expected(model.graph, iter(batches)) as samples:
                report = validate_device(model, Session(link), samples, "mcuq flash", tick)
            assert report.bit_exact
            assert report.samples == 200
    assert presses >= 20


@pytest.mark.slow
def test_a_device_whose_power_fails_is_an_error_in_finite_time(
    model: CompiledModel, tmp_path: Path, impatient: None
) -> None:
    program = build_host_firmware(model, tmp_path, 192)
    with running(program) as (port, process), open_link(port) as link:
        session = Session(link)
        session.hello()
        process.kill()
        process.wait()
        started_s = time.monotonic()
        with pytest.raises(DeviceError, match=r"the device is gone in the middle of the work|no answer to ECHO"):
            session.echo(b"?")
        assert time.monotonic() - started_s < 60
