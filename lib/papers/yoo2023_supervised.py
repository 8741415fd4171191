r"""The ceiling of the chapter: the same extractor, trained with the true 2D keypoints."""

import torch
from torch import Tensor, nn

from lib.networks import count_parameters
from lib.papers import yoo2023_diagnostics as diagnostics
from lib.papers.yoo2023_data import Frames
from lib.papers.yoo2023_model import PoseExtractor
from lib.papers.yoo2023_template import JOINTS
from lib.papers.yoo2023_trainer import CHUNK, Trainer
from lib.precision import autocast

__all__ = ["SupervisedTrainer"]


class SupervisedTrainer(Trainer):
    """Trains :math:`\\Phi` alone to give keypoints; there is no template, nothing is drawn."""

    def __init__(self, variant, profile, data: dict, seed: int):
        super().__init__(variant, profile, data, seed)
        torch.manual_seed(seed)
        self.mean = self.frames.truth.mean(0)
        self.phi = PoseExtractor(profile.phi, profile.hidden, profile.image, 2 * len(JOINTS))
        self.phi = self.phi.to(self.device, memory_format=torch.channels_last)
        normalise = self.model.normalise
        self.normalise, self.model = normalise, nn.ModuleDict({"phi": self.phi})
        self.optimisers = {"all": torch.optim.Adam(self.phi.parameters(), lr=profile.rate, fused=True)}
        self.parameters = count_parameters(self.phi)
        self.initialisation = "from scratch"

    def _length(self) -> int:
        return self.profile.supervised_steps

    def _points(self, picture: Tensor) -> Tensor:
        with autocast(picture.device):
            return self.mean + self.phi(self.normalise(picture)).unflatten(1, (len(JOINTS), 2))

    def step(self, index: int) -> dict[str, Tensor]:
        """One update: the mean distance of keypoints, in crop units."""
        self.model.train()
        chosen = self.draw_index(len(self.frames), self.profile.batch)
        found = self._points(self.frames.pictures(chosen))
        loss = (found - self.frames.truth[chosen]).norm(dim=-1).mean()
        optimiser = self.optimisers["all"]
        optimiser.param_groups[0]["lr"] = self.rate(index)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.variant.gradient)
        optimiser.step()
        self.shown.clear()
        return {"keypoints": loss.detach()}

    @torch.no_grad()
    def predict_keypoints(self, frames: Frames, index: Tensor) -> Tensor:
        """Keypoints (B, 15, 2) in crop coordinates of some frames."""
        self.model.eval()
        return torch.cat([self._points(frames.pictures(some)) for some in index.split(CHUNK)])

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """What keypoints alone can tell."""
        predicted = diagnostics.predictions(self)
        values = diagnostics.diagnose_keypoints(predicted, self.test) | diagnostics.held_out(self)[0]
        values["outline"] = diagnostics.outline(predicted, self.test)
        return values | {"frames": float(len(self.frames)), "parameters": float(self.parameters)}, {}

    def figures(self, role: str) -> dict[str, Tensor]:
        """Metrics of every frame and keypoint."""
        return diagnostics.frame_arrays(self)
