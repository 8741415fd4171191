r"""The networks of Yoo & Russakovsky 2023, and how their numbers become matrices of the template's parts."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lib.papers.yoo2023_template import (
    PARTS,
    Template,
    compose,
    keypoints,
    move,
    move_anchors,
    posed_maps,
    shape_template,
)
from lib.precision import autocast
from lib.resnet import IMAGENET_MEAN, IMAGENET_STD

__all__ = [
    "KeypointModel", "Posed", "PoseExtractor", "Reconstructor", "TemplateModel", "Viewer", "matrices",
    "outputs",
]  # fmt: skip

BEND, REACH, TURN = 2.0, 1.0, 3.2  # bounds of an entry of A - I, of a shift in crop units, of an angle
GROWTH = 0.7  # of the logarithm of the body's scale
# Coarse to fine: which output moves each part first (arm, forearm and hand share one), and which of the arms'
# parts moves alone after it
COARSE = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 9, 10, 11, 12, 9, 10, 13)
FINE = {9: 14, 11: 15, 15: 16, 10: 17, 12: 18, 16: 19}


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.01, inplace=True)
    )


class PoseExtractor(nn.Module):
    r""":math:`\Phi`: a picture to numbers, from which matrices are made.

    Arguments:
        widths: channels of the first layer and after each halving, down to 4 x 4 px in the paper.
        hidden: (channels of the last map, width of the dense layer); 256 and 512 in the paper.
        size: px of a picture.
        outputs: how many numbers.
        zero: start with a last layer of zeros, that is, with the untransformed template.
    """

    def __init__(self, widths, hidden: tuple[int, int], size: int, outputs: int, zero: bool = True):
        super().__init__()
        stages = [_block(3, widths[0])]
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            stages += [_block(before, before), _block(before, after, 2)]
        last = size // 2 ** (len(widths) - 1)
        if last < 1:
            raise ValueError(f"a picture of {size} px cannot be halved {len(widths) - 1} times")
        self.stages = nn.Sequential(*stages)
        self.narrow = nn.Sequential(
            nn.Conv2d(widths[-1], hidden[0], 1), nn.BatchNorm2d(hidden[0]), nn.LeakyReLU(0.01, inplace=True)
        )
        self.dense = nn.Sequential(
            nn.Linear(hidden[0] * last * last, hidden[1]), nn.BatchNorm1d(hidden[1]),
            nn.LeakyReLU(0.01, inplace=True),
        )  # fmt: skip
        self.head = nn.Linear(hidden[1], outputs)
        if zero:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, picture: Tensor) -> Tensor:
        """picture (N, 3, S, S), normalised -> (N, outputs), float32."""
        return self.head(self.dense(self.narrow(self.stages(picture)).flatten(1))).float()


class Reconstructor(nn.Module):
    r""":math:`\Psi`: another frame and the posed template's maps to the frame.

    Arguments:
        widths: channels of the first layer and after each halving, (32, 64, 128, 256) in the paper.
        skips: add the maps on the way down to those on the way up. The paper has none.
    """

    def __init__(self, widths, skips: bool = True):
        super().__init__()
        self.skips = skips
        self.first = _block(3 + len(PARTS), widths[0])
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.down = nn.ModuleList(nn.Sequential(_block(a, a), _block(a, b, 2)) for a, b in pairs)
        self.wide = nn.ModuleList(_block(b, b) for _, b in reversed(pairs))
        self.up = nn.ModuleList(_block(b, a) for a, b in reversed(pairs))
        self.last = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, other: Tensor, maps: Tensor) -> Tensor:
        """other (N, 3, S, S), normalised, and maps (N, 18, S, S) -> (N, 3, S, S), float32."""
        x = self.first(torch.cat([other, maps.to(other.dtype)], dim=1))
        seen = []
        for down in self.down:
            seen.append(x)
            x = down(x)
        for wide, up in zip(self.wide, self.up, strict=True):
            x = up(interpolate(wide(x), scale_factor=2.0, mode="bilinear"))
            skip = seen.pop()
            if self.skips:
                x = x + skip
        return self.last(x).float()


def outputs(variant) -> int:
    r"""How many numbers :math:`\Phi` gives."""
    parts = 20 if variant.coarse_to_fine else len(PARTS)
    if variant.constrained:
        return 3 * parts + (1 if variant.pivot == "part" else 2)
    return 6 * parts


def matrices(numbers: Tensor, template: Template, variant) -> list[Tensor]:
    r"""The matrices (N, 18, 2, 3) of every part after each step, from the numbers (N, outputs).

    One step, or two with coarse to fine: first whole arms, then arm, forearm and hand of them; what is
    returned of the second is the composed one. ``pivot`` "part" turns and stretches a part about its
    first anchor, where that lies by then, and bounds all numbers (ours); "corner" is the authors' way:
    about the picture's corner, unbounded, the identity added even to a rotation.
    """
    steps = 20 if variant.coarse_to_fine else len(PARTS)
    linear, shift, scale = _parts(numbers, steps, variant)
    first_linear = linear * scale[:, None, None, None]
    if not variant.coarse_to_fine:
        return [_about(first_linear, shift, template.pivot, variant.pivot)]
    first = list(COARSE)
    coarse = _about(first_linear[:, first], shift[:, first], _roots(template), variant.pivot)
    which = [FINE.get(part, 0) for part in range(len(PARTS))]
    still = torch.tensor([part not in FINE for part in range(len(PARTS))], device=numbers.device)
    eye = torch.eye(2, device=numbers.device)
    fine_linear = torch.where(still[:, None, None], eye, linear[:, which])
    fine_shift = torch.where(still[:, None], 0.0, shift[:, which])
    fine = _about(fine_linear, fine_shift, move(template.pivot, coarse), variant.pivot)
    return [coarse, compose(fine, coarse)]


def _roots(template: Template) -> Tensor:
    """(18, 2): where a part of the first step turns; forearm and hand turn with their arm."""
    arm = {11: 9, 15: 9, 12: 10, 16: 10}
    return template.pivot[[arm.get(part, part) for part in range(len(PARTS))]]


def _parts(numbers: Tensor, parts: int, variant) -> tuple[Tensor, Tensor, Tensor]:
    """A (N, K, 2, 2) and shifts (N, K, 2) in crop units of K matrices, and the body's scale (N,).

    The scale is for the first step alone, so that an arm is not scaled twice; the authors' two scales are
    within A, in both steps.
    """
    one = torch.ones_like(numbers[:, 0])
    about_part = variant.pivot == "part"
    if not variant.constrained:
        own = numbers.unflatten(1, (parts, 2, 3))
        linear, shift = own[..., :2], own[..., 2]
        if about_part:
            linear, shift = _within(linear, BEND), _within(shift, REACH)
        else:
            shift = 2 * shift  # the authors' unit is the picture's side
        return torch.eye(2, device=numbers.device) + linear, shift, one
    own, scale = numbers[:, : 3 * parts].unflatten(1, (parts, 3)), numbers[:, 3 * parts :]
    angle, shift = own[..., 0], own[..., 1:]
    if about_part:
        turn = _rotation(_within(angle, TURN))
        return turn, _within(shift, REACH), _within(scale[:, 0], GROWTH).exp()
    turn = _rotation(angle)
    shift = 2 * (turn * shift[..., None, :]).sum(-1)
    return torch.eye(2, device=numbers.device) + turn * scale[:, None, None, :], shift, one


def _within(numbers: Tensor, bound: float) -> Tensor:
    """Numbers in (-bound, bound), with slope 1 at 0."""
    return bound * torch.tanh(numbers / bound)


def _rotation(angle: Tensor) -> Tensor:
    """(..., 2, 2), with the signs of the authors' code."""
    c, s = angle.cos(), angle.sin()
    return torch.stack([c, s, -s, c], dim=-1).unflatten(-1, (2, 2))


