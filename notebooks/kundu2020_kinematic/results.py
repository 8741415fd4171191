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
# (page-kundu2020-kinematic-results)=
# # Results: every table and figure
#
# This page sets the four tables and the figures of Kundu et al. {cite:p}`kundu2020kinematic` beside our own runs. It trains nothing; it
# reads *records*, one for each run, and all its numbers and all its verdicts are computed from them. How a
# verdict is reached stands on the [title page](../../index.md), what the method does in [the method page](method), what the metrics forgive in {ref}`page-metrics`.
#
# Three kinds of sources are read:
#
# this machine
# : the records under `results/`, made where this book was built.
#
# reference, mocap
# : records that come with the book: recorded human motion on drawn people, seen by simulated cameras.
#
# reference, mannequin
# : the same with generated motion, which everybody has.
#
# None of them is Human3.6M, MPI-INF-3DHP, LSP or the authors' collection from YouTube, on which the paper's numbers were measured, and our people are drawn.
# So no number of ours reproduces a number of the paper; what can be reproduced is who wins, and by what share.
#
# Cells that only print a table or a sentence show no code here; the notebook behind this page, to download above, has all of it.

# %% tags=["parameters"]
profile = "cpu"
collection = "mannequin"
run_missing = False  # True: make the runs of this machine that are missing, here and now
seeds = "0"  # of those runs, such as "0 1 2"

# %% tags=["hide-input"]
from collections import Counter
from functools import cache, partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import HTML, Markdown, display
from tqdm.auto import tqdm

import lib
from lib import plots, plots3d, plots_images, prose, records, report, run, tables
from lib.claims import OUTCOMES
from lib.papers import kundu2020_kinematic as method
from lib.skeleton import HUMAN36M_17

torch.set_num_threads(1)
ROOT = Path(lib.__file__).resolve().parents[1]
SLUG = "kundu2020_kinematic"
PAPER = report.load_paper(SLUG)

# %% tags=["hide-input"]
lacking = run.missing_files(SLUG, (*PAPER.grid, *PAPER.grid_extra), collection)
if lacking:
    lines = "\n".join(f"- {line}" for line in dict.fromkeys(sum(lacking.values(), [])))
    display(Markdown(f"**Data that are not there.** {len(lacking)} variants cannot be run on collection `{collection}` without\n\n{lines}\n\nThe page goes on with the records that there are."))  # fmt: skip
if run_missing:
    missing = [
        (variant, seed)
        for variant in (*PAPER.grid, *PAPER.grid_extra)
        if variant not in lacking
        for seed in map(int, seeds.split()[:1] if variant in PAPER.deterministic else seeds.split())
        if not records.record_path(ROOT / records.OWN, SLUG, collection, variant, profile, seed).exists()
    ]
    for variant, seed in tqdm(missing, desc="runs", disable=run.headless()):
        run.execute(SLUG, variant, collection, profile, seed, root=ROOT / records.OWN)


# %% tags=["hide-input"]
def references(collection):
    """One source for each profile that the reference records of a collection were made at, the largest first."""
    folder = ROOT / records.REFERENCE
    found = {record["profile"] for record in records.find(SLUG, collection, folder)}
    made = [name for name in tables.PROFILES if name in found] or ["cpu"]
    return [report.Source(f"reference, {name}" if len(made) > 1 else "reference", folder, collection, name) for name in made]


OWN = report.Source("this machine", ROOT / records.OWN, collection, profile)
REFERENCES = [*references("mocap"), *references("mannequin")]
RUNS = {source: source.records(PAPER) for source in (OWN, *REFERENCES)}
MADE = {source: {v: found for v, found in runs.items() if "/" not in v} for source, runs in RUNS.items()}
SOURCES = [source for source in RUNS if MADE[source]] or list(RUNS)
MAIN = max((*REFERENCES, OWN), key=lambda source: len(MADE[source]))  # the first of those with most variants
VERDICTS = {source: report.verdicts(PAPER, source) for source in SOURCES}
numbers = partial(prose.numbers, RUNS[MAIN])
part = partial(numbers, role="diagnostics")
difference = partial(prose.difference, RUNS[MAIN])
told = prose.told
ROLES = ("studio", "outdoor", "sport", "wild")


def link(record):
    """From this page to the copy of a record that the book carries."""
    return "../../" + Path(record["path"]).resolve().relative_to(ROOT).as_posix()


# %% tags=["hide-input"]
def say(*sentences):
    """Computed prose; sentences that are None had nothing to say."""
    text = " ".join(sentence for sentence in sentences if sentence)
    if text:
        display(Markdown(text))


def findings(*sentences):
    """Differences as a list, with the source that they are from."""
    found = [f"- {sentence}" for sentence in sentences if sentence]
    if found:
        say(f"Computed from {MAIN.label}, profile {MAIN.profile}:\n\n" + "\n".join(found))


def absent(*variants):
    """Says that something waits for records; True if it does."""
    lacking = [variant for variant in variants if not RUNS[MAIN].get(variant)]
    if lacking:
        names = ", ".join(f"`{name}`" for name in lacking)
        say(f"*Not run: there is no record yet of {names} in {MAIN.label}.*")
    return bool(lacking)


def no_pictures(variant):
    """Says why a figure is not there."""
    if not absent(variant):
        say(f"*The records of `{variant}` in {MAIN.label} keep no pictures of this.*")


def have(*columns):
    """Whether all of these series of numbers are there."""
    return all(len(column) for column in columns)


@cache
def arrays(variant):
    """The first record of a variant that has arrays for figures, and these; None and empty where there is none."""
    for record in sorted(RUNS[MAIN].get(variant, ()), key=lambda record: record["seed"]):
        if found := records.load_arrays(record):
            return record, found
    return None, {}


def group(variant, prefix):
    """The stored arrays under a prefix, field -> values, with the record that they are of."""
    record, stored = arrays(variant)
    return record, {name.removeprefix(prefix): values for name, values in stored.items() if name.startswith(prefix)}


def examples(variant, role, kind="random"):
    """The stored test frames of a run, field -> values, or None; "titles" says action and error of each."""
    record, found = group(variant, f"{role}/{kind}/")
    if not found or not len(found["image"]):
        return None
    names = list(record["metrics"][role]["actions"])
    found["titles"] = [f"{names[int(a)]}, {e:.0f} mm" for a, e in zip(found["action"], found["error"], strict=True)]
    return found


def first(found, count):
    """The first frames of the examples; their order is random already."""
    return {name: values[:count] for name, values in found.items()}


def joined(by_role, count):
    """The first examples of each role one after the other, or None; "titles" says role and error of each."""
    parts = [first(found, count) for found in by_role.values() if found]
    if not parts:
        return None
    whole = {name: [value for part in parts for value in part[name]] for name in parts[0]}
    names = [role for role, found in by_role.items() if found for _ in found["error"][:count]]
    return whole | {"titles": [f"{role}, {error:.0f} mm" for role, error in zip(names, whole["error"], strict=True)]}


