r"""Sosa & Hogg, "Self-supervised 3D Human Pose Estimation from a Single Image", CVPRW 2023.

:math:`\Phi` draws a skeleton image from a picture, :math:`\Omega` reads 2D joints off it and
:math:`\Lambda` lifts them; D compares skeleton images with those of unpaired 2D poses, a frozen flow and a
loop of rotations teach :math:`\Lambda`. Two recipes: the paper's, everything jointly from scratch, and a
staged one, named ours.
"""

from dataclasses import dataclass, replace

from lib.papers import baselines
from lib.papers.elevation_lifting import LiftingLosses
from lib.papers.sosa2023_baselines import ElePose, ElePoseTrainer, Supervised, SupervisedTrainer
from lib.papers.sosa2023_trainer import Trainer, Variant

__all__ = ["ROLES", "VARIANTS", "PROFILES", "Profile", "Variant", "build", "roles"]

ROLES = ("studio", "outdoor", "motion", "hands")


@dataclass(frozen=True)
class Profile:
    """Sizes and lengths of a run."""

    image: int  # px of a picture
    skeleton: int  # px of a skeleton image
    flow_steps: int
    lifter_steps: int
    picture_steps: int
    label_steps: int
    joint_steps: int  # of the paper's own recipe, as long as the three above
    supervised_steps: int
    elepose_steps: int
    batch: int  # pictures
    prior_batch: int  # unpaired poses that Omega sees in a step
    lift_batch: int
    phi: tuple[int, ...]
    omega: tuple[int, ...]
    omega_hidden: int
    discriminator: tuple[int, ...]
    scales: int
    width: int  # of the lifter
    flow_width: int
    rate: float
    lifter_rate: float
    pool: int  # skeleton images that the discriminator remembers
    supervised_width: int = 256  # of the lifters among the baselines
    pictures: int | None = None  # pictures kept
    train_frames: int | None = None  # frames of each training part, thinned evenly
    test_frames: int | None = None
    frames: int | None = None


PROFILES = {
    "smoke": Profile(
        image=32, skeleton=16,
        flow_steps=12, lifter_steps=12, picture_steps=10, label_steps=8, joint_steps=10,
        supervised_steps=10, elepose_steps=12,
        batch=4, prior_batch=8, lift_batch=16,
        phi=(8, 8), omega=(8, 8), omega_hidden=32, discriminator=(8, 16), scales=1, width=32, flow_width=16,
        rate=1e-3, lifter_rate=1e-3, pool=16, supervised_width=32,
        pictures=64, train_frames=400, test_frames=60,
    ),
    "cpu": Profile(
        image=64, skeleton=32,
        flow_steps=1000, lifter_steps=1500, picture_steps=700, label_steps=300, joint_steps=800,
        supervised_steps=800, elepose_steps=3000,
        batch=16, prior_batch=48, lift_batch=64,
        phi=(16, 32, 64, 128), omega=(32, 64, 128), omega_hidden=512, discriminator=(32, 64, 128), scales=2,
        width=256, flow_width=256, rate=1e-3, lifter_rate=1e-3, pool=256,
        pictures=12000, train_frames=30000, test_frames=1200,
    ),
    "gpu": Profile(
        image=128, skeleton=64,
        flow_steps=4000, lifter_steps=6000, picture_steps=8000, label_steps=600, joint_steps=8000,
        supervised_steps=6000, elepose_steps=10000,
        batch=64, prior_batch=128, lift_batch=256,
        phi=(32, 64, 128, 256), omega=(32, 64, 128, 256), omega_hidden=1024, discriminator=(64, 128, 256),
        scales=3, width=1024, flow_width=1024, rate=5e-4, lifter_rate=2e-4, pool=1024,
        supervised_width=1024, pictures=24000, train_frames=60000, test_frames=6000,
    ),
    # lengths of ElePose and of the code of [14]: the paper gives none
    "paper": Profile(
        image=128, skeleton=128,
        flow_steps=110000, lifter_steps=100000, picture_steps=580000, label_steps=2000, joint_steps=580000,
        supervised_steps=100000, elepose_steps=100000,
        batch=16, prior_batch=16, lift_batch=256,
        phi=(32, 64, 128, 256), omega=(32, 64, 128, 256), omega_hidden=1024,
        discriminator=(64, 128, 256, 512), scales=3, width=1024, flow_width=1024, rate=2e-4,
        lifter_rate=2e-4, pool=50, supervised_width=1024,
    ),
}  # fmt: skip

FULL = Variant()
NONE = LiftingLosses(w_2d=0.0, w_3d=0.0, w_def=0.0, w_nf=0.0, w_bl=0.0)
PRINTED = LiftingLosses(norm_2d="squared", norm_3d="squared", nf_limit=None)
AS_PRINTED = Variant(
    staged=False, tolerant=False, hold=0.0, lift_from="predicted", gradient=1.0, gan="log",
    lifting=PRINTED, w_adversarial=1.0, squared=True, gamma=200.0, omega="soft-argmax", average=0.0,
)  # fmt: skip

VARIANTS: dict[str, object] = {
    "full": FULL,
    "full-long": replace(FULL, longer=2.0),
    # Table 3
    "gan": replace(FULL, lifting=NONE),
    "base": replace(FULL, lifting=LiftingLosses(w_nf=0.0, w_bl=0.0)),
    "nf": replace(FULL, lifting=LiftingLosses(w_bl=0.0)),
    # Table 2
    "out": replace(FULL, role="outdoor"),
    "both": replace(FULL, role="outdoor", more_pictures="studio"),
    "out-flow": replace(FULL, role="outdoor", flow_role="studio"),
    # the paper's recipe, and one step back from ours at a time
    "as-printed": AS_PRINTED,
    "plain-omega": replace(FULL, tolerant=False),
    "lift-predicted": replace(FULL, lift_from="predicted"),
    "through": replace(FULL, gradient=1.0),
    "labels": replace(FULL, labels=True),
    "not-held": replace(FULL, hold=0.0),
    # claims
    "elevation-uniform": replace(FULL, lifting=LiftingLosses(elevation="uniform")),
    "omega-pretrained": replace(FULL, omega_first=1.0),
    "images-10": replace(FULL, share=0.1),
    "images-30": replace(FULL, share=0.3),
    "hands": replace(FULL, role="hands"),
    "elepose": ElePose(),
    "elepose-detected": ElePose(inputs="detected_2d"),
    "supervised": Supervised(),
    "mean-pose": baselines.Floor("mean-pose"),
    "mean-shape": baselines.Floor("mean-shape"),
    "flat-lift": baselines.Floor("flat-lift"),
}


def roles(variant: object) -> tuple[str, ...]:
    """The roles that a variant needs, of `ROLES`."""
    if getattr(variant, "role", "studio") == "hands":
        return ("hands",)
    return ("studio", "outdoor", "motion")


def build(variant: object, profile: Profile, data: dict, seed: int):
    """The trainer of a variant."""
    if isinstance(variant, Variant):
        return Trainer(variant, profile, data, seed)
    if isinstance(variant, Supervised):
        return SupervisedTrainer(variant, profile, data, seed)
    if isinstance(variant, ElePose):
        return ElePoseTrainer(variant, profile, data, seed)
    return baselines.build(variant, profile, data, seed)
