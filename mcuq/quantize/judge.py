"""How accurate a quantized network is on samples that it has not seen, told from calibration data alone.

The model that the user gets is calibrated on all samples, and none is left to judge it by. So a second one is made in
the same way of fewer samples, and judged by others. It is the worse one, as it has seen less: on the calibration parts
of kws, ad and two mnist networks one of 32 samples came out 0 to 4 dB below one of twice as many or more, kws in under
half of its time. docs/calibration.md has more figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from mcuq.dataset import Sample, count_samples, scattered_indices, spread_samples
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import quantize_inputs, simulate
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.quantize.progress import Progress, silent
from mcuq.quantize.quality import OutputQuality, QualityMeter, watched_tensors

HELD_BACK = 16
CALIBRATED_ON = 32


@dataclass(frozen=True)
class Judgement:
    """What `samples` samples showed of a model that had seen `calibrated_on` others: as many, each half of the samples
    judged by a model of the other half, where `halves`. A model that takes nothing from data has seen none."""

    samples: int
    calibrated_on: int
    halves: bool
    outputs: tuple[OutputQuality, ...]

    @property
    def judged_on(self) -> str:
        """The data, in words."""
        if not self.calibrated_on:
            return f"{self.samples} samples, as the model takes nothing from data"
        if self.halves:
            return f"{self.samples} samples, each half held back from a model of the other"
        return f"{self.samples} held-back samples, with a model of {self.calibrated_on} others"


def judge(
    graph: Graph,
    samples: Sequence[Sample],
    quantize: Callable[[Sequence[Sample]], Graph],
    progress: Progress = silent,
) -> Judgement | None:
    """Judge what `quantize` makes of some of the samples by others; None where all are one and the same.

    `graph` is the float graph, whose outputs are what is right.
    """
    splits = held_back(len(samples))
    if not splits:
        return None
    tick = progress("judging on held-back samples", len(splits))
    models = []
    for _, others in splits:
        models.append(quantize([samples[index] for index in others]))
        tick()
    parts = [([samples[index] for index in unseen], model) for (unseen, _), model in zip(splits, models, strict=True)]
    judged = sum(len(unseen) for unseen, _ in splits)
    return Judgement(judged, len(splits[0][1]), len(splits) > 1, _qualities(graph, parts))


def judge_fixed(graph: Graph, model: Graph, samples: Iterable[Sample]) -> Judgement:
    """Judge a model that takes nothing from data, as its activations are floats, by some of the samples."""
    chosen = spread_samples(samples, HELD_BACK + CALIBRATED_ON, count_samples(samples))
    return Judgement(len(chosen), 0, False, _qualities(graph, [(chosen, model)]))


def _qualities(graph: Graph, parts: Sequence[tuple[Sequence[Sample], Graph]]) -> tuple[OutputQuality, ...]:
    """Of all outputs of the models together, each on its samples, against the float graph."""
    tensors = watched_tensors(parts[0][1], graph.producers())
    names = tuple(dict.fromkeys(tensors.values()))
    float_model = FloatModel(write_onnx(graph, names))
    meter = QualityMeter(tensors)
    for samples, model in parts:
        integer = replace(model, outputs=names)
        batch = {name: np.stack([sample[name] for sample in samples]) for name in graph.inputs}
        expected = [float_model.run(sample, names) for sample in samples]
        integers = simulate(integer, quantize_inputs(integer, batch))
        meter.add(integer, integers, {name: np.stack([values[name] for values in expected]) for name in names})
    return meter.qualities()


def held_back(count: int) -> list[tuple[list[int], list[int]]]:
    """(those judged by, those of the model) of `count` samples, scattered over all; two halves where there are few.

    Empty for a single sample.
    """
    if count < 2:
        return []
    order = scattered_indices(count)
    if count < HELD_BACK + CALIBRATED_ON:
        halves = sorted(order[: count // 2]), sorted(order[count // 2 :])
        return [halves, halves[::-1]]
    return [(sorted(order[:HELD_BACK]), sorted(order[HELD_BACK : HELD_BACK + CALIBRATED_ON]))]


def distinct_samples(samples: Sequence[Sample]) -> list[Sample]:
    """The first of each group of equal samples."""
    found: dict[bytes, Sample] = {}
    for sample in samples:
        digest = blake2b(digest_size=16)
        for name in sorted(sample):
            digest.update(np.ascontiguousarray(sample[name]).tobytes())
        found.setdefault(digest.digest(), sample)
    return list(found.values())
