"""Weights of a model that a device runs, replaced over its serial port (docs/weights.md)."""

from __future__ import annotations

from mcuq.boards.facts import Board
from mcuq.build.firmware import takes_weights
from mcuq.compile import CompiledModel
from mcuq.device.exchange import StatusError
from mcuq.device.flash.method import Progress, silent
from mcuq.device.messages import Ability, Role, Status
from mcuq.device.session import Session
from mcuq.emit.weights import HEAD_BYTES
from mcuq.errors import BoardError, DeviceError, ModelError

WRITES = 3  # of the whole blob: the memory may fail once, the device be reset in between
MENDABLE = (Status.WRONG_STATE,)  # a reset has made the device forget that it erased


def check_weights(model: CompiledModel, board: Board) -> None:
    """Raise ModelError or BoardError where firmware of the model does not take other weights."""
    if model.blob is None:
        raise ModelError(
            f"model '{model.name}': has its weights in the program; compile it with --weights external, and flash that "
            "once without --weights"
        )
    if board.weights is None:
        raise BoardError(
            f"board '{board.name}': has no slots for weights; give its file a [weights] table, or flash the firmware "
            "with the weights in it, without --weights"
        )
    if not takes_weights([model], board):
        raise BoardError(
            f"model '{model.name}': has {len(model.blob):,} bytes of weights, a slot of {board.name} holds more than "
            f"{HEAD_BYTES} and at most {board.weights.most_bytes:,}; flash the firmware with the weights in it, "
            "without --weights"
        )


def update_weights(
    model: CompiledModel, board: Board, session: Session, mend: str, progress: Progress = silent
) -> None:
    """Send the model's blob to the device, whose firmware must be the model's; it uses it from then on.

    `mend` is the command that flashes the firmware. Raises DeviceError where it is another's or takes no weights, and
    as check_weights; what the device computed with before is then as it was.
    """
    check_weights(model, board)
    assert model.blob is not None and board.weights is not None
    blob, name = model.blob, session.link.name
    _ = model.sources  # ArtifactError for a file that the C refuses
    info = session.hello()
    if info.role != Role.MODEL or info.digest != model.listing.digest:
        runs = "its loader" if info.role == Role.LOADER else f"model '{info.model}' {info.digest:08x}"
        raise DeviceError(
            f"{name}: device runs {runs}, these weights are for '{model.name}' {model.listing.digest:08x}; flash it: "
            f"{mend}"
        )
    if not info.abilities & Ability.TAKES_WEIGHTS:
        raise DeviceError(f"{name}: the device's firmware takes no weights; flash it: {mend}")
    session.end_pause()
    for attempt in range(WRITES):
        tick = progress("sending" if attempt == 0 else "sending again", len(blob))
        try:
            session.erase_weights(blob, board.weights.page_bytes)
            session.write_weights(blob, tick)
            session.use_weights(blob)
            return
        except StatusError as error:
            if error.status not in MENDABLE or attempt + 1 == WRITES:
                raise