# %% [markdown]
# ## In short

# %% tags=["remove-input"]
rows = []
for source in RUNS:
    count = sum(map(len, MADE[source].values()))
    tally = report.summary(VERDICTS[source]).values() if source in VERDICTS else ["–"] * len(OUTCOMES)
    rows.append([source.label, source.profile, count, *tally])
caption = f"Verdicts of the paper's {len(PAPER.claims)} claims, by source of the runs."
display(HTML(prose.small_table(caption, ["Source", "Profile", "Runs", *OUTCOMES], rows)))

# %% tags=["hide-input"]
outside = sum(not claim.checks for claim in PAPER.claims)
if OWN.profile == "smoke":
    own_text = "Runs of this machine are of profile smoke, which only tests the machinery: no number of theirs is shown."
elif not MADE[OWN]:
    own_text = f"There are no runs of this machine yet (collection {collection}, profile {profile}); `make book` makes them."
else:
    few_seeds = max(len(found) for found in MADE[OWN].values()) < 3
    own_text = "A verdict needs three seeds; this machine has fewer, so its claims stay undecided." * few_seeds
if not any(MADE[source] for source in REFERENCES):
    own_text += " There are no reference records yet."
say(f"{outside} of the claims compare with methods that we do not have and stay *not run* everywhere; each says why.", own_text)


# %% tags=["hide-input"]
def against(variant, floor, name):
    """How a variant stands to one of the yardsticks in P-MPJPE, as part of a sentence."""
    ours, other = numbers(variant, "p_mpjpe"), numbers(floor, "p_mpjpe")
    if not have(ours, other):
        return None
    side = "below" if ours.max() < other.min() else "above" if ours.min() > other.max() else "on both sides of"
    return f"{side} {name} ({told(other)})"


yardsticks = {"mean-pose": "the mean pose", "mean-shape": "the mean shape", "flat-lift": "the flat lift of the *true* 2D pose",
              "prior-only": "the labelled renders alone for as many minutes", "prior-early": "the labelled renders alone, stopped where the staged recipe goes on",
              "bn-control": "the same when batch normalisation also sees the images",
              "as-printed": "the paper's recipe as printed", "sup": "the same encoder with 3D labels"}  # fmt: skip
if have(numbers("unsup", "p_mpjpe")):
    places = [against("unsup", variant, name) for variant, name in yardsticks.items()]
    say(
        f"In {MAIN.label}, profile {MAIN.profile}, the unsupervised model reaches a P-MPJPE of **{told(numbers('unsup', 'p_mpjpe'))} mm** on test people that it has never seen, "
        "from one image, having learned from video without labels and from 20 labelled renders. Over all seeds that is "
        + "; ".join(place for place in places if place)
        + "."
    )  # fmt: skip
else:
    absent("unsup")
steps = [numbers(v, "p_mpjpe") for v in ("prior-only", "bn-control", "unsup")]
flat = [part(v, "error_2d") for v in ("prior-only", "bn-control", "unsup")]
if have(*steps) and have(*flat):
    p, q = ([values.mean() for values in column] for column in (steps, flat))
    say(
        f"What do the images without labels bring? From the renders alone to the whole method the P-MPJPE changes by {prose.amount(p[2] - p[0], 'mm', '+')} mm. "
        f"Letting batch normalisation see the images, without any loss on them, changes it by {prose.amount(p[1] - p[0], 'mm', '+')} mm: the statistics of its layers then fit the images. "
        f"The losses on them change it by another {prose.amount(p[2] - p[1], 'mm', '+')} mm. "
        f"The 2D error is {q[0]:.2f} % of the crop's side with the renders alone, {q[1]:.2f} % with batch normalisation that sees the images, {q[2]:.2f} % with the whole method."
    )  # fmt: skip

# %% [markdown]
# ## Table 1: what each method is given
#
# The paper's first table has no numbers but marks: which labels and which further data each method takes. The marks of the other methods are the paper's. The rows
# below them are ours, and nobody typed them: they are computed from the configuration of the very runs that the next tables show. The last columns come from
# the records, the numbers of images and of renders whose labels a run has really used.

# %% tags=["hide-input"]
TABLE_1 = PAPER.marks["kks-T1"]
GENERATED = {v: tuple(method.supervision(method.VARIANTS[v]).values())
             for v in ("unsup", "weak", "semi", "sup", "prior-0", "jakab", "as-printed", "as-printed-weak", "as-printed-semi")}  # fmt: skip
USED = {"renders": "labelled renders", "labelled_2d": "images, 2D labels", "labelled_3d": "images, 3D labels"}


def marked(label, marks, *more):
    """A row of the table; a mark is told in a word too, for those who cannot see it."""
    return [label, *["✓ yes" if mark else "– no" for mark in marks], *more]


rows = [marked(label, marks, *[""] * len(USED)) for label, marks in TABLE_1.rows.items()]
for variant, marks in GENERATED.items():
    counts = [part(variant, name) for name in USED]
    rows.append(marked(f"ours: {variant}", marks, *[f"{values.mean():,.0f}" if have(values) else "–" for values in counts]))
caption = f"kks-T1. {TABLE_1.title}. {TABLE_1.note} Rows named ours are generated from the code; 3D labels of a method's own images give its 2D labels too."
display(HTML(prose.small_table(caption, ["Method", *TABLE_1.columns, *USED.values()], rows)))

# %% tags=["remove-input"]
same = GENERATED["unsup"] == TABLE_1.rows["Ours (unsup.)"]
say(f"The row `unsup` as generated is {'the same as' if same else '**not** the same as'} the paper's last row.",
    "The 20 labelled renders stand in no column of the paper's table. They are few, but they are pairs of a picture and a 3D pose.")  # fmt: skip

# %% [markdown]
# ## Table 2: the studio, P-MPJPE
#
# In every table the columns in italics are the paper's own numbers. The small figures after a number of ours are links, one for each seed,
# to the record of the run. Rows marked *not in the paper* are ours; the mean pose, the mean shape and the flat
# lift learn nothing and show what a number is worth. Three more rows are controls: `prior-only` trains on the 20 labelled renders alone for as many minutes as
# the whole method has, in which it learns them by heart; `prior-early` stops where the staged recipe goes on to images; and in `bn-control` the images without labels also pass through the encoder, where nothing but its batch normalisation takes notice of them. What the method
# is worth is what it has beyond the best of these three. The rows of *the recipe as printed* follow the paper to the letter where it says how; *ours* are trained in stages, as [the method page](method)
# explains. The tables scroll sideways.

# %% tags=["remove-input"]
display(HTML(report.to_html(report.table(PAPER, "kks-T2", SOURCES, by_action=False), link)))

# %% tags=["remove-input"]
frames = [found[0]["configuration"].get("profile", {}).get("test_frames") for v, found in MADE[MAIN].items() if v == "unsup"]
if frames:
    say(f"The rows of this chapter are evaluated, in {MAIN.label}, on",
        f"at most {frames[0]:,} test frames, spaced evenly." if frames[0] else "every test frame.")  # fmt: skip
