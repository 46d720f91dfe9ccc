"""The policy's image as it is recorded. Its chroma is kept whole: 64 pixels leave nothing to average away."""

from __future__ import annotations

import numpy as np
import simplejpeg

from gmps_robot.errors import EpisodeError
from gmps_robot.types import ImageArray

QUALITY = 90


def encode_image(image: ImageArray) -> bytes:
    """RGB (height, width, 3) -> JPEG."""
    jpeg: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=QUALITY, colorspace="RGB", colorsubsampling="444"
    )
    return jpeg


def decode_image(jpeg: bytes) -> ImageArray:
    """JPEG -> RGB (height, width, 3).

    Raises:
        EpisodeError: it is no JPEG.
    """
    try:
        image: ImageArray = simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
    except ValueError as error:
        raise EpisodeError(f"an image of {len(jpeg)} bytes is no JPEG: {error}") from error
    return image
