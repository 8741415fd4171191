r"""Training of Sosa & Hogg 2023, in the paper's way and in ours.

The paper trains :math:`\Phi, \Omega, D, \Lambda` jointly from scratch. The staged recipe (ours) trains the
lifter on the unpaired poses first and on; then pictures to skeleton images to points, which the lifter does
not disturb. What tells left from right can be learned at the end.
"""

import copy
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from lib.data.batches import Poses
from lib.flows import PoseFlow
from lib.image_networks import DenseReader, MapNetwork, PatchDiscriminator, PointNetwork
from lib.losses import l_d, l_d_generator, l_nf, l_omega
from lib.networks import ElevationLifter, count_parameters
from lib.papers import sosa2023_diagnostics
from lib.papers.elevation_lifting import LiftingLosses, lift, lifting_losses
from lib.papers.sosa2023_data import (
    HAND_TURNS,
    Material,
    Pictures,
    half_of_recordings,
    mirror,
    reference_length,
    rotated,
    take_pictures,
    take_prior,
)  # fmt: skip
from lib.papers.sosa2023_labels import SideReader
from lib.precision import autocast
from lib.precision import name as precision_name
from lib.rasterize import skeleton_image
from lib.skeleton import HAND_21

__all__ = ["Trainer", "Variant", "material"]

FLOW_NOISE = 0.0005  # deviation of noise on the flow's poses, in units of the lifter (head to root 0.1)
CHUNK = 256


@dataclass(frozen=True)
class Variant:
    """One row of the tables; the defaults are the staged recipe with all losses."""

    role: str = "studio"
    more_pictures: str | None = None  # a role whose training pictures are added
    flow_role: str | None = None  # where the flow's poses come from, if not from `role`
    share: float = 1.0  # of the training pictures
    longer: float = 1.0  # factor on the lengths of the stages
    staged: bool = True
    tolerant: bool = True  # L_Omega forgives a swap of left and right of the whole body
    lift_from: str = "prior"  # the lifter learns from unpaired poses, or from "predicted" ones
    hold: float = 0.8  # share of the lifter's own stage in which elevation is held, bones wait
    gradient: float = 0.0  # share of the lifting losses' gradient that reaches Phi and Omega
    labels: bool = False  # learn left and right afterwards
    omega_first: float = 0.0  # steps that Omega is trained alone beforehand, in those of the pictures
    lifting: LiftingLosses = LiftingLosses()
    gan: str = "squares"  # or "log", as printed
    w_adversarial: float = 1.0
    w_skeleton: float = 0.1  # lambda of Eq. 9
    squared: bool = False  # Eq. 2's squared distance, or the code's plain one
    gamma: float = 12.5
    omega: str = "dense"  # or "soft-argmax", as the code of [14]
    average: float = 0.995  # of the weights of Phi and Omega that are evaluated
    flips: bool = True


def material(variant: Variant, profile, data: dict) -> Material:
    """Pictures and unpaired poses of a variant; data: role -> {"train": Poses, "test": Poses}."""

    def train_of(role: str) -> list[Poses]:
        poses = data[role]["train"]
        turns = HAND_TURNS if role == "hands" else ()
        return [poses, *(rotated(poses, degrees) for degrees in turns)]

    def pictures_of(role: str) -> list[Pictures]:
        parts = train_of(role)
        limit = profile.pictures and max(1, round(profile.pictures * variant.share / len(parts)))
        found = []
        for poses in parts:
            index = half_of_recordings(poses, 0)
            if variant.share < 1:
                keep = max(2, round(len(index) * variant.share))
                index = index[torch.linspace(0, len(index) - 1, keep, device=index.device).long()]
            found.append(take_pictures(poses, role, profile.image, index, limit))
        return found

    def prior_of(role: str, factor: float | None = None):
        motion = data["hands" if role == "hands" else "motion"]["train"]
        found = [
            take_prior(poses, motion, half_of_recordings(poses, 1), factor)
            for poses in train_of(role)
        ]
        return replace(found[0], points=torch.cat([part.points for part in found]))

    kept = pictures_of(variant.role)
    if variant.more_pictures:
        kept += pictures_of(variant.more_pictures)
    pictures = Pictures(torch.cat([p.images for p in kept]), torch.cat([p.points for p in kept]))
    prior = prior_of(variant.role)
    flow_points = prior.points
    if variant.flow_role:
        flow_points = prior_of(variant.flow_role, prior.factor).points
    if variant.flips and prior.skeleton != HAND_21:
        prior = replace(prior, points=torch.cat([prior.points, mirror(prior.points, prior.skeleton)]))
        flow_points = torch.cat([flow_points, mirror(flow_points, prior.skeleton)])
    return Material(pictures, prior, flow_points)


