"""2D normalisation of lifting methods, and the reference scale that it leaves to be estimated.

After Chen et al. (CVPR 2019) the camera has unit focal length and stands D = 10 units away; 2D poses
are centred on the pelvis and sized so that head and root are 1/D apart on average.
"""

from dataclasses import dataclass

from torch import Tensor

from lib.data.batches import Poses
from lib.losses import safe_norm
from lib.skeleton import HUMAN36M_17

__all__ = ["DEPTH", "Normaliser", "head_root", "bounding_extent", "reference_scale"]

DEPTH = 10.0
ROOT, HEAD = HUMAN36M_17.index("pelvis"), HUMAN36M_17.index("head")


def head_root(pose: Tensor) -> Tensor:
    """Distance of head and root (...) of poses (..., J, D), in their own unit."""
    return safe_norm(pose[..., HEAD, :] - pose[..., ROOT, :])


def bounding_extent(pose: Tensor) -> Tensor:
    """Mean of width and height (...) of the bounding box of 2D poses (..., J, 2)."""
    return (pose.amax(-2) - pose.amin(-2)).mean(-1)


@dataclass(frozen=True)
class Normaliser:
    """Pixels to normalised 2D poses (N, J, 2).

    Pixels are centred on the principal point and divided by it (half the image), the pelvis is
    subtracted, and a factor is applied (Yu et al. 2021, Table 4):
    "universal": one factor for the whole role, from the 2D poses of its training part alone;
    "step": one a frame, so that every pose has head and root 1/D apart, held within 0.3 and 3 times
    the universal one because a foreshortened trunk would blow the pose up; "none": no factor.
    """

    inputs: str
    mode: str
    factor: float

    @classmethod
    def fit(cls, train: Poses, inputs: str, mode: str) -> "Normaliser":
        """Finds the universal factor on the training part of a role."""
        if mode not in ("universal", "step", "none"):
            raise ValueError(f"normalisation is 'universal', 'step' or 'none', not {mode!r}")
        mean = head_root(_centred(train, inputs)).mean()
        return cls(inputs, mode, 1.0 if mode == "none" else float(1 / (DEPTH * mean)))

    def __call__(self, poses: Poses) -> Tensor:
        """Normalised 2D poses (N, J, 2) of all frames."""
        centred = _centred(poses, self.inputs)
        if self.mode == "step":
            single = 1 / (DEPTH * head_root(centred))
            return centred * single.clamp(0.3 * self.factor, 3 * self.factor)[:, None, None]
        return centred * self.factor


def _centred(poses: Poses, inputs: str) -> Tensor:
    pixels = getattr(poses, inputs)
    if pixels is None:
        raise ValueError(f"the data have no {inputs}")
    principal = poses.K[:, None, :2, 2]
    points = (pixels - principal) / principal
    return points - points[:, ROOT : ROOT + 1]


def reference_scale(joints_3d: Tensor, poses: Tensor, unit_mm: Tensor | float) -> Tensor:
    r"""Reference scale :math:`S^{ref}_{2D}` (N,), Yu et al. 2021, Eq. 3.

    The 3D pose (N, J, 3) in mm is centred on its root, divided by the unit, put at D and projected; the
    scale is the ratio of its extent to that of the normalised 2D pose, mean of width and height.
    """
    unit = (joints_3d - joints_3d[:, ROOT : ROOT + 1]) / unit_mm
    projected = unit[..., :2] / (unit[..., 2:] + DEPTH)
    extent = poses.amax(-2) - poses.amin(-2)
    ratio = (projected.amax(-2) - projected.amin(-2)) / extent.clamp_min(1e-4)
    return ratio.mean(-1)
