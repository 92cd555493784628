"""Image front ends that meet every format, way of resizing, turn and layout, frames for them, and their C alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from front_end_c import Probe
from numpy.typing import NDArray

from mcuq.emit.front_end_files import rendered
from mcuq.emit.image_front_end import image_parts
from mcuq.emit.port import Port
from mcuq.front_end.image import Image, Seen
from mcuq.graph.tensor import Quant, Tensor

ALL = 0, 0, 14, 10
PLAIN = Image(
    14, 10, "RGB888", "limited", ALL, "bilinear", "half_pixel", 0, False, "auto", "auto", 255.0, (0,), (1,), ""
)
EXACT = 1.0, -128  # of a code for each pixel
OTHER = 0.0173, 9
WIDE = 1 / 16000, -100

# A front end, the input's (height, width, channels), whether channels are last, its scale and zero point, and whether
# rows are pushed.
Case = tuple[Image, tuple[int, int, int], bool, tuple[float, int], bool]


def changed(**more: object) -> Image:
    """PLAIN with other fields; the crop is all of another frame."""
    front = replace(PLAIN, **more)  # type: ignore[arg-type]
    return front if "crop" in more else replace(front, crop=(0, 0, front.frame_width, front.frame_height))


def case(
    size: tuple[int, int, int],
    code: tuple[float, int] = EXACT,
    is_last: bool = True,
    pushes: bool = False,
    **more: object,
) -> Case:
    return changed(**more), size, is_last, code, pushes


RGB, TALL, GREY = (10, 14, 3), (14, 10, 3), (10, 14, 1)
TORCH = {"pixel_max": 1.0, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SIGNED = {"mean": (127.5,), "std": (127.5,)}
NEAREST, CORNERS = {"resize": "nearest"}, {"coordinates": "align_corners"}
ASYMMETRIC = {"coordinates": "asymmetric"}
CASES: dict[str, Case] = {
    "as it is": case(RGB),
    "as it is, by rows": case((10, 15, 3), pushes=True, frame_width=15),
    "a part of grey": case((6, 8, 1), is_last=False, frame_format="grey", crop=(3, 2, 8, 6)),
    "BGR": case(RGB, frame_format="BGR888", color="BGR"),
    "BGR of RGB, channels first": case(RGB, is_last=False, color="BGR"),
    "mirrored": case(RGB, pushes=True, mirror=True),
    "turned by 90": case(TALL, OTHER, rotate=90, **TORCH),
    "turned by 180": case(RGB, is_last=False, rotate=180, frame_format="BGR888"),
    "turned by 270, mirrored": case(TALL, rotate=270, mirror=True, frame_format="grey"),
    "grey of RGB": case(GREY, (1 / 127, 0), color="grey", **SIGNED),
    "nearest": case((7, 9, 3), frame_format="RGB565", **NEAREST),
    "nearest, larger, by rows": case((23, 9, 3), OTHER, pushes=True, frame_format="RGB565_BE", **NEAREST, **TORCH),
    "nearest, asymmetric": case(
        (5, 5, 3), is_last=False, frame_format="YUYV", crop=(1, 1, 11, 8), **NEAREST, **ASYMMETRIC
    ),
    "bilinear": case((7, 5, 3), OTHER, frame_format="UYVY", **TORCH),
    "bilinear, larger, by rows": case((31, 17, 3), (1.1, -110), pushes=True, frame_format="YUYV", yuv_range="full"),
    "bilinear, corners": case((9, 9, 3), is_last=False, frame_format="BGR888", rotate=90, **CORNERS),
    "bilinear, asymmetric": case((4, 30, 1), pushes=True, frame_format="RGB565", color="grey", **ASYMMETRIC),
    "antialiased": case((3, 4, 3), OTHER, resize="antialias", frame_format="RGB565_BE", color="BGR", **TORCH),
    "area": case((3, 4, 3), WIDE, is_last=False, resize="area", color="BGR", **SIGNED),
    "area, by rows": case((4, 3, 1), pushes=True, resize="area", frame_format="UYVY", color="grey", crop=(2, 1, 11, 9)),
    "area of luma": case((5, 7, 1), resize="area", frame_format="YUYV", yuv_range="full", rotate=180),
    "16 bits": case(RGB, (1 / 32767, 0), mirror=True, pixel_max=1.0),
    "one pixel": case((1, 1, 1), frame_width=1, frame_height=1, frame_format="grey"),
    "one pixel of many": case((1, 1, 3), pushes=True, resize="antialias"),
}


def shown_of(case: Case) -> tuple[Seen, Port]:
    """A case's front end before its input."""
    front, (height, width, channels), is_last, (scale, zero_point), _ = case
    shape = (1, height, width, channels) if is_last else (1, channels, height, width)
    dtype = "int16" if scale < 1e-3 else "int8"
    tensor = Tensor("x", shape, dtype, None, Quant((scale,), zero_point, dtype))
    return Seen(front, "x", shape, height, width, channels, is_last), Port("x", "input", tensor, "input")