class Method(nn.Module):
    """The networks of one variant; `average` holds the running averages of Phi and Omega."""

    def __init__(self, variant: Variant, profile, joints: int):
        super().__init__()
        reduce = profile.image // profile.skeleton
        self.phi = MapNetwork(3, 1, profile.phi, reduce)
        if variant.omega == "dense":
            self.omega = DenseReader(profile.skeleton, 1, joints, profile.omega, profile.omega_hidden)
        elif variant.omega == "soft-argmax":
            self.omega = PointNetwork(1, joints, profile.omega, 0, 2)
        else:
            raise ValueError(f"omega is 'dense' or 'soft-argmax', not {variant.omega!r}")
        self.discriminator = PatchDiscriminator(1, profile.discriminator, profile.scales)
        self.lifter = ElevationLifter(joints, profile.width)
        self.flow = PoseFlow(joints, min(26, 2 * joints - 2), 8, profile.flow_width)
        self.average = copy.deepcopy(nn.ModuleList([self.phi, self.omega])).requires_grad_(False)
        self.sides = SideReader(joints)

    def see(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, S, S) -> skeleton images (N, 1, s, s) in about [-1, 1], points (N, J, 2)."""
        phi, omega = self.average
        with autocast(pictures.device):
            drawn = phi(pictures)
            points = omega(drawn)
        return drawn, points


class Trainer:
    """Trains one variant. `step(i)` makes the i-th update and returns its losses, on the device.

    Arguments:
        variant, profile: what and how long.
        data: role -> {"train": Poses, "test": Poses}.
        seed: of the weights, the batches and the rotations.
    """

    def __init__(self, variant: Variant, profile, data: dict, seed: int):
        torch.manual_seed(seed)
        self.variant, self.profile, self.data = variant, profile, data
        train: Poses = data[variant.role]["train"]
        self.skeleton, self.device = train.skeleton, train.device
        self.precision = precision_name(self.device)
        self.test_roles = {
            "studio": ("studio", "outdoor"), "outdoor": ("outdoor", "studio"), "hands": ("hands",)
        }[variant.role]  # fmt: skip
        self.material = material(variant, profile, data)
        self.prior = self.material.prior
        known = train.joints_3d[train.in_3d]
        # without 3D poses nothing is in mm, and lifted poses stay in their own unit
        self.unit_mm = reference_length(known, self.skeleton).mean() if len(known) else train.K.new_ones(())
        self.edges, self.swap = self.skeleton.bones, tuple(self.skeleton.mirror)
        self.model = Method(variant, profile, len(self.skeleton)).to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        noisy = self._noisy_flow_poses(self.material.flow_points)
        self.model.flow.fit_pca(noisy)
        self.stages = self._plan()
        self.steps = sum(self.stages.values())
        self.samples_per_step = profile.batch
        self._optimisers()
        self.pool = torch.zeros(0, 1, profile.skeleton, profile.skeleton, device=self.device)
        trained = [self.model.phi, self.model.omega, self.model.discriminator, self.model.lifter]
        self.parameters = count_parameters(*trained, self.model.flow)
        self.shown = {}

    def _plan(self) -> dict[str, int]:
        """Steps of each stage, in their order."""
        variant, profile = self.variant, self.profile
        if not variant.staged:
            return {"flow": profile.flow_steps, "pictures": round(profile.joint_steps * variant.longer)}
        from_prior = variant.lift_from == "prior" and variant.lifting.active
        pictures = round(profile.picture_steps * variant.longer)
        return {
            "flow": profile.flow_steps,
            "lifter": round(profile.lifter_steps * variant.longer) if from_prior else 0,
            "omega": round(pictures * variant.omega_first),
            "pictures": pictures,
            "labels": profile.label_steps if variant.labels else 0,
        }

    def _optimisers(self) -> None:
        rate, model = self.profile.rate, self.model
        self.rates = {
            "flow": 1e-3, "phi": rate, "omega": rate, "discriminator": rate,
            "lifter": self.profile.lifter_rate, "sides": 2e-3,
        }  # fmt: skip
        betas = {"phi": (0.5, 0.999), "omega": (0.5, 0.999), "discriminator": (0.5, 0.999)}
        self.optimisers = {
            name: torch.optim.Adam(
                getattr(model, name).parameters(), lr, betas.get(name, (0.9, 0.999)), fused=True
            )
            for name, lr in self.rates.items()
        }

    def _noisy_flow_poses(self, points: Tensor) -> Tensor:
        poses = self.prior.normalise(points)
        noise = torch.randn(poses.shape, generator=self.generator, device=self.device)
        return poses + FLOW_NOISE * noise

    def step(self, index: int) -> dict[str, Tensor]:
        """One update of the stage that the index lies in."""
        self.shown.clear()  # what was looked at before is not what the networks make of it now
        stage, begin = "", 0
        for name, count in self.stages.items():
            if index < begin + count:
                stage = name
                break
            begin += count
        progress = (index - begin) / self.stages[stage]
        if stage == "flow":
            return self._flow_step(progress)
        self.model.flow.requires_grad_(False)
        lifter_begin = self.stages["flow"]
        lifter_end = self.steps - self.stages.get("labels", 0)
        self._set_rate(0.03 ** ((index - lifter_begin) / max(1, lifter_end - lifter_begin)), "lifter")
        if stage == "lifter":
            return self._lifter_step(hold=progress < self.variant.hold)
        if stage == "labels":
            return self._label_step(progress)
        fade = 1.0 if progress < 0.25 else 0.5 + 0.5 * math.cos(math.pi * (progress - 0.25) / 0.75)
        self._set_rate(max(fade, 0.01), "phi", "omega", "discriminator")
        if stage == "omega":
            self._set_rate(1.0, "omega")
            points = self._prior_points(self.profile.prior_batch)
            losses = {"omega": self._omega_loss(self._draw_skeletons(points), points)}
            return self._update(losses, "omega")
        return self._picture_step(progress)

    def _set_rate(self, factor: float, *names: str) -> None:
        for name in names:
            for group in self.optimisers[name].param_groups:
                group["lr"] = self.rates[name] * factor

    def _update(self, losses: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
        """Backward through the sum of losses and a step, clipped, of the named networks."""
        for name in names:
            self.optimisers[name].zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        for name in names:
            limit = 10.0 if name in ("lifter", "flow") else 1.0
            nn.utils.clip_grad_norm_(getattr(self.model, name).parameters(), limit)
            self.optimisers[name].step()
        return {name: loss.detach() for name, loss in losses.items()}

    def _draw(self, count: int, batch: int) -> Tensor:
        return torch.randint(count, (batch,), generator=self.generator, device=self.device)

    def _prior_points(self, batch: int) -> Tensor:
        return self.prior.points[self._draw(len(self.prior.points), batch)]

    def _draw_skeletons(self, points: Tensor) -> Tensor:
        """Eq. 2 for points (N, J, 2): images (N, 1, s, s), from -1 (nothing) to 1."""
        variant, size = self.variant, self.profile.skeleton
        drawn = skeleton_image(points, self.edges, size, variant.gamma, variant.squared)
        return 2 * drawn[:, None] - 1

    def _flow_step(self, progress: float) -> dict[str, Tensor]:
        self._set_rate(0.05**progress, "flow")
        index = self._draw(len(self.material.flow_points), 256)
        poses = self._noisy_flow_poses(self.material.flow_points[index])
        return self._update({"flow": l_nf(self.model.flow.log_prob(poses))}, "flow")

    def _lifting(self, poses: Tensor, hold: bool = False) -> dict[str, Tensor]:
        return lifting_losses(
            self.model.lifter, self.model.flow, poses, self.variant.lifting, self.skeleton.parents,
            self.prior.ratios, self.generator, hold,
        )  # fmt: skip

    def _lifter_step(self, hold: bool = False) -> dict[str, Tensor]:
        poses = self.prior.normalise(self._prior_points(self.profile.lift_batch))
        return self._update(self._lifting(poses, hold), "lifter")

    def _omega_loss(self, skeletons: Tensor, points: Tensor) -> Tensor:
        with autocast(self.device):
            predicted = self.model.omega(skeletons)
        swap = self.swap if self.variant.tolerant else None
        return l_omega(predicted, points, swap)

    def _pictures(self, batch: int) -> Tensor:
        pictures = self.material.pictures
        shown = pictures.batch(self._draw(len(pictures), batch))
        if self.variant.flips and self.skeleton != HAND_21:
            chance = torch.rand(batch, 1, 1, 1, generator=self.generator, device=self.device)
            shown = torch.where(chance < 0.5, shown.flip(-1), shown)
        return shown

    def _remember(self, fake: Tensor) -> Tensor:
        """Half of the fakes exchanged for older ones, which keeps D from chasing the last few."""
        if len(self.pool) < self.profile.pool:
            self.pool = torch.cat([self.pool, fake])[: self.profile.pool]
            return fake
        places = torch.randperm(len(self.pool), generator=self.generator, device=self.device)[: len(fake)]
        chance = torch.rand(len(fake), 1, 1, 1, generator=self.generator, device=self.device)
        mixed = torch.where(chance < 0.5, self.pool[places], fake)
        self.pool[places] = fake
        return mixed

    def _picture_step(self, progress: float) -> dict[str, Tensor]:
        """One update of D, Phi and Omega on pictures, and of the lifter."""
        model, variant, profile = self.model, self.variant, self.profile
        points = self._prior_points(max(profile.batch, profile.prior_batch))
        real = self._draw_skeletons(points)
        shown = self._pictures(profile.batch)
        with autocast(self.device):
            drawn = model.phi(shown)
            seen = model.omega(drawn)

        model.discriminator.requires_grad_(True)
        fake = self._remember(drawn.detach())
        with autocast(self.device):
            scores = model.discriminator(torch.cat([real[: len(fake)], fake]))
        halves = [score.chunk(2) for score in scores]
        loss = l_d([half[0] for half in halves], [half[1] for half in halves], variant.gan)
        report = self._update({"discriminator": loss}, "discriminator")

        model.discriminator.requires_grad_(False)
        with autocast(self.device):
            scores = model.discriminator(drawn)
        losses = {
            "adversarial": variant.w_adversarial * l_d_generator(scores, variant.gan),
            "omega": self._omega_loss(real, points),
            "skeleton": variant.w_skeleton * (self._draw_skeletons(seen) - drawn).square().mean(),
        }
        trained = ["phi", "omega"]
        if variant.lifting.active and (variant.lift_from == "predicted" or variant.gradient):
            poses = self.prior.normalise(seen)
            poses = variant.gradient * poses + (1 - variant.gradient) * poses.detach()
            model.lifter.requires_grad_(variant.lift_from == "predicted")
            losses |= self._lifting(poses)
            if variant.lift_from == "predicted":
                trained.append("lifter")
        report |= self._update(losses, *trained)
        model.lifter.requires_grad_(True)
        if variant.lifting.active and variant.lift_from == "prior":
            report |= {name: loss for name, loss in self._lifter_step().items()}
        self._average(progress)
        return report

    @torch.no_grad()
    def _average(self, progress: float) -> None:
        """Running average of Phi and Omega, short at the start."""
        decay = min(self.variant.average, 0.9 + progress)
        own = [*self.model.phi.parameters(), *self.model.omega.parameters()]
        kept = list(self.model.average.parameters())
        torch._foreach_lerp_(kept, own, 1 - decay)

    def _label_step(self, progress: float) -> dict[str, Tensor]:
        """Left and right: first from the prior's own poses, then from what heads look like."""
        sides = self.model.sides
        with torch.no_grad():
            if progress < 0.4:
                points = self._prior_points(4 * self.profile.batch)
                with autocast(self.device):
                    seen = self.model.average[1](self._draw_skeletons(points))
            else:
                shown = self._pictures(4 * self.profile.batch)
                _, seen = self.model.see(shown)
        if progress < 0.4:
            return self._update({"labels": sides.pose_loss(seen, points, self.swap)}, "sides")
        return self._update({"labels": sides.head_loss(shown, seen, self.swap)}, "sides")

    @torch.no_grad()
    def look(self, role: str, part: str = "test") -> dict[str, Tensor]:
        """What the networks make of a role's pictures, kept for `predict`, `diagnose` and `figures`.

        pictures: Pictures; skeleton (N, s, s) in [0, 1]; seen (N, J, 2) the points as Omega gives
        them; points (N, J, 2) with left and right decided; lifted (N, J, 3) in mm; elevation (N,).
        """
        if (role, part) in self.shown:
            return self.shown[role, part]
        pictures = take_pictures(self.data[role][part], role, self.profile.image)
        drawn, seen, points = [], [], []
        for index in torch.arange(len(pictures), device=self.device).split(CHUNK):
            shown = pictures.batch(index)
            skeletons, read = self.model.see(shown)
            drawn.append((skeletons[:, 0] + 1) / 2)
            seen.append(read)
            points.append(self.model.sides.choose(shown, read, self.swap) if self.variant.labels else read)
        found = {"pictures": pictures, "skeleton": torch.cat(drawn), "seen": torch.cat(seen)}
        found["points"] = torch.cat(points)
        found["lifted"], found["elevation"] = self.lift(found["points"])
        self.shown[role, part] = found
        return found

    @torch.no_grad()
    def lift(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Root-centred 3D poses (N, J, 3) in mm and elevations (N,) of points in crop coordinates."""
        poses = self.prior.normalise(points)
        offsets, elevation = self.model.lifter(poses)
        lifted = lift(poses, offsets)
        return (lifted - lifted[:, :1]) * self.unit_mm, elevation

    def predict(self, role: str) -> Tensor:
        """Root-centred test poses (N, J, 3) in mm: units times the train mean of head to root."""
        return self.look(role)["lifted"]

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """What the figures and claims ask of this method; see `sosa2023_diagnostics`."""
        return sosa2023_diagnostics.diagnose(self, role), {}

    def figures(self, role: str) -> dict[str, Tensor]:
        """Random test frames and failures, with what every stage made of them."""
        return sosa2023_diagnostics.figures(self, role)

    def state_dict(self) -> dict:
        """All that a later call of `load_state_dict` needs to go on as if never stopped."""
        return {
            "model": self.model.state_dict(),
            "optimisers": {k: o.state_dict() for k, o in self.optimisers.items()},
            "generator": self.generator.get_state(),
            "pool": self.pool,
        }

    def load_state_dict(self, state: dict) -> None:
        """Restores what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.generator.set_state(state["generator"].cpu())
        self.pool = state["pool"]
        self.shown.clear()
