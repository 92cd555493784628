"""Collects one tensor's values during calibration, in bounded memory, and chooses the range to quantize."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcuq.errors import QuantizationError, did_you_mean
from mcuq.quantize.mse_range import least_error_range

METHODS = ("minmax", "percentile", "mse")

# Below 2^-126 a bin width has no float32 reciprocal; 2^-126 is float32's smallest normal number.
_SMALLEST_EXPONENT = -126
# Values are binned in blocks whose temporaries stay in a CPU's second-level cache.
_BLOCK_VALUES = 1 << 16


@dataclass(frozen=True)
class CalibrationMethod:
    """How a range is chosen from the values seen; `percentile` counts for the method of that name only."""

    name: str
    percentile: float = 99.999

    def __post_init__(self) -> None:
        """Raise QuantizationError for an unknown name, or a percentile outside 50..100."""
        if self.name not in METHODS:
            raise QuantizationError(
                f"calibration '{self.name}': unknown method; "
                "use 'minmax', 'mse', 'percentile' or 'percentile:99.99'" + did_you_mean(self.name, METHODS)
            )
        # Below 50 is always a fraction given for a percentage: 0.999 would drop 99 values in 100.
        if not 50 <= self.percentile <= 100:
            raise QuantizationError(
                f"calibration '{self}': percentile {self.percentile:g} is not between 50 and 100; "
                "give the percentage of values to keep, such as 99.99"
            )

    def __str__(self) -> str:
        return f"percentile:{self.percentile!r}" if self.name == "percentile" else self.name


def parse_method(text: str) -> CalibrationMethod:
    """Read "minmax", "percentile", "percentile:99.99" or "mse".

    Raises QuantizationError for anything else. `parse_method(str(method)) == method`.
    """
    name, colon, parameter = text.partition(":")
    if not colon or name not in METHODS:
        return CalibrationMethod(name)
    if name != "percentile":
        raise QuantizationError(f"calibration '{text}': '{name}' takes no parameter; use '{name}'")
    try:
        return CalibrationMethod(name, float(parameter))
    except ValueError:
        raise QuantizationError(
            f"calibration '{text}': '{parameter}' is not a number; use a percentage, as in 'percentile:99.99'"
        ) from None


class RangeCollector:
    """Exact minimum, exact maximum and a histogram of all values of one tensor.

    The histogram's bins are [k * 2^e, (k + 1) * 2^e) for integers k, so zero is always an edge. `e` is the
    smallest, from -126, for which zero and all values span at most `bins` bins. It only ever grows, and growing
    it by one adds up pairs of whole bins, so the counts depend on the values alone, not on their order or chunks.
    Memory is 16 * bins bytes.
    """

    def __init__(self, name: str = "", bins: int = 2048) -> None:
        """Start with no values; `name` is the tensor's, for errors; `bins` is even."""
        if bins < 2 or bins % 2:
            raise ValueError(f"bins must be even and positive, got {bins}")
        self.name = name
        self.values_seen = 0
        self._bins = bins
        self._min = math.inf
        self._max = -math.inf
        self._exponent = _SMALLEST_EXPONENT
        # counts[bins + k] belongs to bin k, for k in -bins..bins-1.
        self._counts: NDArray[np.int64] = np.zeros(2 * bins, np.int64)

    def update(self, values: ArrayLike) -> None:
        """Add values of any shape, taken as float32.

        Raises QuantizationError where any is NaN or Inf; the collector is then as before the call.
        """
        with np.errstate(over="ignore"):
            flat = np.asarray(values, dtype=np.float32).ravel()
        if flat.size == 0:
            return
        low, high = float(flat.min()), float(flat.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            not_finite = flat.size - np.count_nonzero(np.isfinite(flat))
            raise QuantizationError(
                f"{self._where()}: {not_finite} of {flat.size} values are NaN or Inf during calibration; "
                "check the calibration data and the model's weights"
            )
        # Adding 0.0 turns -0.0 into 0.0, so that the sign of zero cannot depend on the order.
        self._min = min(self._min, low + 0.0)
        self._max = max(self._max, high + 0.0)
        self.values_seen += flat.size
        self._widen()
        self._count(flat)

    def range(self, method: CalibrationMethod) -> tuple[float, float]:
        """Return (low, high) with min(0, minimum) <= low <= 0 <= high <= max(0, maximum).

        - "minmax": all values.
        - "percentile": the central `percentile` percent, dropping (100 - percentile) / 2 percent at each end,
          as onnxruntime's asymmetric percentile calibration does; values are taken as evenly spread within a
          bin, which is at most about 2 / bins of the whole range wide.
        - "mse": the least mean squared error of 8-bit asymmetric quantization; see `least_error_range`.

        Both are 0.0 where all values were zero. Raises QuantizationError where there were no values.
        """
        if self.values_seen == 0:
            raise QuantizationError(f"{self._where()}: calibration saw no values; give at least one sample")
        low, high = min(self._min, 0.0), max(self._max, 0.0)
        if method.name == "minmax" or low == high:
            return low, high
        edges, counts = self.histogram()
        if method.name == "percentile":
            dropped = (100 - method.percentile) / 200
            found = _quantile(edges, counts, dropped), -_quantile(-edges[::-1], counts[::-1], dropped)
        else:
            found = least_error_range(edges, counts, low, high)
        return min(max(found[0], low), 0.0) + 0.0, max(min(found[1], high), 0.0) + 0.0  # never -0.0

    def _where(self) -> str:
        return f"tensor '{self.name}'" if self.name else "tensor"

    def _bin(self, value: float) -> int:
        return math.floor(math.ldexp(value, -self._exponent))

    def _widen(self) -> None:
        """Double the bins' width until zero and all values so far span at most `bins` bins."""
        low, high = min(self._min, 0.0), max(self._max, 0.0)
        while self._bin(high) - self._bin(low) >= self._bins:
            self._exponent += 1
            if self._counts.any():
                pairs = self._counts.reshape(-1, 2).sum(axis=1)
                self._counts[:] = 0
                self._counts[self._bins // 2 : self._bins // 2 + self._bins] = pairs

    def _count(self, flat: NDArray[np.float32]) -> None:
        # Times a power of two is exact in float32, except that a tiny negative value times less than one may
        # vanish, and would then be counted on the wrong side of zero; float64 has the exponents for it.
        dtype = np.dtype(np.float32 if self._exponent <= 0 else np.float64)
        per_width = dtype.type(math.ldexp(1.0, -self._exponent))
        for start in range(0, flat.size, _BLOCK_VALUES):
            index = np.multiply(flat[start : start + _BLOCK_VALUES], per_width, dtype=dtype)
            np.floor(index, out=index)
            index += self._bins
            self._counts += np.bincount(index.astype(np.intp), minlength=self._counts.size)

    def histogram(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the edges (n + 1,) and counts (n,) of the bins from the lowest to the highest value."""
        first, last = self._bin(self._min), self._bin(self._max)
        edges = np.ldexp(np.arange(first, last + 2, dtype=np.float64), self._exponent)
        return edges, self._counts[self._bins + first : self._bins + last + 1]


def _quantile(edges: NDArray[np.float64], counts: NDArray[np.int64], fraction: float) -> float:
    """Return the value below which `fraction` of all counts lie."""
    below = np.concatenate([[0], np.cumsum(counts)])
    wanted = fraction * below[-1]
    k = min(max(int(np.searchsorted(below, wanted, side="right")) - 1, 0), counts.size - 1)
    within = (wanted - below[k]) / counts[k] if counts[k] else 0.0
    return float(edges[k] + (edges[k + 1] - edges[k]) * within)
