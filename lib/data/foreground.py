"""The people before a known background: what of a picture differs from it."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

__all__ = ["foreground"]

FLOOR = 0.6  # of a crop's height, from which on shadows are looked for
PIECE = 0.1  # of the largest piece's area


def foreground(pictures: Tensor, backgrounds: Tensor, level: float = 0.06) -> Tensor:
    """Where pictures (N, 3, S, S) in [0, 1] differ from their backgrounds: (N, 1, S, S) in [0, 1].

    What differs by less than ``level`` is background, by twice that foreground. Lines a pixel wide, where
    edges of the background do not quite meet, are smoothed away; so are shadows on the floor, which darken
    the lower part of a picture without changing its hue; of what is left the largest piece is kept,
    and those of at least a tenth of it, such as a leg that a shadow's end cut off.
    Raises ValueError for shapes that differ.
    """
    if pictures.shape != backgrounds.shape or pictures.ndim != 4:
        raise ValueError(f"{tuple(pictures.shape)} pictures before {tuple(backgrounds.shape)} backgrounds")
    difference = (pictures - backgrounds).abs().amax(1, keepdim=True)
    ratio = (pictures + 0.02) / (backgrounds + 0.02)
    mean = ratio.mean(1, keepdim=True)
    shadow = (ratio.amax(1, keepdim=True) - ratio.amin(1, keepdim=True) < 0.12 * mean) & (mean < 1)
    shadow &= mean > 0.35
    shadow[:, :, : round(FLOOR * pictures.shape[-1])] = False
    soft = ((difference - level) / level).clamp(0, 1) * ~shadow
    soft = ((F.avg_pool2d(soft, 3, 1, 1, count_include_pad=False) - 0.35) / 0.2).clamp(0, 1)
    for mask in soft[:, 0]:
        pieces, count = ndimage.label((mask > 0.5).cpu().numpy())
        if count:
            area = np.bincount(pieces.ravel())
            area[0] = 0
            kept = ndimage.binary_dilation((area >= PIECE * area.max())[pieces])
            mask.mul_(torch.from_numpy(kept).to(mask.device))
    return soft
