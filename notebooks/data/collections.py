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
# (page-data)=
# # Data: what the chapters learn from
#
# A paper asks for a *role*, not for a dataset. A *collection* says which file plays which role.
# There are three: `mannequin` is generated here, from a seed, in a minute; `mocap` is made from
# motion capture of the CMU Graphics Lab, which you bring; `benchmarks` is licensed, you bring it,
# and it is not shown here.
#
# | role | stands for | `mannequin` | `mocap` | `benchmarks` |
# |---|---|---|---|---|
# | `studio` | video in a studio, static cameras | 7 subjects, 15 actions | recorded motion, the same cameras | Human3.6M |
# | `outdoor` | another capture, other people and cameras | 6 others, 7 activities | other recorded subjects | MPI-INF-3DHP |
# | `wild` | web video, hand-held cameras and tripods | 8 others, all actions | dance, sport and more | your own videos |
# | `sport` | single images of unusual poses | 16 others, extreme postures | unusual moments of sport and dance | LSP |
# | `hands` | another articulated structure | generated right hands | the same | HandDB |
# | `bodies` | rendered people with labels | 20 pictures, 20 people | the same | SURREAL |
# | `motion` | poses that belong to no image | 2 others | subjects kept out of the rest | CMU, MADS |
#
# No number from a generated person is ever set beside a number that a paper reports as if both
# were measurements of the same thing. What the chapters compare is the *claim*: which variant wins,
# and by how much of the reported effect. This page shows the people, holds generated motion beside
# recorded motion, and says what was left out. The code is in `lib/data`.

# %% tags=["parameters"]
profile = "cpu"
collections = "mannequin mocap"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import HTML, Markdown, display

from lib import plots, plots3d, plots_images
from lib.data.batches import load_poses
from lib.data.collections import ROLES, build, dataset_path
from lib.data.dataset import open_dataset, sha256
from lib.data.images import Filmed
from lib.data.mannequin import arm_counts
from lib.data.solids import HAND_PARTS, PARTS
from lib.skeleton import HUMAN36M_17 as SKELETON

chosen = collections.split()
if "mannequin" in chosen and not all(dataset_path("mannequin", role).exists() for role in ROLES):
    build("mannequin")
files = {
    (name, role): open_dataset(dataset_path(name, role))
    for name in chosen for role in ROLES if dataset_path(name, role).exists()
}
missing = [name for name in chosen if (name, "studio") not in files]
if missing:
    display(Markdown(
        f"**Not on this machine: {', '.join(missing)}.** What follows shows the rest. `python -m lib.data build "
        "mocap` makes the collection `mocap` from a folder of the CMU recordings."
    ))


def seen_by_first(dataset):
    """The clips of one camera of each take: every moment once."""
    return list({(clip.subject, clip.action): clip for clip in reversed(dataset.clips)}.values())[::-1]


def world(clip):
    """Joints (T, J, 3) in the room, mm, z up: X_world = R^T (X_camera - t)."""
    return (clip.joints_3d.astype(np.float64) - clip.t) @ clip.R


studios = {name: seen_by_first(files[name, "studio"]) for name in chosen if name not in missing}

# %% [markdown]
# ## The files
#
# Every file has the same layout, so that a notebook cannot tell a generated person from a recorded
# one except by name: a group for each subject, action and camera, holding 3D joints in camera
# coordinates, their projection, and what a detector would have seen. Opening a file checks it. A
# moment is counted once however many cameras see it. Subjects before the bar are for training,
# those behind it for testing. The cameras of `studio`, `outdoor`, `hands` and `motion` stay; in
# `wild`, `sport` and `bodies` each clip has one camera, which stands elsewhere each time. The clips
# of `sport` are not motion but a few separate pictures of somebody, given as 1 Hz.
#
# In `mocap` the subjects of `wild` and `sport` are people of `studio` and `outdoor` again, since there
# are fourteen in all. Nobody who is for training in one role is for testing in another, and who is
# in `motion` is nowhere else.

