"""Which models can be in one firmware, and what they are called together."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.compile import CompiledModel, check_names
from mcuq.errors import ModelError

MOST_MODELS = 255  # docs/protocol.md: an index is a byte, and so is the number of those behind the first


def as_several(model: CompiledModel | Sequence[CompiledModel]) -> tuple[CompiledModel, ...]:
    """The models of a firmware. Raises ModelError where several do not share one arena, or have what one alone may."""
    if isinstance(model, CompiledModel):
        return (model,)
    models = tuple(model)
    if not 1 <= len(models) <= MOST_MODELS:
        raise ModelError(f"firmware: {len(models)} models are given; one to {MOST_MODELS} go into it")
    if len(models) == 1:
        return models
    arena = models[0].placement.arena
    if any(each.placement.arena != arena for each in models) or not arena:
        raise ModelError(
            f"{called(models)}: do not share an arena, and one firmware has one; compile them together (mcuq compile "
            "A.onnx B.onnx), or give the path of one of them"
        )
    for each in models:
        if each.listing.fast is not None:
            raise ModelError(
                f"model '{each.name}': has constants that are copied into {each.listing.fast.memory}, which firmware "
                "of several models does not do; compile them without --fast-weights, or give the path of this one"
            )
    check_names(models, arena)
    return models


def called(models: Sequence[CompiledModel]) -> str:
    """For messages."""
    names = [f"'{model.name}'" for model in models]
    return f"model {names[0]}" if len(names) == 1 else f"models {', '.join(names[:-1])} and {names[-1]}"
