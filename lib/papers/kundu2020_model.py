r"""The networks of Kundu et al., AAAI 2020: :math:`E_P`, :math:`E_A` and :math:`D_I`.

The pose encoder normalises over the batch, as the paper's ResNet does: which pictures share its batch
matters, and a row of the tables measures how much.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from lib.kinematics import (
    PARAMETERS,
    camera_rotation,
    forward_kinematics,
    inverse_kinematics,
    project_constant,
    project_fitted,
)
from lib.papers.kundu2020_data import MARGIN
from lib.precision import autocast
from lib.rasterize import joint_heatmaps, limb_affinity_maps
from lib.resnet import IMAGENET_MEAN, IMAGENET_STD, ResNetTrunk, imagenet_weights
from lib.skeleton import HUMAN36M_17

__all__ = [
    "AppearanceEncoder", "COLOURS", "Encoded", "Model", "PoseEncoder", "conv_layer", "frozen_statistics",
    "standing",
]  # fmt: skip

JOINTS = len(HUMAN36M_17)
COLOURS = 8  # of a palette
LIMBS = HUMAN36M_17.bones
REACH = 0.4  # alpha: deviation of a limb's Gaussian along it, in lengths
# Half widths in crop coordinates; the paper fixes them "from prior knowledge of the limb width".
_ARMS = ("elbow", "wrist")
_LEGS = ("knee", "ankle", "nose", "head")
WIDTHS = tuple(
    0.05 if name.endswith(_ARMS) else 0.065 if name.endswith(_LEGS) else 0.09
    for name in (HUMAN36M_17.joints[child] for _, child in LIMBS)
)  # fmt: skip
SIGMA = 0.07  # of the heat maps, in crop coordinates


@dataclass(frozen=True)
class Encoded:
    """What the pose encoder says of N pictures.

    parameters (N, 40), camera (N, 6), joints (N, 17, 3) canonical, turned (N, 17, 3) the same in camera axes,
    points (N, 17, 2) in crop coordinates.
    """

    parameters: Tensor
    camera: Tensor
    joints: Tensor
    turned: Tensor
    points: Tensor

    def __getitem__(self, index) -> "Encoded":
        return Encoded(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def conv_layer(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """A convolution that keeps the size but for its stride, normalised over the batch, then ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            conv_layer(inputs, outputs, stride),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        same = inputs == outputs and stride == 1
        self.past = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.past(x))


def standing(frames: str) -> Tensor:
    """Parameters (40,) of a standing person with hanging arms: where the encoder starts from."""
    places = {
        "right_hip": (0, -0.25, 0), "right_knee": (0.05, -0.25, -0.95), "right_ankle": (-0.05, -0.25, -1.9),
        "spine": (0, 0, 0.5), "thorax": (0, 0, 1.0), "nose": (0.05, 0, 1.25), "head": (0.05, 0, 1.5),
        "right_shoulder": (0, -0.35, 0.95), "right_elbow": (0, -0.45, 0.4), "right_wrist": (0.1, -0.5, -0.1),
    }  # fmt: skip
    pose = torch.zeros(1, JOINTS, 3)
    for name, place in places.items():
        pose[0, HUMAN36M_17.index(name)] = torch.tensor(place)
        if name.startswith("right"):
            left = HUMAN36M_17.index(name.replace("right", "left"))
            pose[0, left] = torch.tensor(place) * torch.tensor([1.0, -1.0, 1.0])
    return inverse_kinematics(pose, frames)[0]


class PoseEncoder(nn.Module):
    """Pictures (N, 3, S, S) to the raw pose code and camera.

    A trunk (a small residual network, or a ResNet up to its third stage), one layer that narrows it, and two
    branches of dense layers.
    """

    def __init__(self, profile, code: int, camera: int = 6):
        super().__init__()
        if profile.encoder == "small":
            widths = profile.encoder_widths
            self.trunk = nn.Sequential(
                conv_layer(3, widths[0], 2, 5),
                *(_Residual(a, b, 2) for a, b in zip(widths, widths[1:], strict=False)),
                _Residual(widths[-1], widths[-1], 1),
            )
            channels, stride = widths[-1], 2 ** len(widths)
            self.initialisation = "from scratch"
        else:
            self.trunk = ResNetTrunk(profile.encoder)
            channels, stride = self.trunk.channels, self.trunk.stride
            weights = imagenet_weights(profile.encoder)
            if weights is not None:
                self.trunk.load_state_dict(weights)
            self.initialisation = "from scratch" if weights is None else "ImageNet"
        self.narrow = conv_layer(channels, profile.narrow, 1, 1)
        features = profile.narrow * (profile.image // stride) ** 2
        hidden = profile.hidden
        self.pose = nn.Sequential(
            nn.Linear(features, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, code),
        )
        self.camera = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, camera))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)
        with torch.no_grad():
            self.pose[-1].weight.mul_(0.1)
            self.camera[-1].bias.zero_()
            self.camera[-1].bias[:6] = torch.tensor([0.0, 0.3, 0.0, 1.0, 0.0, 1.0])

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        with autocast(pictures.device):
            x = self.narrow(self.trunk((pictures - self.mean) / self.std)).flatten(1)
            return self.pose(x).float(), self.camera(x).float()


