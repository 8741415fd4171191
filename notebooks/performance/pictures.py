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
# (page-speed-pictures)=
# # Speed of the drawn people
#
# No picture is stored in this book's data files: people are drawn from their joints when a run needs
# them, and a run on a CPU keeps what it drew. That only works if drawing is fast. Each body is some
# two dozen tapered capsules; a ray is tried against a capsule only inside the tiles that the capsule's
# projection touches, the nearest hit of every pixel is found by one scattered maximum, and only those
# pixels are coloured. This page measures it on one thread of the machine that made it.

# %% tags=["parameters"]
profile = "cpu"

# %% tags=["hide-input"]
import statistics
import time

import torch
from IPython.display import HTML, Markdown, display

from lib.data.batches import load_poses
from lib.data.collections import dataset_path
from lib.data.dataset import open_dataset
from lib.data.images import Filmed

torch.set_num_threads(1)
REPEATS = 2 if profile == "smoke" else 7
BATCH = 128

# %% [markdown]
# The same frames each time, from all subjects and cameras of the test part of role studio: on black,
# as a picture whose background was removed, and standing before their room with a shadow on the floor.

# %%
poses = load_poses(open_dataset(dataset_path("mannequin", "studio")), "test", stride=200)
frames = torch.arange(len(poses))[:: max(1, len(poses) // BATCH)][:BATCH]


def pictures_per_second(size, background):
    """Median over repeats of pictures drawn in a second of the process's own time."""
    filmed = Filmed.of(poses, "studio", size)
    filmed.draw(frames, background)
    rates = []
    for _ in range(REPEATS):
        began = time.process_time()
        filmed.draw(frames, background)
        rates.append(len(frames) / (time.process_time() - began))
    return statistics.median(rates)


measured = {
    (size, background): pictures_per_second(size, background)
    for size in (32, 64, 128, 256)
    for background in (False, True)
}

# %% tags=["hide-input"]
rows = "".join(
    f"<tr><td>{size} x {size}</td><td>{measured[size, False]:,.0f}</td><td>{measured[size, True]:,.0f}</td></tr>"
    for size in (32, 64, 128, 256)
)
display(HTML(f"<table><tr><th>size</th><th>on black, pictures/s</th><th>in a room, pictures/s</th></tr>{rows}</table>"))
rate = measured[64, False]
display(Markdown(
    f"At 64 x 64 one thread draws {rate:,.0f} pictures a second on black"
    + (", more than the thousand that it was built for. " if rate >= 1000 else ", **short of the thousand that it was built for, this time**. ")
    + f"The {12000:,} pictures that a run at profile `cpu` keeps take {12000 / rate:.0f} s of its two minutes."
))
