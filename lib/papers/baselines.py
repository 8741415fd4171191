"""What every lifting method is measured against: supervised lifters, the mean pose, the flat lift.

Martinez et al. (ICCV 2017) and VideoPose3D (Pavllo et al., CVPR 2019) see the 3D poses; the mean pose
and the flat lift (all depths equal) show what a table's numbers are worth.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lib.data.batches import Poses
from lib.geometry import similarity_align
from lib.losses import safe_norm
from lib.networks import ResidualLifter, TemporalLifter, count_parameters
from lib.papers import yu2021_diagnostics
from lib.papers.normalise import DEPTH, Normaliser, head_root

__all__ = ["Supervised", "Floor", "VARIANTS", "build"]

TESTED = ("studio", "outdoor", "sport", "wild")  # roles that a floor is tested on, where there are such


@dataclass(frozen=True)
class Supervised:
    """A lifter that is shown the 3D poses. `filters` None is Martinez et al., else VideoPose3D."""

    role: str = "studio"
    inputs: str = "joints_2d"
    filters: tuple[int, ...] | None = None
    batch: int = 256
    learning_rate: float = 3e-3
    final_rate: float = 0.02


@dataclass(frozen=True)
class Floor:
    """A row without training: "mean-pose", "mean-shape" or "flat-lift"."""

    kind: str
    role: str = "studio"
    inputs: str = "joints_2d"


MARTINEZ = Supervised()
VIDEOPOSE_27 = replace(MARTINEZ, filters=(3, 3, 3))
VIDEOPOSE_1 = replace(MARTINEZ, filters=(1, 1, 1))

VARIANTS: dict[str, object] = {
    "martinez": MARTINEZ,
    "martinez-detected": replace(MARTINEZ, inputs="detected_2d"),
    "martinez-out": replace(MARTINEZ, role="outdoor"),
    "videopose-1": VIDEOPOSE_1,
    "videopose-27": VIDEOPOSE_27,
    "videopose-1-detected": replace(VIDEOPOSE_1, inputs="detected_2d"),
    "videopose-27-detected": replace(VIDEOPOSE_27, inputs="detected_2d"),
    "mean-pose": Floor("mean-pose"),
    "mean-shape": Floor("mean-shape"),
    "flat-lift": Floor("flat-lift"),
    "flat-lift-detected": Floor("flat-lift", inputs="detected_2d"),
}


def _screen(poses: Poses, inputs: str) -> Tensor:
    """Pixels to [-1, 1] by half the image's width, place in the image kept, as VideoPose3D has it.

    Supervised lifters may use where in the image a person stands: perspective gives depth away.
    """
    principal = poses.K[:, None, :2, 2]
    return (getattr(poses, inputs) - principal) / principal


class SupervisedTrainer:
    """Trains a supervised lifter on root-centred 3D poses."""

    def __init__(self, variant: Supervised, profile, data: dict, seed: int):
        torch.manual_seed(seed)
        self.variant, self.data = variant, data
        self.train: Poses = data[variant.role]["train"]
        self.test_roles = ("studio", "outdoor") if variant.role == "studio" else (variant.role,)
        device = self.train.joints_3d.device
        self.generator = torch.Generator(device).manual_seed(seed)
        self.inputs = _screen(self.train, variant.inputs)
        self.target = self.train.joints_3d - self.train.joints_3d[:, :1]
        self.mean, self.deviation = self.inputs.mean(0), self.inputs.std(0) + 1e-6
        self.unit_mm = head_root(self.train.joints_3d).mean()
        width = profile.supervised_width
        if variant.filters is None:
            self.model = ResidualLifter(width=width, dropout=0.25)
            self.window = 1
        else:
            self.model = TemporalLifter(width=width, filters=variant.filters)
            self.window = self.model.receptive_field
        self.model.to(device)
        # a temporal model costs its window: fewer samples a step keep the run as long as the others
        self.samples_per_step = variant.batch if self.window == 1 else variant.batch // 4
        self.steps = profile.supervised_steps
        self.optimiser = torch.optim.Adam(self.model.parameters(), variant.learning_rate, fused=True)
        self.parameters = count_parameters(self.model)

    def _windows(self, poses: Poses, inputs: Tensor, index: Tensor) -> Tensor:
        """Standardised 2D poses: (B, J, 2), or windows (B, F, J, 2) padded with a clip's end frames."""
        if self.variant.filters is None:
            return (inputs[index] - self.mean) / self.deviation
        return inputs[poses.window(index, self.window)]

    def step(self, index: int) -> dict[str, Tensor]:
        """One update with the mean distance of joints, in units."""
        rate = self.variant.learning_rate * self.variant.final_rate ** (index / max(1, self.steps))
        self.optimiser.param_groups[0]["lr"] = rate
        self.model.train()
        count = len(self.inputs)
        shape = (self.samples_per_step,)
        batch = torch.randint(count, shape, generator=self.generator, device=self.inputs.device)
        pose = self._windows(self.train, self.inputs, batch)
        predicted = self.model(pose)
        loss = safe_norm(predicted - self.target[batch] / self.unit_mm).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return {"3d": loss.detach()}

    @torch.no_grad()
    def predict(self, role: str) -> Tensor:
        """Root-centred test poses (N, J, 3) in mm; their scale was learned."""
        test: Poses = self.data[role]["test"]
        inputs = _screen(test, self.variant.inputs)
        self.model.eval()
        index = torch.arange(len(inputs), device=inputs.device)
        predicted = torch.cat(
            [self.model(self._windows(test, inputs, part)) for part in index.split(2048)]
        )
        return (predicted - predicted[:, :1]) * self.unit_mm

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Depth signs and body sizes, as for the unsupervised method, with no scale of its own."""
        test: Poses = self.data[role]["test"]
        poses = Normaliser.fit(self.data[role]["train"], self.variant.inputs, "universal")(test)
        lifted = self.predict(role) / self.unit_mm
        scale = lifted.new_ones(len(lifted))
        values, _ = yu2021_diagnostics.diagnose(test, poses, lifted, scale, self.unit_mm)
        values = {k: v for k, v in values.items() if not k.startswith("scale_")}
        return values | {"parameters": float(self.parameters)}, {}

    def state_dict(self) -> dict:
        """All that a later call of `load_state_dict` needs to go on as if never stopped."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Restores what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"].cpu())


