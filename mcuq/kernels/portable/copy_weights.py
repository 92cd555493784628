"""Weights of a layer as they are, copied: the call before a kernel that reads the copy."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.kernels.kernel import Constants


@dataclass(frozen=True)
class CopyWeightsConstants(Constants):
    """So many `bytes` of an array of `element_type`."""

    template = "portable/copy_weights"

    element_type: str
    bytes: int
