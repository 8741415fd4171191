r"""The ceiling of the chapter: the same extractor, trained with the true 2D keypoints."""

import torch
from torch import Tensor

from lib.papers import yoo2023_diagnostics as diagnostics
from lib.papers.yoo2023_data import Frames
from lib.papers.yoo2023_model import KeypointModel
from lib.papers.yoo2023_trainer import CHUNK, Trainer

__all__ = ["SupervisedTrainer"]


class SupervisedTrainer(Trainer):
    r"""Trains :math:`\Phi` alone to give keypoints; there is no template, nothing is drawn."""

    def _networks(self) -> None:
        model = KeypointModel(self.profile, self.frames.truth.mean(0))
        self.model = model.to(self.device, memory_format=torch.channels_last)
        self.initialisation = "from scratch"

    def batch(self) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, S, S) in [0, 1] and their true keypoints (B, 15, 2)."""
        index = self.draw_index(len(self.frames), self.profile.batch)
        return self.frames.pictures(index), self.frames.truth[index]

    def losses(self, frame: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """The mean distance of keypoints, in crop units."""
        return {"keypoints": (self.model(frame) - truth).norm(dim=-1).mean()}

    def look(self, suffix: str) -> dict[str, float]:
        """Nothing: what is looked at is how reconstruction and pose go together."""
        return {}

    @torch.no_grad()
    def predict_keypoints(self, frames: Frames, index: Tensor) -> Tensor:
        """Keypoints (B, 15, 2) in crop coordinates of some frames."""
        self.model.eval()
        return torch.cat([self.model(frames.pictures(some)) for some in index.split(CHUNK)])

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """What keypoints alone can tell."""
        counts = {"frames": float(len(self.frames)), "parameters": float(self.parameters)}
        return diagnostics.diagnose_pose(self) | counts, {}

    def figures(self, role: str) -> dict[str, Tensor]:
        """Metrics of every frame and keypoint."""
        return diagnostics.frame_arrays(self)
