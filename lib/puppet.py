r"""A puppet of flat parts that is hung on 2D joints: one drawn template, deformed part by part.

Kundu et al., CVPR 2020, Sec. 3.1. Maps are in crop coordinates: the picture spans [-1, 1] both ways, x
right and y down, and pixel i of ``size`` has its centre at 2 (i + 0.5) / size - 1. The template is drawn
here, from an adult's proportions; it is fitted to no pictures. Labels of a segmentation are 0 for
background and 1 + the number in `PARTS`.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import grid_sample

from lib.geometry import normalise
from lib.rasterize_kernels import pixel_centres
from lib.skeleton import HUMAN36M_17

__all__ = [
    "LANDMARKS", "PARTS", "TRUNK", "Template", "deform", "landmarks", "order", "order_printed",
    "segment", "shape_depths", "template",
]  # fmt: skip

PARTS = (
    "head", "torso",
    "left_upper_arm", "left_lower_arm", "left_upper_leg", "left_lower_leg",
    "right_upper_arm", "right_lower_arm", "right_upper_leg", "right_lower_leg",
)  # fmt: skip
_VIRTUAL = ("hair_low", "hair_high", "face_low", "face_high", "left_toes", "right_toes")
LANDMARKS = (*HUMAN36M_17.joints, *_VIRTUAL)
TRUNK = 0.48  # crop units from pelvis to thorax of the template
_CORNERS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_MIDDLE = -0.2  # where the template's pelvis is, so that it stands in the middle
ERODE, DILATE, BLUR = 0.08, 0.15, 0.08  # in widths of the part
SHORTEST = 1.0 / 16  # crop units that a limb is at least as long as: 2 px of 64
THIN = 0.45  # width of a torso in profile, of its width from the front
NEAR, SHARP = 1.0, 0.05  # how much a trunk of depth counts, temperature of the order

# Left half of the standing template, in trunks from the pelvis; x grows to the person's left.
_STANDING = {
    "thorax": (0.0, -1.0), "head": (0.0, -1.47), "shoulder": (0.30, -0.98), "elbow": (0.58, -0.49),
    "wrist": (0.80, -0.03), "hip": (0.27, 0.0), "knee": (0.30, 0.91), "ankle": (0.33, 1.81),
    "toes": (0.36, 2.11), "hair_low": (0.0, -1.28), "hair_high": (0.0, -1.46), "face_low": (0.0, -1.21),
    "face_high": (0.0, -1.38),
}  # fmt: skip
# name: (two ends, half widths at them, from where to where between the ends)
_LIMBS = {
    "upper_arm": ("shoulder", "elbow", 0.125, 0.105, 0.0, 1.0),
    "lower_arm": ("elbow", "wrist", 0.10, 0.085, 0.0, 1.28),
    "upper_leg": ("hip", "knee", 0.19, 0.14, 0.0, 1.0),
    "lower_leg": ("knee", "ankle", 0.14, 0.095, 0.0, 1.03),
}
_HEADS = {
    "plain": {"head": ("thorax", "head", 0.15, 0.18, 0.45, 0.98)},
    "face": {
        "hair": ("hair_low", "hair_high", 0.165, 0.185, 0.0, 1.0),
        "face": ("face_low", "face_high", 0.125, 0.135, 0.0, 1.0),
    },
}
_FOOT = ("ankle", "toes", 0.095, 0.085, 0.0, 1.0)
_CHEST = 0.13  # half width of the seam around the quadrilateral of shoulders and hips


@dataclass(frozen=True)
class Template:
    r"""A drawn puppet of P shapes on a canvas of T x T pixels.

    names: of the shapes. owner: the number in `PARTS` of each. masks (P, T, T): the drawing, 0 or 1. maps,
    rings (P, T, T): :math:`\phi_c` and :math:`\psi_c`. anchors (P, 2, 2): the two joints r of each shape,
    crop coordinates. ends (P, 2): their numbers in `LANDMARKS`. corners (4, 2) and torso: shoulders and
    hips, and the number of the shape that hangs on them; fit (3, 4): the pseudoinverse of (corners, 1).
    """

    names: tuple[str, ...]
    owner: tuple[int, ...]
    masks: Tensor
    maps: Tensor
    rings: Tensor
    anchors: Tensor
    ends: Tensor
    corners: Tensor
    fit: Tensor
    torso: int

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device) -> "Template":
        """The same on another device."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Template(**{k: v.to(device) if isinstance(v, Tensor) else v for k, v in values.items()})


