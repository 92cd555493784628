"""Collects one tensor's values during calibration, in bounded memory, and chooses the range to quantize."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcuq.errors import QuantizationError
from mcuq.quantize.collected import Collected
from mcuq.quantize.method import CalibrationMethod

INT8_LEVELS = 256

# Below 2^-126 a bin width has no float32 reciprocal; 2^-126 is float32's smallest normal number.
_SMALLEST_EXPONENT = -126
# Values are binned in blocks whose temporaries stay in a CPU's second-level cache.
_BLOCK_VALUES = 1 << 16


class RangeCollector:
    """Exact minimum and maximum, their averages over the samples, and a histogram of all values of one tensor.

    The histogram's bins are [k * 2^e, (k + 1) * 2^e) for integers k, so zero is always an edge. `e` is the
    smallest, from -126, for which zero and all values span at most `bins` bins. It only ever grows, and growing
    it by one adds up pairs of whole bins, so the counts depend on the values alone, not on their order or chunks.
    Memory is 16 * bins bytes.

    The averages are exponential: with c = `averaging`, sample i of n weighs c * (1 - c)^(n - i), over the sum of all
    weights, so that the first does not weigh more than the rest. Sources: Jacob et al., "Quantization and Training of
    Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, section 3.1; Kingma and Ba, "Adam",
    ICLR 2015, section 3, for the sum of the weights. Later samples count more, so their order matters.
    """

    def __init__(self, name: str = "", bins: int = 2048, averaging: float = 0.01, where: str = "") -> None:
        """Start with no values; `bins` is even; 0 < averaging <= 1. `name` is the tensor's and `where` what errors call
        it, by default by its name."""
        if bins < 2 or bins % 2:
            raise ValueError(f"bins must be even and positive, got {bins}")
        self.name = name
        self._called = where or (f"tensor '{name}'" if name else "tensor")
        self.values_seen = 0
        self._bins = bins
        self._min = math.inf
        self._max = -math.inf
        self._zeros = 0
        self._averaging = averaging
        # Of min(0, lowest), of max(0, highest), and of the weights.
        self._averages = np.zeros(3)
        self._exponent = _SMALLEST_EXPONENT
        # counts[bins + k] belongs to bin k, for k in -bins..bins-1.
        self._counts: NDArray[np.int64] = np.zeros(2 * bins, np.int64)

    def update(self, values: ArrayLike) -> None:
        """Add the values of one sample, of any shape, taken as float32.

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
                f"{self._called}: {not_finite} of {flat.size} values are NaN or Inf during calibration; "
                "check the calibration data and the model's weights"
            )
        # Adding 0.0 turns -0.0 into 0.0, so that the sign of zero cannot depend on the order.
        self._min = min(self._min, low + 0.0)
        self._max = max(self._max, high + 0.0)
        self.values_seen += flat.size
        self._zeros += flat.size - int(np.count_nonzero(flat))
        self._averages += self._averaging * (np.array([min(low, 0.0), max(high, 0.0), 1.0]) - self._averages)
        self._widen()
        self._count(flat)

    @property
    def is_constant(self) -> bool:
        """Whether all values so far are one and the same."""
        return self._min == self._max

    @property
    def minimum(self) -> float:
        """The least value so far."""
        return self._min

    def range(self, method: CalibrationMethod, levels: int = INT8_LEVELS) -> tuple[float, float]:
        """Return (low, high) with min(0, minimum) <= low <= 0 <= high <= max(0, maximum), by one of CALIBRATORS:

        - "minmax": all values.
        - "moving_average": the averages of each sample's lowest and highest value, zero included.
        - "percentile": the central `percentile` percent, dropping (100 - percentile) / 2 percent at each end,
          as onnxruntime's asymmetric percentile calibration does; values are taken as evenly spread within a
          bin, which is at most about 2 / bins of the whole range wide.
        - "mse": the least mean squared error of asymmetric quantization to `levels` integers; see `expected_error`.
        - "entropy": the least KL divergence of the same; see `divergence`.

        With more levels than bins, as int16 has, a histogram cannot tell what a narrower range gains, which is little:
        "mse" and "entropy" then are "minmax".

        One value throughout is an end of its range, whatever the method. Both are 0.0 where all values were zero.
        Raises QuantizationError where there were no values, and ValueError where `method` averages otherwise than this
        collector.
        """
        if self.values_seen == 0:
            raise QuantizationError(f"{self._called}: calibration saw no values; give at least one sample")
        calibrator = method.calibrator
        if calibrator.averages and method.averaging != self._averaging:
            raise ValueError(f"collected with an averaging constant of {self._averaging:g}, not {method.averaging:g}")
        low, high = min(self._min, 0.0), max(self._max, 0.0)
        found = low, high
        if low < high and not self.is_constant and not (calibrator.searches and levels > self._bins):
            collected = Collected(low, high, self._averaged_range(), *self.histogram(), self._zeros)
            found = calibrator.choose(collected, method.parameter, levels)
            assert found[0] <= found[1], f"{method}: {found} is no range of '{self._called}'"
        return min(max(found[0], low), 0.0) + 0.0, max(min(found[1], high), 0.0) + 0.0  # never -0.0

    def _averaged_range(self) -> tuple[float, float]:
        low, high, weight = self._averages.tolist()
        # Many zeros at the end can make all that came before vanish.
        return (low / weight, high / weight) if low < high else (self._min, self._max)

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
