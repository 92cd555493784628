"""What to do about a layer's error, from which part of it is largest."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

from mcuq.diagnose.layers import LayerNoise
from mcuq.diagnose.noise import Noise
from mcuq.quantize import WEIGHTS

Part = Literal["inputs", "weights", "clipping", "outliers", "rounding"]

# A range this many times the root mean square of its values is spent on few of them; a normal distribution's is 5 to 6.
OUTLIER_RATIO = 15.0
# Noise of rounding alone is scale^2 / 12 a value (Widrow, "Statistical analysis of amplitude-quantized sampled-data
# systems", 1961); what is more than twice that comes from clipping.
ROUNDING_VARIANCE = 1 / 12


@dataclass(frozen=True)
class Advice:
    """The largest part of a layer's error, and what helps against it in words. `producers` are the layers whose outputs
    are to be finer where the part is "inputs"."""

    part: Part
    text: str
    producers: tuple[str, ...] = ()


def advise(found: LayerNoise, producers: tuple[str, ...]) -> Advice:
    """What to do about this layer; `producers` are the layers that compute its inputs."""
    parts = {"inputs": _energy(found.inputs), "weights": _energy(found.weights), "rounding": _energy(found.rounding)}
    largest = max(parts, key=lambda part: parts[part])
    name = found.layer.name
    if largest == "weights":
        storage = next(t.storage for t in found.layer.inputs if t.is_constant)
        stored = WEIGHTS[storage]
        if stored.is_float or stored.drops_any:
            return Advice("weights", f'its {storage} weights: [layers."{name}"] weights = "{stored.finer}"')
        channel, db = found.weights.worst_channel if found.weights else (0, 0.0)
        return Advice(
            "weights",
            f'its weights (channel {channel}: {db:.1f} dB): [layers."{name}"] weights = "{stored.finer}", or '
            "retrain with weight decay",
        )
    if largest == "inputs":
        if not producers:
            # A layer that writes int8 would have the input converted to int8 first.
            own = f'[layers."{name}"] activations = "int16"'
            return Advice("inputs", f"the model's input: --input-type int16 and {own}")
        listed = ", ".join(f'[layers."{p}"]' for p in producers)
        return Advice("inputs", f'the numbers of its inputs: {listed} activations = "int16"', producers)
    count = max(found.values.values_seen, 1)
    scale = max(found.layer.output.quant.scale) if found.layer.output.quant is not None else 0.0
    if found.clipped and parts["rounding"] > 2 * ROUNDING_VARIANCE * scale**2 * count:
        return Advice("clipping", f"clips {100 * found.clipped:.2g} % of its values: --calibrator minmax or mse")
    rms = sqrt(float(found.rounding.signal.sum()) / count)
    edges, _ = found.values.histogram()
    largest_value = max(-float(edges[0]), float(edges[-1]))
    if rms > 0 and largest_value > OUTLIER_RATIO * rms:
        return Advice(
            "outliers",
            f'values up to {largest_value / rms:.0f} times their RMS: [layers."{name}"] activations = "int16"',
        )
    return Advice("rounding", f'the 8 bits of its output: [layers."{name}"] activations = "int16"')


def _energy(noise: Noise | None) -> float:
    return 0.0 if noise is None else float(noise.noise.sum())
