"""The file of an image front end: its keys, and what they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mcuq.errors import ModelError
from mcuq.front_end.image import Image
from mcuq.front_end.keys import values_of
from mcuq.front_end.pixels import IS_YUV
from mcuq.toml_text import is_number

LARGEST = 4096
# What is meant where the file says nothing; None: it has to.
IMAGE_DEFAULTS: Mapping[str, Any] = {
    "frame_width": None,
    "frame_height": None,
    "frame_format": None,
    "yuv_range": "limited",
    "crop": (),
    "resize": "bilinear",
    "coordinates": "half_pixel",
    "rotate": 0,
    "mirror": False,
    "color": "auto",
    "layout": "auto",
    "pixel_max": 255.0,
    "mean": (0.0,),
    "std": (1.0,),
}
_CHOICES = {name: get_args(hint) for name, hint in get_type_hints(Image).items() if get_origin(hint) is Literal}


def image_front_end(where: str, given: Mapping[str, Any], source: str) -> Image:
    """The front end of what the file says beside its kind. Raises ModelError for whatever is not supported."""
    values = values_of(where, "image", given, IMAGE_DEFAULTS, _checked, _REQUIRED)
    width, height = values["frame_width"], values["frame_height"]
    if values["frame_format"] in IS_YUV and width % 2:
        raise ModelError(f"{where}: frame_width = {width}: must be even, as two pixels share a colour")
    if "yuv_range" in given and values["frame_format"] not in IS_YUV:
        raise ModelError(f"{where}: yuv_range: is of YUYV and UYVY alone, frame_format is {values['frame_format']}")
    if values["resize"] in ("antialias", "area") and values["coordinates"] != "half_pixel":
        raise ModelError(f"{where}: coordinates: resize = '{values['resize']}' has half_pixel alone")
    crop: tuple[int, ...] = values["crop"] or (width, height)
    if len(crop) == 2:
        crop = ((width - crop[0]) // 2, (height - crop[1]) // 2, *crop)
    ends = crop[0] + crop[2], crop[1] + crop[3]
    if min(crop[2:]) < 1 or min(crop[:2]) < 0 or ends[0] > width or ends[1] > height:
        raise ModelError(f"{where}: crop = {list(values['crop'])}: does not lie within frames of {width} x {height}")
    sizes = {len(values["mean"]), len(values["std"])} - {1}
    if len(sizes) > 1:
        raise ModelError(
            f"{where}: mean has {len(values['mean'])} numbers, std {len(values['std'])}; give as many, or one"
        )
    return Image(**{**values, "crop": crop}, source=source)


_REQUIRED = (
    "say what frames the camera gives: frame_width, frame_height, and frame_format, one of "
    f"{', '.join(_CHOICES['frame_format'])}"
)


def _checked(where: str, key: str, value: Any) -> Any:
    def wrong(must: str) -> ModelError:
        return ModelError(f"{where}: {key} = {value!r}: must be {must}")

    if key in _CHOICES:
        if value not in _CHOICES[key]:
            raise wrong(f"one of {', '.join(_CHOICES[key])}")
    elif key in ("frame_width", "frame_height"):
        if type(value) is not int or not 1 <= value <= LARGEST:
            raise wrong(f"a whole number from 1 to {LARGEST}")
    elif key == "crop":
        if not isinstance(value, list) or len(value) not in (2, 4) or not all(type(v) is int for v in value):
            raise wrong("[width, height] of the frame's middle, or [left, top, width, height]")
        return tuple(value)
    elif key == "rotate":
        if type(value) is not int or value not in (0, 90, 180, 270):
            raise wrong("0, 90, 180 or 270")
    elif key == "mirror":
        if type(value) is not bool:
            raise wrong("true or false")
    elif key == "pixel_max":
        if not is_number(value) or value <= 0:
            raise wrong("a number above 0")
        return float(value)
    else:
        listed = value if isinstance(value, list) else [value]
        if not 0 < len(listed) <= 3 or not all(is_number(v) and (key == "mean" or v > 0) for v in listed):
            raise wrong(f"a number{' above 0' * (key == 'std')}, or one a channel")
        return tuple(float(v) for v in listed)
    return value