def _mean_shape(poses: Tensor, rounds: int = 5) -> Tensor:
    """Generalised Procrustes mean (J, 3) of poses (N, J, 3), upright and of their mean size."""
    shape = poses[0]
    for _ in range(rounds):
        shape = similarity_align(poses, shape.expand_as(poses)).mean(0)
    size = head_root(poses).mean() / head_root(shape)
    upright = similarity_align(shape, poses.mean(0))
    upright = upright - upright[:1]
    return upright * (size * head_root(shape) / head_root(upright))


class FloorTrainer:
    """The same pose for every frame, or the 2D pose with all joints at one depth.

    "mean-pose" is the mean of the training poses in camera coordinates: people face everywhere, so left
    and right fall together on an upright line. "mean-shape" is the mean after Procrustes alignment, a
    standing person, turned and sized to lie nearest to that line: the floor to beat in P-MPJPE.
    """

    steps = 0
    samples_per_step = 0
    parameters = 0

    def __init__(self, variant: Floor, profile, data: dict, seed: int):
        self.variant, self.data = variant, data
        train: Poses = data[variant.role]["train"]
        self.test_roles = tuple(r for r in TESTED if "test" in data.get(r, ()))
        self.unit_mm = head_root(train.joints_3d).mean()
        poses = train.joints_3d - train.joints_3d[:, :1]
        self.mean = poses.mean(0) if variant.kind == "mean-pose" else _mean_shape(poses)

    def step(self, index: int) -> dict[str, Tensor]:
        """There is nothing to train."""
        raise RuntimeError("a floor has no training steps")

    def predict(self, role: str) -> Tensor:
        """Root-centred test poses (N, J, 3) in mm."""
        test: Poses = self.data[role]["test"]
        if self.variant.kind in ("mean-pose", "mean-shape"):
            return self.mean.expand(len(test.joints_3d), -1, -1)
        poses = Normaliser.fit(self.data[role]["train"], self.variant.inputs, "universal")(test)
        flat = torch.cat([poses * DEPTH, torch.zeros_like(poses[..., :1])], dim=-1)
        return flat * self.unit_mm

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Statistics of the reference scale on this role (Yu et al., Fig. 3); they need no model."""
        test: Poses = self.data[role]["test"]
        if not test.in_3d.all():
            return {}, {}
        poses = Normaliser.fit(self.data[role]["train"], "joints_2d", "universal")(test)
        return yu2021_diagnostics.reference_scale_statistics(test, poses, self.unit_mm), {}

    def state_dict(self) -> dict:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Nothing to restore."""


def build(variant: object, profile, data: dict, seed: int):
    """The trainer of a baseline; `profile` gives supervised_steps and supervised_width."""
    if isinstance(variant, Supervised):
        return SupervisedTrainer(variant, profile, data, seed)
    if isinstance(variant, Floor):
        return FloorTrainer(variant, profile, data, seed)
    raise TypeError(f"{type(variant).__name__} is no variant that this paper knows")