findings(
    difference("unsup", "prior-only", "p_mpjpe"),
    difference("unsup", "prior-early", "p_mpjpe"),
    difference("unsup", "bn-control", "p_mpjpe"),
    difference("unsup", "mean-shape", "p_mpjpe"),
    difference("weak", "unsup", "p_mpjpe", reported=(63.8, 89.4)),
    difference("semi", "weak", "p_mpjpe", reported=(56.1, 63.8)),
    difference("sup", "unsup", "p_mpjpe"),
    difference("as-printed", "unsup", "p_mpjpe"),
    difference("as-printed-weak", "weak", "p_mpjpe"),
    difference("as-printed-semi", "semi", "p_mpjpe"),
)

# %% [markdown]
# **By action.** The paper's 15 actions are those of Human3.6M. Generated motion (collection mannequin) has the same names; recorded motion (collection mocap) has its own
# actions and none of sitting, so that its runs have a table of their own.

# %% tags=["hide-input"]
def shown_actions(source):
    """In how many of the paper's actions the runs of a source have a number."""
    made = report.table(PAPER, "kks-T2", [source], by_action=True)
    return sum(any(cells) for cells in zip(*[line.measured[0] for line in made.rows], strict=True))


fullest = max((*REFERENCES, OWN), key=shown_actions)
html = report.to_html(report.table(PAPER, "kks-T2", [fullest] if shown_actions(fullest) else [], by_action=True), link)
display(HTML(f"<details><summary>Table 2 by action, as printed and in {fullest.label}</summary>{html}</details>"))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Horizontal bars: P-MPJPE of each action for the unsupervised, weakly and semi-supervised model and the mean shape."}, "figure": {"caption": "P-MPJPE of each action of the test subjects, mean over seeds.", "name": "fig-kks-results-actions"}}
COMPARED = [v for v in ("unsup", "weak", "semi", "prior-only", "mean-shape") if RUNS[MAIN].get(v)]
ACTIONS = {variant: prose.by_action(RUNS[MAIN], variant, "p_mpjpe") for variant in COMPARED}
if not absent("unsup"):
    means = {v: {action: values.mean() for action, values in found.items()} for v, found in ACTIONS.items() if v != "prior-only"}
    plots.error_per_action(means, "P-MPJPE (mm)")
    plt.show()

# %% tags=["hide-input"]
if len(ACTIONS.get("unsup", ())):
    rows = [[action, *[told(ACTIONS[v].get(action, np.array([]))) for v in COMPARED]] for action in ACTIONS["unsup"]]
    caption = f"P-MPJPE in mm by action, {MAIN.label}, profile {MAIN.profile}, mean ± deviation over seeds."
    display(HTML(prose.small_table(caption, ["action", *COMPARED], rows, folded=True)))
    ranked = sorted(ACTIONS["unsup"], key=lambda action: ACTIONS["unsup"][action].mean())
    seated = [action for action in ranked if action.startswith("Sitting")]
    say(f"The lowest error of `unsup` is in *{ranked[0]}*, the highest in *{ranked[-1]}*.",
        "Of the two actions that are the paper's worst, " + " and ".join(
            f"*{action}* is number {len(ranked) - ranked.index(action)} of {len(ranked)} from the top" for action in seated) + "."
        if seated else "This collection has no sitting actions, which are the paper's worst.")  # fmt: skip

# %% [markdown]
# ## Table 3: another capture
#
# Role `outdoor` stands for MPI-INF-3DHP: other people, other cameras, other backgrounds. Rows with -3DHP never saw a picture of it; rows with +3DHP are finetuned on its training
# images, without labels, with their 2D poses, or with the 3D poses of 5 % of them. PCK is the share of joints within 150 mm of the truth, AUC its mean over thresholds from 0 to 150 mm. The
# columns without a mark are root-centred, at one size for all frames; those that say *aligned* are after scaling and rigid alignment of each frame.

# %% tags=["remove-input"]
display(HTML(report.to_html(report.table(PAPER, "kks-T3", SOURCES), link)))

# %% tags=["remove-input"]
findings(
    *[difference(a, b, metric, "outdoor", pair)
      for a, b, printed in (("unsup-out", "unsup", ((79.2, 76.5), (43.4, 39.8), (99.2, 115.3))),
                            ("weak-out", "unsup-out", ((80.2, 79.2), (44.8, 43.4), (97.1, 99.2))),
                            ("semi-out", "weak-out", ((81.9, 80.2), (52.6, 44.8), (89.8, 97.1))))
      for metric, pair in zip(("pck", "auc", "mpjpe"), printed, strict=True)],
    difference("unsup", "prior-only", "pck", "outdoor"),
    difference("unsup", "mean-shape", "pck_aligned", "outdoor"),
    difference("as-printed", "unsup", "pck", "outdoor"),
)  # fmt: skip

# %% [markdown]
# ## Table 4: what each part adds
#
# The paper takes three things away: the forward kinematics $T_{fk}$ (a dense network goes from the pose code to the joints in its place), the spatial maps $T_m$ (a network goes from the 2D points to
# feature maps), and the clips with moving background, D_unp. Each of the four rows is run twice, with our recipe and with the one as printed, so that a reader can see whether a
# finding belongs to the idea or to the recipe. The rows below take our recipe apart, one change at a time.

# %% tags=["remove-input"]
display(HTML(report.to_html(report.table(PAPER, "kks-T4", SOURCES), link)))

# %% tags=["remove-input"]
for source in SOURCES:
    found = prose.order(report.table(PAPER, "kks-T4", [source]))
    say(f"In {source.label}, profile {source.profile}, over the paper's four rows:\n\n" + "\n".join(f"- {line}" for line in found) if found else None)
findings(
    difference("dp", "no-fk", "p_mpjpe", reported=(91.1, 134.8)),
    difference("as-printed-dp", "as-printed-no-fk", "p_mpjpe", reported=(91.1, 134.8)),
    difference("dp", "no-tm", "p_mpjpe", reported=(91.1, 101.8)),
    difference("as-printed-dp", "as-printed-no-tm", "p_mpjpe", reported=(91.1, 101.8)),
    difference("unsup", "dp", "p_mpjpe", reported=(89.4, 91.1)),
    difference("as-printed", "as-printed-dp", "p_mpjpe", reported=(89.4, 91.1)),
    *[difference(a, b, "pck", "outdoor", pair)
      for a, b, pair in (("dp", "no-fk", (66.3, 47.9)), ("dp", "no-tm", (66.3, 61.7)), ("unsup", "dp", (71.2, 66.3)))],
    difference("constant-camera", "unsup", "p_mpjpe"),
    difference("novel", "unsup", "p_mpjpe"),
    difference("no-silhouette", "unsup", "p_mpjpe"),
    difference("gram-schmidt", "unsup", "p_mpjpe"),
    difference("hm", "dp", "p_mpjpe"),
)  # fmt: skip
PRINTED = [v for v in ("as-printed", "as-printed-dp", "as-printed-no-fk", "as-printed-no-tm") if have(numbers(v, "p_mpjpe"))]
if PRINTED and have(numbers("mean-pose", "p_mpjpe"), numbers("prior-only", "p_mpjpe")):
    below = [[v for v in PRINTED if numbers(v, "p_mpjpe").mean() < numbers(floor, "p_mpjpe").mean()] for floor in ("mean-pose", "prior-only")]
    say(f"Of the {len(PRINTED)} rows with the recipe as printed, {len(below[0])} are on average below the mean pose and {len(below[1])} below the renders alone.",
        "An ablation of a model that has learned less than the renders teach says little about its parts." if not below[1] else None)  # fmt: skip

