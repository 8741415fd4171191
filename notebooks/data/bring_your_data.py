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
# (page-bring-your-data)=
# # Bring your data
#
# The papers of this book were measured on data that are licensed to you and cannot come with it. If you hold them, three
# commands set the papers' tables beside your own runs on them:
#
# ```bash
# # once: the download becomes data/benchmarks/studio.h5
# python -m lib.data import human36m /path/to/human3.6m
# # reads every picture, says what is in it
# python -m lib.data check data/benchmarks/studio.h5
# # the chapter's page, with the runs that are missing
# papermill notebooks/yu2021_scale_lifting/results.ipynb out.ipynb -k python3 \
#     -p profile gpu -p collection benchmarks -p run_missing True
# ```
#
# An import reads a download as its site delivers it, unpacked or as archives, writes nothing into it, and can be broken off at any
# time: the same command goes on at the first clip that is not whole. What it leaves out or mends, it names, and the notes stay in the file.
# The libraries that it needs are installed by `make book`; elsewhere `pip install -e .[import]` brings them.
#
# A chapter asks for *roles* ({ref}`page-data`). On the collection `benchmarks` each role is a file that an import makes; a results page whose files are
# not all there says which command is missing.

# %% tags=["parameters"]
profile = "cpu"

# %% tags=["hide-input"]
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from IPython.display import Markdown, display

from lib import plots, plots_joint_maps
from lib.data.cutting import MARGIN, cut
from lib.data.folder import IMPORTED
from lib.data.importing import READERS, reader
from lib.data.protocols import PROTOCOLS
from lib.data.videos import frames as decoded
from lib.skeleton import HAND_21, HUMAN36M_17, SKELETONS

FEW = profile == "smoke"


def table(heads, rows):
    """A table of Markdown cells."""
    lines = [heads, ["---"] * len(heads), *rows]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


# %% [markdown]
# ## What can be imported
#
# `LAYOUT` is the first argument of `import`, the folder or archive that you downloaded is the second. The role is the one that a file plays unless
# `--role` says otherwise: MADS, which has videos, also serves as `--role wild`.

# %% tags=["hide-input"]
shown = []
for name in READERS:
    module = reader(name)
    site = f"[{module.SITE.split('//')[1].split('/')[0]}]({module.SITE})"
    shown.append([name, module.ROLE, site, module.LICENCE.split(" Who publishes")[0]])
table(("layout", "role", "download page", "licence, in a line; yours is the text on the site"), shown)

