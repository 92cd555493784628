"""What a model is to keep to, and by how much it does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcuq.errors import QuantizationError
from mcuq.quantize import sqnr_text
from mcuq.report.candidates import Figures

# Floats from here on have no fraction, and the largest no hundredfold.
_WHOLE = 2.0**53


@dataclass(frozen=True)
class Limit:
    """A bound of one figure: `figure` is a field of Figures, `is_most` whether it may be no more, else no less.

    Numbers are as `option` takes them: bytes, ms, dB, or accuracy in per cent, `digits` of them behind the point.
    """

    option: str
    figure: str
    bound: float
    is_most: bool
    unit: str
    digits: int = 0

    def value(self, figures: Figures) -> float | None:
        """The figure; None where it is not known, as the model does not fit its board or data has no labels."""
        found = getattr(figures, self.figure)
        return None if found is None else 100 * found if self.unit == "%" else float(found)

    def excess(self, figures: Figures) -> float:
        """By how much the bound is missed, 0 where it is met, infinite where the figure is not known."""
        value = self.value(figures)
        if value is None:
            return math.inf
        return max(0.0, value - self.bound if self.is_most else self.bound - value)

    def is_met_by(self, figures: Figures) -> bool:
        """Whether it is."""
        return self.excess(figures) == 0

    def share(self, figures: Figures) -> float:
        """The excess in parts of the bound, to compare limits."""
        return self.excess(figures) / max(abs(self.bound), 1e-9)

    def text(self, value: float, with_unit: bool = True) -> str:
        """A figure, rounded to where a bound of so much is met."""
        if math.isinf(value):
            return sqnr_text(value)
        return self._rounded(value, self.is_most) + (f" {self.unit}" if with_unit else "")

    def missed_by(self, figures: Figures) -> str:
        """The excess, which is never none where the bound is missed."""
        return self._rounded(self.excess(figures), up=True)

    def _rounded(self, value: float, up: bool) -> str:
        scale = 10**self.digits
        if abs(value) >= _WHOLE:
            return f"{value:,g}"
        whole = (math.ceil if up else math.floor)(round(value * scale, 6))
        return f"{whole / scale:,.{self.digits}f}"

    def allowing(self, figures: Figures) -> str:
        """The option with which it would be met."""
        value = self.value(figures)
        assert value is not None
        return f"{self.option} {self.text(value, with_unit=False).replace(',', '')}"

    @property
    def asked(self) -> str:
        """The option as it was given."""
        return f"{self.option} {self.bound:,g}" if self.bound < 1e6 else f"{self.option} {self.bound:,.0f}"


@dataclass(frozen=True)
class Budget:
    """What the model must keep to: bytes of arena, of flash (code and constants), ms of an inference, dB of SQNR, the
    share of labels met; None where there is no limit. Raises QuantizationError for a bound that is not finite."""

    max_flash_bytes: int | None = None
    min_sqnr_db: float | None = None
    min_accuracy: float | None = None
    max_ram_bytes: int | None = None
    max_ms: float | None = None

    def __post_init__(self) -> None:
        for name, bound in vars(self).items():
            if isinstance(bound, float) and not math.isfinite(bound):
                raise QuantizationError(f"budget: {name} {bound} is not finite; give a number, or None for no limit")

    @property
    def costs(self) -> tuple[Limit, ...]:
        """Limits of what it may take."""
        return _given(
            (self.max_ram_bytes, lambda bound: Limit("--max-ram", "arena_bytes", bound, True, "bytes")),
            (self.max_flash_bytes, lambda bound: Limit("--max-flash", "flash_bytes", bound, True, "bytes")),
            (self.max_ms, lambda bound: Limit("--max-ms", "ms", bound, True, "ms", 2)),
        )

    @property
    def quality(self) -> tuple[Limit, ...]:
        """Limits of how accurate it is to be."""
        return _given(
            (self.min_sqnr_db, lambda bound: Limit("--min-sqnr", "sqnr_db", bound, False, "dB", 2)),
            (self.min_accuracy, lambda bound: Limit("--min-accuracy", "accuracy", 100 * bound, False, "%", 2)),
        )

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All of them."""
        return (*self.costs, *self.quality)

    def is_met_by(self, figures: Figures) -> bool:
        """Whether all limits are."""
        return all(limit.is_met_by(figures) for limit in self.limits)

    def is_accurate(self, figures: Figures) -> bool:
        """Whether it is accurate enough."""
        return all(limit.is_met_by(figures) for limit in self.quality)

    def fits_flash(self, figures: Figures) -> bool:
        """Whether the flash is enough."""
        return all(limit.is_met_by(figures) for limit in self.costs if limit.figure == "flash_bytes")

    def fits(self, figures: Figures) -> bool:
        """Whether it takes no more than it may."""
        return all(limit.is_met_by(figures) for limit in self.costs)


def _given(*limits: tuple[float | None, Callable[[float], Limit]]) -> tuple[Limit, ...]:
    return tuple(make(bound) for bound, make in limits if bound is not None)


def excess_of(limits: Sequence[Limit], figures: Figures) -> float:
    """How far figures are from meeting all limits, in parts of each bound."""
    return sum(limit.share(figures) for limit in limits)