def _about(linear: Tensor, shift: Tensor, pivot: Tensor, where: str) -> Tensor:
    """Matrices (N, P, 2, 3) that apply A about a point and then shift."""
    pivot = torch.full_like(pivot, -1.0) if where == "corner" else pivot
    moved = (linear * pivot[..., None, :]).sum(-1)
    return torch.cat([linear, (pivot - moved + shift)[..., None]], dim=-1)


@dataclass(frozen=True)
class Posed:
    """The template posed: matrices (N, 18, 2, 3) and anchors (N, 32, 2) after each step, keypoints
    (N, 15, 2) of the last."""

    matrices: list[Tensor]
    anchors: list[Tensor]
    keypoints: Tensor


class Viewer(nn.Module):
    """A network that is shown pictures in [0, 1] and sees them normalised as ImageNet's."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)

    def normalise(self, picture: Tensor) -> Tensor:
        """Pictures as the networks see them."""
        shown = (picture - self.mean) / self.std
        return shown.contiguous(memory_format=torch.channels_last)


class KeypointModel(Viewer):
    r""":math:`\Phi` without a template: its numbers are keypoints, about ``middle`` (15, 2).

    `profile` has image, phi and hidden.
    """

    def __init__(self, profile, middle: Tensor):
        super().__init__()
        self.phi = PoseExtractor(profile.phi, profile.hidden, profile.image, middle.numel())
        self.register_buffer("middle", middle, persistent=False)

    def forward(self, picture: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to keypoints (N, 15, 2) in crop coordinates."""
        with autocast(picture.device):
            numbers = self.phi(self.normalise(picture))
        return self.middle + numbers.unflatten(1, self.middle.shape)


class TemplateModel(Viewer):
    r""":math:`\Phi`, the template and :math:`\Psi`; `profile` has image, phi, hidden and psi."""

    template: Template

    def __init__(self, variant, profile):
        super().__init__()
        self.variant, self.size = variant, profile.image
        self.template = shape_template(variant.template)
        self.phi = PoseExtractor(
            profile.phi, profile.hidden, profile.image, outputs(variant), variant.zero_start
        )
        self.psi = Reconstructor(profile.psi, variant.skips)

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self.template = self.template.to(self.mean.device)
        return self

    def pose(self, picture: Tensor) -> Posed:
        r"""What :math:`\Phi` makes of pictures (N, 3, S, S)."""
        with autocast(picture.device):
            numbers = self.phi(self.normalise(picture))
        return self.posed(numbers)

    def posed(self, numbers: Tensor) -> Posed:
        """The template posed by numbers (N, outputs)."""
        found = matrices(self.variant.output_scale * numbers, self.template, self.variant)
        anchors = [move_anchors(self.template, m) for m in found]
        return Posed(found, anchors, keypoints(self.template, anchors[-1]))

    def maps(self, posed: Posed) -> Tensor:
        r""":math:`T^*` (N, 18, S, S)."""
        return posed_maps(self.template, posed.matrices[-1], self.size)

    def draw(self, other: Tensor, maps: Tensor) -> Tensor:
        r"""What :math:`\Psi` draws, normalised (N, 3, S, S), from other frames and the template's maps."""
        with autocast(other.device):
            return self.psi(self.normalise(other), maps)

    def picture(self, drawn: Tensor) -> Tensor:
        """What is drawn, back in [0, 1] (not clamped)."""
        return drawn * self.std + self.mean
