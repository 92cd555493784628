"""LSTM, GRU and RNN: directions, lengths, states to begin with, all activations, sizes around words and vectors."""

from __future__ import annotations

from math import inf

import numpy as np
from support import Case

from cases.values import Make
from mcuq.ops.gru import Gru
from mcuq.ops.lstm import Lstm
from mcuq.ops.recurrent import Recurrent
from mcuq.ops.recurrent_activation import Activation
from mcuq.ops.rnn import Rnn

SIGMOID, TANH = Activation("Sigmoid"), Activation("Tanh")
GATES = {Lstm: (SIGMOID, TANH, TANH), Gru: (SIGMOID, TANH), Rnn: (TANH,)}
# Every function; those without bounds where sums do not grow without bounds.
FUNCTIONS = (
    Activation("Affine", 0.3, 0.1),
    Activation("Elu", 0.7),
    Activation("HardSigmoid", 0.2, 0.5),
    Activation("LeakyRelu", 0.1),
    Activation("Relu"),
    Activation("ScaledTanh", 1.5, 0.7),
    Activation("Softplus"),
    Activation("Softsign"),
    Activation("ThresholdedRelu", 0.3),
    Activation("Sigmoid", clip=1.5),
)


def case(
    op: Recurrent, steps: int, batch: int, features: int, hidden: int, constant: bool = False, seed: int = 0
) -> Case:
    """With weights of a trained scale, and states to begin with that are computed, or constant."""
    rng = np.random.default_rng([seed, steps, batch, features, hidden])

    def drawn(*shape: int, size: float) -> np.ndarray:
        return rng.uniform(-size, size, shape).astype(np.float32)

    rows = op.gates * hidden
    inputs: list[tuple[int, ...] | np.ndarray] = [
        (steps, batch, features),
        drawn(rows, features, size=1.5 / features**0.5),
        drawn(rows, hidden, size=1.5 / hidden**0.5),
        drawn(2, rows, size=0.5),
    ]
    if op.has_initial:
        inputs += [drawn(batch, hidden, size=0.9) if constant else (batch, hidden)] * len(op.states)
    if isinstance(op, Lstm) and op.has_peephole:
        inputs.append(drawn(3, hidden, size=0.8))
    return op, inputs


def plain(kind: type[Recurrent], **attributes: object) -> Recurrent:
    """With the usual activations."""
    return kind(GATES[kind], **attributes)  # type: ignore[arg-type]


def fixed() -> list[Case]:
    """Each attribute once, beside others."""
    sizes = [(1, 1), (3, 5), (8, 8), (17, 33)]
    kinds = [plain(kind) for kind in GATES] + [Gru(GATES[Gru], resets_product=True)]
    found = [case(op, 3, 1, features, hidden) for op in kinds for features, hidden in sizes]
    found += [case(plain(kind, reverse=True, lengths=(3, 1, 5)), 5, 3, 3, 4, seed=1) for kind in GATES]
    found += [
        case(
            plain(kind, whole=False, has_initial=True, lengths=(2, 4), minimum=-0.3, maximum=0.4), 4, 2, 5, 6, constant
        )
        for kind in GATES
        for constant in (False, True)
    ]
    found += [
        case(Lstm(GATES[Lstm], with_cell=True, has_initial=True), 2, 2, 3, 5),
        case(Lstm(GATES[Lstm], with_cell=True, whole=False, has_peephole=True), 6, 1, 3, 5),
        case(Lstm(GATES[Lstm], coupled=True, has_peephole=True, reverse=True), 6, 2, 4, 3),
        case(Lstm(GATES[Lstm], coupled=True), 3, 1, 5, 6),
        case(Gru(GATES[Gru], reverse=True, lengths=(4, 2), resets_product=True), 4, 2, 3, 5),
    ]
    # What lies behind the end of a sequence is limited too.
    found += [case(plain(Rnn, lengths=(1, 3), minimum=0.1, maximum=0.5), 3, 2, 3, 4)]
    found += [case(Rnn((f,)), 4, 1, 3, 4) for f in FUNCTIONS]
    found += [
        case(
            Lstm((Activation("HardSigmoid", 0.25, 0.5, 2.0), Activation("Softsign", clip=2.0), FUNCTIONS[5])),
            4,
            1,
            3,
            4,
        ),
        case(Lstm((SIGMOID, Activation("Relu"), Activation("Relu"))), 4, 1, 3, 4),
        case(Gru((TANH, Activation("Softsign"))), 3, 1, 3, 4),
        case(Gru((FUNCTIONS[2], Activation("LeakyRelu", 0.2)), resets_product=True), 3, 1, 3, 4),
    ]
    return found


def any_recurrent(rng: np.random.Generator) -> Case:
    """Of any kind and few steps."""
    kind = (Lstm, Gru, Rnn)[rng.integers(3)]
    steps, batch = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    own: dict[str, object] = {}
    if kind is Lstm:
        own = {name: bool(rng.integers(2)) for name in ("with_cell", "coupled", "has_peephole")}
    if kind is Gru:
        own = {"resets_product": bool(rng.integers(2))}
    op = plain(
        kind,
        reverse=bool(rng.integers(2)),
        lengths=tuple(rng.integers(1, steps + 1, batch).tolist()) if rng.integers(2) else (),
        whole=bool(rng.integers(2)),
        has_initial=bool(rng.integers(2)),
        maximum=float(rng.choice([0.3, inf])),
        **own,
    )
    features, hidden = rng.integers(1, 20, 2).tolist()
    return case(op, steps, batch, features, hidden, bool(rng.integers(2)), int(rng.integers(1000)))


MAKERS: tuple[Make, ...] = (any_recurrent, any_recurrent, any_recurrent)
