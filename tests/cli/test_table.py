"""Tables fit the terminal and cut nothing."""

from mcuq.cli.table import Column, Row, table_lines

COLUMNS = [Column("operator", is_number=False), Column("MACs"), Column("code", 2), Column("weights", 1)]
ROWS = [
    Row("conv", ("Conv2d", "1,234,567", "12", "3,456")),
    Row("features.3.block.0.depthwise", ("DepthwiseConv", "8", "1,212", "7")),
    Row("a", ("Add", "-", "0", "0"), "chosen"),
]


def lines(width: int) -> list[str]:
    return list(table_lines("layer", COLUMNS, ROWS, width))


def test_where_there_is_room_all_is_in_one_line() -> None:
    assert lines(200) == [
        "layer                         operator            MACs   code  weights",
        "conv                          Conv2d         1,234,567     12    3,456",
        "features.3.block.0.depthwise  DepthwiseConv          8  1,212        7",
        "a                             Add                    -      0        0  chosen",
    ]


def test_a_name_that_is_too_long_has_a_line_of_its_own_and_a_remark_too() -> None:
    assert lines(60) == [
        "layer               operator            MACs   code  weights",
        "conv                Conv2d         1,234,567     12    3,456",
        "features.3.block.0.depthwise",
        "                    DepthwiseConv          8  1,212        7",
        "a                   Add                    -      0        0",
        "    chosen",
    ]


def test_where_it_is_narrow_the_least_important_columns_go_and_are_named() -> None:
    assert lines(44) == [
        "layer               operator            MACs",
        "conv                Conv2d         1,234,567",
        "features.3.block.0.depthwise",
        "                    DepthwiseConv          8",
        "a                   Add                    -",
        "    chosen",
        "  not shown: code, weights (in a wider terminal, or with --json)",
    ]


def test_numbers_are_never_cut_however_narrow_it_is() -> None:
    for width in range(1, 100):
        text = "\n".join(lines(width))
        for whole in ("1,234,567", "features.3.block.0.depthwise", "DepthwiseConv", "chosen"):
            assert whole in text


def test_wide_letters_count_twice() -> None:
    rows = [Row("\u65e5\u672c", ("1",)), Row("abcd", ("2",))]
    assert list(table_lines("x", [Column("n")], rows, 80)) == ["x     n", "\u65e5\u672c  1", "abcd  2"]