# %% [markdown]
# ## Where the gain comes from
#
# P-MPJPE hides much: it turns and scales each prediction onto its truth. This table shows what else is known of a run. *2D*: mean distance of predicted and true joints in the picture, in percent
# of the crop's side; *swap-tolerant*: the better of the two labellings of left and right. *Mirrored*: test frames whose prediction is nearer to the truth with its depth negated. *Implausible*: frames
# with a knee bent forwards, a knee or an elbow folded flat, or with sides that differ by more than 20 % in length. *Diversity*: mean distance between predicted poses over that between the true ones; a model that gives one pose for all has 0.
# *Off*: predicted 2D points that do not lie on the person. *Figure*: overlap of the person that the decoder draws with the true one.

# %% tags=["hide-input"]
PARTS = {  # heading -> (diagnostic, factor, digits)
    "P-MPJPE": ("p_mpjpe_frames", 1, 1), "2D %": ("error_2d", 1, 2), "swap-tolerant": ("error_2d_swap", 1, 2),
    "mirrored %": ("mirrored_share", 100, 0), "implausible %": ("implausible_share", 100, 0), "diversity": ("pose_diversity", 1, 2),
    "off %": ("off_person_share", 100, 0), "figure %": ("figure_ground_iou", 100, 0),
}  # fmt: skip
TRAINED = [v for v in (*PAPER.grid, *PAPER.grid_extra) if v not in PAPER.deterministic]


def parts(variants, role="studio"):
    """Rows of the table: a variant and its parts; "–" where a run has no such part."""
    prefix = "" if role == "studio" else f"{role}_"
    for variant in variants:
        if RUNS[MAIN].get(variant):
            found = [factor * part(variant, prefix + name) for name, factor, _ in PARTS.values()]
            yield [variant, *[told(v, d) if have(v) else "–" for v, (*_, d) in zip(found, PARTS.values(), strict=True)]]


for role in ROLES:
    rows = list(parts(TRAINED, role))
    if rows:
        caption = f"Beyond the tables, role {role}, {MAIN.label}, profile {MAIN.profile}. P-MPJPE in mm as the mean over frames, mean ± deviation over seeds."
        display(HTML(prose.small_table(caption, ["variant", *PARTS], rows, folded=role != "studio")))
    elif role == "studio":
        absent("unsup")

# %% tags=["hide-input"]
if have(part("unsup", "error_2d"), part("unsup", "error_2d_floor")):
    say(f"**2D.** The mean 2D pose of the renders, whatever the image, is off by {told(part('unsup', 'error_2d_floor'), 2)} % of the crop's side, `unsup` by {told(part('unsup', 'error_2d'), 2)} %.",
        f"The better of the two labellings would leave {told(part('unsup', 'error_2d_swap'), 2)} %: the labelled renders say which side is left."
        if have(part("unsup", "error_2d_swap")) else None)  # fmt: skip
if have(part("unsup", "ratio_deviation")):
    say(f"**Bone lengths.** With forward kinematics the ratios of the bone lengths are those of the fixed vector in every frame (largest relative deviation {told(part('unsup', 'ratio_deviation'), 6)}).",
        f"Without them it is {told(part('no-fk', 'ratio_deviation'), 2)}, and left and right limbs differ by {told(part('no-fk', 'limb_asymmetry'), 3)} in the log of their lengths."
        if have(part("no-fk", "ratio_deviation"), part("no-fk", "limb_asymmetry")) else None)  # fmt: skip
if have(part("dp", "view_spread"), part("no-fk", "view_spread")):
    say(f"**One pose, several cameras.** The canonical poses that the cameras of one instant give are spread by {told(part('dp', 'view_spread'))} mm, without forward kinematics by {told(part('no-fk', 'view_spread'))} mm.")
if have(part("dp", "probe_subject"), part("dp", "probe_subject_chance"), part("dp", "probe_pose"), part("dp", "probe_pose_floor")):
    say(f"**What the codes hold.** A linear probe reads the subject from the pose code in {told(100 * part('dp', 'probe_subject'), 0)} % of the frames, where naming the most frequent one is right in {told(100 * part('dp', 'probe_subject_chance'), 0)} %;",
        f"the pose read from the appearance code is off by {told(part('dp', 'probe_pose'))} mm, without the code by {told(part('dp', 'probe_pose_floor'))} mm.")  # fmt: skip
if have(part("unsup", "p_mpjpe_mapped"), part("unsup", "p_mpjpe_frames")):
    say(f"**A map on top.** A linear map of the predicted poses, fitted with labels, changes the P-MPJPE from {told(part('unsup', 'p_mpjpe_frames'))} to {told(part('unsup', 'p_mpjpe_mapped'))} mm.")

# %% [markdown]
# ## Learning curves, and what would show a collapse
#
# Losses first, one panel each. A loss that falls need not mean that a pose is learned: an encoder that gives one pose for every picture
# makes the energy loss zero. So four quantities are watched beside the losses. *pose_spread* is the deviation of the predicted joints over a batch, zero for a constant encoder;
# *appearance_spread* the same of the appearance code. *map_gradient* is the mean gradient that the redrawn picture sends to the 2D points; it vanishes where a limb lies so far from the truth
# that its heat map no longer touches it. *leak* says whose colours a person wears that is drawn with one picture's pose and another's appearance: 0 those of the appearance, 1 those
# of the pose's own picture, which would mean that colours pass through the pose.

# %% tags=["hide-input"]
def curves(variants, names):
    """Learning curves of the first seeds, or a word on what is missing."""
    chosen = [RUNS[MAIN][v][0] for v in variants if RUNS[MAIN].get(v)]
    drawn = [name for name in names if any(name in record["curves"] for record in chosen)]
    if drawn:
        plots.learning_curves(chosen, drawn)
        plt.show()
    else:
        absent(*variants)


# %% tags=["hide-input"] mystnb={"image": {"alt": "Learning curves, one panel for each loss: the unsupervised model, the one on still clips alone, the weakly supervised one and the control, one line for each."}, "figure": {"caption": "Losses over training with our recipe, one seed each. A row without a loss has no curve in its panel, and a stage without it leaves a gap.", "name": "fig-kks-results-curves"}}
LOSSES = ("prior_3d", "prior_camera", "prior_2d", "reconstruction", "cycle_2d", "cycle_appearance", "energy_2d",
          "energy_appearance", "redraw", "novel", "label_2d", "label_3d")  # fmt: skip
