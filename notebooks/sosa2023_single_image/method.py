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
# (page-sosa2023-method)=
# # Method: from one image to 3D, by way of a drawing
#
# Show a network pictures of people, and, apart from them, stick figures: 2D poses of *other* moments, which belong to none of the pictures.
# Nobody says which stick figure goes with which picture, and nobody says anything about depth. Sosa and Hogg {cite:p}`sosa2023single` ask a
# network to turn each picture into a 3D pose all the same. Three ideas carry it:
#
# a drawing in between
# : The network does not put out joints. It first *draws* a stick figure, as an image. Whether an image looks like a stick figure can be
#   judged without knowing the right one: a discriminator compares the network's drawings with drawings made from the unpaired poses. The
#   network could draw anything plausible; that it draws the person it sees is the hope, and it mostly comes true, presumably
#   because the easiest way to draw varied, plausible people is to trace the ones in the picture.
#
# reading the drawing
# : A second network reads joint positions off the drawing. It can be taught with as many exact examples as one likes: draw a known
#   pose, read it back.
#
# turning the pose
# : A third network gives each joint a depth. A pose with right depths looks like a person from every side, so it is turned, projected,
#   and asked two questions: is this still a pose that people take, and does lifting it again bring back the same body?
#
# This page goes through the paper's twelve equations, with the paper's numbers, each beside the code that computes it. It shows what a drawing cannot tell, trains a small model
# before your eyes, and lists where we differ from the paper. Symbols are listed in [the notation](../../notation.md); what came out on the
# whole grid of runs stands in {ref}`page-sosa2023-results`.

# %% tags=["parameters"]
profile = "cpu"
collection = "mannequin"
seed = 0
steps = 160  # updates on pictures in the live training; the reference records take more

# %% tags=["hide-input"]
import inspect
import textwrap
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown, display
from tqdm.auto import tqdm

from lib import (
    flows,
    image_networks,
    losses,
    metrics,
    networks,
    plots,
    plots3d,
    plots_diagrams,
    plots_images,
    run,
)
from lib.data.collections import ROLES, build, dataset_path
from lib.data.images import Filmed
from lib.data.render import render
from lib.geometry import rotation_x, rotation_y, similarity_align
from lib.papers import elevation_lifting as lifting
from lib.papers import normalise, sosa2023_data, sosa2023_labels
from lib.papers import sosa2023_single_image as sosa
from lib.papers.sosa2023_baselines import ElePose, ElePoseTrainer, Supervised, SupervisedTrainer
from lib.papers.sosa2023_trainer import FLOW_NOISE, Trainer, Variant
from lib.precision import autocast
from lib.rasterize import skeleton_image
from lib.skeleton import HUMAN36M_17 as SKELETON

# %% tags=["hide-input"]
torch.set_num_threads(1)
torch.set_flush_denormal(True)
if not all(dataset_path(collection, role).exists() for role in ROLES):
    build(collection)
FULL, SMALL, LARGE, LONG = sosa.VARIANTS["full"], *(sosa.PROFILES[name] for name in ("cpu", "gpu", "paper"))
few = profile == "smoke"
kept = None if few else {"train": 6000, "test": 240}
data, _ = run.load_data(collection, ("studio", "motion"), 600 if few else None, "cpu", kept)
train, test = data["studio"]["train"], data["studio"]["test"]
EDGES, SWAP = SKELETON.bones, list(SKELETON.mirror)
AWAY = torch.tensor([1.0, 1.0, -1.0])  # negates depth


def code(*functions):
    """Shows the source of functions of lib as highlighted code."""
    for function in functions:
        source = textwrap.dedent(inspect.getsource(function)).rstrip()
        where = inspect.getmodule(function).__name__.replace(".", "/")
        display(Markdown(f"`{where}.py`\n\n```python\n{source}\n```"))


def say(text):
    """A paragraph whose numbers were computed."""
    display(Markdown(text))


# %% [markdown]
# ## The whole idea in two pictures
#
# {numref}`fig-sosa-method-pipeline` is what remains after training: a picture $x$ goes through three networks. $\Phi$ draws the *skeleton image* $s$,
# $\Omega$ reads the 2D pose $y$ off it, $\Lambda$ lifts $y$ to the 3D pose $v$.

# %% tags=["hide-input"]
LARGE_PX = 128
filmed = Filmed.of(test, "studio", LARGE_PX, margin=sosa2023_data.MARGIN)
crop = filmed.crop  # (N, 17, 2): the true joints in crop coordinates, which training never sees
wrists = crop[:, [SKELETON.index("left_wrist"), SKELETON.index("right_wrist")], 0]
apart = (wrists[:, 0] - wrists[:, 1]).clamp_max(1.0)
example = int((apart + 2 * sosa2023_labels.facing(crop).clamp_max(0.25)).argmax())  # faces us, arms away from the body
person = test.joints_3d[example] - test.joints_3d[example, :1]  # mm
unit_mm = float(normalise.head_root(train.joints_3d).mean())


def drawing(points, size=64, gamma=FULL.gamma, squared=FULL.squared):
    """Skeleton images (N, size, size) in [0, 1] of 2D poses (N, J, 2) in crop coordinates."""
    return skeleton_image(points, EDGES, size, gamma, squared)


def photograph(index, size=LARGE_PX):
    """Pictures (N, size, size, 3) uint8 of test frames, on black."""
    shot = filmed if size == LARGE_PX else Filmed.of(test, "studio", size, margin=sosa2023_data.MARGIN)
    return shot.colours(torch.as_tensor(index)).permute(0, 2, 3, 1).numpy()


def oblique(pose):
    """A 3D pose (J, 3) in mm as drawn on a card: seen from the side and a little from above, (J, 2)."""
    return plots_images.turned(pose.numpy(), 35.0, 12.0)


def pipeline(picture, skeleton, points, pose):
    """Figure 1: a picture, its skeleton image, its 2D pose over the picture and its 3D pose turned."""
    figure, ax = plots_diagrams.board(6.4, 1.72)
    x = plots_diagrams.picture_card(ax, 0.75, 0.72, picture, "picture $x$", side=1.22)
    s = plots_diagrams.picture_card(ax, 2.38, 0.72, skeleton, "drawing $s$", side=1.22)
    y = plots_diagrams.pose_card(ax, 4.01, 0.72, points, SKELETON, "2D pose $y$", side=1.22)
    v = plots_diagrams.pose_card(
        ax, 5.64, 0.72, oblique(pose), SKELETON, "3D pose $v$", side=1.22, reach=1.05 * float(pose.abs().max()), fill="#ffffff"
    )
    for start, end, name in ((x, s, r"$\Phi$"), (s, y, r"$\Omega$"), (y, v, r"$\Lambda$")):
        plots_diagrams.arrow(ax, start, end, name, shift=(0, 0.24), colour=plots.CYCLE[0], width=2.4)
    return figure


# %% tags=["hide-input"] mystnb={"image": {"alt": "Four cards in a row with arrows between them. A drawn person on black; an arrow Phi leads to a grey stick figure; an arrow Omega to a coloured 2D skeleton; an arrow Lambda to the skeleton seen obliquely."}, "figure": {"caption": "The pipeline (our drawing of the paper's Figure 1), for networks that make no error: the picture is one of ours, the other three panels are the truth. What networks after a minute of training make of it stands in the section “Train one”.", "name": "fig-sosa-method-pipeline"}}
pipeline(photograph([example])[0], drawing(crop[[example]])[0], crop[example], person)
plt.show()

