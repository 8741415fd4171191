# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (page-kundu2020-kinematic-method)=
# # Method: a skeleton as the bottleneck
#
# Take two frames of a video. Draw the second one again, with the clothes of the first and the background of neither person: what else has to be known? The
# *pose*, and nothing but the pose. So a network that is made to redraw frames has to find poses, without ever being told one. That idea had given
# points that move with a body, but no body: unnamed landmarks, some of them on the wall behind {cite:p}`jakab2018unsupervised`. Kundu et al. {cite:p}`kundu2020kinematic`
# squeeze the pose through a *skeleton*. Three ideas carry it:
#
# forty numbers and a camera
# : The network does not put out joints. It puts out how each bone points relative to the bone before it, and from where it is seen. Three formulas
#   without a weight to train turn that into joints in space, points in the picture, and maps for the network that draws. Whatever
#   comes out has bones of the right lengths and two arms and two legs in the right places.
#
# twenty drawn people
# : Nothing so far says which of the points is the left knee. Twenty rendered people with known poses do: they are the convention,
#   and all the labels that there are.
#
# the decoder as a judge
# : To redraw a frame one needs its background, and a camera that moves gives none. For such clips the trained decoder is *frozen*: what it draws should be readable again. If the
#   encoders give it something that it does not know, it is not.
#
# This page goes through the three formulas and the losses, each beside the code that computes it. It shows where the formulas break, trains a small model
# before your eyes, lets you {ref}`turn the forty numbers yourself <kks-knobs>`, and lists where we differ from the paper. Symbols are listed in
# [the notation](../../notation.md); what came out on the whole grid of runs stands in {ref}`page-kundu2020-kinematic-results`.

# %% tags=["parameters"]
profile = "cpu"
collection = "mannequin"
seed = 0
steps = 300  # updates on pictures in the live training; the reference records take more

# %% tags=["hide-input"]
import inspect
import io
import os
import textwrap
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display
from tqdm.auto import tqdm

from lib import (
    kinematics,
    metrics,
    plots,
    plots3d,
    plots_images,
    plots_kinematics,
    plots_knobs,
    rasterize,
    run,
)
from lib.data import backdrops
from lib.data.collections import ROLES, build, dataset_path
from lib.data.images import Filmed
from lib.data.scenes import on_tripod
from lib.geometry import normalise, rotation_y, similarity_align
from lib.papers import kundu2020_data as material
from lib.papers import kundu2020_kinematic as kundu
from lib.papers import kundu2020_model as networks
from lib.papers.kundu2020_batches import turn_pictures
from lib.papers.kundu2020_printed import PrintedTrainer
from lib.papers.kundu2020_trainer import PAINTING, Trainer
from lib.skeleton import HUMAN36M_17 as SKELETON

# %% tags=["hide-input"]
torch.set_num_threads(1)
torch.set_flush_denormal(True)
if not all(dataset_path(collection, role).exists() for role in ROLES):
    build(collection)
OURS, PRINTED = kundu.VARIANTS["unsup"], kundu.VARIANTS["as-printed"]
SMALL, LARGE, FULL = (kundu.PROFILES[name] for name in ("cpu", "gpu", "paper"))
few = profile == "smoke"
kept = {"train": 120, "test": 40} if few else {"train": 1500, "test": 900}
data, _ = run.load_data(collection, ("studio", "wild", "bodies", "motion"), None, "cpu", kept)
train, test = data["studio"]["train"], data["studio"]["test"]
EDGES, SWAP = SKELETON.bones, list(SKELETON.mirror)
FACE = torch.tensor([1.0, 0.0, 0.0])  # the face vector in the canonical frame
PX = 128  # of the pictures that are shown to you


def code(*functions):
    """Shows the source of functions of lib as highlighted code."""
    for function in functions:
        source = textwrap.dedent(inspect.getsource(function)).rstrip()
        where = inspect.getmodule(function).__name__.replace(".", "/")
        display(Markdown(f"`{where}.py`\n\n```python\n{source}\n```"))


def say(text):
    """A paragraph whose numbers were computed."""
    display(Markdown(text))


def table(head, rows, align):
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(align) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


# %% [markdown]
# ## The whole idea in one picture
#
# {numref}`fig-kks-method-training` has two frames of one video: the *target* $I_t$, whose pose is wanted, and the *source* $I_s$, the same person at another moment. Follow the target
# to the right: $E_P$ reads the pose code $v_k$ and the camera $c$ off it, three fixed transformations (grey) turn them into the maps $f_{2D}$. The source gives the appearance $f_a$. From both
# the decoder $D_I$ draws a person, and the background $B_t$ comes in late. What should come out is $I_t$ again.

# %% tags=["hide-input"]
filmed = Filmed.of(train, "studio", PX, margin=material.MARGIN)
bodies_seen, frame = kinematics.canonical(train.joints_3d)
wrists = filmed.crop[:, [SKELETON.index("left_wrist"), SKELETON.index("right_wrist")], 0]
facing, upright = -frame[:, 2, 0], -frame[:, 1, 2]  # 1 where the face looks into the camera, where the trunk stands
example = int(((wrists[:, 0] - wrists[:, 1]).clamp_max(0.9) + 0.5 * facing.clamp_max(0.8) + 2 * upright).argmax())
points, person = filmed.crop[example], bodies_seen[example]  # the true joints, which training never sees
lengths = kinematics.bone_ratios(data["motion"]["train"].joints_3d)


def shown(pictures):
    """Pictures (..., 3, S, S), uint8 or in [0, 1], as (..., S, S, 3) uint8 for figures."""
    pictures = pictures if pictures.dtype == torch.uint8 else (255 * pictures).round().to(torch.uint8)
    return pictures.movedim(-3, -1).numpy()


def maps_of(points, size=64):
    """T_m: 17 heat maps and 16 affinity maps (N, 33, size, size) of points (N, 17, 2)."""
    heat = rasterize.joint_heatmaps(points, size, networks.SIGMA)
    limbs = rasterize.limb_affinity_maps(points, EDGES, size, networks.WIDTHS, networks.REACH, vectors=False)
    return torch.cat([heat, limbs], dim=1)


def in_colour(points, size=64):
    """The maps of points (17, 2) on one picture."""
    return plots_kinematics.coloured_maps(maps_of(points[None], size)[0].numpy(), SKELETON)


def degrees(azimuth, elevation=0.0, roll=0.0):
    """c (N, 6) of angles in degrees, each a number or (N,)."""
    angles = torch.deg2rad(torch.stack(torch.broadcast_tensors(*map(torch.as_tensor, (azimuth, elevation, roll))), -1).float())
    return torch.stack([torch.sin(angles), torch.cos(angles)], dim=-1).reshape(-1, 6)


def aside(joints, azimuth=40.0, elevation=12.0):
    """Canonical joints (17, 3) seen from a side, (17, 2), y down."""
    return (joints @ kinematics.camera_rotation(degrees(azimuth, elevation))[0].T)[:, :2].numpy()


# %% tags=["hide-input"] mystnb={"image": {"alt": "Diagram. The target frame I t enters the encoder E P, which gives v k, 40 numbers, and c, 6 numbers. T fk turns v k into a 3D skeleton, T c with c into a 2D skeleton, T m into coloured maps of joints and limbs, f 2D. The source frame I s, the same person at another moment, enters E A, which gives f a. The decoder D I takes f a and f 2D; its picture joins the background B t late and gives the redrawn frame, which a dashed line compares with I t."}, "figure": {"caption": "The training on frames with a known background (our drawing of the paper's Figure 1A), for networks that make no error: pictures, poses and maps are real ones of ours. Blue is learned, grey is a formula. Whatever the picture says about the pose has to pass through 34 coordinates.", "name": "fig-kks-method-training"}}
here = torch.tensor([example])
others = train.neighbour(here.expand(40), torch.arange(-20, 20))  # frames of the same clip
source = others[(filmed.crop[others] - points).norm(dim=-1).mean(1).argmax()][None]
target_picture, source_picture = shown(filmed.colours(torch.cat([here, source]), background=True))
plots_kinematics.training_diagram(
    target_picture, source_picture, shown(filmed.scenery(here))[0], target_picture, in_colour(points), points.numpy(),
    aside(person), SKELETON,
)  # fmt: skip
plt.show()

# %% [markdown]
# Why should the pose end up in the pose code and the clothes in $f_a$? Nobody says so; the channels are cut to size. Through the upper one pass 17 points: there is no room for the colour of a shirt. Through the lower
# one comes what $I_s$ shows, and $I_s$ has another pose. What is common to both frames has to come from the source, and what is not, from the points.
#
# ## A body in forty numbers
#
# $T_{fk}$ is *forward kinematics*: from how bones point to where joints are. It needs a frame that goes with the body, the *canonical* one, $C$:
#
# - the pelvis is the origin, and the thorax lies on the $z$ axis, one unit away. All lengths here are in *trunks*;
# - the hip line goes through the pelvis and stays in the $yz$ plane. So the face, square to trunk and hip line, looks along $x$. One number is left, the angle $\phi$ of the hip line with the horizontal.
#
# That settles pelvis, thorax and hips, and one parameter is used. The other 13 joints hang from them in a tree, and each takes three: a vector in the frame of the limb that ends at its parent,
#
# $$
# p^{(j)} = p^{(Pa(j))} + \mathrm{len}(j)\; F_{Pa(j)}\, \frac{v^{(j)}}{\lVert v^{(j)} \rVert} , \qquad \mathrm{len}(j) \text{ constant} . \tag{1}
# $$
#
# The lengths are known beforehand, as ratios to the trunk. In all $1 + 13 \cdot 3 = 40$ numbers. The length of a vector is divided out, so that its three numbers say only where it points.

