"""Histograms as text, and coarser ones of finer ones."""

from __future__ import annotations

import numpy as np

from mcuq.diagnose.histogram import BINS, Histogram, coarser, histogram_of


def test_counts_are_of_all_values_from_the_lowest_to_the_highest() -> None:
    found = histogram_of(np.linspace(-1, 1, 640), -1, 1)
    assert (found.low, found.high) == (-1.0, 1.0)
    assert len(found.counts) == BINS
    assert sum(found.counts) == 640
    assert max(found.counts) - min(found.counts) <= 1


def test_coarser_bins_hold_what_the_finer_ones_held() -> None:
    edges = np.linspace(-2, 6, 8 * BINS + 1)
    counts = np.arange(8 * BINS)
    found = coarser(edges, counts, -2, 6)
    assert found.counts == tuple(counts.reshape(BINS, 8).sum(axis=1).tolist())


def test_bars_are_higher_for_more_values_and_blank_for_none() -> None:
    text = Histogram(0, 4, (1000, 10, 0, 1), -np.inf, np.inf).bars()
    assert len(text) == 4
    assert text[2] == " "
    assert text[0] > text[1] > text[3] > " "


def test_a_mark_stands_where_clipping_begins_if_that_is_inside() -> None:
    counts = (1,) * 8
    assert Histogram(0, 8, counts, 0, 6).bars().index("|") == 6
    assert Histogram(-4, 4, counts, -3, 2).bars().count("|") == 2
    assert "|" not in Histogram(0, 8, counts, 0, 8).bars()
    assert "|" not in Histogram(0, 8, counts, -np.inf, np.inf).bars()


def test_one_value_throughout_is_a_histogram_too() -> None:
    found = histogram_of(np.full(5, 3.0), 0, 3)
    assert sum(found.counts) == 5
