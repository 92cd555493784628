"""A session with a device written from the specification: what is asked, in which order, and how often."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest
from device_model import (
    HELLO,
    INFER,
    KEEPS_INPUT,
    READ_OUTPUT,
    RUN,
    WRITE_INPUT,
    DeviceModel,
    Fault,
    ModelLink,
    Network,
    frame,
    output_of,
    toy,
    wide,
)

from mcuq.device.exchange import StatusError
from mcuq.device.messages import (
    Boot,
    Constants,
    HighWater,
    Infer,
    Paint,
    Ran,
    ReadOutput,
    RunSelfTest,
    SelfTest,
    Status,
    WriteInput,
)
from mcuq.device.protocol import wire_bytes
from mcuq.device.session import Session
from mcuq.errors import DeviceError

CONTINUE = 0x15
INPUTS = [bytes((n * 7 + i) % 256 for i in range(6)) for n in range(40)]
OUTPUTS = [output_of(toy(), x) for x in INPUTS]
LONG_INPUTS = [bytes((n * 11 + i) % 256 for i in range(100)) for n in range(4)]
LONG_OUTPUTS = [output_of(wide(), x) for x in LONG_INPUTS]


def connect(device: DeviceModel | None = None) -> tuple[Session, ModelLink]:
    link = ModelLink(device)
    return Session(link, link.clock), link


def infer(session: Session, inputs: list[bytes]) -> list[bytes]:
    return [inferred.outputs for inferred in session.infer_all(inputs)]


def test_an_inference_is_one_frame_each_way_where_it_fits() -> None:
    session, link = connect()
    assert infer(session, INPUTS) == OUTPUTS
    assert link.device.requests == [CONTINUE, HELLO] + [INFER] * len(INPUTS)
    assert session.traffic.repeats == 0


def test_cycles_come_with_each_inference() -> None:
    session, _ = connect()
    assert [inferred.cycles for inferred in session.infer_all(INPUTS[:3])] == [3001, 3002, 3003]


@pytest.mark.parametrize("flags", [0, KEEPS_INPUT])
def test_what_is_longer_than_a_frame_goes_in_parts(flags: int) -> None:
    session, link = connect(DeviceModel(wide(), flags=flags))
    assert infer(session, LONG_INPUTS) == LONG_OUTPUTS
    assert link.device.requests[-5:] == [WRITE_INPUT, WRITE_INPUT, RUN, READ_OUTPUT, READ_OUTPUT]
    assert session.traffic.repeats == 0


class SlowDevice(DeviceModel):
    """Answers only when it is told to."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.held: list[bytes] = []

    def _frame(self, received: bytes) -> bytes:
        answer = super()._frame(received)
        if self.requests[-1] != INFER:
            return answer
        self.held.append(answer)
        return b""


class SlowLink(ModelLink):
    """Brings one answer each time the host listens; keeps how many bytes of requests waited for one."""

    most_waiting_bytes = 0

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        assert isinstance(self.device, SlowDevice)
        waiting = sum(map(len, self.writes[-len(self.device.held) :])) if self.device.held else 0
        self.most_waiting_bytes = max(self.most_waiting_bytes, waiting)
        if self.device.held:
            self.arrive(self.device.held.pop(0))
        return super().read(max_bytes, timeout_s)


@pytest.mark.parametrize("window_bytes", [0, 20, 29, 30, 31, 100, 1000, 60_000])
def test_unanswered_requests_never_exceed_the_window(window_bytes: int) -> None:
    link = SlowLink(SlowDevice(window_bytes=window_bytes))
    session = Session(link, link.clock)
    assert infer(session, INPUTS) == OUTPUTS
    one = wire_bytes(6)
    assert link.most_waiting_bytes <= max(window_bytes, one)
    assert link.most_waiting_bytes >= min(window_bytes - one, 20 * one) - 8  # for each, a 0 that a repeat would have
    assert session.traffic.repeats == 0


def test_inputs_are_taken_from_their_source_only_as_they_are_sent() -> None:
    taken = []

    def source() -> Iterator[bytes]:
        for number, data in enumerate(INPUTS):
            taken.append(number)
            yield data

    session, _ = connect(DeviceModel(window_bytes=30))
    for number, _ in enumerate(session.infer_all(source())):
        assert len(taken) <= number + 4


def test_answers_that_come_a_byte_at_a_time_are_whole() -> None:
    link = ModelLink(chunk_bytes=1)
    session = Session(link, link.clock)
    assert infer(session, INPUTS[:5]) == OUTPUTS[:5]
    assert session.traffic.repeats == 0


