"""Images of another size."""

from __future__ import annotations

from mcuq.importer.tflite.operator import Converter, Op
from mcuq.importer.tflite.writer import is_quantized


def resize(mode: str, options: str) -> Converter:
    """RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR, to the height and width of the second input.

    The pixel nearest to a place is the one that it lies in, of aligned corners the nearer one, halves up.
    """

    def convert(op: Op) -> str:
        n, _, width, channels = op.images(0)
        size = op.ints(1, "size")
        if len(size) != 2:
            raise op.error(f"size is {size}; it must be height and width")
        align, half = (bool(op.option(options, field)) for field in ("AlignCorners", "HalfPixelCenters"))
        if align and half:
            raise op.error("align_corners and half_pixel_centers exclude each other")
        coordinates = "align_corners" if align else "half_pixel" if half else "asymmetric"
        attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
        if mode == "nearest":
            attributes["nearest_mode"] = "floor" if coordinates == "asymmetric" else "round_prefer_ceil"
        y, own = op.channels_first(op.x()), op.output()
        steps = [size]
        if mode == "linear" and is_quantized(own):
            # One dimension after the other: what is between them lies where the output does.
            steps = [[size[0], width], size]
        for index, (rows, columns) in enumerate(steps):
            y = op.write("Resize", [y, "", "", op.value([n, channels, rows, columns])], **attributes)
            if index < len(steps) - 1:
                y = op.requantized(y, own, 1)
        return op.channels_last(y)

    return convert
