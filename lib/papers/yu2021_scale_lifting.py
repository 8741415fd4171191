"""Yu et al., "Towards Alleviating the Modeling Ambiguity of Unsupervised Monocular 3D Human Pose
Estimation", ICCV 2021: a scale estimation module, a lifting module, a discriminator of 2D poses.

The paper's symbols stand in the docstrings; lengths are in units, 1 = mean distance from root to head.
"""

import math
from dataclasses import dataclass, replace

import roma
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lib.data.batches import Poses
from lib.geometry import rotation_x, rotation_z
from lib.losses import l_2d, l_3d, l_adv_discriminator, l_adv_generator, l_bone, l_kl, l_tmc
from lib.networks import DepthLifter, PoseDiscriminator, ScaleEstimator, count_parameters
from lib.papers import baselines, yu2021_diagnostics
from lib.papers.normalise import DEPTH, Normaliser, bounding_extent, head_root, reference_scale
from lib.papers.yu2021_views import knee_bend, lift, project, turn, turn_back
from lib.skeleton import HUMAN36M_17

__all__ = [
    "ROLES", "VARIANTS", "PROFILES", "Variant", "Profile", "Method", "Trainer", "build",
    "lift", "turn", "turn_back", "project", "knee_bend", "draw_rotations",
]  # fmt: skip

ROLES = ("studio", "outdoor", "motion")
PARENTS = HUMAN36M_17.parents


@dataclass(frozen=True)
class Variant:
    """One row of the paper's tables. Ablations are made from `FULL` by `dataclasses.replace`."""

    role: str = "studio"  # where it is trained
    inputs: str = "joints_2d"  # or "detected_2d"
    normalisation: str = "universal"  # "universal", "step" or "none" (Table 4)
    scale: str = "2d"  # the module acts on "2d", on "3d", is "none", or the "reference" is given
    scale_form: str = "midpoint"  # S = 2 m - e as in their code, or "direct": S = softplus(output)
    w_2d: float = 5.0
    w_3d: float = 0.5
    w_adv: float = 1.0
    w_tmc: float = 1.0
    w_bone: float = 1.0
    w_kl: float = 0.05
    norm: str = "euclidean"  # of L_2D and L_3D
    bone_form: str = "relative"
    iterative: bool = True
    ratio: int = 4  # lifter updates for each update of the scale module
    scaler_sees_adversary: bool = False  # Eq. 13 minimises over theta_S as well
    temporal_discriminator: bool = False  # Chen et al. 2019
    axis: str = "camera"  # of the azimuth: the camera's y, or "gravity": what its tilt says is up
    azimuth: float = 2.44346  # half range of the first rotation; half of the draws turn by pi more
    elevation: float = math.pi / 9
    roll: float = math.pi / 18
    real_is_scaled: bool = True  # the discriminator's real poses are S x, else x
    discriminator_every: int = 1  # lifter updates for each update of the discriminator
    unflip: bool = True  # undo a mirrored depth early in training, see `knee_bend`
    gap: int = 5  # k of Eq. 9 and the least l of Eq. 5, in frames
    prior_mean_shift: float = 0.0  # added to the estimated prior (the paper tried a grid)
    prior_deviation_factor: float = 1.0


FULL = Variant()
NO_MODULE = replace(FULL, scale="none", w_bone=0.0, w_kl=0.0)
BASE = replace(NO_MODULE, w_tmc=0.0)
CHEN = replace(
    BASE, temporal_discriminator=True, w_2d=10.0, w_3d=0.001, azimuth=math.pi, roll=0.0
)