# %% [markdown]
# Options of `import`:
#
# | Option | What it does |
# |---|---|
# | `--size 128` | side of the stored crops in px; take 256 for profile `paper` of chapter five; `0` keeps poses alone, which is all that chapter one needs |
# | `--every 5` | keeps every fifth frame, from each clip's first on: for a fifth of the disk, 10 frames a second of 50 |
# | `--subjects S1,S9` | only these |
# | `--universal` | 3D poses scaled to one body for all (Human3.6M's `D3_Positions_mono_universal`, MPI-INF-3DHP's `univ_annot3`); without it each person's own |
# | `--detections FILE` | with `videopose3d`: the 2D poses of a detector |
# | `--role ROLE`, `--out FILE` | another role, another place |
# | `--skip-damaged` | leaves out clips that cannot be read, and names them in the file |
#
# A crop is a square around the labelled joints, larger than the person by a factor that leaves room for what the chapters cut out of it. With it are
# stored the person's mask, where the download has one, and, where the camera stands still, what it sees behind the people: the median over time of
# about fifty of its views. A crop asked for is then cut from the stored one; beyond its edge the background shows.
#
# ## Human3.6M
#
# Four layouts are read; the first is the whole thing.
#
# | Layout | What to download, and what it gives |
# |---|---|
# | `human36m` | for S1, S5, S6, S7, S8, S9, S11: `Poses_D3_Positions_mono`, `Poses_D2_Positions`, `Videos`, and `Segments_mat_gt_bs` if you want masks. In the site's folders (`S1/MyPoseFeatures/…`) or those of the tool h36m-fetch (`extracted/S1/…`). Put `metadata.xml` of the site's software beside them: it says where the cameras stood |
# | `h36m-fetch` | that tool's folder `processed`: frames selected by movement, so not uniform in time; pinhole cameras; no world coordinates |
# | `videopose3d` | `data_3d_h36m.npz` and a `data_2d_h36m_*.npz`: poses without pictures, with a detector's 2D by `--detections` |
# | `human36m-simple` | the crops of six actions by Zhang et al. (2018): 2D only, trained on S1 S5 S6 S7 S8 S9, tested on S11 |
#
# What is checked and mended:
#
# - The four cameras' published intrinsics are part of the project, lenses with their distortion. A world pose projected by them gives the official 2D positions; the
#   two tangential numbers stand in `w0` in the other order than the formula wants, and are turned.
# - `TakingPhoto` and `WalkingDog` (S1) are `Photo` and `WalkDog` for all; the takes of an action, which bear different numbers from subject to subject, are "Walking" and "Walking 2".
# - S11's Directions before camera 54138969, whose video is damaged, is left out. Three takes of S9 (a Greeting, a SittingDown, a Waiting) have poses that stand beside the person in the pictures: they are kept as poses (`--size 0`) and left out with their pictures, so the test set differs between the two. The notes name them.
# - A video is longer than its poses: cut. Shorter: an error that names it. The subjects whose poses are not public are skipped.
# - A universal skeleton makes all subjects one body. Errors on it are not comparable with errors on their own skeletons, so the file says which it has, and the header of every table repeats it.
#
# ## MPI-INF-3DHP
#
# One folder with `S1` to `S8` and `TS1` to `TS6`. Training has the eight cameras at chest height and a little above it; `annot3` unless `--universal` asks for `univ_annot3`. Two of
# the sixteen sequences' peculiarities are handled by name: five run at 50 frames a second and the others at 25; the video of S6, sequence 2, camera 2 ends early, and the clip with it. In the test set only frames
# marked valid count; they are not contiguous, so a clip there is cut where they are not, and no pair of frames bridges a gap. The test set comes without
# intrinsics: they are fitted to its own 2D and 3D poses, and the residual stands in the notes.
#
# ## The others
#
# | Data | What is handled |
# |---|---|
# | LSP, LSPET | the third number of a joint means *occluded* in one and *labelled* in the other, and the axes are swapped; pixels are counted from 1; 14 joints, so spine and nose are not labelled and count nowhere |
# | HandDB | labels of different archives in two forms; only joints marked as seen; left hands are mirrored, so that all are right hands; 2D only |
# | SURREAL | its camera mirrors the world, so that a joint named left is the right one of the person in the picture: names are exchanged, in 3D, 2D and parts, and the camera is a proper rotation again; frames without a person; three subjects with monstrous shapes |
# | MADS | frames without a pose, single joints that were lost, 15 or 19 joints, lens distortion; the last take of each category is for testing |
# | CMU | ASF/AMC folders, any of them; wrong frames dropped; seen by the studio's virtual cameras |
# | BVH | any folder: names of joints, unit, the way up and an added T-pose are found out and noted; a skeleton that lacks a joint is refused by name |
#
# CMU's recordings are free. One command downloads the takes that collection `mocap` is made from, checks them, and makes it:
#
# ```bash
# python -m lib.data fetch cmu
# ```
#
# ## Joint maps
#
# Everything becomes the 17 joints of Human3.6M, in its order; hands keep their 21. Below, filled joints are kept and bear the number that they get, squares
# lie midway between two, hollow joints are left out. The people face you: their left side, solid and blue, is on the right.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Nine stick figures that face the reader, one for each skeleton, left limbs solid blue and right ones dashed orange. Kept joints are filled and numbered 0 to 16 from the pelvis over right leg, left leg, spine and head to left arm and right arm; toes, thumbs, fingers, collar bones and some joints of the spine are hollow. The hand has all its joints numbered 0 to 20."}, "figure": {"caption": "Which joint becomes which. In SMPL one joint of the head stands for nose and head; what is made up from it counts as not labelled.", "name": "fig-joint-maps"}}
SHOWN = {
    "Human3.6M, 32 joints": "human36m_32", "3DHP training, 28": "mpi_inf_3dhp_28", "3DHP test, 17": "mpi_inf_3dhp_17",
    "LSP, 14": "lsp_14", "HandDB, 21": "hand_21", "SURREAL (SMPL), 24": "smpl_24",
    "MADS, 19": "mads_19", "MADS, 15": "mads_15", "CMU, 31": "cmu_31",
}  # fmt: skip
SHOWN = {title: SKELETONS[name] for title, name in SHOWN.items()}
figure, axes = plots.subplots(3, 3, height=11)
for ax, (title, skeleton) in zip(axes.flat, SHOWN.items(), strict=True):
    plots_joint_maps.joint_map(ax, skeleton, HAND_21 if skeleton == HAND_21 else HUMAN36M_17)
    ax.set_title(title)

# %% tags=["hide-input"]
bodies = {title: skeleton for title, skeleton in SHOWN.items() if skeleton != HAND_21}
columns = [plots_joint_maps.joint_rows(skeleton) for skeleton in bodies.values()]
table(
    ("joint", *bodies),
    [[f"{row[0][0]} {row[0][1]}".replace("_", " "), *(made[2].replace("_", " ") for made in row)]
     for row in zip(*columns, strict=True)],
)