def _place(name: str) -> tuple[Tensor, int]:
    """Where a landmark is in the template (2,), and its number."""
    side = -1.0 if name.startswith("right_") else 1.0
    x, y = _STANDING[name.removeprefix("left_").removeprefix("right_")]
    return torch.tensor([side * x * TRUNK, (y + _MIDDLE) * TRUNK]), LANDMARKS.index(name)


def _rounded(pixels: Tensor, a: Tensor, b: Tensor, first: float, second: float) -> Tensor:
    """Signed distance (T, T) to a band from a to b whose half width goes from one value to another."""
    along = b - a
    t = (((pixels - a) * along).sum(-1) / along.square().sum().clamp_min(1e-9)).clamp(0, 1)
    return (pixels - a - t[..., None] * along).norm(dim=-1) - (first + t * (second - first))


@lru_cache
def template(kind: str = "face", size: int = 128) -> Template:
    r"""The template: "plain", one shape a part, or "face", which is not the same from behind (ours).

    :math:`\phi_c` is the drawing eroded and blurred, :math:`\psi_c` what lies between it dilated and eroded,
    blurred. The paper's template is a picture with hand-drawn parts; it gives no numbers. With "face" a head
    is hair and a face before it, and feet belong to the lower legs. Raises ValueError for another kind.
    """
    if kind not in _HEADS:
        raise ValueError(f"a template is {' or '.join(_HEADS)}, not {kind!r}")
    shapes = {name: (name, "head", limb) for name, limb in _HEADS[kind].items()}
    shapes["torso"] = ("torso", "torso", None)
    for side in ("left", "right"):
        for name, limb in _LIMBS.items():
            shapes[f"{side}_{name}"] = (f"{side}_{name}", f"{side}_{name}", limb)
        if kind == "face":
            shapes[f"{side}_foot"] = (f"{side}_foot", f"{side}_lower_leg", _FOOT)
    centres = pixel_centres(size, torch.zeros(()))
    pixels = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)
    corners = torch.stack([_place(name)[0] for name in _CORNERS])
    distances, widths, anchors, ends = [], [], [], []
    for name, _, limb in shapes.values():
        if limb is None:
            shares = torch.linspace(0, 1, 17)[:, None]
            tops, bottoms = (corners[i] + shares * (corners[i + 1] - corners[i]) for i in (0, 2))
            bands = [
                _rounded(pixels, a, b, *2 * [_CHEST * TRUNK]) for a, b in zip(tops, bottoms, strict=True)
            ]
            distance, width = torch.stack(bands).amin(0), 3 * _CHEST * TRUNK
            pair = [corners[:2].mean(0), corners[2:].mean(0)]
            numbers = [LANDMARKS.index("thorax"), LANDMARKS.index("pelvis")]
        else:
            side = f"{name.split('_')[0]}_" if name.startswith(("left", "right")) else ""
            (a, i), (b, j) = (_place(side + end) for end in limb[:2])
            first, second, start, stop = limb[2:]
            distance = _rounded(
                pixels, a + start * (b - a), a + stop * (b - a), first * TRUNK, second * TRUNK
            )
            width, pair, numbers = (first + second) * TRUNK, [a, b], [i, j]
        distances.append(distance * size / 2)
        widths.append(width * size / 2)
        anchors.append(torch.stack(pair))
        ends.append(numbers)
    maps, rings = zip(*(_soften(d, w) for d, w in zip(distances, widths, strict=True)), strict=True)
    return Template(
        names=tuple(shapes), owner=tuple(PARTS.index(part) for _, part, _ in shapes.values()),
        masks=(torch.stack(distances) < 0).float(), maps=torch.stack(maps), rings=torch.stack(rings),
        anchors=torch.stack(anchors), ends=torch.tensor(ends), corners=corners,
        fit=torch.linalg.pinv(torch.cat([corners, torch.ones(4, 1)], dim=1)),
        torso=list(shapes).index("torso"),
    )  # fmt: skip


def _soften(distance: Tensor, width: float) -> tuple[Tensor, Tensor]:
    """phi_c and psi_c (T, T) of a drawing by the signed distance to its outline and its part's width, in
    px."""
    eroded = distance < -ERODE * width
    ring = (distance <= DILATE * width) & ~eroded
    soft = [gaussian_filter(m.numpy().astype("float32"), BLUR * width) for m in (eroded, ring)]
    return tuple(torch.from_numpy(m * (m > 1e-4)) for m in soft)  # denormal numbers are slow


