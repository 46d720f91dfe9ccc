"""The film of an adaptation: an episode before beside one after, as MP4."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from gmps_robot.errors import ConfigError, SetupError
from gmps_robot.types import ImageArray

CAPTION_HEIGHT = 24  # [pixels]
LINGER = 1.0  # how long the last picture stays [s]
CODECS = ("libx264", "mpeg4")


def side_by_side(
    left: Sequence[ImageArray], right: Sequence[ImageArray], captions: tuple[str, str]
) -> list[ImageArray]:
    """Put two films of frames (h, w, 3) next to each other under their captions; the shorter one waits at its end.

    Raises:
        ConfigError: one film is empty, or their frames differ in size.
    """
    if not left or not right or left[0].shape != right[0].shape:
        sizes = [frames[0].shape if frames else "no frames" for frames in (left, right)]
        raise ConfigError(f"cannot put films of {sizes[0]} and {sizes[1]} side by side")
    banners = [_banner(caption, left[0].shape[1]) for caption in captions]
    count = max(len(left), len(right))
    joined = []
    for k in range(count):
        pictures = (left[min(k, len(left) - 1)], right[min(k, len(right) - 1)])
        halves = [np.concatenate([b, p], axis=0) for b, p in zip(banners, pictures, strict=True)]
        joined.append(np.concatenate(halves, axis=1))
    return joined


def write_film(frames: Sequence[ImageArray], path: Path, rate: float) -> None:
    """Write frames (h, w, 3) as MP4 at `rate` pictures per second; the last one lingers for a second.

    Raises:
        ConfigError: there are no frames.
        SetupError: PyAV is missing, or has no encoder for MP4.
    """
    if not frames:
        raise ConfigError(f"no frames for {path}")
    try:
        import av
    except ImportError as error:
        raise SetupError("films need PyAV: pip install av") from error
    codec = next((name for name in CODECS if name in av.codecs_available), None)
    if codec is None:
        raise SetupError(f"this PyAV has none of the encoders {', '.join(CODECS)}: pip install --force-reinstall av")
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = (size - size % 2 for size in frames[0].shape[:2])  # 4:2:0 wants even sizes
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1000))
        if not isinstance(stream, av.VideoStream):
            raise SetupError(f"PyAV's {codec} makes no video stream")
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "20"} if codec == "libx264" else {"q": "4"}
        for picture in [*frames, *[frames[-1]] * round(LINGER * rate)]:
            even = np.ascontiguousarray(picture[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode(None))


def _banner(caption: str, width: int) -> ImageArray:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, CAPTION_HEIGHT), (24, 28, 34))
    ImageDraw.Draw(image).text((8, 6), caption, fill=(236, 238, 241))
    return np.asarray(image)
