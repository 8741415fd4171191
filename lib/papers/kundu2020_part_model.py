r"""The networks of Kundu et al., CVPR 2020: an encoder to pose, camera and appearance, a part-guided decoder.

Between them stand :math:`T = T_s \circ T_c \circ T_{fk}`, which have no parameters.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle

from lib.kinematics import (
    DISTANCE,
    FOCAL,
    PARAMETERS,
    camera_parameters,
    camera_rotation,
    canonical,
    fit_box,
    forward_kinematics,
    inverse_kinematics,
)
from lib.papers.kundu2020_data import MARGIN
from lib.papers.kundu2020_model import COLOURS, AppearanceEncoder, PoseEncoder, conv_layer, standing
from lib.precision import autocast
from lib.puppet import (
    PARTS,
    Template,
    deform,
    landmarks,
    order,
    order_printed,
    segment,
    shape_depths,
    template,
)
from lib.skeleton import HUMAN36M_17

__all__ = ["GREY", "PartModel", "Parts", "Seen", "figure", "translation", "with_azimuth"]

JOINTS = len(HUMAN36M_17)
GREY = 0.5  # b: what a person is laid over where a loss compares people alone
POSED = 6.0  # logit of a part where the posed puppet shows it
SIDE, NEARER = 0.3, 0.4  # bounds of the translation: of the half field, of the distance


@dataclass(frozen=True)
class Seen:
    """Poses and how a camera sees them; N pictures, M landmarks of the puppet.

    parameters (N, 40), camera (N, 9): 3 pairs of sine and cosine, 3 translations before their bounds. joints
    (N, 17, 3) canonical, turned (N, 17, 3) the same in camera axes; points (N, M, 2) in crop coordinates,
    depth (N, M) in trunks beyond the pelvis, scale (N,) crop units a trunk.
    """

    parameters: Tensor
    camera: Tensor
    joints: Tensor
    turned: Tensor
    points: Tensor
    depth: Tensor
    scale: Tensor

    def __getitem__(self, index) -> "Seen":
        return Seen(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: list["Seen"]) -> "Seen":
        """Several, one after the other."""
        return cls(*(torch.cat([getattr(p, name) for p in parts]) for name in cls.__dataclass_fields__))

    def still(self) -> "Seen":
        """The same without gradients."""
        return Seen(*(getattr(self, name).detach() for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Parts:
    r"""Part maps of N poses at S x S px.

    phi_p (N, P, S, S), their maximum w_fg and that of :math:`\psi_p`, w_unc (N, S, S); phi_d (N, P, S, S)
    after depth order, with one more, the background's, where the order is the printed one.
    """

    template: Template
    phi_p: Tensor
    w_fg: Tensor
    w_unc: Tensor
    phi_d: Tensor

    @cached_property
    def labels(self) -> Tensor:
        """The segmentation :math:`y^p` (N, S, S) uint8."""
        if self.phi_d.shape[1] == len(self.template):
            return segment(self.template, self.phi_d)
        owner = torch.tensor([*(o + 1 for o in self.template.owner), 0], device=self.phi_d.device)
        return owner.to(torch.uint8)[self.phi_d.argmax(1)]


def figure(logits: Tensor) -> Tensor:
    """Probability (N, 1, S, S) of the person, of segmentation logits (N, 11, S, S), background first."""
    return 1 - torch.softmax(logits, dim=1)[:, :1]


class PartDecoder(nn.Module):
    r"""Part maps (N, P, s, s) and an appearance to a picture and a segmentation of twice the size.

    Both heads share all but the last layer, which the part maps join again. A palette's colours are chosen
    pixel by pixel.

    Arguments:
        owner: label of each of the P maps, 0 for background.
        appearance: numbers of the code. widths: channels. palette: whether the code is one.
        gain: of the maps as logits that the segmentation starts from (ours); 0 for none.
    """

    def __init__(
        self,
        owner: tuple[int, ...],
        appearance: int,
        widths: tuple[int, int, int],
        palette: bool,
        gain: float,
    ):
        super().__init__()
        maps = len(owner)
        self.gain = gain
        part = torch.zeros(len(PARTS) + 1, maps)
        part[list(owner), range(maps)] = 1.0
        self.register_buffer("part", part, persistent=False)
        a, b, c = widths
        self.palette = palette
        self.colours = COLOURS if palette else 3
        self.near = conv_layer(maps, a)
        self.far = conv_layer(a, b, 2)
        self.middle = nn.Sequential(conv_layer(b + appearance, b), conv_layer(b, b))
        self.fine = conv_layer(b + a, c)
        self.last = conv_layer(c, c)
        # each pixel of the maps becomes four of the picture
        self.heads = nn.Conv2d(c + maps, 4 * (self.colours + len(PARTS) + 1), 1)
        with torch.no_grad():
            self.heads.bias[4 * self.colours : 4 * self.colours + 4] += 1.0  # most is background

    def forward(self, maps: Tensor, appearance: Tensor) -> tuple[Tensor, Tensor]:
        with autocast(maps.device):
            near = self.near(maps)
            x, code = self.far(near), appearance
            if self.palette:
                code = code[:, :, None, None].expand(-1, -1, *x.shape[-2:])
            x = self.middle(torch.cat([x, code.to(x.dtype)], dim=1))
            x = interpolate(x, scale_factor=2, mode="nearest")
            x = self.last(self.fine(torch.cat([x, near], dim=1)))
            x = self.heads(torch.cat([x, maps.to(x.dtype)], dim=1))
        image, logits = pixel_shuffle(x.float(), 2).split([self.colours, len(PARTS) + 1], dim=1)
        if self.gain:
            posed = (self.part @ maps.flatten(2)).unflatten(-1, maps.shape[-2:])
            posed = torch.cat([posed[:, :1] + 1 - posed.sum(1, keepdim=True), posed[:, 1:]], dim=1)
            wide = interpolate(posed, scale_factor=2, mode="bilinear", align_corners=False)
            logits = logits + self.gain * wide
        if self.palette:
            palette = appearance.unflatten(1, (COLOURS, 3)).mT
            return (palette @ torch.softmax(image, dim=1).flatten(2)).unflatten(-1, image.shape[-2:]), logits
        return torch.sigmoid(image), logits


class PartModel(nn.Module):
    """All networks of one variant, and the transformations between them.

    Arguments:
        variant: its `pose` is "kinematic" (T_fk) or "free" (a dense network gives joints in camera axes);
            `camera` "fitted" or "bounded"; `shape` the template's kind; `thick` whether limbs keep their
            width; `order` "mended", "none" or "printed"; `uncertain` whether there are rings;
            `appearance` a "palette" or a "map"; `frames` those of T_fk.
        lengths: (17,) bone ratios of the prior.
    """

    def __init__(self, variant, profile, lengths: Tensor):
        super().__init__()
        self.variant, self.size = variant, profile.image
        self.encoder = PoseEncoder(profile, PARAMETERS, 9)
        self.appearance = AppearanceEncoder(profile.appearance_widths, profile.appearance, variant.appearance)
        self.template = template(variant.shape)
        palette = variant.appearance == "palette"
        code = 3 * COLOURS if palette else profile.appearance
        owner = (*(o + 1 for o in self.template.owner), *[0] * (variant.order == "printed"))
        gain = POSED if variant.residual else 0.0
        self.decoder = PartDecoder(owner, code, profile.decoder_widths, palette, gain)
        self.register_buffer("lengths", lengths.clone())
        self.register_buffer("standing", standing(variant.frames))
        self.register_buffer("ahead", torch.tensor([[0.0, 1.0, 0.0, 1.0, 0.0, 1.0]]))
        if variant.pose == "free":
            self.bypass = nn.Sequential(nn.Linear(PARAMETERS, 256), nn.ReLU(), nn.Linear(256, JOINTS * 3))

    def _apply(self, fn):
        super()._apply(fn)
        self.template = self.template.to(self.lengths.device)
        return self

    def readers(self) -> list[nn.Parameter]:
        """The parameters of E: all but the decoder's."""
        return [p for name, p in self.named_parameters() if not name.startswith("decoder.")]

    def encode_pose(self, pictures: Tensor) -> Seen:
        """Pictures (N, 3, S, S) in [0, 1] to poses."""
        code, camera = self.encoder(pictures)
        parameters = self.standing + code
        if self.variant.pose == "kinematic":
            return self.pose(parameters, camera)
        rest = forward_kinematics(self.standing[None], self.lengths, self.variant.frames)
        turned = rest @ camera_rotation(self.ahead).mT
        turned = turned + self.bypass(code).unflatten(-1, (JOINTS, 3))
        turned = turned - turned[:, :1]
        joints, R = canonical(turned)
        camera = torch.cat([camera_parameters(R).detach(), camera[:, 6:]], dim=1)
        return self._seen(parameters, camera, joints, turned)

    def pose(self, parameters: Tensor, camera: Tensor) -> Seen:
        """:math:`T_{fk}` and :math:`T_c` of parameters (N, 40) and cameras (N, 9)."""
        joints = forward_kinematics(parameters, self.lengths, self.variant.frames)
        return self._seen(parameters, camera, joints, joints @ camera_rotation(camera[:, :6]).mT)

    def labels(self, poses: Tensor) -> Seen:
        """Poses (N, 17, 3) of any unit in camera axes, retargeted to the model's bone ratios.

        The camera stands where the crop is filled as crops are.
        """
        parameters = inverse_kinematics(poses, self.variant.frames)
        joints = forward_kinematics(parameters, self.lengths, self.variant.frames)
        return self.facing(parameters, joints, canonical(poses)[1])

    def facing(self, parameters: Tensor, joints: Tensor, R: Tensor) -> Seen:
        """Canonical joints (N, 17, 3) seen under rotations (N, 3, 3), the crop filled as crops are."""
        turned = joints @ R.mT
        camera = torch.cat([camera_parameters(R), translation(turned)], dim=1)
        return self._seen(parameters, camera, joints, turned)

    def _seen(self, parameters: Tensor, camera: Tensor, joints: Tensor, turned: Tensor) -> Seen:
        body = landmarks(turned)
        if self.variant.camera == "bounded":
            t = torch.tanh(camera[:, None, 6:])
            shift = SIDE * DISTANCE / FOCAL * t[..., :2]
            away = DISTANCE * (1 + NEARER * t[..., 2:])
            plane = (body[..., :2] + shift) / (body[..., 2:] + away).clamp_min(1.0)
            points, scale = FOCAL * plane, FOCAL / away[:, 0, 0]
        else:
            # nobody reaches the camera, but networks at their start may try
            plane = body[..., :2] / (body[..., 2:] + DISTANCE).clamp_min(1.0)
            points = fit_box(plane, MARGIN, JOINTS)
            extent = (plane[:, :JOINTS].amax(1) - plane[:, :JOINTS].amin(1)).amax(-1).clamp_min(1e-3)
            scale = 2 / MARGIN / extent / DISTANCE
        return Seen(parameters, camera, joints, turned, points, body[..., 2], scale)

    def encode_appearance(self, pictures: Tensor, person: Tensor | None = None) -> Tensor:
        """Pictures (N, 3, S, S) in [0, 1], and where the person is (N, 1, S, S) if that is known, to a."""
        return self.appearance(pictures, person)

    def parts(self, seen: Seen, size: int) -> Parts:
        """:math:`T_s`: part maps of poses at size x size px."""
        variant, shape = self.variant, self.template
        phi, psi = deform(shape, seen.points, size, seen.scale if variant.thick else None)
        unknown = psi.amax(1) if variant.uncertain else torch.zeros_like(psi[:, 0])
        depth = shape_depths(shape, seen.depth)
        if variant.order == "printed":
            hidden = order_printed(phi, (depth + DISTANCE).clamp_min(1.0))
        else:
            hidden = order(phi, depth if variant.order == "mended" else None)
        return Parts(shape, phi, phi.amax(1), unknown, hidden)

    def draw(self, phi_d: Tensor, appearance: Tensor) -> tuple[Tensor, Tensor]:
        """A person of part maps (N, P, S / 2, S / 2): picture (N, 3, S, S), segmentation logits (N, 11, S,
        S)."""
        return self.decoder(phi_d, appearance)

    def exchanged(self, phi_d: Tensor) -> Tensor:
        """Part maps with the channels of left and right exchanged."""
        names = self.template.names
        swap = {"left": "right", "right": "left"}
        to = [
            names.index("_".join([swap[n.split("_")[0]], *n.split("_")[1:]]))
            if n.split("_")[0] in swap
            else i
            for i, n in enumerate(names)
        ]
        return phi_d[:, [*to, *range(len(names), phi_d.shape[1])]]


