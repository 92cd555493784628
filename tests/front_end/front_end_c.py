"""C of front ends on the host, with sanitizers, and on emulated CPUs: a function from bytes to bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from mcuq.boards.find import load_board
from mcuq.build.host_program import HostModel, build_host
from mcuq.build.target import build_target
from mcuq.emulate.qemu_cpu import QemuModel, QemuProgram
from mcuq.emulate.unicorn_cpu import UnicornCpu
from mcuq.kernels.runtime import needed_items

HOST = "host"
EMULATED = ("cortex-m0", "cortex-m4", "cortex-m55", "rv32imc")
CPUS = (HOST, *(pytest.param(cpu, marks=pytest.mark.toolchain) for cpu in EMULATED))
_HEADER = """
#include <stdint.h>
#define PROBE_ARENA_BYTES 4
#define PROBE_INPUT_OFFSET 4
void probe_run_in(void *arena, const int8_t *input, int8_t *output);
void probe_run(const int8_t *input, int8_t *output);
int8_t *probe_input(void);
int8_t *probe_output(void);
"""
_FRAME = """
static int32_t probe_memory[1 + (%d + 3) / 4], probe_outputs[(%d + 3) / 4];
int8_t *probe_input(void) { return (int8_t *)(probe_memory + 1); }
int8_t *probe_output(void) { return (int8_t *)probe_outputs; }
void probe_run(const int8_t *input, int8_t *output) { probe(input, output); }
void probe_run_in(void *arena, const int8_t *input, int8_t *output) { (void)arena; probe(input, output); }
"""


class Probe:
    """`static void probe(const int8_t *input, int8_t *output)` of some C, on a CPU; what it keeps in its own data stays
    from one sample to the next on the host and on QEMU, and so it does on Unicorn."""

    instructions: int | None = None

    def __init__(self, cpu: str, code: str, sizes: tuple[int, int], files: Mapping[str, str] | None = None) -> None:
        self._cpu, self._sizes = cpu, sizes
        self._sources = {"probe.h": _HEADER, "probe.c": f'#include "probe.h"\n{code}{_FRAME % sizes}', **(files or {})}

    def run(self, samples: Sequence[bytes]) -> list[bytes]:
        """What it makes of each; `instructions` are then those that Unicorn counts of the first."""
        assert all(len(sample) == self._sizes[0] for sample in samples)
        if self._cpu == HOST:
            with build_host(self._sources, HostModel("probe", (self._sizes[0],), (self._sizes[1],))) as program:
                return program.run(samples)
        board = load_board(self._cpu)
        ports = {"probe_input": self._sizes[0]}, {"probe_output": self._sizes[1]}
        if board.cpu.unicorn_model is None:
            return list(QemuProgram(self._sources, QemuModel("probe", *ports), board, 8192).run(samples).answers)
        built = build_target(self._sources, "probe_run", ("probe_input", "probe_output"), board)
        cpu = UnicornCpu(built.elf, board)
        given, taken = (cpu.call(name).value for name in ("probe_input", "probe_output"))
        answers = []
        for sample in samples:
            cpu.write(given, sample)
            result = cpu.call("probe_run", given, taken, count=self.instructions is None)
            self.instructions = result.instructions if self.instructions is None else self.instructions
            answers.append(cpu.read(taken, self._sizes[1]))
        return answers


def runtime(*names: str) -> str:
    """The text of runtime items and all that they need."""
    return "#include <stddef.h>\n" + "\n\n".join(item.text for item in needed_items(names)) + "\n"
