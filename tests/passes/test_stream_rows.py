"""Which rows move on from window to window, which padding reaches, and which of them a call needs."""

from __future__ import annotations

import pytest
from stream_models import FRAMES, of_each_frame, strided, temporal_convolutions

from mcuq.compile import quantize_model
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.rows import Band, RowWindow, of_shape
from mcuq.passes.stream_rows import Needs, NoHop, Streamed, band_of, smallest_hop, streams_of


def named(graph: Graph, operator: str) -> list[str]:
    """The outputs of all layers of an operator."""
    return [node.output for node in graph.nodes if type(node.op).__name__ == operator]


def test_padding_reaches_further_in_each_layer() -> None:
    graph = quantize_model(of_each_frame()).graph
    found = streams_of(graph, 2, 1).tensors
    rows = [found[name] for name in named(graph, "Conv2d")]
    assert [(own.size, own.top, own.bottom) for own in rows] == [(FRAMES, 2, 2), (FRAMES, 3, 3), (FRAMES, 3, 3)]
    assert [own.inner for own in rows] == [(2, 22), (3, 21), (3, 21)]
    assert all(own.hop == 1 and own.moves for own in rows)


def test_strides_divide_the_hop_or_are_refused() -> None:
    graph = quantize_model(strided()).graph
    assert smallest_hop(graph, 2, None) == 4
    found = streams_of(graph, 2, 8).tensors
    assert [found[name].hop for name in named(graph, "Conv2d")] == [4, 4, 4]
    assert [found[name].hop for name in named(graph, "MaxPool")] == [2]
    with pytest.raises(NoHop):
        streams_of(graph, 2, 2)
    with pytest.raises(ModelError) as error:
        smallest_hop(graph, 2, 10)
    assert str(error.value) == ("--stream: 10 frames are no whole number of rows of all layers; give a multiple of 4")


def test_of_a_causal_network_a_row_of_each_layer_is_made_and_those_before_it_are_held() -> None:
    graph = quantize_model(temporal_convolutions()).graph
    streams = streams_of(graph, 2, 1)
    needs = Needs(graph, streams)
    convolutions = named(graph, "Conv2d")
    assert [needs.made(name) for name in convolutions] == [[(FRAMES - 1, FRAMES)]] * 3
    # Before the dilated ones lie windows of 1 + 2 d rows.
    inputs = [next(n.inputs[0] for n in graph.nodes if n.output == name) for name in convolutions]
    held = [needs.held(name) for name in inputs]
    assert [end - first for first, end in held] == [3, 5, 9]
    assert needs.first_frame(graph) == FRAMES - 1 - 2 * (1 + 2 + 4)


def test_without_padded_layers_all_behind_the_first_of_them_need_whole_windows() -> None:
    graph = quantize_model(of_each_frame()).graph
    found = streams_of(graph, 2, 1, padded=False)
    assert not {*named(graph, "Conv2d")} & found.tensors.keys()
    needs = Needs(graph, found)
    (first,) = [n.inputs[0] for n in graph.nodes if n.output == named(graph, "Conv2d")[0]]
    assert needs.held(first) == (0, FRAMES)
    assert needs.newest(first) == (FRAMES - 1, FRAMES)


def test_what_is_smaller_than_a_hop_does_not_move() -> None:
    assert Streamed(1, 9, 3, 2, 1).given_out == (5, 8)
    for own in (Streamed(1, 3, 3), Streamed(1, 9, 3, 4, 3), Streamed(0, 1, 2)):
        assert not own.moves
        assert own.given_out == (0, own.size)


@pytest.mark.parametrize(
    ("window", "rows", "band"),
    [
        (RowWindow(3, 1, 1), (0, 2), Band(3, 2, 1, 0)),
        (RowWindow(3, 1, 1), (7, 10), Band(4, 3, 0, 1)),
        (RowWindow(5, 2, 2), (0, 5), Band(10, 5, 2, 1)),
        (RowWindow(1, 1, -2), (0, 3), Band(3, 3, 0, 0)),
    ],
)
def test_rows_of_an_output_are_a_band_with_its_own_padding(
    window: RowWindow, rows: tuple[int, int], band: Band
) -> None:
    assert band_of(window, 10, rows) == band


def test_a_shape_gets_another_number_of_rows() -> None:
    assert of_shape((1, 2, 3), 1, 7) == (1, 7, 3)