def frames(front: Image, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Bytes of all values: noise, both extremes, and steps from one to the other."""
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 256, (count, front.frame_height, front.row_bytes), np.uint8)
    found[0, : front.frame_height // 2] = 255
    found[1 % count] = np.where(found[1 % count] < 128, 0, 255)
    return found


STUB = """
#include <stdint.h>
#define %(ID)s_DIGEST 0x12345678u
%(c_type)s *%(id)s_input(void);
void %(id)s_run(const %(c_type)s *input);
int32_t %(id)s_push(const %(c_type)s *rows, int32_t count);
void %(id)s_reset(void);
"""
HEAD = """
static int32_t runs;
"""
CODE = """
#include "%(id)s.h"
#include "%(id)s_front_end.h"

static %(c_type)s %(id)s_place[%(elements)d], %(id)s_seen[%(elements)d];
static int32_t %(id)s_pushed;

%(c_type)s *%(id)s_input(void) { return %(id)s_place; }
void %(id)s_run(const %(c_type)s *input)
{
    for (int32_t i = 0; i < %(elements)d; i++) {
        %(id)s_seen[i] = input[i];
        %(id)s_place[i] = 0;
    }
    runs++;
}
void %(id)s_reset(void) { %(id)s_pushed = 0; }
int32_t %(id)s_push(const %(c_type)s *rows, int32_t count)
{
    for (int32_t i = 0; i < count * %(row)d; i++)
        %(id)s_seen[%(id)s_pushed++] = rows[i];
    runs += %(id)s_pushed == %(elements)d;
    return 0;
}

/* A frame in pieces of so many rows, or whole behind some of another one: how many inferences are said to have run. */
static int32_t %(id)s_given(const uint8_t *frame, int32_t piece, int8_t *output)
{
    int32_t said = 0;

    if (piece == 0) {
        (void)%(id)s_push_pixels(frame, 1);
        runs = 0;
        %(id)s_push_image(frame);
        said = 1;
    }
    for (int32_t i = 0; piece > 0 && i < %(ID)s_FRAME_HEIGHT; i += piece)
        said += %(id)s_push_pixels(frame + i * %(ID)s_FRAME_ROW_BYTES,
                                   i + piece > %(ID)s_FRAME_HEIGHT ? %(ID)s_FRAME_HEIGHT - i : piece);
    for (int32_t i = 0; i < %(elements)d; i++)
        ((%(c_type)s *)(void *)output)[i] = %(id)s_seen[i];
    return said;
}
"""
CALL = """
    if (input[0] == %(number)d)
        ran[0] = %(id)s_given((const uint8_t *)input + 4, input[1], output + 8);
"""
PROBE = """
/* The case, rows at a time, and the frame: how many inferences ran, as is said and seen, and the last one's input. */
static void probe(const int8_t *input, int8_t *output)
{
    int32_t *const ran = (int32_t *)(void *)output;

    runs = 0;
%s    ran[1] = runs;
}
"""
FRAME_BYTES, INPUT_BYTES = 4 + 14 * 3 * 10 + 30, 1700


def probe_of(cpu: str, cases: dict[str, Case]) -> Probe:
    """The C of all cases on a CPU, in one program."""
    files: dict[str, str] = {}
    code, calls = HEAD, ""
    for number, case in enumerate(cases.values()):
        shown, port = shown_of(case)
        elements, own = int(np.prod(shown.shape)), f"stub{number}"
        facts = {
            "number": number,
            "id": own,
            "ID": own.upper(),
            "c_type": port.c_type,
            "elements": elements,
            "row": elements // shown.height,
        }
        pushed = ((1, shown.height, shown.width, shown.channels), shown.height) if case[4] else None
        made = rendered(image_parts(shown, port, "input", pushed, own), own, 0x12345678)
        files |= {f"{own}.h": STUB % facts, **made.files}
        code += CODE % facts
        calls += CALL % facts
        assert 4 + shown.front.frame_bytes <= FRAME_BYTES
        assert 8 + port.tensor.size_bytes <= INPUT_BYTES
    return Probe(cpu, code + PROBE % calls, (FRAME_BYTES, INPUT_BYTES), files)
