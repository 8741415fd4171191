"""How much memory an import takes, measured in a process of its own: it must fit beside everything else."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from readers import built_mpi_inf_3dhp

from lib.data.crops import crop_pictures
from lib.data.cutting import cut

ROOT = Path(__file__).resolve().parents[2]
LONGEST, CAMERAS = 12820, 14  # S5 Seq1 of MPI-INF-3DHP: the longest recording of all layouts
MIB = 2**20

START = """
import sys
sys.path[:0] = {paths!r}
from lib.data.importing import import_dataset
from lib.data.sources import Options

def peak():
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM:")).split()[1])

"""
# The most that a process had is asked of the kernel; getrusage would count the parent's in.
measured = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")


def peaks(script: str, *arguments) -> list[int]:
    """Bytes, at each call of peak() in a script that is run with the arguments."""
    tests = Path(__file__).parent
    script = START.format(paths=[str(ROOT), str(tests), str(tests / "readers")]) + script
    answer = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert answer.returncode == 0, answer.stderr
    return [1024 * int(line) for line in answer.stdout.split()]


LABELS = """
import_dataset("mpi-inf-3dhp", sys.argv[1], sys.argv[2], Options(size=0))
peak()
"""


@measured
def test_the_longest_recording_fits_in_memory(tmp_path):
    from lib.data.dataset import open_dataset

    folder, out = tmp_path / "download", tmp_path / "outdoor.h5"
    went = built_mpi_inf_3dhp.build(folder, sequences=(("S5", 1),), tests=())
    path = folder / "S5/Seq1/annot.mat"
    short = scipy.io.loadmat(path)
    times = -(-LONGEST // len(short["frames"]))
    cells = {name: np.empty((CAMERAS, 1), object) for name in ("annot2", "annot3")}
    for name, cell in cells.items():
        for camera in range(CAMERAS):
            cell[camera, 0] = np.tile(short[name][camera, 0], (times, 1))[:LONGEST]
    frames = np.arange(float(LONGEST))[:, None]
    scipy.io.savemat(path, {**cells, "cameras": short["cameras"], "frames": frames}, do_compression=True)
    (most,) = peaks(LABELS, folder, out)
    print(f"{most / MIB:.0f} MiB")
    assert most < 1200 * MIB
    dataset = open_dataset(out)
    assert [len(clip) for clip in dataset.clips] == [LONGEST] * 8
    rows = len(went["S5", 1, 0].joints_2d)
    np.testing.assert_allclose(
        dataset.clips[0].joints_2d[-1], went["S5", 1, 0].joints_2d[(LONGEST - 1) % rows], atol=0.01
    )


PICTURES = """
import numpy as np
import imported
from lib.data import importing

ground = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
for frames in map(int, sys.argv[2:]):
    imported.FRAMES = frames
    imported.picture = lambda clip, row: np.roll(ground, row, 1)
    layout = imported.Layout(clips=1)
    importing.reader = lambda name: layout
    import_dataset("squares", sys.argv[1], f"{sys.argv[1]}.{frames}.h5", Options(size=128))
    peak()
"""


@measured
def test_memory_does_not_grow_with_the_length_of_a_clip(tmp_path):
    folder = tmp_path / "download"
    folder.mkdir()
    few, many = peaks(PICTURES, folder, 30, 150)
    print(f"{few / MIB:.0f} MiB, {many / MIB:.0f} MiB")
    pictures = 2 * 120 * 400 * 300 * 3  # of two subjects
    assert many - few < 0.2 * pictures and many < 1024 * MIB


def test_a_window_around_a_joint_far_away_takes_no_memory():
    """Joints of 1e7 px are admitted by some readers; all of their window is black but a speck."""
    random = np.random.default_rng(2)
    picture = random.integers(0, 255, (90, 130, 3), np.uint8)
    for side in (1e4, 1e6, 1e9, 1e30):
        assert cut(picture, np.array([side / 3, 40, side]), 16).max() == 0
    whole = torch.from_numpy(picture).permute(2, 0, 1)[None]
    for _ in range(200):
        size, side = int(random.integers(8, 50)), float(np.exp(random.uniform(1, 7)))
        x, y = random.uniform(-150, 280, 2)
        drawn = crop_pictures(whole, torch.tensor([[x, y]]), torch.tensor([side]), size)[0]
        expected = 255 * drawn.permute(1, 2, 0).numpy()
        assert np.abs(expected - cut(picture, np.array([x, y, side]), size)).max() < 1