# %% [markdown]
# {numref}`fig-sosa-method-training` is how they are taught. At the top, left: a discriminator $D$ compares drawings $s$ of pictures with
# drawings $w$ of unpaired poses $u$. Top right: $\Omega$ must read back the $u$ that was drawn. Below, the loop: lift, turn, project, lift again, turn back,
# project. Dashed lines are losses, two things that have to agree. Boxes know something beforehand: a *normalising flow* how likely a 2D pose is,
# and the relative lengths of bones.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Diagram. Blue arrows: picture x to drawing s to 2D pose y to 3D pose v. Above, an unpaired pose u is drawn as w; a discriminator D compares w and s, loss L D, and Omega reads u back, loss L Omega. Below y a ladder: v, its turned copy, the projection from there at the bottom, and up again on the right: second lift, turned back, projected. Rungs: L 2D between the first and the last 2D pose, L def between the 3D poses, L 3D between the turned poses. A flow box points at the projection with L NF, a box of bone ratios at v with L bl."}, "figure": {"caption": "Training (our drawing of the paper's Figure 2). Tinted cards hold 2D poses, white ones 3D poses; blue arrows are the pipeline that is kept. All poses are real: the loop is drawn for a lifter that makes no error. In our recipe the lifter learns from $u$ instead of $y$.", "name": "fig-sosa-method-training"}}
turned_person = person @ rotation_y(torch.tensor(-1.3)).T
other = int(torch.linspace(0, len(train) - 1, 7)[4])
unpaired = Filmed.of(train, "studio", 64, margin=sosa2023_data.MARGIN).crop[other]
seen_2d = person[:, :2] / 1000
turned_2d = turned_person[:, :2] / 1000
BODY = dict(side=1.05, reach=1.05)
SPACE = BODY | dict(reach=1050.0, fill="#ffffff")
figure, ax = plots_diagrams.board(6.4, 7.95)
row = [7.0, 5.4, 3.8, 2.2, 0.65]
w = plots_diagrams.picture_card(ax, 2.3, row[0], drawing(unpaired[None])[0], r"$w = \kappa(u)$", side=1.05)
u = plots_diagrams.pose_card(ax, 4.0, row[0], unpaired, SKELETON, "unpaired $u$", **BODY | dict(reach=1.0))
x = plots_diagrams.picture_card(ax, 0.65, row[1], photograph([example])[0], "picture $x$", side=1.05)
s = plots_diagrams.picture_card(ax, 2.3, row[1], drawing(crop[[example]])[0], "", side=1.05)
y = plots_diagrams.pose_card(ax, 4.0, row[1], seen_2d, SKELETON, "", **BODY)
v = plots_diagrams.pose_card(ax, 4.0, row[2], oblique(person), SKELETON, "", **SPACE)
v_hat = plots_diagrams.pose_card(ax, 4.0, row[3], oblique(turned_person), SKELETON, "", **SPACE)
y_hat = plots_diagrams.pose_card(ax, 4.85, row[4], turned_2d, SKELETON, "", **BODY)
v_hat2 = plots_diagrams.pose_card(ax, 5.75, row[3], oblique(turned_person), SKELETON, "", **SPACE)
v2 = plots_diagrams.pose_card(ax, 5.75, row[2], oblique(person), SKELETON, "", **SPACE)
y2 = plots_diagrams.pose_card(ax, 5.75, row[1], seen_2d, SKELETON, "$y'$", **BODY)
flow = plots_diagrams.box(ax, 1.2, row[4], "flow $f$, trained\non $u$, frozen", width=1.75, height=0.72)
bones = plots_diagrams.box(ax, 1.2, row[2], "bone ratios\n" r"$\bar b_n$", width=1.75, height=0.72)
KEEP = dict(colour=plots.CYCLE[0], width=2.4)
for start, end, name, shift in ((x, s, r"$\Phi$", (0, 0.22)), (s, y, r"$\Omega$", (0, 0.22)), (y, v, r"$\Lambda$", (0.22, 0))):
    plots_diagrams.arrow(ax, start, end, name, shift=shift, **KEEP)
plots_diagrams.arrow(ax, u, w, r"$\kappa$", shift=(0, 0.2), move=(0, 0.22))
plots_diagrams.arrow(ax, v, v_hat, "turn, $R$", shift=(-0.58, 0))
plots_diagrams.arrow(ax, v_hat, y_hat, "project", shift=(-0.62, 0))
plots_diagrams.arrow(ax, y_hat, v_hat2, r"$\Lambda$", shift=(0.3, 0))
plots_diagrams.arrow(ax, v_hat2, v2, r"turn, $R^{-1}$", shift=(-0.66, 0))
plots_diagrams.arrow(ax, v2, y2, "project", shift=(-0.52, 0))
LOSS = plots.CYCLE[2]
plots_diagrams.arrow(ax, w, u, r"$\mathcal{L}_\Omega$", shift=(0, -0.24), move=(0, -0.2), colour=LOSS)
plots_diagrams.loss(ax, w, s, r"$D$:  $\mathcal{L}_D$", colour=plots.CYCLE[1])
plots_diagrams.loss(ax, y, y2, r"$\mathcal{L}_{2d}$", shift=(0, 0.24))
plots_diagrams.loss(ax, v, v2, r"$\mathcal{L}_{def}$", shift=(0, 0.24))
plots_diagrams.loss(ax, v_hat, v_hat2, r"$\mathcal{L}_{3d}$", shift=(0, 0.24))
plots_diagrams.loss(ax, flow, y_hat, r"$\mathcal{L}_{NF}$", shift=(0.1, 0.24))
plots_diagrams.loss(ax, bones, v, r"$\mathcal{L}_{bl}$", shift=(0, 0.24))
for made, name in ((s, "$s$"), (y, "$y$"), (v, "$v$"), (v_hat, r"$\hat v$"), (y_hat, r"$\hat y$"), (v_hat2, r"$\hat v'$"), (v2, "$v'$")):
    ax.text(made.x - 0.46, made.y + 0.35, name, fontsize=14, color=plots.INK, zorder=6, va="center")
plt.show()

# %% [markdown]
# ## Two piles that never meet
#
# The training data are two piles: pictures without poses, and 2D poses without pictures. If a pose came from the very frame of a picture, "unpaired"
# would be a matter of shuffling, and a network might find the match. So we deal out whole *recordings*: one gives pictures, the next gives poses.
# A recording is one take of one subject with all of its cameras.

# %% tags=["remove-input"]
code(sosa2023_data.half_of_recordings)

