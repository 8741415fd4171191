"""What Sosa & Hogg 2023 is measured against: ElePose on 2D input, and supervision with 3D labels."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.data.batches import Poses
from lib.flows import PoseFlow
from lib.image_networks import DenseReader, MapNetwork
from lib.losses import l_nf, relative_bone_lengths, safe_norm
from lib.metrics import p_mpjpe
from lib.networks import ElevationLifter, count_parameters
from lib.papers.elevation_lifting import LiftingLosses, lift, lifting_losses
from lib.papers.normalise import Normaliser, head_root
from lib.papers.sosa2023_data import half_of_recordings, take_pictures
from lib.papers.sosa2023_trainer import FLOW_NOISE
from lib.precision import autocast
from lib.precision import name as precision_name
from lib.skeleton import HUMAN36M_17

__all__ = ["ElePose", "ElePoseTrainer", "Supervised", "SupervisedTrainer"]

PARENTS = HUMAN36M_17.parents
MIRROR = list(HUMAN36M_17.mirror)


@dataclass(frozen=True)
class ElePose:
    """Wandt et al., CVPR 2022: the same lifter, flow and losses, given the 2D poses."""

    role: str = "studio"
    inputs: str = "joints_2d"
    lifting: LiftingLosses = LiftingLosses()
    hold: float = 0.5  # share of the lifter's steps in which elevation is held, bones wait


@dataclass(frozen=True)
class Supervised:
    """Pictures to 3D poses, shown the 3D poses of its pictures: the upper bound."""

    role: str = "studio"
    learning_rate: float = 1e-3
    maps: int = 16
    longer: float = 3.0  # factor on the steps: as long a run as the others, whose steps cost more


class _Trainer:
    """What the two share: one network's state, tests on both roles."""

    test_roles = ("studio", "outdoor")

    def __init__(self, variant, profile, data: dict, seed: int):
        torch.manual_seed(seed)
        self.variant, self.profile, self.data = variant, profile, data
        self.train: Poses = data[variant.role]["train"]
        self.device = self.train.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.unit_mm = head_root(self.train.joints_3d).mean()

    def _draw(self, count: int, batch: int) -> Tensor:
        return torch.randint(count, (batch,), generator=self.generator, device=self.device)

    def _update(self, losses: dict[str, Tensor], network: nn.Module, optimiser, rate: float) -> dict:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Frame mean, every 64th frame, and how often the depth-mirrored pose is nearer."""
        test: Poses = self.data[role]["test"]
        truth, predicted = test.joints_3d - test.joints_3d[:, :1], self.predict(role)
        error = p_mpjpe(predicted, truth)
        mirrored = p_mpjpe(predicted * predicted.new_tensor([1.0, 1.0, -1.0]), truth)
        return {
            "p_mpjpe_frames": float(error.mean()),
            "p_mpjpe_64th": float(error[::64].mean()),
            "mirrored_share": float((mirrored < error).float().mean()),
            "labelled_images": float(self.labelled),
            "parameters": float(self.parameters),
        }, {}

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


class ElePoseTrainer(_Trainer):
    """Trains the flow, then the lifter, on the 2D poses of all training frames."""

    def __init__(self, variant: ElePose, profile, data: dict, seed: int):
        super().__init__(variant, profile, data, seed)
        self.poses = self._inputs(variant.role, "train")
        mirrored = self.poses[:, MIRROR] * self.poses.new_tensor([-1.0, 1.0])
        self.poses = torch.cat([self.poses, mirrored])
        motion = data["motion"]["train"].joints_3d
        self.ratios = relative_bone_lengths(motion, PARENTS).mean(0)
        flow = PoseFlow(len(PARENTS), 26, 8, profile.flow_width)
        self.model = nn.ModuleDict({"flow": flow, "lifter": ElevationLifter(17, profile.width)})
        self.model.to(self.device)
        self.model["flow"].fit_pca(self._noisy(self.poses))
        self.optimisers = {
            name: torch.optim.Adam(part.parameters(), fused=True) for name, part in self.model.items()
        }
        self.steps = profile.flow_steps + profile.elepose_steps
        self.samples_per_step = profile.lift_batch
        self.parameters = count_parameters(self.model)
        self.labelled = len(self.train)

    def _inputs(self, role: str, part: str) -> Tensor:
        fitted = Normaliser.fit(self.data[role]["train"], self.variant.inputs, "universal")
        return fitted(self.data[role][part])

    def _noisy(self, poses: Tensor) -> Tensor:
        noise = torch.randn(poses.shape, generator=self.generator, device=self.device)
        return poses + FLOW_NOISE * noise

    def step(self, index: int) -> dict[str, Tensor]:
        """One update of the flow, or after its steps of the lifter."""
        flow_steps = self.profile.flow_steps
        if index < flow_steps:
            poses = self._noisy(self.poses[self._draw(len(self.poses), 256)])
            losses = {"flow": l_nf(self.model["flow"].log_prob(poses))}
            rate = 1e-3 * 0.05 ** (index / flow_steps)
            return self._update(losses, self.model["flow"], self.optimisers["flow"], rate)
        self.model["flow"].requires_grad_(False)
        poses = self.poses[self._draw(len(self.poses), self.profile.lift_batch)]
        progress = (index - flow_steps) / self.profile.elepose_steps
        losses = lifting_losses(
            self.model["lifter"], self.model["flow"], poses, self.variant.lifting, PARENTS, self.ratios,
            self.generator, progress < self.variant.hold,
        )  # fmt: skip
        rate = self.profile.lifter_rate * 0.03**progress
        return self._update(losses, self.model["lifter"], self.optimisers["lifter"], rate)

    @torch.no_grad()
    def predict(self, role: str) -> Tensor:
        """Root-centred test poses (N, J, 3) in mm: units times the train mean of head to root."""
        poses = self._inputs(role, "test")
        lifted = lift(poses, self.model["lifter"](poses)[0])
        return (lifted - lifted[:, :1]) * self.unit_mm


class SupervisedTrainer(_Trainer):
    r"""Trains :math:`\Phi` and :math:`\Omega` end to end on 3D poses, without a skeleton image."""

    def __init__(self, variant: Supervised, profile, data: dict, seed: int):
        super().__init__(variant, profile, data, seed)
        index = half_of_recordings(self.train, 0)
        if profile.pictures is not None and len(index) > profile.pictures:
            index = index[torch.linspace(0, len(index) - 1, profile.pictures, device=index.device).long()]
        self.pictures = take_pictures(self.train, variant.role, profile.image, index)
        self.target = (self.train.joints_3d - self.train.joints_3d[:, :1])[index] / self.unit_mm
        phi = MapNetwork(3, variant.maps, profile.phi, profile.image // profile.skeleton)
        omega = DenseReader(
            profile.skeleton, variant.maps, 17, profile.omega, profile.omega_hidden, dimensions=3
        )
        self.model = nn.Sequential(phi, omega).to(self.device)
        self.optimisers = {"all": torch.optim.Adam(self.model.parameters(), fused=True)}
        self.steps = round(profile.supervised_steps * variant.longer)
        self.samples_per_step = profile.batch
        self.parameters = count_parameters(self.model)
        self.labelled = len(self.pictures)
        self.precision = precision_name(self.device)

    def _poses(self, shown: Tensor) -> Tensor:
        with autocast(self.device):
            poses = self.model(shown)
        return poses - poses[:, :1]

    def step(self, index: int) -> dict[str, Tensor]:
        """One update with the mean distance of joints, half of the pictures mirrored."""
        chosen = self._draw(len(self.pictures), self.profile.batch)
        shown, target = self.pictures.batch(chosen), self.target[chosen]
        flip = torch.rand(len(chosen), 1, 1, generator=self.generator, device=self.device) < 0.5
        shown = torch.where(flip[..., None], shown.flip(-1), shown)
        mirrored = target[:, MIRROR] * target.new_tensor([-1.0, 1.0, 1.0])
        loss = safe_norm(self._poses(shown) - torch.where(flip, mirrored, target)).mean()
        rate = self.variant.learning_rate * (0.5 + 0.5 * math.cos(math.pi * index / self.steps))
        return self._update({"3d": loss}, self.model, self.optimisers["all"], max(rate, 1e-6))

    @torch.no_grad()
    def predict(self, role: str) -> Tensor:
        """Root-centred test poses (N, J, 3) in mm; their scale was learned."""
        pictures = take_pictures(self.data[role]["test"], role, self.profile.image)
        index = torch.arange(len(pictures), device=self.device)
        poses = [self._poses(pictures.batch(part)) for part in index.split(256)]
        return torch.cat(poses) * self.unit_mm
