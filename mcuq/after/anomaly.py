"""How far an inference is from what is normal, and whether too far; twin of ID_anomaly_score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, frexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.after.after import After
from mcuq.after.port import integer_port, output_of
from mcuq.errors import DataError, ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor

Integers = NDArray[np.int64]
# A difference is 2^DIFFERENCE_BITS at most, so that the squares of 2^22 of them add up to less than 2^62.
DIFFERENCE_BITS, SHIFT = 20, 10
MOST_ELEMENTS = 1 << 22
# Of means in codes, and of distances in standard deviations.
MEAN_BITS, DISTANCE_BITS = 8, 10
# What a standard deviation is at least, in codes: that of rounding to codes.
LEAST_DEVIATION = 12**-0.5


@dataclass(frozen=True)
class Judged:
    """`score` is the mean error or distance, `total` the integer that the C gives for it."""

    score: float
    is_anomaly: bool
    total: int

    def __str__(self) -> str:
        return f"{self.score:.5g}{' ANOMALY' if self.is_anomaly else ''}"


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Differences of an input and its reconstruction: ((x - zero) factor - (y - zero) factor) >> SHIFT, rounded, halves
    up; a difference of 1 is `unit` in real values, 2^-19 of the larger range."""

    x: Tensor
    y: Tensor
    x_factor: int
    y_factor: int
    unit: float

    @property
    def elements(self) -> int:
        """How many there are."""
        return self.y.elements

    def differences(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Integers:
        """(samples, elements)."""
        x, y = (
            own[t.name].reshape(-1, t.elements).astype(np.int64) - t.zero_point
            for own, t in ((inputs, self.x), (outputs, self.y))
        )
        return (x * self.x_factor - y * self.y_factor + (1 << (SHIFT - 1))) >> SHIFT


@dataclass(frozen=True, eq=False)
class Distance:
    """Differences of an output from its means on calibration data, in standard deviations: ((y 2^8 - mean) factor) >>
    shift, rounded, halves up, limited to 1,024; a difference of 1 is 2^-10."""

    y: Tensor
    means: Integers
    factors: Integers
    shift: int

    unit = 2.0**-DISTANCE_BITS

    @property
    def elements(self) -> int:
        """How many there are."""
        return self.y.elements

    def differences(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Integers:
        """(samples, elements)."""
        y = outputs[self.y.name].reshape(-1, self.elements).astype(np.int64)
        found = (((y << MEAN_BITS) - self.means) * self.factors + (1 << (self.shift - 1))) >> self.shift
        return found.clip(-(1 << DIFFERENCE_BITS), 1 << DIFFERENCE_BITS)


@dataclass(frozen=True, eq=False)
class Anomaly:
    """The sum of squared or absolute differences; more than `limit` is an anomaly."""

    after: After
    of_what: Reconstruction | Distance
    is_squared: bool
    limit: int

    @property
    def unit(self) -> float:
        """What a total of 1 is, as a mean of real values."""
        return self.of_what.unit ** (2 if self.is_squared else 1) / self.of_what.elements

    def begin(self) -> None:
        """Nothing goes on from one inference to the next."""

    def totals(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Integers:
        """(samples,)."""
        d = self.of_what.differences(inputs, outputs)
        found: Integers = (d * d if self.is_squared else np.abs(d)).sum(-1)
        return found

    def of(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> list[Judged]:
        """Of each sample."""
        return [Judged(t * self.unit, t > self.limit, t) for t in self.totals(inputs, outputs).tolist()]

    def described(self) -> str:
        """In a few words."""
        error = "squared" if self.is_squared else "absolute"
        own = self.of_what
        what = (
            f"error between '{own.x.name}' and '{own.y.name}'"
            if isinstance(own, Reconstruction)
            else f"distance of '{own.y.name}' from what is normal"
        )
        return f"mean {error} {what}, an anomaly above {self.limit * self.unit:.5g}"


def needs_data(after: After) -> bool:
    """Whether calibration finds something of it."""
    return after.kind == "anomaly" and (after.values["threshold"] < 0 or after.values["score"] == "distance")


def anomaly_for(after: After, graph: Graph) -> Anomaly:
    """Raises ModelError where the model has no such tensors, DataError where nothing was learned."""
    _check_learned(after)
    return _with_limit(after, graph, after.learned)


def learned_from(
    after: After, graph: Graph, calls: Iterable[tuple[Mapping[str, Array], Mapping[str, Array]]]
) -> dict[str, Any]:
    """What `after.learned` is to be, of inputs and outputs (samples, *shape) of calibration data."""
    y = integer_port(graph, output_of(graph, after), after)
    names = (y.name, _input_of(graph, after, y).name) if after.values["score"] == "reconstruction" else (y.name,)
    kept: dict[str, list[Array]] = {name: [] for name in names}
    for inputs, outputs in calls:
        known = {**inputs, **outputs}
        for name in names:
            kept[name].append(known[name])
    seen = {name: np.concatenate(parts) for name, parts in kept.items()}
    found: dict[str, Any] = {}
    if after.values["score"] == "distance":
        codes = seen[y.name].reshape(-1, y.elements).astype(np.float64)
        found = {"means": codes.mean(0).tolist(), "deviations": codes.std(0).tolist()}
    totals = _with_limit(after, graph, {**found, "limit": 0}).totals(seen, seen)
    found["limit"] = int(np.quantile(totals, after.values["quantile"], method="inverted_cdf"))
    return found


def _check_learned(after: After) -> None:
    if needs_data(after) and not after.learned:
        is_distance = after.values["score"] == "distance"
        what = "means and deviations are" if is_distance else "its quantile of normal data is"
        mend = "give --calibration with normal data" + ("" if is_distance else ", or a threshold")
        raise DataError(f"{after.where}: kind = 'anomaly': {what} learned; {mend}")


def _with_limit(after: After, graph: Graph, learned: Mapping[str, Any]) -> Anomaly:
    values = after.values
    y = integer_port(graph, output_of(graph, after), after)
    if y.elements > MOST_ELEMENTS:
        raise ModelError(
            f"{after.where}: output '{y.name}' has {y.elements:,} elements; {MOST_ELEMENTS:,} are the most"
        )
    if values["score"] == "distance":
        own: Reconstruction | Distance = _distance(after, y, learned)
    else:
        own = _reconstruction(_input_of(graph, after, y), y)
    twin = Anomaly(after, own, values["error"] == "squared", int(learned.get("limit", 0)))
    if values["threshold"] >= 0:
        twin = Anomaly(after, own, twin.is_squared, min(floor(values["threshold"] / twin.unit), 2**62))
    return twin


def _input_of(graph: Graph, after: After, y: Tensor) -> Tensor:
    name, given = after.values["input"], graph.given_inputs
    listed = ", ".join(f"'{own}'" for own in given)
    if name and name not in given:
        raise ModelError(f"{after.where}: input = '{name}': is no input of the model, which has {listed}")
    if not name and len(given) > 1:
        raise ModelError(f"{after.where}: input: the model has {len(given)} inputs ({listed}); name one")
    x = integer_port(graph, name or given[0], after)
    if x.elements != y.elements:
        raise ModelError(
            f"{after.where}: input '{x.name}' has {x.elements} elements, output '{y.name}' {y.elements}; a "
            'reconstruction has as many as its input: score = "distance" takes any'
        )
    return x


def _reconstruction(x: Tensor, y: Tensor) -> Reconstruction:
    # A code is 2^29 at most, a difference 2^30.
    fine = max(t.scale * _reach(t) for t in (x, y)) / 2.0**29
    x_factor, y_factor = (floor(t.scale / fine + 0.5) for t in (x, y))
    return Reconstruction(x, y, x_factor, y_factor, fine * 2.0**SHIFT)


def _reach(tensor: Tensor) -> int:
    """How far codes are from the zero point."""
    return max(abs(bound - tensor.zero_point) for bound in tensor.quantization.bounds)


def _distance(after: After, y: Tensor, learned: Mapping[str, Any]) -> Distance:
    if len(learned["means"]) != y.elements:
        raise ModelError(
            f"{after.where}: output '{y.name}' has {y.elements} elements a call, and {len(learned['means'])} where "
            "calibration ran whole windows; leave out --stream"
        )
    means, deviations = (np.array(learned[key], np.float64) for key in ("means", "deviations"))
    factors = 2.0 ** (DISTANCE_BITS - MEAN_BITS) / np.maximum(deviations, LEAST_DEVIATION)
    shift = 30 - frexp(float(factors.max()))[1]
    return Distance(
        y,
        np.floor(means * 2.0**MEAN_BITS + 0.5).astype(np.int64),
        np.floor(factors * 2.0**shift + 0.5).astype(np.int64),
        shift,
    )