# %% tags=["hide-input"]
halves = [sosa2023_data.half_of_recordings(train, which) for which in (0, 1)]
takes = [{train.clips[c].rsplit("/", 1)[0] for c in train.clip[half].unique().tolist()} for half in halves]
say(
    f"Of the training subjects of role `studio`, {len(takes[0])} takes give pictures and {len(takes[1])} others give poses; "
    f"{len(takes[0] & takes[1])} give both. (On this page the data are thinned to {len(train):,} frames.) The test subjects "
    f"{' and '.join(test.subject_names)} are in neither pile."
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of six. Top: drawn people in different clothes and poses on black, without any annotation. Bottom: six 2D skeletons in other poses."}, "figure": {"caption": "The two piles, six of each: pictures (top) and unpaired 2D poses (bottom). No column belongs together.", "name": "fig-sosa-method-piles"}}
shot = Filmed.of(train, "studio", 64, margin=sosa2023_data.MARGIN)
picks = [half[torch.linspace(0.04, 0.93, 6).mul(len(half)).long()] for half in halves]
figure, axes = plots.subplots(2, 6, height=2.6)
for ax, image in zip(axes[0], shot.colours(picks[0]).permute(0, 2, 3, 1).numpy(), strict=True):
    plots_images.show_picture(ax, image)
for ax, points in zip(axes[1], shot.crop[picks[1]].numpy(), strict=True):
    plots_images.draw_bones(ax, points, SKELETON)
    ax.set(xlim=(-1, 1), ylim=(1, -1), aspect="equal")
    ax.axis("off")
plt.show()

# %% [markdown]
# People are drawn by the renderer described in {ref}`page-data`. As in the paper, the person is cut out by a box, here around the
# true joints with a margin, and the background is replaced by black, as masks of the data set would do. The box gives every person the same size in the picture: *crop
# coordinates* run from $-1$ to $1$ over it, $x$ to the right and $y$ down. That is the only use of true joints in training pictures.
#
# ## From picture to drawing
#
# The renderer of drawings, $\kappa$, is exact and differentiable. For a set $C$ of limbs, a pixel $e$ and a pose $u$,
#
# $$
# \kappa(u)_e = \exp\Bigl(-\gamma \min_{(i,j) \in C,\; r \in [0,1]} \lVert e - r u_i - (1-r) u_j \rVert^2\Bigr) . \tag{2}
# $$
#
# Each pixel looks for the nearest limb and fades with the distance to it.

# %% tags=["remove-input"]
code(skeleton_image)

# %% [markdown]
# How that is computed without a map for each limb, and what it saves, has {ref}`its own page <page-speed-maps>`. The code that the paper builds on takes
# the distance without the square {cite:p}`jakab2020keypointgan`, and that matters ({numref}`fig-sosa-method-gamma`): squared, a limb has a soft, round top and then
# ends, and a limb that is off by more than its own width gets no gradient; not squared, the top is sharp and the tail reaches farther. Change `gammas` and see.

# %%
gammas = {True: (50.0, 200.0, 800.0), False: (FULL.gamma / 2, FULL.gamma, 2 * FULL.gamma)}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of three drawings of one pose. Top: squared distance, from thick to thin limbs with soft edges. Bottom: plain distance, sharp lines in a wide haze that shrinks from left to right."}, "figure": {"caption": "The renderer at three values of gamma. Top: squared distance, the paper's equation. Bottom: plain distance, the code that it builds on.", "name": "fig-sosa-method-gamma"}}
figure, axes = plots.subplots(2, 3, width=6.0, height=4.4)
for row, squared in zip(axes, (True, False), strict=True):
    for ax, gamma in zip(row, gammas[squared], strict=True):
        plots_images.show_picture(ax, drawing(crop[[example]], SMALL.skeleton, gamma, squared)[0].numpy())
        ax.set_title(rf"$\gamma$ = {gamma:g}")
plt.show()

# %% [markdown]
# $\Phi$ is an encoder and a decoder with connections across, which keep positions sharp. Its last layer has one channel: the drawing.

# %% tags=["hide-input", "hide-output"]
code(image_networks.MapNetwork)

# %% [markdown]
# What makes the output of $\Phi$ look like a drawing is a game {cite:p}`goodfellow2014gan`. $D$ learns to tell real drawings $w = \kappa(u)$ from the
# network's $s = \Phi(x)$, and $\Phi$ learns to fool it:
#
# $$
# \mathcal L_D = \mathbb E_w \log D(w) + \mathbb E_s \log\bigl(1 - D(s)\bigr) , \tag{3}
# $$
#
# which $D$ maximises and $\Phi$ minimises. $D$ is *patch-wise*: it gives a score to every neighbourhood, at several scales, so that a coarse one judges whether the
# body as a whole makes sense and a fine one whether the lines are lines. Two changes are common and used here. $D$'s output may be compared with 1 and 0 by least squares
# {cite:p}`mao2017lsgan`, which still has a slope where $D$ is sure; and $\Phi$ maximises $\log D(s)$ instead of minimising $\log(1 - D(s))$.

# %% tags=["remove-input"]
code(losses.l_d, losses.l_d_generator)

# %% tags=["hide-input", "hide-output"]
code(image_networks.PatchDiscriminator, Trainer._remember)

# %% [markdown]
# Note what this loss does *not* say: that $s$ has anything to do with $x$. A $\Phi$ that drew a random, plausible person for every picture would satisfy $D$ as well. Nothing in
# the paper forbids it; convolutions make it unlikely, because what they put out at a place depends first of all on what they see there. That is an
# *inductive bias*, not a proof, so we measure it: correlation of the drawing with the true one, and the same with the pictures shuffled.
#
# ## From drawing to 2D pose
#
# $\Omega$ reads joint positions off a drawing. Its loss has two parts: read back what was drawn from a known $u$, and draw what was read, to find the same drawing again:
#
# $$
# \mathcal L_\Omega = \lVert \Omega(\kappa(u)) - u \rVert^2 + \lambda \lVert \kappa(y) - s \rVert^2 , \tag{9}
# $$
#
# with $y = \Omega(s)$ and $\lambda = 0.1$.

# %% tags=["remove-input"]
code(losses.l_omega, Trainer._draw_skeletons)

# %% [markdown]
# The first part never sees a picture, so it has exact labels without end. The second part holds $\Phi$ and $\Omega$ together: a drawing in which $\Phi$ hid something that is no limb,
# a shade for the colour of a shirt, say, cannot be drawn again from 17 points.
#
# (sosa-left-right)=
# ### What a drawing cannot tell
#
# A drawing has one channel. Swap the names of left and right in $u$, and the drawing stays as it is, to the last bit, because the set of limbs is the same.

# %% tags=["hide-input"]
same = float((drawing(crop) - drawing(crop[:, SWAP])).abs().max())
moved = float((crop - crop[:, SWAP]).norm(dim=-1).mean())
say(
    f"Over {len(crop)} test poses, the largest difference of any pixel of $\\kappa(u)$ and $\\kappa(\\mathrm{{swap}}\\,u)$ is **{same:g}**, while "
    f"the joints of $u$ and of $\\mathrm{{swap}}\\,u$ lie {50 * moved:.1f} % of the picture's side apart on average."
)

# %% [markdown]
# This is not a curiosity of labels. {numref}`fig-sosa-method-sides` makes two *people* with the same drawing: mirror a 3D pose in depth and swap left and right, and out comes a body that
# is anatomically right, seen from behind. In the pictures the two differ, by a face for one; in the drawing they cannot.

# %% tags=["hide-input"]
behind = (person * AWAY)[SWAP] + test.joints_3d[example, :1]  # the same root, seen from behind
shown = torch.stack([test.joints_3d[example], behind])
clothes = filmed.appearance[filmed.outfit[test.clip[[example, example]]]]
pictures = render(shown, filmed.K[[example, example]], clothes, LARGE_PX).colour
in_crop = shown @ filmed.K[example].T
in_crop = 2 * (in_crop[..., :2] / in_crop[..., 2:]) / LARGE_PX - 1
collapsed = (crop[example] + crop[example][SWAP]) / 2

# %% tags=["hide-input"] mystnb={"image": {"alt": "Six panels. Top: a person from the front, nearly the same silhouette from behind, and the drawing of the first. Bottom: the 2D poses of the two, alike but for the colours of left and right, and the average of the first one's two labellings, a body without width whose limbs lie on the middle line."}, "figure": {"caption": "Two people, one drawing. Top: a person who faces the camera, another one seen from behind, and the drawing of the first. Bottom: their 2D poses (left limbs solid blue, right limbs dashed orange), and the average of the two labellings.", "name": "fig-sosa-method-sides"}}
figure, axes = plots.subplots(2, 3, width=6.0, height=4.3)
images = (pictures * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
for ax, image in zip(axes[0], (*images, drawing(in_crop[:1])[0].numpy()), strict=True):
    plots_images.show_picture(ax, image)
for ax, points in zip(axes[1], (*in_crop, collapsed), strict=True):
    plots_images.draw_bones(ax, points, SKELETON)
    ax.set(xlim=(-1, 1), ylim=(1, -1), aspect="equal")
    ax.axis("off")
for ax, title in zip(axes.flat, ("front", "behind", "drawing", "$u$, front", "$u$, behind", "average"), strict=True):
    ax.set_title(title)
plt.show()

# %% [markdown]
# Now ask what $\mathcal L_\Omega$ as printed makes of that. For one drawing both labellings occur, and $\Omega$ has to give one answer. The answer with the least expected square is the mean: the body
# of the last panel, whose limbs lie on the middle line. No more training can mend that; it *is* the minimum. If instead the nearer of the two labellings counts, for the whole body at once,
#
# $$
# \min\bigl(\lVert \Omega(\kappa(u)) - u \rVert^2,\; \lVert \Omega(\kappa(u)) - \mathrm{swap}\,u \rVert^2\bigr),
# $$
#
# then either is a minimum and the mean is none. That is our tolerant form. The cell descends both losses for a single drawing, over the 17 points themselves, with both labellings in the batch.

# %%
both = torch.stack([crop[example], crop[example][SWAP]])
ends = {}
for name, swap in (("as printed", None), ("tolerant", tuple(SWAP))):
    points = (crop[example] + 0.05 * torch.randn(17, 2, generator=torch.Generator().manual_seed(seed))).requires_grad_()
    descent = torch.optim.Adam([points], lr=0.02)
    for _ in range(300):
        descent.zero_grad()
        losses.l_omega(points.expand(2, -1, -1), both, swap).backward()
        descent.step()
    ends[name] = points.detach()

# %% tags=["hide-input"]
lines = ["| | to $u$ | to swap $u$ | to their mean |", "|---|---:|---:|---:|"]
for name, points in ends.items():
    away = [50 * float((points - target).norm(dim=-1).mean()) for target in (*both, both.mean(0))]
    lines.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in away) + " |")
say("Where the descent ends: mean distance of joints in % of the picture's side.\n\n" + "\n".join(lines))

# %% [markdown]
# What the tolerance buys has a price: $\Omega$ now gets a skeleton right *up to its labelling*, and which labelling is left open. {ref}`A fourth stage <sosa-labels>` can
# try to settle that afterwards. It is why the results page gives 2D errors twice, plain and with the better of the two labellings.
#
# ## From 2D to 3D
#
# The lifter $\Lambda$ follows Martinez et al. {cite:p}`martinez2017simple` in its blocks and ElePose {cite:p}`wandt2022elepose` in the rest. For each joint it predicts an offset $d_i$ from a fixed distance of 10 units,
#
# $$
# v_i = (x_i z_i,\; y_i z_i,\; z_i), \qquad z_i = \max(1, d_i + 10), \tag{1}
# $$
#
# and, for the pose as a whole, one angle: the camera's elevation.

