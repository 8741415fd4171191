"""Which side is left: learned without labels, after the skeleton images.

A skeleton image of one channel looks the same when a person turns round, so the points come out with one of
two labellings of the whole body. Two hints decide: some poses are only possible with one labelling, which the
unpaired poses teach; and who faces the camera shows a face, which pictures teach once the first hint labels
them, rightly more often than not.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, grid_sample, logsigmoid

__all__ = ["SideReader", "facing"]

WINDOW = 0.22  # half side of the window around a head, in crop coordinates
PIXELS = 12
PAIRS = ((4, 1), (11, 14))  # hips and shoulders, (left, right), in H17
HEAD, NOSE = 10, 9


def facing(points: Tensor) -> Tensor:
    """How far the body's left is to the right in the picture (N,): positive for who faces the camera."""
    return sum(points[:, left, 0] - points[:, right, 0] for left, right in PAIRS) / len(PAIRS)


class SideReader(nn.Module):
    """Decides between a 2D pose of H17 and the same with left and right swapped.

    Arguments:
        joints: number of joints J.
        width: hidden features of the network that looks at poses.
    """

    def __init__(self, joints: int = 17, width: int = 128):
        super().__init__()
        self.pose = nn.Sequential(
            nn.Linear(2 * joints, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 1),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * (PIXELS // 4) ** 2, 32), nn.ReLU(), nn.Linear(32, 1),
        )  # fmt: skip

    def pose_logit(self, points: Tensor, swap: tuple[int, ...]) -> Tensor:
        """Logit (N,) of the labelling as it is against the swapped one; changes its sign with a swap."""
        centred = points - points[:, :1]
        both = torch.stack([centred, centred[:, list(swap)]])
        first, second = self.pose(both.flatten(2)).squeeze(-1)
        return first - second

    def pose_loss(self, seen: Tensor, truth: Tensor, swap: tuple[int, ...]) -> Tensor:
        """Cross entropy on poses (N, J, 2) read off skeleton images of unpaired poses."""
        plain = (seen - truth).square().sum((1, 2))
        swapped = (seen - truth[:, list(swap)]).square().sum((1, 2))
        sign = torch.where(plain <= swapped, 1.0, -1.0)
        return -logsigmoid(sign * self.pose_logit(seen, swap)).mean()

    def front_logit(self, pictures: Tensor, points: Tensor) -> Tensor:
        """Logit (N,) that the person faces the camera, from the window around the head."""
        centre = points[:, [HEAD, NOSE]].mean(1)
        axis = torch.linspace(-WINDOW, WINDOW, PIXELS, device=points.device)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
        windows = grid_sample(pictures, centre[:, None, None] + grid, align_corners=False)
        return self.head(windows).squeeze(-1)

    def head_loss(self, pictures: Tensor, seen: Tensor, swap: tuple[int, ...]) -> Tensor:
        """Cross entropy of `front_logit` with what `pose_logit` believes; who is seen from the side
        counts little."""
        turned = facing(seen)
        with torch.no_grad():
            believed = torch.sigmoid(self.pose_logit(seen, swap) * turned.sign())
        weight = turned.abs() / turned.abs().mean().clamp_min(1e-6)
        loss = binary_cross_entropy_with_logits(
            self.front_logit(pictures, seen), believed, weight, reduction="mean"
        )
        return loss

    def logit(self, pictures: Tensor, seen: Tensor, swap: tuple[int, ...]) -> Tensor:
        """Logit (N,) that the labelling of `seen` is right, from both hints."""
        by_head = self.front_logit(pictures, seen) * torch.tanh(facing(seen) / 0.1)
        return by_head + 0.3 * self.pose_logit(seen, swap)

    def choose(self, pictures: Tensor, seen: Tensor, swap: tuple[int, ...]) -> Tensor:
        """The poses (N, J, 2) with the labelling that `logit` prefers."""
        keep = self.logit(pictures, seen, swap) >= 0
        return torch.where(keep[:, None, None], seen, seen[:, list(swap)])
