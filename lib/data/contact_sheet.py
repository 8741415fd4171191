"""What is in a dataset file, for the eye: a sheet of its frames with joints, and a summary in text."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from lib.data.clip import ARRAYS, FLAGS, Clip, DatasetError
from lib.data.dataset import Dataset, open_dataset
from lib.data.human36m import project
from lib.data.sources import needed, reading
from lib.skeleton import Skeleton

__all__ = ["contact_sheet", "summary"]

CELL, GAP, TITLE, HEAD = 176, 10, 32, 62  # px
FINER = 3  # times as large as they come out are bones drawn
MARGIN = 1.3  # plain ground's side / box of the joints
PAPER, GROUND, INK, PALE = "#ffffff", "#eef0f2", "#2f3640", "#6b7480"
LEFT, RIGHT, MIDDLE = "#0072b2", "#e66100", "#5f6772"
# A hand has no left and right joints: a colour for each finger, wrist to little finger.
FINGERS = {
    "thumb": "#e66100", "index": "#c9a100", "middle": "#009e73", "ring": "#0072b2", "little": "#b0508a",
}  # fmt: skip


def contact_sheet(
    source: str | Path | Dataset, out: str | Path, columns: int = 6, rows: int = 4, seed: int = 0
) -> Path:
    """Draw frames of a dataset file, spread evenly over the valid ones, as a PNG; returns ``out``.

    Each frame is the stored crop, or a plain ground where there are no pictures, with its 2D joints:
    left and right in two colours, joints that are not labelled hollow, hidden ones with a white middle.
    ``seed`` draws other frames. Of the pictures only those drawn are read. Raises DatasetError.
    """
    image_module = needed("PIL.Image", "drawing a contact sheet")
    dataset = source if isinstance(source, Dataset) else open_dataset(source)
    drawn = _spread(dataset.clips, columns * rows, seed)
    size = (GAP + columns * (CELL + GAP), HEAD + -(-len(drawn) // columns) * (CELL + TITLE + GAP))
    sheet = image_module.new("RGB", size, PAPER)
    _head(sheet, dataset)
    for number, (clip, row) in enumerate(drawn):
        corner = (
            GAP + number % columns * (CELL + GAP),
            HEAD + number // columns * (CELL + TITLE + GAP),
        )
        sheet.paste(_cell(clip, row, dataset), corner)
        below = corner[1] + CELL + 2
        _text(sheet, (corner[0], below), f"{clip.subject}, {clip.action}", 12, INK, CELL)
        _text(sheet, (corner[0], below + 14), f"{clip.camera}, frame {row}", 11, PALE, CELL)
    return _save(sheet, Path(out))


def summary(source: str | Path | Dataset) -> str:
    """What a dataset file holds, in lines of text: its parts, arrays, and how well 3D and 2D agree.

    The reprojection error is the distance in px between joints_2d and the projection of joints_3d, over
    the labelled joints of valid frames: by K alone, and through the lens where its distortion is stored.
    """
    dataset = source if isinstance(source, Dataset) else open_dataset(source)
    lines = [
        f"{dataset.path}",
        f"  source    {dataset.source}",
        f"  licence   {dataset.licence}",
        f"  made by   {dataset.generator}, seed {dataset.seed}",
        f"  skeleton  {dataset.skeleton.name}, {len(dataset.skeleton)} joints",
    ]
    for part in ("train", "test"):
        clips = dataset.subset(part)
        if clips:
            lines += _part(part, clips)
    for note in filter(None, dataset.notes.splitlines()):
        lines.append(f"  note      {note}")
    return "\n".join(map(_printable, lines))


def _part(part: str, clips: tuple[Clip, ...]) -> list[str]:
    def names(values, most: int = 12) -> str:
        values = list(dict.fromkeys(values))
        more = f", ... ({len(values)} in all)" if len(values) > most else ""
        return ", ".join(map(str, values[:most])) + more

    frames = sum(map(len, clips))
    valid = sum(len(clip) if clip.valid is None else int(clip.valid.sum()) for clip in clips)
    pictured = [clip for clip in clips if clip.pictures is not None]
    sizes = names(f"{clip.pictures.shape[1]} x {clip.pictures.shape[2]} px" for clip in pictured)
    arrays = {
        name: sum(getattr(clip, name) is not None for clip in clips)
        for name in (*ARRAYS, *FLAGS, "distortion")
    }
    arrays["pictures"] = len(pictured)
    arrays["masks"] = sum(clip.pictures.masked for clip in pictured)
    arrays["parts"] = sum(clip.pictures.parted for clip in pictured)
    arrays["background"] = sum(clip.pictures.background is not None for clip in pictured)
    held = (
        name if count == len(clips) else f"{name} ({count} clips)"
        for name, count in arrays.items()
        if count
    )
    lines = [
        f"{part}",
        f"  subjects  {names(clip.subject for clip in clips)}",
        f"  actions   {names(clip.kind for clip in clips)}",
        f"  clips     {len(clips)}, {frames} frames" + (f", {valid} valid" if valid < frames else ""),
        f"  cameras   {names(clip.camera for clip in clips)}",
        f"  rate      {names(f'{clip.fps:g}' for clip in clips)} frames/s",
        f"  pictures  {sizes or 'none'}",
        f"  arrays    {', '.join(held)}",
    ]
    for what, errors in (("pinhole", _errors(clips, False)), ("with lens", _errors(clips, True))):
        if len(errors):
            lines.append(f"  {what:9} 2D and 3D differ by {np.median(errors):.3g} px (median), ")
            lines[-1] += f"{errors.max():.3g} px at most"
    return lines


def _errors(clips: tuple[Clip, ...], lens: bool) -> np.ndarray:
    """Distances (n,) px of joints_2d from the projected joints_3d; with the lens, where there is one."""
    found = [np.zeros(0)]
    for clip in clips:
        if clip.joints_3d is None or (lens and clip.distortion is None):
            continue
        counted = np.ones(clip.joints_2d.shape[:2], bool) if clip.labelled is None else clip.labelled
        if clip.valid is not None:
            counted = counted & clip.valid[:, None]
        points = clip.joints_3d[counted].astype(np.float64)
        distortion = clip.distortion if lens else np.zeros(5)
        off = project(points, clip.K, distortion) - clip.joints_2d[counted]
        found.append(np.linalg.norm(off, axis=-1).astype(np.float32))
    return np.concatenate(found)


def _spread(clips: tuple[Clip, ...], count: int, seed: int) -> list[tuple[Clip, int]]:
    """``count`` frames (clip, row), at most all there are: one by chance from each equal stretch."""
    rows = [np.arange(len(clip)) if clip.valid is None else np.flatnonzero(clip.valid) for clip in clips]
    ends = np.cumsum([len(each) for each in rows])
    count = min(count, int(ends[-1]))
    edges = np.linspace(0, ends[-1], count + 1)
    chance = np.random.default_rng(seed).uniform(size=count)
    places = (edges[:-1] + chance * np.diff(edges)).astype(int).clip(0, ends[-1] - 1)
    which = np.searchsorted(ends, places, side="right")
    return [
        (clips[clip], int(rows[clip][place - ends[clip]]))
        for clip, place in zip(which.tolist(), places.tolist(), strict=True)
    ]


def _cell(clip: Clip, row: int, dataset: Dataset):
    """The picture of one frame, CELL px wide and high, drawn finer and made smaller."""
    image_module = needed("PIL.Image", "drawing a contact sheet")
    labelled = np.ones(len(dataset.skeleton), bool) if clip.labelled is None else clip.labelled[row]
    hidden = np.zeros(len(dataset.skeleton), bool) if clip.occluded is None else clip.occluded[row]
    points = clip.joints_2d[row].astype(np.float64)
    if clip.pictures is None:
        image = image_module.new("RGB", (CELL * FINER,) * 2, GROUND)
        seen = points[labelled] if labelled.any() else points
        centre = (seen.min(0) + seen.max(0)) / 2
        side = max(MARGIN * float((seen.max(0) - seen.min(0)).max()), 1.0)
    else:
        with reading(dataset.path, f"{clip.group}: pictures: row {row}"):
            crop = clip.pictures.read(np.array([row]))[0]
        image = image_module.fromarray(crop).resize((CELL * FINER,) * 2, image_module.BICUBIC)
        *centre, side = clip.pictures.window[row].astype(np.float64)
    points = ((points - centre) / side + 0.5) * CELL * FINER
    _draw_joints(image, points, dataset.skeleton, labelled, hidden, clip.pictures is not None)
    return image.resize((CELL, CELL), image_module.LANCZOS)


def _draw_joints(image, points, skeleton: Skeleton, labelled, hidden, on_picture: bool) -> None:
    draw = needed("PIL.ImageDraw", "drawing a contact sheet").Draw(image)
    points = points.clip(-1e5, 1e5)  # Pillow counts pixels in 32 bits
    colours = _colours(skeleton)
    width, radius = 2 * FINER, 2.8 * FINER
    lines = [
        (
            (*points[parent], *points[child]),
            colours[child],
            width if labelled[[parent, child]].all() else FINER,
        )
        for parent, child in skeleton.bones
    ]
    if on_picture:  # a pale edge, so that bones can be told from what is behind them
        for ends, _, thick in lines:
            draw.line(ends, fill=PAPER, width=thick + 2 * FINER if thick == width else thick + FINER)
    for ends, colour, thick in lines:
        draw.line(ends, fill=colour, width=thick)
    for joint, (x, y) in enumerate(points):
        circle = _circle(x, y, radius)
        if not labelled[joint]:  # larger, since it may lie on a joint that is labelled
            draw.ellipse(_circle(x, y, 1.7 * radius), outline=colours[joint], width=FINER)
            continue
        draw.ellipse(
            circle, fill=colours[joint], outline=PAPER if on_picture else None, width=FINER // 2
        )
        if hidden[joint]:
            draw.ellipse(_circle(x, y, 0.6 * radius), fill=PAPER)


def _circle(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius


def _colours(skeleton: Skeleton) -> list[str]:
    colours = [FINGERS.get(joint.rpartition("_")[0], MIDDLE) for joint in skeleton.joints]
    for left, right in skeleton.pairs:
        colours[left], colours[right] = LEFT, RIGHT
    return colours


def _head(sheet, dataset: Dataset) -> None:
    frames = sum(map(len, dataset.clips))
    width = sheet.width - 2 * GAP
    _text(sheet, (GAP, 8), f"{dataset.path.name}: {dataset.source}", 16, INK, width)
    about = f"{dataset.skeleton.name}, {len(dataset.clips)} clips, {frames} frames"
    x = GAP + _text(sheet, (GAP, 34), about, 12, PALE, width) + 20
    draw = needed("PIL.ImageDraw", "drawing a contact sheet").Draw(sheet)
    sides = {"left": LEFT, "right": RIGHT}
    signs = [
        (name, colour, colour) for name, colour in (sides if dataset.skeleton.pairs else FINGERS).items()
    ]
    if any(clip.labelled is not None for clip in dataset.clips):
        signs.append(("not labelled", PALE, PAPER))
    if any(clip.occluded is not None for clip in dataset.clips):
        signs.append(("hidden", PALE, PAPER))
    for name, edge, fill in signs:
        draw.ellipse((x, 38, x + 7, 45), outline=edge, fill=fill, width=3 if name == "hidden" else 1)
        x += 12 + _text(sheet, (x + 12, 34), name, 12, PALE, max(0, width - x)) + 14


def _text(sheet, place: tuple[int, int], text: str, size: int, colour: str, width: int) -> float:
    """A line of text, cut off with dots where it is wider than ``width``; how wide it came out."""
    draw = needed("PIL.ImageDraw", "drawing a contact sheet").Draw(sheet)
    font = needed("PIL.ImageFont", "drawing a contact sheet").load_default(size)
    text = _printable(text[:300])
    if draw.textlength(text, font) > width:
        while text and draw.textlength(f"{text}...", font) > width:
            text = text[:-1]
        text = f"{text.rstrip()}..."
    draw.text(place, text, fill=colour, font=font)
    return draw.textlength(text, font)


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor or turn the order of writing."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _save(sheet, out: Path) -> Path:
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            sheet.save(temporary, "PNG")
            os.replace(temporary, out)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DatasetError(f"{out}: cannot be written ({error.strerror or error})") from error
    return out