# %% tags=["remove-input"]
code(lifting.lift)

# %% tags=["hide-input", "hide-output"]
code(networks.ElevationLifter)

# %% [markdown]
# A unit is the mean length from root to head. For poses in crop coordinates to fit that story, they are centred on the root and multiplied by one constant, which makes the mean distance from root to head
# $1/10$. There is **one constant** for the unpaired poses, for what the flow is trained on, and for predictions: with another one for any of them the density of a predicted pose would mean nothing.

# %% tags=["remove-input"]
code(sosa2023_data.Prior.normalise)

# %% tags=["hide-input", "hide-output"]
code(sosa2023_data.take_prior)

# %% [markdown]
# ### Once around
#
# A lifted pose projects to its input whatever the depths are, so the input cannot judge them. Another view can. The loop {cite:p}`chen2019unsupervised` turns the 3D pose, projects it, lifts that, and goes back:

# %% tags=["remove-input"]
code(lifting.turn, lifting.project, lifting.lifting_losses)

# %% [markdown]
# The turn is $R = R_e^\top R_a R_e$, with a random azimuth $R_a$ in $[-\pi, \pi]$. Why not simply turn about the camera's own vertical axis? Because cameras look down on people, and a body turned about a tilted axis leans over
# ({numref}`fig-sosa-method-elevation`): from the side, people would seem to fall. $R_e$ first levels the pose by the elevation that $\Lambda$ predicts, and after the turn the camera's elevation is put back, drawn anew
# from the normal distribution of the batch's predictions. Nobody tells $\Lambda$ the true elevation; it is learned because leaning people are unlikely.

# %% tags=["remove-input"]
code(lifting.draw_view)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two rows of four projections of one person seen by a raised camera. Top: turned about the camera's vertical axis, the body leans far to the side at 60 and 120 degrees. Bottom: levelled before the turn, the body stays upright from every side."}, "figure": {"caption": "Turning a person whom a camera sees from 25° above. Top: about the camera's vertical axis. Bottom: with the elevation taken out before and put back after. At 0° they are the same.", "name": "fig-sosa-method-elevation"}}
up = test.R[example, :, 2]
own = torch.atan2(-up[2], -up[1])
raised = torch.tensor(np.radians(25.0), dtype=torch.float32)
above = person @ rotation_x(-own).T @ rotation_x(raised).T / unit_mm  # the same person, seen from higher up
level, tilt = rotation_x(-raised), rotation_x(raised)
figure, axes = plots.subplots(2, 4, height=4.3)
for column, degrees in enumerate((0, 60, 120, 180)):
    azimuth = rotation_y(torch.tensor(np.radians(degrees), dtype=torch.float32))
    for ax, rotation in zip(axes[:, column], (azimuth, tilt @ azimuth @ level), strict=True):
        plots.skeleton_2d(ax, lifting.project(above @ rotation.T), SKELETON, linewidth=1.8, joints=False)
        ax.set(xlim=(-0.12, 0.12), ylim=(0.15, -0.12))
        ax.axis("off")
    axes[0, column].set_title(f"{degrees}°")
plt.show()

# %% tags=["hide-input"]
look_down = torch.rad2deg(torch.atan2(-test.R[:, 2, 2], -test.R[:, 1, 2]))
say(f"The cameras of role `studio` look down by {look_down.min():.1f}° to {look_down.max():.1f}°; the figure exaggerates.")

# %% [markdown]
# What comes back is compared with what set out, in the turned view and in the picture:
#
# $$
# \mathcal L_{3d} = \lVert \hat v' - \hat v \rVert^2 , \tag{4}
# $$
#
# $$
# \mathcal L_{2d} = \lVert y' - y \rVert^2 . \tag{5}
# $$
#
# For the 3D poses $v$ and $v'$ in the first view, not the poses but their *differences* within a pair $j, k$ of the batch are compared. The two may be of different people and recordings; what
# the loss asks is that two poses differ from each other after the journey as they did before:
#
# $$
# \mathcal L_{def} = \bigl\lVert (v'^{(j)} - v'^{(k)}) - (v^{(j)} - v^{(k)}) \bigr\rVert^2 . \tag{6}
# $$

# %% tags=["remove-input"]
code(losses.l_cycle, losses.l_def)

# %% [markdown]
# All three are consistent with nonsense. If every depth is zero, every loop closes: a flat lift costs nothing. Something has to say what people look like.
#
# ### How likely is this pose?
#
# That is the task of the *normalising flow* {cite:p}`dinh2017realnvp`, the second idea from ElePose. A flow is an invertible network $f$ that maps data to Gaussian noise. Then the density of a pose $\bar y$ is that of the noise times how much $f$ stretches space there:
#
# $$
# p_Y(\bar y) = p_Z\bigl(f(\bar y)\bigr)\,\Bigl\lvert \det \frac{\partial f}{\partial \bar y} \Bigr\rvert . \tag{7}
# $$
#
# $\bar y$ are the leading principal components of a 2D pose. The flow is trained on the unpaired poses, before everything else, by maximising their density; then it is *frozen*. From then on
#
# $$
# \mathcal L_{NF} = -\log p_Y(\bar y) \tag{8}
# $$
#
# is taken at $\hat y$, the projection from the other side. A wrong depth that is invisible from the front can give an impossible pose from the side.

# %% tags=["remove-input"]
code(losses.l_nf)

# %% tags=["hide-input", "hide-output"]
code(flows.PoseFlow)

# %% [markdown]
# ### Bones
#
# One thing is still free. The flow judges one view at a time, and a body whose left leg is twice as long as its right one can look acceptable from most sides. So the lengths of bones, relative to their mean over the body, should be near known ratios $\bar b_n$:
#
# $$
# \mathcal L_{bl} = -\log \prod_{n=1}^{N} \mathcal N(b_n \mid \bar b_n, \sigma_b) . \tag{10}
# $$

# %% tags=["remove-input"]
code(losses.relative_bone_lengths, losses.l_bl)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Horizontal bars: the relative length of each bone of the skeleton, from short ones such as neck and hips to the long ones of the legs."}, "figure": {"caption": "The ratios: mean length of each bone over the mean bone. Measured on the people of role `motion`, who appear nowhere else.", "name": "fig-sosa-method-bones"}}
relative = losses.relative_bone_lengths(data["motion"]["train"].joints_3d, SKELETON.parents).mean(0)
names = [f"{SKELETON.joints[a]} – {SKELETON.joints[b]}".replace("_", " ") for a, b in EDGES]
figure, ax = plots.subplots(width=5.6, height=4.4)
ax.barh(range(len(names)), relative, color=plots.CYCLE[0])
ax.set_yticks(range(len(names)), names, fontsize=11)
ax.set(xlabel="length relative to the mean bone", ylim=(len(names) - 0.4, -0.6))
plt.show()

# %% [markdown]
# These ratios are the only 3D knowledge in the method: a handful of numbers, which a book of anatomy would also have.
#
# ### The sum
#
# $$
# \mathcal L_{base} = \mathcal L_{2d} + \mathcal L_{3d} + \mathcal L_{def} \tag{11}
# $$
#
# names the three that need no prior, for the ablation in the paper's Table 3, and everything together is
#
# $$
# \mathcal L = \mathcal L_D + \mathcal L_\Omega + \mathcal L_{base} + \mathcal L_{NF} + \mathcal L_{bl} . \tag{12}
# $$
#
# The paper prints no weights but $\lambda$. Ours are fields of `LiftingLosses` and of `Variant`, where an ablation changes them:

# %% tags=["hide-input", "hide-output"]
code(lifting.LiftingLosses, Variant)

# %% [markdown]
# (sosa-mirror)=
# ### A pose and its mirror image
#
# A trap that the paper does not mention. Negate all depths of a 3D pose: it is another body, but its projection hardly changes, because from ten units away perspective is weak
# ({numref}`fig-sosa-method-mirror`). Negate the predicted elevation with it, and the loop closes as before: seen from an invented side to the left, the mirror image looks like the true pose from the
# right, and the flow knows both. As long as the elevation is the lifter's own to choose, only perspective tells the two solutions apart, and it whispers.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Two panels. Left: a pose and its mirror image in depth as the camera sees them, almost on top of each other. Right: both seen from the side, leaning in opposite directions."}, "figure": {"caption": "A pose (grey) and its mirror image in depth (coloured). Left: as the camera sees them. Right: from the side.", "name": "fig-sosa-method-mirror"}}
rooted = test.joints_3d - test.joints_3d[:, :1]
spread = rooted[:, :, 2].std(1)
deep = int(spread.argmax())
figure, axes = plots.subplots(1, 2, height=3.4)
for ax, title in zip(axes, ("camera", "side"), strict=True):
    for pose, style in ((rooted[deep], dict(color="#9aa1aa", linewidth=3.8)), (rooted[deep] * AWAY, dict(linewidth=1.8))):
        drawn = lifting.project(pose / unit_mm) if title == "camera" else (pose / unit_mm)[:, [2, 1]]
        plots.skeleton_2d(ax, drawn, SKELETON, joints=False, **style)
    ax.set_title(title)
    ax.axis("off")
