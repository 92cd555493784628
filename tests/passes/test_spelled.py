"""What tensors are made of, as though no quantizations lay between."""

from __future__ import annotations

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.ops.add import Add
from mcuq.ops.clip import Clip
from mcuq.ops.exp import Exp
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.mul import Mul
from mcuq.ops.pow import Pow
from mcuq.ops.sqrt import Sqrt
from mcuq.passes.spelled import Reader, is_plain


def test_makers_numbers_roots_and_squares_are_seen_through_quantizations() -> None:
    builder = GraphBuilder("net")
    x, number = builder.input("x", (2, 3)), builder.constant(np.full((1, 1), 0.5, np.float32))
    e = builder.add(Exp(), [x])
    quantized = builder.add(FakeQuantize(0.1, 0), [builder.add(FakeQuantize(0.2, 0), [e])])
    root = builder.add(Sqrt(), [quantized])
    total, product = builder.add(Add(), [number, quantized]), builder.add(Mul(), [e, number])
    square, other = builder.add(Mul(), [e, quantized]), builder.add(Pow(3.0), [e])
    reader = Reader(builder)
    assert reader.under(quantized) == e
    maker = reader.maker(quantized)
    assert maker is not None
    assert maker.op == Exp()
    assert reader.maker(x) is None
    assert (reader.root(root), reader.root(e)) == (quantized, None)
    assert reader.less_number(total) == (quantized, 0.5)
    assert (reader.less_number(product), reader.without_factor(product)) == ((product, 0.0), (e, 0.5))
    assert [reader.is_square(name, e) for name in (square, product, other)] == [True, False, False]


def test_one_reader_is_the_only_one_where_the_tensor_is_no_output() -> None:
    builder = GraphBuilder("net")
    a = builder.add(Exp(), [builder.input("x", (2,))])
    b = builder.add(Exp(), [a])
    builder.outputs.append(builder.add(Exp(), [b], "y"))
    reader = Reader(builder)
    found = reader.only_reader(a)
    assert found is not None
    assert found.output == b
    builder.outputs.append(a)
    assert reader.only_reader(a) is None


def test_limits_are_not_plain() -> None:
    assert is_plain(Add())
    assert not is_plain(Add(minimum=0.0))
    assert not is_plain(Clip(maximum=6.0))
