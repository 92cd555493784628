"""Emulators are a table: what has a board's CPU runs and profiles its models, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
from golden.graphs import tiny
from support import model_of, random_inputs

from mcuq.boards.facts import EMULATOR_KEYS
from mcuq.boards.find import load_board
from mcuq.build.target import Built
from mcuq.compile import CompiledModel
from mcuq.emulate.emulator import Emulator, Trace
from mcuq.emulate.emulators import EMULATORS, emulator_for
from mcuq.emulate.on_qemu import OnQemu
from mcuq.emulate.on_unicorn import OnUnicorn
from mcuq.errors import BoardError
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.report.profile import profile_model
from mcuq.validate import check_bits


class Echo(Emulator):
    """Knows the answers."""

    key: ClassVar[str] = "qemu_machine"

    def __init__(self, model: CompiledModel) -> None:
        self.compiler = "none"
        self.instructions, self.stack_bytes = 3, 8
        self._graph = model.graph

    def run(self, batch: Mapping[str, Array], before: Sequence[bytes]) -> Iterator[dict[str, Array]]:
        outputs = simulate(self._graph, batch)
        for index in range(len(before)):
            yield {name: values[index] for name, values in outputs.items()}

    @staticmethod
    def traces(
        model: CompiledModel, apart_files: Mapping[str, str], marks: Sequence[str], sample: Mapping[str, bytes]
    ) -> tuple[Built, Trace, Trace]:
        raise BoardError(f"asked for {len(sample)} inputs")


def test_each_has_a_key_of_its_own_that_board_files_know() -> None:
    assert sorted(emulator.key for emulator in EMULATORS.values()) == sorted(EMULATOR_KEYS)


def test_a_board_has_the_first_that_knows_its_cpu() -> None:
    m4, m55 = load_board("cortex-m4"), load_board("cortex-m55")
    assert emulator_for(m4) is OnUnicorn
    assert emulator_for(m55) is OnQemu
    assert emulator_for(replace(m4, cpu=replace(m4.cpu, qemu_machine="mps2-an386"))) is OnUnicorn
    assert emulator_for(load_board("host")) is None


def test_one_of_the_table_runs_and_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EMULATORS, "qemu", Echo)
    model = model_of(tiny(), "cortex-m55", "net")
    report = check_bits(model, iter([random_inputs(model.graph, 3)]))
    assert report.bit_exact
    assert (report.on, report.samples, report.compiler) == ("emulator", 3, "none")
    assert (report.instructions, report.stack_bytes) == (3, 8)
    with pytest.raises(BoardError, match=r"^asked for 1 inputs$"):
        profile_model(model)


def test_a_place_to_run_that_is_none_is_an_error() -> None:
    model = model_of(tiny(), "cortex-m4", "net")
    with pytest.raises(BoardError) as caught:
        check_bits(model, iter([random_inputs(model.graph, 1)]), "emulater")
    assert str(caught.value) == "on 'emulater': is not known; use 'host' or 'emulator'; did you mean 'emulator'?"
