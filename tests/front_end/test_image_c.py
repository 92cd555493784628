"""C of image front ends against their twins, byte for byte, on every CPU."""

from __future__ import annotations

import numpy as np
import pytest
from front_end_c import CPUS
from images import CASES, FRAME_BYTES, frames, probe_of, shown_of

from mcuq.front_end.image import image_step

PIECES = 0, 1, 3, 0  # rows at a time; 0: a whole frame


@pytest.mark.parametrize("cpu", CPUS)
def test_c_gives_the_codes_of_its_twin_whatever_rows_come_at_a_time(cpu: str) -> None:
    given = []
    for number, case in enumerate(CASES.values()):
        shown, _ = shown_of(case)
        for piece, frame in zip(PIECES, frames(shown.front, len(PIECES)), strict=True):
            head = np.array([number, piece, 0, 0], np.uint8).tobytes()
            given.append((head + frame.tobytes()).ljust(FRAME_BYTES, b"\0"))
    answers = iter(probe_of(cpu, CASES).run(given))
    for name, case in CASES.items():
        shown, port = shown_of(case)
        want = shown.codes(frames(shown.front, len(PIECES)), image_step(shown, port.tensor))
        assert want.shape == (len(PIECES), *shown.shape)
        assert shown.height == 1 or len(np.unique(want)) > 15, name
        for piece, expected in zip(PIECES, want, strict=True):
            answer = next(answers)
            assert np.frombuffer(answer[:8], np.int32).tolist() == [1, 1], (name, piece)
            got = np.frombuffer(answer[8 : 8 + port.tensor.size_bytes], port.tensor.dtype)
            assert np.array_equal(got, expected.reshape(-1)), (name, piece)