plt.show()

# %% tags=["hide-input"]
near, far = lifting.project(rooted / unit_mm), lifting.project(rooted * AWAY / unit_mm)
extent = near.amax(1) - near.amin(1)
gap = 100 * float(((near - far).norm(dim=-1).mean(1) / extent.amax(1)).mean())
flipped = float(metrics.p_mpjpe(rooted * AWAY, rooted).mean())
swapped = float(metrics.p_mpjpe(rooted[:, SWAP], rooted).mean())
flat = float(metrics.p_mpjpe(rooted * torch.tensor([1.0, 1.0, 0.0]), rooted).mean())
say(
    f"On test poses the two projections differ by {gap:.1f} % of a person's extent. In 3D the mirror image costs **{flipped:.0f} mm** of P-MPJPE, which may turn and scale a pose but "
    f"not reflect it; exchanging left and right in the true pose costs {swapped:.0f} mm, and setting all depths to the same value {flat:.0f} mm. A method that was always "
    "right but for one of these would have that error. The results page therefore also gives P-MPJPE of the mirrored prediction."
)

# %% [markdown]
# What is *not* symmetric is where cameras stand: above people's hips, looking down. So for the first part of its training our lifter is not asked for the elevation. It is *held* at one constant, the same for every pose and with the right sign.
# A mirrored body, levelled by an angle of the wrong sign, leans over when it is turned, and the flow objects. $\mathcal L_{bl}$ waits meanwhile, because it would give every limb a depth of the right size and of either sign.
# Once the sign is settled, $\Lambda$ learns its own elevation as in the paper. That cameras look down is knowledge that the paper does not use; the variant `not-held` does without.

# %% [markdown]
# (sosa-recipe)=
# ## The order of lessons
#
# The paper trains $\Phi, \Omega, D, \Lambda$ *jointly from scratch*; only the flow comes first. Think of what happens in the first updates. $\Phi$ draws noise, $\Omega$ reads random points off it, and $\Lambda$ lifts those. The flow finds them impossible, and
# its complaint flows back, as a huge gradient, into $\Lambda$, $\Omega$ and $\Phi$. The shortest way to please the flow is to forget the picture and always give a likely pose. The variant
# `as-printed` is that recipe; its row on {ref}`the results page <page-sosa2023-results>` shows what it comes to at the scale of our profiles.
#
# Our recipe teaches one thing after the other. It changes no loss but $\mathcal L_\Omega$, which tolerates a swap:
#
# 1. **Flow**, on unpaired poses. As in the paper.
# 2. **Lifter**, on *unpaired poses* too. $\Lambda$ takes 2D poses, and there is a pile of clean ones; it need not wait for $\Omega$. First with the elevation held and without $\mathcal L_{bl}$, then with its own elevation and all losses. It goes on like this through stage 3.
# 3. **Pictures**: $D$, $\Phi$ and $\Omega$ with $\mathcal L_D$ and $\mathcal L_\Omega$, undisturbed by lifting: no gradient passes from $\Lambda$ back to $y$.
# 4. **Labels**, in the variant `labels`: which side is left.

# %% tags=["hide-input"]
stages = {name: sosa.PROFILES[name] for name in ("cpu", "gpu", "paper")}
lines = ["| stage | trains | sees | " + " | ".join(f"updates at `{name}`" for name in stages) + " |", "|---|---|---|" + "---:|" * len(stages)]
for title, what, sees, field in (
    ("flow", "$f$", "unpaired poses", "flow_steps"),
    ("lifter", r"$\Lambda$", "unpaired poses", "lifter_steps"),
    ("pictures", r"$D, \Phi, \Omega$, and $\Lambda$", "pictures, unpaired poses", "picture_steps"),
    ("labels, if at all", "two classifiers", "pictures, unpaired poses", "label_steps"),
    ("(all at once)", r"$D, \Phi, \Omega, \Lambda$", "pictures, unpaired poses", "joint_steps"),
):
    lines.append(f"| {title} | {what} | {sees} | " + " | ".join(f"{getattr(sizes, field):,}" for sizes in stages.values()) + " |")
say("\n".join(lines))

# %% [markdown]
# Variants go back one step at a time, and the results page shows what each step is worth: `lift-predicted` (the lifter learns from predicted poses alone), `through` (gradients of lifting reach $\Omega$ and $\Phi$), `plain-omega` ($\mathcal L_\Omega$ as
# printed), `not-held` (the lifter's own elevation from the start). Here is the update of stage 3, whole:

# %% tags=["remove-input"]
code(Trainer._picture_step, Trainer._lifter_step)

# %% [markdown]
# (sosa-labels)=
# ### Which side is left?
#
# After stage 3 the points are at best right up to a swap of the whole body. Two hints are left, neither of them a label, and the variant `labels` uses them in a fourth stage:
#
# the pose
# : Some poses work with one labelling only: elbows and knees bend one way. For the *unpaired* poses the true labelling is known, so a small network learns, on what $\Omega$ reads off their drawings, to
#   tell a right labelling from a swapped one.
#
# the head
# : A person who faces the camera has a face; from behind there is hair. A second small network looks at the window around the head *in the picture* and learns front or back, taught by what the first one believes. If that is right more often than not, and
#   its errors have nothing to do with faces, the second one can end up knowing better than its teacher.

# %% tags=["hide-input", "hide-output"]
code(sosa2023_labels.SideReader)

# %% [markdown]
# ## Train one
#
# Now for real, on one core, at the sizes of profile `cpu` with far fewer updates. The bar moves in JupyterLab; in the book you see what came out.

# %%
if profile == "smoke":
    SIZES, LIVE = sosa.PROFILES["smoke"], FULL
else:
    SIZES = replace(SMALL, flow_steps=350, lifter_steps=350, picture_steps=steps, pictures=3000)
    LIVE = replace(FULL, average=0.97)  # so short a training needs a shorter memory
trainer = sosa.build(LIVE, SIZES, data, seed)
print(f"{trainer.parameters:,} parameters; {len(trainer.material.pictures):,} pictures, {len(trainer.prior.points):,} unpaired poses")
print(", ".join(f"{name} {count}" for name, count in trainer.stages.items() if count), "updates")

# %% tags=["hide-input"]
BEGIN = dict(zip(trainer.stages, np.cumsum([0, *trainer.stages.values()]).tolist(), strict=False))
curves = {}  # loss -> ([update], [mean since the last reading])
truth = rooted


