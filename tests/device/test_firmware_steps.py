"""A model that goes by steps on a device: its firmware runs it whole, and measures it layer by layer."""

from __future__ import annotations

from pathlib import Path

from host_model import build_host_firmware, running
from row_networks import row_network
from support import model_of, random_inputs, with_ranges

from mcuq.lower import Stepped
from mcuq.validate.fleet import validate_port


def test_layers_of_a_model_that_goes_by_steps_are_measured(tmp_path: Path) -> None:
    model = model_of(with_ranges(row_network(10)), step=Stepped(3_000))
    assert model.is_stepped
    assert model.listing.order
    inputs = random_inputs(model.graph, 3)
    with running(build_host_firmware(model, tmp_path / "right", 192)) as (port, _):
        report = validate_port(model, iter([inputs]), port, 115_200, "mend")
    assert report.bit_exact, report.first_mismatch
    assert [layer.name for layer in report.layers] == [layer.name for layer, _ in model.coded_layers]