VARIANTS: dict[str, object] = {
    # Table 3
    "base": BASE,
    "tmc": NO_MODULE,
    "kl": replace(FULL, w_bone=0.0),
    "full": FULL,
    # Table 1
    "full-detected": replace(FULL, inputs="detected_2d"),
    "base-detected": replace(BASE, inputs="detected_2d"),
    "chen": CHEN,
    "chen-detected": replace(CHEN, inputs="detected_2d"),
    # Table 4
    "reference-scale": replace(NO_MODULE, scale="reference"),
    "none": replace(NO_MODULE, normalisation="none"),
    "none-2d": replace(FULL, normalisation="none"),
    "step": replace(NO_MODULE, normalisation="step"),
    "scale-3d": replace(FULL, scale="3d"),
    # Table 2
    "out": replace(FULL, role="outdoor"),
    "out-noscale": replace(NO_MODULE, role="outdoor"),
    "out-gravity": replace(FULL, role="outdoor", axis="gravity"),
    # Figures 5 and 6
    "bone-joint": replace(FULL, w_kl=0.0, iterative=False),
    "bone-iterative": replace(FULL, w_kl=0.0),
    "joint": replace(FULL, iterative=False),
    "ratio-1": replace(FULL, ratio=1),
    "ratio-2": replace(FULL, ratio=2),
    "ratio-8": replace(FULL, ratio=8),
    # claims without a table
    "bone-3d": replace(BASE, w_bone=1.0),
    "prior-low": replace(FULL, prior_mean_shift=-0.08),
    "prior-high": replace(FULL, prior_mean_shift=0.08),
    "prior-narrow": replace(FULL, prior_deviation_factor=0.5),
    "prior-wide": replace(FULL, prior_deviation_factor=2.5),
    "as-printed": replace(
        FULL, w_2d=0.5, w_3d=5.0, w_kl=0.001, norm="squared", bone_form="absolute",
        scaler_sees_adversary=True, discriminator_every=3, real_is_scaled=False,
    ),
    **baselines.VARIANTS,
}


@dataclass(frozen=True)
class Profile:
    """Sizes and lengths of a run; `steps` counts updates of the lifter."""

    steps: int
    batch: int  # pairs of frames
    width: int
    blocks: int  # of the lifter
    discriminator_width: int
    learning_rate: float
    final_rate: float  # share of the learning rate left at the end
    supervised_steps: int
    supervised_width: int
    frames: int | None = None  # frames kept of each part, None = all


PROFILES = {
    "smoke": Profile(24, 32, 32, 2, 32, 1e-3, 0.1, 24, 32, frames=600),
    "cpu": Profile(1600, 128, 128, 2, 128, 1e-3, 0.05, 1600, 256),
    "gpu": Profile(12000, 1024, 512, 5, 512, 5e-4, 0.05, 12000, 1024),
    "paper": Profile(117000, 1024, 1024, 5, 1024, 2e-4, 3.5e-5, 117000, 1024),
}


def draw_rotations(up: Tensor, variant: Variant, generator: torch.Generator) -> Tensor:
    """Random views R (N, 3, 3): azimuth about an upright axis, then elevation, then roll.

    Arguments:
        up: the axis of the azimuth in camera coordinates, unit vectors (N, 3); (0, -1, 0) is the
            camera's own. Half of the azimuths are turned by pi, as in the paper's code.
    """
    count, like = len(up), {"device": up.device, "dtype": up.dtype}
    uniform = torch.rand(3, count, generator=generator, **like) * 2 - 1
    half_turn = torch.rand(count, generator=generator, device=up.device) < 0.5
    azimuth = uniform[0] * variant.azimuth + half_turn * math.pi
    return (
        rotation_z(uniform[2] * variant.roll)
        @ rotation_x(uniform[1] * variant.elevation)
        @ roma.rotvec_to_rotmat(-up * azimuth[:, None])
    )


