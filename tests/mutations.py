"""Puts faults into a copy of the product, one at a time, and tells which of them the tests catch.

Run by hand: python tests/mutations.py [-j JOBS] [NUMBER ...]; about a quarter of a minute of CPU for each of the forty.
A fault is a substitution of text; where its text is no longer found as often as stated, the script stops: mend the
list with the product. It exits with 1 where one survives: then add the case that catches it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 600


@dataclass(frozen=True)
class Fault:
    """`old`, found `times` in `path`, becomes `new`; `tests` are pytest's arguments that ought to fail then."""

    path: str
    old: str
    new: str
    tests: str
    times: int = 1


def clips(board: str) -> str:
    """The tests of clips inside of the grid on a board."""
    return f"tests/kernels/test_inner_clips.py -k both_ends_of_a_clip and {board}"


def kernel(stem: str, board: str, old: str, new: str, times: int = 1) -> Fault:
    """A fault in a kernel that the board takes."""
    return Fault(f"templates/kernels/{stem}.c.j2", old, new, clips(f"{board}]"), times)


BOUNDS = "y_zero_point, output_min, output_max"
NO_MINIMUM = "y_zero_point, -128, output_max"
NO_MAXIMUM = "y_zero_point, output_min, 127"
RV32 = "firmware/kernels/rv32/mcuq_rv32.h"
MATH = "firmware/kernels/mcuq_math.h"
INT8 = "mcuq/arithmetic/int8.py"
ARITHMETIC = "tests/arithmetic/test_int8.py"
PORTABLE = "tests/kernels/test_operators.py -k portable_kernels"