def test_the_first_frame_ends_what_was_on_the_line_before() -> None:
    session, link = connect()
    link.device.feed(b"\x22\x33 half a frame of an earlier program")
    assert session.hello().model == "toy"
    assert link.writes[0][0] == 0
    assert session.traffic.repeats == 1  # the device has called it damaged


def test_answers_of_an_earlier_session_are_dropped() -> None:
    session, link = connect()
    # As an interrupted session has left them, with the sequence numbers that a new session begins with.
    for sequence in range(8):
        link.arrive(frame(INFER | 0x80, sequence, bytes(5) + b"OLD!"))
    assert infer(session, INPUTS[:3]) == OUTPUTS[:3]
    assert session.traffic.repeats == 0


def test_a_second_answer_to_a_repeated_request_is_dropped() -> None:
    class Echoing(DeviceModel):
        def _frame(self, received: bytes) -> bytes:
            return 2 * super()._frame(received)

    session, _ = connect(Echoing(window_bytes=100))
    assert infer(session, INPUTS) == OUTPUTS


def test_more_than_256_requests_in_a_row() -> None:
    session, _ = connect(DeviceModel(window_bytes=200))
    assert infer(session, INPUTS * 15) == OUTPUTS * 15


def test_a_run_never_has_the_sequence_of_the_last_run() -> None:
    # Between two runs lie so many other requests that the sequence comes round.
    device = DeviceModel(wide())
    session, _ = connect(device)
    crc = zlib.crc32(LONG_INPUTS[0])
    for others in (254, 255, 256):
        session.write_input(LONG_INPUTS[0])
        before = device.inferences
        session.run(crc)
        for _ in range(others - 2):
            session.echo(b"")
        session.write_input(LONG_INPUTS[0])
        session.run(crc)
        assert device.inferences == before + 2, others


def test_pauses_show_the_arena_between_layers() -> None:
    session, link = connect(DeviceModel(flags=KEEPS_INPUT))
    session.write_input(INPUTS[1])
    crc = zlib.crc32(INPUTS[1])
    assert session.run(crc, pause_after=0) == Ran(True, 3000)
    spread = session.read_arena(6, 8)
    assert spread == bytes((INPUTS[1][i % 6] * 3 + i) % 256 for i in range(8))
    assert session.resume(pause_after=1).is_paused
    assert session.read_arena(0, 4) == bytes(spread[i] ^ spread[i + 4] for i in range(4))
    assert not session.resume().is_paused
    assert session.read_output(crc) == OUTPUTS[1]
    assert link.device.inferences == 1


@pytest.mark.parametrize("network", [toy, wide])
def test_a_device_that_an_earlier_session_left_paused_runs_on(network: type) -> None:
    device = DeviceModel(network())
    session, _ = connect(device)
    data = INPUTS[0] if device.network.input_bytes == 6 else LONG_INPUTS[0]
    session.write_input(data)
    assert session.run(zlib.crc32(data), pause_after=0).is_paused
    for _ in range(2):
        session.end_pause()
        later, _ = connect(device)
        assert infer(later, [data]) == [output_of(network(), data)]


def test_a_run_asked_of_a_paused_device_ends_the_pause_first() -> None:
    device = DeviceModel(flags=KEEPS_INPUT)
    session, _ = connect(device)
    session.write_input(INPUTS[0])
    assert session.run(zlib.crc32(INPUTS[0]), pause_after=1).is_paused
    assert not session.run(zlib.crc32(INPUTS[0])).is_paused
    assert device.inferences == 2


def test_layer_cycles_marks_checksum_and_self_test() -> None:
    session, link = connect()
    infer(session, INPUTS[:1])
    assert session.layer_cycles() == (1000, 1001, 1002)
    assert session.marks() == HighWater(312, 0)
    session.marks(Paint.A5)
    infer(session, INPUTS[:1])
    assert 16 <= session.marks().arena_bytes <= 20
    assert session.checksum() == Constants(zlib.crc32(link.device.network.constants), 7)
    assert session.self_test() == SelfTest(0)
    assert session.echo(b"\0\1\2") == b"\0\1\2"


def test_layer_cycles_of_many_layers_come_in_parts() -> None:
    network = toy()
    network.layers = [*network.layers, *[lambda arena: None] * 40]
    session, _ = connect(DeviceModel(network))
    infer(session, INPUTS[:1])
    assert session.layer_cycles() == tuple(range(1000, 1043))


