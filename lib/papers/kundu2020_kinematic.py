r"""Kundu et al., "Kinematic-Structure-Preserved Representation for Unsupervised 3D Human Pose Estimation".

AAAI 2020.

:math:`E_P` reads 40 local kinematic parameters and a camera off a picture, three fixed transformations
:math:`T_{fk}, T_c, T_m` turn them into maps, and :math:`D_I` draws the person from the maps, an
appearance and a background. Two recipes: the paper's, and a staged one, named ours.
"""

from dataclasses import dataclass, replace

from lib.papers import baselines
from lib.papers.kundu2020_batches import Variant
from lib.papers.kundu2020_printed import PrintedTrainer
from lib.papers.kundu2020_trainer import Trainer

__all__ = ["MARKS", "PROFILES", "Profile", "ROLES", "VARIANTS", "Variant", "build", "supervision"]

ROLES = ("studio", "outdoor", "wild", "sport", "bodies", "motion")
# The columns of the paper's Table 1.
MARKS = (
    "paired_2d", "paired_multi_view", "camera_extrinsics", "unpaired_2d", "unpaired_3d", "latent_to_pose",
)  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """Sizes and lengths of a run."""

    image: int  # px of a picture; maps have half
    prior_steps: int  # on the labelled renders alone
    base_steps: int
    fine_steps: int
    only_steps: int  # of L_prior alone, for as many minutes as the three above
    printed_steps: int  # of the paper's recipe, each with one loss, for as many minutes
    label_steps: int  # of the supervised encoder
    batch: int
    encoder: str = "small"  # or "resnet18", "resnet50"
    encoder_widths: tuple[int, ...] = (24, 48, 96, 160)
    narrow: int = 64
    hidden: int = 512
    appearance_widths: tuple[int, int, int] = (24, 48, 64)
    appearance: int = 64
    decoder_widths: tuple[int, int, int] = (24, 48, 24)
    rate: float = 1e-3
    scenes: int = 256  # random backgrounds
    supervised_width: int = 256  # unused by this paper's own rows
    train_frames: int | None = None  # frames of each training part, thinned evenly
    test_frames: int | None = None
    frames: int | None = None


PROFILES = {
    "smoke": Profile(
        image=32, prior_steps=4, base_steps=4, fine_steps=4, only_steps=12, printed_steps=14, label_steps=12,
        batch=8, encoder_widths=(8, 16, 16), narrow=8, hidden=32, appearance_widths=(8, 8, 8), appearance=8,
        decoder_widths=(8, 8, 8), scenes=8, train_frames=120, test_frames=40,
    ),
    "cpu": Profile(
        image=64, prior_steps=150, base_steps=120, fine_steps=200, only_steps=1700, printed_steps=500,
        label_steps=1200, batch=16, train_frames=3600, test_frames=800,
    ),
    "gpu": Profile(
        image=128, prior_steps=1500, base_steps=3000, fine_steps=1500, only_steps=9000, printed_steps=30000,
        label_steps=6000, batch=32, encoder="resnet18", hidden=1024, appearance_widths=(32, 64, 128),
        appearance=128, decoder_widths=(64, 128, 96), scenes=1024, train_frames=30000, test_frames=5000,
    ),
    # the paper gives neither schedule nor batch size
    "paper": Profile(
        image=224, prior_steps=5000, base_steps=100000, fine_steps=50000, only_steps=300000,
        printed_steps=1000000, label_steps=200000, batch=32, encoder="resnet50", hidden=1024,
        appearance_widths=(64, 128, 256), appearance=512, decoder_widths=(128, 256, 128), rate=3e-4,
        scenes=4096,
    ),
}  # fmt: skip

OURS = Variant()
DP = replace(OURS, unpaired=False)
PRINTED = Variant(
    recipe="alternating",
    frames="gram-schmidt",
    camera="constant",
    fusion="late",
    appearance="map",
    backdrops=False,
    redraw=False,
    silhouette=0.0,
    weight=1.0,
)
PRIOR = replace(
    OURS, pictures="none", wild=False, unpaired=False, backdrops=False, redraw=False, silhouette=0.0
)

VARIANTS: dict[str, object] = {
    # Tables 2 to 4
    "unsup": OURS,
    "weak": replace(OURS, labels_2d=True),
    "semi": replace(OURS, labels_3d=0.05),
    "unsup-out": replace(OURS, role="outdoor"),
    "weak-out": replace(OURS, role="outdoor", labels_2d=True),
    "semi-out": replace(OURS, role="outdoor", labels_3d=0.05),
    "dp": DP,
    "no-fk": replace(DP, pose="free"),
    "no-tm": replace(DP, maps="network"),
    # controls
    "prior-only": PRIOR,
    "prior-early": replace(PRIOR, pictures="none-early"),
    "bn-control": replace(PRIOR, pictures="statistics"),
    "prior-backdrops": replace(PRIOR, pictures="statistics", backdrops=True),
    # the recipe as printed
    "as-printed": PRINTED,
    "as-printed-weak": replace(PRINTED, labels_2d=True),
    "as-printed-semi": replace(PRINTED, labels_3d=0.05),
    "as-printed-dp": replace(PRINTED, unpaired=False),
    "as-printed-no-fk": replace(PRINTED, unpaired=False, pose="free"),
    "as-printed-no-tm": replace(PRINTED, unpaired=False, maps="network"),
    # claims
    "hm": replace(DP, maps="heat"),
    "studio": replace(OURS, wild=False, unpaired=False),
    "unfrozen": replace(OURS, frozen=False),
    "adv": replace(OURS, critic="adversary"),
    "sup": replace(OURS, supervised=True, wild=False, unpaired=False),
    "prior-0": replace(OURS, renders=0, redraw=False),
    "prior-5": replace(OURS, renders=5),
    "prior-100": replace(OURS, renders=100),
    "bodies": replace(OURS, chosen="bodies"),
    "farthest": replace(OURS, chosen="farthest"),
    "jakab": replace(DP, renders=0, pose="landmarks", maps="heat", redraw=False, silhouette=0.0),
    "printed-sum": replace(PRINTED, recipe="sum"),
    "printed-sum-3": replace(PRINTED, recipe="sum", weight=3.0),
    "printed-sum-03": replace(PRINTED, recipe="sum", weight=0.3),
    # one step back from ours at a time
    "constant-camera": replace(OURS, camera="constant"),
    "novel": replace(OURS, novel=True),
    "no-silhouette": replace(OURS, silhouette=0.0),
    "gram-schmidt": replace(OURS, frames="gram-schmidt"),
    "mean-pose": baselines.Floor("mean-pose"),
    "mean-shape": baselines.Floor("mean-shape"),
    "flat-lift": baselines.Floor("flat-lift"),
}


def supervision(variant: Variant) -> dict[str, bool]:
    """The marks of the paper's Table 1 for a variant: which labels of videos it is given.

    The labelled renders are no labels of videos; the paper does not count them either.
    """
    given = {
        "paired_2d": variant.labels_2d or variant.supervised or variant.labels_3d > 0,
    }
    return {mark: given.get(mark, False) for mark in MARKS}


def build(variant: object, profile: Profile, data: dict, seed: int):
    """The trainer of a variant."""
    if isinstance(variant, Variant):
        kind = Trainer if variant.recipe == "staged" else PrintedTrainer
        return kind(variant, profile, data, seed)
    return baselines.build(variant, profile, data, seed)