FAULTS = (
    # Kernels without one of their bounds.
    Fault("mcuq/kernels/ending.py", BOUNDS, NO_MINIMUM, clips("rv32imc]")),
    Fault("mcuq/kernels/ending.py", BOUNDS, NO_MAXIMUM, clips("rv32imc]")),
    Fault(
        RV32,
        "acc[0], multiplier, prescale, shift, zero_point, output_min, output_max",
        "acc[0], multiplier, prescale, shift, zero_point, output_min, 127",
        clips("rv32imc"),
    ),
    Fault(
        RV32,
        "multiplier[3], prescale, shift, zero_point, output_min",
        "multiplier[3], prescale, shift, zero_point, -128",
        clips("rv32imc"),
    ),
    kernel(
        "rv32/depthwise_3x3",
        "rv32imc",
        f"acc, m, prescale, shift, {BOUNDS}",
        f"acc, m, prescale, shift, {NO_MAXIMUM}",
        2,
    ),
    kernel(
        "rv32/depthwise",
        "rv32imc",
        f"acc, m, prescale, shift, {BOUNDS}",
        f"acc, m, prescale, shift, {NO_MINIMUM}",
        2,
    ),
    kernel(
        "rv32/pointwise",
        "rv32imc",
        "multiplier + oc, prescale, shift, y_zero_point, output_min",
        "multiplier + oc, prescale, shift, y_zero_point, -128",
    ),
    Fault("mcuq/kernels/dsp/pasted.py", "output_min, output_max);", "-128, output_max);", clips("cortex-m4]")),
    Fault("mcuq/kernels/dsp/pasted.py", "output_min, output_max);", "output_min, 127);", clips("cortex-m4]")),
    *(kernel(f"dsp/{stem}", "cortex-m4", "    {{ limit }}\n", "") for stem in ("conv2d", "pointwise", "depthwise")),
    kernel("dsp/fully_connected", "cortex-m4", "    {{ limit }}\n", ""),
    kernel(
        "dsp/add",
        "cortex-m4",
        "mcuq_dsp_clamp(y, whole, output_min, output_max)",
        "mcuq_dsp_clamp(y, whole, output_min, 127)",
    ),
    Fault("mcuq/kernels/ending.py", BOUNDS, NO_MAXIMUM, clips("cortex-m0]")),
    Fault("mcuq/kernels/ending.py", BOUNDS, NO_MINIMUM, clips("cortex-m0]")),
    Fault(
        "mcuq/kernels/portable/add.py",
        "constant, shift, output_min, output_max",
        "constant, shift, -128, output_max",
        clips("cortex-m0]"),
    ),
    kernel(
        "blocked/conv2d", "cortex-m3", f"low, m, is_narrow, shift, {BOUNDS}", f"low, m, is_narrow, shift, {NO_MAXIMUM}"
    ),
    kernel(
        "blocked/conv2d",
        "cortex-m3",
        f"high, m, is_narrow, shift, {BOUNDS}",
        f"high, m, is_narrow, shift, {NO_MINIMUM}",
    ),
    kernel(
        "blocked/depthwise",
        "cortex-m3",
        f"acc0, m, is_narrow, shift, {BOUNDS}",
        f"acc0, m, is_narrow, shift, {NO_MINIMUM}",
    ),
    kernel("blocked/fully_connected_armv7m", "cortex-m3", BOUNDS, NO_MINIMUM),
    kernel("blocked/fully_connected_armv6m", "cortex-m0", BOUNDS, NO_MAXIMUM),
    kernel("mve/fully_connected", "cortex-m55", BOUNDS, NO_MAXIMUM),
    kernel("mve/add", "cortex-m55", "constant, shift, output_min, output_max", "constant, shift, -128, output_max"),
    # Walks over windows and over inputs that repeat.
    Fault("templates/kernels/portable/pool.c.j2", "in_height - top", "in_height", PORTABLE),
    Fault("templates/kernels/portable/broadcast.c.j2", "i4 * b_stride_4", "i4 * a_stride_4", PORTABLE),
    # Arithmetic, here and in C.
    Fault(MATH, "return (int8_t)(low > output_max ? output_max : low);", "return (int8_t)low;", ARITHMETIC),
    Fault(
        MATH,
        "const int32_t offset = zero_point * (1 << shift) + ((1 << shift) >> 1);",
        "const int32_t offset = zero_point * (1 << shift);",
        ARITHMETIC,
    ),
    Fault(MATH, "((int64_t)a * b) >> 32", "((int64_t)a * b) >> 31", ARITHMETIC),
    Fault(MATH, "((int32_t)1 << (shift - 1))) >> shift", "((int32_t)1 << shift)) >> shift", ARITHMETIC),
    Fault(
        "mcuq/arithmetic/int8.py",
        "product += 1 << (31 + requant.shift)",
        "product += 1 << (30 + requant.shift)",
        ARITHMETIC,
    ),
    Fault(INT8, " - zero_points[1] * b + (1 << (shift - 1))", " - zero_points[1] * b", "tests/ops/test_add.py"),
    Fault("mcuq/graph/tensor.py", "(self.zero_point + 0.5)", "self.zero_point", "tests/graph/test_quantization.py"),
    # Quantization and what the simulator computes.
    Fault(
        "mcuq/ops/weighted.py",
        "- x.zero_point * integers.sum",
        "+ x.zero_point * integers.sum",
        "tests/ops/test_conv2d.py",
    ),
    Fault(
        "mcuq/ops/weighted.py",
        "np.abs(bias.values.astype(np.int64)) + np.maximum(high, -low)",
        "np.maximum(high, -low)",
        "tests/ops/test_fully_connected.py tests/ops/test_conv2d.py tests/quantize/test_apply.py",
    ),
    Fault(
        "mcuq/quantize/equalize.py",
        "constants[pair.second.name], 1 / factors)",
        "constants[pair.second.name], factors)",
        "tests/quantize/test_equalize.py",
    ),
    Fault("mcuq/quantize/factors.py", "rows / x.reshape", "rows * x.reshape", "tests/quantize/test_level.py"),
    Fault(
        "mcuq/quantize/prune.py",
        "(offset + per_channel @ values)",
        "(offset - per_channel @ values)",
        "tests/quantize/test_prune.py",
    ),
    Fault(
        "mcuq/quantize/headroom.py", "max(high, last.limit(factor, least))", "high", "tests/quantize/test_headroom.py"
    ),
    Fault(
        "mcuq/quantize/recover.py",
        "wanted - steps * layer.output.scale",
        "steps * layer.output.scale - wanted",
        "tests/quantize/test_recover.py",
    ),
    # Memory.
    Fault(
        "mcuq/plan/memory.py",
        "Block(aligned(s.size_bytes), self._time[s.first + 1], self._time[s.last + 1])",
        "Block(aligned(s.size_bytes), self._time[s.first + 1], self._time[s.first + 1])",
        "tests/plan",
    ),
    Fault(
        "mcuq/plan/memory.py",
        "time = self._time[i + 1]",
        "time = self._time[i + 2]",
        "tests/plan",
    ),
    Fault(
        "mcuq/graph/liveness.py",
        "(at, size) != (begin, n_bytes)",
        "at != begin",
        "tests/plan/test_joined_parts.py",
    ),
    Fault(
        "mcuq/graph/liveness.py",
        "if behind % ALIGNMENT or",
        "if",
        "tests/plan/test_joined_parts.py",
    ),
    Fault(
        "mcuq/emit/calls.py",
        "pointer = pointer.behind(str(n_bytes))",
        'pointer = replace(pointer, name=f"{pointer.name} + {n_bytes}")',
        "tests/plan/test_joined_parts.py",
    ),
    Fault(
        "mcuq/plan/least_fit.py",
        "range(max(x.first, y.first), min(x.last, y.last) + 1)",
        "(index,)",
        "tests/plan/test_joined_parts.py",
    ),
)


