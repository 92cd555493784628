"""Cycles of basic blocks against the tables of the technical reference manual, added up by hand."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from mcuq.emulate import cycles
from mcuq.emulate.cycles import BlockCycles, cycle_model
from mcuq.errors import BuildError

# Assembly, its machine code as GNU as gives it, cycles where it goes on, and more where its last jump is taken.
CORTEX_M4 = [
    ("adds r0, r1", "4018", 1, 0),
    ("smlad r0, r1, r2, r3", "21fb0230", 1, 0),
    ("mla r0, r1, r2, r3", "01fb0230", 1, 0),
    ("ldr r0, [r1]", "0868", 2, 0),
    ("ldr r0, [r1]; ldr r2, [r3]", "08681a68", 3, 0),
    ("ldr r0, [r1]; ldr r2, [r0]", "08680268", 4, 0),
    ("ldr r0, [r1]; ldr r2, [r3, r0]", "08681a58", 4, 0),
    ("ldr r0, [r1]; adds r4, r5; ldr r2, [r3]", "086864191a68", 5, 0),
    ("ldrsb.w r0, [r1, #1]; ldrb r2, [r3]; ldrh r4, [r3]", "91f901001a781c88", 4, 0),
    ("ldr r0, [r1]; str r0, [r2]", "08681060", 3, 0),
    ("str r0, [r2]; ldr r1, [r3]", "10601968", 3, 0),
    ("str r0, [r2, r3]", "d050", 2, 0),
    ("ldr r0, [r1]; str r0, [r2, r3]", "0868d050", 3, 0),
    ("ldrd r0, r1, [r2]", "d2e90001", 3, 0),
    ("ldmia r0!, {r1, r2, r3}", "0ec8", 4, 0),
    ("push {r4, r5, lr}", "30b5", 4, 0),
    ("pop {r4, r5, pc}", "30bd", 6, 0),
    ("vldr s0, [r0]", "90ed000a", 2, 0),
    ("vldr d0, [r0]", "90ed000b", 3, 0),
    ("vpush {d8, d9}", "2ded048b", 5, 0),
    ("vmov r0, s1", "10ee900a", 2, 0),
    ("vmov s1, sp", "00ee90da", 2, 0),
    ("vmov.f32 s0, s1", "b0ee600a", 1, 0),
    ("vmov.f32 s0, #1.0", "b7ee000a", 1, 0),
    ("vmov r0, r1, d0", "51ec100b", 2, 0),
    ("vmla.f32 s0, s1, s2", "00ee810a", 3, 0),
    ("vdiv.f32 s0, s1, s2", "80ee810a", 14, 0),
    ("sdiv r0, r1, r2", "91fbf2f0", 12, 0),
    ("b .", "fee7", 3, 0),
    ("bl .", "fff7feff", 3, 0),
    ("bx lr", "7047", 3, 0),
    ("subs r0, #1; bne .", "0138fed1", 2, 2),
    ("cbz r0, .+8", "10b1", 1, 2),
    ("it eq; ldreq r0, [r1]; adds r0, r1", "08bf08684018", 4, 0),
    ("it ne; bxne lr", "18bf7047", 2, 2),
    ("tbb [pc, r0]", "dfe800f0", 4, 0),
    ("mov pc, r0", "8746", 3, 0),
    ("ldr.w pc, [r0]", "d0f800f0", 4, 0),
]


@pytest.mark.parametrize(("text", "code", "want", "left"), CORTEX_M4, ids=[text for text, *_ in CORTEX_M4])
def test_a_cortex_m4_block_takes_what_the_manual_says(text: str, code: str, want: int, left: int) -> None:
    model = cycle_model("cortex-m4")
    assert model is not None
    assert model.block(bytes.fromhex(code), 0x0800_0000) == BlockCycles(want, left)


def test_a_core_without_evidence_has_no_model() -> None:
    for core in ("cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m7", "cortex-m55", "sifive-e31", "host"):
        assert cycle_model(core) is None


@pytest.fixture
def no_capstone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    original = importlib.import_module

    def refuse(name: str, *arguments: Any) -> Any:
        if name.startswith("capstone"):
            raise ImportError(name)
        return original(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", refuse)
    cycles._capstone.cache_clear()
    yield
    cycles._capstone.cache_clear()


@pytest.mark.usefixtures("no_capstone")
def test_without_capstone_the_error_says_what_to_install() -> None:
    with pytest.raises(BuildError) as error:
        cycle_model("cortex-m4")
    assert str(error.value) == "estimated cycles need Capstone; pip install 'mcuq[emulator]'"
    assert cycle_model("cortex-m0") is None