curves(("unsup", "dp", "weak", "prior-only"), LOSSES)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Learning curves of the recipe as printed and of three sums of its losses, one panel for each loss."}, "figure": {"caption": "The same for the paper's recipe as printed and for its losses in one sum.", "name": "fig-kks-results-printed"}}
curves(("as-printed", "printed-sum", "printed-sum-3", "printed-sum-03"), LOSSES)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four panels over training: pose_spread, appearance_spread, map_gradient and leak, for the unsupervised model, the one whose decoder is not frozen, the one without renders and the recipe as printed."}, "figure": {"caption": "The monitored quantities. A pose_spread that falls to zero is a collapse of the encoder, a map_gradient that does one of the maps.", "name": "fig-kks-results-monitors"}}
MONITORS = ("pose_spread", "appearance_spread", "map_gradient", "leak")
curves(("unsup", "unfrozen", "prior-0", "as-printed"), MONITORS)


# %% tags=["hide-input"]
def course(variant, name):
    """First and last value of a curve, or None."""
    values = [v for v in (RUNS[MAIN].get(variant) or [{"curves": {}}])[0]["curves"].get(name, ()) if v is not None]
    return (values[0], values[-1]) if values else None


rows = []
for variant in TRAINED:
    ends = [course(variant, name) for name in MONITORS]
    if any(ends):
        rows.append([variant, *[f"{prose.amount(e[0], '')} → {prose.amount(e[1], '')}" if e else "–" for e in ends]])
if rows:
    caption = f"The monitored quantities, first → last value, first seed, {MAIN.label}, profile {MAIN.profile}."
    display(HTML(prose.small_table(caption, ["variant", *MONITORS], rows, folded=True)))
diversity = {v: part(v, "pose_diversity").mean() for v in TRAINED if have(part(v, "pose_diversity"))}
if diversity:
    low = sorted((v for v in diversity if diversity[v] < 0.25), key=diversity.get)
    most, least = max(diversity, key=diversity.get), min(diversity, key=diversity.get)
    say("**Collapses.** On test frames the predicted poses differ from each other, as a share of how much the true ones do, by between",
        f"{100 * diversity[least]:.0f} % (`{least}`) and {100 * diversity[most]:.0f} % (`{most}`).",
        f"Below a quarter, which we call a collapse, are {', '.join(f'`{v}`' for v in low)}." if low else f"None of the {len(diversity)} rows is below a quarter, which we would call a collapse.")  # fmt: skip

# %% [markdown]
# ## Which twenty renders
#
# The paper takes 20 rendered people with known poses and says no more of them than that they are diverse. Two questions follow. How many are needed? And which? Ours are chosen from the poses of role
# `motion`, people who appear nowhere else, as *medoids* (the middle poses of as many clusters, typical ones); the runs compared take those *farthest* from each other (extreme ones, diverse to the letter), or the 20 poses of role `bodies`, whose
# joints are those of a generated person. Every render is drawn with the bone ratios that the model is given.

# %% tags=["hide-input"] mystnb={"image": {"alt": "P-MPJPE over the number of labelled renders, 0, 5, 20 and 100, with a band over seeds, and horizontal lines for other choices of twenty and for the mean pose."}, "figure": {"caption": "P-MPJPE over the number of labelled renders. The band runs from the lowest to the highest seed; dashed lines are other choices of twenty, and the mean pose.", "name": "fig-kks-results-renders"}}
NUMBER = {"prior-0": 0, "prior-5": 5, "unsup": 20, "prior-100": 100}
known = {v: count for v, count in NUMBER.items() if have(numbers(v, "p_mpjpe"))}
if len(known) > 1:
    columns = [numbers(v, "p_mpjpe") for v in known]
    common = min(map(len, columns))
    lines = {"20 of role bodies": "bodies", "20, farthest": "farthest", "mean pose": "mean-pose"}
    figure = plots.sweep(range(len(known)), {"whole method": np.array([c[:common] for c in columns]).T}, xlabel="labelled renders", ylabel="P-MPJPE (mm)",
                         references={name: numbers(v, "p_mpjpe").mean() for name, v in lines.items() if have(numbers(v, "p_mpjpe"))})  # fmt: skip
    figure.axes[0].set_xticks(range(len(known)), list(map(str, known.values())))
    plt.show()
else:
    absent(*NUMBER)

# %% tags=["hide-input"]
chosen = {"unsup": "20 medoids", "bodies": "20 of role bodies", "farthest": "20 farthest", "prior-0": "none", "prior-5": "5", "prior-100": "100", "prior-only": "20, renders alone", "prior-early": "20, renders alone, first steps"}
rows = [[name, told(numbers(v, "p_mpjpe")), told(numbers(v, "p_mpjpe", "outdoor")), told(part(v, "error_2d"), 2), told(part(v, "error_2d_floor"), 2)] for v, name in chosen.items() if have(numbers(v, "p_mpjpe"))]
if rows:
    caption = f"The choice of the renders, {MAIN.label}, profile {MAIN.profile}: P-MPJPE in mm in the studio and outdoors, 2D error in percent of the crop's side, and that of the renders' mean 2D pose."
    display(HTML(prose.small_table(caption, ["renders", "studio", "outdoor", "2D %", "mean 2D pose %"], rows)))
means = {name: numbers(v, "p_mpjpe").mean() for v, name in chosen.items() if v in ("unsup", "bodies", "farthest") and have(numbers(v, "p_mpjpe"))}
gain = [numbers(v, "p_mpjpe") for v in ("prior-early", "unsup")]
if len(means) > 1 and have(*gain):
    best, worst = min(means, key=means.get), max(means, key=means.get)
    spread, gain = means[worst] - means[best], gain[0].mean() - gain[1].mean()
    say(f"Of the choices of twenty, *{best}* are best ({means[best]:.1f} mm) and *{worst}* worst ({means[worst]:.1f} mm), {spread:.1f} mm apart; all losses on images without labels together are worth {prose.amount(gain, 'mm')} mm.",
        "**Which poses are rendered matters more than all that the method learns from images.**" if spread > gain else None)  # fmt: skip

# %% [markdown]
# ## Figure 3: pose, appearance and background exchanged
#
# The method is trained to draw people, and that shows what it keeps apart. Two pictures give the pose (P1, P2), two the appearance (A1, A2), three the background (B1 to B3); every combination is drawn. A model that has separated the three shows the same
# clothes along a row, whichever the background, and the same pose for P1 or P2, whoever wears it. The frames are drawn once with a fixed seed, and nobody looked at them first.

# %% tags=["hide-input"]
BLANK = np.array([252, 252, 250], dtype=np.uint8)  # the colour of the card


