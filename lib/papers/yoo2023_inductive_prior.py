r"""Yoo & Russakovsky, "Efficient, Self-Supervised Human Pose Estimation with Inductive Prior Tuning", 2023.

:math:`\Phi` reads matrices off a picture that pose a template of 18 Gaussian parts; :math:`\Psi` draws the
picture again from the posed template and another frame. The baseline is Schmidtke et al., CVPR 2021; its
changes are a second loss, another template, coarse-to-fine matrices, mirrored pairs, constrained matrices.
"""

from dataclasses import dataclass, replace

from lib.papers.yoo2023_floors import Floor, FloorTrainer
from lib.papers.yoo2023_supervised import SupervisedTrainer
from lib.papers.yoo2023_trainer import Trainer, Variant

__all__ = ["PROFILES", "Profile", "ROLES", "VARIANTS", "Variant", "build"]

ROLES = ("studio",)


@dataclass(frozen=True)
class Profile:
    """Sizes and lengths of a run."""

    image: int  # px of a picture
    steps: int
    supervised_steps: int
    batch: int
    phi: tuple[int, ...]
    hidden: tuple[int, int]
    psi: tuple[int, ...]
    perceptual: float  # width of the feature network where VGG's weights are not there
    rate: float = 1e-3
    pictures: int | None = None  # training frames kept
    test_pictures: int | None = None
    frames: int | None = None


PROFILES = {
    "smoke": Profile(
        image=32, steps=8, supervised_steps=8, batch=8, phi=(8, 8, 16, 16), hidden=(16, 32), psi=(8, 8, 16),
        perceptual=0.0625, pictures=240, test_pictures=80, frames=2000,
    ),
    "cpu": Profile(
        image=64, steps=600, supervised_steps=1200, batch=8, phi=(16, 32, 64, 128, 256), hidden=(128, 256),
        psi=(16, 32, 64, 128), perceptual=0.25, rate=2e-3, pictures=6000, test_pictures=1200,
    ),
    "gpu": Profile(
        image=128, steps=6000, supervised_steps=6000, batch=48, phi=(32, 64, 128, 256, 256, 256),
        hidden=(256, 512), psi=(32, 64, 128, 256), perceptual=1.0, pictures=30000, test_pictures=6000,
    ),
    # 50 epochs of 181,383 pairs in batches of 48
    "paper": Profile(
        image=256, steps=189300, supervised_steps=40000, batch=48, phi=(32, 64, 128, 256, 512, 512, 512),
        hidden=(256, 512), psi=(32, 64, 128, 256), perceptual=1.0,
    ),
}  # fmt: skip

BASE = Variant()
MSE = replace(BASE, mse=True)
MSE_NEW = replace(MSE, template="new")
COARSE = replace(MSE_NEW, coarse_to_fine=True)
FULL = replace(COARSE, flip="replace")
CONSTRAINED = replace(FULL, constrained=True)
# with the authors' pictures, networks and matrices
PRINTED = {
    "background": True,
    "skips": False,
    "output_scale": 1.0,
    "zero_start": False,
    "pivot": "corner",
    "schedule": "constant",
    "gradient": None,
}

VARIANTS: dict[str, object] = {
    "base": BASE,
    "mse": MSE,
    "new": replace(BASE, template="new"),
    "mse-new": MSE_NEW,
    "mse-new-c2f": COARSE,
    "mse-new-flip": replace(MSE_NEW, flip="replace"),
    "full": FULL,
    "orig-full": replace(FULL, template="orig"),
    "con-new": CONSTRAINED,
    "con-orig": replace(CONSTRAINED, template="orig"),
    "pub": replace(BASE, pairs=4.0),
    # key result 1: the number of pairs
    "base-third": replace(BASE, pairs=1 / 3),
    "base-ninth": replace(BASE, pairs=1 / 9),
    "full-third": replace(FULL, pairs=1 / 3),
    "full-ninth": replace(FULL, pairs=1 / 9),
    "full-all": replace(FULL, pairs=4.0),
    # the share of frames with arms out
    "mse-out-10": replace(MSE, arms_out=0.1),
    "mse-out-30": replace(MSE, arms_out=0.3),
    "mse-out-50": replace(MSE, arms_out=0.5),
    "mse-new-out-10": replace(MSE_NEW, arms_out=0.1),
    "mse-new-out-30": replace(MSE_NEW, arms_out=0.3),
    "mse-new-out-50": replace(MSE_NEW, arms_out=0.5),
    # other losses
    "loss-ssim": replace(FULL, mse=False, perceptual=False, ssim=True),
    "loss-ssim-dists": replace(FULL, mse=False, perceptual=False, ssim=True, dists=True),
    "loss-mse-dists": replace(FULL, perceptual=False, dists=True),
    # one step back from ours at a time, and all of them
    "full-add": replace(FULL, flip="add"),
    "no-skip": replace(FULL, skips=False),
    "scale-1": replace(FULL, output_scale=1.0),
    "corner": replace(FULL, pivot="corner"),
    "background": replace(FULL, background=True),
    "as-printed": replace(BASE, **PRINTED),
    "as-printed-full": replace(FULL, **PRINTED),
    "as-printed-con": replace(CONSTRAINED, **PRINTED),
    "sup": replace(BASE, supervised=True),
    "mean-pose": Floor("mean-pose"),
    "template-orig": Floor("template-orig"),
    "template-new": Floor("template-new"),
}


def build(variant: object, profile: Profile, data: dict, seed: int):
    """The trainer of a variant."""
    if isinstance(variant, Floor):
        return FloorTrainer(variant, profile, data, seed)
    kind = SupervisedTrainer if variant.supervised else Trainer
    return kind(variant, profile, data, seed)