def text_with(fault: Fault) -> str:
    """The file with the fault in it. Exits where the text that it replaces is not there as often as stated."""
    text = (ROOT / fault.path).read_text(encoding="utf-8")
    if text.count(fault.old) != fault.times:
        sys.exit(
            f"{fault.path}: {fault.old!r} stands there {text.count(fault.old)} times, not {fault.times}; mend FAULTS"
        )
    return text.replace(fault.old, fault.new)


def _not_copied(folder: str, names: list[str]) -> set[str]:
    """What is hidden, what Python has compiled, and what was built: of mcuq/build only the first two."""
    hidden = shutil.ignore_patterns(".*", "__pycache__")(folder, names)
    return hidden | ({"build", "dist"} if Path(folder) == ROOT else set())


def is_caught(fault: Fault) -> bool:
    """Whether the tests fail in a copy of the checkout that has the fault."""
    with TemporaryDirectory(prefix="mcuq-fault-") as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(ROOT, copy, ignore=_not_copied)
        (copy / fault.path).write_text(text_with(fault), encoding="utf-8")
        paths, _, chosen = fault.tests.partition(" -k ")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
        command += [*paths.split(), "-m", "not reference and not toolchain"]
        command += ["-k", chosen] if chosen else []
        run = subprocess.run(
            command, cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, timeout=LONGEST_S
        )
    if run.returncode not in (0, 1):
        sys.exit(f"{fault.path}: pytest {fault.tests} ends with {run.returncode}: {run.stdout.decode()[-500:]}")
    return run.returncode == 1


def main() -> int:
    """1 where a fault survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("numbers", nargs="*", type=int, help="of faults, from 1 (default: all)")
    options = parser.parse_args()
    chosen = [(i, fault) for i, fault in enumerate(FAULTS, 1) if not options.numbers or i in options.numbers]
    for _, fault in chosen:
        text_with(fault)
    survived = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for (i, fault), caught in zip(chosen, pool.map(is_caught, [fault for _, fault in chosen]), strict=True):
            survived += not caught
            print(f"{i:2} {'caught  ' if caught else 'SURVIVED'} {fault.path}: {fault.old[:60]!r}", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