class AppearanceEncoder(nn.Module):
    """Pictures to appearance: a map (N, C, S / 4, S / 4) by 10 convolutions, or a palette (N, 3 COLOURS).

    A palette (ours) is colours of the picture, each averaged under attention of its own: it cannot say where
    anything is, so that no pose leaks through it, and colours need not be learned, only where to look.
    """

    def __init__(self, widths: tuple[int, ...], channels: int, form: str):
        super().__init__()
        if form not in ("map", "palette"):
            raise ValueError(f"appearance is a map or a palette, not {form!r}")
        self.form = form
        a, b, c = widths
        if form == "map":
            self.body = nn.Sequential(
                conv_layer(3, a), conv_layer(a, a, 2), conv_layer(a, b), conv_layer(b, b),
                conv_layer(b, b, 2), conv_layer(b, c), conv_layer(c, c), conv_layer(c, c),
                conv_layer(c, c), conv_layer(c, channels),
            )  # fmt: skip
        else:
            self.body = nn.Sequential(
                conv_layer(3, a, 2), conv_layer(a, b, 2), conv_layer(b, c), conv_layer(c, c),
                nn.Conv2d(c, COLOURS, 1),
            )

    def forward(self, pictures: Tensor, person: Tensor | None = None) -> Tensor:
        """Appearance of pictures (N, 3, S, S); a palette looks at the person (N, 1, S, S) alone, if given."""
        with autocast(pictures.device):
            x = self.body(2 * pictures - 1)
        if self.form == "map":
            return x.float()
        reduce = pictures.shape[-1] // x.shape[-1]
        x = x.float()
        if person is not None:
            x = x + avg_pool2d(person, reduce).clamp_min(1e-3).log()
        attention = torch.softmax(x.flatten(2), dim=-1)
        small = avg_pool2d(pictures, reduce).flatten(2)
        return (attention @ small.mT).flatten(1)


class Decoder(nn.Module):
    r""":math:`D_I`: maps (N, M, s, s), appearance and background (N, 3, S, S) to a picture, S = 2 s.

    fusion: "late", the background's features join at the last layers, as the paper has it; "composite", the
    decoder gives a person and a mask, which are laid over the background (ours). A palette's colours are
    chosen pixel by pixel.
    """

    def __init__(self, maps: int, appearance: int, widths: tuple[int, int, int], fusion: str, palette: bool):
        super().__init__()
        if fusion not in ("late", "composite"):
            raise ValueError(f"fusion is late or composite, not {fusion!r}")
        a, b, c = widths
        self.palette = palette
        self.squeeze = nn.Sequential(conv_layer(maps, a), conv_layer(a, b, 2))  # f_2D
        self.middle = nn.Sequential(conv_layer(b + appearance, b), conv_layer(b, b))
        self.fine = conv_layer(b + a, c)
        self.behind = nn.Sequential(conv_layer(3, 16), conv_layer(16, 16)) if fusion == "late" else None
        self.up = nn.Sequential(nn.Conv2d(c, 4 * 16, 3, 1, 1), nn.PixelShuffle(2), nn.ReLU())
        extra, colours = (16, 0) if fusion == "late" else (0, 1)
        self.last = nn.Conv2d(16 + extra, (COLOURS if palette else 3) + colours, 3, 1, 1)
        if fusion == "late":  # a layer between, without which a person could not hide what is behind
            self.last = nn.Sequential(conv_layer(16 + extra, 16 + extra), self.last)

    def forward(self, maps: Tensor, appearance: Tensor, background: Tensor) -> tuple[Tensor, Tensor | None]:
        with autocast(maps.device):
            near = self.squeeze[0](maps)
            x = self.squeeze[1](near)
            code = appearance
            if self.palette:
                code = code[:, :, None, None].expand(-1, -1, *x.shape[-2:])
            x = self.middle(torch.cat([x, code.to(x.dtype)], dim=1))
            x = interpolate(x, scale_factor=2, mode="nearest")
            x = self.up(self.fine(torch.cat([x, near], dim=1)))
            if self.behind is not None:
                x = torch.cat([x, self.behind(2 * background - 1)], dim=1)
            x = self.last(x)
        x = x.float()
        mask = None
        if self.behind is None:
            x, mask = x[:, :-1], torch.sigmoid(x[:, -1:] - 1)
        if self.palette:
            colours = appearance.unflatten(1, (COLOURS, 3)).mT
            person = (colours @ torch.softmax(x, dim=1).flatten(2)).unflatten(-1, x.shape[-2:])
        else:
            person = torch.sigmoid(x)
        return (person, None) if mask is None else (mask * person + (1 - mask) * background, mask)