# %% tags=["remove-input"]
code(kinematics.forward_kinematics)

# %% tags=["hide-input", "hide-output"]
code(kinematics.canonical, kinematics.inverse_kinematics, kinematics.bone_ratios)

# %% [markdown]
# The paper writes $v^{(j)}$ where (1) has $F v / \lVert v \rVert$, and says that the vectors are "defined at their respective parent-relative local coordinate systems" without giving these. Their next paper does
# {cite:p}`kundu2020part`: the first axis $e_1$ is the parent's limb, the second the face vector $f$ made square to it (*Gram–Schmidt*), the third is square to both:
#
# $$
# e_1 = \frac{p^{(Pa)} - p^{(Pa(Pa))}}{\lVert \cdot \rVert}, \qquad e_2 = \frac{f - (f \cdot e_1)\, e_1}{\lVert \cdot \rVert}, \qquad e_3 = e_1 \times e_2, \qquad F = [e_1\, e_2\, e_3] . \tag{2}
# $$
#
# The figure below has that for one arm. Bend the elbow and only the last vector changes; raise the upper arm, and the forearm goes with it, its vector unchanged.

# %% tags=["hide-input"]
tilted = kinematics.inverse_kinematics(train.joints_3d[[example]])
tilted[0, 0] = torch.atanh(torch.tensor(np.radians(15.0) / kinematics.HIP_RANGE, dtype=torch.float32))
bent = 1 + 3 * kinematics.MOVED.index("left_wrist")
tilted[0, bent : bent + 3] = torch.tensor([np.cos(np.radians(95.0)), np.sin(np.radians(95.0)), 0.0])
pose = kinematics.forward_kinematics(tilted, lengths)[0]
shoulder, elbow, wrist = (SKELETON.index(f"left_{name}") for name in ("shoulder", "elbow", "wrist"))


def gram_schmidt(limb, reference=FACE):
    """Equation (2) for unit vectors (..., 3): frames (..., 3, 3) with columns e1 e2 e3."""
    second = normalise(reference - (reference * limb).sum(-1, keepdim=True) * limb)
    return torch.stack([limb, second, torch.linalg.cross(limb, second)], dim=-1)


figure = plots_knobs.canonical_3d(
    pose.numpy(), SKELETON, hips=(SKELETON.index("left_hip"), SKELETON.index("right_hip")), parent=elbow, child=wrist,
    axes=gram_schmidt(normalise(pose[elbow] - pose[shoulder])).numpy(), angle=np.radians(15.0),
)  # fmt: skip
plots3d.show(
    figure, "fig-kks-method-canonical",
    "Interactive 3D figure: a skeleton in its canonical frame. Axes x and y at the pelvis, the face vector at the thorax, the hip line drawn out with its angle phi of 15 degrees, and at the left elbow the axes e1 along the upper arm, e2 and e3, in which the vector to the wrist is given.",
    "The canonical frame (our computation of the paper's Figure 1B), to turn with the mouse: the person of the first figure, the hip line tilted by 15° and the left elbow bent, so that one sees both. Left limbs blue, right limbs orange and dashed. At the left elbow the frame of the upper arm, in which the wrist's vector v is given.",
    height=480,
)  # fmt: skip

# %% tags=["hide-input"]
canonical, frame = kinematics.canonical(test.joints_3d)
parameters = kinematics.inverse_kinematics(test.joints_3d, OURS.frames)
double = {}
for kind in (torch.float64, torch.float32):
    own = lengths.to(kind)
    first = kinematics.forward_kinematics(parameters.to(kind), own, OURS.frames)
    back = kinematics.forward_kinematics(kinematics.inverse_kinematics(first, OURS.frames), own, OURS.frames)
    double[kind] = float((back - first).abs().max())
fitted_body = kinematics.forward_kinematics(parameters, lengths, OURS.frames)
cost = metrics.p_mpjpe(1000 * fitted_body, test.joints_3d - test.joints_3d[:, :1])
tilt = torch.rad2deg(kinematics.HIP_RANGE * torch.tanh(kinematics.inverse_kinematics(train.joints_3d)[:, 0]))
named = {SKELETON.joints[j].removeprefix("left_").replace("_", " "): float(lengths[j]) for j in range(1, len(SKELETON)) if not SKELETON.joints[j].startswith("right")}
say(
    f"There and back, from {len(test)} true poses to parameters and to joints again, the largest difference is {double[torch.float64]:.0e} trunks in double and {double[torch.float32]:.0e} in single precision. "
    f"The constant ratios are not free: everybody gets the same body, and true poses retargeted to it are off by {cost.mean():.1f} mm of P-MPJPE, which no training can take back. The hip line hardly matters: "
    f"$\\phi$ has a deviation of {tilt.std():.1f}° over the training poses.\n\n"
    "The ratios, distance to the parent in trunks: " + ", ".join(f"{name} {value:.2f}" for name, value in named.items()) + "."
)

# %% [markdown]
# Two things to notice. First, *leaning forward* is none of the forty. The trunk is the $z$ axis by definition; who bows turns, in this frame, the thighs forwards and the camera about. Second, the code does not
# know where up is. A person who lies on the floor has the pose of one who stands; the camera differs. That is what makes the code *view-invariant*.
#
# (kks-singular)=
# ### When a limb points where the face does
#
# Equation (2) has a hole. When a limb points along the face vector, nothing of $f$ is left to be made square to it, and $e_2$ is zero divided by zero. Near the hole $e_2$ turns fast: the shin of
# a thigh that passes by swings around. Thighs point where the face does whenever somebody sits.

# %% tags=["hide-input"]
at = {j: SKELETON.index(j) for j in SKELETON.joints}
limbs = {"thigh": ("hip", "knee"), "upper arm": ("shoulder", "elbow")}
near = []
for name, (upper, lower) in limbs.items():
    along = torch.stack([normalise(canonical[:, at[f"{s}_{lower}"]] - canonical[:, at[f"{s}_{upper}"]])[:, 0] for s in ("left", "right")])
    near.append(f"{100 * (along.abs() > np.cos(np.radians(6.0))).float().mean():.1f} % of {name}s within 6° of the face vector's line and {100 * (along.abs() > np.cos(np.radians(26.0))).float().mean():.0f} % within 26°")
say(f"In the test poses there are {' and '.join(near)}.")

# %% [markdown]
# No formula mends this for all directions: a field of arrows that lie flat on a sphere has to vanish somewhere (the theorem of the hairy ball). One can choose where. We have two ways:
#
# *blended*
# : where a limb is near the face vector, another reference joins in, upwards for arms and legs. The hole moves to a place where a limb that hangs at rest seldom points, a little above the horizontal.
#
# *transported*
# : no reference at all. The frame turns with its limb, by the smallest rotation from where the limb rests; the only hole is opposite the rest.
#
# Gradients of both are finite everywhere. The recipe as printed has the first, which is (2) wherever (2) is well behaved, and ours the second.

# %% tags=["remove-input"]
code(kinematics._gram_schmidt, kinematics._transported)

# %% tags=["hide-input"]
SPAN = 50.0
sideways = upwards = np.linspace(-SPAN, SPAN, 51)
right, above = torch.meshgrid(torch.as_tensor(sideways), torch.as_tensor(upwards), indexing="xy")
apart = (right.square() + above.square()).sqrt()
toward = torch.stack([right, above], dim=-1) / apart.clamp_min(1e-9)[..., None]
angle = torch.deg2rad(apart)[..., None]
directions = torch.cat([torch.cos(angle), torch.sin(angle) * toward], dim=-1)  # (U, A, 3)
thigh = (at["left_knee"],)
second_axes = {
    "as in (2)": gram_schmidt(directions, FACE.double())[..., 1],
    "blended": kinematics._gram_schmidt(directions.flatten(0, 1)[:, None], thigh)[:, 0, :, 1].view_as(directions),
    "transported": kinematics._transported(directions.flatten(0, 1)[:, None], thigh)[:, 0, :, 1].view_as(directions),
}


def turning(axes):
    """Degrees that unit vectors (U, A, 3) turn for each degree from one place to the next."""
    step = 2 * SPAN / (len(sideways) - 1)
    beside, over = (
        torch.rad2deg(torch.acos((a * b).sum(-1).clamp(-1, 1))) / step
        for a, b in ((axes[:, 1:], axes[:, :-1]), (axes[1:], axes[:-1]))
    )
    return torch.maximum(torch.nn.functional.pad(beside, (1, 0)), torch.nn.functional.pad(over, (0, 0, 1, 0)))


# %% tags=["hide-input"] mystnb={"image": {"alt": "Three square panels of arrows over the directions of a limb, up to 50 degrees beside and above the face vector. As in (2): all arrows point to the middle, around which the shade is dark. Blended: in the middle the arrows point up and are calm, a dark ring lies some 20 degrees away, above all at its top. Transported: all arrows point up and there is no dark place."}, "figure": {"caption": "The axis $e_2$ of a thigh's frame, by where the thigh points: in the middle it points where the face does. Dark: the axis turns four or more degrees for each degree of the thigh.", "name": "fig-kks-method-frames"}}
plots_kinematics.frame_fields(
    {name: (axes[..., 1].numpy(), axes[..., 2].numpy()) for name, axes in second_axes.items()}, sideways, upwards,
    {name: turning(axes).numpy() for name, axes in second_axes.items()},
)  # fmt: skip
plt.show()

