r"""Training of Yoo & Russakovsky 2023: a frame is drawn again from the posed template and another frame."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.image_losses import dists, ms_ssim
from lib.networks import count_parameters
from lib.papers import yoo2023_diagnostics as diagnostics
from lib.papers.resumable import Resumable
from lib.papers.yoo2023_data import OUT, Frames, mirrored_half, pair, take_frames
from lib.papers.yoo2023_losses import l_anchor, l_boundary
from lib.papers.yoo2023_model import TemplateModel
from lib.papers.yoo2023_scores import scores
from lib.perceptual import Perceptual
from lib.precision import autocast
from lib.precision import name as precision_name

__all__ = ["Trainer", "Variant", "take_all"]

ANCHOR, BOUNDARY = 0.5, 1.0  # the authors' weights; those of both reconstruction losses are 1
LOOKS = (0.25, 0.5, 0.75)  # shares of the steps at which the test is looked at, for yoo-12
LOOKED = 400  # frames looked at
CHUNK = 128


@dataclass(frozen=True)
class Variant:
    """One row of a table. The defaults are the baseline, Schmidtke et al. 2021, in our parametrisation.

    template: "orig" (arms out) or "new" (arms down). perceptual, mse, ssim, dists: the losses of the
    drawn frame. flip: "none", "replace" (the authors') or "add". constrained: rotations, shifts and one
    scale for the body. pairs: passes over the frames, or the share of them that one pass uses. arms_out:
    share of frames with arms out among those with arms out or down. background: whole pictures, as in the
    paper; else people on black (ours). skips, output_scale, zero_start,
    pivot: see `yoo2023_model`; schedule: "cosine" or "constant"; gradient: largest norm of a step's, or None.
    The authors have True, False, 1, False, "corner", "constant", None.
    """

    template: str = "orig"
    perceptual: bool = True
    mse: bool = False
    ssim: bool = False
    dists: bool = False
    coarse_to_fine: bool = False
    flip: str = "none"
    constrained: bool = False
    pairs: float = 1.0
    arms_out: float = OUT
    background: bool = False
    skips: bool = True
    output_scale: float = 0.1
    zero_start: bool = True
    pivot: str = "part"
    schedule: str = "cosine"
    gradient: float | None = 5.0
    supervised: bool = False


def take_all(variant, profile, poses: dict) -> tuple[Frames, Frames, Frames]:
    """Training frames, test frames, and test frames half of which have arms out.

    The last are the photographs that there are where nobody's arms can be raised.
    """
    size, share, whole = profile.image, variant.arms_out, variant.background
    half, few = 0.5, None if profile.test_pictures is None else profile.test_pictures // 2
    if poses["test"].pictures:
        half, few = OUT, profile.test_pictures
    return (
        take_frames(poses["train"], size, share, profile.pictures, whole),
        take_frames(poses["test"], size, share, profile.test_pictures, whole),
        take_frames(poses["test"], size, half, few, whole),
    )


class Trainer(Resumable):
    """Trains one variant. `step(i)` makes the i-th update and returns its losses, on the device.

    Arguments:
        variant, profile: what and how long.
        data: role -> {"train": Poses, "test": Poses}.
        seed: of the weights, the pairs and the batches.
    """

    test_roles = ("studio",)

    def __init__(self, variant: Variant, profile, data: dict, seed: int):
        torch.manual_seed(seed)
        self.variant, self.profile, self.data = variant, profile, data
        self.device = data["studio"]["train"].device
        self.precision = precision_name(self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.frames, self.test, self.more = take_all(variant, profile, data["studio"])
        pairs = pair(self.frames.clip, variant.pairs, self.generator)
        self.pairs, self.mirrored = mirrored_half(pairs, variant.flip)
        self._networks()
        self.steps = profile.supervised_steps if variant.supervised else profile.steps
        self.samples_per_step = profile.batch
        self.optimisers = {"all": torch.optim.Adam(self.model.parameters(), lr=profile.rate, fused=True)}
        self.parameters = count_parameters(self.model)
        self.shown: dict = {}
        self.looks: dict[str, float] = {}

    def _networks(self) -> None:
        """The model, what pictures are compared by, and how both begin."""
        profile, how = self.profile, torch.channels_last
        self.model = TemplateModel(self.variant, profile).to(self.device, memory_format=how)
        self.features = Perceptual(profile.perceptual).to(self.device, memory_format=how)
        self.initialisation = f"from scratch; {self.features.initialisation}"

    def rate(self, index: int) -> float:
        """The learning rate of a step."""
        if self.variant.schedule == "constant":
            return self.profile.rate
        return self.profile.rate * 0.5 * (1 + math.cos(math.pi * index / max(1, self.steps)))

    def batch(self) -> tuple[Tensor, Tensor]:
        """A batch of pairs: frames to draw and other frames (B, 3, S, S) in [0, 1]."""
        index = self.draw_index(len(self.pairs), self.profile.batch)
        pairs, mirrored = self.pairs[index], self.mirrored[index, None, None, None]
        frame, other = (self.frames.pictures(pairs[:, i]) for i in (0, 1))
        if self.variant.flip != "none":
            frame, other = (torch.where(mirrored, x.flip(-1), x) for x in (frame, other))
        return frame, other

    def losses(self, frame: Tensor, other: Tensor) -> dict[str, Tensor]:
        """The losses of a batch, by name, with their weights."""
        model = self.model
        posed = model.pose(frame)
        drawn = model.draw(other, model.maps(posed))
        found = self.reconstruction(drawn, frame)
        found["anchor"] = ANCHOR * sum(l_anchor(a, model.template.pairs) for a in posed.anchors)
        found["boundary"] = BOUNDARY * sum(l_boundary(a) for a in posed.anchors)
        return found

    def reconstruction(self, drawn: Tensor, frame: Tensor) -> dict[str, Tensor]:
        """The losses between what was drawn (normalised) and the frame that it should be."""
        variant, picture = self.variant, self.model.picture(drawn)
        found = {}
        if variant.mse:
            found["mse"] = (drawn - self.model.normalise(frame)).square().mean()
        if variant.ssim:
            l1 = (drawn - self.model.normalise(frame)).abs().mean()
            found["ssim"] = l1 + (1 - ms_ssim(picture, frame)).mean()
        if variant.perceptual or variant.dists:
            with autocast(self.device):
                with torch.no_grad():
                    target = self.features(frame, stages=True)
                made = self.features(picture, stages=True)
            if variant.perceptual:
                found["perceptual"] = self.features.errors(made, target).mean()
            if variant.dists:
                found["dists"] = dists([picture, *made], [frame, *target]).mean()
        return found

    def step(self, index: int) -> dict[str, Tensor]:
        """One update of all networks."""
        self.model.train()
        optimiser = self.optimisers["all"]
        optimiser.param_groups[0]["lr"] = self.rate(index)
        losses = self.losses(*self.batch())
        optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        if self.variant.gradient is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.variant.gradient)
        optimiser.step()
        self.shown.clear()
        for share in LOOKS:
            if index + 1 == round(share * self.steps):
                self.looks |= self.look(f"_{round(100 * share)}")
        return {name: loss.detach() for name, loss in losses.items()}

    @torch.no_grad()
    def look(self, suffix: str) -> dict[str, float]:
        """PDJ and reconstruction error now, on a few test frames; nothing is chosen by them."""
        count = min(LOOKED, len(self.test))
        some = torch.linspace(0, len(self.test) - 1, count, device=self.device).long()
        predicted = self.predict_keypoints(self.test, some)
        found = scores(predicted, self.test, some)
        error = diagnostics.reconstruction_errors(self, some)["rec_mse"]
        return {
            f"pdj{suffix}": float(found["pdj"].mean()),
            f"l2{suffix}": float(found["l2"].mean()),
            f"rec_mse{suffix}": float(error.mean()),
        }

    @torch.no_grad()
    def predict_keypoints(self, frames: Frames, index: Tensor) -> Tensor:
        """Keypoints (B, 15, 2) in crop coordinates of some frames."""
        self.model.eval()
        found = [self.model.pose(frames.pictures(some)).keypoints for some in index.split(CHUNK)]
        return torch.cat(found)

    def score(self, role: str) -> tuple[dict, Tensor]:
        """The metrics of the test frames of a role; see `yoo2023_diagnostics`."""
        return diagnostics.score(self)

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Diagnostics of a role, by name; there is nothing to keep of single clips."""
        return diagnostics.diagnose(self) | self.looks, {}

    def figures(self, role: str) -> dict[str, Tensor]:
        """Arrays that figures need."""
        return diagnostics.figures(self)

    def state_dict(self) -> dict:
        """All that a later call of `load_state_dict` needs to go on as if never stopped."""
        return super().state_dict() | {"looks": self.looks}

    def load_state_dict(self, state: dict) -> None:
        """Restores what `state_dict` gave."""
        super().load_state_dict(state)
        self.looks = dict(state["looks"])
