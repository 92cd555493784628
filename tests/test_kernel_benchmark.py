"""benchmarks/kernels.py: its table is read back as it is written."""

from __future__ import annotations

from kernels import HEADINGS, RESULTS, Figures, emulated_boards, line, read_rows, with_changes


def test_a_row_is_read_back_as_it_was_written() -> None:
    cells = Figures(1_000, 2_500, None, 4_000, 300, 96, 12).cells
    assert cells == ("1,000", "2,500", "2.50", "-", "4,000", "300", "96", "12")
    text = "\n".join([line(HEADINGS), line(("---",) * len(HEADINGS)), line(("kws", "cortex-m4", *cells))])
    assert read_rows(text) == {("kws", "cortex-m4"): cells}


def test_a_figure_that_changed_stands_beside_the_last_one() -> None:
    assert with_changes(("1", "3"), ("1", "2")) == ("1", "3 (was 2)")
    assert with_changes(("1", "3"), None) == ("1", "3")


def test_the_committed_table_names_emulated_boards() -> None:
    rows = read_rows(RESULTS.read_text(encoding="utf-8"))
    assert rows
    assert {board for _, board in rows} <= set(emulated_boards())