class Method(nn.Module):
    """The three networks of one variant and the scale that is applied to its inputs."""

    def __init__(self, variant: Variant, profile: Profile):
        super().__init__()
        self.variant = variant
        self.lifter = DepthLifter(width=profile.width, blocks=profile.blocks)
        frames = 4 if variant.temporal_discriminator else 2
        joints = len(HUMAN36M_17.joints)
        self.discriminator = PoseDiscriminator(frames * joints, profile.discriminator_width)
        has_module = variant.scale in ("2d", "3d")
        self.scaler = ScaleEstimator(width=profile.width) if has_module else None
        self.register_buffer("scale_start", torch.tensor(1.0))
        self.register_buffer("flips", torch.tensor(0))

    def scale(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Scale S and the number m on which the prior acts, both (N,), of poses (N, J, 2)."""
        if self.scaler is None:
            one = pose.new_ones(len(pose))
            return one, one
        raw = self.scaler(pose)
        if self.variant.scale_form == "direct":  # softplus keeps S above zero; S = start at raw = 0
            scale = self.scale_start * softplus(raw + math.log(math.e - 1))
            return scale, scale
        middle = self.scale_start + raw
        return 2 * middle - bounding_extent(pose), middle

    def forward(self, pose: Tensor, given_scale: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """2D poses (N, J, 2) -> 3D poses (N, J, 3), scales S (N,), scale outputs m (N,)."""
        scale, middle = self.scale(pose) if given_scale is None else (given_scale, given_scale)
        return self.lift_scaled(pose, scale), scale, middle

    def lift_scaled(self, pose: Tensor, scale: Tensor) -> Tensor:
        """Lift 2D poses whose scale is known."""
        if self.variant.scale == "3d":  # the module multiplies the 3D pose about its root
            lifted = lift(pose, self.lifter(pose))
            root = lifted[..., :1, :]
            return (lifted - root) * scale[:, None, None] + root
        scaled = pose * scale[:, None, None]
        return lift(scaled, self.lifter(scaled))


class Trainer:
    """Trains one variant. `step(i)` makes the i-th update and returns its losses, on the device.

    Arguments:
        variant, profile: what and how long.
        data: role -> {"train": Poses, "test": Poses}; role "motion" gives the prior of the scale.
        seed: of the weights, the batches and the rotations.
    """

    def __init__(self, variant: Variant, profile: Profile, data: dict, seed: int):
        torch.manual_seed(seed)
        self.variant, self.profile, self.data = variant, profile, data
        train: Poses = data[variant.role]["train"]
        self.test_roles = ("studio", "outdoor") if variant.role == "studio" else (variant.role,)
        device = train.joints_2d.device
        self.generator = torch.Generator(device).manual_seed(seed)
        self.normaliser = Normaliser.fit(train, variant.inputs, variant.normalisation)
        self.train = train
        self.poses = self.normaliser(train)
        self.up = train.R[:, :, 2]  # the world's z axis, seen by the camera
        if variant.axis == "camera":
            self.up = self.up.new_tensor([0.0, -1.0, 0.0]).expand_as(self.up)
        self.unit_mm = head_root(train.joints_3d).mean()
        self.reference = reference_scale(train.joints_3d, self.poses, self.unit_mm)
        self.prior = self._estimate_prior()
        self.limit = 0.2 * float(head_root(self.poses).mean()) * DEPTH
        self.model = Method(variant, profile).to(device)
        if variant.scale in ("2d", "3d"):
            self.model.scale_start.fill_(self.prior[0])
        rate, betas = profile.learning_rate, (0.5, 0.9)
        fused = {"fused": True}
        self.optimisers = {
            "lifter": torch.optim.Adam(self.model.lifter.parameters(), rate, betas, **fused),
            "discriminator": torch.optim.Adam(
                self.model.discriminator.parameters(), rate, betas, **fused
            ),
        }
        if self.model.scaler is not None:
            self.optimisers["scaler"] = torch.optim.Adam(
                self.model.scaler.parameters(), rate, betas, **fused
            )
        alternates = self.model.scaler is not None and variant.iterative
        self.cycle = variant.ratio + 1 if alternates else 0
        self.steps = profile.steps + (profile.steps // variant.ratio if alternates else 0)
        self.samples_per_step = 2 * profile.batch
        self.parameters = count_parameters(self.model)

    def _estimate_prior(self) -> tuple[float, float]:
        """Mean and deviation of S_ref (or of m) on the poses of role motion, seen by its cameras.

        Those subjects appear in no other role, so that nothing is learned from the 3D poses of the
        images; the paper chose its pair by a grid of ranges and does not say on what.
        """
        motion: Poses = self.data["motion"]["train"]
        poses = Normaliser.fit(motion, "joints_2d", self.variant.normalisation)(motion)
        scale = reference_scale(motion.joints_3d, poses, head_root(motion.joints_3d).mean())
        if self.variant.scale_form == "midpoint":
            scale = (scale + bounding_extent(poses)) / 2
        mean = float(scale.mean()) + self.variant.prior_mean_shift
        return mean, float(scale.std()) * self.variant.prior_deviation_factor

    def step(self, index: int) -> dict[str, Tensor]:
        """One update: of the scale module at the start of each cycle, else of the lifter."""
        progress = index / max(1, self.steps)
        rate = self.profile.learning_rate * self.profile.final_rate**progress
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate
        if self.variant.unflip and index % max(1, self.steps // 100) == 0 and 5 * index < self.steps:
            self._unflip()
        if self.cycle and index % self.cycle == 0:
            return self._scale_step()
        # counted without the updates of the scale module: every third index may always be one of those
        return self._lifter_step(index - index // self.cycle - 1 if self.cycle else index)

    @torch.no_grad()
    def _unflip(self) -> None:
        """Negates the depths if the knees bend backwards: the two solutions look alike to the losses.

        A pose and its mirror image in depth differ only by perspective, a few percent at D = 10; which
        of them training finds is a matter of the seed.
        """
        model, index = self.model.eval(), self._draw()
        lifted, _, _ = model(self.poses[index], self._given_scale(index))
        if knee_bend(lifted).mean() < 0:
            model.lifter.head.weight.neg_()
            model.lifter.head.bias.neg_()
            model.flips += 1

    def _draw(self) -> Tensor:
        count = self.profile.batch
        device = self.poses.device
        return torch.randint(len(self.poses), (count,), generator=self.generator, device=device)

    def _given_scale(self, index: Tensor) -> Tensor | None:
        return self.reference[index] if self.variant.scale == "reference" else None

    def _temporal_scale_losses(self) -> dict[str, Tensor]:
        """L_bone and L_kl of Eq. 6 on frames t and t + l of one sequence."""
        index = self._draw()
        other = self.train.other(index, self.variant.gap, self.generator)
        both = torch.cat([index, other])
        lifted, scale, middle = self.model(self.poses[both], self._given_scale(both))
        losses = {}
        if self.variant.w_bone:
            losses["bone"] = l_bone(*lifted.chunk(2), PARENTS, self.variant.bone_form)
        if self.model.scaler is not None and self.variant.w_kl:
            losses["kl"] = l_kl(middle, *self.prior)
        if self.model.scaler is not None and self.variant.scaler_sees_adversary:
            rotation = draw_rotations(self.up[both], self.variant, self.generator)
            fake = project(turn(lifted, rotation)).clamp(-self.limit, self.limit)
            losses["adv"] = l_adv_generator(self.model.discriminator(fake))
        return losses

    def _weigh(self, losses: dict[str, Tensor]) -> Tensor:
        return sum(getattr(self.variant, f"w_{name}") * loss for name, loss in losses.items())

    def _scale_step(self) -> dict[str, Tensor]:
        self.model.lifter.eval().requires_grad_(False)  # gradients pass through it into S
        self.model.discriminator.train().requires_grad_(False)
        self.model.scaler.train().requires_grad_(True)
        losses = self._temporal_scale_losses()
        self._descend(self._weigh(losses), "scaler")
        return {name: loss.detach() for name, loss in losses.items()}

    def _lifter_step(self, update: int) -> dict[str, Tensor]:
        model, variant = self.model, self.variant
        joint = model.scaler is not None and not variant.iterative
        model.lifter.train().requires_grad_(True)
        model.discriminator.train().requires_grad_(False)
        if model.scaler is not None:
            model.scaler.train(joint).requires_grad_(joint)

        first = self._draw()
        both = torch.cat([first, self.train.neighbour(first, variant.gap)])
        pose = self.poses[both]
        lifted, scale, _ = model(pose, self._given_scale(both))
        rotation = draw_rotations(self.up[first], variant, self.generator).repeat(2, 1, 1)
        turned = turn(lifted, rotation)
        projected = project(turned)
        fake = projected.clamp(-self.limit, self.limit)
        # the second lift sees the projection; only its input carries a gradient to the first
        lifted_again = lift(fake.detach(), model.lifter(fake))
        back = turn_back(lifted_again, rotation, lifted[:, :1])
        target = pose * scale[:, None, None]  # what the first lift was made from
        losses = {
            "2d": l_2d(target, project(back), variant.norm),
            "3d": l_3d(turned, lifted_again, variant.norm),
            "adv": l_adv_generator(model.discriminator(self._evidence(fake))),
        }
        if variant.w_tmc:
            losses["tmc"] = l_tmc(*lifted.chunk(2), *back.chunk(2))
        if joint or (model.scaler is None and variant.w_bone):
            losses |= self._temporal_scale_losses()
        self._descend(self._weigh(losses), *(("lifter", "scaler") if joint else ("lifter",)))
        with torch.no_grad():
            losses["clamped"] = (projected.abs() > self.limit).float().mean()
            losses["depth"] = (lifted[..., 2] - lifted[:, :1, 2]).std()
            losses["scale"] = scale.mean()
        if update % variant.discriminator_every == 0:
            real = target.detach() if variant.real_is_scaled else pose
            losses["discriminator"] = self._discriminator_step(real, fake.detach())
        return {name: loss.detach() for name, loss in losses.items()}

    def _evidence(self, pose: Tensor) -> Tensor:
        """What the discriminator sees: a pose, or a later pose with its displacement (Chen)."""
        if not self.variant.temporal_discriminator:
            return pose
        now, later = pose.chunk(2)
        return torch.cat([later, (now - later)], dim=1)

    def _discriminator_step(self, real: Tensor, fake: Tensor) -> Tensor:
        self.model.discriminator.requires_grad_(True)
        real_score = self.model.discriminator(self._evidence(real))
        loss = l_adv_discriminator(real_score, self.model.discriminator(self._evidence(fake)))
        self._descend(loss, "discriminator")
        return loss

    def _descend(self, loss: Tensor, *names: str) -> None:
        for name in names:
            self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()
        for name in names:
            self.optimisers[name].step()

    @torch.no_grad()
    def lift_role(self, role: str) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised test poses (N, J, 2), lifted poses (N, J, 3) in units, scales (N,) of a role."""
        test: Poses = self.data[role]["test"]
        train: Poses = self.data[role]["train"]
        fitted = Normaliser.fit(train, self.variant.inputs, self.variant.normalisation)
        poses = fitted(test)
        self.model.eval()
        given = None
        if self.variant.scale == "reference":
            given = reference_scale(test.joints_3d, poses, self.unit_mm)
        parts = []
        for index in torch.arange(len(poses), device=poses.device).split(8192):
            parts.append(self.model(poses[index], None if given is None else given[index])[:2])
        lifted, scale = (torch.cat(part) for part in zip(*parts, strict=True))
        return poses, lifted, scale

    def predict(self, role: str) -> Tensor:
        """Root-centred test poses (N, J, 3) in mm: units times the train mean of head to root."""
        _, lifted, _ = self.lift_role(role)
        return (lifted - lifted[:, :1]) * self.unit_mm

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """What the figures and claims ask of this method; see `yu2021_diagnostics`."""
        poses, lifted, scale = self.lift_role(role)
        values, arrays = yu2021_diagnostics.diagnose(
            self.data[role]["test"], poses, lifted, scale, self.unit_mm
        )
        values |= {"prior_mu": self.prior[0], "prior_sigma": self.prior[1]}
        values |= {"flips": float(self.model.flips), "parameters": float(self.parameters)}
        return values, arrays

    def state_dict(self) -> dict:
        """All that a later call of `load_state_dict` needs to go on as if never stopped."""
        return {
            "model": self.model.state_dict(),
            "optimisers": {k: o.state_dict() for k, o in self.optimisers.items()},
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Restores what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.generator.set_state(state["generator"].cpu())


def build(variant: object, profile: Profile, data: dict, seed: int):
    """The trainer of a variant: `Trainer` for the paper's own rows, a baseline's for the others."""
    if isinstance(variant, Variant):
        return Trainer(variant, profile, data, seed)
    return baselines.build(variant, profile, data, seed)