# %% [markdown]
# The blend has a price: in the ring where one reference takes over from the other the frame turns quickly. It is a place to pass through, not one to get stuck in.
#
# ## The camera
#
# $T_c$ turns the canonical joints as the camera sees them and projects them with a fixed lens. The camera's three angles come as sine and cosine each, which makes $c$ six numbers: an angle itself would jump
# from 180° to −180°, and a network cannot jump. The pairs are brought to length one, and no angle is ever worked out:
#
# $$
# p_{2D}^{(j)} = P\bigl(R_c\, p_{3D}^{(j)} + T_c\bigr), \qquad R_c = R_{roll}\, R_{elevation}\, R_{facing}\, R_{azimuth} , \tag{3}
# $$
#
# with $R_{facing}$ constant: at angles of zero the camera looks into the face. Six numbers are spent on the rotation, so the translation $T_c$ must be a constant, and everybody's pelvis is in the middle of the picture at the same distance.

# %% tags=["remove-input"]
code(kinematics.camera_rotation, kinematics.project_constant)

# %% [markdown]
# (kks-camera)=
# ### Where is the person in the crop?
#
# But that is not how crops are cut. A crop is centred on the box around a person and scaled to its size: who squats is magnified, and whose arms are up has the pelvis below the middle. The same happens to crops from a person detector, which the paper takes. Then a perfect pose with a perfect
# rotation lands on the wrong pixels. Ours therefore moves and scales the projected skeleton so that its own box fills the crop, as cutting did. That needs no parameter and is differentiable.

# %% tags=["remove-input"]
code(kinematics.project_fitted)

# %% tags=["hide-input"]
shot = Filmed.of(test, "studio", PX, margin=material.MARGIN)
crop = shot.crop
seen = {
    "constant": kinematics.project_constant(fitted_body, frame).points,
    "fitted": kinematics.project_fitted(fitted_body, frame, material.MARGIN).points,
    "fitted, own bones": kinematics.project_fitted(canonical, frame, material.MARGIN).points,
}
shift = (crop - seen["constant"]).mean(1, keepdim=True)
seen = {"constant": seen["constant"], "constant, best shift": seen["constant"] + shift} | seen
unavoidable = {name: 50 * (points - crop).norm(dim=-1).mean(1) for name, points in seen.items()}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of five people before their backgrounds with a skeleton in red over one in green. Top, constant: the skeletons are too small or too large and displaced. Bottom, fitted: red and green coincide."}, "figure": {"caption": "True pose, true rotation, projected (red) over the true joints (green). Top: the constant translation of the paper. Bottom: fitted to the crop. Five test frames between the smallest and the largest error of the constant one.", "name": "fig-kks-method-camera"}}
five = unavoidable["constant"].argsort()[torch.linspace(0, len(test) - 1, 5).long()]
figure, axes = plots.subplots(2, 5, height=2.95)
for row, name in zip(axes, ("constant", "fitted"), strict=True):
    for ax, index, image in zip(row, five.tolist(), shown(shot.colours(five, background=True)), strict=True):
        plots_images.show_picture(ax, image)
        plots_images.draw_bones(ax, crop[index].numpy(), SKELETON, color=plots_images.TRUE, linewidth=3.0, outline=True)
        plots_images.draw_bones(ax, seen[name][index].numpy(), SKELETON, color=plots_images.PREDICTED, linewidth=1.6)
    row[2].set_title(name)
plt.show()

# %% tags=["hide-input"]
say(
    "Mean distance from the true joints, in % of the crop's side, of true poses through a true rotation:\n\n"
    + table(("$T_c$", "mean", "worst tenth"), [(name, f"{v.mean():.2f}", f"{v.quantile(0.9):.2f}") for name, v in unavoidable.items()], ("---", "---:", "---:"))
    + "\n\nThat is the floor of each, before anything is learned. What the constant one lacks, the encoder has to make up for with a wrong pose or a wrong rotation; `constant-camera` on "
    "{ref}`the results page <page-kundu2020-kinematic-results>` is trained that way. Part of what is left of the fitted one comes from bodies that differ from the common ratios (the last row has their own bones), the rest from perspective: cameras stand nearer or farther than the constant distance, and see people off the middle a little from the side."
)

# %% [markdown]
# ## From points to maps
#
# The decoder is a convolutional network; it needs pictures, not coordinates. $T_m$ draws each joint as a round Gaussian and each limb as a long one, in closed form. A *heat map* of a joint at a pixel $u$:
#
# $$
# f_{hm}^{(j)}(u) = \exp\bigl(-0.5\, \lVert u - p_{2D}^{(j)} \rVert^2 / \sigma^2\bigr) . \tag{4}
# $$
#
# An *affinity map* of a limb between two joints takes its midpoint $\mu$ and slope $\theta$, moves and turns the pixel, $u' = R_\theta (u - \mu)$, and has another width along the limb than across:
#
# $$
# f_{am}^{(l)}(u) = \exp\bigl(-0.5\, (u'_x / \sigma_x)^2 - 0.5\, (u'_y / \sigma_y)^2\bigr), \qquad \sigma_x = \alpha \cdot \mathrm{len}(l) , \tag{5}
# $$
#
# with $\sigma_y$ fixed by the width of the limb. In {numref}`fig-kks-method-maps` that is done step by step; change `limb` or `alpha` and run it again.

# %%
limb, alpha = ("left_hip", "left_knee"), networks.REACH
resolution = 48

