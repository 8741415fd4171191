"""What readers of labelled pictures share: checked numbers, joints without a label, an unknown camera."""

from __future__ import annotations

import numpy as np

from lib.data.dataset import DatasetError
from lib.data.sources import Options, Source
from lib.skeleton import Skeleton

__all__ = ["assumed_intrinsics", "checked", "chosen", "filled", "visible_extent"]


def checked(values: np.ndarray, place: str, most: float) -> np.ndarray:
    """The values as float64; raises DatasetError, beginning with ``place``, for what is no plausible number.

    Refused are other types than numbers, values that are not finite, and those beyond ``most``.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise DatasetError(f"{place}: of type {kind}, numbers were expected")
    with np.errstate(invalid="ignore"):  # NaN of another kind, in damaged files
        values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise DatasetError(f"{place}: holds values that are not finite")
    if values.size and np.abs(values).max() > most:
        raise DatasetError(f"{place}: holds {np.abs(values).max():.3g}, more than {most:g} is not plausible")
    return values


def filled(points: np.ndarray, labelled: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Points (T, J, D) in which a joint without a label lies at its nearest ancestor that has one.

    labelled (T, J). Where no ancestor has one, another joint near by stands in. Frames without any label
    are zero.
    """
    points = np.where(labelled[..., None], points, 0)
    order = np.array([_nearest(skeleton, joint) for joint in range(len(skeleton))])
    first = labelled[:, order].argmax(-1)  # (T, J): the first in each joint's order that has a label
    nearest = order[np.arange(len(skeleton)), first]
    return np.take_along_axis(points, nearest[..., None], axis=1)


def assumed_intrinsics(points: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """K (3, 3) for pictures of which neither camera nor, as they differ, one size is known.

    The picture is taken to reach from 0 to the farthest label; the focal length is 1.2 times its longer
    side, the principal point its middle.
    """
    extent = points[labelled].max(0, initial=1)
    focal = 1.2 * extent.max()
    return np.array([[focal, 0, extent[0] / 2], [0, focal, extent[1] / 2], [0, 0, 1]])


def visible_extent(points: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """The longer side (T,) of the box around each frame's labelled joints, px; 0 where fewer than two are."""
    shown = labelled[..., None]
    low = np.where(shown, points, np.inf).min(1)
    high = np.where(shown, points, -np.inf).max(1)
    return np.where(labelled.any(1), (high - low).max(1), 0)


def chosen(sources: list[Source], options: Options, place: str) -> tuple[Source, ...]:
    """The sources of the subjects that were asked for; raises DatasetError when that leaves none."""
    kept = tuple(s for s in sources if not options.subjects or s.subject in options.subjects)
    if not kept:
        there = ", ".join(dict.fromkeys(source.subject for source in sources))[:200]
        raise DatasetError(
            f"{place}: none of the subjects {', '.join(options.subjects)[:200]} (has: {there})"
        )
    return kept


def _nearest(skeleton: Skeleton, joint: int) -> list[int]:
    """All joints in the order in which they stand for ``joint``: itself, its ancestors, then what is near."""
    ancestors = [joint]
    while skeleton.parents[ancestors[-1]] >= 0:
        ancestors.append(skeleton.parents[ancestors[-1]])
    near = list(ancestors)
    for number in near:  # the list grows while it is read: breadth first
        near.extend(child for parent, child in skeleton.bones if parent == number and child not in near)
    return near