def landmarks(joints: Tensor) -> Tensor:
    """Joints (N, 17, 3) in any frame and unit with 6 virtual ones (N, 23, 3), in the order of `LANDMARKS`.

    They say what joints do not: the face lies before the neck, towards the nose and the front of the hips,
    and toes point where a knee bends.
    """
    joint = dict(zip(HUMAN36M_17.joints, joints.unbind(1), strict=True))
    trunk = joint["thorax"] - joint["pelvis"]
    length = trunk.norm(dim=-1, keepdim=True)
    ahead = normalise(torch.linalg.cross(joint["left_hip"] - joint["right_hip"], normalise(trunk)))

    neck = joint["head"] - joint["thorax"]
    high = neck.norm(dim=-1, keepdim=True)
    face = normalise(_square(0.3 * high * ahead + joint["nose"] - joint["thorax"], normalise(neck)))
    extra = [
        joint["thorax"] + up * neck + front * high * face
        for up, front in ((0.6, -0.14), (1.0, -0.05), (0.45, 0.2), (0.8, 0.22))
    ]
    for side in ("left", "right"):
        hip, knee, ankle = (joint[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        forwards = _square(normalise(knee - hip) + 0.35 * ahead, normalise(ankle - knee))
        extra.append(ankle + 0.3 * length * normalise(forwards))
    return torch.cat([joints, torch.stack(extra, dim=1)], dim=1)


def _square(vector: Tensor, axis: Tensor) -> Tensor:
    return vector - (vector * axis).sum(-1, keepdim=True) * axis


def _limb_maps(shape: Template, points: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
    r"""Matrix (N, P, 2, 2) and shift (N, P, 2) that take a pixel u to the template: A u + b.

    :math:`S^{(l)}` as complex numbers: :math:`u_c = r_1 + (u - q_1) / z` with
    :math:`z = (q_2 - q_1) / (r_2 - r_1)`. With a scale, z only turns and stretches along the limb.
    """
    first, second = points[:, shape.ends[:, 0]], points[:, shape.ends[:, 1]]
    anchors = shape.anchors.to(points)
    rest = anchors[:, 1] - anchors[:, 0]
    length = rest.norm(dim=-1)
    limb = second - first
    size = (limb.square().sum(-1) + 1e-12).sqrt()
    unit = limb / size[..., None]
    # a limb that points at the camera has no direction: it hangs
    down = torch.zeros_like(unit)
    down[..., 1] = 1.0
    unit = torch.where((size > 1e-4)[..., None], unit, down)
    along = size.clamp_min(SHORTEST) / length
    across = along if scale is None else (scale[:, None] / TRUNK).expand_as(along)
    drawn = rest / length[:, None]
    A = _turn(drawn) @ torch.diag_embed(1 / torch.stack([along, across], dim=-1)) @ _turn(unit).mT
    return A, anchors[:, 0] - (A @ first[..., None])[..., 0]


def _turn(unit: Tensor) -> Tensor:
    """Rotation (..., 2, 2) that takes x to a unit vector: multiplication by that complex number."""
    x, y = unit.unbind(-1)
    return torch.stack([x, -y, y, x], dim=-1).unflatten(-1, (2, 2))


def _torso_map(shape: Template, points: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
    """Matrix (N, 2, 2) and shift (N, 2) as `_limb_maps`, of the torso: least squares on four joints.

    In profile shoulders and hips fall on one line and the affine map has no inverse. Its width is then that
    of a trunk from the side, `THIN` of the front's, its shear fades; from behind it is mirrored, which
    changes nothing, since the template is symmetric.
    """
    corners = points[:, [LANDMARKS.index(name) for name in _CORNERS]]
    x, y, shift = (shape.fit.to(corners) @ corners).unbind(1)
    size = (y.square().sum(-1) + 1e-12).sqrt()
    down = torch.zeros_like(y)
    down[:, 1] = 1.0
    unit = torch.where((size > 1e-4)[:, None], y / size[:, None], down)
    least = THIN * (size.clamp_min(SHORTEST).detach() if scale is None else scale / TRUNK)
    across = (x * torch.stack([unit[:, 1], -unit[:, 0]], dim=-1)).sum(-1)
    wide, high = torch.maximum(across.abs(), least), torch.maximum(size, least)
    shear = (x * unit).sum(-1) * across / wide
    zero = torch.zeros_like(wide)
    inverse = torch.stack([1 / wide, zero, -shear / (wide * high), 1 / high], dim=-1).unflatten(-1, (2, 2))
    basis = torch.stack([unit[:, 1], -unit[:, 0], unit[:, 0], unit[:, 1]], dim=-1).unflatten(-1, (2, 2))
    A = inverse @ basis
    return A, -(A @ shift[..., None])[..., 0]


def deform(shape: Template, points: Tensor, size: int, scale: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r""":math:`\phi_p` and :math:`\psi_p` (N, P, size, size): the template's maps hung on points (N, 23, 2).

    Each shape follows its two joints by a similarity, computed as a complex ratio; the torso follows four
    by an affine map. Limbs shorter than `SHORTEST` are drawn that long.

    Arguments:
        points: `landmarks`, projected, in crop coordinates.
        scale: (N,) crop units a trunk. A limb keeps the width that this says when it is foreshortened
            (ours); without it width shrinks with length. It gets no gradient.

    Raises ValueError for points of another shape.
    """
    if points.ndim != 3 or points.shape[1:] != (len(LANDMARKS), 2):
        raise ValueError(f"points have shape {tuple(points.shape)}, not (N, {len(LANDMARKS)}, 2)")
    scale = None if scale is None else scale.detach().clamp_min(1e-3)
    A, b = _limb_maps(shape, points, scale)
    torso, shift = _torso_map(shape, points, scale)
    its = torch.arange(len(shape), device=points.device) == shape.torso
    A = torch.where(its[:, None, None], torso[:, None], A)
    b = torch.where(its[:, None], shift[:, None], b)
    # shapes are the batch of the sampler, the pictures stand below each other: no template is copied
    A, b = A.transpose(0, 1), b.transpose(0, 1)
    centres = pixel_centres(size, points)
    columns = A[..., None, :, 0] * centres[:, None] + b[..., None, :]  # (P, N, S, 2)
    rows = A[..., None, :, 1] * centres[:, None]
    grid = rows[:, :, :, None] + columns[:, :, None]
    both = torch.stack([shape.maps, shape.rings], dim=1).to(points)
    drawn = grid_sample(both, grid.flatten(1, 2), align_corners=False)
    maps = drawn.unflatten(2, (len(points), size)).permute(1, 2, 0, 3, 4)
    return maps[0], maps[1]


def shape_depths(shape: Template, depth: Tensor) -> Tensor:
    r""":math:`d^{(l)}` (N, P): mean depth of the joints of each shape, of depths (N, 23)."""
    depths = depth[:, shape.ends].mean(-1)
    corners = depth[:, [LANDMARKS.index(name) for name in _CORNERS]].mean(-1, keepdim=True)
    its = torch.arange(len(shape), device=depth.device) == shape.torso
    return torch.where(its, corners, depths)


def order_printed(phi: Tensor, depth: Tensor) -> Tensor:
    r""":math:`\bar\phi_d` (N, P + 1, S, S) exactly as printed, the background last (Sec. 3.1).

    Depths (N, P) are many times larger than the maps, so that the first softmax is nearly 1 / P everywhere,
    and the background, 1 less its maximum, always wins.
    """
    near = torch.softmax(phi / depth[..., None, None], dim=1)
    behind = 1 - near.amax(1, keepdim=True)
    return torch.softmax(torch.cat([near, behind], dim=1), dim=1)


def order(phi: Tensor, depth: Tensor | None) -> Tensor:
    r""":math:`\phi_d` (N, P, S, S): maps (N, P, S, S) where no nearer one hides them.

    A softmax as the paper's, but of depths (N, P), in trunks, relative to the person's mean and with a
    temperature, times :math:`w_{fg}` in place of the second softmax (ours). Without depths all are equal.
    """
    if depth is None:
        relative = torch.ones_like(phi[:, :, :1, :1])
    else:
        relative = (1 + NEAR * (depth - depth.mean(1, keepdim=True))).clamp(0.5, 1.5)[..., None, None]
    return torch.softmax(phi / (SHARP * relative), dim=1) * phi.amax(1, keepdim=True)


def segment(shape: Template, phi_d: Tensor) -> Tensor:
    r""":math:`y^p` (N, S, S) uint8: the nearest part, background where :math:`w_{fg} < 1/2`. No gradient."""
    owner = torch.tensor(shape.owner, device=phi_d.device)
    labels = (owner + 1).to(torch.uint8)[phi_d.argmax(1)]
    return torch.where(phi_d.sum(1) >= 0.5, labels, torch.zeros_like(labels))
