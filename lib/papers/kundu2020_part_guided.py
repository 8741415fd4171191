r"""Kundu et al., "Self-Supervised 3D Human Pose Estimation via Part Guided Novel Image Synthesis". CVPR 2020.

An encoder reads local 3D vectors, a camera and an appearance off a picture; a puppet is hung on the pose and
guides a decoder that draws the person and their parts. Two recipes: Algorithm 1 as far as it can be
reconstructed, and a staged one, named ours.
"""

from dataclasses import dataclass, replace

from lib.papers import baselines
from lib.papers.kundu2020_part_algorithm import AlgorithmTrainer
from lib.papers.kundu2020_part_batches import Variant
from lib.papers.kundu2020_part_trainer import Trainer

__all__ = ["MARKS", "PROFILES", "Profile", "ROLES", "VARIANTS", "Variant", "build", "supervision"]

ROLES = ("studio", "outdoor", "wild", "sport", "motion")
# The columns of the paper's Table 1.
MARKS = ("multi_view", "camera_extrinsics", "paired_2d", "unpaired", "latent_to_pose")


@dataclass(frozen=True)
class Profile:
    """Sizes and lengths of a run."""

    image: int  # px of a picture; part maps have half
    paint_steps: int  # on painted puppets alone
    base_steps: int
    fine_steps: int
    last_steps: int
    only_steps: int  # of painted puppets alone, for as many minutes as the first three
    algorithm_steps: int  # of Algorithm 1, for as many minutes
    label_steps: int  # of the encoder with labels alone
    batch: int
    puppets: int  # posed once
    encoder: str = "small"  # or "resnet18", "resnet50"
    encoder_widths: tuple[int, ...] = (24, 48, 96, 160)
    narrow: int = 64
    hidden: int = 512
    appearance_widths: tuple[int, int, int] = (16, 32, 32)
    appearance: int = 64
    decoder_widths: tuple[int, int, int] = (16, 32, 16)
    rate: float = 1e-3
    scenes: int = 256  # random backgrounds
    train_frames: int | None = None  # frames of each training part, thinned evenly
    test_frames: int | None = None
    frames: int | None = None


PROFILES = {
    "smoke": Profile(
        image=32, paint_steps=4, base_steps=4, fine_steps=4, last_steps=4, only_steps=12, algorithm_steps=12,
        label_steps=12, batch=8, puppets=64, encoder_widths=(8, 16, 16), narrow=8, hidden=32,
        appearance_widths=(8, 8, 8), appearance=8, decoder_widths=(8, 8, 8), scenes=8, train_frames=120,
        test_frames=40,
    ),
    "cpu": Profile(
        image=64, paint_steps=600, base_steps=150, fine_steps=130, last_steps=80, only_steps=2000,
        algorithm_steps=280, label_steps=1200, batch=16, puppets=4096, encoder_widths=(16, 32, 64, 128),
        train_frames=2000, test_frames=400,
    ),
    "gpu": Profile(
        image=128, paint_steps=4000, base_steps=4000, fine_steps=1500, last_steps=1000, only_steps=12000,
        algorithm_steps=9000, label_steps=6000, batch=32, puppets=30000, encoder="resnet18", hidden=1024,
        appearance_widths=(32, 64, 128), appearance=128, decoder_widths=(64, 128, 64), scenes=1024,
        train_frames=30000, test_frames=5000,
    ),
    # the paper gives neither schedule nor batch size
    "paper": Profile(
        image=224, paint_steps=20000, base_steps=150000, fine_steps=50000, last_steps=30000,
        only_steps=300000, algorithm_steps=300000, label_steps=200000, batch=32, puppets=100000,
        encoder="resnet50", hidden=1024, appearance_widths=(64, 128, 256), appearance=512,
        decoder_widths=(128, 256, 128), rate=3e-4, scenes=4096,
    ),
}  # fmt: skip

OURS = Variant()
WEAK = replace(OURS, labels="2d")
SEMI = replace(OURS, labels="3d")
ENCODER = replace(OURS, encoder_only=True, painted=False)
RECONSTRUCTED = Variant(
    recipe="algorithm",
    frames="gram-schmidt",
    camera="bounded",
    shape="plain",
    thick=False,
    depths="predicted",
    residual=False,
    appearance="map",
    image="plain",
    masked=False,
    painted=False,
    silhouette=0.0,
    exchange=False,
    mixed=0.0,
    shaken=0.0,
)

VARIANTS: dict[str, object] = {
    # Tables 2 to 5
    "unsup": OURS,
    "weak": WEAK,
    "mv": replace(OURS, labels="views"),
    "semi": replace(SEMI, share=0.1),
    "no-fk": replace(OURS, pose="free"),
    "no-qz": replace(OURS, prior="none"),
    "no-sal": replace(OURS, saliency=False),
    "weak-out": replace(WEAK, last="2d"),
    "weak-out-u": replace(WEAK, last="none"),
    "semi-out": replace(WEAK, last="3d", last_share=0.1),
    # Figure 4
    "semi-1": replace(SEMI, share=0.01),
    "semi-3": replace(SEMI, share=0.03),
    "semi-30": replace(SEMI, share=0.3),
    "semi-100": SEMI,
    "enc-1": replace(ENCODER, share=0.01),
    "enc-3": replace(ENCODER, share=0.03),
    "enc-10": replace(ENCODER, share=0.1),
    "enc-30": replace(ENCODER, share=0.3),
    "enc-100": ENCODER,
    # claims
    "no-depth": replace(OURS, order="none"),
    "no-unc": replace(OURS, uncertain=False),
    "no-energy": replace(OURS, energy="none"),
    "adv": replace(OURS, energy="adversary"),
    "studio": replace(OURS, wild=False),
    "studio-prior": replace(OURS, prior="studio"),
    # one step back from ours at a time
    "puppets": replace(OURS, pictures=False),
    "no-paint": replace(OURS, painted=False),
    "no-face": replace(OURS, shape="plain"),
    "similarity": replace(OURS, thick=False),
    "bounded-camera": replace(OURS, camera="bounded"),
    "background": replace(OURS, masked=False),
    # Algorithm 1 as reconstructed
    "as-printed": RECONSTRUCTED,
    "as-printed-no-fk": replace(RECONSTRUCTED, pose="free"),
    "as-printed-no-qz": replace(RECONSTRUCTED, prior="none"),
    "as-printed-no-sal": replace(RECONSTRUCTED, saliency=False),
    "as-printed-weak": replace(RECONSTRUCTED, labels="2d"),
    "printed-order": replace(RECONSTRUCTED, order="printed"),
    "mean-pose": baselines.Floor("mean-pose"),
    "mean-shape": baselines.Floor("mean-shape"),
    "flat-lift": baselines.Floor("flat-lift"),
}


def supervision(variant: Variant) -> dict[str, bool]:
    """The marks of the paper's Table 1 for a variant: which labels it is given, and whether poses are
    unpaired."""
    kinds = {variant.labels, variant.last} | ({"3d"} if variant.encoder_only else set())
    given = {
        "multi_view": "views" in kinds,
        "camera_extrinsics": "views" in kinds,
        "paired_2d": bool(kinds & {"2d", "3d"}),
        "unpaired": variant.prior != "none" and not variant.encoder_only,
    }
    return {mark: given.get(mark, False) for mark in MARKS}


def build(variant: object, profile: Profile, data: dict, seed: int):
    """The trainer of a variant."""
    if isinstance(variant, Variant):
        kind = Trainer if variant.recipe == "staged" else AlgorithmTrainer
        return kind(variant, profile, data, seed)
    return baselines.build(variant, profile, data, seed)