class Model(nn.Module):
    """All networks of one variant.

    Arguments:
        variant: its `pose` is "kinematic" (:math:`T_{fk}`), "free" (a dense network gives canonical joints)
            or "landmarks" (it gives 2D points); its `maps` are "both", "heat" (no limbs) or "network"; its
            `camera` is "fitted" or "constant".
        lengths: (17,) bone ratios of the prior.
    """

    def __init__(self, variant, profile, lengths: Tensor):
        super().__init__()
        self.variant, self.map_size = variant, profile.image // 2
        self.encoder = PoseEncoder(profile, PARAMETERS)
        self.appearance = AppearanceEncoder(profile.appearance_widths, profile.appearance, variant.appearance)
        palette = variant.appearance == "palette"
        code = 3 * COLOURS if palette else profile.appearance
        maps = JOINTS + len(LIMBS)
        self.decoder = Decoder(maps, code, profile.decoder_widths, variant.fusion, palette)
        self.register_buffer("lengths", lengths.clone())
        self.register_buffer("standing", standing(variant.frames))
        if variant.pose != "kinematic":
            outputs = JOINTS * (3 if variant.pose == "free" else 2)
            self.bypass = nn.Sequential(nn.Linear(PARAMETERS, 256), nn.ReLU(), nn.Linear(256, outputs))
        if variant.maps == "network":
            side = self.map_size // 4
            self.drawer = nn.Sequential(
                nn.Linear(2 * JOINTS, 32 * side**2), nn.ReLU(), nn.Unflatten(1, (32, side, side)),
                nn.Upsample(scale_factor=2), conv_layer(32, 32), nn.Upsample(scale_factor=2),
                nn.Conv2d(32, JOINTS + len(LIMBS), 3, 1, 1),
            )  # fmt: skip

    def encode_pose(self, pictures: Tensor) -> Encoded:
        """Pictures (N, 3, S, S) in [0, 1] to poses."""
        code, camera = self.encoder(pictures)
        parameters = self.standing + code
        rotation = camera_rotation(camera)
        if self.variant.pose == "landmarks":
            points = torch.tanh(self.bypass(code)).unflatten(-1, (JOINTS, 2))
            flat = torch.cat([points, torch.zeros_like(points[..., :1])], dim=-1)
            flat = flat - flat[:, :1]
            return Encoded(parameters, camera, flat @ rotation, flat, points)
        if self.variant.pose == "free":
            rest = forward_kinematics(self.standing[None], self.lengths, self.variant.frames)
            joints = rest + self.bypass(code).unflatten(-1, (JOINTS, 3))
            joints = joints - joints[:, :1]
        else:
            joints = forward_kinematics(parameters, self.lengths, self.variant.frames)
        return Encoded(parameters, camera, joints, *self._seen(joints, rotation))

    def _seen(self, joints: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
        fitted = self.variant.camera == "fitted"
        projected = project_fitted(joints, rotation, MARGIN) if fitted else project_constant(joints, rotation)
        return projected.joints, projected.points

    def pose(self, parameters: Tensor, camera: Tensor) -> Encoded:
        """Poses of given parameters (N, 40) and cameras (N, 6), by T_fk and T_c."""
        joints = forward_kinematics(parameters, self.lengths, self.variant.frames)
        return Encoded(parameters, camera, joints, *self._seen(joints, camera_rotation(camera)))

    def encode_appearance(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) in [0, 1] to f_a."""
        return self.appearance(pictures)

    def maps(self, points: Tensor) -> Tensor:
        """T_m: maps (N, 33, s, s) of points (N, 17, 2): 17 heat maps and 16 limb affinity maps."""
        if self.variant.maps == "network":
            with autocast(points.device):
                return self.drawer(points.flatten(1)).float()
        heat = joint_heatmaps(points, self.map_size, SIGMA)
        if self.variant.maps == "heat":
            return torch.cat([heat, heat.new_zeros(len(heat), len(LIMBS), *heat.shape[2:])], dim=1)
        limbs = limb_affinity_maps(points, LIMBS, self.map_size, WIDTHS, REACH, vectors=False)
        return torch.cat([heat, limbs], dim=1)

    def draw(self, points: Tensor, appearance: Tensor, background: Tensor) -> tuple[Tensor, Tensor | None]:
        """A person with this pose and appearance before a background: picture (N, 3, S, S), mask or None."""
        return self.decoder(self.maps(points), appearance, background)


class frozen_statistics:
    """A context in which batch normalisation normalises by its batch but remembers nothing of it."""

    def __init__(self, network: nn.Module):
        self.layers = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]

    def __enter__(self) -> None:
        self.momentum = [layer.momentum for layer in self.layers]
        for layer in self.layers:
            layer.momentum = 0.0

    def __exit__(self, *problem) -> None:
        for layer, momentum in zip(self.layers, self.momentum, strict=True):
            layer.momentum = momentum