def swaps(variant, role):
    """The paper's Figure 3 for a role: the sources on top and at the left, all that is drawn of them."""
    _, e = group(variant, f"{role}/swap/")
    if not e:
        no_pictures(variant)
        return
    size, joints = e["drawn"].shape[-2], e["points"].shape[1]
    none = np.full((joints, 2), np.nan)  # no skeleton over this picture
    blank = np.broadcast_to(BLANK, (size, size, 3))
    cells = [(blank, none, ""), (blank, none, ""), *[(b, none, f"B{k + 1}") for k, b in enumerate(e["background"])]]
    for i, pose in enumerate(e["pose"]):
        for j, appearance in enumerate(e["appearance"]):
            cells += [(pose, e["points"][i], f"P{i + 1}"), (appearance, none, f"A{j + 1}")]
            cells += [(drawn, none, "") for drawn in e["drawn"][i, j]]
    pictures, points, titles = zip(*cells, strict=True)
    plots_images.picture_grid(pictures, skeleton=HUMAN36M_17, points=points, titles=titles, columns=2 + len(e["background"]))
    plt.show()


# %% tags=["hide-input"] mystnb={"image": {"alt": "A grid of pictures of the studio role. The top row has three backgrounds; each further row has a pose picture with the predicted skeleton, an appearance picture and the person drawn on the three backgrounds."}, "figure": {"caption": "The paper's Figure 3, left: studio. Columns: the picture that gives the pose with the skeleton found in it, the one that gives the appearance, and what is drawn of both on three backgrounds.", "name": "fig-kks-results-swap-studio"}}
swaps("unsup", "studio")

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same grid for the role wild, whose backgrounds move."}, "figure": {"caption": "The paper's Figure 3, right: clips of role wild with moving background.", "name": "fig-kks-results-swap-wild"}}
swaps("unsup", "wild")

# %% tags=["hide-input"]
for role, prefix in (("studio", ""), ("wild", "wild_")):
    change = {name: part("unsup", f"{prefix}swap_{name}") for name in ("none", "appearance", "background", "pose")}
    if have(*change.values()):
        say(
            f"**{role.capitalize()}, in a number.** The pose is read again from each drawn picture. Redrawn as it is, the 2D joints move by {told(change['none'], 2)} % of the crop's side; with another appearance "
            f"by {told(change['appearance'], 2)} %, on another background by {told(change['background'], 2)} %. Two frames' poses differ by {told(change['pose'], 2)} %."
        )  # fmt: skip
seen = {v: part(v, "wild_figure_ground_iou") for v in ("unsup", "dp")}
if have(*seen.values()):
    floor = part("unsup", "wild_figure_ground_floor")
    say(f"**Figure and ground.** On role wild the drawn person and the true one overlap by {told(100 * seen['unsup'], 0)} % (intersection over union), by {told(100 * seen['dp'], 0)} % when clips with moving background were left out",
        f"and by {told(100 * floor, 0)} % for a box in the middle of the picture." if have(floor) else "of training.")  # fmt: skip

# %% [markdown]
# **Redrawn as they are.** Six test frames, the person the decoder makes of each and what it was given. The mask is the decoder's own: nobody ever showed it where a person ends.

# %% tags=["hide-input"]
def redrawn(variant, role):
    """Frames, their backgrounds, the decoder's masks and what it draws."""
    _, e = group(variant, f"{role}/redrawn/")
    if not e:
        no_pictures(variant)
        return
    count = len(e["picture"])
    kinds = [name for name in ("picture", "background", "mask", "drawn") if name in e]
    shown = [value / 255 if name == "mask" and np.max(value) > 1 else value for name in kinds for value in e[name]]
    titles = [name if i == 0 else "" for name in kinds for i in range(count)]
    plots_images.picture_grid([np.squeeze(picture) for picture in shown], titles=titles, columns=count)
    plt.show()


# %% tags=["hide-input"] mystnb={"image": {"alt": "Four rows of six pictures of the studio role: the test frame, its background, the mask of the decoder, and the frame as it is drawn."}, "figure": {"caption": "Redrawn test frames of the studio.", "name": "fig-kks-results-redrawn-studio"}}
redrawn("unsup", "studio")

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same four rows for the role wild."}, "figure": {"caption": "Redrawn test frames of role wild.", "name": "fig-kks-results-redrawn-wild"}}
redrawn("unsup", "wild")

# %% tags=["hide-input"]
if have(part("unsup", "reconstruction"), part("unsup", "reconstruction_floor")):
    say(f"In the studio the redrawn pictures are off by {told(part('unsup', 'reconstruction'), 2)} of 255 grey levels a pixel, the empty background alone by {told(part('unsup', 'reconstruction_floor'), 2)}.")
leaks = course("unsup", "leak")
if leaks:
    say(f"Drawn with another picture's appearance, a person's colours are, on a scale from 0 (those of the appearance) to 1 (those of the picture that gave the pose), at {leaks[1]:.2f} at the end of training.")

# %% [markdown]
# ## Figure 4: four roles
#
# The weakly supervised model, as in the paper, on frames drawn once with a fixed seed, the same for every run. From the left: the input, the projected skeleton over it, the 3D prediction (red) over the truth (green) after alignment as the camera
# sees them, and the prediction alone from two other directions. Over the picture left limbs are blue and right limbs orange. The number is the P-MPJPE. Role `sport` was never trained on, not even without labels.


# %% tags=["hide-input"]
def pictured(found):
    """Rows of the paper's Figure 4."""
    plots_images.prediction_grid(found["image"], HUMAN36M_17, points=found["points"], poses=np.array(found["aligned"]), truth=np.array(found["truth"]),
                                 views=(0, 45, 90), titles=found["titles"])  # fmt: skip
    plt.show()


SHOWN = {role: examples("weak", role) for role in ROLES}
FAILURES = {role: examples("weak", role, "failures") for role in ROLES}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five rows of the studio role: the picture, the predicted skeleton over it, the aligned 3D prediction in red over the truth in green, and the prediction from two other directions."}, "figure": {"caption": "The paper's Figure 4A: studio, the first five of the random test frames.", "name": "fig-kks-results-studio"}}
if SHOWN["studio"]:
    pictured(first(SHOWN["studio"], 5))
else:
    no_pictures("weak")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five rows of the outdoor role in the same layout."}, "figure": {"caption": "The paper's Figure 4B: outdoor, never trained on.", "name": "fig-kks-results-outdoor"}}
if SHOWN["outdoor"]:
    pictured(first(SHOWN["outdoor"], 5))
else:
    no_pictures("weak")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five rows of the sport role in the same layout."}, "figure": {"caption": "The paper's Figure 4C: sport, never trained on.", "name": "fig-kks-results-sport"}}
if SHOWN["sport"]:
    pictured(first(SHOWN["sport"], 5))
else:
    no_pictures("weak")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five rows of the role wild in the same layout."}, "figure": {"caption": "The paper's Figure 4D: wild, trained on without labels.", "name": "fig-kks-results-wild"}}
if SHOWN["wild"]:
    pictured(first(SHOWN["wild"], 5))
else:
    no_pictures("weak")

