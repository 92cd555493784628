"""Images of another size."""

from __future__ import annotations

from mcuq.importer.tflite.operator import Converter, Op


def resize(mode: str, options: str) -> Converter:
    """RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR, to the height and width of the second input.

    The pixel nearest to a place is the one that it lies in, of aligned corners the nearer one, halves up.
    """

    def convert(op: Op) -> str:
        n, _, _, channels = op.images(0)
        size = op.ints(1, "size")
        if len(size) != 2:
            raise op.error(f"size is {size}; it must be height and width")
        align, half = (bool(op.option(options, field)) for field in ("AlignCorners", "HalfPixelCenters"))
        if align and half:
            raise op.error("align_corners and half_pixel_centers exclude each other")
        coordinates = "align_corners" if align else "half_pixel" if half else "asymmetric"
        rounding = "floor" if coordinates == "asymmetric" else "round_prefer_ceil"
        sizes = op.value([n, channels, *size])
        attributes = {"nearest_mode": rounding} if mode == "nearest" else {}
        y = op.write(
            "Resize",
            [op.channels_first(op.x()), "", "", sizes],
            mode=mode,
            coordinate_transformation_mode=coordinates,
            **attributes,
        )
        return op.channels_last(y)

    return convert
