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
# A paper asks for a *role*, not for a dataset: `studio` stands for video in a studio with cameras
# that do not move, `outdoor` for another capture with other people and cameras, `motion` for poses
# that belong to no image. A *collection* says which file plays which role. There are three:
#
# | collection | studio | outdoor | motion | where it comes from |
# |---|---|---|---|---|
# | `mannequin` | 7 subjects, 15 actions, 4 cameras | 6 others, 7 activities, 5 cameras | 2 others | generated here, from a seed, in a minute |
# | `mocap` | recorded motion, the same 4 cameras | other recorded subjects | others kept out | CMU Graphics Lab motion capture, which you bring |
# | `benchmarks` | Human3.6M | MPI-INF-3DHP | CMU, MADS | licensed; you bring it; not shown here |
#
# No number from a generated person is ever set beside a number that a paper reports as if both
# were measurements of the same thing. What the chapters compare is the *claim*: which variant wins,
# and by how much of the reported effect. This page shows what the generated people do, and holds
# them beside recorded ones. The code is in `lib/data`.

# %% tags=["parameters"]
profile = "cpu"
collections = "mannequin mocap"

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, Markdown, display

from lib import plots, plots3d
from lib.data.collections import COLLECTIONS, ROLES, build, dataset_path
from lib.data.dataset import open_dataset, sha256
from lib.data.mannequin import arm_counts
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
    """The clips of one camera: every recorded moment once."""
    return [clip for clip in dataset.clips if clip.camera == dataset.clips[0].camera]


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
# those behind it for testing.

# %% tags=["hide-input"]
rows = "".join(
    f"<tr><td>{name}</td><td>{role}</td><td>{', '.join(d.split['train'])} | {', '.join(d.split['test'])}</td>"
    f"<td>{len({c.camera for c in d.clips})}</td><td>{len(seen_by_first(d))}</td>"
    f"<td>{sum(len(c) for c in seen_by_first(d)):,}</td><td>{d.clips[0].fps:g}</td><td>{d.generator}, seed {d.seed}</td>"
    f"<td><code>{sha256(d.path)[:12]}</code></td></tr>"
    for (name, role), d in files.items()
)
heads = ("collection", "role", "subjects", "cameras", "clips a camera", "moments", "Hz", "made by", "SHA-256")
HTML(f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{rows}</table>")

# %% tags=["hide-input"]
display(Markdown("\n".join(
    f"- `{name}`: {COLLECTIONS[name].source}. Licence: {COLLECTIONS[name].licence}" for name in studios
)))

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
    for (owner, _), dataset in files.items():
        if owner == name:
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
#   conserved, and nobody jumps.
# - Left and right limbs have equal lengths, hands and feet are not modelled, and the shoulder
#   girdle follows the arm by a fixed rule.
# - Each action is made of a handful of postures. Two takes of one action resemble each other more
#   than two recordings do, so a network sees less variety in as many frames.
# - A limb may brush the trunk: there is no test of contact except with the floor.
# - The recorded subjects are numbers and not persons: CMU may have given one person two numbers. That
#   training and test subjects of `mocap` are different people is likely, but not proven.
# - The simulated detector knows no picture. Its mistakes do not depend on what hides a joint.
