"""Writes expected_images.npz: what OpenCV makes of an image, for test_images.py. Run where OpenCV is installed:

pip install opencv-python-headless
python tests/front_end/make_expected_images.py
"""

from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (30, 40, 3), np.uint8), (0, 0), 0.7)
    found = {"image": image}
    methods = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}
    for name, method in methods.items():
        found[name] = cv2.resize(image, (17, 11), interpolation=method)
    for name in ("nearest", "bilinear"):
        found[f"{name}_larger"] = cv2.resize(image, (53, 47), interpolation=methods[name])
    found["grey"] = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    frames = rng.integers(0, 256, (2, 20, 32, 2), np.uint8)
    frames[0, ..., 0] |= 16
    frames[1, ..., 1] |= 16
    found["frames"] = frames
    found["YUYV"] = cv2.cvtColor(frames[0], cv2.COLOR_YUV2RGB_YUYV)
    found["UYVY"] = cv2.cvtColor(frames[1], cv2.COLOR_YUV2RGB_UYVY)
    for turn in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE):
        found[f"turn_{turn}"] = cv2.flip(cv2.rotate(image[:5, :7], turn), 1)
    np.savez_compressed(Path(__file__).parent / "expected_images.npz", **found)


main()
