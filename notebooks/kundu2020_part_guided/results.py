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
# (page-kundu2020-part-guided-results)=
# # Results: every table and figure
#
# This page sets the five tables and the figures of Kundu et al. {cite:p}`kundu2020part` beside our own runs. It trains nothing; it
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
# **A page of the paper is missing here.** The text that we hold lacks the page with the end of its Section 3.2, where the decoder is described, and the beginning of its Section 3.3, with the first losses. What is said
# of them elsewhere in the paper is used as it stands; the rest is reconstructed, and [the method page](method) marks each piece as found or reconstructed. Wherever this page says *as reconstructed*, it means that:
# the paper's recipe to the letter where we have the letter.
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
from lib import plots, plots3d, plots_images, plots_parts, prose, records, report, run, tables
from lib.claims import OUTCOMES
from lib.papers import kundu2020_part_guided as method
from lib.skeleton import HUMAN36M_17

torch.set_num_threads(1)
ROOT = Path(lib.__file__).resolve().parents[1]
SLUG = "kundu2020_part_guided"
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
              "puppets": "the painted puppets alone for as many minutes", "as-printed": "the paper's recipe as reconstructed",
              "enc-100": "the same encoder with all 3D labels"}  # fmt: skip
if have(numbers("unsup", "p_mpjpe")):
    places = [against("unsup", variant, name) for variant, name in yardsticks.items()]
    say(
        f"In {MAIN.label}, profile {MAIN.profile}, the unsupervised model reaches a P-MPJPE of **{told(numbers('unsup', 'p_mpjpe'))} mm** on test people that it has never seen, "
        "from one image, having learned from video without labels and from 3D poses without pictures. Over all seeds that is "
        + "; ".join(place for place in places if place)
        + "."
    )  # fmt: skip
else:
    absent("unsup")
if have(part("unsup", "f1_parts"), part("unsup", "f1_figure"), part("unsup", "facing_right")):
    say(
        f"It also divides the person into ten parts, with an F1 of {told(part('unsup', 'f1_parts'), 2)} for the parts and {told(part('unsup', 'f1_figure'), 2)} for the figure against the ground, "
        f"and knows whether a person looks towards the camera or away in {told(100 * part('unsup', 'facing_right'), 0)} % of the frames."
    )  # fmt: skip
found = [numbers(v, "p_mpjpe") for v in ("puppets", "unsup")]
if have(*found):
    alone, whole = (values.mean() for values in found)
    say(f"What do the images without labels bring? The painted puppets alone, pictures that we draw ourselves from the unpaired poses and the template, give {alone:.1f} mm in as many minutes; the whole method changes that by {prose.amount(whole - alone, 'mm', '+')} mm.")

# %% [markdown]
# ## Table 1: what each method is given
#
# The paper's first table has no numbers but marks: which labels and which further data each method takes. The marks of the other methods are the paper's. The rows
# below them are ours, and nobody typed them: they are computed from the configuration of the very runs that the next tables show. The last columns come from
# the records: the numbers of unpaired poses and of images whose labels a run has really used.

# %% tags=["hide-input"]
TABLE_1 = PAPER.marks["kpg-T1"]
SHOWN_MARKS = ("unsup", "weak", "mv", "semi", "enc-100", "no-qz", "as-printed", "as-printed-weak")
GENERATED = {v: tuple(method.supervision(method.VARIANTS[v]).values()) for v in SHOWN_MARKS}
USED = {"poses": "unpaired 3D poses", "labelled_2d": "images, 2D labels", "labelled_3d": "images, 3D labels"}


def marked(label, marks, *more):
    """A row of the table; a mark is told in a word too, for those who cannot see it."""
    return [label, *["✓ yes" if mark else "– no" for mark in marks], *more]


rows = [marked(label, marks, *[""] * len(USED)) for label, marks in TABLE_1.rows.items()]
for variant, marks in GENERATED.items():
    counts = [part(variant, name) for name in USED]
    rows.append(marked(f"ours: {variant}", marks, *[f"{values.mean():,.0f}" if have(values) else "–" for values in counts]))
caption = f"kpg-T1. {TABLE_1.title}. {TABLE_1.note} Rows named ours are generated from the code; 3D labels of a method's own images give its 2D labels too."
display(HTML(prose.small_table(caption, ["Method", *TABLE_1.columns, *USED.values()], rows)))

# %% tags=["remove-input"]
same = GENERATED["unsup"] == TABLE_1.rows["Ours"]
say(f"The row `unsup` as generated is {'the same as' if same else '**not** the same as'} the paper's last row.",
    "Two things stand in no column: the template with its parts, drawn once by hand, and the fixed lengths of the limbs.")  # fmt: skip

# %% [markdown]
# ## Table 2: the studio, P-MPJPE
#
# In every table the columns in italics are the paper's own numbers. The small figures after a number of ours are links, one for each seed,
# to the record of the run. Rows marked *not in the paper* are ours; the mean pose, the mean shape and the flat
# lift learn nothing and show what a number is worth. `puppets` is the control: painted puppets alone, for as many minutes as the whole method, so that what `unsup` has beyond it is owed to the images.
# In the rows named ours the encoder sees the salient person alone, over grey, in training and in the tests; where cameras stand still the person is what differs from the estimated background. `background` in Table 3 takes that back.
# The rows of *the recipe as reconstructed* follow the paper where it says how; *ours* are trained in stages, as [the method page](method) explains. The tables scroll sideways.

# %% tags=["remove-input"]
display(HTML(report.to_html(report.table(PAPER, "kpg-T2", SOURCES), link)))

# %% tags=["remove-input"]
frames = [found[0]["configuration"].get("profile", {}).get("test_frames") for v, found in MADE[MAIN].items() if v == "unsup"]
if frames:
    say(f"The rows of this chapter are evaluated, in {MAIN.label}, on",
        f"at most {frames[0]:,} test frames, spaced evenly." if frames[0] else "every test frame.")  # fmt: skip
