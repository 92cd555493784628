"""How near the outputs of a quantized graph come to those of the float model: noise, and what their grids cut off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite, log10

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor

# With noise added to the logits of float models, at 15 dB 4 (mnist_mlp) to 11 (ic) in a hundred answers on calibration
# data were others, at 10 dB 10 to 21, at 20 dB 2 to 6.
LOW_SQNR_DB = 15.0
SATURATED_SHARE = 0.01


@dataclass(frozen=True)
class OutputQuality:
    """Of one output of the model, by its name.

    `sqnr_db` is 10 log10(signal / noise) over all samples of `tensor`: the output, or what its final Softmax reads, as
    Softmax hides errors and amplifies others. `saturated` is the share of that tensor's values which the float model
    has beyond its range, by more than a step.
    """

    output: str
    tensor: str
    sqnr_db: float
    saturated: float


class QualityMeter:
    """Adds up signal, noise and saturated values of each output over any number of batches."""

    def __init__(self, tensors: Mapping[str, str]) -> None:
        """`tensors` gives the tensor to watch for each output's name."""
        self._tensors = dict(tensors)
        # Signal, noise, values beyond the range, all values.
        self._sums = {name: np.zeros(4) for name in self._tensors.values()}

    def add(self, graph: Graph, integers: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
        """Take in the watched tensors of a batch: what `graph` holds, and the float model's real values."""
        for name, sums in self._sums.items():
            tensor, real = graph.tensors[name], expected[name].astype(np.float64)
            error = real - tensor.decode(integers[name])
            beyond = np.count_nonzero(beyond_range(tensor, real))
            sums += np.array([(real**2).sum(), (error**2).sum(), beyond, real.size])

    def qualities(self) -> tuple[OutputQuality, ...]:
        """One for each output, in their order."""
        found = []
        for output, name in self._tensors.items():
            signal, noise, beyond, values = self._sums[name].tolist()
            found.append(OutputQuality(output, name, decibels(signal, noise), beyond / max(values, 1)))
        return tuple(found)


def quality_notes(qualities: Iterable[OutputQuality], judged_on: str = "") -> tuple[str, ...]:
    """Warnings for the user; `judged_on` is the data, where that is not plain."""
    on = f" on {judged_on}" if judged_on else ""
    found = []
    for quality in qualities:
        if quality.sqnr_db < LOW_SQNR_DB:
            found.append(
                f"output '{quality.output}': its SQNR is low, {sqnr_text(quality.sqnr_db)}{on}; find the layers that "
                "cost it: mcuq diagnose"
            )
        if quality.saturated > SATURATED_SHARE:
            found.append(
                f"output '{quality.output}': {100 * quality.saturated:.1f} % of its values lie beyond its range{on} "
                "and are clipped; give calibration data that reaches as far, or a --calibrator that clips less"
            )
    return tuple(found)


def beyond_range(tensor: Tensor, real: Array) -> Array:
    """Which of the real values lie beyond the tensor's range by more than a step; none of what holds floats."""
    if tensor.quant is None:
        return np.zeros(np.shape(real), bool)
    low, high = tensor.quant.bounds
    q = tensor.encode(real)
    inward = np.where(q == low, low + 1, np.where(q == high, high - 1, q)).astype(q.dtype)
    end = tensor.decode(q)
    beyond: Array = (inward != q) & (np.abs(real - end) > np.abs(end - tensor.decode(inward)))
    return beyond


def watched_tensors(graph: Graph, names: Iterable[str] | None = None) -> dict[str, str]:
    """For each output the tensor to take the SQNR of, as OutputQuality says, before conversions.

    That is the output itself where the other is not among `names`, which are by default what the graph computes.
    """
    computed = set(graph.producers() if names is None else names)
    found = {output: logits_tensor(graph, output) for output in graph.outputs}
    return {output: name if name in computed else output for output, name in found.items()}


def logits_tensor(graph: Graph, output: str | None = None) -> str:
    """The tensor to take the SQNR of an output, by default the first: itself, or what a Softmax that ends in it reads;
    before conversions."""
    producers = graph.producers()
    output = graph.outputs[0] if output is None else output

    def before_conversions(name: str) -> str:
        while name in producers and producers[name].op.is_conversion:
            name = producers[name].inputs[0]
        return name

    last = producers.get(before_conversions(output))
    if last is not None and last.op.hides_errors:
        return before_conversions(last.inputs[0])
    return output


def sqnr_text(sqnr_db: float) -> str:
    """A ratio for people: with its unit, "exact" without noise, "none" without signal."""
    return f"{sqnr_db:.1f} dB" if isfinite(sqnr_db) else ("exact" if sqnr_db > 0 else "none")


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise); infinite without noise, minus infinite without signal."""
    if noise == 0:
        return inf
    return 10 * log10(signal / noise) if signal > 0 else -inf