# %% tags=["hide-input"] mystnb={"image": {"alt": "A sheet of all random test frames of the studio role, each with the predicted 2D skeleton in red over the true one in green."}, "figure": {"caption": "All random test frames of the studio, in 2D: predicted (red) over true (green).", "name": "fig-kks-results-sheet"}}
if SHOWN["studio"]:
    plots_images.picture_grid(SHOWN["studio"]["image"], skeleton=HUMAN36M_17, points=SHOWN["studio"]["points"], truth=SHOWN["studio"]["truth_2d"], columns=6)
    plt.show()

# %% [markdown]
# **Failures.** Found, not picked: random frames among the 5 % of largest error of each role.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Eight rows, two failures of each role, in the same layout."}, "figure": {"caption": "Failures, two of each role.", "name": "fig-kks-results-failures"}}
worst = joined(FAILURES, 2)
if worst:
    pictured(worst)
else:
    no_pictures("weak")

# %% [markdown]
# Three random frames of each role to turn, and three failures of each, the prediction aligned with its truth; the slider chooses the frame.

# %% tags=["hide-input"]
few = joined(SHOWN, 3)
if few:
    display(plots3d.show(
        plots_images.choose_3d(few["image"], few["aligned"], few["truth"], HUMAN36M_17, few["titles"]),
        "fig-kks-results-turn",
        "Interactive 3D figure: the predicted skeleton, aligned, over the true one for random test frames of four roles, with the image in a corner and a slider to choose the frame.",
        f"{len(few['error'])} random test frames of {len([r for r in ROLES if SHOWN[r]])} roles, predictions aligned with the truth. Drag to turn; the slider chooses the frame.",
        height=520,
    ))  # fmt: skip
else:
    no_pictures("weak")

# %% tags=["hide-input"]
few = joined(FAILURES, 3)
if few:
    display(plots3d.show(
        plots_images.choose_3d(few["image"], few["aligned"], few["truth"], HUMAN36M_17, few["titles"]),
        "fig-kks-results-failures-turn",
        "Interactive 3D figure: failures of four roles, the aligned prediction over the truth, with the image in a corner and a slider to choose the frame.",
        "Failures of each role to turn. The slider chooses the frame.",
        height=520,
    ))  # fmt: skip

# %% tags=["hide-input"]
rows = []
for role in ROLES:
    found = [numbers(v, "p_mpjpe", role) for v in ("weak", "unsup", "prior-early", "sup", "mean-pose", "mean-shape", "flat-lift")]
    if have(found[0]):
        prefix = "" if role == "studio" else f"{role}_"
        rows.append([role, *map(told, found), told(part("weak", prefix + "error_2d"), 2), told(part("weak", prefix + "error_2d_floor"), 2)])
if rows:
    caption = f"P-MPJPE in mm by role, and the 2D error of weak beside that of the renders' mean 2D pose, in percent of the crop's side, {MAIN.label}, profile {MAIN.profile}."
    display(HTML(prose.small_table(caption, ["role", "weak", "unsup", "prior-early", "sup", "mean pose", "mean shape", "flat lift", "2D %", "mean 2D pose %"], rows)))
for role, prefix in (("studio", ""), ("outdoor", "outdoor_")):
    hidden, clear = part("weak", prefix + "p_mpjpe_occluded"), part("weak", prefix + "p_mpjpe_clear")
    if have(hidden, clear):
        say(f"**Self-occlusion, {role}.** Where the body hides at least a fifth of its joints the P-MPJPE of `weak` is {told(hidden)} mm, where it hides none {told(clear)} mm.")

# %% [markdown]
# ## Said of the data
#
# Two numbers that the paper gives of its videos are properties of ours by choice, and shown for completeness: how much of the wild video has a still background, and how much of a frame a person covers. What is
# of interest is whether the pixel statistics that sort the clips find out which of them are still.

# %% tags=["hide-input"]
if have(part("unsup", "static_share"), part("unsup", "static_accuracy")):
    say(f"Of the training clips of role wild {told(100 * part('unsup', 'static_share'), 0)} % are called still (the paper: about 40 %), and {told(100 * part('unsup', 'static_accuracy'), 0)} % of all are called right.")
if have(part("unsup", "person_share"), part("unsup", "person_share_studio")):
    say(f"A person covers {told(100 * part('unsup', 'person_share'))} % of the frame in role wild and {told(100 * part('unsup', 'person_share_studio'))} % in the studio (the paper: 10 to 20 %).")
if not part("unsup", "static_share").size:
    absent("unsup")

# %% [markdown]
# ## Cost

# %% tags=["hide-input"]
rows = []
for variant, found in MADE[MAIN].items():
    origin = [record["provenance"] for record in found]
    size, step = part(variant, "parameters"), 1000 * part(variant, "step_seconds")
    if len(size) and size[0]:
        wall, memory = (np.mean([o[key] for o in origin]) for key in ("wall_seconds", "peak_memory_mib"))
        rows.append([variant, f"{size[0]:,.0f}", told(step), f"{wall:.0f}", f"{memory:.0f}", len(found)])
if rows:
    caption = f"Cost of a run in {MAIN.label}, profile {MAIN.profile}. Several runs may have shared the machine."
    head = ["variant", "parameters", "ms a step", "wall time (s)", "peak memory (MiB)", "runs"]
    display(HTML(prose.small_table(caption, head, rows, folded=True)))
else:
    say("*There are no records yet.*")

# %% [markdown]
# ## The claims
#
# All claims of the paper, one verdict for each source. Open a verdict to see the runs, the observed and the reported difference, and
# links to the records. Claims are decided with our recipe; only the last, kks-40, is about the recipe as printed, whose rows stand in Tables 2 to 4 beside ours.


# %% tags=["hide-input"]
def claims(first, last):
    """The verdicts of claims kks-first to kks-last, a column for each source."""
    chosen = [[v for v in VERDICTS[s] if first <= int(v.claim.id[-2:]) <= last] for s in SOURCES]
    display(HTML(report.verdicts_html(*chosen, link=link)))


# %% [markdown]
# ### In the studio (Table 2)

# %% tags=["remove-input"]
claims(1, 7)

# %% [markdown]
# ### Another capture (Table 3)

# %% tags=["remove-input"]
claims(8, 13)

# %% [markdown]
# ### The parts (Table 4)

# %% tags=["remove-input"]
claims(14, 22)

# %% [markdown]
# ### Said in the text, and shown in Figures 3 and 4

# %% tags=["remove-input"]
claims(23, len(PAPER.claims))

# %% [markdown]
# ## What did not reproduce
#
# Every claim that our main source of runs contradicts or leaves open, with the checks that do
# not hold. Differences are left minus right, with the 95 % interval over seeds in brackets.

# %% tags=["hide-input"]
open_claims = [v for v in VERDICTS.get(MAIN, ()) if v.outcome in ("not reproduced", "undecided")]
for outcome in ("not reproduced", "undecided"):
    chosen = [v for v in open_claims if v.outcome == outcome]
    lines = [f"- **{v.claim.id}**, {v.claim.where}. {v.claim.statement} Observed: {prose.observed(v)}." for v in chosen]
    if lines:
        say(f"**{outcome.capitalize()}** in {MAIN.label}, profile {MAIN.profile}, {len(chosen)} claims:\n\n" + "\n".join(lines))
