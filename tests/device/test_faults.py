"""Every fault of a line and a device: what docs/faults.md says happens, happens."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from device_model import KEEPS_INPUT, DeviceModel, Fault, ModelLink, Network, Wire, frame, output_of, toy, wide

from mcuq.device import exchange
from mcuq.device.messages import Paint
from mcuq.device.session import UNKNOWN_INFERENCE_S, Session
from mcuq.errors import DeviceError

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("flipped", "zeroed", "dropped", "doubled", "inserted")
INPUTS = [bytes(range(n, n + 6)) for n in range(3)]
LONG_INPUTS = [bytes((n * 11 + i) % 256 for i in range(100)) for n in range(2)]
LONGEST_S = UNKNOWN_INFERENCE_S + 1  # that a fault which is repaired may cost, by the link's clock


def inferences(session: Session, network: Network, inputs: list[bytes]) -> None:
    assert [inferred.outputs for inferred in session.infer_all(inputs)] == [output_of(network, x) for x in inputs]


def short_exchange(session: Session) -> None:
    """HELLO, CONTINUE and inferences of a frame each."""
    assert session.hello().model == "toy"
    inferences(session, toy(), INPUTS)


def exchange_of_figures(session: Session) -> None:
    """What a model's device tells beside outputs."""
    session.marks(Paint.A5)
    inferences(session, toy(), INPUTS[:1])
    assert session.marks().stack_bytes == 312
    assert session.layer_cycles() == (1000, 1001, 1002)
    assert session.checksum().n_bytes == 7
    assert session.self_test() == 0
    assert session.echo(b"\0\1\0") == b"\0\1\0"


def exchange_in_parts(session: Session) -> None:
    """WRITE_INPUT, RUN and READ_OUTPUT, the last two in several parts."""
    inferences(session, wide(), LONG_INPUTS)


def exchange_with_pauses(session: Session) -> None:
    """RUN, READ_ARENA and CONTINUE."""
    session.write_input(INPUTS[1])
    crc = zlib.crc32(INPUTS[1])
    assert session.run(crc, pause_after=0).is_paused
    assert session.read_arena(6, 8) == bytes((INPUTS[1][i % 6] * 3 + i) % 256 for i in range(8))
    assert session.resume(pause_after=1).is_paused
    assert not session.resume().is_paused
    assert session.read_output(crc) == output_of(toy(), INPUTS[1])


EXCHANGES: dict[str, tuple[Callable[[Session], None], Callable[[], DeviceModel]]] = {
    "one request at a time": (short_exchange, DeviceModel),
    "a window": (short_exchange, lambda: DeviceModel(window_bytes=100)),
    "in parts": (exchange_in_parts, lambda: DeviceModel(wide())),
    "in parts, a window": (exchange_in_parts, lambda: DeviceModel(wide(), flags=KEEPS_INPUT, window_bytes=200)),
    "pauses": (exchange_with_pauses, DeviceModel),
    "figures": (exchange_of_figures, DeviceModel),
}


def lengths(name: str) -> tuple[int, int]:
    """Bytes each way of the exchange on a good line."""
    talk, device = EXCHANGES[name]
    link = ModelLink(device())
    talk(Session(link, link.clock))
    return link.outward.sent_bytes, link.inward.sent_bytes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EXCHANGES)
def test_one_bad_byte_at_every_position_on_the_way_to_the_device_is_repaired(name: str, kind: str) -> None:
    talk, device = EXCHANGES[name]
    positions = lengths(name)[0]
    assert positions > 60
    for position in range(positions):
        link = ModelLink(device(), to_device=Fault(position, kind))
        talk(Session(link, link.clock))
        assert link.outward.sent_bytes >= positions
        assert link.now_s < LONGEST_S


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EXCHANGES)
def test_one_bad_byte_at_every_position_on_the_way_back_is_repaired(name: str, kind: str) -> None:
    talk, device = EXCHANGES[name]
    positions = lengths(name)[1]
    assert positions > 60
    for position in range(positions):
        link = ModelLink(device(), from_device=Fault(position, kind))
        talk(Session(link, link.clock))
        assert link.now_s < LONGEST_S


