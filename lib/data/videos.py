"""Pictures of a download: videos decoded once and in order, single pictures, masks, all of bounded size.

A video or picture is what somebody sent: only common formats are admitted (a file called .avi can be a
playlist that names other files or addresses), sizes are looked at before pixels are made, and whatever a
library makes of damaged bytes becomes one DatasetError.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lib.data.clip import DatasetError
from lib.data.sources import needed, reading

__all__ = ["count_frames", "frames", "picture_size", "pictures", "read_mask", "read_picture"]

# The largest pictures of the data sets have 4.2 million pixels; a damaged header can claim thousands of
# millions.
LARGEST = 1 << 25

CONTAINERS = "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegts,asf"
CODECS = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,mpeg1video,mpeg2video,mpeg4,"
    "msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,mjpeg,ffv1,huffyuv,ffvhuff,utvideo,rawvideo,png"
)
PICTURES = ("JPEG", "PNG", "BMP")


def frames(path: str | Path, count: int, every: int = 1) -> Iterator[np.ndarray]:
    """Frames 0, every, 2 every, ... of a video, ``count`` in all, each (H, W, 3) uint8 RGB.

    The video is opened when the first frame is asked for, decoded once, in the order of showing, and
    closed when the generator ends or is closed; what follows the last frame is not decoded. A rotation
    that the container asks of a player is not applied: labels belong to the pixels as stored.

    Raises DatasetError, naming the file and the frame, when the file is no video, can only be decoded up
    to an earlier frame, or changes its picture size on the way.
    """
    if count <= 0:
        return
    with _video(path) as (container, stream):
        decoded = container.decode(stream)
        size = None
        for index in range((count - 1) * every + 1):
            with _library(path, f"frame {index}"):
                frame = next(decoded, None)
            if frame is None:
                raise DatasetError(
                    f"{path}: the video ends after {index} frames, {(count - 1) * every + 1} are needed"
                )
            size = size or (frame.width, frame.height)
            if (frame.width, frame.height) != size:
                raise DatasetError(
                    f"{path}: frame {index}: {frame.width} x {frame.height} px, "
                    f"the frames before have {size[0]} x {size[1]}"
                )
            if index % every == 0:
                with _library(path, f"frame {index}"):
                    picture = frame.to_ndarray(format="rgb24")
                yield picture


def count_frames(path: str | Path) -> int:
    """The number of coded frames of a video, counted without decoding; of a damaged one fewer decode.

    Raises DatasetError when the file is no video.
    """
    with _video(path) as (container, stream), _library(path, "packets"):
        return sum(packet.size > 0 for packet in container.demux(stream))


def pictures(paths: Iterable[str | Path]) -> Iterator[np.ndarray]:
    """`read_picture` of each path in turn, one in memory at a time."""
    for path in paths:
        yield read_picture(path)


def read_picture(path: str | Path) -> np.ndarray:
    """A picture as (H, W, 3) uint8 RGB, the first one where a file holds several.

    Grey, palette, CMYK and 16-bit grey pictures are converted, and transparency is left out. An
    orientation in the EXIF data is not applied: labels belong to the pixels as stored. Raises
    DatasetError, naming the file, for what is missing, damaged, cut off, no JPEG, PNG or BMP, or larger
    than 33 million pixels.
    """
    with _picture(path) as image:
        with _library(path):
            return np.array(_eight_bit(image, path).convert("RGB"))


def read_mask(path: str | Path) -> np.ndarray:
    """A mask as (H, W) bool: True where the picture is bright.

    Bright is more than half of the brightest pixel (so that 0 and 1, and 0 and 255, both work), and in a
    JPEG, where black is not quite black, more than half of white. Errors as in `read_picture`.
    """
    with _picture(path) as image:
        with _library(path):
            lossy = image.format != "PNG" and image.format != "BMP"
            grey = np.array(_eight_bit(image, path).convert("L"))
    return grey > (127 if lossy else grey.max() // 2)


def picture_size(path: str | Path) -> tuple[int, int]:
    """(width, height) of a picture, from its header. Errors as in `read_picture`."""
    with _picture(path) as image:
        return image.size


def _eight_bit(image, path):
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        # Pillow would clip 16-bit grey at 255 instead of scaling it.
        values = np.asarray(image).astype(np.int64) >> 8
        return needed("PIL.Image", str(path)).fromarray(values.astype(np.uint8))
    if image.mode in ("I", "F"):
        raise DatasetError(f"{path}: pixels of mode {image.mode} are no colours")
    return image


@contextmanager
def _picture(path):
    """A Pillow image whose header was read and whose size is bounded."""
    pillow = needed("PIL.Image", f"{path}: reading a picture")
    if not Path(path).is_file():
        raise DatasetError(f"{path}: no such file")
    with _library(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures, which are refused below
        image = pillow.open(path, formats=PICTURES)
    with image:
        _check_size(path, *image.size)
        yield image


@contextmanager
def _video(path):
    """An open container and its first video stream."""
    av = needed("av", f"{path}: decoding a video")
    if not Path(path).is_file():
        raise DatasetError(f"{path}: no such file")
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": CONTAINERS,
        "codec_whitelist": CODECS,
    }
    with _library(path):
        container = av.open(f"file:{path}", options=options)
    with container:
        if not container.streams.video:
            raise DatasetError(f"{path}: holds no video")
        stream = container.streams.video[0]
        codec = stream.codec_context
        if codec is None or codec.name not in CODECS.split(","):
            raise DatasetError(f"{path}: the video's codec is not one of {CODECS}")
        _check_size(path, codec.width, codec.height)
        codec.thread_type = "AUTO"
        codec.options = {"max_pixels": str(LARGEST)}
        yield container, stream


def _check_size(path, width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > LARGEST:
        raise DatasetError(
            f"{path}: pictures of {width} x {height} px; there must be some, and at most {LARGEST} px"
        )


@contextmanager
def _library(path, what: str = ""):
    # Pillow and PyAV answer damage with classes of their own (and SyntaxError and struct.error) besides
    # those that `reading` knows.
    with reading(path, what):
        try:
            yield
        except DatasetError:
            raise
        except Exception as error:
            raise ValueError(getattr(error, "strerror", None) or error) from error
