"""Labelled inputs for calibration and comparison, streamed from .npz files, folders, arrays or generators."""

from mcuq.dataset.arrays import from_arrays, is_pair
from mcuq.dataset.from_source import from_source
from mcuq.dataset.generator import Source, from_generator, is_read_once, is_source
from mcuq.dataset.part import held_back_part, other_part
from mcuq.dataset.samples import Dataset, InputSpec, Sample
from mcuq.dataset.source import open_dataset
from mcuq.dataset.spool import Spooled
from mcuq.dataset.spread import count_samples, scattered_indices, spread_indices, spread_samples

__all__ = [
    "Dataset",
    "InputSpec",
    "Sample",
    "Source",
    "Spooled",
    "count_samples",
    "from_arrays",
    "from_generator",
    "from_source",
    "held_back_part",
    "is_pair",
    "is_read_once",
    "is_source",
    "open_dataset",
    "other_part",
    "scattered_indices",
    "spread_indices",
    "spread_samples",
]
