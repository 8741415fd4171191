"""Networks that several papers share: lifters from 2D to 3D, a discriminator, a scale estimator.

Every network takes plain tensors and returns plain tensors; none of them knows a data set, a loss or
a file. Widths and depths are arguments, so that a profile changes the size and never the method.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

__all__ = [
    "Dropout",
    "InputBlock",
    "DepthLifter",
    "PoseDiscriminator",
    "ScaleEstimator",
    "ResidualLifter",
    "TemporalLifter",
    "ElevationLifter",
    "count_parameters",
]


def count_parameters(*modules: nn.Module) -> int:
    """Number of trainable scalars in the given modules."""
    return sum(p.numel() for module in modules for p in module.parameters() if p.requires_grad)


class Dropout(nn.Module):
    """Dropout whose mask is cut from random 64-bit words, a byte a feature.

    The same as `torch.nn.Dropout` with the probability rounded to 1/256; on a CPU the random numbers
    of the usual one take a quarter of a lifter's training step.

    Arguments:
        probability: share of features set to zero in training; the others grow by 1 / (1 - p).
    """

    def __init__(self, probability: float):
        super().__init__()
        self.threshold = round(256 * probability)
        if not 0 <= self.threshold < 256:
            raise ValueError(f"a dropout probability lies in [0, 1), not {probability}")

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape; the identity in evaluation."""
        if not self.training or self.threshold == 0:
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)
        keep = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return x * (keep.to(x.dtype) * (256 / (256 - self.threshold)))


def _dense(inputs: int, outputs: int, batch_norm: bool, dropout: float) -> list[nn.Module]:
    norm = [nn.BatchNorm1d(outputs)] if batch_norm else []
    return [nn.Linear(inputs, outputs), *norm, nn.ReLU(), Dropout(dropout)]


class InputBlock(nn.Module):
    """Two dense layers beside a shortcut that sees the raw input again.

    out = main(x) + W [x ; input] with W in two parts. The shortcut is a learned layer, not the identity:
    the flattened 2D pose enters every block anew (Yu et al., ICCV 2021, as their code has it).

    Arguments:
        width: features of x and of the result.
        inputs: features of the raw input.
        batch_norm: whether the two layers normalise over the batch.
        dropout: share of features dropped after each layer.
    """

    def __init__(self, width: int, inputs: int, batch_norm: bool = True, dropout: float = 0.25):
        super().__init__()
        self.main = nn.Sequential(
            *_dense(width, width, batch_norm, dropout), *_dense(width, width, batch_norm, dropout)
        )
        self.shortcut = nn.Linear(width, width)
        self.again = nn.Linear(inputs, width, bias=False)

    def forward(self, x: Tensor, inputs: Tensor) -> Tensor:
        """x (N, width), inputs (N, inputs) -> (N, width)."""
        return self.main(x) + self.shortcut(x) + self.again(inputs)


class DepthLifter(nn.Module):
    r"""Lifting network :math:`\Phi_G`: one depth offset a joint from a 2D pose (Yu et al. 2021).

    A dense layer, then `blocks` blocks of which the last is the depth branch. The last layer starts
    small, so that training begins near the flat lift, where max(1, D + d) of Eq. 7 has a gradient.

    Arguments:
        joints: number of joints J.
        width: features of a hidden layer (1024 in the paper).
        blocks: residual blocks (5 in the paper).
        dropout: share of features dropped.
    """

    def __init__(self, joints: int = 17, width: int = 1024, blocks: int = 5, dropout: float = 0.25):
        super().__init__()
        self.stem = nn.Sequential(*_dense(2 * joints, width, True, dropout))
        self.blocks = nn.ModuleList(
            InputBlock(width, 2 * joints, dropout=dropout) for _ in range(blocks)
        )
        self.head = nn.Linear(width, joints)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, pose: Tensor) -> Tensor:
        """pose (N, J, 2), normalised -> depth offsets d (N, J), in units of the head-root length."""
        inputs = pose.flatten(1)
        x = self.stem(inputs)
        for block in self.blocks:
            x = block(x, inputs)
        return self.head(x).float()


class PoseDiscriminator(nn.Module):
    r"""Discriminator :math:`\Phi_D` of 2D poses, least-squares scores, no batch norm (Yu et al. 2021).

    Arguments:
        inputs: numbers a sample, 2 J for a pose and 4 J for a pose with its displacement.
        width: features of a hidden layer.
        blocks: residual blocks (2 in the paper).
        dropout: share of features dropped.
    """

    def __init__(self, inputs: int = 34, width: int = 1024, blocks: int = 2, dropout: float = 0.25):
        super().__init__()
        self.stem = nn.Sequential(*_dense(inputs, width, False, dropout))
        self.blocks = nn.ModuleList(
            InputBlock(width, inputs, batch_norm=False, dropout=dropout) for _ in range(blocks)
        )
        self.head = nn.Linear(width, 1)

    def forward(self, pose: Tensor) -> Tensor:
        """pose (N, ...) with `inputs` numbers a sample -> score (N,), 1 for real and 0 for fake."""
        inputs = pose.flatten(1)
        x = self.stem(inputs)
        for block in self.blocks:
            x = block(x, inputs)
        return self.head(x).squeeze(-1).float()