# %% tags=["hide-input"]
bone = tuple(at[name] for name in limb)
number = EDGES.index(bone)
lines = filmed.crop[:, [b for _, b in EDGES]] - filmed.crop[:, [a for a, _ in EDGES]]
slanted = (lines.prod(-1).abs() / lines.norm(dim=-1).clamp_min(1e-6)).sum(1)
points = filmed.crop[slanted.argmax()]  # the frame whose limbs are the most oblique
centres = rasterize.pixel_centres(resolution, points)
grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)  # (48, 48, 2)
start, end = points[bone[0]], points[bone[1]]
mu, extent = (start + end) / 2, (end - start).norm()
slope = (end - start) / extent  # (cos, sin): the angle itself is not needed
square = torch.stack([-slope[1], slope[0]])
u_x, u_y = (grid - mu) @ slope / (alpha * extent), (grid - mu) @ square / networks.WIDTHS[number]
affinity = torch.exp(-0.5 * u_x.square() - 0.5 * u_y.square())
all_maps = maps_of(points[None], resolution)[0]

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of four panels. Top: a pose with one thigh marked, its midpoint and two axes along and across it; two maps of the coordinates along and across, striped in the direction of the limb; the affinity map, a slanted spot. Bottom: the pose with one joint marked; its heat map, a round spot; the heat maps of all joints; the affinity maps of all limbs, which together look like a stick figure."}, "figure": {"caption": "From points to maps (our computation of the paper's Figure 2A). Top: midpoint and slope of a limb, the two coordinates of each pixel in the limb's frame in units of $\\sigma_x$ and $\\sigma_y$ with lines at −1, 0 and 1, and the affinity map. Bottom: a joint and its heat map; all 17 and all 16 together.", "name": "fig-kks-method-maps"}}
plots_kinematics.affinity_steps(
    points.numpy(), bone, bone[1], u_x.numpy(), u_y.numpy(), affinity.numpy(), all_maps[bone[1]].numpy(),
    all_maps[len(SKELETON):].amax(0).numpy(), all_maps[: len(SKELETON)].amax(0).numpy(), SKELETON,
)  # fmt: skip
plt.show()

# %% tags=["hide-input"]
say(f"The map of these steps and that of `limb_affinity_maps`, which the networks get, differ by at most {float((affinity - all_maps[len(SKELETON) + number]).abs().max()):.0e}.")

# %% tags=["remove-input"]
code(rasterize.joint_heatmaps, rasterize.limb_affinity_maps)

# %% [markdown]
# How such maps are computed without a Python loop over joints, and what their backward pass keeps, has {ref}`its own page <page-speed-maps>`. The paper's supplement, which has $\sigma$, $\alpha$ and the widths, is not public to us; ours stand {ref}`below <kks-differ>`.
#
# (kks-reach)=
# ### How far a joint is felt
#
# A Gaussian has a trap. Far from its middle it is flat, and a joint that is off by several $\sigma$ is told nothing. {numref}`fig-kks-method-reach` moves a foot away from its place and asks the maps for the way back.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Strength of the gradient over the displacement of an ankle, up to 25 percent of the crop's side. The curve of the heat maps rises, peaks at a few percent and vanishes beyond; that of heat maps and affinity maps together falls more slowly."}, "figure": {"caption": "How strongly the squared difference of maps pulls an ankle back to its place, by how far it has been moved along the $x$ axis, mean over 20 test poses. A limb is felt farther than a joint.", "name": "fig-kks-method-reach"}}
moved_by = torch.linspace(0.01, 0.5, 25)
sample = crop[torch.linspace(0, len(test) - 1, 20).long()]
pull = {}
for name, chosen in (("heat maps alone", slice(0, len(SKELETON))), ("heat maps and affinity maps", slice(None))):
    pull[name] = []
    for distance in moved_by:
        there = sample.clone()
        there[:, at["left_ankle"], 0] += distance
        there.requires_grad_()
        (maps_of(there, 32)[:, chosen] - maps_of(sample, 32)[:, chosen]).square().sum().backward()
        pull[name].append(float(there.grad[:, at["left_ankle"], 0].mean()))
figure = plots.lines(pull, 50 * moved_by.numpy(), xlabel="displacement (% of the crop's side)", ylabel="pull")
plt.show()

# %% [markdown]
# ## What is known beforehand
#
# The tree, the bone ratios, and 20 rendered people with their poses. Without the last anything would do that the decoder can read: a skeleton whose left and right are exchanged, one that stands on its head, a code in which the arm of the
# skeleton draws the leg of the person. The labelled renders are a *convention*, and at the same time all the supervision of the chapter's main rows.
#
# $$
# \mathcal L_{prior} = \lvert p_{3D} - \hat p_{3D} \rvert + \lvert p_{2D} - \hat p_{2D} \rvert . \tag{6}
# $$
#
# We now build the trainer that is used below; it makes the renders, pictures and backgrounds that the next figures show.

# %%
if few:
    SIZES = kundu.PROFILES["smoke"]
else:
    SIZES = replace(SMALL, prior_steps=300, base_steps=round(0.67 * steps), fine_steps=round(0.33 * steps), batch=8)
LIVE = OURS  # change it: replace(OURS, camera="constant"), say
trainer = kundu.build(LIVE, SIZES, data, seed)
print(f"{trainer.parameters:,} parameters; {len(trainer.footage['studio']):,} frames of the studio, {len(trainer.footage['wild']):,} of the web")
print(", ".join(f"{name} {count}" for name, count in trainer.stages.items()), "updates")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four rows of five drawn people in varied clothes and poses on black, each with its skeleton."}, "figure": {"caption": "The 20 labelled renders, with their labels.", "name": "fig-kks-method-renders"}}
count = len(trainer.renders) // (2 * len(material.TURNS))
upright_renders = material.TURNS.index(0.0) * count + torch.arange(count)
figure, axes = plots.subplots(4, 5, height=5.7)
for ax, index in zip(axes.flat, upright_renders.tolist(), strict=False):
    plots_images.show_picture(ax, shown(trainer.renders.images[index]))
    plots_images.draw_bones(ax, trainer.renders.points[index].numpy(), SKELETON, linewidth=1.4, outline=True)
plt.show()

# %% [markdown]
# Twenty pictures are quickly known by heart, so each is shown in many disguises: mirrored (left and right exchanged, in the parameters too), turned in the picture's plane, with jittered colours, before random backgrounds.

# %% tags=["remove-input"]
code(kinematics.mirror_parameters)

# %% tags=["hide-input", "hide-output"]
code(material.Renders, material.draw_renders)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of five pictures of one render: turned by up to 20 degrees either way, mirrored in the lower row, in other colours each time, before rooms and landscapes."}, "figure": {"caption": "One render in ten of its disguises. Top: turned by −20° to 20°. Bottom: mirrored as well.", "name": "fig-kks-method-augmented"}}
disguised = torch.arange(2 * len(material.TURNS)) * count + 7 % count
pictures = trainer.renders.batch(disguised, trainer.random_scenes(len(disguised)), trainer.generator)
figure, axes = plots.subplots(2, 5, height=2.9)
for ax, index, image in zip(axes.flat, disguised.tolist(), shown(pictures), strict=False):
    plots_images.show_picture(ax, image)
    plots_images.draw_bones(ax, trainer.renders.points[index].numpy(), SKELETON, linewidth=1.4, outline=True)
plt.show()

# %% [markdown]
# *Which* twenty? The paper says "diverse". Poses as different from each other as possible are the most extreme ones; the nearest neighbours of cluster centres (*medoids*) cover what people usually do. Ours are medoids of the poses of role
# `motion`, people who appear in no picture; the variant `farthest` has the other choice, `bodies` twenty that a generator made up. {ref}`The results page <page-kundu2020-kinematic-results>` says what that is worth, and {ref}`at the end of this page <kks-change>` you can compare them yourself.

# %% tags=["hide-input", "hide-output"]
code(material.choose, material.medoids, material.farthest)

# %% [markdown]
# ## Pairs of frames, and what is behind them
#
# Training pictures are crops of video frames without any label. For the figure above one needs triples $(I_s, I_t, B_t)$: two frames of one clip, at least a second apart so that the pose differs, and the *background* of the target. Where a
# camera stands still it is easy to come by: the *median* over time of each pixel, which is right wherever the person is for less than half of the time. The paper sorts clips by how much pixels change between frames: a person covers
# 10 to 20 % of a frame, so where more changes than that, the camera moves. Ours counts the pixels that change between two frames of the clip.

# %% tags=["remove-input"]
code(backdrops.changing_share, backdrops.is_static)

# %% tags=["hide-input"]
wild = data["wild"]["train"]
motion = {role: backdrops.background_motion(data[role]["train"], role) for role in (("wild",) if few else ("studio", "wild"))}
still = on_tripod(Filmed.of(wild, "wild", 16).scene)  # the generator's secret, to compare with
share = {"wild, tripod": motion["wild"][still], "wild, hand-held": motion["wild"][~still]}
share |= {"studio": motion["studio"]} if "studio" in motion else {}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Histogram of the share of changing pixels of clips. Studio and tripod clips lie on the left, hand-held ones near one hundred percent; a dashed line between them."}, "figure": {"caption": "Sorting clips: share of pixels that change between two frames, mean over pairs. Dashed: the limit. Which clips of role `wild` stand on a tripod is the generator's secret and only used to colour the figure.", "name": "fig-kks-method-sorting"}}
figure = plots.histograms({k: 100 * v.numpy() for k, v in share.items() if v.isfinite().any()}, xlabel="changing pixels (%)", bins=25, span=(0, 100))
figure.axes[0].axvline(100 * backdrops.STILL, color=plots.INK, linestyle="--", linewidth=1.2)
plt.show()

# %% tags=["hide-input"]
called = backdrops.is_static(motion["wild"])
covered = backdrops.person_share(wild, "wild")
say(
    f"Of {len(still)} clips of role `wild`, {100 * called.float().mean():.0f} % are called static (paper: about 40 % of its collection), {100 * (called == still).float().mean():.0f} % rightly sorted. "
    f"People cover {100 * covered.mean():.0f} % of the window around their path (paper: 10 to 20 % of a frame)."
)

# %% [markdown]
# That makes two sets: $\mathcal D_p$, *paired* with a background, and $\mathcal D_{unp}$, without. {numref}`fig-kks-method-pairs` has two of each.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four rows of three pictures. Rows one to three: a person, the same person in another pose, and the empty scene behind, a little smeared where the person often stood. Row four, of a moving camera: two frames and an unrelated background."}, "figure": {"caption": "Triples as the networks get them: source, target, background. From the top: two of the studio; one of the web whose camera stands still; one whose camera moves, which has no background of its own and gets a random one, $B_r$.", "name": "fig-kks-method-pairs"}}
rows = []
for role, static in (("studio", True), ("studio", True), ("wild", True), ("wild", False)):
    frames, index = trainer.footage[role], trainer.frames(role, 1, static)
    if len(index):
        behind = frames.backgrounds(index) if static else trainer.random_scenes(1)
        rows.append([frames.pictures(frames.partner(index, trainer.generator)), frames.pictures(index), behind])
figure, axes = plots.subplots(len(rows), 3, width=4.6, height=1.55 * len(rows) + 0.2, squeeze=False)
for row, triple in zip(axes, rows, strict=True):
    for ax, image in zip(row, triple, strict=True):
        plots_images.show_picture(ax, shown(image)[0])
for ax, title in zip(axes[0], ("$I_s$", "$I_t$", "$B_t$ or $B_r$"), strict=True):
    ax.set_title(title)
plt.show()

# %% [markdown]
# ## Drawing it again
#
# On $\mathcal D_p$ all networks are trained, with
#
# $$
# \mathcal L_P = \lvert I_t - \hat I_t \rvert + \lambda_1 \lvert p_{2D} - \hat p_{2D} \rvert + \lambda_2 \lvert f_a - \hat f_a \rvert , \tag{7}
# $$
#
# where $\hat p_{2D}$ and $\hat f_a$ are what the encoders read off the *drawn* picture. The first term is the idea of the chapter. The other two are practice for what comes: they teach encoders to read drawn pictures.

# %% tags=["remove-input"]
code(networks.Model.draw, networks.Model.encode_pose)

# %% tags=["hide-input", "hide-output"]
code(networks.PoseEncoder, networks.AppearanceEncoder, networks.Decoder)

# %% [markdown]
# The background comes late. If it went in at the beginning, the decoder would have to carry it through all its layers; if it did not go in at all, $f_a$ would have to bring it, and $I_s$ has another crop. The paper concatenates it before the last layers. In our recipe the decoder gives a person and a *mask*, and lays them over
# the background, $\hat I_t = m \cdot \text{person} + (1 - m) \cdot B_t$: what is not the person comes from $B_t$ for certain, and the mask shows what the decoder takes for the person.
#
# ## The frozen decoder
#
# Outdoors cameras move. Frames of $\mathcal D_{unp}$ have no $B_t$, so a redrawn frame cannot be compared with anything. The paper's way out: take a *random* background $B_r$, draw $\tilde I_t$ of the target's pose and the source's clothes, and ask only whether the encoders
# read from it what was put in:
#
# $$
# \mathcal L_{UNP} = \lvert p_{2D} - \tilde p_{2D} \rvert + \lambda_2 \lvert f_a - \tilde f_a \rvert, \qquad \tilde p_{2D} = T^{-1} \circ T_k \circ E_P \circ T(\tilde I_t) , \tag{8}
# $$
#
# with $T_k = T_c \circ T_{fk}$ and $T$ a flip or a turn in the picture's plane. The decoder must not learn here. Free to, it would meet the encoders halfway, at any code that is easy to draw and easy to read, one pose for everybody for instance. Frozen, it acts as an *energy*: it learned on $\mathcal D_p$ what
# codes look like, and for a code unlike these it draws something that cannot be read.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Diagram. The source I s gives f a by E A, the target I t gives p 2D by E P and then maps by T m; both enter a hatched, frozen decoder D I together with a random background B r. It draws I t tilde. From that E A reads f a tilde, compared with f a; and T turns it, E P and the inverse of T read p 2D tilde off it, compared with p 2D."}, "figure": {"caption": "The energy loss on frames without a background (our drawing of the paper's Figure 2B). The drawn picture is what a perfect decoder would give. Dashed: what is asked to agree.", "name": "fig-kks-method-energy"}}
web = Filmed.of(wild, "wild", PX, margin=material.MARGIN)
loose = (~still[wild.clip]).nonzero()[:, 0]
loose = loose if len(loose) else torch.arange(len(wild))
chosen = loose[len(loose) // 2 : len(loose) // 2 + 1]
mate = wild.other(chosen, max(1, round(float(wild.fps.min()))), trainer.generator)
pair = web.draw(torch.cat([chosen, mate]), background=True)
random_scene = filmed.scenery(here)
pasted = torch.where(pair.mask[:1, None], pair.colour[:1], random_scene)
plots_kinematics.energy_diagram(*(shown(p)[0] for p in (pair.colour[:1], pair.colour[1:], random_scene, pasted)), web.crop[chosen[0]].numpy(), SKELETON)
plt.show()

# %% [markdown]
# $T$ keeps the encoder from reading the drawn picture in some trivial way: a picture turned by 15° has to give the points turned by 15°. When a picture is flipped, left and right change places.

# %% tags=["remove-input"]
code(turn_pictures)

# %% tags=["hide-input", "hide-output"]
code(Trainer._second_pass)

# %% [markdown]
# (kks-collapse)=
# ## What can go wrong
#
# Each loss of the chapter has a solution that nobody wants. Four quantities are watched during training, and stand in the curves of every record of a run that draws:
#
# | collapse | why it would pay | what shows it |
# |---|---|---|
# | one pose for all | $\mathcal L_{UNP}$ alone is zero for an encoder that ignores its input | `pose_spread`, the deviation of canonical joints over a batch, falls to 0 |
# | one appearance for all | the same for $f_a$ | `appearance_spread` falls to 0 |
# | deaf joints | none; far from where it belongs, a joint is told nothing ({ref}`above <kks-reach>`) | `map_gradient`, the mean gradient of the redrawn picture on the 2D points, falls to 0 |
# | clothes through the pose, or pose through the clothes | offsets of the points could carry a colour; a spatial $f_a$ of a similar pose could carry the shape | `leak`: give a pose another picture's $f_a$. 0, the drawn person has the colours of that picture; 1, those of the pose's own |
#
# Against the first two the targets in (7) and (8) are not differentiated, and $\mathcal L_{prior}$ goes on. Against the third there are the limbs, and the renders, which bring joints near. Against the last, a little noise on the points, and an $f_a$ that is a palette, a few colours of the source averaged over its pixels, and cannot say where anything is.
# Two more have no curve, but numbers on the results page: left and right exchanged (2D error against the better of both labellings), and depth mirrored (P-MPJPE of the mirrored prediction).

# %% tags=["hide-input", "hide-output"]
code(Trainer._monitor)

# %% [markdown]
# (kks-recipe)=
# ## The order of lessons
#
# **As printed**: the losses take turns, one an update, each with an AdaGrad {cite:p}`duchi2011adaptive` of its own; so no weights have to be chosen. First on studio and web together, then finetuned on the studio without $\mathcal L_{UNP}$. Schedule and batch are not given.

# %% tags=["remove-input"]
code(PrintedTrainer.step)

# %% [markdown]
# **Ours**: one Adam on the sum, in three stages. An encoder that knows nothing gives the decoder noise, and a decoder that knows nothing gives the encoder noisy gradients; so the labelled renders come first, alone. And the decoder gets two more lessons that need no more labels:
#
# *redraw*
# : draw the renders again from their *true* points. So the decoder knows from the start what a left arm looks like.
#
# *silhouette*
# : where a frame differs from its background there is the person. The mask is told so.
#
# A third lesson is for the encoder and has a variant of its own, `novel`: mix the limbs of the twenty into new people, draw them with the clothes of a video's frame, and let the encoder read them. It is $\mathcal L_{UNP}$ with a pose that is known; their second paper has a loss of this
# kind {cite:p}`kundu2020part`.

# %% tags=["hide-input"]
lines = [
    ("prior", "$E_P$", r"$\mathcal L_{prior}$", "renders", "prior_steps"),
    ("base", "all", r"$\mathcal L_{prior}, \mathcal L_P, \mathcal L_{UNP}$, redraw, silhouette", "renders, studio, web", "base_steps"),
    ("fine", "all", r"$\mathcal L_{prior}, \mathcal L_P$, redraw, silhouette; labels where a row has them", "renders, one role", "fine_steps"),
]
sizes = {name: kundu.PROFILES[name] for name in ("cpu", "gpu", "paper")}
say(
    table(
        ("stage", "trains", "losses", "on", *(f"updates at `{name}`" for name in sizes)),
        [(*line[:4], *(f"{getattr(size, line[4]):,}" for size in sizes.values())) for line in lines],
        ("---",) * 4 + ("---:",) * 3,
    )
)

# %% tags=["hide-input", "hide-output"]
code(Trainer._losses, Trainer.novel_poses)

# %% [markdown]
# ## Train one
#
# Now for real, on one core, with the networks of profile `cpu` and smaller batches. Three test frames are looked at now and then: what pose does the encoder see, and what does the decoder draw of it? The bar moves in JupyterLab; in the book you see what came out.

# %% tags=["hide-input"]
truth = test.joints_3d - test.joints_3d[:, :1]
watched = torch.linspace(0.12, 0.88, 3).mul(len(test)).long()
look_frames = trainer.look("studio")[0]  # the test frames with their backgrounds
ends = np.cumsum(list(trainer.stages.values())).tolist()
moments = sorted({0, ends[0], (ends[0] + ends[1]) // 2, ends[1], ends[2]})
snapshots, progress = {}, []


@torch.no_grad()
def redrawn(frames, index, sources=None):
    """Poses of frames and the pictures drawn of them, with the appearance of the sources, and masks."""
    trainer.model.eval()
    seen = trainer.model.encode_pose(frames.pictures(index))
    appearance = trainer.model.encode_appearance(frames.pictures(index if sources is None else sources))
    picture, mask = trainer.model.draw(seen.points, appearance, frames.backgrounds(index))
    return seen, picture, mask


@torch.no_grad()
def measure(done):
    """What the live model knows of the test frames."""
    seen = trainer.see(look_frames)
    progress.append(
        {
            "update": done,
            "P-MPJPE": float(metrics.p_mpjpe(seen.turned * trainer.unit_mm, truth).mean()),
            "2D": float(50 * (seen.points - look_frames.points).norm(dim=-1).mean()),
        }
    )
    seen, picture, _ = redrawn(look_frames, watched)
    snapshots[done] = (seen.points.numpy(), shown(picture))


# %%
curves = {}  # loss or monitor -> ([update], [mean since the last reading])
sums, every = {}, max(1, trainer.steps // 40)
measure(0)
for done in tqdm(range(1, trainer.steps + 1), desc="updates", disable=run.headless(), leave=False):
    for name, value in trainer.step(done - 1).items():
        sums.setdefault(name, []).append(value)
    if done in moments:
        measure(done)
    if done % every == 0 or done == trainer.steps:
        for name, values in sums.items():
            places, means = curves.setdefault(name, ([], []))
            places.append(done)
            means.append(float(torch.stack(values).mean()))
        sums = {}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three pairs of rows, one pair for each test person: the frame, then the predicted skeleton over the frame and the drawn picture after more and more updates. At first a standing figure and noise, at last a body of the person's colours in about its pose."}, "figure": {"caption": "Three test frames while the networks learn. Upper row of each: the 2D pose that the encoder sees. Lower row: what the decoder draws of it. The numbers count updates; the second is the end of the stage on renders alone.", "name": "fig-kks-method-emerging"}}
columns = list(snapshots)
figure, axes = plots.subplots(6, len(columns) + 1, height=8.2)
pictures = shown(look_frames.images[watched])
for k in range(3):
    upper, lower = axes[2 * k], axes[2 * k + 1]
    plots_images.show_picture(upper[0], pictures[k])
    lower[0].axis("off")
    for place, moment in enumerate(columns, 1):
        points_seen, drawn = snapshots[moment]
        plots_images.draw_bones(plots_images.show_picture(upper[place], pictures[k]), points_seen[k], SKELETON, linewidth=1.6, outline=True)
        plots_images.show_picture(lower[place], drawn[k])
for ax, title in zip(axes[0], ("frame", *columns), strict=True):
    ax.set_title(title)
plt.show()

# %% tags=["hide-input"] mystnb={"image": {"alt": "Small panels, one for each loss of the live training, over its updates."}, "figure": {"caption": "The losses of the live training, weighted, means between readings. The dotted lines are the ends of the stages.", "name": "fig-kks-method-curves"}}
MONITORS = ("pose_spread", "appearance_spread", "map_gradient", "leak")


def small_panels(names, columns=3):
    """One panel for each curve, with the ends of stages."""
    rows = -(-len(names) // columns)
    figure, axes = plots.subplots(rows, columns, height=1.75 * rows + 0.2, squeeze=False)
    for ax, name in zip(axes.flat, names, strict=False):
        ax.plot(*curves[name], color=plots.CYCLE[0])
        ax.set(title=name, xlim=(0, trainer.steps), ylim=(0, None))
        for end in ends[:-1]:
            ax.axvline(end, color=plots.INK, linestyle=":", linewidth=0.9)
    for ax in list(axes.flat)[len(names):]:
        ax.axis("off")
    return figure


small_panels([name for name in curves if name not in MONITORS])
plt.show()

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four small panels over the updates: pose_spread, appearance_spread, map_gradient and leak."}, "figure": {"caption": "The four watched quantities, which begin with the drawing of pictures. The first three must not fall to zero; the last should.", "name": "fig-kks-method-monitors"}}
small_panels([name for name in MONITORS if name in curves], columns=2)
plt.show()

# %% [markdown]
# ### What came out
#
# What the twenty renders gave and what the pictures added; and what ignores the picture altogether.

# %% tags=["hide-input"]
floors = {name: kundu.build(kundu.VARIANTS[name], SIZES, data, seed).predict("studio") for name in ("mean-pose", "mean-shape")}
floors = {name: float(metrics.p_mpjpe(poses, truth).mean()) for name, poses in floors.items()}
predicted = trainer.see(look_frames)
guess = trainer.renders.points.mean(0)
both = torch.minimum(*((predicted.points - p).norm(dim=-1).mean(1) for p in (look_frames.points, look_frames.points[:, SWAP])))
after_prior = next(row for row in progress if row["update"] == ends[0])
rows = [
    ("P-MPJPE (mm)", f"{after_prior['P-MPJPE']:.0f}", f"{progress[-1]['P-MPJPE']:.0f}", f"{floors['mean-pose']:.0f} (mean pose), {floors['mean-shape']:.0f} (mean shape)"),
    ("2D error (% of the crop)", f"{after_prior['2D']:.1f}", f"{progress[-1]['2D']:.1f}", f"{float(50 * (guess - look_frames.points).norm(dim=-1).mean()):.1f} (mean of the renders), {float(unavoidable['fitted'].mean()):.1f} (the geometry's own)"),
    ("2D error, better labelling", "", f"{float(50 * both.mean()):.1f}", ""),
]
say(
    f"{len(test)} test frames of collection `{collection}`, profile `{profile}`, seed {seed}, mean over frames.\n\n"
    + table(("", "renders alone", "with pictures", "for comparison"), rows, ("---", "---:", "---:", "---"))
    + "\n\nThe two columns are not a fair race: the second has had more updates. The results page has it, with a row of renders alone for as many minutes (`prior-only`), and one in which batch normalisation sees "
    "the unlabelled pictures and no loss does (`bn-control`)."
)

# %% tags=["hide-input"]
say(
    "Profile `smoke` only tests the machinery: these numbers mean nothing." if few else
    f"This training took {trainer.steps} updates on batches of {SIZES.batch} and {len(trainer.footage['studio']) + len(trainer.footage['wild']):,} frames; a run of profile `cpu` takes "
    f"{SMALL.prior_steps + SMALL.base_steps + SMALL.fine_steps:,} on batches of {SMALL.batch} and has more frames."
)

# %% [markdown]
# Four test frames, taken at equal distances through the list:

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four rows: a test frame, the predicted 2D pose over it, and the 3D pose in red over the true one in green from the camera and from the side."}, "figure": {"caption": "Live predictions. The 3D pose is aligned with the truth by rotation, scale and shift, as P-MPJPE does.", "name": "fig-kks-method-predictions"}}
four = torch.linspace(0.05, 0.95, 4).mul(len(test)).long()
aligned = similarity_align(predicted.turned * trainer.unit_mm, truth)
figure = plots_images.prediction_grid(
    shown(look_frames.images[four]), SKELETON, points=predicted.points[four].numpy(), poses=aligned[four].numpy(),
    truth=truth[four].numpy(), views=(0.0, 90.0),
)  # fmt: skip
plt.show()

# %% tags=["hide-input"]
dozen = torch.linspace(0.02, 0.98, 10).mul(len(test)).long()
errors = metrics.p_mpjpe(predicted.turned, truth)
figure = plots_images.choose_3d(
    shown(look_frames.images[dozen]), aligned[dozen].numpy(), truth[dozen].numpy(), SKELETON,
    [f"{test.actions[i]}: {errors[i]:.0f} mm" for i in dozen.tolist()],
)  # fmt: skip
plots3d.show(
    figure, "fig-kks-method-turn",
    "Interactive 3D figure: predicted skeletons in red over true ones in green, with the picture in the corner and a slider that chooses among ten test frames.",
    "Ten test frames to turn, predicted over true, after alignment. The slider chooses; its title is the action and the P-MPJPE.",
    height=500,
)  # fmt: skip

# %% [markdown]
# And the three factors taken apart: {numref}`fig-kks-method-swap` gives two poses two appearances. If the disentanglement works, columns share a pose and rows share the clothes.

# %% tags=["hide-input"] mystnb={"image": {"alt": "A grid of three by three. The first row has two frames that give poses, the first column two frames that give clothes; each of the four other pictures is drawn with the pose of its column and the clothes of its row."}, "figure": {"caption": "Exchanging pose and appearance, live: the pose of the upper row, the clothes of the left column, the background of the pose's picture.", "name": "fig-kks-method-swap"}}
poses_from = watched[:2]
outfits = shot.outfit[test.clip]
clothes_from = torch.stack([(outfits == o).nonzero()[0, 0] for o in outfits.unique()[[0, -1]].tolist()])
figure, axes = plots.subplots(3, 3, width=5.0, height=5.0)
axes[0, 0].axis("off")
for k in range(2):
    plots_images.show_picture(axes[0, k + 1], shown(look_frames.images[poses_from[k]])).set_title("pose")
    plots_images.show_picture(axes[k + 1, 0], shown(look_frames.images[clothes_from[k]])).set_title("clothes")
    _, drawn, _ = redrawn(look_frames, poses_from, clothes_from[[k, k]])
    for ax, image in zip(axes[k + 1, 1:], shown(drawn), strict=True):
        plots_images.show_picture(ax, image)
plt.show()

# %% [markdown]
# (kks-knobs)=
# ## Turn the knobs
#
# Choose a knob, move the slider, and see what one of the forty numbers does, or one of the camera's: the skeleton with its camera (purple, with a mark at its top), the maps, and the person that the decoder trained above draws for it. The skeleton can be turned with the mouse.
#
# A knob here is an angle, not a raw number. Each of the 13 vectors is three numbers of which only the direction counts, so a slider for each would be redundant and would do nothing when all three are scaled. Instead a vector swings out of where it rests when
# standing, *forward* (towards where the face looks) and *sideways* (to the person's left; shoulders: up). *Bow* is different: it swings both thighs and turns the camera about, because that is what bowing is to this model.

# %% tags=["hide-input"]
REST = trainer.model.standing  # (40,): a standing person with hanging arms
STANDING = kinematics.forward_kinematics(REST[None], lengths, LIVE.frames)[0]
PARENT = [0 if SKELETON.joints[p] == "thorax" and j == "spine" else p for j, p in zip(SKELETON.joints, SKELETON.parents, strict=True)]
LEFTWARDS, UPWARDS = torch.eye(3)[1], torch.eye(3)[2]


def swung(joint, forward, sideways):
    """The vector (N, 3) of a joint whose bone has swung from its rest by angles (N,) in degrees."""
    j = at[joint]
    rest = normalise(STANDING[j] - STANDING[PARENT[j]])
    ahead = normalise(FACE - (FACE @ rest) * rest)
    other = torch.linalg.cross(rest, ahead)
    toward = UPWARDS if abs(float(rest @ LEFTWARDS)) > 0.9 else LEFTWARDS
    other = other * torch.sign(other @ toward)
    a, b = torch.deg2rad(torch.as_tensor(forward).float()), torch.deg2rad(torch.as_tensor(sideways).float())
    a, b = torch.broadcast_tensors(a.reshape(-1), b.reshape(-1))
    size = (a.square() + b.square()).sqrt().clamp_min(1e-6)[:, None]
    bone = torch.cos(size) * rest + torch.sin(size) / size * (a[:, None] * ahead + b[:, None] * other)
    # the parent's frame is that of the standing pose: inverse kinematics gives the vector in it
    moved = STANDING.expand(len(bone), -1, -1).clone()
    moved[:, j] = moved[:, PARENT[j]] + bone
    column = 1 + 3 * kinematics.MOVED.index(joint)
    return kinematics.inverse_kinematics(moved, LIVE.frames)[:, column : column + 3]


def posed(angles, count=1):
    """Parameters (N, 40) of {joint: (forward, sideways)} in degrees, all other joints at rest, and the hip line's angle."""
    found = REST.expand(count, -1).clone()
    for joint, value in angles.items():
        if joint == "hip line":
            tilt = torch.deg2rad(torch.as_tensor(value).float()) / kinematics.HIP_RANGE
            found[:, 0] = torch.atanh(tilt.clamp(-0.999, 0.999))
        else:
            column = 1 + 3 * kinematics.MOVED.index(joint)
            found[:, column : column + 3] = swung(joint, *value)
    return found


front = torch.tensor([int((-frame[:, 2, 0] - frame[:, 1, 2]).argmax())])  # a test frame seen from the front gives the clothes
with torch.no_grad():
    trainer.model.eval()
    WORN = trainer.model.encode_appearance(look_frames.pictures(front))
    BEHIND = look_frames.backgrounds(front)


@torch.no_grad()
def setting_of(parameters, camera):
    """Canonical joints, rotation, points, maps as a picture and the drawn person of settings (N, 40), (N, 6)."""
    seen = trainer.model.pose(parameters, camera)
    n = len(parameters)
    drawn, _ = trainer.model.draw(seen.points, WORN.expand(n, *WORN.shape[1:]), BEHIND.expand(n, -1, -1, -1))
    maps = np.stack([in_colour(points, 40) for points in seen.points])
    return seen, kinematics.camera_rotation(camera), maps, shown(drawn)


# %%
POSE = {  # where every knob rests: (forward, sideways) in degrees
    "left_elbow": (25.0, 35.0), "left_wrist": (60.0, 0.0), "right_elbow": (-20.0, -25.0), "right_wrist": (25.0, 0.0),
    "left_knee": (25.0, 5.0), "left_ankle": (-35.0, 0.0), "right_knee": (-10.0, -5.0), "right_ankle": (-10.0, 0.0),
}  # fmt: skip
CAMERA = (20.0, 8.0, 0.0)  # azimuth, elevation, roll

# %% tags=["hide-input"]
KNOBS = {  # name -> (the nine positions in degrees, what moves: a joint and which of its two angles)
    "camera: azimuth": (np.linspace(-160, 200, 9), ("camera", 0)),
    "camera: elevation": (np.linspace(-52, 68, 9), ("camera", 1)),
    "camera: roll": (np.linspace(-40, 40, 9), ("camera", 2)),
    "hip line": (np.linspace(-40, 40, 9), ("hip line", None)),
    "left upper arm, forward": (np.linspace(-55, 185, 9), ("left_elbow", 0)),
    "left upper arm, sideways": (np.linspace(-5, 155, 9), ("left_elbow", 1)),
    "left elbow": (np.linspace(0, 120, 9), ("left_wrist", 0)),
    "right elbow": (np.linspace(-15, 145, 9), ("right_wrist", 0)),
    "left thigh, forward": (np.linspace(-35, 125, 9), ("left_knee", 0)),
    "left knee": (np.linspace(-135, 5, 9), ("left_ankle", 0)),
    "right knee": (np.linspace(-130, 10, 9), ("right_ankle", 0)),
    "head": (np.linspace(-40, 40, 9), ("nose", 0)),
    "bow": (np.linspace(-16, 112, 9), ("bow", None)),
}


def settings(values, joint, which):
    """Parameters and cameras of one knob at its positions (K,) in degrees."""
    values = torch.as_tensor(values).float()
    count, angles, camera = len(values), dict(POSE), degrees(*CAMERA).expand(len(values), -1)
    if joint == "camera":
        camera = degrees(*(values if k == which else torch.full_like(values, angle) for k, angle in enumerate(CAMERA)))
    elif joint == "hip line":
        angles[joint] = values
    elif joint == "bow":
        for knee in ("left_knee", "right_knee"):
            angles[knee] = (POSE[knee][0] + values, POSE[knee][1])
        camera = kinematics.camera_parameters(kinematics.camera_rotation(camera) @ rotation_y(torch.deg2rad(values)))
    else:
        own = POSE.get(joint, (0.0, 0.0))
        angles[joint] = (values, own[1]) if which == 0 else (own[0], values)
    return posed(angles, count), camera


knobs = []
for name, (values, (joint, which)) in KNOBS.items():
    at_rest = CAMERA[which] if joint == "camera" else 0.0 if which is None else POSE.get(joint, (0.0, 0.0))[which]
    values = np.array(values)
    rest = int(np.abs(values - at_rest).argmin())
    values[rest] = at_rest
    seen, rotation, maps, drawn = setting_of(*settings(values, joint, which))
    knobs.append(plots_knobs.Knob(name, [f"{v:.0f}°" for v in values], seen.joints.numpy(), rotation.numpy(), maps, drawn, rest))
plots3d.show(
    plots_knobs.turn_knobs(knobs, SKELETON), "fig-kks-method-knobs",
    "Interactive figure with a menu of thirteen knobs and a slider: a 3D skeleton with its camera, beside it the coloured maps of its joints and limbs and the person that the decoder draws for it.",
    "Knobs of the pose code and the camera, each at nine positions, all others at rest. The decoder is the one trained above, for a minute or two; the clothes and the background are those of a test frame.",
    height=540,
)  # fmt: skip

# %% [markdown]
# In JupyterLab all of them can be moved at once: 26 angles of the 13 vectors, the hip line and the camera. Below the pictures stand the forty numbers themselves.

# %% tags=["hide-input"]
REACH = {"elbow": (-90, 180), "wrist": (-30, 150), "knee": (-60, 130), "ankle": (-150, 30)}
GROUPS = {"camera and hips": {n: (low, high, r) for (n, low, high), r in zip((("azimuth", -180, 180), ("elevation", -60, 75), ("roll", -60, 60)), CAMERA, strict=True)}}
GROUPS["camera and hips"]["hip line"] = (-40.0, 40.0, 0.0)
for group, words in {"trunk and head": ("spine", "nose", "head"), "left arm": ("left_shoulder", "left_elbow", "left_wrist"),
                     "right arm": ("right_shoulder", "right_elbow", "right_wrist"), "left leg": ("left_knee", "left_ankle"),
                     "right leg": ("right_knee", "right_ankle")}.items():  # fmt: skip
    GROUPS[group] = {}
    for joint in words:
        low, high = REACH.get(joint.rpartition("_")[2], (-45, 45))
        forward, sideways = POSE.get(joint, (0.0, 0.0))
        name = joint.replace("_", " ")
        GROUPS[group] |= {f"{name}, forward": (low, high, forward), f"{name}, sideways": (-100, 100, sideways)}


def parameters_of(setting):
    """Parameters (1, 40) and camera (1, 6) of slider values {name: degrees}."""
    angles = {j: (setting[f"{j.replace('_', ' ')}, forward"], setting[f"{j.replace('_', ' ')}, sideways"]) for j in kinematics.MOVED}
    return posed(angles | {"hip line": setting["hip line"]}), degrees(*(setting[n] for n in ("azimuth", "elevation", "roll")))


def picture_of(setting):
    """A PNG: the pose as its camera sees it and from the side, its maps, and the drawn person."""
    seen, _, maps, drawn = setting_of(*parameters_of(setting))
    views = {"camera": seen.turned[0, :, :2].numpy(), "side": aside(seen.joints[0], -90.0, 0.0)}
    figure = plots_kinematics.panels(views, maps[0], drawn[0], SKELETON)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return buffer.getvalue()


def numbers_of(setting):
    """The forty numbers."""
    values = parameters_of(setting)[0][0]
    lines = [f"hip line        {values[0]:6.2f}"]
    return "\n".join(lines + [f"{j:15s} " + " ".join(f"{v:6.2f}" for v in values[1 + 3 * i : 4 + 3 * i]) for i, j in enumerate(kinematics.MOVED)])


if run.headless() or os.environ.get("PLOTLY_IN_BOOK") == "1":
    say(f"*In JupyterLab, {sum(map(len, GROUPS.values()))} sliders stand here. This page was made without a front end that could move them.*")
else:
    display(plots_knobs.live_knobs(GROUPS, picture_of, numbers_of))

# %% [markdown]
# (kks-change)=
# ## Change something
#
# An ablation is one line: replace fields of `Variant` and train again. The cell trains encoders on labelled renders alone, which takes seconds each. It compares medoids with the twenty most different poses, and the fitted camera with the constant one.

# %%
changes = {
    "medoids, fitted camera": dict(),
    "the farthest poses": dict(chosen="farthest"),
    "constant camera": dict(camera="constant"),
}
lesson = 4 if few else 150

# %% tags=["hide-input"]
rows = []
for name, fields in changes.items():
    small = replace(SIZES, only_steps=lesson)
    pupil = kundu.build(replace(kundu.VARIANTS["prior-only"], **fields), small, data, seed)
    for index in tqdm(range(lesson), desc=name, disable=run.headless(), leave=False):
        pupil.step(index)
    read = pupil.see(look_frames)
    rows.append((name, f"{metrics.p_mpjpe(read.turned, truth).mean():.0f}", f"{50 * (read.points - look_frames.points).norm(dim=-1).mean():.1f}"))
say(
    f"Encoders after {lesson} updates on twenty renders, on the test frames. One seed and so few updates: small differences are chance.\n\n"
    + table(("", "P-MPJPE (mm)", "2D error (%)"), rows, ("---", "---:", "---:"))
)

# %% [markdown]
# Things to try in JupyterLab:
#
# 1. Sit the skeleton down with the sliders: both thighs forward to 90°, both knees to −90°. Now swing a thigh slowly sideways and watch its shin. Then do the same with `LIVE = replace(OURS, frames="gram-schmidt")`: what you see is {ref}`the ring <kks-singular>`.
# 2. Turn the azimuth to 180°. Do the maps know the difference from 0°? Does the decoder draw a face, or hair? How does it know left from right?
# 3. Give `LIVE` the field `frozen=False`, or `renders=0, redraw=False`, and look at the four watched quantities. Which one tells you first?
# 4. Set `LIVE = replace(OURS, camera="constant")`. How does the 2D error after training compare with the floor computed in {ref}`the section on the camera <kks-camera>`?
# 5. Set `LIVE = PRINTED` and `SIZES = replace(SMALL, printed_steps=2000)`: the recipe as printed. Which loss falls first, and what do its drawings look like?
#
# ## What it is measured against
#
# **Renders alone** (`prior-only`), for as many minutes: what unlabelled pictures add has to show against this row, not against nothing. **Batch normalisation** (`bn-control`): the same, while unlabelled pictures pass through the encoder and only its normalisation sees them; part of what looks like learning from pictures
# is that. **Landmarks** (`jakab`): 17 points without a skeleton and without renders, by image generation alone {cite:p}`jakab2018unsupervised`. **Supervised** (`sup`): the same encoder with the 3D pose of every picture. The *mean pose* and the *mean shape* ignore the picture; the *flat lift* takes the true 2D pose and sets all depths to the same value.
#
# (kks-differ)=
# ## Where we differ
#
# There is no public code of this paper, and its supplement is not public to us. What its text leaves open we have chosen, with an eye on their second paper {cite:p}`kundu2020part` and on the work whose decoder they follow {cite:p}`rhodin2018unsupervised`.
# Whatever changes the method is a field of `Variant`, so that you can switch it back; `as-printed` switches back what the paper states. The numbers of the last column are read from this version of the code.

# %% tags=["hide-input"]
APPEARANCE = {"palette": f"a palette of {networks.COLOURS} colours", "map": "a map"}
CHOSEN = {"medoids": "medoids of the poses of role `motion`", "farthest": "the farthest poses of role `motion`", "bodies": "those of role `bodies`"}
FRAMES = {"transport": "transported", "gram-schmidt": "limb and face vector, blended near the face vector"}
OPTIMISER = {"staged": "one Adam on the sum, in stages", "alternating": "one AdaGrad a loss, in turn", "sum": "one AdaGrad on the sum"}
FUSION = {"composite": "person and mask over the background", "late": "concatenated before the last layers"}
TRANSLATION = {"fitted": "fitted to the crop", "constant": "constant"}
TABLE = [  # setting, in the paper, here, back to the paper
    ("$T_c$", "constant (deduced: six numbers are angles)", f"{TRANSLATION[OURS.camera]}; {TRANSLATION[PRINTED.camera]} in `as-printed`", '`camera="constant"`'),
    ("background", "fused towards the end", f"{FUSION[OURS.fusion]}; {FUSION[PRINTED.fusion]} in `as-printed`", '`fusion="late"`'),
    ("$f_a$", "a map of 512 channels, 14 × 14", f"{APPEARANCE[OURS.appearance]}; {APPEARANCE[PRINTED.appearance]} in `as-printed`", '`appearance="map"`'),
    ("optimisers", "AdaGrad 0.001, one a loss, alternating", f"{OPTIMISER[OURS.recipe]}; {OPTIMISER[PRINTED.recipe]} in `as-printed`", '`recipe="alternating"`'),
    ("weights of losses", "none, by separate optimisers", f"constants in `Trainer._losses`; all but $\\mathcal L_{{prior}}$ times {OURS.weight:g}; {PRINTED.weight:g} in `as-printed`", "`weight=1.0`"),
    ("first stage on renders alone", "no", f"yes, {SMALL.prior_steps} updates at `cpu`, {LARGE.prior_steps} at `gpu`", "`prior_steps=0`"),
    ("$\\mathcal L_{prior}$", "$p_{3D}$ and $p_{2D}$", "also the joints in camera axes; not in `as-printed`", "with the recipe"),
    ("decoder redraws the renders", "no", "yes" if OURS.redraw else "no", "`redraw=False`"),
    ("the mask is told where the person is", "there is none", "yes, by the renders' outlines and by what differs from the background" if OURS.silhouette else "no", "`silhouette=0.0`"),
    ("renders also before estimated backgrounds", "no", "yes" if OURS.backdrops else "no", "`backdrops=False`"),
    ("drawn new poses for $E_P$", "no", "yes" if OURS.novel else "no; in `novel`", ""),
    ("targets of the cycles", "not said", "constants" if OURS.detach else "differentiated", "`detach=False`"),
    ("frames of limbs", "parent-relative, not said how", f"{FRAMES[OURS.frames]}; {FRAMES[PRINTED.frames]} in `as-printed`", '`frames="gram-schmidt"`'),
    ("bone ratios", "given", "mean over the poses of role `motion`, both sides averaged", ""),
    ("hip line", "one angle", f"$\\phi = {np.degrees(kinematics.HIP_RANGE):.0f}° \\cdot \\tanh v_0$", ""),
    ("$\\sigma$ of heat maps", "in the supplement", f"{networks.SIGMA:g} of the half side", ""),
    ("$\\alpha$, $\\sigma_y$", "in the supplement", f"{networks.REACH:g}; {min(networks.WIDTHS):g} to {max(networks.WIDTHS):g} of the half side", ""),
    ("noise on $p_{2D}$ before $T_m$", "none", "0.01 of the half side; none in `as-printed`", "with the recipe"),
    ("$E_P$", "ResNet-50 to res4f, ImageNet", f"small residual network at `cpu`, {LARGE.encoder} at `gpu`, {FULL.encoder} at `paper`; starts {trainer.initialisation} here", "profile `paper`"),
    ("$E_A$", "10 convolutions", "5 convolutions; 10 in `as-printed`", '`appearance="map"`'),
    ("picture", "224", f"{SMALL.image} at `cpu`, {LARGE.image} at `gpu`, {FULL.image} at `paper`", "profile `paper`"),
    ("maps, resolution of the middle", "14 × 14", f"{SMALL.image // 2} and {SMALL.image // 4} at `cpu`, {LARGE.image // 2} and {LARGE.image // 4} at `gpu`", ""),
    ("renders", "20 of SMPL, chosen how is not said", f"{OURS.renders} drawn people, {CHOSEN[OURS.chosen]}", '`chosen="farthest"`, `"bodies"`'),
    ("augmentation of renders", "colour jitter, mirror, rotation", f"gain of each colour, mirror, turns of {', '.join(f'{t:g}' for t in material.TURNS)}°", ""),
    ("gap between $I_s$ and $I_t$", "“a certain time-difference”", f"{material.GAP:g} s", ""),
    ("sorting of clips", "pixel-wise L2 between frames", f"share of pixels that change, static up to {100 * backdrops.STILL:.0f} %", ""),
    ("clips", "longer than 5 s", "every clip", ""),
    ("$T$ in $\\mathcal L_{UNP}$", "flip or in-plane rotation", "either, half of the time; turns up to 20°", ""),
    ("finetuning", "$\\mathcal L_{prior}$ and $\\mathcal L_P$ on the studio", f"the same, the last {100 * SMALL.fine_steps / (SMALL.prior_steps + SMALL.base_steps + SMALL.fine_steps):.0f} % of updates at `cpu`", ""),
    ("labels, weak and semi", "the unsupervised model is trained further", "labels join in its finetuning, on four half batches a step; 3D labels with camera and 2D, in `as-printed` canonical joints alone", ""),
    ("mirroring of pairs", "not said", "target and source, each half of the time", ""),
    ("clips of role wild in $\\mathcal D_p$", "about 40 % of them", "a quarter of each batch", ""),
    ("where $E_P$ starts", "not said", "a standing person seen from the front", ""),
    ("step size", "constant", f"falls to 3 % of itself; {PAINTING:g} times as large for what draws; gradients of $E_P$ clipped; none of it in `as-printed`", "with the recipe"),
    ("the cycle of $\\mathcal L_P$", "all pictures", "half of a batch; all in `as-printed`", "with the recipe"),
    ("batch", "not said", f"{SMALL.batch} of each kind at `cpu`, {LARGE.batch} at `gpu`", ""),
]  # fmt: skip
say(table(("setting", "paper", "here", "to switch back"), TABLE, ("---",) * 4))

# %% [markdown]
# Why:
#
# - *Fitted $T_c$.* See {ref}`where is the person in the crop <kks-camera>`. The paper's detector cuts boxes too, and with a constant translation the pose has to bend to meet them. It is the one change of the geometry.
# - *Composite background.* A mask cannot smear the background into the person. It also shows the silhouette, which the results page measures.
# - *A palette for $f_a$.* A map of the source could show the decoder where limbs are; at our few frames to a clip, poses of a pair are often alike, and that would pay. A palette holds colours and no places, and what people wear needs no learning, only where to look and where to paint.
# - *Transported frames.* See {ref}`when a limb points where the face does <kks-singular>`.
# - *One Adam and stages.* AdaGrad divides by all gradients it has ever seen; a first, wild phase slows it for good. The paper's argument for separate optimisers is that no weights need to be chosen; ours are constants, and `printed-sum` with its two neighbours shows what weights do to the paper's own losses.
# - *Redrawn renders, silhouettes, backdrops.* See {ref}`the order of lessons <kks-recipe>`. The outlines of the renders come with them; of the videos no further label is used. Renders also stand before backgrounds that were estimated from the studio's videos, so that a picture of the studio cannot be told from a render by its room.
# - *A term in camera axes.* With canonical joints and 2D points alone the rotation learns only through the projection. The same labels, compared once more.
# - *Detached targets.* Else $\mathcal L_P$ and $\mathcal L_{UNP}$ can be lowered by making codes small, which {ref}`is a collapse <kks-collapse>`.
# - *Renders* are our drawn people with the common bone ratios, so that their labels can be met exactly. SMPL is licensed, and nothing here downloads anything.
# - *Crops* are cut around true joints, which stand for the boxes of a person detector. The windows in which clips are sorted and backgrounds estimated, and the one scale of evaluation, are taken from them too; nothing else is, in training pictures without labels.
# - *Evaluation.* The last state of a run, never the best on the test set. But the constants of our recipe (weights, step sizes, lengths of stages) were tried out in single runs with a look at the test people, which favours it over the recipe as printed. P-MPJPE is the paper's "protocol II"; because the body has a fixed scale in trunks, errors without alignment use the mean trunk of the training subjects.
#
# What the whole grid says is on the next page: {ref}`page-kundu2020-kinematic-results`.
