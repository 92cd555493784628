"""Loading an image over a bad line: every step of a session with the loader is repeated without harm."""

from __future__ import annotations

import pytest
from device_model import Fault, ModelLink
from loader_device import BOOT, ERASE, RESET, WRITE, LoaderDevice

from mcuq.device.exchange import StatusError
from mcuq.device.messages import Role, Status
from mcuq.device.session import Session
from mcuq.errors import DeviceError

KINDS = ("flipped", "zeroed", "dropped", "doubled", "inserted")
IMAGE = bytes((7 * n) % 256 for n in range(150))
LONGEST_S = 8.0


def load(session: Session) -> None:
    """What mcuq flash does with a device whose model runs."""
    assert session.hello().role == Role.MODEL
    info = session.reset(stay_in_loader=True)
    assert (info.role, info.slot_bytes, info.page_bytes) == (Role.LOADER, 4096, 256)
    session.erase(len(IMAGE))
    session.write(IMAGE)
    session.commit(IMAGE)
    assert session.boot().model == "toy"


def device() -> LoaderDevice:
    found = LoaderDevice(is_loading=False)
    found.committed = b"an image before"
    return found


def lengths() -> tuple[int, int]:
    link = ModelLink(device())
    load(Session(link, link.clock))
    return link.outward.sent_bytes, link.inward.sent_bytes


def test_an_image_is_written_in_whole_words_and_started() -> None:
    link = ModelLink(device())
    session = Session(link, link.clock)
    ticks: list[int] = []
    session.reset(stay_in_loader=True)
    session.erase(len(IMAGE))
    session.write(IMAGE, ticks.append)
    session.commit(IMAGE)
    session.boot()
    assert isinstance(link.device, LoaderDevice)
    assert link.device.committed == IMAGE
    assert ticks == [60, 60, 30]
    assert session.traffic.repeats == 0
    assert session.traffic.starts == 2
    assert link.now_s == 0.0


@pytest.mark.parametrize("direction", ["to_device", "from_device"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_bad_byte_at_every_position_of_loading_is_repaired(kind: str, direction: str) -> None:
    positions = lengths()[direction == "from_device"]
    assert positions > 150
    for position in range(positions):
        link = ModelLink(device(), **{direction: Fault(position, kind)})
        load(Session(link, link.clock))
        assert isinstance(link.device, LoaderDevice)
        assert link.device.committed == IMAGE
        assert link.now_s < LONGEST_S


def test_a_reset_while_the_image_is_written_is_an_error_with_the_status() -> None:
    # The loader has forgotten what it erased: who loads begins with ERASE again.
    other = LoaderDevice()
    link = ModelLink(other)
    session = Session(link, link.clock)
    session.erase(len(IMAGE))
    other.resets_at = frozenset([len(other.requests) + 1])
    with pytest.raises(StatusError) as caught:
        session.write(IMAGE)
    assert caught.value.status == Status.WRONG_STATE
    assert other.requests[-1] == WRITE
    session.erase(len(IMAGE))
    session.write(IMAGE)
    session.commit(IMAGE)
    assert session.boot().role == Role.MODEL


def test_other_bytes_in_the_slot_are_refused() -> None:
    link = ModelLink(LoaderDevice())
    session = Session(link, link.clock)
    session.erase(len(IMAGE))
    session.write(IMAGE[:-4])
    with pytest.raises(StatusError) as caught:
        session.commit(IMAGE)
    assert caught.value.status == Status.WRONG_IMAGE
    with pytest.raises(StatusError) as caught:
        session.boot()
    assert caught.value.status == Status.WRONG_IMAGE
    assert "the image in the device's slot is damaged or missing" in str(caught.value)


def test_an_image_that_falls_back_into_the_loader_is_an_error() -> None:
    class FallsBack(LoaderDevice):
        def reset(self, into_loader: bool = False) -> bytes:
            return super().reset(into_loader=True)

    link = ModelLink(FallsBack())
    session = Session(link, link.clock, mend="mcuq flash build/kws --port model")
    session.erase(len(IMAGE))
    session.write(IMAGE)
    session.commit(IMAGE)
    with pytest.raises(DeviceError) as caught:
        session.boot()
    assert str(caught.value) == (
        "model: the device is in its loader again after BOOT; flash it: mcuq flash build/kws --port model"
    )


@pytest.mark.parametrize("lost", [RESET, BOOT])
def test_a_lost_answer_before_a_start_is_repaired(lost: int) -> None:
    class Silent(LoaderDevice):
        """Neither answers this request, nor says that it starts."""

        def _frame(self, received: bytes) -> bytes:
            answer = super()._frame(received)
            return b"" if self.requests[-1] == lost and self.requests.count(lost) == 1 else answer

    found = Silent(is_loading=False)
    found.committed = IMAGE
    link = ModelLink(found)
    load(Session(link, link.clock))
    assert found.requests.count(ERASE) == 1
    assert found.committed == IMAGE
    assert 0 < link.now_s < LONGEST_S