class ScaleEstimator(nn.Module):
    r"""Scale estimation module :math:`\Phi_S`: one number a pose (Yu et al. 2021, Sec. 3.1).

    A dense layer without activation, one block, one output. The last layer starts small, so that
    every pose begins with nearly the same value.

    Arguments:
        joints: number of joints J.
        width: features of a hidden layer.
        blocks: residual blocks (1 in the paper).
        dropout: share of features dropped.
    """

    def __init__(self, joints: int = 17, width: int = 1024, blocks: int = 1, dropout: float = 0.25):
        super().__init__()
        self.stem = nn.Linear(2 * joints, width)
        self.blocks = nn.ModuleList(
            InputBlock(width, 2 * joints, dropout=dropout) for _ in range(blocks)
        )
        self.head = nn.Linear(width, 1)
        nn.init.normal_(self.head.weight, std=0.001)
        nn.init.zeros_(self.head.bias)

    def forward(self, pose: Tensor) -> Tensor:
        """pose (N, J, 2), normalised -> raw value (N,), near zero at the start."""
        inputs = pose.flatten(1)
        x = self.stem(inputs)
        for block in self.blocks:
            x = block(x, inputs)
        return self.head(x).squeeze(-1).float()


class ResidualLifter(nn.Module):
    """Supervised lifter of Martinez et al. (ICCV 2017): 2D pose to 3D pose by identity residual blocks.

    Arguments:
        joints: number of joints J.
        width: features of a hidden layer (1024 in the paper).
        blocks: residual blocks of two layers (2 in the paper).
        dropout: share of features dropped (0.5 in the paper).
    """

    def __init__(self, joints: int = 17, width: int = 1024, blocks: int = 2, dropout: float = 0.5):
        super().__init__()
        self.stem = nn.Sequential(*_dense(2 * joints, width, True, dropout))
        self.blocks = nn.ModuleList(
            nn.Sequential(*_dense(width, width, True, dropout), *_dense(width, width, True, dropout))
            for _ in range(blocks)
        )
        self.head = nn.Linear(width, 3 * joints)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        # from the mean pose on: a head as wide as the others starts metres away and does not recover
        # in a short schedule
        nn.init.normal_(self.head.weight, std=0.01)

    def forward(self, pose: Tensor) -> Tensor:
        """pose (N, J, 2), standardised -> pose (N, J, 3), standardised."""
        x = self.stem(pose.flatten(1))
        for block in self.blocks:
            x = x + block(x)
        return self.head(x).float().unflatten(-1, (-1, 3))


class TemporalLifter(nn.Module):
    """VideoPose3D (Pavllo et al., CVPR 2019): dilated temporal convolutions, one pose for a window.

    The strided form for training on single windows: a convolution of kernel 3 and stride 3 sees what
    the dilated one sees at the centre frame, so a window of 3^n frames ends as one frame.

    Arguments:
        joints: number of joints J.
        width: channels (1024 in the paper).
        filters: kernel width of each stage; (3, 3, 3) is the model of 27 frames, (1, 1, 1) of one.
        dropout: share of channels dropped.
    """

    def __init__(
        self,
        joints: int = 17,
        width: int = 1024,
        filters: tuple[int, ...] = (3, 3, 3),
        dropout: float = 0.25,
    ):
        super().__init__()
        self.filters = filters
        first, *rest = filters
        self.stem = self._layer(2 * joints, width, first, dropout)
        self.wide = nn.ModuleList(self._layer(width, width, f, dropout) for f in rest)
        self.narrow = nn.ModuleList(self._layer(width, width, 1, dropout) for f in rest)
        self.head = nn.Conv1d(width, 3 * joints, 1)
        nn.init.normal_(self.head.weight, std=0.01)

    @staticmethod
    def _layer(inputs: int, outputs: int, kernel: int, dropout: float) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv1d(inputs, outputs, kernel, stride=kernel, bias=False),
            nn.BatchNorm1d(outputs),
            nn.ReLU(),
            Dropout(dropout),
        )

    @property
    def receptive_field(self) -> int:
        """Frames in a window: the product of the kernel widths."""
        frames = 1
        for width in self.filters:
            frames *= width
        return frames

    def forward(self, window: Tensor) -> Tensor:
        """window (N, F, J, 2) with F the receptive field -> pose of the centre frame (N, J, 3)."""
        x = self.stem(window.flatten(2).transpose(1, 2))
        for kernel, wide, narrow in zip(self.filters[1:], self.wide, self.narrow, strict=True):
            residual = x[..., kernel // 2 :: kernel]
            x = residual + narrow(wide(x))
        return self.head(x).float().squeeze(-1).unflatten(-1, (-1, 3))


class _Residual(nn.Module):
    """Two dense layers and the identity, no normalisation (ElePose)."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = leaky_relu(self.first(x))
        return x + leaky_relu(self.second(hidden))


class ElevationLifter(nn.Module):
    r"""Lifting network :math:`\Lambda`: depths and the camera's elevation from a 2D pose.

    Wandt et al., ElePose (CVPR 2022), used by Sosa & Hogg 2023: a dense layer, a common residual
    block, then a branch of two for each output. The root's offset is zero by construction.

    Arguments:
        joints: number of joints J.
        width: features of a hidden layer (1024 in ElePose).
        root: index of the root joint.
    """

    def __init__(self, joints: int = 17, width: int = 1024, root: int = 0):
        super().__init__()
        self.root = root
        self.stem = nn.Linear(2 * joints, width)
        self.common = _Residual(width)
        self.depth = nn.Sequential(
            _Residual(width), nn.LeakyReLU(), _Residual(width), nn.LeakyReLU(), nn.Linear(width, joints)
        )
        self.angle = nn.Sequential(
            _Residual(width), nn.LeakyReLU(), _Residual(width), nn.LeakyReLU(), nn.Linear(width, 1)
        )

    def forward(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """pose (N, J, 2), normalised -> depth offsets d (N, J) in units, elevation (N,) in radians."""
        x = leaky_relu(self.common(self.stem(pose.flatten(1))))
        offsets = self.depth(x).float()
        keep = torch.ones_like(offsets)
        keep[:, self.root] = 0.0
        return offsets * keep, self.angle(x).float().squeeze(-1)
