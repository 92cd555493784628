"""mcuq plan: buffers of a CSV file, laid out; every kind of wrong line is refused."""

from __future__ import annotations

import csv
import json
import os
import random
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mcuq.cli import main
from mcuq.errors import DataError
from mcuq.plan.buffers import Buffer, plan_buffers, read_buffers, write_buffers

EXAMPLE = "id,lower,upper,size\nb1,0,3,4\nb2,3,9,4\nb3,0,9,4\nb4,9,21,4\nb5,0,21,4\n"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plan", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    (tmp_path / "example.csv").write_text(EXAMPLE)
    return tmp_path / "example.csv"


def test_the_arena_and_the_proof_are_shown(example: Path) -> None:
    assert call(example, "--capacity", 16).stdout.splitlines() == [
        "example.csv: 5 buffers, 20 bytes",
        "  arena              12 bytes",
        "          the least possible",
        "  free                4 bytes of 16",
    ]


def test_offsets_are_written_and_read_again(example: Path, tmp_path: Path) -> None:
    planned = tmp_path / "planned.csv"
    found = json.loads(call(example, "--capacity", 12, "-o", planned, "--json").stdout)
    assert found == {
        "buffers": 5,
        "arena_bytes": 12,
        "least_arena_bytes": 12,
        "is_least": True,
        "capacity": 12,
        "offsets": found["offsets"],
        "files": [str(planned)],
    }
    rows = list(csv.DictReader(planned.open()))
    assert [{key: row[key] for key in ("id", "lower", "upper", "size")} for row in rows] == list(
        csv.DictReader(EXAMPLE.splitlines())
    )
    assert {row["id"]: int(row["offset"]) for row in rows} == found["offsets"]
    assert read_buffers(planned.read_text(), "planned.csv") == read_buffers(EXAMPLE, "example.csv")


def test_buffers_of_any_bytes_and_times_do_not_overlap() -> None:
    rng = random.Random(0)
    buffers = []
    for i in range(60):
        lower = rng.randrange(-(10**12), 10**12)
        buffers.append(Buffer(f"b{i}", lower, lower + rng.randrange(1, 10**12), rng.randrange(1, 10**4)))
    layout = plan_buffers(buffers)
    for i, a in enumerate(buffers):
        for j, b in enumerate(buffers[:i]):
            apart = layout.offsets[i] + a.size_bytes <= layout.offsets[j]
            apart = apart or layout.offsets[j] + b.size_bytes <= layout.offsets[i]
            assert apart or a.upper <= b.lower or b.upper <= a.lower
    assert layout.size_bytes == max(at + b.size_bytes for at, b in zip(layout.offsets, buffers, strict=True))
    times = [b.lower for b in buffers]
    alive = max(sum(b.size_bytes for b in buffers if b.lower <= time < b.upper) for time in times)
    assert alive <= layout.least_bytes <= layout.size_bytes


def test_a_longer_search_is_no_worse_and_the_gap_is_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    lines = []
    for i in range(40):
        lower = rng.randrange(20)
        lines.append(Buffer(str(i), lower, lower + rng.randrange(2, 12), rng.randrange(1, 500)))
    (tmp_path / "many.csv").write_text(write_buffers(lines, [0] * 40))
    for what in ("SEARCH_ROUNDS", "MORE_ROUNDS", "SEARCH_NODES"):
        monkeypatch.setattr(f"mcuq.plan.layout.{what}", 2)
    short = json.loads(call(tmp_path / "many.csv", "--json").stdout)
    assert short["is_least"] is False
    arena, least = short["arena_bytes"], short["least_arena_bytes"]
    assert call(tmp_path / "many.csv").stdout.splitlines()[1:] == [
        f"  arena   {arena:>13,} bytes",
        f"  bound   {least:>13,} bytes; the arena is at most {100 * (arena / least - 1):.1f} % larger than the least",
    ]
    result = call(tmp_path / "many.csv", "--capacity", arena - 1)
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: many.csv: no layout of {arena - 1:,} bytes was found: the smallest takes {arena:,}, and none takes "
        f"less than {least:,}; try a larger --effort or --capacity\n"
    )
    monkeypatch.setattr("mcuq.plan.layout.SEARCH_NODES", 40_000)
    longer = json.loads(call(tmp_path / "many.csv", "--effort", 40, "--capacity", arena - 1, "--json").stdout)
    assert longer["is_least"] is True
    assert longer["arena_bytes"] < arena


def test_what_does_not_fit_is_an_error_and_nothing_is_written(example: Path, tmp_path: Path) -> None:
    result = call(example, "--capacity", 11, "-o", tmp_path / "planned.csv")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: example.csv: needs 12 bytes at least, --capacity is 11; allow more, or let fewer buffers live at one "
        "time\n"
    )
    assert not (tmp_path / "planned.csv").exists()