def translation(turned: Tensor) -> Tensor:
    """Translations (N, 3), before their bounds, that centre joints (N, 17, 3) and fill the crop."""
    low, high = turned[..., :2].amin(1), turned[..., :2].amax(1)
    shift = -(low + high) / 2 * FOCAL / DISTANCE / SIDE
    away = FOCAL * MARGIN * (high - low).amax(-1, keepdim=True) / 2 / DISTANCE - 1
    return torch.atanh(torch.cat([shift, away / NEARER], dim=1).clamp(-0.99, 0.99))


def with_azimuth(seen: Seen, model: PartModel, angle: Tensor) -> Seen:
    """The same poses from cameras that went around the person by angles (N,)."""
    sine, cosine = torch.sin(angle), torch.cos(angle)
    s, c = (seen.camera[:, :2] / seen.camera[:, :2].norm(dim=1, keepdim=True).clamp_min(1e-4)).unbind(1)
    azimuth = torch.stack([s * cosine + c * sine, c * cosine - s * sine], dim=1)
    camera = torch.cat([azimuth, seen.camera[:, 2:]], dim=1)
    if model.variant.pose == "kinematic":
        return model.pose(seen.parameters, camera)
    return model.facing(seen.parameters, seen.joints, camera_rotation(camera[:, :6]))