@pytest.mark.parametrize("name", ["one request at a time", "in parts", "in parts, a window"])
def test_two_bad_bytes_anywhere_are_repaired(name: str) -> None:
    talk, device = EXCHANGES[name]
    there, back = lengths(name)
    for number in range(400):
        kinds = KINDS[number % 5], KINDS[number // 5 % 5]
        positions = number * 7919 % there, number * 104_729 % back
        link = ModelLink(device(), Fault(positions[0], kinds[0]), Fault(positions[1], kinds[1]))
        talk(Session(link, link.clock))
        assert link.now_s < 2 * LONGEST_S


class NoisyWire(Wire):
    """Hurts each byte with a probability of 1 in 300."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = random.Random(seed)

    def carry(self, data: bytes) -> bytes:
        out = b""
        for byte in data:
            is_hurt = self._rng.randrange(300) == 0
            fault = Fault(self._rng.randrange(255), self._rng.choice(KINDS))
            out += fault.apply(byte) if is_hurt else bytes([byte])
        return out


@pytest.mark.parametrize("name", ["one request at a time", "a window", "in parts", "in parts, a window"])
@pytest.mark.parametrize("seed", range(4))
def test_a_noisy_line_gives_exact_results(name: str, seed: int) -> None:
    _, device = EXCHANGES[name]
    link = ModelLink(device())
    link.outward, link.inward = NoisyWire(seed), NoisyWire(seed + 100)
    session = Session(link, link.clock, attempts=20)
    network = link.device.network
    inputs = [bytes((n * 7 + i) % 256 for i in range(network.input_bytes)) for n in range(200)]
    inferences(session, network, inputs)
    assert session.traffic.repeats > 10


@pytest.mark.parametrize("name", [name for name in EXCHANGES if name not in ("pauses", "figures")])
@pytest.mark.parametrize("when", ["resets_at", "resets_after"])
def test_a_reset_at_every_request_is_repaired(name: str, when: str) -> None:
    # In parts: also between two WRITE_INPUT, between the last of them and RUN, and between RUN and READ_OUTPUT.
    talk, device = EXCHANGES[name]
    whole = device()
    link = ModelLink(whole)
    talk(Session(link, link.clock))
    for number in range(len(whole.requests)):
        link = ModelLink(replace_resets(device(), when, number))
        session = Session(link, link.clock)
        talk(session)
        assert session.traffic.starts == 1
        assert link.now_s == 0.0, "the device says that it starts: no time-out"


def replace_resets(device: DeviceModel, when: str, number: int) -> DeviceModel:
    setattr(device, when, frozenset([number]))
    return device


@pytest.mark.parametrize("when", ["resets_at", "resets_after"])
def test_a_reset_whose_notice_is_lost_is_repaired(when: str) -> None:
    class Silent(DeviceModel):
        def reset(self) -> bytes:
            super().reset()
            return b""

    whole = DeviceModel(wide())
    link = ModelLink(whole)
    exchange_in_parts(Session(link, link.clock))
    for number in range(len(whole.requests)):
        link = ModelLink(replace_resets(Silent(wide()), when, number))
        exchange_in_parts(Session(link, link.clock))
        assert 0 < link.now_s < LONGEST_S


@pytest.mark.parametrize("when", ["resets_at", "resets_after"])
def test_a_device_that_is_reset_again_and_again_is_an_error(when: str) -> None:
    link = ModelLink(replace_resets(DeviceModel(), when, 0))
    setattr(link.device, when, frozenset(range(2, 10_000)))
    with pytest.raises(DeviceError) as caught:
        short_exchange(Session(link, link.clock))
    assert str(caught.value) == (
        "model: the device has started 6 times over while INFER was awaited: its program crashes, or its supply breaks "
        "down; unplug it, plug it in and retry, then flash it again"
    )


def test_a_device_that_loses_its_input_again_and_again_is_an_error() -> None:
    class Forgetful(DeviceModel):
        def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
            return (5, b"") if type_ == 0x13 else super().carry_out(type_, sequence, body)

    link = ModelLink(Forgetful(wide()))
    with pytest.raises(DeviceError) as caught:
        exchange_in_parts(Session(link, link.clock))
    assert str(caught.value) == (
        "model: the device has lost its input or result 6 times in a row; it is being reset, or its memory fails"
    )


def test_a_device_that_stays_paused_is_an_error() -> None:
    class Stuck(DeviceModel):
        def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
            return (0, b"\1\0\0\0\0") if type_ == 0x15 else super().carry_out(type_, sequence, body)

    link = ModelLink(Stuck())
    with pytest.raises(DeviceError) as caught:
        short_exchange(Session(link, link.clock))
    assert str(caught.value) == "model: the device stays paused; press its reset button, then retry"


class Line(ModelLink):
    """A link whose bytes both ways go through a function, from a moment on."""

    def __init__(self, device: DeviceModel, change: Callable[[bytes], bytes], after_writes: int = 0) -> None:
        super().__init__(device)
        self._change = change
        self._after_writes = after_writes

    def write(self, data: bytes) -> None:
        if len(self.writes) < self._after_writes:
            super().write(data)
        else:
            self.writes.append(data)
            self.arrive(self._change(self.device.feed(self._change(data))))


def error_of(link: ModelLink) -> str:
    with pytest.raises(DeviceError) as caught:
        short_exchange(Session(link, link.clock))
    return str(caught.value)


def test_silence_is_an_error_in_finite_time() -> None:
    link = Line(DeviceModel(), lambda data: b"")
    assert error_of(link) == (
        "model: no answer to HELLO within 8.4 s, sent 6 times, and not one byte: is the board powered, is this its "
        "port, and does it run mcuq's firmware at 115200 baud?"
    )
    assert link.now_s < 10


def test_silence_in_the_middle_is_an_error_in_finite_time() -> None:
    link = Line(DeviceModel(window_bytes=100), lambda data: b"", after_writes=4)
    assert re.fullmatch(
        r"model: no answer to INFER within \d+\.\d s, sent \d times: the device answered before and is silent now; "
        "press its reset button and run this again",
        error_of(link),
    )
    assert link.now_s < 90


def received_at(sent: bytes, sender_baud: int, receiver_baud: int) -> bytes:
    """What a UART makes of bytes at another rate: it samples the middle of its own bits after each falling edge, and
    drops what does not end in a stop bit."""
    levels = [1]
    for byte in sent:
        levels += [0, *(byte >> bit & 1 for bit in range(8)), 1]
    levels += [1] * 100

    def level(time_s: float) -> int:
        return levels[min(int(time_s * sender_baud), len(levels) - 1)]

    found = bytearray()
    step_s, now_s, end_s = 1 / (16 * receiver_baud), 0.0, len(levels) / sender_baud
    while now_s < end_s:
        if level(now_s):
            now_s += step_s
            continue
        bits = [level(now_s + (bit + 0.5) / receiver_baud) for bit in range(10)]
        now_s += 9.5 / receiver_baud
        if bits[9]:
            found.append(sum(bit << place for place, bit in enumerate(bits[1:9])))
        while not level(now_s) and now_s < end_s:
            now_s += step_s
    return bytes(found)


def test_a_uart_at_the_same_rate_receives_what_was_sent() -> None:
    assert received_at(bytes(range(256)), 9600, 9600) == bytes(range(256))


@pytest.mark.parametrize("device_baud", [9600, 19_200, 38_400, 57_600, 76_800, 230_400, 460_800, 921_600])
def test_a_wrong_baud_rate_is_an_error_that_asks_for_it(device_baud: int) -> None:
    class WrongRate(ModelLink):
        def write(self, data: bytes) -> None:
            self.writes.append(data)
            answer = self.device.feed(received_at(data, 115_200, device_baud))
            self.arrive(received_at(answer, device_baud, 115_200))

    assert re.fullmatch(
        r"model: no answer to HELLO within \d+\.\d s, sent 6 times, (and not one byte: is the board powered, is this "
        r"its port, and does it run mcuq's firmware at 115200 baud\?|but \d+ bytes that are no frames: is the baud "
        r"rate right \(115200\)\? Does the board run mcuq's firmware\?)",
        error_of(WrongRate()),
    )


def test_a_wrong_baud_rate_is_told_from_silence() -> None:
    class Talking(ModelLink):
        """A device that hears nothing, and says something at half the rate."""

        def write(self, data: bytes) -> None:
            self.writes.append(data)
            self.arrive(received_at(frame(0x81, 0, bytes(20)), 57_600, 115_200))

    assert re.fullmatch(
        r"model: no answer to HELLO within \d+\.\d s, sent 6 times, but \d+ bytes that are no frames: is the baud rate "
        r"right \(115200\)\? Does the board run mcuq's firmware\?",
        error_of(Talking()),
    )


class Chatter(ModelLink):
    """A device that sends without end, and hears nothing."""

    def __init__(self, said: bytes) -> None:
        super().__init__()
        self._said = said

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        self.now_s += min(timeout_s, 0.01)
        return self._said[:max_bytes]


@pytest.mark.parametrize(
    "said",
    [
        b"Hello from another program!\r\n",
        bytes(range(256)),
        b"\0",
        frame(0x81, 77, b"\0"),
        b"\x55" * 4096,
        frame(0xFF, 0, b"\1"),
    ],
    ids=["text", "all bytes", "zeros", "answers to nobody", "no delimiter", "complaints"],
)
def test_garbage_without_end_is_an_error_in_finite_time(said: bytes) -> None:
    link = Chatter(said)
    text = error_of(link)
    assert text.startswith("model: no answer to HELLO within ")
    if said[-1:] == b"\n":
        assert "bytes that are no frames: is the baud rate right (115200)? Does the board run mcuq's firmware?" in text
    assert link.now_s < 30
    assert len(link.writes) <= 2 * exchange.ATTEMPTS


def test_a_device_that_starts_without_end_is_an_error_in_finite_time() -> None:
    link = Chatter(frame(0xFE, 0, b"\0"))
    assert error_of(link).startswith("model: the device has started 6 times over while HELLO was awaited")


def test_a_line_that_damages_every_request_is_told() -> None:
    class Deaf(DeviceModel):
        def _frame(self, received: bytes) -> bytes:
            return super()._frame(received[:-1])

    text = error_of(ModelLink(Deaf()))
    assert re.fullmatch(
        r"model: no answer to HELLO within \d+\.\d s, sent 6 times: the device hears frames, but damaged ones \(\d+\); "
        "is the cable long or the ground loose\\? Try another cable or USB port",
        text,
    )


@pytest.mark.parametrize("noise", [b"boot: 0x13 (FLASH)\r\n", b"\0\0\0", bytes(range(1, 256)), b"\x03ab\0\x02c\0"])
def test_garbage_between_answers_is_passed_over(noise: bytes) -> None:
    class Noisy(DeviceModel):
        def feed(self, data: bytes) -> bytes:
            answer = super().feed(data)
            return noise + b"\0" + answer if answer else answer

    for window_bytes in (0, 100):
        link = ModelLink(Noisy(window_bytes=window_bytes))
        session = Session(link, link.clock)
        short_exchange(session)
        assert link.now_s == 0.0


def test_an_answer_after_the_time_out_is_taken_once() -> None:
    class Late(ModelLink):
        """Brings each answer only when the host has lost its patience."""

        held = b""

        def write(self, data: bytes) -> None:
            self.writes.append(data)
            self.arrive(self.held)
            self.held = self.device.feed(data)

    link = Late()
    session = Session(link, link.clock)
    short_exchange(session)
    assert session.traffic.repeats >= 5


def test_a_frame_too_long_for_the_device_is_refused_and_the_next_is_taken() -> None:
    link = ModelLink()
    link.write(b"\0" + frame(0x02, 9, bytes(200)))
    assert link.read(100, 0) == frame(0xFF, 0, b"\x03")
    short_exchange(Session(link, link.clock))


@pytest.mark.parametrize(("version", "remedy"), [(0, ""), (2, ", or upgrade mcuq")])
def test_another_version_of_the_protocol_is_refused_with_the_command_that_mends_it(version: int, remedy: str) -> None:
    link = ModelLink(DeviceModel(version=version))
    with pytest.raises(DeviceError) as caught:
        Session(link, link.clock, mend="mcuq flash build/kws --port model").hello()
    assert str(caught.value) == (
        f"model: the device speaks protocol version {version}, this mcuq speaks 1; flash it: mcuq flash build/kws "
        f"--port model{remedy}"
    )


# The table


def rows() -> list[list[str]]:
    """Cells of the rows of docs/faults.md."""
    lines = (ROOT / "docs" / "faults.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] != "fault"]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_line_of_the_table_names_tests_that_exist(row: list[str]) -> None:
    fault, what_happens, tests = row
    assert fault
    assert what_happens.startswith(("error:", "recovers:", "reports:"))
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    for name in named:
        file, _, function = name.partition("::")
        text = (ROOT / "tests" / "device" / file).read_text()
        assert f"\ndef {function}(" in text, name


def test_every_test_of_faults_is_in_the_table() -> None:
    named = {name for row in rows() for name in re.findall(r"`test_faults\.py::(\w+)`", row[2])}
    own = {name for name in globals() if name.startswith("test_")}
    assert own - named == {
        "test_a_uart_at_the_same_rate_receives_what_was_sent",
        "test_each_line_of_the_table_names_tests_that_exist",
        "test_every_test_of_faults_is_in_the_table",
    }
