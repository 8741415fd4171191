r"""What Yoo & Russakovsky 2023 is measured against: templates that nothing moves, a mean pose."""

from dataclasses import dataclass

from torch import Tensor

from lib.papers import yoo2023_diagnostics as diagnostics
from lib.papers.yoo2023_data import OUT, Frames
from lib.papers.yoo2023_template import shape_template
from lib.papers.yoo2023_trainer import take_all

__all__ = ["Floor", "FloorTrainer"]

KINDS = ("mean-pose", "template-orig", "template-new")


@dataclass(frozen=True)
class Floor:
    """The same keypoints for every crop. "mean-pose": the mean of the true training keypoints, which knows
    labels; "template-orig" and "template-new": the untransformed templates.
    """

    kind: str
    arms_out: float = OUT
    background: bool = True

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"a floor is one of {', '.join(KINDS)}, not {self.kind!r}")


class FloorTrainer:
    """There is nothing to train; the interface is that of `yoo2023_trainer.Trainer`."""

    test_roles = ("studio",)
    steps = 0
    samples_per_step = 0

    def __init__(self, variant: Floor, profile, data: dict, seed: int):
        self.frames, self.test, self.more = take_all(variant, profile, data["studio"])
        if variant.kind == "mean-pose":
            self.keypoints = self.frames.truth.mean(0)
        else:
            kind = variant.kind.removeprefix("template-")
            self.keypoints = shape_template(kind).keypoints.to(self.test.truth.device)
        self.shown: dict = {}

    def step(self, index: int) -> dict[str, Tensor]:
        """There is nothing to train."""
        raise RuntimeError("a floor has no training steps")

    def predict_keypoints(self, frames: Frames, index: Tensor) -> Tensor:
        """Keypoints (B, 15, 2) in crop coordinates of some frames."""
        return self.keypoints.expand(len(index), -1, -1)

    def score(self, role: str) -> tuple[dict, Tensor]:
        """The metrics of the test frames."""
        return diagnostics.score(self)

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """What keypoints alone can tell."""
        return diagnostics.diagnose_pose(self) | diagnostics.offset(self), {}

    def figures(self, role: str) -> dict[str, Tensor]:
        """Metrics of every frame and keypoint."""
        return diagnostics.frame_arrays(self)

    def state_dict(self) -> dict:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Nothing to restore."""
