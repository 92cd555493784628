"""A front end of images -> what its C files hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuq.emit.front_end_files import Arrays, Parts
from mcuq.emit.port import Port
from mcuq.errors import ModelError
from mcuq.front_end.front_end import LastStep
from mcuq.front_end.image import Seen, image_step
from mcuq.front_end.pixels import IS_YUV
from mcuq.front_end.resize import WEIGHT_BITS

_TAKERS = {
    "grey": "mcuq_take_grey",
    "RGB888": "mcuq_take_rgb888",
    "BGR888": "mcuq_take_bgr888",
    "RGB565": "mcuq_take_rgb565",
    "RGB565_BE": "mcuq_take_rgb565_be",
    "YUYV": "mcuq_take_yuyv",
    "UYVY": "mcuq_take_uyvy",
}
_COLOURS = {"limited": "mcuq_rgb_of_yuv", "full": "mcuq_rgb_of_full_yuv"}
_GREY, _GREY_OF_LUMA = "mcuq_grey_of_rgb", "mcuq_grey_of_luma"
_CODES, _BYTES_AS_CODES = ("mcuq_code_of_pixel", "mcuq_code_of_sum"), "mcuq_less_128"
NEEDS = (*_TAKERS.values(), *_COLOURS.values(), _GREY, _GREY_OF_LUMA, *_CODES, _BYTES_AS_CODES)


def image_parts(
    shown: Seen, port: Port, arguments: str, pushed: tuple[tuple[int, ...], int] | None, model_id: str
) -> Parts:
    """For an input `port`, or one of the shape `pushed` of which the model takes so many rows. `arguments` are
    those of the run function. Raises ModelError where rows are not made in the order in which the model takes them."""
    front, tensor = shown.front, port.tensor
    if pushed is not None:
        _check_order(shown, *pushed, model_id)
    step = image_step(shown, tensor)
    constants = _code_constant(step) if shown.is_whole else None
    needs, pixel = _pixel(shown)
    height, width = shown.resized
    origin, stride_y, stride_x, stride_c = _strides(shown)
    arrays: Arrays = {}
    left, top, crop_width, crop_height = front.crop
    taps = 1, 1
    if shown.is_whole:
        rows, columns = shown.places
        if height != crop_height:
            arrays["front_end_rows"] = ("uint16_t", rows)
        if width != crop_width:
            arrays["front_end_columns"] = ("uint16_t", left + columns)
    else:
        along, across = shown.taps
        taps = along.count, across.count
        for name, own, first in (("rows", along, 0), ("columns", across, left)):
            arrays[f"front_end_{name}"] = ("uint16_t", first + own.starts)
            arrays[f"front_end_weights_of_{name}"] = ("int16_t", own.weights)
    order = [2, 1, 0] if shown.is_bgr else list(range(shown.channels))
    raw = {"grey": ["grey"], "RGB888": ["RGB"], "BGR888": ["BGR"]}.get(front.frame_format, [])
    own_order = "grey" if shown.channels == 1 else "BGR" if shown.is_bgr else "RGB"
    is_copy = (
        shown.is_whole
        and constants == -128
        and (tensor.dtype, own_order) in [("int8", form) for form in raw]
        and "front_end_columns" not in arrays
        and (stride_x, stride_c) == (shown.channels, 1 if shown.channels > 1 else stride_c)
    )
    if is_copy:
        needs = [_BYTES_AS_CODES]
    elif constants is None:
        needs += [_CODES[0 if shown.is_whole else 1]]
    lines = 0 if shown.is_whole else taps[0] * width * shown.channels
    row = 0 if pushed is None else width * shown.channels
    code_bytes = np.dtype(tensor.dtype).itemsize
    state_bytes = 8 + 2 * lines + code_bytes * row
    context = {
        "described": front.described(),
        "front": front,
        "shown": shown,
        "input": port,
        "arguments": arguments,
        "is_pushed": pushed is not None,
        "is_copy": is_copy,
        "added": constants,
        "pixel": pixel,
        "order": order,
        "multipliers": np.broadcast_to(step.multipliers, (shown.channels,)).tolist(),
        "offsets": np.broadcast_to(step.offsets >> (0 if shown.is_whole else 32), (shown.channels,)).tolist(),
        "shift": step.shift - (0 if shown.is_whole else 32),
        "low": step.low,
        "high": step.high,
        "width": width,
        "height": height,
        "left": left,
        "top": top,
        "taps_y": taps[0],
        "taps_x": taps[1],
        "has_rows": "front_end_rows" in arrays,
        "has_columns": "front_end_columns" in arrays,
        "origin": origin,
        "stride_y": stride_y,
        "stride_x": stride_x,
        "stride_c": stride_c,
        "line_shift": WEIGHT_BITS - 8,
    }
    instructions = _instructions(shown, taps, is_copy, constants is not None)
    return Parts("image", needs, arrays, context, state_bytes + -state_bytes % 4, instructions, "frame")


def _check_order(shown: Seen, pushed: tuple[int, ...], rows: int, model_id: str) -> None:
    where = f"model '{model_id}': --front-end"
    if shown.front.rotate:
        raise ModelError(
            f"{where}: rotate = {shown.front.rotate} needs all of an image, and --push never has it; leave out --push, "
            "or turn the camera"
        )
    if pushed != (1, shown.height, shown.width, shown.channels) or rows != shown.height:
        raise ModelError(
            f"{where}: gives rows of {shown.width} x {shown.channels}, channels last, and --push takes those of "
            f"{'x'.join(map(str, pushed))}, {rows} an inference; leave out --push"
        )


def _strides(shown: Seen) -> tuple[int, int, int, int]:
    """Where pixel (0, 0, 0) of what is resized comes to stand in the input, and how far the next in y, x and channels
    are; of rows that are pushed in one."""
    height, width = shown.resized
    flat = np.empty(height * width * shown.channels, np.int64)
    places = np.arange(flat.size).reshape(1, height, width, shown.channels)
    flat[shown.placed(places).reshape(-1)] = np.arange(flat.size)
    to = flat.reshape(height, width, shown.channels)
    origin = int(to[0, 0, 0])
    return (
        origin,
        int(to[-1, 0, 0] - origin) // max(height - 1, 1),
        int(to[0, -1, 0] - origin) // max(width - 1, 1),
        int(to[0, 0, -1] - origin) // max(shown.channels - 1, 1),
    )


def _code_constant(step: LastStep) -> int | None:
    """What is added to a pixel where that alone gives its code, and nothing is limited."""
    half, unit = 1 << (step.shift - 1), 1 << step.shift
    added = {int(offset - half) / unit for offset in step.offsets.tolist()}
    if len(added) == 1 and set(step.multipliers.tolist()) == {unit}:
        (found,) = added
        if found == int(found) and step.low <= found and found + 255 <= step.high:
            return int(found)
    return None


def _pixel(shown: Seen) -> tuple[list[str], Sequence[str]]:
    """Runtime items, and lines of C that make `c` of pixel `x` of `row`."""
    form, reach = shown.front.frame_format, shown.front.yuv_range
    taker = _TAKERS[form]
    needs, lines = [taker], [f"{taker}(row, x, c);"]
    if form == "grey":
        lines += [f"c[{i}] = c[0];" for i in range(1, shown.channels)]
    elif shown.channels == 1 and form not in IS_YUV:
        needs.append(_GREY)
        lines.append(f"c[0] = {_GREY}(c);")
    elif shown.channels == 1 and reach == "limited":
        needs.append(_GREY_OF_LUMA)
        lines.append(f"c[0] = {_GREY_OF_LUMA}(c[0]);")
    elif shown.channels == 3 and form in IS_YUV:
        needs.append(_COLOURS[reach])
        lines.append(f"{_COLOURS[reach]}(c);")
    return needs, lines


def _instructions(shown: Seen, taps: tuple[int, int], is_copy: bool, is_added: bool) -> int:
    """About those of a frame, as they were counted on Cortex-M4."""
    height, width = shown.resized
    channels, form = shown.channels, shown.front.frame_format
    a_pixel = 3 + 2 * channels + _TAKEN[form] + (_OF_YUV if form in IS_YUV and channels == 3 else 0)
    a_pixel += _OF_RGB if channels == 1 and form not in ("grey", *IS_YUV) else 0
    if is_copy:
        return round(height * width * channels * 1.5)
    if shown.is_whole:
        return height * width * (a_pixel + channels * (1 if is_added else 6))
    (along, _), (_, columns) = shown.taps, taps
    kept = len({int(y) for start in along.starts for y in range(start, start + taps[0])})
    across = width * (6 + columns * (a_pixel + 2 * channels))
    made = width * (6 + channels * (5 + 3 * taps[0]))
    return kept * across + height * made


# Instructions of a pixel: of its format, and of its colours.
_TAKEN = {"grey": 0, "RGB888": 2, "BGR888": 2, "RGB565": 17, "RGB565_BE": 17, "YUYV": 6, "UYVY": 6}
_OF_YUV, _OF_RGB = 26, 4