if not open_claims:
    say("There are none." if MADE[MAIN] else "*There are no records yet.*")

# %% [markdown]
# ## What to take away

# %% tags=["hide-input"]
lessons = []
mean = {v: numbers(v, "p_mpjpe").mean() for v in (*PAPER.grid, *PAPER.grid_extra) if have(numbers(v, "p_mpjpe"))}


def worth(*names):
    """Mean P-MPJPE of these variants, or None where one has no record."""
    return [mean[name] for name in names] if all(name in mean for name in names) else None


if found := worth("prior-only", "bn-control", "unsup", "sup"):
    alone, control, whole, ceiling = found
    lessons.append(
        f"**What images without labels are worth.** Twenty labelled renders alone give {alone:.1f} mm, with batch normalisation that sees the images {control:.1f} mm, the whole method {whole:.1f} mm, the same encoder "
        f"with all 3D labels {ceiling:.1f} mm. Beyond the control, the losses on images without labels are worth {prose.amount(control - whole, 'mm', '+')} mm."
    )  # fmt: skip
if found := worth("as-printed", "unsup", "prior-only", "mean-pose"):
    printed, staged, alone, floor = found
    lessons.append(
        f"**The recipe.** As printed, with one AdaGrad for each loss in alternate steps, the method gives {printed:.1f} mm, in stages {staged:.1f} mm, the renders alone {alone:.1f} mm and the mean pose {floor:.1f} mm"
        + ("; as printed it does not pass the mean pose at this budget." if printed > floor else ".")
    )  # fmt: skip
steps = {(a, b): mean[a] - mean[b] for a, b in (("no-fk", "dp"), ("no-tm", "dp"), ("hm", "dp"), ("dp", "unsup"), ("studio", "unsup"), ("unfrozen", "unsup"),
                                                ("adv", "unsup"), ("no-silhouette", "unsup"), ("constant-camera", "unsup")) if worth(a, b)}  # fmt: skip
if len(steps) > 2:
    by_size = sorted(steps.items(), key=lambda item: -item[1])
    lessons.append(
        "**What each part is worth**, in mm of P-MPJPE that the run without it has more: "
        + ", ".join(f"`{b}` over `{a}` {prose.amount(value, 'mm', '+')}" for (a, b), value in by_size) + "."
    )  # fmt: skip
if found := worth("unsup", "farthest"):
    lessons.append(f"**The twenty renders.** Typical poses (medoids) give {found[0]:.1f} mm, extreme ones (farthest) {found[1]:.1f} mm. The paper does not say which it took.")
if have(part("unsup", "implausible_share"), part("no-fk", "implausible_share")):
    share = [100 * part(v, "implausible_share") for v in ("unsup", "no-fk")]
    lessons.append(f"**Plausible by construction?** Bone lengths are; joint angles are not. {told(share[0], 0)} % of the predicted poses are implausible with forward kinematics, {told(share[1], 0)} % without.")
say("\n".join(f"- {lesson}" for lesson in lessons) if lessons else "*There are no records yet.*")

# %% [markdown]
# ## What we changed
#
# - **The data.** Drawn people on generated or recorded motion in place of Human3.6M and MPI-INF-3DHP, drawn clips with still and moving backgrounds in place of the authors' collection from YouTube, single
#   drawn pictures of unusual poses in place of LSP. The 20 rendered SMPL bodies are 20 drawn people in poses of role `motion`, whose people are nobody's in the videos.
# - **Stages.** The rows named ours learn the labelled renders first, then all losses together with one Adam, then one role alone. The rows *as printed* have one AdaGrad for each loss
#   and alternate steps from the first.
# - **The camera.** The paper's translation of the camera is constant. Its crops, as ours, are cut around the person, so that no constant can hit them: ours shifts and scales the projected skeleton so
#   that it fills the crop. `constant-camera` takes this back.
# - **Background and appearance.** Ours puts the drawn person over the background with a mask, and the appearance code is a palette of eight colours of the picture, which cannot hold where anything is. As printed the background joins the decoder
#   late, and the appearance is a map.
# - **Renders and outlines.** In ours the decoder also redraws the labelled renders, whose outlines it knows; half of the renders stand before the videos' estimated backgrounds; and on D_p the decoder's mask is compared with what
#   differs from the background (`no-silhouette` is without). In `novel` the encoder also reads back new poses that the decoder drew from mixed parts of the renders' poses.
# - **Frames.** The paper's frames of Gram-Schmidt turn over where a limb points where the face does; ours are carried along with the limb. `gram-schmidt` takes this back.
# - **Size.** Profile `cpu` has smaller images and networks and a few minutes of training; profiles `gpu` and `paper` have larger ones. Each table says which it shows, and whether the networks start from scratch or from ImageNet.
# - **Averages.** Our tables average over frames within an action and then over actions, as the paper does.
# - **Evaluation.** The size of a prediction, which the method leaves open, is one constant from the training set. PCK and AUC are given root-centred and aligned, P-MPJPE also with the depth of the prediction negated.
#
# Every departure from the text of the paper, with its reason, stands on [the method page](method).
#
# ## Where these numbers come from


# %% tags=["hide-input"]
def told_of(origins, key, cut=60):
    """The values of a field of the provenance, with how many runs have each."""
    counts = Counter(str(origin.get(key, "–"))[:cut] for origin in origins)
    return ", ".join(f"{value}" + f" ({n} runs)" * (len(counts) > 1) for value, n in counts.items())


def provenance(source, origins):
    """Code, data and machine of the runs of a source."""
    files = {role: {o["data_sha256"].get(role, "none")[:12] for o in origins} for role in dict.fromkeys(r for o in origins for r in o["data_sha256"])}
    dates = sorted(origin["date"] for origin in origins)
    rows = [["records", len(origins)], ["commit", told_of(origins, "commit", 12)],
            ["code edited since the commit", f"{sum(o['dirty'] for o in origins)} of {len(origins)} runs"],
            ["code of lib (SHA-256)", told_of(origins, "code_sha256", 12)],
            *[[f"data {role} (SHA-256)", ", ".join(sorted(names))] for role, names in files.items()],
            ["initialisation", told_of(origins, "initialisation")],
            ["torch", told_of(origins, "torch")], ["device", told_of(origins, "device")],
            ["processor", told_of(origins, "cpu")],
            ["threads; precision", f"{told_of(origins, 'threads')}; {told_of(origins, 'precision')}"],
            ["made", f"{dates[0]} to {dates[-1]}"]]  # fmt: skip
    caption = f"{source.label}, profile {source.profile}."
    display(HTML(prose.small_table(caption, ["field", "value"], rows, folded=True)))


for source in SOURCES:
    made = [record["provenance"] for found in MADE[source].values() for record in found]
    if made:
        provenance(source, made)
    else:
        say(f"*{source.label}: no records yet.*")