def teach(stage, look=lambda done: None, readings=20):
    """Makes the updates of one stage; reads its losses now and then, and calls `look` with the updates done."""
    count, sums = trainer.stages[stage], {}
    every = max(1, count // readings)
    look(0)
    for done in tqdm(range(1, count + 1), desc=stage, disable=run.headless(), leave=False):
        for name, value in trainer.step(BEGIN[stage] + done - 1).items():
            sums.setdefault(name, []).append(value)
        look(done)
        if done % every == 0 or done == count:
            for name, values in sums.items():
                at, means = curves.setdefault(name, ([], []))
                at.append(BEGIN[stage] + done)
                means.append(float(torch.stack(values).mean()))
            sums = {}


# %% [markdown]
# **The flow first.** What does it know afterwards? {numref}`fig-sosa-method-flow` asks for poses that it has not seen: of the test subjects; the same turned to an invented side, with
# the true depths, with mirrored ones, with all depths equal; and the average of both labellings.

# %%
teach("flow")

# %% tags=["hide-input"]
normal = trainer.prior.normalise(crop)
ratio = normalise.reference_scale(test.joints_3d, normal, unit_mm)
solid = rooted / (unit_mm * ratio[:, None, None])  # true depths, of the size that the crop gives
generator = torch.Generator().manual_seed(seed)
elevation = -torch.atan2(-test.R[:, 2, 2], -test.R[:, 1, 2])
own_views = lifting.draw_view(elevation, generator)
negated = lifting.draw_view(-elevation, generator)
held = lifting.draw_view(torch.full_like(elevation, -FULL.lifting.held), generator)
flat_lift = lifting.lift(normal, torch.zeros(normal.shape[:2]))
ASKED = {
    "test poses": normal,
    "true depths, turned": lifting.project(solid @ own_views.mT),
    "mirrored, elevation too": lifting.project((solid * AWAY) @ negated.mT),
    "mirrored, elevation held": lifting.project((solid * AWAY) @ held.mT),
    "true, elevation held": lifting.project(solid @ held.mT),
    "equal depths, turned": lifting.project(lifting.turn(flat_lift, own_views)),
    "left and right averaged": (normal + normal[:, SWAP]) / 2,
}
with torch.no_grad():
    bone_cost = {
        name: float(losses.l_bl(poses, SKELETON.parents, trainer.prior.ratios, FULL.lifting.sigma_b))
        for name, poses in (("equal depths", flat_lift), ("true depths", solid))
    }
    cost = {name: -trainer.model.flow.log_prob(poses) for name, poses in ASKED.items()}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Horizontal box plot of the negative log density that the flow gives to seven groups of 2D poses: test poses; poses turned with true depths, with mirrored depths and negated elevation, with mirrored depths and held elevation, with true depths and held elevation, with equal depths; and averages of both labellings."}, "figure": {"caption": "What the flow charges for a pose: its loss on test poses and on what became of them. Boxes hold the middle half, whiskers nine tenths; cut at the dashed line, beyond which the training gives no gradient.", "name": "fig-sosa-method-flow"}}
figure, ax = plots.subplots(width=6.0, height=3.6)
limit = FULL.lifting.nf_limit
values = [cost[name].clamp_max(limit).numpy() for name in ASKED]
ax.boxplot(values, orientation="horizontal", whis=(5, 95), showfliers=False, widths=0.55, medianprops=dict(color=plots.CYCLE[1], linewidth=2))
ax.set_yticks(range(1, len(ASKED) + 1), list(ASKED))
ax.invert_yaxis()
ax.axvline(limit, color=plots.INK, linestyle="--", linewidth=1)
ax.set(xlabel=r"$-\log p_Y$")
plt.show()

# %% tags=["hide-input"]
middle = {name: float(values.median()) for name, values in cost.items()}
say(
    f"Medians: {middle['true depths, turned']:.0f} with the true depths, {middle['mirrored, elevation too']:.0f} with mirrored ones and the elevation negated, {middle['equal depths, turned']:.0f} with "
    f"equal depths. The first two are the mirror trap: the nearer they are, the less the flow can say. With the elevation held it is {middle['true, elevation held']:.0f} against "
    f"{middle['mirrored, elevation held']:.0f}, which is what decides the sign.\n\n"
    "Equal depths need not look wrong to the flow: a flat body that stands is, turned, as thin as a person seen from the side. The bones object: "
    f"$\\mathcal L_{{bl}}$ is {bone_cost['equal depths']:.0f} for equal depths and {bone_cost['true depths']:.0f} for the true ones."
)

# %% [markdown]
# **Then the lifter**, on unpaired poses. It is tested on the *true* 2D poses of the test subjects, which shows what the lifter alone can do.

# %%
lifted_error = ([], [])


def look_at_lifter(done):
    if done % max(1, trainer.stages["lifter"] // 15) == 0:
        lifted_error[0].append(done)
        lifted_error[1].append(float(metrics.p_mpjpe(trainer.lift(crop)[0], truth).mean()))


teach("lifter", look_at_lifter)

# %% tags=["hide-input"] mystnb={"image": {"alt": "P-MPJPE of the lifter on the true 2D poses of test subjects over its updates, with a dashed line for the flat lift."}, "figure": {"caption": "The lifter on true 2D poses of the test subjects, while it learns from unpaired ones.", "name": "fig-sosa-method-lifter"}}
flat_crop = float(metrics.p_mpjpe(lifting.turn(flat_lift, torch.eye(3)), truth).mean())
figure, ax = plots.subplots(width=6.0, height=2.8)
ax.plot(*lifted_error, color=plots.CYCLE[0], marker="o", ms=4, label="lifter")
ax.axhline(flat_crop, color=plots.CYCLE[2], linestyle="--", label="flat lift")
ax.set(xlabel="update", ylabel="P-MPJPE (mm)")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# **Then pictures.** Three test pictures are looked at now and then: do drawings emerge, and are they drawings of these people?

# %%
watched = torch.linspace(0.1, 0.9, 3).mul(len(test)).long()
shown_pictures = sosa2023_data.take_pictures(test, "studio", SIZES.image, watched)
moments = [0, *(round(trainer.stages["pictures"] * share) for share in (0.15, 0.3, 0.5, 1.0))]
snapshots = {}


@torch.no_grad()
def look_at_drawings(done):
    if done in moments:
        with autocast(torch.device("cpu")):
            drawn = trainer.model.phi(shown_pictures.batch(torch.arange(len(watched))))
        snapshots[done] = ((drawn[:, 0] + 1) / 2).clamp(0, 1).numpy()


teach("pictures", look_at_drawings)

# %% tags=["hide-input"] mystnb={"image": {"alt": "A grid of three rows, one for each test person: the picture, then the network's drawing after more and more updates, from a grey haze to a stick figure, and at the right the true drawing."}, "figure": {"caption": "Skeleton images emerging. Each row is a test picture that training never sees; the numbers count updates on pictures; the last column is drawn from the true joints, at the same size.", "name": "fig-sosa-method-emerging"}}
columns = list(snapshots)
figure, axes = plots.subplots(3, len(columns) + 2, height=3.4)
for index, row in enumerate(axes):
    plots_images.show_picture(row[0], shown_pictures.images[index].permute(1, 2, 0).numpy())
    for ax, done in zip(row[1:], columns, strict=False):
        plots_images.show_picture(ax, snapshots[done][index])
    plots_images.show_picture(row[-1], drawing(shown_pictures.points[[index]], SIZES.skeleton)[0].numpy())
for ax, title in zip(axes[0], ("picture", *columns, "true"), strict=True):
    ax.set_title(title)
plt.show()

# %% [markdown]
# The curves of everything:

# %% tags=["hide-input"] mystnb={"image": {"alt": "Small panels, one for each loss of the live training, over its updates."}, "figure": {"caption": "The losses of the live training, weighted, means between readings, over the updates of all stages. The lifting losses go on through the stage of pictures.", "name": "fig-sosa-method-curves"}}
ORDER = ("flow", "nf", "bl", "2d", "3d", "def", "discriminator", "adversarial", "omega", "skeleton")
present = [name for name in ORDER if name in curves]
figure, axes = plots.subplots(-(-len(present) // 3), 3, height=7.2)
for ax, name in zip(axes.flat, present, strict=False):
    ax.plot(*curves[name], color=plots.CYCLE[0])
    ax.set(title=name, xlim=(0, trainer.steps))
for ax in axes.flat[len(present):]:
    ax.axis("off")
plt.show()

# %% [markdown]
# ### What came out
#
# The pipeline of {numref}`fig-sosa-method-pipeline` once more, now through the networks just trained:

# %% tags=["hide-input"] mystnb={"image": {"alt": "The four cards of the pipeline as the live networks fill them: the person, a predicted drawing, the 2D pose read off it, the lifted 3D pose obliquely."}, "figure": {"caption": "A forward pass of the live networks on the person of the first figure.", "name": "fig-sosa-method-forward"}}
look = trainer.look("studio")
picture = look["pictures"].images[example].permute(1, 2, 0).numpy()
pipeline(picture, look["skeleton"][example].clamp(0, 1).numpy(), look["points"][example].numpy(), look["lifted"][example])
plt.show()

# %% [markdown]
# The numbers locate what is weak: each part is also tested alone, on true input.

# %% tags=["hide-input"]
found = trainer.diagnose("studio")[0]
floors = {name: sosa.build(sosa.VARIANTS[name], SIZES, data, seed).predict("studio") for name in ("mean-pose", "mean-shape")}
floors = {name: float(metrics.p_mpjpe(poses, truth).mean()) for name, poses in floors.items()}
lifted = look["lifted"]
rows = [
    ("correlation of drawings with true ones", f"{found['skeleton_correlation']:.2f}", f"{found['skeleton_correlation_shuffled']:.2f} (pictures shuffled)"),
    ("2D error", f"{found['error_2d']:.1f} %", f"{found['error_2d_mean']:.1f} % (mean pose), {found['error_2d_prior']:.1f} % (a random pose)"),
    ("2D error, better labelling", f"{found['error_2d_swap']:.1f} %", ""),
    (r"2D error of $\Omega$ alone, better labelling", f"{found['error_2d_omega_swap']:.1f} %", ""),
    ("labelling right", f"{100 * found['label_accuracy']:.0f} %", "50 % (by chance)"),
    ("P-MPJPE", f"{found['p_mpjpe_frames']:.0f} mm", f"{floors['mean-pose']:.0f} mm (mean pose), {floors['mean-shape']:.0f} mm (mean shape), {flat_crop:.0f} mm (flat lift of the true 2D pose)"),
    ("P-MPJPE, better labelling", f"{found['p_mpjpe_swap']:.0f} mm", ""),
    ("P-MPJPE, depths mirrored", f"{float(metrics.p_mpjpe(lifted * AWAY, truth).mean()):.0f} mm", ""),
    (r"P-MPJPE of $\Lambda$ alone, on true 2D poses", f"{found['p_mpjpe_lifter']:.0f} mm", ""),
]
lines = ["| | live | for comparison |", "|---|---:|---|"]
lines += ["| " + " | ".join((row[0], row[1].replace(" ", "&nbsp;"), row[2])) + " |" for row in rows]
say(
    f"{len(test)} test frames of collection `{collection}`, profile `{profile}`, seed {seed}, mean over frames.\n\n" + "\n".join(lines)
    + "\n\n2D errors are mean distances of joints in % of the picture's side. “Better labelling” lets the truth choose, frame by frame, whether left and right are exchanged."
)

# %% tags=["hide-input"]
say(
    "Profile `smoke` only tests the machinery: these numbers mean nothing." if profile == "smoke" else
    f"This training took {trainer.steps:,} updates; a run of profile `cpu` takes {SMALL.flow_steps + SMALL.lifter_steps + SMALL.picture_steps:,}, "
    f"with {SMALL.pictures:,} pictures instead of {len(trainer.material.pictures):,}. What more updates bring stands on the next page, {{ref}}`page-sosa2023-results`."
)

# %% [markdown]
# Four test frames, taken at equal distances through the list:

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four rows: a test picture, the predicted drawing, the predicted 2D pose over the picture, and the 3D pose in red over the true one in green from the camera and from the side."}, "figure": {"caption": "Live predictions. The 3D pose is aligned with the truth by rotation, scale and shift, as P-MPJPE does.", "name": "fig-sosa-method-predictions"}}
four = torch.linspace(0.05, 0.95, 4).mul(len(test)).long()
aligned = similarity_align(lifted, truth)
figure = plots_images.prediction_grid(
    look["pictures"].images[four].permute(0, 2, 3, 1).numpy(), SKELETON, maps=look["skeleton"][four].clamp(0, 1).numpy(),
    points=look["points"][four].numpy(), poses=aligned[four].numpy(), truth=truth[four].numpy(), views=(0.0, 90.0),
)  # fmt: skip
plt.show()

# %% tags=["hide-input"]
dozen = torch.linspace(0.02, 0.98, 10).mul(len(test)).long()
errors = metrics.p_mpjpe(lifted, truth)
figure = plots_images.choose_3d(
    look["pictures"].images[dozen].permute(0, 2, 3, 1).numpy(), aligned[dozen].numpy(), truth[dozen].numpy(), SKELETON,
    [f"{test.actions[i]}: {errors[i]:.0f} mm" for i in dozen.tolist()],
)  # fmt: skip
plots3d.show(
    figure, "fig-sosa-method-turn",
    "Interactive 3D figure: predicted skeletons in red over true ones in green, with the picture in the corner and a slider that chooses among ten test frames.",
    "Ten test frames to turn, predicted over true, after alignment. The slider chooses; its title is the action and the P-MPJPE.",
    height=500,
)  # fmt: skip

# %% [markdown]
# ## What to watch
#
# Four ways in which this method fails, and what shows each of them. The records hold all of it.
#
# | failure | what it looks like | what shows it |
# |---|---|---|
# | collapse of the game | $D$ wins, every drawing becomes one stock pose | correlation with the true drawing falls to that of shuffled pictures |
# | hidden appearance | $\Phi$ shades the drawing with what $\Omega$ can use but is no limb | little of the drawing's mass on the person; $\mathcal L_\Omega$'s second part stays high |
# | left and right | limbs on the middle line, or a body labelled the wrong way round | 2D error plain against better labelling |
# | mirrored depth | a body that leans the wrong way | P-MPJPE of the mirrored prediction is lower |
#
# Against the first there are a memory of old drawings for $D$, several scales, and gradients cut to a fixed length; against the second, $\kappa(y)$ in $\mathcal L_\Omega$; against the third, tolerance. Against the last, the held elevation.

# %% tags=["hide-input"]
share = 100 * found["mirrored_share"]
say(
    f"In the live model {100 * found['skeleton_overlap']:.0f} % of the drawing's mass lies on the person (shuffled: {100 * found['skeleton_overlap_shuffled']:.0f} %), and for {share:.0f} % of "
    "the test frames the mirrored prediction is the better one."
)

# %% [markdown]
# ## Change something
#
# An ablation is one line: replace fields of `Variant` or of its `lifting`, and train again. The cell trains $\Omega$ alone on drawings of unpaired poses, with either form of $\mathcal L_\Omega$, which takes seconds.
# Try `gamma=50.0`, `squared=True`, or `omega="soft-argmax"`; with `sosa.build(changed, SIZES, data, seed)` and `teach` a whole model.

# %%
changes = {"tolerant": dict(), "as printed": dict(tolerant=False)}
reading_steps = 8 if profile == "smoke" else 120

# %% tags=["hide-input"]
lines = [r"| $\mathcal L_\Omega$ | plain | better labelling | to the average of both |", "|---|---:|---:|---:|"]
for name, fields in changes.items():
    small = replace(SIZES, flow_steps=1, picture_steps=1, pictures=16)
    reader = sosa.build(replace(LIVE, **fields), small, data, seed)
    for index in tqdm(range(reading_steps), desc=name, disable=run.headless(), leave=False):
        reader._set_rate(1.0 - index / reading_steps, "omega")
        points = reader._prior_points(SIZES.prior_batch)
        reader._update({"omega": reader._omega_loss(reader._draw_skeletons(points), points)}, "omega")
    with torch.no_grad():
        read = reader.model.omega(reader._draw_skeletons(crop))
    away = [50 * (read - target).norm(dim=-1).mean(-1) for target in (crop, crop[:, SWAP], (crop + crop[:, SWAP]) / 2)]
    cells = (away[0].mean(), torch.minimum(*away[:2]).mean(), away[2].mean())
    lines.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in cells) + " |")
say(
    f"$\\Omega$ on the drawings of true test poses after {reading_steps} updates, in % of the picture's side.\n\n" + "\n".join(lines)
    + "\n\nA reader that has learned to tell nothing apart ends at the average of both labellings: compare the last two columns."
)

# %% [markdown]
# ## What it is measured against
#
# **ElePose** {cite:p}`wandt2022elepose` is the lifting half alone: the same lifter, flow and losses, with 2D poses as input, true ones or detected ones. What it reaches is what this method could reach if pictures were read without error. Its
# 2D poses keep the size that a person has in the image.

# %% tags=["hide-input", "hide-output"]
code(ElePose, ElePoseTrainer)

# %% [markdown]
# **Supervised**: the networks of $\Phi$ and $\Omega$, without a drawing between them, shown the 3D pose of every picture. The upper bound for networks of this size on these pictures.

# %% tags=["hide-input", "hide-output"]
code(Supervised, SupervisedTrainer)

# %% [markdown]
# **Floors**: the *mean pose* and the *mean shape* ignore the picture; the *flat lift* takes the true 2D pose and sets all depths to the same value. Note how strong the last one is: it knows every joint in the image.
#
# ## Where we differ
#
# The paper's supplement and code are not public to us. For what its text leaves open there is the code that it says it builds on: keypointgan {cite:p}`jakab2020keypointgan` for drawings, $\Phi$, $\Omega$ and $D$, and
# ElePose {cite:p}`wandt2022elepose` for lifting and the flow. The numbers of the last column are read from this version of the code.

# %% tags=["hide-input"]
PRINTED = sosa.VARIANTS["as-printed"]
L, P = FULL.lifting, PRINTED.lifting
SQUARE = {True: "squared", False: "plain"}
GAN = {"log": "log loss", "squares": "least squares"}
TABLE = [  # setting, in the paper, in the code it builds on, here
    ("order of training", "jointly from scratch", "drawing and lifting are two works", "in stages; jointly in `as-printed`"),
    ("$\\Lambda$ is trained on", "predicted $y$", "2D poses of the data", {"prior": "unpaired $u$"}[FULL.lift_from] + "; $y$ in `lift-predicted`"),
    ("lifting losses reach $\\Phi$ and $\\Omega$", "yes", "not applicable", f"{100 * FULL.gradient:g} %; {100 * PRINTED.gradient:g} % in `through`"),
    ("form of $\\mathcal L_D$", "log loss", "least squares, halved", f"{GAN[FULL.gan]}, halved; {GAN[PRINTED.gan]} in `as-printed`"),
    ("weight of $\\mathcal L_D$ for $\\Phi$", "1", "10", f"{FULL.w_adversarial:g}"),
    ("scales of $D$", "not said", "3", f"{SMALL.scales} at `cpu`, {LARGE.scales} at `gpu`"),
    ("drawings that $D$ remembers", "not said", "50", f"{SMALL.pool} at `cpu`, {LARGE.pool} at `gpu`"),
    ("distance in $\\kappa$", "squared", "plain", f"{SQUARE[FULL.squared]}; {SQUARE[PRINTED.squared]} in `as-printed`"),
    ("$\\gamma$", "not said", "25, plain", f"{FULL.gamma:g}, {SQUARE[FULL.squared]}; {PRINTED.gamma:g}, {SQUARE[PRINTED.squared]}, in `as-printed`"),
    ("limbs drawn", "not said", "16, with feet", f"{len(EDGES)}, the bones of the 17 joints"),
    ("range of a drawing", "0 to 1", "−1 to 1", "−1 to 1 for the networks and in $\\mathcal L_\\Omega$"),
    ("$\\mathcal L_\\Omega$, first part", "squared norm", "0.9 × mean square", f"mean over joints, {'forgives' if FULL.tolerant else 'does not forgive'} a swap; {'forgives' if PRINTED.tolerant else 'does not'} in `as-printed`"),
    ("$\\lambda$", "0.1", "0.1", f"{FULL.w_skeleton:g}, of the mean square over pixels"),
    ("second part of $\\mathcal L_\\Omega$ trains", "not said", "$\\Omega$", "$\\Omega$ and $\\Phi$"),
    ("$\\Omega$ gives points by", "not said", "soft-argmax of maps", f"{'dense layers' if FULL.omega == 'dense' else FULL.omega}; {PRINTED.omega} in `as-printed`"),
    ("$\\Omega$ pretrained", "no", "yes", "no; yes in `omega-pretrained`"),
    ("normalisation in $\\Phi$ and $\\Omega$", "not said", "over the batch", "over groups of channels"),
    ("weights that are evaluated", "not said", "the last", f"$\\Phi$, $\\Omega$: running average, {FULL.average:g}; the last in `as-printed`"),
    ("picture, drawing (pixels)", "not said", "128, 128", f"{SMALL.image}, {SMALL.skeleton} at `cpu`; {LARGE.image}, {LARGE.skeleton} at `gpu`"),
    ("channels of $\\Phi$", "not said", "32 to 256", f"{SMALL.phi[0]} to {SMALL.phi[-1]} at `cpu`, {LARGE.phi[0]} to {LARGE.phi[-1]} at `gpu`"),
    ("batch of pictures", "not said", "16", f"{SMALL.batch} at `cpu`, {LARGE.batch} at `gpu`"),
    ("learning rate of $\\Phi, \\Omega, D$", "not said", "0.0002, constant", f"{SMALL.rate:g} at `cpu`, {LARGE.rate:g} at `gpu`, falling"),
    ("width of $\\Lambda$", "not said", "1024", f"{SMALL.width} at `cpu`, {LARGE.width} at `gpu`"),
    ("learning rate of $\\Lambda$", "not said", "0.0002, falling", f"{SMALL.lifter_rate:g} at `cpu`, {LARGE.lifter_rate:g} at `gpu`, falling"),
    ("elevation at first", "predicted", "predicted", f"held at {np.degrees(L.held):.0f}° for {100 * FULL.hold:.0f} % of $\\Lambda$'s own stage; predicted in `not-held`"),
    ("$\\mathcal L_{bl}$ at first", "yes", "yes", "waits while the elevation is held"),
    ("norm in $\\mathcal L_{2d}$", "squared", "sum of magnitudes", {"absolute": "sum of magnitudes"}.get(L.norm_2d, L.norm_2d) + f"; {P.norm_2d} in `as-printed`"),
    ("norm in $\\mathcal L_{3d}$, $\\mathcal L_{def}$", "squared", "not squared", {"euclidean": "not squared"}.get(L.norm_3d, L.norm_3d) + f"; {P.norm_3d} in `as-printed`"),
    ("weights of lifting losses", "1", "1; 50 for squared bone ratios", f"{L.w_2d:g}, {L.w_3d:g}, {L.w_def:g}, {L.w_nf:g}, {L.w_bl:g} (2d, 3d, def, NF, bl)"),
    ("$\\sigma_b$", "not said", "0.1, from its weight of 50", f"{L.sigma_b:g}"),
    ("$\\bar b_n$ come from", "pre-calculated", "a list of numbers", "3D poses of role `motion`, other people"),
    ("limit of $\\mathcal L_{NF}$ for a pose", "none", "none", f"{L.nf_limit or 'none'}; {P.nf_limit or 'none'} in `as-printed`"),
    ("blocks of the flow, components", "as ElePose", "8, 26", f"{len(trainer.model.flow.flow.transform.transforms)}, {len(trainer.model.flow.deviation)}"),
    ("flow sees", "PCA", "PCA", f"PCA divided by its deviations, poses with noise of {1000 * FLOW_NOISE:g} % of root to head"),
    ("size of a 2D pose", "not said", "as in the image", "as in the crop, one constant for all"),
    ("left and right afterwards", "nothing", "swap if a regressor says so", "learned in `labels`, else nothing"),
    ("pictures and poses", "unpaired", "halves of each sequence", "every other recording"),
    ("mirrored copies", "not said", "not said", "of pictures and poses" if FULL.flips else "none"),
]  # fmt: skip

# %% tags=["hide-input"]
lines = ["| setting | paper | code it builds on | here |", "|---|---|---|---|"]
lines += ["| " + " | ".join(row) + " |" for row in TABLE]
say("\n".join(lines))

# %% [markdown]
# Why:
#
# - *Stages, unpaired poses for $\Lambda$, no gradient back.* See {ref}`the order of lessons <sosa-recipe>`. The paper reports that joint training works at its scale, on 128 pixels and a GPU; what we say about it holds for ours.
# - *The held elevation.* See {ref}`a pose and its mirror image <sosa-mirror>`. It uses that cameras look down on people. Meanwhile $\mathcal L_{bl}$ waits. ElePose as a baseline holds it, too, for the first part of its updates.
# - *Tolerant $\mathcal L_\Omega$ and `labels`.* See {ref}`what a drawing cannot tell <sosa-left-right>`. The paper does not mention the ambiguity. Keypointgan does, reports both errors, and swaps a prediction when a regressor on the drawing agrees better with it swapped.
# - *Distance not squared.* As keypointgan's code, whose paper also prints the square. A plain distance has a gradient far from a limb.
# - *Dense layers for points.* A dense reader is faster to train on a CPU than maps with a soft-argmax, which `as-printed` uses.
# - *Groups of channels*, so that a picture's result does not depend on its batch, and so that a running average of weights needs no statistics of its own. The average evens out the last moves of the game.
# - *The flow's noise.* Clean poses from few cameras lie on thin sheets; a little noise keeps the density bounded.
# - *The limit on $\mathcal L_{NF}$.* A pose that is lost gives a gradient that drowns all others.
# - *Size.* Because a crop gives everybody the same extent, a crouching person is magnified, and a 2D pose here says nothing about distance. ElePose as a baseline keeps sizes, as its code does.
# - *Bone ratios* are means over 3D poses of people who appear nowhere else. ElePose has a list whose source is not given; the paper's is "pre-calculated".
# - *Elevation.* Each pose is levelled by its own predicted angle, and the new elevation is drawn from the batch's distribution, as in ElePose's code; `elevation-uniform` is that paper's ablation.
# - *Pictures* are drawn people on black, whose masks are exact, cut out around true joints. Human3.6M's boxes and masks, which the paper uses, are given with that data set, too.
# - *Hands* ({ref}`results <page-sosa2023-results>`) are neither mirrored nor labelled: the mirror image of a left hand is a right hand, and five fingers have no swap. They stand for the generated hands of HandDB {cite:p}`simon2017hand`.
# - *Evaluation.* The last state of a run, never the best on the test set. Tables average over actions; the paper averages over frames, and the results page has both.
#
# What the whole grid says is on the next page: {ref}`page-sosa2023-results`.
