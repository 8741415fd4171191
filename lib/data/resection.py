"""Where a camera stands: its rotation and translation from points of the world and their pixels.

The intrinsics are known, with the lens's distortion. First the linear solution (DLT) over rays without
distortion, then least squares over the pixels themselves, with losses that let a share of the points be
wrong. Source: Hartley and Zisserman, "Multiple View Geometry", 2nd ed., chapter 7.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from lib.data.human36m import project

__all__ = ["resect", "undistorted"]

FEWEST = 6
SOFT = 0.1  # px beyond which a residual counts for less than its square
LOSSES = ("soft_l1", "cauchy")  # the second forgets wrong points, but finds its way from near only
STEPS = 50


def resect(
    points: np.ndarray, pixels: np.ndarray, K: np.ndarray, distortion: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """R (3, 3) and t (3,) with X_camera = R X_world + t, in the unit of the points.

    points (N, 3) in the world, pixels (N, 2) as `lib.data.human36m.project` gives them. Raises ValueError
    when there are fewer than six usable points, or when they lie so that they tell nothing of the camera.
    """
    rays = undistorted(pixels, K, distortion)
    usable = np.isfinite(rays).all(-1) & np.isfinite(points).all(-1)
    if usable.sum() < FEWEST:
        raise ValueError(f"{usable.sum()} usable points, {FEWEST} are needed")
    points, pixels, rays = np.float64(points[usable]), np.float64(pixels[usable]), rays[usable]
    R, t = _linear(points, rays)
    scale = np.linalg.norm(t) or 1.0

    def residuals(change: np.ndarray) -> np.ndarray:
        moved = points @ _turned(R, change).T + t + scale * change[3:]
        # A point that a step takes behind the camera is far off, not infinitely so.
        moved[:, 2] = np.maximum(moved[:, 2], 1e-3 * scale)
        return (project(moved, K, distortion) - pixels).ravel()

    best = np.zeros(6)
    for loss in LOSSES:
        best = least_squares(residuals, best, loss=loss, f_scale=SOFT, max_nfev=STEPS).x
    return _turned(R, best), t + scale * best[3:]


def undistorted(pixels: np.ndarray, K: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """x / z and y / z (N, 2) of the rays behind pixels, the inverse of `lib.data.human36m.project`.

    By fixed-point iteration, which converges within these cameras' pictures; not finite where it does not.
    """
    k1, k2, k3, *p = np.asarray(distortion, np.float64)
    seen = (np.asarray(pixels, np.float64) - K[:2, 2]) / K.diagonal()[:2]
    rays = seen
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            r2 = (rays**2).sum(-1, keepdims=True)
            factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + (rays * p).sum(-1, keepdims=True)
            rays = (seen - np.array(p) * r2) / factor
    return rays


def _linear(points: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The direct linear transformation: two equations a point in the twelve entries of [R | t]."""
    centre = points.mean(0)
    scale = np.abs(points - centre).mean() or 1.0
    ones = np.concatenate([(points - centre) / scale, np.ones((len(points), 1))], axis=-1)
    zeros = np.zeros_like(ones)
    rows = np.concatenate(
        [
            np.concatenate([ones, zeros, -rays[:, :1] * ones], axis=-1),
            np.concatenate([zeros, ones, -rays[:, 1:] * ones], axis=-1),
        ]
    )
    P = np.linalg.eigh(rows.T @ rows)[1][:, 0].reshape(3, 4)
    size = np.cbrt(np.linalg.det(P[:, :3]))  # the sign turns the solution behind the camera round
    if not abs(size) > 1e-9:
        raise ValueError("the points lie in a plane or on a line")
    U, _, V = np.linalg.svd(P[:, :3] / size)
    R = U @ V
    return R, P[:, 3] / size * scale - R @ centre


def _turned(R: np.ndarray, change: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(change[:3]).as_matrix() @ R
