"""Labelled inputs for calibration and comparison, streamed from .npz files, folders or arrays."""

from mcuq.dataset.arrays import from_arrays
from mcuq.dataset.samples import Dataset, InputSpec
from mcuq.dataset.source import open_dataset

__all__ = ["Dataset", "InputSpec", "from_arrays", "open_dataset"]
