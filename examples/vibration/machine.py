"""Made-up vibration of a machine: what a three-axis accelerometer on the bearing of a shaft reads, in five states.

    python examples/vibration/machine.py FOLDER

writes FOLDER/calibration.npz and FOLDER/test.npz; NumPy is all that it needs. README.md has the formulas.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

STATES = ("healthy", "imbalance", "misalignment", "looseness", "bearing")
STEPS, AXES = 96, 3  # of a window; two radial axes and the shaft's
RATE_HZ = 1600
SHAFT_HZ = 30, 50  # slowest and fastest
RESONANCE_HZ, DECAY_S = 420, 0.004  # of the housing, which a damaged bearing strikes
STRIKES = 3.58  # of a turn: balls over a spot on the outer ring
COUNTS = 512  # of the accelerometer for 1 g
SEEDS = {"train": 1, "calibration": 2, "test": 3}
WINDOWS = {"train": 8000, "calibration": 60, "test": 1000}


def vibration(state: str, random: np.random.Generator) -> np.ndarray:
    """A window in g, (STEPS, AXES) float64: what rests of imbalance in every machine, the state's own, and noise."""
    time = np.arange(-STEPS, STEPS) / RATE_HZ  # begins earlier, so that strikes before the window ring in it
    shaft_hz = random.uniform(*SHAFT_HZ)
    angle = 2 * np.pi * (shaft_hz * time + random.uniform())
    severity = np.exp(random.uniform(np.log(0.35), np.log(1.6)))  # in g, about
    turned = random.uniform(0, 2 * np.pi, 4)  # phases
    radial, other, axial = (random.uniform(0.02, 0.12) * np.cos(angle + phase) for phase in turned[:3])
    if state == "imbalance":
        radial += severity * np.cos(angle)
        other += severity * random.uniform(0.6, 1) * np.sin(angle)
    elif state == "misalignment":
        radial += severity * (0.4 * np.cos(angle) + 0.6 * np.cos(2 * angle + turned[3]))
        other += severity * (0.3 * np.sin(angle) + 0.4 * np.sin(2 * angle + turned[3]))
        axial += severity * 0.7 * np.cos(angle + turned[2])
    elif state == "looseness":
        lifted = np.cos(angle) + 0.4 * np.cos(angle / 2 + turned[3])  # every other turn is another
        radial += severity * np.clip(lifted, -0.3, None)  # the floor stops it
        other += severity * 0.4 * np.sin(angle)
    elif state == "bearing":
        first = -STEPS / RATE_HZ + random.uniform() / (STRIKES * shaft_hz)
        for strike in np.arange(first, time[-1], 1 / (STRIKES * shaft_hz)):
            since = time - (strike + random.normal(0, 0.02) / (STRIKES * shaft_hz))  # balls slip
            ringing = np.where(
                since < 0, 0, np.exp(-np.abs(since) / DECAY_S) * np.sin(2 * np.pi * RESONANCE_HZ * since)
            )
            radial += 0.8 * severity * random.uniform(0.5, 1) * ringing
            other += 0.4 * severity * random.uniform(0.5, 1) * ringing
    signal = np.stack([radial, other, axial], axis=1)[STEPS:]
    return signal + random.normal(0, random.uniform(0.05, 0.2), signal.shape)


def windows(name: str) -> tuple[np.ndarray, np.ndarray]:
    """x (N, STEPS, AXES) float32 in g, whole counts of the accelerometer; y (N,) int64, places in STATES."""
    random = np.random.default_rng(SEEDS[name])
    y = random.integers(0, len(STATES), WINDOWS[name])
    x = np.stack([vibration(STATES[state], random) for state in y])
    return (np.rint(x * COUNTS) / COUNTS).astype(np.float32), y


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("calibration", "test"):
        x, y = windows(name)
        np.savez_compressed(folder / f"{name}.npz", x=x, y=y)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