def test_a_failed_self_test_names_what_failed() -> None:
    class Failing(DeviceModel):
        def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
            return (10, b"\x05\0\0\0") if type_ == RunSelfTest.type else super().carry_out(type_, sequence, body)

    session, _ = connect(Failing())
    assert session.self_test() == SelfTest.CRC | SelfTest.ARITHMETIC


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        (
            Boot(),
            Status.UNKNOWN_TYPE,
            "model: the device answers BOOT with status 1 (UNKNOWN_TYPE): ",
        ),
        (
            Infer(b"abc", 4),
            Status.BAD_LENGTH,
            "model: the device answers INFER with status 2 (BAD_LENGTH): ",
        ),
        (WriteInput(5, b"ab"), Status.BAD_ADDRESS, "model: the device answers WRITE_INPUT with status 3 (BAD_ADDRESS)"),
        (ReadOutput(7, 0, 1), Status.NO_RESULT, "model: the device answers READ_OUTPUT with status 5 (NO_RESULT)"),
    ],
    ids=["BOOT", "INFER", "WRITE_INPUT", "READ_OUTPUT"],
)
def test_a_refusal_is_an_error_with_its_status(request_: Boot, status: Status, text: str) -> None:
    session, _ = connect()
    with pytest.raises(StatusError) as caught:
        session.request(request_)
    assert caught.value.status == status
    assert str(caught.value).startswith(text)


def test_a_status_that_nobody_knows_is_an_error() -> None:
    class Newer(DeviceModel):
        def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
            return (99, b"") if type_ == INFER else super().carry_out(type_, sequence, body)

    session, _ = connect(Newer())
    with pytest.raises(StatusError) as caught:
        infer(session, INPUTS[:1])
    assert str(caught.value) == "model: the device answers INFER with status 99 (?): mcuq does not know it"


def test_an_answer_of_another_form_names_the_port() -> None:
    class Longer(DeviceModel):
        def carry_out(self, type_: int, sequence: int, body: bytes) -> tuple[int, bytes]:
            status, answer = super().carry_out(type_, sequence, body)
            return status, answer + b"?" if type_ == INFER else answer

    session, _ = connect(Longer())
    with pytest.raises(DeviceError) as caught:
        infer(session, INPUTS[:1])
    assert str(caught.value) == "model: answer to INFER has 9 bytes, not 8; flash the device with this mcuq"


def test_a_session_closes_its_link() -> None:
    link = ModelLink()
    with pytest.raises(KeyboardInterrupt), Session(link, link.clock):
        raise KeyboardInterrupt
    assert link.is_closed


def test_a_time_out_of_one_request_repeats_no_other() -> None:
    class Hesitant(SlowLink):
        """Brings the first answer to an inference only after its time-out."""

        def read(self, max_bytes: int, timeout_s: float) -> bytes:
            if self.device.inferences >= 3 and self.hesitates:
                self.hesitates = False
                self.now_s += timeout_s
                return b""
            return super().read(max_bytes, timeout_s)

        hesitates = True

    link = Hesitant(SlowDevice(window_bytes=60))
    session = Session(link, link.clock)
    assert infer(session, INPUTS) == OUTPUTS
    assert not link.hesitates
    assert session.traffic.repeats == 1


class TimedLink(ModelLink):
    """A line on which a byte takes ten bits, with a device that computes for a while; the clock is the line's."""

    def __init__(self, device: DeviceModel, inference_s: float) -> None:
        super().__init__(device)
        self._inference_s = inference_s
        self._line_free_s = self._device_free_s = self._back_free_s = 0.0
        self._coming: list[tuple[float, bytes]] = []

    def write(self, data: bytes) -> None:
        for piece in data.split(b"\0")[:-1]:
            self._line_free_s = max(self._line_free_s, self.now_s) + (len(piece) + 1) * 10 / self.baud
            before = self.device.inferences
            answer = self.device.feed(piece + b"\0")
            work_s = self._inference_s * (self.device.inferences - before)
            self._device_free_s = max(self._device_free_s, self._line_free_s) + work_s
            self._back_free_s = max(self._back_free_s, self._device_free_s) + len(answer) * 10 / self.baud
            if answer:
                self._coming.append((self._back_free_s, answer))

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if not self._coming or self._coming[0][0] > self.now_s + timeout_s:
            self.now_s += timeout_s
            return b""
        arrives_s, data = self._coming.pop(0)
        self.now_s = max(self.now_s, arrives_s)
        return data