HEAD = "id,lower,upper,size\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "x.csv: is empty; the first line is to be id,lower,upper,size"),
        ("\n , \n", "x.csv: is empty; the first line is to be id,lower,upper,size"),
        (HEAD, "x.csv: has no buffer below its first line"),
        ("id,lower,upper\na,0,1\n", "x.csv line 1: column 'size' is missing; it is to be id,lower,upper,size"),
        (
            "id,lower,uper,size\n",
            "x.csv line 1: unknown column 'uper'; did you mean 'upper'?; supported are id, lower, upper, size and "
            "offset",
        ),
        ("id,lower,upper,size,Buffer\n", "x.csv line 1: column 'Buffer' is there twice, perhaps by another name"),
        (
            "id,start,end,size\na,0,1,4\n",
            "x.csv line 1: column 'end' holds the last time in some files and the first one after it in others; name "
            "it upper where it is the latter, add 1 where it is the former",
        ),
        (HEAD + "a,0,1\n", "x.csv line 2: has 3 fields; the first line has 4"),
        (HEAD + "a,0,1,4,0\n", "x.csv line 2: has 5 fields; the first line has 4"),
        (HEAD + ",0,1,4\n", "x.csv line 2: has no id"),
        (HEAD + "a,0,1,4\n\na,1,2,4\n", "x.csv line 4: id 'a' is that of line 2 too; each buffer needs its own"),
        (HEAD + "a,zero,1,4\n", "x.csv line 2: lower 'zero' is no integer"),
        (HEAD + "a,0,1.5,4\n", "x.csv line 2: upper '1.5' is no integer"),
        (HEAD + "a,0,1,\n", "x.csv line 2: size '' is no integer"),
        (HEAD + "a,0,1,\u0664\n", "x.csv line 2: size '\u0664' is no integer"),
        (HEAD + f"a,0,1,{10**15}\n", "x.csv line 2: size has 16 digits; supported are 15"),
        (HEAD + "a,0,1,0\n", "x.csv line 2: buffer 'a' has a size of 0; supported is 1 or more"),
        (HEAD + "a,0,1,-4\n", "x.csv line 2: buffer 'a' has a size of -4; supported is 1 or more"),
        (
            HEAD + "a,3,3,4\n",
            "x.csv line 2: buffer 'a' lives from 3 until before 3, which is never; upper is to be the larger one",
        ),
        (
            "id,lower,upper,size,alignment\na,0,1,4,64\n",
            "x.csv line 2: buffer 'a' has an alignment of 64; supported is 1: round sizes up, and leave the column out",
        ),
        (
            "id,lower,upper,size,gaps\na,0,9,4,2-3\n",
            "x.csv line 2: buffer 'a' has gaps, which are not supported; leave the column out",
        ),
        (HEAD + 'a,0,1,"4\n', "x.csv line 2: is no CSV: unexpected end of data"),
        (
            HEAD + "".join(f"{i},0,1,4\n" for i in range(1001)),
            "x.csv line 1002: is of buffer 1,001; supported are 1,000",
        ),
    ],
)
def test_each_kind_of_wrong_line_is_refused(text: str, error: str) -> None:
    with pytest.raises(DataError) as caught:
        read_buffers(text, "x.csv")
    assert str(caught.value) == error


def test_other_names_of_columns_any_order_and_spaces_are_read() -> None:
    assert read_buffers("size, Buffer_ID,upper,begin,alignment,gaps,offset\r\n4, a ,3,-1,1,,8\r\n", "x.csv") == [
        Buffer("a", -1, 3, 4)
    ]


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    def error(path: Path) -> str:
        result = call(path)
        assert result.exit_code == 1
        return result.stderr

    remedy = "give a CSV file of id,lower,upper,size\n"
    assert error(tmp_path / "none.csv") == (
        f"error: {tmp_path}/none.csv: cannot be read: No such file or directory; {remedy}"
    )
    assert error(tmp_path) == f"error: {tmp_path}: cannot be read: Is a directory; {remedy}"
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff")
    assert error(tmp_path / "image.csv") == f"error: {tmp_path}/image.csv: is no text in UTF-8; {remedy}"
    (tmp_path / "large.csv").write_bytes(bytes(2**22 + 1))
    assert error(tmp_path / "large.csv") == (
        f"error: {tmp_path}/large.csv: has more than 4,194,304 bytes; supported are a thousand buffers\n"
    )
    os.mkfifo(tmp_path / "pipe.csv")
    assert error(tmp_path / "pipe.csv") == f"error: {tmp_path}/pipe.csv: is a named pipe; {remedy}"


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + EXAMPLE.encode())
    assert call(tmp_path / "bom.csv").exit_code == 0