# %% tags=["hide-input"]
def listed(names):
    """Some names in a line: all of them, or how many from which to which."""
    return ", ".join(names) if len(names) <= 8 else f"{names[0]} to {names[-1]} ({len(names)})"


rows = "".join(
    f"<tr><td>{name}</td><td>{role}</td><td>{listed(d.split['train'])} | {listed(d.split['test'])}</td>"
    f"<td>{len(d.clips) // len(seen_by_first(d))}</td><td>{len(seen_by_first(d))}</td>"
    f"<td>{sum(len(c) for c in seen_by_first(d)):,}</td><td>{d.clips[0].fps:g}</td><td>{d.generator}, seed {d.seed}</td>"
    f"<td><code>{sha256(d.path)[:12]}</code></td></tr>"
    for (name, role), d in files.items()
)
heads = ("collection", "role", "subjects", "cameras", "takes", "moments", "Hz", "made by", "SHA-256")
HTML(f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{rows}</table>")

# %% tags=["hide-input"]
display(Markdown("\n".join(
    f"- `{name}`: {files[name, 'studio'].source}. Licence: {files[name, 'studio'].licence}" for name in studios
)))

# %% [markdown]
# ## People in pictures
#
# The files hold no pictures. They are drawn when they are needed, by `lib.data.render`: a body of solid
# parts around the joints, clothed, lit from a side, before a scene. What it looks like follows from
# names and not from chance: build, skin and hair go with the subject, clothes and light with the
# take, the scene with the camera. A crop is a square around the person with a margin of a quarter,
# as the papers make it. Every picture below is labelled with its action; it shows a moment in which
# the pose is further from the role's usual one than in most of that action.

# %% tags=["hide-input"]
SIZE, COLUMNS = (64 if profile == "smoke" else 144), 5


def film(name, role):
    """The role's pictures, of about every tenth moment where it is motion; None where it is not here."""
    if (name, role) not in files:
        return None
    stride = 1 if role in ("sport", "bodies") else 10
    return Filmed.of(load_poses(files[name, role], "train", stride=stride), role, SIZE)


def unusual(poses):
    """How far each pose is from the usual one, by the distances between its joints (N,)."""
    distances = torch.cdist(poses.joints_3d, poses.joints_3d)
    return (distances - distances.median(dim=0).values).square().mean(dim=(1, 2)).sqrt()


def moments(poses, count):
    """Frames (count,) for a contact sheet: one of each action in turn, another subject each time."""
    if len(poses) <= count:
        return torch.arange(len(poses))
    order, chosen, kinds = unusual(poses).argsort(), [], len(poses.action_names)
    for place in range(count):
        turn, kind = divmod(place, kinds)
        mine = order[poses.action[order] == kind]
        subjects = poses.subject[mine].unique()
        mine = mine[poses.subject[mine] == subjects[(turn + kind) % len(subjects)]]
        chosen.append(mine[int((0.8, 0.6, 0.7)[turn % 3] * len(mine))])
    return torch.stack(chosen)


def contact_sheet(role, counts=(10, 10), names=("mannequin", "mocap"), scenes=True, skeletons=False):
    """Pictures of a role, row by row: generated people, then recorded motion."""
    shown, titles, points = [], [], []
    for name, count in zip(names, counts, strict=True):
        filmed = film(name, role)
        if filmed is None:
            continue
        index = moments(filmed.poses, COLUMNS if profile == "smoke" else count)
        shown += list(filmed.colours(index, background=scenes).permute(0, 2, 3, 1).numpy())
        titles += [filmed.poses.action_names[action] for action in filmed.poses.action[index].tolist()]
        points += list(filmed.crop[index].numpy())
    drawn = {"skeleton": filmed.poses.skeleton, "points": points} if skeletons else {}
    plots_images.picture_grid(shown, titles=titles, columns=COLUMNS, **drawn)
    plt.show()


# %% tags=["hide-input"] mystnb={"image": {"alt": "Rows of square pictures of clothed people in rooms, each labelled with what they do: they point, talk with their hands, eat, wave, hold a phone to the ear, sit, walk; below, recorded people climb, dance, jump, run and walk."}, "figure": {"caption": "Role `studio`. The first three rows are generated people, the others recorded motion. The same rooms come back, since a camera stays where it is.", "name": "fig-data-studio"}}
contact_sheet("studio", counts=(15, 10))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Pictures of clothed people on lawns and pavements before houses and trees: exercising, lying, on all fours, reaching, sitting, throwing, walking; below, recorded people dance, box, kick, walk and exercise."}, "figure": {"caption": "Role `outdoor`: other people, wide lenses, cameras at other heights, things that move behind them. Two rows generated, two recorded.", "name": "fig-data-outdoor"}}
contact_sheet("outdoor")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Pictures of people in motley clothes, stripes and checks, in rooms and outdoors, seen from many sides and at many heights, some of them tilted."}, "figure": {"caption": "Role `wild`: other clothes for each take, each clip from another place and before another scene, two in five from a tripod, the others held by a hand that shakes. Two rows generated, two recorded.", "name": "fig-data-wild"}}
contact_sheet("wild")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Pictures of people in extreme postures: handstands, cartwheels, bridges, splits, kicks, lunges, dives, somersaults; below, recorded people leap, balance, kick, box and turn a cartwheel."}, "figure": {"caption": "Role `sport`. The first four rows are generated, all eighteen actions of them; the others are unusual moments of recorded sport and dance.", "name": "fig-data-sport"}}
contact_sheet("sport", counts=(20, 10))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Pictures of single right hands of different skins with their 21 joints drawn over them: open, spread, fist, pointing, pinching, OK sign, relaxed, gripping, thumb up, counting."}, "figure": {"caption": "Role `hands`, the same file in both collections: right hands in ten postures, with the true 2D joints. In a take called Free a hand goes through all of them.", "name": "fig-data-hands"}}
contact_sheet("hands", counts=(15,), names=chosen[:1], skeletons=True)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Twenty pictures of twenty different people on their feet: pointing, talking, waving, taking a photo, posing, waiting, walking."}, "figure": {"caption": "Role `bodies`, the same file in both collections: twenty people, one picture each.", "name": "fig-data-bodies"}}
contact_sheet("bodies", counts=(20,), names=chosen[:1])

# %% tags=["hide-input"] mystnb={"image": {"alt": "Pictures of people before black: two generated people and two recorded ones who stand, sit, walk and run."}, "figure": {"caption": "Role `motion`: poses that belong to no image, drawn here only to be seen. Two rows generated, one recorded.", "name": "fig-data-motion"}}
contact_sheet("motion", counts=(10, 5), scenes=False)

# %% [markdown]
# ### What comes with a picture
#
# With the colours come, pixel by pixel, the label of the part that is seen (left and right apart),
# the mask and the depth; with the crop comes the camera that took it, so that the 2D joints below
# are the projection of the 3D ones. The papers learn without these labels; they are here to measure
# with, and for role `bodies`.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five columns, a person in a studio, one outdoors, one in a web video, one in a sport posture, and a hand; five rows, the picture, the joints drawn over it, part labels in colour with left and right apart, the white mask on black, and the depth from light, near, to dark, far."}, "figure": {"caption": "Picture, 2D joints, part labels, mask and depth (lighter is nearer) of one frame of five roles.", "name": "fig-data-labels"}}
def layers(filmed, frame):
    """(colour, colour, parts, mask, depth) of a frame as pictures (S, S, 3) or (S, S)."""
    drawn = filmed.draw(torch.tensor([frame]), background=True)
    colour = (255 * drawn.colour[0].permute(1, 2, 0)).byte().numpy()
    names = PARTS if filmed.poses.skeleton == SKELETON else HAND_PARTS
    hues = plt.get_cmap("tab20b" if len(names) > 7 else "tab10")(np.linspace(0, 1, len(names) - 1))[:, :3]
    hues = np.concatenate([[[0.93, 0.93, 0.92]], hues[::-1] if len(names) > 7 else hues])
    parts = (255 * hues[drawn.parts[0].numpy()]).astype(np.uint8)
    mask, depth = drawn.mask[0].numpy(), drawn.depth[0].numpy()
    near, far = depth[mask].min(), depth[mask].max()
    shade = np.where(mask, 0.1 + 0.75 * (depth - near) / (far - near), 1.0)
    return colour, colour, parts, 1.0 - mask.astype(float), shade


sources = (("mannequin", "studio"), ("mocap", "outdoor"), ("mannequin", "wild"), ("mannequin", "sport"), ("mannequin", "hands"))
examples = {role: film(name, role) or film(chosen[0], role) for name, role in sources}
figure, axes = plots.subplots(5, len(examples), width=7.0, height=7.4)
for column, (role, filmed) in enumerate(examples.items()):
    frame = int(moments(filmed.poses, 5)[4])
    for row, layer in enumerate(layers(filmed, frame)):
        plots_images.show_picture(axes[row, column], layer)
    plots_images.draw_bones(axes[1, column], filmed.crop[frame].numpy(), filmed.poses.skeleton, outline=True)
    axes[0, column].set_title(role, fontsize=10)
plt.show()

# %% [markdown]
# ### Backgrounds, from the frames alone
#
# Where a paper subtracts a background, it is estimated from the frames, by the median over time of each
# pixel, and not taken from the generator. In a studio all that a camera saw goes into
# one median. In a clip of a few seconds who stays in place stays in the median, and in web video held
# by hand the scene itself moves: there it cannot be clean, as it cannot be for real video. Where there is no
# background to subtract, {ref}`an unsupervised saliency <kpg-saliency>` looks for the person in one picture alone.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three rows, studio, outdoor and wild; four columns, a frame, the temporal median, the scene that the generator drew, and their difference. The studio's median is almost the empty room; outdoors and in web video a ghost of the person and blurred edges remain."}, "figure": {"caption": "A frame, the median over time, the scene as the generator drew it, and their difference (darker is more).", "name": "fig-data-background"}}
figure, axes = plots.subplots(3, 4, width=7.0, height=5.9)
for row, (role, window) in zip(axes, (("studio", "scene"), ("outdoor", "clip"), ("wild", "clip")), strict=True):
    poses = load_poses(files[chosen[0], role], "train", stride=10)
    filmed = Filmed.of(poses, role, SIZE, window=window)
    clip = int(poses.clip[moments(poses, 6)[5]])
    frame = torch.tensor([int(poses.start[clip]) + 3])
    estimated = filmed.estimated_background(clip, frames=16 if profile == "smoke" else 64).float() / 255
    scene = filmed.scenery(frame)[0]
    wrong = (estimated - scene).abs().mean(dim=0)
    for ax, image in zip(row, (filmed.draw(frame, True).colour[0], estimated, scene), strict=False):
        plots_images.show_picture(ax, (255 * image.permute(1, 2, 0)).byte().numpy())
    plots_images.show_picture(row[3], (4 * wrong).clamp(max=1).numpy())
    row[0].set_title(role, fontsize=10)
    row[3].set_title(f"mean {255 * wrong.mean():.1f} of 255", fontsize=10)
for ax, title in zip(axes[0, 1:3], ("median", "generator"), strict=True):
    ax.set_title(title, fontsize=10)
plt.show()

# %% [markdown]
# ## What the people do
#
# ### The mannequin
#
# The generator knows nothing of recorded motion. Every action is a short script around postures
# made by hand: where a hand goes, how far the trunk leans, where the feet stand. Durations, places,
# hands, order and the habits of the subject are drawn from a seed. Between postures each angle
# follows minimum-jerk submovements (Flash and Hogan, 1985), which may overlap. Legs are solved from the
# feet, so that a foot that stands does not slide; the pelvis is lowered until both feet reach the
# floor. Bone lengths never change within a subject and differ between subjects in their ratios
# and not only in their size.

# %% tags=["hide-input"]
MOMENTS = 4 if profile == "smoke" else 7


def strips(clips, kinds, columns):
    """Each kind of action as a strip of poses over one clip, as the first camera sees them, in `columns` columns."""
    rows = -(-len(kinds) // columns)
    figure, axes = plots.subplots(rows, columns, width=9.5, height=1.55 * rows + 0.2, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for number, (ax, kind) in enumerate(zip(axes.flat, kinds, strict=False)):
        alike = [clip for clip in clips if clip.kind == kind]
        longest = [clip for clip in alike if len(clip) == max(map(len, alike))]
        clip = longest[5 * number % len(longest)]  # another subject each time, where there is a choice
        for place, frame in enumerate(np.linspace(3, len(clip) - 4, MOMENTS).astype(int)):
            pose = clip.joints_3d[frame, :, :2] - clip.joints_3d[frame, 0, :2]
            pose[:, 1] -= pose[:, 1].max()  # on one line, as on a floor
            plots.skeleton_2d(ax, pose + [1000.0 * place, 0.0], SKELETON, linewidth=1.3, joints=False)
        ax.set(title=f"{kind}, {clip.subject}", xlim=(-700, 1000 * MOMENTS - 300), ylim=(60, -1950))
    plt.show()


def kinds_of(name):
    return sorted({clip.kind for clip in studios[name]})


# %% tags=["hide-input"] mystnb={"image": {"alt": "Fifteen strips of stick figures, one for each action of the generated studio: people who point, talk with their hands, eat on a chair, wave, hold a phone to the ear, raise a camera to the eye, pose, reach for shelves, sit, sit down on the floor, smoke, wait, lead a dog, walk, and walk with their head turned aside."}, "figure": {"caption": "Every action of the generated studio, seven moments of a ten-second take each, as the first camera sees it. Solid is the left side, dashed the right.", "name": "fig-data-strips-mannequin"}}
if "mannequin" in studios:
    strips(studios["mannequin"], kinds_of("mannequin"), 2)
else:
    print("The collection mannequin is not among the chosen ones.")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Seven strips of stick figures, one for each outdoor activity of the generated people: squats, lunges and jumping-jack arms, gestures, lying and crawling on the floor, reaching high and low, sitting, throwing and boxing, brisk walking."}, "figure": {"caption": "The seven activities of the generated outdoor role, with other bodies and other cameras.", "name": "fig-data-strips-outdoor"}}
if ("mannequin", "outdoor") in files:
    outdoor = seen_by_first(files["mannequin", "outdoor"])
    strips(outdoor, sorted({clip.kind for clip in outdoor}), 2)
else:
    print("The collection mannequin is not among the chosen ones.")


# %% [markdown]
# Drag the figure to turn it; the button plays it. In two dimensions front and back of a person must
# be distinguishable, or depth could not be learned: knees bend backwards only, elbows forwards,
# trunks lean forwards more than back, the nose is in front of the neck.

# %% tags=["hide-input"]
def company(name, wanted, seconds=4.0):
    """Up to four clips of different actions beside each other: label -> joints (T, J, 3), and their rate."""
    clips = []
    for kind in wanted:
        long = [c for c in studios[name] if c.kind == kind and len(c) >= seconds * c.fps]
        clips += sorted(long, key=len)[-1:]
    clips = clips[:4]
    count = int(seconds * clips[0].fps)
    group = {}
    for place, clip in enumerate(clips):
        joints = world(clip)[-count:]
        middle = joints[:, 0].mean(0) * [1, 1, 0]
        group[f"{clip.kind}, {clip.subject}"] = joints - middle + [0.0, 1500.0 * place, 0.0]
    return group, clips[0].fps


def animate(name, wanted, alt, caption):
    group, fps = company(name, wanted)
    frames = 12 if profile == "smoke" else 36
    figure = plots3d.animate_3d(group, SKELETON, fps, frame="world", centre=False, max_frames=frames)
    return plots3d.show(figure, f"fig-data-animation-{name}", alt, caption)


if "mannequin" in studios:
    display(animate(
        "mannequin", ("Directions", "Sitting", "Walking", "SittingDown"),
        "Four generated people side by side in 3D, moving: one points, one sits on a chair, one walks, one sits down "
        "on the floor.",
        "Four seconds of four generated actions, to turn and to play.",
    ))

# %% [markdown]
# ### Recorded motion
#
# The collection `mocap` takes people recorded by the CMU Graphics Lab at 120 Hz down to 30 Hz and
# films them with the same virtual cameras. Its actions are others: there is no phone, purse or dog,
# but there is dancing, climbing and sport.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Strips of stick figures, one for each kind of recorded motion in the studio role: among them climbing, dancing, directing traffic, jumping, picking up, running, sitting, sports and walking."}, "figure": {"caption": "Every kind of action in the recorded studio role, seven moments of its longest clip, as the first camera sees it.", "name": "fig-data-strips-mocap"}}
if "mocap" in studios:
    strips(studios["mocap"], kinds_of("mocap"), 2)
else:
    print("The recorded motion is not on this machine.")

# %% tags=["hide-input"]
if "mocap" in studios:
    display(animate(
        "mocap", ("Walking", "Sports", "Directing", "Dancing", "Waiting", "Sitting"),
        "Four recorded people side by side in 3D, moving, each in another action.",
        "Four seconds of four recorded actions, to turn and to play.",
    ))
else:
    print("The recorded motion is not on this machine.")

# %% [markdown]
# ## Generated beside recorded
#
# ### Bodies
#
# A dot is a subject. The mannequin's lengths vary around those of Human3.6M's actors. The recorded
# skeletons mark joints elsewhere: their hip joints lie closer together, their spine joint higher,
# their head ends in the middle of the head. That is a difference of marking and not of people, and
# it is one of the things that a change of dataset means.

# %% tags=["hide-input"]
BONES = {
    "hip": (0, 1), "thigh": (1, 2), "shin": (2, 3), "lower spine": (0, 7), "upper spine": (7, 8), "neck": (8, 9),
    "head": (9, 10), "shoulder": (8, 11), "upper arm": (11, 12), "forearm": (12, 13),
}
STYLE = {"mannequin": ("#0072b2", "o"), "mocap": ("#d55e00", "^")}


def lengths(joints):
    """Median length (mm) of each bone over joints (T, J, 3)."""
    return np.array([np.median(np.linalg.norm(joints[:, b] - joints[:, a], axis=-1)) for a, b in BONES.values()])


# %% tags=["hide-input"] mystnb={"image": {"alt": "Length of ten bones as a share of thigh plus shin, one dot a subject, for generated and recorded people. Thighs, shins and upper arms agree; in the recordings the hips are narrower, the upper spine shorter, and the lower spine, neck, shoulders and forearms longer."}, "figure": {"caption": "Bone lengths as shares of the leg, one dot a subject.", "name": "fig-data-bones"}}
figure, ax = plots.subplots(height=3.6)
for place, name in enumerate(studios):
    color, marker = STYLE[name]
    by_subject = {}
    for (owner, role), dataset in files.items():
        if owner == name and role in ("studio", "outdoor", "motion"):
            for clip in seen_by_first(dataset):
                by_subject.setdefault(clip.subject, clip)
    shares = np.array([lengths(clip.joints_3d) for clip in by_subject.values()])
    shares /= shares[:, 1:3].sum(1, keepdims=True)
    x = np.arange(len(BONES)) + 0.24 * place - 0.12
    jitter = np.linspace(-0.07, 0.07, len(shares))[:, None]
    ax.plot((x + jitter).ravel(), shares.ravel(), marker, color=color, markersize=4, alpha=0.75, label=name)
ax.set_xticks(range(len(BONES)), [bone.replace(" ", "\n") for bone in BONES])
ax.set_ylabel("length / (thigh + shin)")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ### Speeds and angles
#
# The mannequin does what people do in Human3.6M, which is mostly standing and sitting; the
# recordings chosen here are livelier, with sport and dance. So the generated speeds lie below the
# recorded ones, and arms hang more often.

# %% tags=["hide-input"]
def unit(vector):
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def angle(one, two):
    return np.degrees(np.arccos(np.clip((unit(one) * unit(two)).sum(-1), -1.0, 1.0)))


def quantities(clips):
    """What the histograms show, pooled over clips."""
    UP = np.array([0.0, 0.0, 1.0])
    result = {key: [] for key in ("wrist", "ankle", "elbow", "knee", "trunk", "arm")}
    for clip in clips:
        joints = world(clip)
        for key, pair in (("wrist", (13, 16)), ("ankle", (3, 6))):
            result[key].append(np.linalg.norm(np.diff(joints[:, pair], axis=0), axis=-1).ravel() * clip.fps / 1000)
        for key, chains in (("elbow", ((11, 12, 13), (14, 15, 16))), ("knee", ((1, 2, 3), (4, 5, 6)))):
            for a, b, c in chains:
                result[key].append(angle(joints[:, b] - joints[:, a], joints[:, c] - joints[:, b]))
        result["trunk"].append(angle(joints[:, 8] - joints[:, 0], UP))
        for a, b in ((11, 12), (14, 15)):
            result["arm"].append(angle(joints[:, b] - joints[:, a], -UP))
    return {key: np.concatenate(values) for key, values in result.items()}


pooled = {name: quantities(clips) for name, clips in studios.items()}


def compare(panels, rows):
    """Histograms side by side: key -> (label of the axis, span)."""
    figure, axes = plots.subplots(rows, 2, width=8.0, height=2.7 * rows)
    for ax, (key, (label, span)) in zip(axes.flat, panels.items(), strict=True):
        plots.histograms({name: values[key] for name, values in pooled.items()}, xlabel=label, ax=ax, span=span)
    plt.show()


# %% tags=["hide-input"] mystnb={"image": {"alt": "Two histograms of joint speed in metres a second, wrists and ankles, generated and recorded. Both fall steeply from zero; the recorded ones have the longer tail."}, "figure": {"caption": "Speeds of wrists and ankles.", "name": "fig-data-speeds"}}
compare({"wrist": ("speed of the wrists (m/s)", (0, 3)), "ankle": ("speed of the ankles (m/s)", (0, 4))}, 1)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four histograms of angles, generated and recorded: flexion of the elbows and of the knees, lean of the trunk, and angle of the upper arm from straight down. The generated arms hang and elbows are straight more often; knees have a second hump from sitting."}, "figure": {"caption": "Angles of elbows and knees (0 is straight), lean of the trunk, and angle of the upper arm from straight down.", "name": "fig-data-angles"}}
compare({
    "elbow": ("flexion of the elbows (degrees)", (0, 160)), "knee": ("flexion of the knees (degrees)", (0, 160)),
    "trunk": ("lean of the trunk (degrees)", (0, 90)), "arm": ("upper arm from straight down (degrees)", (0, 180)),
}, 2)

# %% [markdown]
# ### Arms down, arms out
#
# A prior that was learned from people knows that arms hang. An arm *hangs* where upper arm and
# forearm are within 20 degrees of straight down, and is *stretched out* where both are within 20
# degrees of the horizontal line through the shoulders. The mannequin's studio was tuned to about
# 40 to 1; its other roles come out as they do.

# %% tags=["hide-input"]
rows = ""
for (name, role), dataset in files.items():
    if role in ("sport", "hands", "bodies"):
        continue
    clips = seen_by_first(dataset)
    hanging, stretched = np.sum([arm_counts(world(clip)) for clip in clips], axis=0)
    total = 2 * sum(len(clip) for clip in clips)
    rows += (
        f"<tr><td>{name}</td><td>{role}</td><td>{total:,}</td><td>{hanging:,}</td><td>{stretched:,}</td>"
        f"<td>{hanging / max(stretched, 1):.0f} : 1</td></tr>"
    )
heads = ("collection", "role", "arms x moments", "hanging", "stretched out", "ratio")
HTML(f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{rows}</table>")

# %% [markdown]
# ### Which way people face
#
# Filming turns each take by a random angle, so that every viewing direction occurs.

# %% tags=["hide-input"] mystnb={"image": {"alt": "A histogram of the direction in which people face relative to the first camera, from minus to plus 180 degrees, generated and recorded. No direction is empty."}, "figure": {"caption": "Where people face, seen from the first camera: 0 faces the camera, 90 the right of the image.", "name": "fig-data-facing"}}
def facing(clips):
    """Direction of the pelvis about the vertical, degrees; 0 faces the camera."""
    across = np.concatenate([clip.joints_3d[:, 4] - clip.joints_3d[:, 1] for clip in clips])
    return np.degrees(np.arctan2(across[:, 2], across[:, 0]))  # left hip at the image's right: facing us


plots.histograms(
    {name: facing(clips) for name, clips in studios.items()}, xlabel="direction (degrees)", bins=24, span=(-180, 180)
)
plt.show()

# %% [markdown]
# ## The detector
#
# `detected_2d` is the projection disturbed by a model of a detector's mistakes: a jitter with its
# own size for each joint, part of which drifts over time; left and right exchanged for a moment;
# joints missed for a moment. What it does is measured here, in pixels of the studio's images of
# 1000 by 1000.

# %% tags=["hide-input"]
rows, by_joint = "", {}
for name in studios:
    dataset = files[name, "studio"]
    errors = np.concatenate([
        np.linalg.norm(clip.detected_2d - clip.joints_2d, axis=-1) for clip in dataset.clips if clip.detected_2d is not None
    ])
    by_joint[name] = errors.mean(0)
    median, high = np.quantile(errors, (0.5, 0.95))
    rows += (
        f"<tr><td>{name}</td><td>{errors.mean():.1f}</td><td>{median:.1f}</td><td>{high:.1f}</td>"
        f"<td>{100 * (errors > 50).mean():.2f} %</td></tr>"
    )
heads = ("collection", "mean error (px)", "median", "95 % below", "beyond 50 px")
HTML(f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{rows}</table>")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Mean 2D error of each of the seventeen joints in pixels. It grows from the trunk outwards; wrists and ankles are worst."}, "figure": {"caption": "Mean error of the simulated detector, joint by joint.", "name": "fig-data-detector"}}
plots.error_per_joint(by_joint, SKELETON, unit="2D error (pixels)")
plt.show()

# %% [markdown]
# ## What was dropped
#
# Nothing wrong in a recording is mended in silence. Frames that the recordings' own notes call
# wrong, and jumps that no joint can make, are dropped and counted; so are moments in which a joint
# is out of a camera's view.

# %% tags=["hide-input"]
for (name, role), dataset in files.items():
    notes = dataset.notes.splitlines()
    wrong = [line for line in notes if "dropped as wrong" in line]
    print(f"{name}/{role}: {notes[0] if notes else 'nothing noted'}")
    for line in wrong:
        print(f"    {line}")

# %% [markdown]
# ## Known limits
#
# - Generated people have no muscles and no weight: balance is approximate, momentum is not
#   conserved, and nobody jumps but in single pictures.
# - Left and right limbs have equal lengths, and the shoulder girdle follows the arm by a fixed rule.
#   Where a hand or a foot points is no part of the data: a picture shows what the nearest bones suggest.
# - Nobody holds or sits on anything: there is no chair, phone or pole in a picture.
# - The hands of role `hands` are alone: no arm moves them and no object bends a finger.
# - Each action is made of a handful of postures. Two takes of one action resemble each other more
#   than two recordings do, so a network sees less variety in as many frames.
# - A limb may brush the trunk: there is no test of contact except with the floor.
# - The recorded subjects are numbers and not persons: CMU may have given one person two numbers. That
#   training and test subjects of `mocap` are different people is likely, but not proven.
# - The simulated detector knows no picture. Its mistakes do not depend on what hides a joint.
