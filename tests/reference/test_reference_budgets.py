"""Budgets of the reference networks: those said to be met are, those said to be missed are met as the error says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from reference_cases import case, reference_folder
from selections import quick

from mcuq.artifact import load
from mcuq.build.footprint import measure_footprint
from mcuq.cli import main
from mcuq.compile import CompiledModel
from mcuq.report.profile import profile_model
from mcuq.validate import check_bits, probe_inputs

pytestmark = pytest.mark.reference

LABELLED = 40  # calibration samples with labels, of which ten are held back


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Calibration data of the networks in floats."""
    folder = tmp_path_factory.mktemp("budgets")
    kws = np.load(reference_folder() / "data" / "kws_mfcc_1000.npz")
    chosen = kws["calib_idx"][:LABELLED]
    np.savez(folder / "kws.npz", x=kws["x_float32"][chosen], y=kws["y"][chosen])
    np.savez(folder / "vww.npz", x=case("vww").x_calibration[:16])
    return {name: folder / f"{name}.npz" for name in ("kws", "vww")}


def call(network: str, options: str, samples: dict[str, Path], out: Path) -> tuple[int, Any]:
    """The exit code and what --json prints; a network that came quantized needs no data."""
    name, _, kind = network.partition("_")
    data = ("--calibration", str(samples[name])) if kind == "float" else ()
    model = str(reference_folder() / "models" / f"{name}_{kind}.onnx")
    arguments = ("compile", model, "--board", "cortex-m4", "--json", "--no-judge", "--name", name, "-o", str(out))
    result = CliRunner().invoke(main, [*arguments, *data, *options.split()])
    return result.exit_code, json.loads(result.stdout)


def check_met(found: Any, model: CompiledModel) -> None:
    """Each limit by what is built anew and run, beside the bytes of the simulator."""
    taken = {"--max-ram": model.arena_bytes, "--max-flash": measure_footprint(model).flash_bytes}
    for limit in found["budget"]:
        assert limit["is_met"]
        if limit["option"] == "--max-ms":
            taken["--max-ms"] = profile_model(model).ms
        if limit["option"].startswith("--max"):
            assert limit["value"] == pytest.approx(taken[limit["option"]])
            assert taken[limit["option"]] <= limit["bound"]
        else:
            assert limit["value"] >= limit["bound"]
    probes = {name: x[:3] for name, x in probe_inputs(model.graph).items()}
    assert check_bits(model, iter([probes]), "emulator").bit_exact


MET = [
    ("kws_int8_qdq", "--max-ram 7k --max-ms 70"),
    ("vww_int8_qdq", "--max-ram 28k --max-ms 95 --optimize balanced"),
    ("kws_float", "--max-ram 10k --max-flash 36k --max-ms 60 --min-accuracy 0.8"),
    ("kws_float", "--max-flash 24k --min-sqnr 18"),
    ("kws_float", "--max-ram 20k --min-sqnr 40"),
    ("vww_float", "--max-ram 32k --max-flash 50k"),
]


@pytest.mark.parametrize(("network", "options"), quick(MET, 2))
def test_a_budget_that_is_said_to_be_met_is(
    network: str, options: str, samples: dict[str, Path], tmp_path: Path
) -> None:
    code, found = call(network, options, samples, tmp_path)
    assert code == 0, found
    assert len(found["budget"]) == options.count("--m")
    check_met(found, load(tmp_path))


MISSED = [
    # What is asked, what is missed, and the options that are to be met instead.
    ("kws_int8_qdq", "--max-ram 9000 --max-ms 50", ["--max-ram 9832", "--max-ms 62"]),
    ("kws_int8_qdq", "--max-ram 5k", ["--max-ram 6744"]),
    ("vww_int8_qdq", "--max-ram 27k", ["--max-ram 28192"]),
    ("vww_int8_qdq", "--max-ms 80 --optimize balanced", ["--max-ms 87"]),
    ("kws_float", "--max-flash 20k --min-sqnr 30", ["--max-flash ", "--min-sqnr "]),
    ("kws_float", "--max-flash 30k --max-ms 20 --min-accuracy 80", ["--max-ms "]),
]


@pytest.mark.parametrize(("network", "options", "instead"), quick(MISSED, 2))
def test_a_budget_that_is_said_to_be_missed_is_met_as_the_error_says(
    network: str, options: str, instead: list[str], samples: dict[str, Path], tmp_path: Path
) -> None:
    code, found = call(network, options, samples, tmp_path)
    assert code == 1
    assert found["error"].startswith("budget: nothing meets it (")
    assert not tmp_path.joinpath(f"{network[:3]}.c").exists()
    assert not all(limit["is_met"] for limit in found["budget"])
    offered = re.fullmatch(r"(.*) would be met", found["hint"])
    assert offered is not None, found
    offers = offered[1].split(" or ")
    assert len(offers) == len(instead)
    for offer, start in zip(offers, instead, strict=True):
        assert offer.startswith(start)
    option, bound = offers[0].split()
    code, found = call(network, re.sub(rf"{option} \S+", f"{option} {bound}", options), samples, tmp_path)
    assert code == 0, found
    check_met(found, load(tmp_path))