# %% [markdown]
# ## How long, how large
#
# Measured here, on this machine, when this page was made: a video of Human3.6M's size is decoded, and the crops are cut and packed. What is drawn in it is
# a smooth picture with noise. Time is that of one processor core, so an import that has the machine to itself takes about as long.

# %% tags=["hide-input"]
COUNT, SIZE = (8 if FEW else 60), 128


def film(path, count, width=1000, height=1002):
    """Writes a video of noise over moving waves."""
    import av

    rng = np.random.default_rng(0)
    rows, across = np.mgrid[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=50)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 5_000_000
        for number in range(count):
            wave = 120 + 60 * np.sin((rows + 8 * number) / 90) * np.cos(across / 70)
            picture = (wave[..., None] + rng.normal(0, 8, (height, width, 1))).clip(0, 255).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture.repeat(3, 2), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


with tempfile.TemporaryDirectory() as folder:
    video, packed = Path(folder) / "video.mp4", Path(folder) / "crops.h5"
    film(video, COUNT)
    began = time.process_time()
    with h5py.File(packed, "w") as file:
        image = file.create_dataset("image", (COUNT, SIZE, SIZE, 3), np.uint8, chunks=(1, SIZE, SIZE, 3), compression="gzip", compression_opts=1)
        for row, picture in enumerate(decoded(video, COUNT)):
            image[row] = cut(picture, np.array([500.0, 500.0, 400.0 * MARGIN]), SIZE)
    rate = COUNT / (time.process_time() - began)
    each = packed.stat().st_size / COUNT

# Frames times cameras; the sums of what is published of the data sets' lengths.
LENGTHS = {
    "Human3.6M, 7 subjects, 4 cameras": 2_103_096, "the same, `--every 5`": 420_620,
    "MPI-INF-3DHP, 8 cameras and test set": 131_592 * 8 + 24_888, "LSP and LSPET": 12_000, "HandDB": 31_836,
}  # fmt: skip
display(Markdown(
    f"{rate:.0f} pictures for a second of one core, {each / 1024:.0f} KiB for each crop of {SIZE} px. SURREAL has more than six "
    f"million, but the chapters take no picture of it, and 20 of its poses: `--size 0 --every 25` is enough."
))
table(
    ("data", "pictures", "hours at this rate", f"GB at {SIZE} px"),
    [
        [name, f"{count:,}", f"{count / rate / 3600:.1f}", f"{count * each / 1e9:.1f}"]
        for name, count in LENGTHS.items()
    ],
)

# %% [markdown]
# While an import runs, it needs that much disk twice: the clips that are whole lie in a folder beside the file until it is put together. Memory stays far below 2 GiB whatever
# the size, since one picture at a time is held. Poses alone (`--size 0`) take minutes.
#
# ## Protocols
#
# A protocol is chosen by the collection's name. All of them read the same files; their records lie apart, so that no table mixes them, and the header of every table names what was done.

# %% tags=["hide-input"]
table(
    ("collection", "role", "protocol"),
    [
        [name, role, rules.title]
        for name, roles in PROTOCOLS.items()
        for role, rules in roles.items()
    ],
)

# %% [markdown]
# PCK counts joints within 150 mm, AUC averages it over 31 thresholds from 0 to 150 mm. The root is joint 0 in prediction and truth. Profiles other than `paper` test on
# a part of the test frames, evenly spread; the header says how many.
#
# ## What an import refuses, and what it never does
#
# - A file that is cut off, whose bytes were changed, or that holds another shape, type or number of joints than its layout says, ends the import with one line that names the file and the field. What was whole
#   before is kept; no file appears that `check` would call whole. The tests damage thousands of files of each layout.
# - Nothing is unpickled. VideoPose3D's files hold pickled objects; they are read by an interpreter of this project's own, which knows arrays, dictionaries, lists,
#   strings and numbers and refuses everything else by its name.
# - Archives are unpacked beside the file to be made; a member that would lie outside that folder, a link, or an archive that would fill the disk is refused.
# - No file of the download is opened for writing.
# - Pictures that were not imported are never replaced by drawn ones. The roles `motion` and `bodies` are the exception, in all collections: their poses are drawn, as the papers do with the poses of SMPL bodies.
#
# ## Which command makes which role

# %% tags=["hide-input"]
table(
    ("role of `benchmarks`", "command"),
    [[role, f"`python -m lib.data import {call}`"] for role, call in IMPORTED.items()],
)
