"""Importing this lets a benchmark import what tests share: cases of layers, and graphs of them."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / part) for part in (".", "kernels")]
