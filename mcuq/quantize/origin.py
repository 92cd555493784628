"""Where the scales of a quantized model come from: what its user must know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcuq.quantize.judge import Judgement


@dataclass(frozen=True)
class Origin:
    """`ranges`: "given" with a model that came quantized, "calibrated" on `samples` inputs (what was not given), or
    "guessed" from the statistics of `batch_normalizations` and made-up inputs, so that accuracy is unknown. "unneeded"
    where all tensors hold floats.

    `notes` are sentences for the user. `judgement` is how a model of fewer samples does on others, or this one
    where it takes nothing from data, where it is known.
    """

    ranges: Literal["given", "calibrated", "guessed", "unneeded"] = "guessed"
    samples: int = 0
    batch_normalizations: int = 0
    notes: tuple[str, ...] = ()
    judgement: Judgement | None = None


UNKNOWN_ORIGIN = Origin()