def keyword_spotter() -> Network:
    """As long as one: 490 bytes in, 12 out."""

    def fold(arena: bytearray) -> None:
        arena[490:502] = bytes(sum(arena[i:490:12]) % 256 for i in range(12))

    return Network("kws", 1, 502, [(0, 490)], [(490, 12)], [fold])


@pytest.mark.parametrize("inference_s", [0.0, 0.01, 0.04])
def test_a_line_of_115200_baud_carries_20_keyword_inputs_a_second(inference_s: float) -> None:
    network = keyword_spotter()
    link = TimedLink(DeviceModel(network, payload_bytes=492, window_bytes=1016), inference_s)
    session = Session(link, link.clock)
    session.end_pause()
    session.hello()
    inputs = [bytes((n + i) % 255 + 1 for i in range(490)) for n in range(100)]
    answers = session.infer_all(inputs)
    started_s, sent, received = link.now_s, session.traffic.bytes_written, session.traffic.bytes_read
    assert [inferred.outputs for inferred in answers] == [output_of(network, x) for x in inputs]
    assert (session.traffic.bytes_written - sent, session.traffic.bytes_read - received) == (49_900, 2_500)
    assert session.traffic.repeats == 0
    assert 100 / (link.now_s - started_s) > 20
    # 524 bytes for a payload of 502
    assert (49_900 + 2_500) / (100 * (490 + 12)) < 1.05


# Several models

KINDS = ("flipped", "zeroed", "dropped", "doubled", "inserted")


def of_two(**faults: Fault) -> tuple[Session, ModelLink]:
    link = ModelLink(DeviceModel(toy(), others=(wide(),)), **faults)
    return Session(link, link.clock), link


def test_a_model_is_chosen_by_its_digest() -> None:
    session, _ = of_two()
    assert (session.hello().model, session.info.models) == ("toy", 2)
    assert session.choose(wide().digest).model == "wide"
    assert (session.info.model, session.info.input_bytes, session.info.models) == ("wide", 100, 2)
    assert infer(session, LONG_INPUTS) == LONG_OUTPUTS
    assert session.choose(toy().digest).model == "toy"
    assert infer(session, INPUTS[:3]) == OUTPUTS[:3]
    assert session.choose(0x1234).model == "toy"
    assert infer(session, INPUTS[:3]) == OUTPUTS[:3]


def test_of_one_model_nothing_else_is_asked_for() -> None:
    session, link = connect()
    assert session.choose(0x1234).model == "toy"
    assert link.device.requests == [HELLO]


def test_an_input_that_fits_a_frame_but_for_the_models_index_goes_in_parts() -> None:
    """100 bytes in a frame of 101, in which two say whose they are."""
    for payload_bytes, kind in ((101, READ_OUTPUT), (102, INFER)):
        link = ModelLink(DeviceModel(toy(), payload_bytes, others=(wide(),)))
        session = Session(link, link.clock)
        session.choose(wide().digest)
        assert infer(session, LONG_INPUTS) == LONG_OUTPUTS
        assert link.device.requests[-1] == kind


def test_a_device_without_the_model_says_so() -> None:
    session, link = of_two()
    session.choose(wide().digest)
    link.device.networks = (toy(),)
    with pytest.raises(StatusError) as caught:
        session.hello()
    assert str(caught.value) == (
        "model: the device answers HELLO with status 3 (BAD_ADDRESS): the request reaches beyond what the device has"
    )


def use_second(session: Session) -> None:
    session.choose(wide().digest)
    assert infer(session, LONG_INPUTS[:1]) == LONG_OUTPUTS[:1]


@pytest.mark.parametrize("direction", ["to_device", "from_device"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_bad_byte_at_every_position_of_the_second_models_inference_is_repaired(kind: str, direction: str) -> None:
    session, link = of_two()
    use_second(session)
    positions = link.outward.sent_bytes if direction == "to_device" else link.inward.sent_bytes
    assert positions > 150
    for position in range(positions):
        session, _ = of_two(**{direction: Fault(position, kind)})
        use_second(session)


def test_a_reset_at_every_request_of_the_second_models_inference_is_repaired() -> None:
    session, link = of_two()
    use_second(session)
    for at in range(len(link.device.requests)):
        for when in ("resets_at", "resets_after"):
            link = ModelLink(DeviceModel(toy(), others=(wide(),), **{when: frozenset([at])}))
            use_second(Session(link, link.clock))
            assert link.device.networks[1].name == "wide"
