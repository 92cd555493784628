"""What `pytest -m smoke` runs: some quick tests of every room, without those that are slow or need more programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Files, or tests in them, by the beginning of their names.
SMOKE = (
    "after/test_classes.py::test_labels_are_kept_as_they_are",
    "arithmetic/test_float32.py",
    "arithmetic/test_int16.py",
    "arithmetic/test_packing.py",
    "boards/",
    "budget/test_sensitivity.py",
    "budget/test_steps.py",
    "build/test_build.py::test_the_same_sources",
    "build/test_build_cache.py",
    "cli/test_cli_boards.py",
    "cli/test_cli_selection.py",
    "cli/test_table.py",
    "dataset/test_dataset_folders.py",
    "dataset/test_dataset_generator.py",
    "device/flash/test_sectors.py",
    "device/flash/test_stm32_rom.py",
    "device/flash/test_uf2.py",
    "device/test_firmware_model.py",
    "device/test_protocol.py",
    "device/test_session.py",
    "diagnose/test_layers.py",
    "emit/test_identifiers.py",
    "emit/test_listing.py",
    "emit/test_stack_bound.py",
    "emulate/test_unicorn_cpu.py",
    "emulate/test_unicorn_riscv.py",
    "front_end/test_fft.py::test_c_gives_the_same_bits",
    "graph/",
    "importer/test_import_convolution.py",
    "importer/test_import_graphs.py",
    "kernels/test_fully_connected_armv7m.py::test_c_gives_the_simulators_bits",
    "kernels/test_mve_kernels.py",
    "kernels/test_rv32_kernels.py",
    "kernels/test_shifted.py",
    "lower/test_optimize.py::test_the_same_program",
    "onnx_runtime/test_float_model.py",
    "ops/test_add.py",
    "ops/test_concat.py",
    "ops/test_max_pool.py",
    "ops/test_unary.py",
    "passes/test_fold_affine.py",
    "passes/test_fuse_clip.py",
    "passes/test_sink_layout.py",
    "plan/test_memory.py",
    "plan/test_place.py",
    "quantize/test_apply.py",
    "quantize/test_calibrate.py",
    "quantize/test_scheme.py",
    "quantize/test_weights.py",
    "report/",
    "system/test_other_programs.py",
    "test_artifact.py",
    "test_golden.py",
    "test_joints.py",
    "test_public.py",
    "test_python.py",
    "test_smoke.py",
    "validate/",
)
_MORE = ("slow", "reference", "toolchain")


def mark_smoke(items: Sequence[pytest.Item]) -> None:
    """Give the marker `smoke` to those of the tests."""
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        if name.startswith(SMOKE) and not any(item.get_closest_marker(more) for more in _MORE):
            item.add_marker("smoke")