findings(
    difference("unsup", "puppets", "p_mpjpe"),
    difference("unsup", "mean-shape", "p_mpjpe"),
    difference("mv", "unsup", "p_mpjpe", reported=(85.8, 99.2)),
    difference("weak", "mv", "p_mpjpe", reported=(62.4, 85.8)),
    difference("semi", "weak", "p_mpjpe", reported=(50.8, 62.4)),
    difference("semi", "enc-10", "p_mpjpe"),
    difference("enc-100", "unsup", "p_mpjpe"),
    difference("as-printed", "unsup", "p_mpjpe"),
    difference("as-printed-weak", "weak", "p_mpjpe"),
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Horizontal bars: P-MPJPE of each action for the unsupervised, the multi-view, the weakly and the semi-supervised model and the mean shape."}, "figure": {"caption": "P-MPJPE of each action of the test subjects, mean over seeds.", "name": "fig-kpg-results-actions"}}
COMPARED = [v for v in ("unsup", "mv", "weak", "semi", "mean-shape") if RUNS[MAIN].get(v)]
ACTIONS = {variant: prose.by_action(RUNS[MAIN], variant, "p_mpjpe") for variant in COMPARED}
if not absent("unsup"):
    means = {v: {action: values.mean() for action, values in found.items()} for v, found in ACTIONS.items()}
    plots.error_per_action(means, "P-MPJPE (mm)")
    plt.show()

# %% [markdown]
# ## Table 3: what each part adds
#
# The paper takes three things away: the forward kinematics with the camera ($T_{fk}$ and $T_c$; the 3D joints are read directly, with a loss on bone lengths in their place), the unpaired 3D poses $q_z$, and the saliency $m_{sal}$ that says where
# the person is. Each of the four rows is run twice, with our recipe and with the one as reconstructed, so that a reader can see whether a
# finding belongs to the idea or to the recipe. The rows below take our recipe apart, one thing at a time.
#
# Two of the three take more than one thing from our recipe. Without unpaired poses there are no painted puppets either, so that `no-qz` is to be compared with `no-paint` as well; without saliency the encoder sees the whole
# picture, so that `no-sal` is to be compared with `background` as well. Rows without painted puppets have longer on pictures instead, so that all have about as many minutes.

# %% tags=["remove-input"]
display(HTML(report.to_html(report.table(PAPER, "kpg-T3", SOURCES), link)))

# %% tags=["remove-input"]
for source in SOURCES:
    found = prose.order(report.table(PAPER, "kpg-T3", [source]))
    say(f"In {source.label}, profile {source.profile}, over the paper's four rows:\n\n" + "\n".join(f"- {line}" for line in found) if found else None)
PAIRS = (("no-fk", 126.8, 51.7), ("no-qz", 178.9, 40.3), ("no-sal", 189.4, 35.7))
findings(
    *[difference("unsup", v, "p_mpjpe", reported=(99.2, error)) for v, error, _ in PAIRS],
    *[difference("unsup", v, "pck", "outdoor", (77.4, share)) for v, _, share in PAIRS],
    *[difference("as-printed", f"as-printed-{v}", "p_mpjpe", reported=(99.2, error)) for v, error, _ in PAIRS],
)

# %% [markdown]
# ### The recipe as reconstructed
#
# One table for the rows that follow the paper: the plain template, limbs under a similarity transformation, three angles and three bounded translations for the camera, a spatial appearance code, plain L1, and Algorithm 1 with its
# seven AdaGrad optimisers and alternately frozen halves. All but the last row have the depth order mended; `printed-order` takes it exactly as it is printed.

# %% tags=["hide-input"]
SEEN = {  # heading -> (diagnostic, factor, digits)
    "P-MPJPE": ("p_mpjpe_frames", 1, 1), "2D %": ("error_2d", 1, 2), "swap-tolerant": ("error_2d_swap", 1, 2),
    "mirrored %": ("mirrored_share", 100, 0), "facing right %": ("facing_right", 100, 0), "implausible %": ("implausible_share", 100, 0),
    "diversity": ("pose_diversity", 1, 2), "F1 parts": ("f1_parts", 1, 2), "F1 puppet": ("f1_parts_puppet", 1, 2), "figure IoU %": ("iou_figure", 100, 0),
}  # fmt: skip


def cell(values, digits):
    return told(values, digits) if have(values) else "–"


def seen(variants, role="studio"):
    """Rows of the table: a variant and what is known of it; "–" where a run has no such number."""
    prefix = "" if role == "studio" else f"{role}_"
    for variant in variants:
        if RUNS[MAIN].get(variant):
            yield [variant, *[cell(factor * part(variant, prefix + name), digits) for name, factor, digits in SEEN.values()]]


def known_of(variants, caption):
    """Prints the table of what is known of some variants."""
    rows = list(seen(variants))
    if rows:
        display(HTML(prose.small_table(f"{caption}, role studio, {MAIN.label}, profile {MAIN.profile}. P-MPJPE in mm as the mean over frames, mean ± deviation over seeds.", ["variant", *SEEN], rows)))
    return rows


FLOORS = ("flat-lift", "mean-pose", "mean-shape")
RECONSTRUCTED = ("as-printed", "as-printed-no-fk", "as-printed-no-qz", "as-printed-no-sal", "as-printed-weak", "printed-order")
if not known_of((*RECONSTRUCTED, "unsup", "weak", *FLOORS), "The recipe as reconstructed, ours for comparison, and the floors"):
    absent(*RECONSTRUCTED)

# %% tags=["hide-input"]
PRINTED = [v for v in RECONSTRUCTED if have(numbers(v, "p_mpjpe"))]
if PRINTED and have(numbers("mean-pose", "p_mpjpe"), numbers("puppets", "p_mpjpe")):
    below = [[v for v in PRINTED if numbers(v, "p_mpjpe").mean() < numbers(floor, "p_mpjpe").mean()] for floor in ("mean-pose", "puppets")]
    say(f"Of the {len(PRINTED)} rows with the recipe as reconstructed, {len(below[0])} are on average below the mean pose and {len(below[1])} below the painted puppets alone.",
        "An ablation of a model that has not learned to look at the image says little about its parts." if not below[0] else None)  # fmt: skip
if have(part("unsup", "printed_background")):
    say(f"**The depth order as printed** gives {told(100 * part('unsup', 'printed_background'), 1)} % of all pixels to the background, with the true pose.",
        "A softmax over maps that are divided by depths is nearly flat, and the background, one minus its largest value, wins even where a part is. [The method page](method) shows it and mends it."
        if part("unsup", "printed_background").min() > 0.95 else None)  # fmt: skip

# %% [markdown]
# ### Our changes, one step back at a time
#
# From the recipe as reconstructed to ours it takes several changes. Each row below takes one of them, or one part of the method, back. *2D*: mean distance of predicted and true joints in the picture, in percent
# of the crop's side; *swap-tolerant*: the better of the two labellings of left and right. *Mirrored*: test frames whose prediction is nearer to the truth with its depth negated. *Facing right*: frames of which the model knows whether the person looks towards the camera or away; half
# is chance. *Implausible*: frames with a knee bent forwards, a knee or an elbow folded flat, or with sides that differ by more than 20 % in length. *Diversity*: mean distance between predicted poses over that between the true ones; a model that gives one pose for all has 0.

# %% tags=["hide-input"]
BACK = {
    "no-paint": "without painted puppets", "no-face": "template without a face", "similarity": "plain similarity of limbs", "bounded-camera": "three angles, bounded translations", "background": "encoder sees the background",
    "no-depth": "without depth order", "no-unc": "without uncertainty map", "no-energy": "without energy step", "adv": "discriminator for the energy step",
    "studio": "without role wild", "studio-prior": "poses of the studio itself", "puppets": "painted puppets alone", "no-fk": "without kinematics and camera", "no-qz": "without unpaired poses", "no-sal": "without saliency",
}  # fmt: skip
if not known_of(("unsup", *BACK, "as-printed", *FLOORS), "One step back at a time"):
    absent("unsup")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Horizontal bars, one for each change that is taken back: how many mm of P-MPJPE the run has more than the whole method, in the studio and outdoors."}, "figure": {"caption": "What each change is worth: P-MPJPE of the run without it minus that of unsup, means over seeds. Negative: without is better.", "name": "fig-kpg-results-back"}}
gains = {
    role: {BACK[v]: numbers(v, "p_mpjpe", role).mean() - numbers("unsup", "p_mpjpe", role).mean() for v in BACK
           if have(numbers(v, "p_mpjpe", role), numbers("unsup", "p_mpjpe", role))}
    for role in ("studio", "outdoor")
}  # fmt: skip
if all(gains.values()):
    plots.error_per_action(gains, "P-MPJPE against unsup (mm)")
    plt.show()

# %% [markdown]
# ## Table 4: another capture
#
# Role `outdoor` stands for MPI-INF-3DHP: other people, other cameras, other backgrounds. Rows with -3DHP never saw a picture of it; rows with +3DHP are finetuned on its training
# images, from the weakly supervised model, without labels, with their 2D poses, or with the 3D poses of 10 % of them. PCK is the share of joints within 150 mm of the truth, AUC its mean over thresholds from 0 to 150 mm. The
# columns without a mark are root-centred, at one size for all frames; those that say *aligned* are after scaling and rigid alignment of each frame.

# %% tags=["remove-input"]
display(HTML(report.to_html(report.table(PAPER, "kpg-T4", SOURCES), link)))

# %% tags=["remove-input"]
findings(
    *[difference(a, b, metric, "outdoor", pair)
      for a, b, printed in (("weak-out-u", "weak", ((83.2, 82.1), (58.7, 56.3), (97.6, 103.8))),
                            ("weak-out", "weak-out-u", ((84.6, 83.2), (60.8, 58.7), (93.9, 97.6))),
                            ("semi-out", "weak-out", ((86.3, 84.6), (62.0, 60.8), (74.1, 93.9))),
                            ("weak-out", "weak", ((84.6, 82.1), None, None)))
      for metric, pair in zip(("pck", "auc", "mpjpe"), printed, strict=True) if pair],
    difference("unsup", "puppets", "pck", "outdoor"),
    difference("weak", "mean-shape", "pck_aligned", "outdoor"),
)  # fmt: skip

# %% [markdown]
# ## Table 5: part segmentation
#
# The paper compares with parts that are cut from a fitted SMPL body on LSP. Ours are compared with the renderer's own labels on role `sport`, single pictures of unusual poses that no run has trained on. F1 of the *parts* is the mean over the ten parts, F1 of the *figure* is that of the
# person against the ground. *Shape-aware* is the decoder's segmentation $\hat y$, which sees the image; *shape-unaware* is the puppet's, $y^p$, which knows the pose alone.

# %% tags=["remove-input"]
display(HTML(report.to_html(report.table(PAPER, "kpg-T5", SOURCES), link)))

# %% tags=["hide-input"]
PART_COLUMNS = {
    "parts, decoder": "f1_parts", "parts, puppet": "f1_parts_puppet", "crossed, decoder": "f1_parts_crossed", "crossed, puppet": "f1_parts_puppet_crossed",
    "figure, decoder": "f1_figure", "figure, puppet": "f1_figure_puppet", "IoU decoder": "iou_figure", "IoU puppet": "iou_figure_puppet", "IoU box": "iou_box",
}  # fmt: skip
SEGMENTED = [v for v in ("weak", "unsup", "mv", "semi", "no-unc", "no-depth", "no-qz", "no-sal", "no-fk", "similarity", "no-face", "puppets", "enc-100", "as-printed", "printed-order") if RUNS[MAIN].get(v)]
for role in ROLES:
    prefix = "" if role == "studio" else f"{role}_"
    rows = [[v, *[cell(part(v, prefix + name), 2) for name in PART_COLUMNS.values()]] for v in SEGMENTED]
    if rows:
        caption = f"F1 of parts and of the figure and overlap of the figure (IoU), role {role}, {MAIN.label}, profile {MAIN.profile}. Crossed: on frames with crossing limbs. Box: a box in the middle of the picture. Puppets and encoders alone have no decoder."
        display(HTML(prose.small_table(caption, ["variant", *PART_COLUMNS], rows, folded=role not in ("studio", "sport"))))
if not SEGMENTED:
    absent("unsup")

# %% tags=["hide-input"]
findings(
    *[f"Role {role}, `{v}`: parts {told(part(v, prefix + 'f1_parts'), 2)} by the decoder against {told(part(v, prefix + 'f1_parts_puppet'), 2)} by the puppet, a difference of {prose.amount(part(v, prefix + 'f1_parts').mean() - part(v, prefix + 'f1_parts_puppet').mean(), '', '+')}."
      for v in ("unsup", "weak") for role, prefix in (("studio", ""), ("sport", "sport_")) if have(part(v, prefix + "f1_parts"), part(v, prefix + "f1_parts_puppet"))],
)  # fmt: skip
if have(part("unsup", "puppet_f1_true"), part("unsup", "puppet_iou_true")):
    say(f"**The ceiling of the template.** Moved by the *true* pose, the template has an F1 of the parts of {told(part('unsup', 'puppet_f1_true'), 2)} and overlaps with the true person by {told(100 * part('unsup', 'puppet_iou_true'), 0)} %. That is about what a puppet with this drawing can reach; a decoder may draw a better shape.")
rows = [[role, *[cell(100 * part("unsup", ("" if role == "studio" else f"{role}_") + name), 0) for name in ("saliency_iou", "iou_figure", "iou_figure_puppet", "iou_box")]] for role in ROLES if RUNS[MAIN].get("unsup")]
if rows:
    caption = f"Quality of the saliency and overlap with the true person in percent (IoU), {MAIN.label}, profile {MAIN.profile}. Studio and outdoor: what differs from the videos' estimated backgrounds, as in the paper; wild and sport: found in the single picture."
    display(HTML(prose.small_table(caption, ["role", "saliency m_sal", "decoder of unsup", "puppet of unsup", "central box"], rows)))

# %% [markdown]
# ## Figure 4: how many labels
#
# The unsupervised model, finetuned with the 3D poses of a share of the studio's training images, against its encoder alone, which sees these pictures and nothing else. The paper draws its curves without numbers; the shares are ours.

# %% tags=["hide-input"] mystnb={"image": {"alt": "P-MPJPE over the share of 3D labels on a logarithmic axis, 1, 3, 10, 30 and 100 percent: one curve for the model finetuned from the unsupervised one, one for its encoder alone, with bands over seeds, and horizontal lines for the unsupervised model and the mean pose."}, "figure": {"caption": "The paper's Figure 4: P-MPJPE in the studio over the share of training images with 3D labels. The bands run from the lowest to the highest seed.", "name": "fig-kpg-results-labels"}}
SHARES = (1, 3, 10, 30, 100)
CURVES = {"ours (semi-sup)": ["semi-1", "semi-3", "semi", "semi-30", "semi-100"], "encoder (only 3D-sup)": [f"enc-{share}" for share in SHARES]}


def by_share(variants, role="studio"):
    """P-MPJPE (seeds, shares) with NaN where there is no run."""
    columns = [numbers(v, "p_mpjpe", role) for v in variants]
    rows = max(map(len, columns))
    return np.array([np.pad(values.astype(float), (0, rows - len(values)), constant_values=np.nan) for values in columns]).T


def label_curves(role):
    series = {name: by_share(variants, role) for name, variants in CURVES.items()}
    series = {name: values for name, values in series.items() if len(values)}
    lines = {"unsup": "unsup", "mean pose": "mean-pose"}
    lines = {name: numbers(v, "p_mpjpe", role).mean() for name, v in lines.items() if have(numbers(v, "p_mpjpe", role))}
    figure = plots.sweep(SHARES, series, xlabel="training images with 3D labels (%)", ylabel=f"P-MPJPE, {role} (mm)", references=lines)
    figure.axes[0].set_xscale("log")
    figure.axes[0].set_xticks(SHARES, list(map(str, SHARES)))
    figure.axes[0].minorticks_off()
    plt.show()


if any(have(numbers(v, "p_mpjpe")) for variants in CURVES.values() for v in variants):
    label_curves("studio")
else:
    absent(*CURVES["ours (semi-sup)"], *CURVES["encoder (only 3D-sup)"])

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same two curves for the outdoor role, of which no image was trained on."}, "figure": {"caption": "The same models on role outdoor, which none of them has seen. The paper does not show this.", "name": "fig-kpg-results-labels-outdoor"}}
if any(have(numbers(v, "p_mpjpe", "outdoor")) for variants in CURVES.values() for v in variants):
    label_curves("outdoor")

# %% tags=["hide-input"]
rows = []
for k, share in enumerate(SHARES):
    ours, alone = (numbers(variants[k], "p_mpjpe") for variants in CURVES.values())
    gap = prose.amount(alone.mean() - ours.mean(), "mm", "+") if have(ours, alone) else "–"
    labelled = part(CURVES["encoder (only 3D-sup)"][k], "labelled_3d")
    if have(ours) or have(alone):
        rows.append([f"{share} %", f"{labelled.mean():,.0f}" if have(labelled) else "–", cell(ours, 1), cell(alone, 1), gap])
if rows:
    caption = f"P-MPJPE in mm over the share of 3D labels, studio, {MAIN.label}, profile {MAIN.profile}. The gap is what the pictures without labels and the unpaired poses are worth."
    display(HTML(prose.small_table(caption, ["share", "labelled images", "ours (semi-sup)", "encoder alone", "gap"], rows)))

# %% [markdown]
# ## Front or back, left or right
#
# A figure without a face looks the same from the front and from behind when its left and right are exchanged: the two poses cover the same pixels. Nothing in the losses but the face can tell them apart, and P-MPJPE, which aligns
# but never mirrors, charges for it. So these errors are reported apart. *Facing right*: frames of which the model knows whether the person looks towards the camera or away (half is chance). *Says front*: how often it says towards; *is front*: how often it is so. *Exchanged*: frames whose 2D error falls when left and right
# are exchanged.

# %% tags=["hide-input"]
FACING = {
    "P-MPJPE front": ("p_mpjpe_front", 1, 1), "P-MPJPE back": ("p_mpjpe_back", 1, 1), "facing right %": ("facing_right", 100, 0), "says front %": ("facing_front", 100, 0),
    "is front %": ("facing_true", 100, 0), "2D %": ("error_2d", 1, 2), "swap-tolerant": ("error_2d_swap", 1, 2), "exchanged %": ("label_swap_share", 100, 0), "mirrored %": ("mirrored_share", 100, 0),
}  # fmt: skip
TURNED = ("unsup", "no-face", "puppets", "no-paint", "weak", "mv", "semi", "enc-10", "enc-100", "no-fk", "no-qz", "no-sal", "as-printed", "as-printed-weak")
for role in ROLES:
    prefix = "" if role == "studio" else f"{role}_"
    rows = [[v, *[cell(f * part(v, prefix + name), d) for name, f, d in FACING.values()]] for v in TURNED if RUNS[MAIN].get(v)]
    if rows:
        caption = f"Front or back, left or right, role {role}, {MAIN.label}, profile {MAIN.profile}, mean ± deviation over seeds. P-MPJPE in mm, 2D in percent of the crop's side."
        display(HTML(prose.small_table(caption, ["variant", *FACING], rows, folded=role != "studio")))
    elif role == "studio":
        absent("unsup")

# %% tags=["hide-input"]
if have(part("unsup", "facing_right"), part("unsup", "p_mpjpe_front"), part("unsup", "p_mpjpe_back")):
    gap = part("unsup", "p_mpjpe_back").mean() - part("unsup", "p_mpjpe_front").mean()
    say(f"**Facing.** `unsup` is right in {told(100 * part('unsup', 'facing_right'), 0)} % of the frames and says front in {told(100 * part('unsup', 'facing_front'), 0)} %, where {told(100 * part('unsup', 'facing_true'), 0)} % are; its P-MPJPE from behind is {prose.amount(gap, 'mm', '+')} mm against the front.",
        f"Without a face in the template it is right in {told(100 * part('no-face', 'facing_right'), 0)} %." if have(part("no-face", "facing_right")) else None,
        f"The painted puppets alone reach {told(100 * part('puppets', 'facing_right'), 0)} %, the encoder with all 3D labels {told(100 * part('enc-100', 'facing_right'), 0)} %." if have(part("puppets", "facing_right"), part("enc-100", "facing_right")) else None)  # fmt: skip
if have(part("unsup", "error_2d"), part("unsup", "error_2d_swap"), part("unsup", "error_2d_floor")):
    say(f"**2D.** The mean 2D pose of painted puppets, whatever the image, is off by {told(part('unsup', 'error_2d_floor'), 2)} % of the crop's side, `unsup` by {told(part('unsup', 'error_2d'), 2)} %; the better of the two labellings of left and right would leave {told(part('unsup', 'error_2d_swap'), 2)} %.")

# %% [markdown]
# ## Said of the pose

# %% tags=["hide-input"]
if have(part("unsup", "ratio_deviation")):
    say(f"**Bone lengths.** With forward kinematics the ratios of the bone lengths are those of the fixed vector in every frame (largest relative deviation {told(part('unsup', 'ratio_deviation'), 6)}).",
        f"Without them it is {told(part('no-fk', 'ratio_deviation'), 2)}." if have(part("no-fk", "ratio_deviation")) else None)  # fmt: skip
if have(part("unsup", "view_spread"), part("no-fk", "view_spread")):
    say(f"**One pose, several cameras.** The canonical poses that the cameras of one instant give are spread by {told(part('unsup', 'view_spread'))} mm, without forward kinematics by {told(part('no-fk', 'view_spread'))} mm.")
for role, prefix in (("studio", ""), ("wild", "wild_")):
    changed = {v: (part(v, prefix + "background_change"), part(v, prefix + "background_moving")) for v in ("unsup", "background", "no-sal", "as-printed")}
    if have(*changed["unsup"], part("unsup", prefix + "swap_floor")):
        say(f"**Another background, {role}.** Put behind the person, it moves the predicted pose of `unsup`, whose encoder sees what the saliency finds in the new picture, by {told(changed['unsup'][0])} mm, a shift of the same one by {told(changed['unsup'][1])} mm; two random predictions are {told(part('unsup', prefix + 'swap_floor'))} mm apart.",
            *[f"For `{v}` it is {told(change)} and {told(moving)} mm." for v, (change, moving) in changed.items() if v != "unsup" and have(change, moving)])  # fmt: skip
rows = []
for role in ROLES:
    prefix = "" if role == "studio" else f"{role}_"
    found = [part("weak", prefix + name) for name in ("p_mpjpe_clear", "p_mpjpe_crossed_one", "p_mpjpe_crossed_more", "p_mpjpe_usual", "p_mpjpe_rare", "p_mpjpe_frames", "p_mpjpe_partial")]
    if any(map(len, found)):
        rows.append([role, *[cell(values, 1) for values in found]])
if rows:
    caption = f"Where weak fails: P-MPJPE in mm by what is in the frame, {MAIN.label}, profile {MAIN.profile}. Crossings are of limbs; rare are the 5 % of test poses farthest from the unpaired poses; partly seen is the upper part of the crop alone."
    display(HTML(prose.small_table(caption, ["role", "no crossing", "one", "several", "usual", "rare", "all", "partly seen"], rows)))

# %% [markdown]
# ## Learning curves, and what would show a collapse
#
# Losses first, one panel each. A loss that falls need not mean that a pose is learned: an encoder that gives one pose for every picture
# makes the energy small. So four quantities are watched beside the losses. *pose_spread* is the deviation of the predicted joints over a batch, zero for a constant encoder;
# *front_share* the share of predictions that face the camera, which drifts to one where a model decides that everybody looks at it; *bright_front* and *bright_back* say how bright the decoder draws people from the front and from
# behind: a decoder that has only ever seen the front paints the others black, and then teaches the encoder nothing of them.

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


# %% tags=["hide-input"] mystnb={"image": {"alt": "Learning curves, one panel for each loss: the unsupervised model, the weakly supervised one, the one with several views and the one with some 3D labels, one line for each."}, "figure": {"caption": "Losses over training with our recipe, one seed each. A row without a loss has no curve in its panel, and a stage without it leaves a gap.", "name": "fig-kpg-results-curves"}}
LOSSES = ("paint_3d", "paint_camera", "paint_2d", "image_u", "mask_u", "silhouette", "image_c", "seg", "entropy", "energy_pose", "energy_appearance",
          "label_2d", "label_3d", "multi_view", "bones")  # fmt: skip
curves(("unsup", "weak", "mv", "semi"), LOSSES)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Learning curves of the three ablations of the paper beside the unsupervised model, one panel for each of six losses."}, "figure": {"caption": "Some of them for the three ablations of Table 3.", "name": "fig-kpg-results-ablations"}}
curves(("unsup", "no-fk", "no-qz", "no-sal"), ("image_u", "silhouette", "image_c", "seg", "energy_pose", "bones"))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Learning curves of the recipe as reconstructed and its ablations, one panel for each loss."}, "figure": {"caption": "The same for the paper's recipe as reconstructed.", "name": "fig-kpg-results-printed"}}
curves(("as-printed", "as-printed-no-fk", "as-printed-no-qz", "as-printed-no-sal"), LOSSES)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four panels over training: pose_spread, front_share, bright_front and bright_back, for the unsupervised model, the one without a face, the one without unpaired poses, the one without saliency and the recipe as reconstructed."}, "figure": {"caption": "The monitored quantities. A pose_spread that falls to zero is a collapse of the encoder, a bright_back that does one of the decoder.", "name": "fig-kpg-results-monitors"}}
MONITORS = ("pose_spread", "front_share", "bright_front", "bright_back")
curves(("unsup", "no-face", "no-qz", "no-sal", "as-printed"), MONITORS)


# %% tags=["hide-input"]
TRAINED = [v for v in (*PAPER.grid, *PAPER.grid_extra) if v not in PAPER.deterministic]


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
# ## Figure 5A: novel images
#
# The method is trained to draw people, and that shows what it keeps apart. In *pose transfer* three pictures give the pose and three the appearance, and every pair is drawn; beneath each drawing stands its shape-aware segmentation, and beside
# each pose picture the shape-unaware one, which knows nothing of the appearance. In *view synthesis* the camera walks around a person. The frames are drawn once with a fixed seed, and nobody looked at them first.

# %% tags=["hide-input"]
def transfer(variant, role):
    """The paper's Figure 5A, pose transfer: poses at the left, appearances on top, drawings and their parts."""
    _, e = group(variant, f"{role}/transfer/")
    if not e:
        no_pictures(variant)
        return
    count = len(e["appearance"])
    rows = [[None, None, *e["appearance"]]]
    for i, pose in enumerate(e["pose"]):
        rows += [[pose, e["puppet"][i], *e["drawn"][i]], [None, None, *e["decoded"][i]]]
    names = ["appearance", *[name for i in range(len(e["pose"])) for name in (f"pose {i + 1}", "its parts")]]
    plots_parts.part_grid(rows, ["pose", "puppet", *[f"A{j + 1}" for j in range(count)]], names)
    plt.show()


def around(variant, role):
    """The paper's Figure 5A, view synthesis: a person drawn by cameras around them."""
    _, e = group(variant, f"{role}/view/")
    if not e:
        no_pictures(variant)
        return
    count = len(e["drawn"])
    rows = [[e["picture"], *e["drawn"]], [None, *e["puppet"]], [None, *e["decoded"]]]
    plots_parts.part_grid(rows, ["image", *[f"{angle:.0f}°" for angle in e["azimuth"][:count]]], ["", "puppet", "decoder"])
    plt.show()


# %% tags=["hide-input"] mystnb={"image": {"alt": "A grid for the studio role: on top three pictures that give the appearance; at the left three that give the pose with the puppet in that pose; for each pair the drawn person and below it the segmentation into coloured parts."}, "figure": {"caption": "The paper's Figure 5A, pose transfer, studio. The puppet is shape-unaware, the parts under each drawing are shape-aware.", "name": "fig-kpg-results-transfer-studio"}}
transfer("unsup", "studio")

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same grid for the role wild, whose backgrounds move."}, "figure": {"caption": "The same for role wild.", "name": "fig-kpg-results-transfer-wild"}}
transfer("unsup", "wild")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Three rows of the studio role over the angle of the camera: the drawn person, the puppet, and the decoder's parts; at the left the input picture."}, "figure": {"caption": "The paper's Figure 5A, view synthesis, studio.", "name": "fig-kpg-results-view-studio"}}
around("unsup", "studio")

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same three rows for the role wild."}, "figure": {"caption": "The same for role wild.", "name": "fig-kpg-results-view-wild"}}
around("unsup", "wild")

# %% tags=["hide-input"]
for role, prefix in (("studio", ""), ("wild", "wild_")):
    moved = {name: part("unsup", prefix + name) for name in ("transfer_to_pose", "transfer_to_appearance", "swap_floor", "colour_to_source", "colour_to_driver")}
    if have(*moved.values()):
        say(
            f"**Pose transfer, {role}, in a number.** Read again from the drawings, the pose is {told(moved['transfer_to_pose'])} mm from that of the picture that gave the pose and {told(moved['transfer_to_appearance'])} mm from that of the one that gave the appearance; "
            f"two random predictions are {told(moved['swap_floor'])} mm apart. The colours of the parts are off by {told(moved['colour_to_source'], 3)} from the picture that gave the appearance and by {told(moved['colour_to_driver'], 3)} from the other."
        )  # fmt: skip
    walked = {name: part("unsup", prefix + name) for name in ("view_pose_change", "view_camera_error", "view_camera_turn")}
    if have(*walked.values()):
        say(f"**View synthesis, {role}, in a number.** The pose that is read from the new view differs by {told(walked['view_pose_change'])} mm from the one that was drawn; the camera was turned by {told(walked['view_camera_turn'], 0)}° and is read with an error of {told(walked['view_camera_error'], 0)}°.")

# %% [markdown]
# ## Figure 5B: the ablations in pictures
#
# The same test frames with the model that has everything, the one without unpaired poses and the one without saliency. The paper says of the second that its parts are arranged implausibly within a roughly right silhouette, of the third that
# it draws a plausible pose on the background that the frames of a pair share.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Rows of studio test frames. From the left: the picture, the true parts, then for the whole method, without q_z and without m_sal the puppet and the decoder's parts."}, "figure": {"caption": "The paper's Figure 5B: the same frames with unsup, without q_z and without m_sal. Puppet: the shape-unaware parts. Decoder: the shape-aware ones.", "name": "fig-kpg-results-ablated"}}
ABLATED = {"unsup": "unsup", "no-qz": "w/o q_z", "no-sal": "w/o m_sal"}


def ablated(role, count):
    """The paper's Figure 5B: first random frames with the segmentations of three runs."""
    shown = {v: found for v in ABLATED if (found := examples(v, role)) and {"puppet", "decoded", "parts"} <= set(found)}
    if not shown:
        no_pictures("unsup")
        return
    base = next(iter(shown.values()))
    # a run that was made on other frames would stand beside pictures that are not its own
    shown = {v: found for v, found in shown.items() if np.array_equal(found["image"], base["image"])}
    rows = [[base["image"][i], base["parts"][i], *[found[name][i] for found in shown.values() for name in ("puppet", "decoded")]] for i in range(min(count, len(base["image"])))]
    heads = ["", "", *[text for v in shown for text in (ABLATED[v], "")]]
    plots_parts.part_grid(rows, ["image", "true", *["puppet", "decoder"] * len(shown)], heads=heads)
    plt.show()


ablated("studio", 5)

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same layout for frames of the role wild."}, "figure": {"caption": "The same for role wild, where the saliency is found in the single picture.", "name": "fig-kpg-results-ablated-wild"}}
ablated("wild", 4)

# %% tags=["hide-input"]
lost = {v: [part(v, name) for name in ("implausible_share", "iou_figure", "f1_parts", "pose_diversity")] for v in ABLATED}
if all(map(len, lost["unsup"])):
    rows = [[ABLATED[v], cell(100 * a, 0), cell(100 * b, 0), cell(c, 2), cell(d, 2)] for v, (a, b, c, d) in lost.items()]
    if have(part("unsup", "implausible_true"), part("unsup", "iou_box")):
        rows.append(["the truth; a central box", cell(100 * part("unsup", "implausible_true"), 0), cell(100 * part("unsup", "iou_box"), 0), "–", "1.00"])
    caption = f"The pictures in numbers, studio, {MAIN.label}, profile {MAIN.profile}."
    display(HTML(prose.small_table(caption, ["run", "implausible poses %", "figure IoU %", "F1 parts", "diversity"], rows)))

# %% [markdown]
# ## Figure 6: four roles
#
# The weakly supervised model, as in the paper, on frames drawn once with a fixed seed, the same for every run. From the left: the input with the predicted skeleton (left limbs blue, right limbs orange), the 3D prediction (red) over the truth (green) after alignment as the camera
# sees them and from the side, the puppet's parts, the decoder's, and the true ones. The number is the P-MPJPE. Role `sport` was never trained on, not even without labels.
#
# The paper shows five data sets, of which the text that we hold names four (Human3.6M, MPI-INF-3DHP, its own YouTube collection and LSP). Four roles of ours have pictures of whole people, one for each of these; the fifth role with pictures shows hands, for which there is no
# puppet. In place of the fifth row stand the failures, which the paper marks in magenta among its pictures and which here are found by their error.


# %% tags=["hide-input"]
def pictured(found):
    """Rows of the paper's Figure 6."""
    titles = [title.replace(", ", "\n") for title in found["titles"]]
    segmentations = {name: found.get(name) for name in ("puppet", "decoded", "parts")}
    plots_parts.part_rows(found["image"], HUMAN36M_17, points=found["points"], poses=np.array(found["aligned"]), truth=np.array(found["truth"]),
                          **segmentations, titles=titles)  # fmt: skip
    plt.show()


SHOWN = {role: examples("weak", role) for role in ROLES}
FAILURES = {role: examples("weak", role, "failures") for role in ROLES}

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five rows of the studio role: the picture with the predicted skeleton, the aligned 3D prediction in red over the truth in green from two sides, the parts of the puppet, those of the decoder and the true parts."}, "figure": {"caption": "The paper's Figure 6: studio, the first five of the random test frames.", "name": "fig-kpg-results-studio"}}
if SHOWN["studio"]:
    pictured(first(SHOWN["studio"], 5))
else:
    no_pictures("weak")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five rows of the outdoor role in the same layout."}, "figure": {"caption": "The paper's Figure 6: outdoor, never trained on.", "name": "fig-kpg-results-outdoor"}}
if SHOWN["outdoor"]:
    pictured(first(SHOWN["outdoor"], 5))
else:
    no_pictures("weak")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five rows of the role wild in the same layout."}, "figure": {"caption": "The paper's Figure 6: wild, trained on without labels.", "name": "fig-kpg-results-wild"}}
if SHOWN["wild"]:
    pictured(first(SHOWN["wild"], 5))
else:
    no_pictures("weak")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Five rows of the sport role in the same layout."}, "figure": {"caption": "The paper's Figure 6B: sport, never trained on.", "name": "fig-kpg-results-sport"}}
if SHOWN["sport"]:
    pictured(first(SHOWN["sport"], 5))
else:
    no_pictures("weak")

# %% [markdown]
# **Failures.** Found, not picked: random frames among the 5 % of largest error of each role.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Eight rows, two failures of each role, in the same layout."}, "figure": {"caption": "Failures, two of each role.", "name": "fig-kpg-results-failures"}}
worst = joined(FAILURES, 2)
if worst:
    pictured(worst)
else:
    no_pictures("weak")

# %% tags=["hide-input"] mystnb={"image": {"alt": "A sheet of all random test frames of the studio role, each with the predicted 2D skeleton in red over the true one in green."}, "figure": {"caption": "All random test frames of the studio, in 2D: predicted (red) over true (green).", "name": "fig-kpg-results-sheet"}}
if SHOWN["studio"]:
    plots_images.picture_grid(SHOWN["studio"]["image"], skeleton=HUMAN36M_17, points=SHOWN["studio"]["points"], truth=SHOWN["studio"]["truth_2d"], columns=6)
    plt.show()

# %% tags=["hide-input"] mystnb={"image": {"alt": "Rows for four roles: pictures and under each the saliency that stands for where the person is."}, "figure": {"caption": "The saliency on the random frames of each role, dark where it is high. Studio and outdoor: what differs from the estimated background; wild and sport: found in the single picture. In the rows named ours the encoder sees what it keeps.", "name": "fig-kpg-results-saliency"}}
rows, names = [], []
for role in ROLES:
    if SHOWN[role] and "saliency" in SHOWN[role]:
        found = first(SHOWN[role], 8)
        rows += [list(found["image"]), [saliency / 255 for saliency in found["saliency"]]]
        names += [role, ""]
count = min(map(len, rows), default=0)
if count:
    plots_parts.part_grid([row[:count] for row in rows], [""] * count, names)
    plt.show()

# %% [markdown]
# Three random frames of each role to turn, the prediction aligned with its truth; the slider chooses the frame.

# %% tags=["hide-input"]
few = joined(SHOWN, 3)
if few:
    display(plots3d.show(
        plots_images.choose_3d(few["image"], few["aligned"], few["truth"], HUMAN36M_17, few["titles"]),
        "fig-kpg-results-turn",
        "Interactive 3D figure: the predicted skeleton, aligned, over the true one for random test frames of four roles, with the image in a corner and a slider to choose the frame.",
        f"{len(few['error'])} random test frames of {len([r for r in ROLES if SHOWN[r]])} roles, predictions aligned with the truth. Drag to turn; the slider chooses the frame.",
        height=520,
    ))  # fmt: skip
else:
    no_pictures("weak")

# %% tags=["hide-input"]
rows = []
for role in ROLES:
    found = [numbers(v, "p_mpjpe", role) for v in ("weak", "unsup", "puppets", "enc-100", *FLOORS)]
    if have(found[0]):
        prefix = "" if role == "studio" else f"{role}_"
        rows.append([role, *map(told, found), told(part("weak", prefix + "error_2d"), 2), told(part("weak", prefix + "error_2d_floor"), 2)])
if rows:
    caption = f"P-MPJPE in mm by role, and the 2D error of weak beside that of the mean 2D pose of painted puppets, in percent of the crop's side, {MAIN.label}, profile {MAIN.profile}."
    display(HTML(prose.small_table(caption, ["role", "weak", "unsup", "puppets", "enc-100", "flat lift", "mean pose", "mean shape", "2D %", "mean 2D pose %"], rows)))

# %% [markdown]
# ## Cost

# %% tags=["hide-input"]
rows = []
for variant, found in MADE[MAIN].items():
    origin = [record["provenance"] for record in found]
    size = part(variant, "parameters")
    if len(size) and size[0]:
        wall, memory = (np.mean([o[key] for o in origin]) for key in ("wall_seconds", "peak_memory_mib"))
        rows.append([variant, f"{size[0]:,.0f}", f"{wall:.0f}", f"{memory:.0f}", len(found)])
if rows:
    caption = f"Cost of a run in {MAIN.label}, profile {MAIN.profile}. Several runs may have shared the machine."
    display(HTML(prose.small_table(caption, ["variant", "parameters", "wall time (s)", "peak memory (MiB)", "runs"], rows, folded=True)))
else:
    say("*There are no records yet.*")

# %% [markdown]
# ## The claims
#
# All claims of the paper, one verdict for each source. Open a verdict to see the runs, the observed and the reported difference, and
# links to the records. Claims are decided with our recipe; how the recipe as reconstructed does on the same rows stands in Tables 2 to 5 beside ours.


# %% tags=["hide-input"]
def claims(first, last):
    """The verdicts of claims kpg-first to kpg-last, a column for each source."""
    chosen = [[v for v in VERDICTS[s] if first <= int(v.claim.id[-2:]) <= last] for s in SOURCES]
    display(HTML(report.verdicts_html(*chosen, link=link)))


# %% [markdown]
# ### In the studio (Table 2)

# %% tags=["remove-input"]
claims(1, 5)

# %% [markdown]
# ### The parts of the method (Table 3)

# %% tags=["remove-input"]
claims(6, 12)

# %% [markdown]
# ### Another capture (Table 4)

# %% tags=["remove-input"]
claims(13, 19)

# %% [markdown]
# ### Labels and segmentation (Figure 4, Table 5)

# %% tags=["remove-input"]
claims(20, 26)

# %% [markdown]
# ### Said in the text, and shown in Figures 5 and 6

# %% tags=["remove-input"]
claims(27, len(PAPER.claims))

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


if found := worth("puppets", "unsup", "enc-100", "mean-pose"):
    alone, whole, ceiling, floor = found
    lessons.append(
        f"**What images without labels are worth.** The mean pose gives {floor:.1f} mm, painted puppets alone {alone:.1f} mm, the whole method {whole:.1f} mm, the same encoder "
        f"with all 3D labels {ceiling:.1f} mm. Beyond the puppets, the losses on images without labels are worth {prose.amount(alone - whole, 'mm', '+')} mm."
    )  # fmt: skip
if found := worth("as-printed", "unsup", "mean-pose"):
    printed, staged, floor = found
    lessons.append(
        f"**The recipe.** As reconstructed, with seven AdaGrad optimisers and alternately frozen halves, the method gives {printed:.1f} mm, in stages {staged:.1f} mm and the mean pose {floor:.1f} mm"
        + ("; as reconstructed it does not pass the mean pose at this budget." if printed > floor else ".")
    )  # fmt: skip
steps = {v: mean[v] - mean["unsup"] for v in BACK if worth(v, "unsup") and v != "puppets"}
if len(steps) > 2:
    by_size = sorted(steps.items(), key=lambda item: -item[1])
    lessons.append("**What each part is worth**, in mm of P-MPJPE that the run without it has more: " + ", ".join(f"`{v}` {prose.amount(value, 'mm', '+')}" for v, value in by_size) + ".")
if have(part("unsup", "f1_parts"), part("unsup", "f1_parts_puppet"), part("unsup", "puppet_f1_true")):
    lessons.append(
        f"**Parts.** The decoder's parts have an F1 of {told(part('unsup', 'f1_parts'), 2)} in the studio, the puppet's {told(part('unsup', 'f1_parts_puppet'), 2)}; the template at the true pose has {told(part('unsup', 'puppet_f1_true'), 2)}. "
        "What lies between the second and the third is the pose, not the drawing."
    )  # fmt: skip
if have(part("unsup", "facing_right"), part("no-face", "facing_right")):
    lessons.append(f"**A face.** With a face in the template the facing is right in {told(100 * part('unsup', 'facing_right'), 0)} % of the frames, without in {told(100 * part('no-face', 'facing_right'), 0)} %; half would be chance.")
say("\n".join(f"- {lesson}" for lesson in lessons) if lessons else "*There are no records yet.*")

# %% [markdown]
# ## What this does not show
#
# - **Not the paper's numbers.** The people are drawn, the videos simulated, the training takes minutes. That a claim is not reproduced here does not say that it is wrong on Human3.6M; that one is reproduced does not say that it holds there by the same margin.
# - **Not the authors' method to the letter.** A page of the paper is missing, and what stood on it is reconstructed. Where the recipe as reconstructed fails, the page may be why.
# - **A template that suits the people.** The drawn people and the template are both of our making. The ceiling above says how well the one fits the other; people in loose clothes would fit worse.
# - **A background that is kind or unkind.** The saliency for wild video is a simple one of 2014, and our wild backgrounds are drawn. The table of its quality says how much of a person it finds. Where cameras stand still, the estimated background
#   of the *test* videos is used too, so that the rows named ours know there, without labels, where the person is.
# - **Thresholds.** Where the paper gives no number, a claim needs one of ours: *near*, *small*, *kept*. Each says so in its note; another threshold may turn the verdict.
# - **F1 against another truth.** The paper's true parts are those of a fitted SMPL body, ours are the renderer's. The two F1 cannot be compared, only the order of rows.
#
# ## What we changed
#
# - **The data.** Drawn people on generated or recorded motion in place of Human3.6M and MPI-INF-3DHP, drawn clips with still and moving backgrounds in place of the authors' collection from YouTube, single
#   drawn pictures of unusual poses in place of LSP. The unpaired 3D poses are those of role `motion`, people who appear in no picture, in place of CMU and MADS recordings.
# - **Stages.** The rows named ours learn from painted puppets first, then from pairs, with one Adam on the sum of all losses, and then from one role alone. The rows *as reconstructed* follow Algorithm 1 from the first step. `no-paint` takes the puppets back.
# - **The template has a face.** Ours has thirteen shapes, so that front and back differ; `no-face` takes this back.
# - **Limbs stay thick.** Under the paper's similarity a limb that points at the camera gets as thin as it gets short; ours keeps its thickness. `similarity` takes this back.
# - **The camera.** The paper reads three angles and three bounded translations. Ours shifts and scales the projected skeleton so that it fills the crop, as the crops are cut; `bounded-camera` takes this back.
# - **What the encoder sees.** Ours sees the salient person alone, over grey. The paper's sees the whole picture; `background` takes this back.
# - **Depth order.** As printed every pixel is background. The order is mended in all rows but `printed-order`.
# - **Further losses.** The posed puppet's silhouette is also compared with the salient person; the left and right part maps of filmed people are exchanged at random before the decoder, which then paints people seen from behind too; limbs of several
#   unpaired poses are mixed, and their vectors shaken. These have no row of their own.
# - **Saliency.** In the studio from the videos' estimated backgrounds, as in the paper; for wild video after Zhu et al. {cite:p}`zhu2014saliency`, which is the method that the paper cites.
# - **Size.** Profile `cpu` has smaller images and networks and a few minutes of training; profiles `gpu` and `paper` have larger ones. Each table says which it shows, and whether the networks start from scratch or from ImageNet.
# - **Averages.** Our tables average over frames within an action and then over actions; F1 is the mean over frames.
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
