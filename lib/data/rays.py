"""Where rays through pixels meet rounded cones, and where these can be seen at all.

A solid is met in its own coordinates, in which it is a cone of revolution between two spheres: each
of the three is a quadratic equation along the ray, and the nearest root is the surface. Depths are
perspective-correct, and measured from a point near the solid, so that float32 is enough.
"""

import torch
from torch import Tensor
from torch.nn import functional

from lib.data.solids import Solids

__all__ = [
    "as_rows", "local_axes", "local_ray", "meet", "product", "projected_bounds", "ray_table",
]  # fmt: skip


def ray_table(solids: Solids, K: Tensor) -> Tensor:
    """What meeting a ray needs of each solid, (20, N P).

    Along the ray K^-1 (u, v, 1) z, a point in local coordinates is depth times a direction that is
    affine in the pixel, plus an offset. x and z are scaled so that the cone is x^2 + z^2 = (r0 -
    sine y)^2. Rows: the direction's 3 x 3 matrix, the offset, the depth from which the ray is
    measured, height, both radii, the sine of the cone's half angle, 1 / its cosine squared, and the
    lowest and highest y of the cone's surface.
    """
    height = solids.height.clamp(min=1e-6)
    sine = (solids.radius[..., 0] - solids.radius[..., 1]) / height
    square = 1 - sine * sine
    local = local_axes(solids)
    local = (
        local * torch.stack((square.sqrt(), torch.ones_like(sine), square.sqrt()), -1)[..., None]
    )
    zero, one = torch.zeros_like(K[:, 0, 0]), torch.ones_like(K[:, 0, 0])
    # The inverse of an upper triangular K whose last row is 0 0 1.
    fx, skew, cx = K[:, 0].unbind(-1)
    fy, cy = K[:, 1, 1], K[:, 1, 2]
    rows = (1 / fx, -skew / (fx * fy), (skew * cy / fy - cx) / fx, zero, 1 / fy, -cy / fy)
    inverse = torch.stack((*rows, zero, zero, one), dim=-1).view(-1, 1, 3, 3)
    middle = solids.start + 0.5 * _axis(solids)
    columns = (
        product(local, inverse).flatten(-2),
        -product(local, solids.start[..., None])[..., 0],
        middle[..., 2:],
        height[..., None],
        solids.radius,
        sine[..., None],
        (1 / square)[..., None],
        (sine * solids.radius[..., 0])[..., None],
        (height + sine * solids.radius[..., 1])[..., None],
    )
    return as_rows(*columns)


def projected_bounds(solids: Solids, K: Tensor) -> tuple[Tensor, Tensor]:
    """Where solids are in the picture: directions (N, P, 3, 2), and the lowest and highest of each
    (N, P, 3, 2), in pixels.

    The directions are x, y and the one across the projected axis. In a direction n an ellipsoid of
    centre c and half axes S reaches to the k with |n.c - k c_z| = |n.S - k S_z|; the solid is the
    hull of two of them. Nothing bounds a solid that reaches behind the camera.
    """
    half = (solids.axes * solids.unit[..., None])[:, :, None] * solids.radius[..., None, None]
    centre = torch.stack((solids.start, solids.start + _axis(solids)), dim=2)
    centre, half = product(centre, K[:, None].mT), product(half, K[:, None, None].mT)
    ends = centre[..., :2] / centre[..., 2:]
    along = functional.normalize(ends[:, :, 1] - ends[:, :, 0], dim=-1)
    across = torch.stack((-along[..., 1], along[..., 0]), dim=-1)
    x, y = torch.eye(2, device=K.device).expand(*across.shape, 2).unbind(-1)
    ways = torch.stack((x, y, across), dim=2)
    c = product(centre[..., :2], ways.mT)  # (N, P, 2 ends, 3 directions)
    s = product(half[..., :2], ways[:, :, None].mT)  # (N, P, 2, 3 half axes, 3 directions)
    depth, deep = centre[..., 2:], half[..., 2:]
    a = depth * depth - (deep * deep).sum(-2)
    b = c * depth - (s * deep).sum(-2)
    root = (b * b - a * (c * c - (s * s).sum(-2))).clamp(min=0).sqrt()
    behind = (a <= 0) | (depth <= 0)
    low = ((b - root) / a).masked_fill(behind, -torch.inf).amin(2)
    high = ((b + root) / a).masked_fill(behind, torch.inf).amax(2)
    return ways, torch.stack((low, high), dim=-1)


def local_ray(ray: Tensor, x: Tensor, y: Tensor, right, down) -> tuple[list[Tensor], list[Tensor]]:
    """Directions and origins, local x, y, z, of the rays through pixels (x + right, y + down)."""
    start = ray[12]
    direction, offset = [], []
    x, y = x + 0.5, y + 0.5
    for row in range(3):
        to_right, to_down, constant = ray[3 * row : 3 * row + 3]
        way = constant + to_right * x + to_down * y
        from_here = ray[9 + row] + start * way
        direction.append(way + to_right * right + to_down * down)
        offset.append(from_here + (start * to_right) * right + (start * to_down) * down)
    return direction, offset


def meet(direction: list[Tensor], offset: list[Tensor], ray: Tensor) -> Tensor:
    """Inverse depth (1/mm) at which rays enter their solid; 0 or less where they miss it.

    The nearest of three: the cone between its two circles, and either sphere, which is inside the
    solid and so never nearer than it. A miss is the root of a negative number, and becomes 0.
    """
    (dx, dy, dz), (ox, oy, oz) = direction, offset
    start, height, first, second, sine, widen, low, high = ray[12:20]
    p, q, r = dx * dx + dz * dz, ox * dx + oz * dz, ox * ox + oz * oz
    radius, slope = first - sine * oy, sine * dy
    a, b, c = p - slope * slope, q + slope * radius, r - radius * radius
    t = -(b + _root(b * b - a * c)) / a
    y = oy + t * dy
    inside = ((y - low) * (high - y) * 1e30).clamp(0, 1)  # 1 between the circles, else 0
    nearest = (inside / (start + t)).nan_to_num_(0.0, 0.0, 0.0)
    p, q, r = widen * p + dy * dy, widen * q + dy * oy, widen * r + oy * oy
    for place, radius in ((None, first), (height, second)):
        if place is not None:
            q, r = q - place * dy, r - place * (2 * oy - place)
        t = -(q + _root(q * q - p * (r - radius * radius))) / p
        nearest = nearest.maximum((1 / (start + t)).nan_to_num_(0.0, 0.0, 0.0))
    return nearest


def _root(square: Tensor) -> Tensor:
    """Square root; nan where negative (``sqrt`` itself is ten times slower at such numbers)."""
    return square * square.rsqrt()


def as_rows(*columns: Tensor) -> Tensor:
    """Columns (N, P, .) side by side, as rows (., N P): what is gathered is then contiguous."""
    return torch.cat(columns, dim=-1).flatten(0, 1).T.contiguous()


def local_axes(solids: Solids) -> Tensor:
    """(N, P, 3, 3) that takes camera millimetres to local units."""
    return solids.axes / solids.unit[..., None]


def _axis(solids: Solids) -> Tensor:
    """(N, P, 3) from the first sphere's centre to the second's, mm."""
    return solids.axes[..., 1, :] * (solids.height * solids.unit[..., 1])[..., None]


def product(first: Tensor, second: Tensor) -> Tensor:
    """Matrix product over an inner size of 2 or 3, always in float32: TF32 would shift pixels."""
    terms = range(first.shape[-1])
    return sum(first[..., :, k : k + 1] * second[..., k : k + 1, :] for k in terms)
