"""Diagrams of methods: cards with pictures, maps and poses, arrows between them, dashed lines for losses.

A diagram is one axis whose unit is an inch, y up, drawn on the light card of `lib.plots` so that it
reads the same on a light and on a dark page. Whoever composes one places cards by their middle and
joins them; cards and boxes know their edges, so that an arrow between two ends where they end.

Training code never imports this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from lib.plots import CARD, CENTRE, CYCLE, INK, LEFT, RIGHT, bone_sides, subplots
from lib.skeleton import Skeleton

__all__ = [
    "Card", "arrow", "board", "box", "card", "elbow", "loss", "network", "picture_card", "pose_card",
]  # fmt: skip

TINT, WHITE, GREY = "#e8f1f8", "#ffffff", "#e9eaec"
FONT = 14.5  # points: legible where a figure of 6.4 inches is shown on a telephone
TEXT = {"ha": "center", "va": "center", "color": INK}


@dataclass(frozen=True)
class Card:
    """A rectangle of the diagram by its middle and its half sides, in inches."""

    x: float
    y: float
    half_width: float
    half_height: float

    def edge(self, towards: Card, gap: float = 0.05) -> np.ndarray:
        """The point (2,) where the line to another card's middle leaves this one, a gap away."""
        way = np.array([towards.x - self.x, towards.y - self.y])
        reach = np.array([self.half_width, self.half_height]) + gap
        with np.errstate(divide="ignore"):
            share = np.min(reach / np.abs(way)) if way.any() else 0.0
        return np.array([self.x, self.y]) + share * way


def board(width: float = 6.4, height: float = 3.0) -> tuple[Figure, Axes]:
    """An empty diagram whose axis runs from (0, 0) to (width, height) inches."""
    figure, ax = subplots(width=width, height=height, layout=None)
    ax.set_position((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return figure, ax


def card(ax: Axes, x: float, y: float, title: str = "", *, side: float = 1.15, fill: str = WHITE) -> Card:
    """An empty square card, its title above it."""
    half = side / 2
    shape = FancyBboxPatch(
        (x - half, y - half), side, side, boxstyle="round,pad=0,rounding_size=0.07",
        edgecolor=CENTRE, facecolor=fill, linewidth=1.0,
    )  # fmt: skip
    ax.add_patch(shape)
    if title:
        ax.text(x, y + half + 0.13, title, fontsize=FONT, **TEXT)
    return Card(x, y, half, half)


def picture_card(ax: Axes, x: float, y: float, picture, title: str = "", *, side: float = 1.15) -> Card:
    """A card filled by a picture (S, S, 3) uint8 or a map (S, S) in [0, 1], dark where it is high."""
    picture = np.asarray(picture)
    how = {} if picture.ndim == 3 else {"cmap": "Greys", "vmin": 0.0, "vmax": 1.0}
    made = card(ax, x, y, title, side=side)
    half = side / 2 - 0.03
    limits = ax.get_xlim(), ax.get_ylim()
    ax.imshow(picture, extent=(x - half, x + half, y - half, y + half), zorder=2, **how)
    ax.set(xlim=limits[0], ylim=limits[1], aspect="auto")
    return made


def pose_card(
    ax: Axes, x: float, y: float, points, skeleton: Skeleton, title: str = "", *, side: float = 1.15,
    reach: float = 1.0, fill: str = TINT,
) -> Card:  # fmt: skip
    """A card with a pose (J, 2), y down, about its own middle; `reach` of its unit is half the card."""
    made = card(ax, x, y, title, side=side, fill=fill)
    points = np.asarray(points, dtype=float)
    middle = (points.max(0) + points.min(0)) / 2
    drawn = np.array([x, y]) + (points - middle) * [1, -1] * (side / 2 - 0.06) / reach
    colours = {"left": LEFT, "right": RIGHT, "centre": CENTRE}
    for name, bones in bone_sides(skeleton).items():
        for bone in bones:
            style = (0, (2.2, 0.9)) if name == "right" else "-"
            ax.plot(*drawn[list(bone)].T, color=colours[name], linestyle=style, linewidth=1.8, zorder=3)
    return made


def box(
    ax: Axes, x: float, y: float, text: str, *, width: float = 1.15, height: float = 0.5, colour: str = CENTRE
) -> Card:
    """A rounded box with text: a network, a density, a set of data."""
    shape = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.1",
        edgecolor=colour, facecolor=CARD, linewidth=1.6,
    )  # fmt: skip
    ax.add_patch(shape)
    ax.text(x, y, text, fontsize=FONT - 1, linespacing=1.15, **TEXT)
    return Card(x, y, width / 2, height / 2)


def network(
    ax: Axes, x: float, y: float, text: str, *, width: float = 0.95, height: float = 0.8, taper: float = 0.55,
    colour: str = CYCLE[0], frozen: bool = False,
) -> Card:  # fmt: skip
    """A network as a trapezoid: to the right it narrows by `taper`, as an encoder does, or widens if above 1.

    A frozen one, which is used but not trained, is grey and hatched and says so.
    """
    left, right = height * min(1.0, 1.0 / taper) / 2, height * min(1.0, taper) / 2
    ends = (x - width / 2, x + width / 2)
    corners = [(ends[0], y - left), (ends[0], y + left), (ends[1], y + right), (ends[1], y - right)]
    look = dict(edgecolor=colour, facecolor=WHITE)
    if frozen:
        look = dict(edgecolor=CENTRE, facecolor=GREY, hatch="//")
    ax.add_patch(Polygon(corners, linewidth=1.6, **look))
    plain = dict(facecolor=look["facecolor"], edgecolor="none", pad=1.5)
    text = f"{text}\nfrozen" if frozen else text
    ax.text(x, y, text, fontsize=FONT - 1.5 * frozen, linespacing=1.1, bbox=plain, zorder=3, **TEXT)
    return Card(x, y, width / 2, min(left, right) + 0.12)


def elbow(
    ax: Axes, points, text: str = "", *, at=(0.0, 0.0), colour: str = INK, width: float = 1.8
) -> None:
    """An arrow along corner points (N, 2) of the diagram, where a straight one would cross a card.

    `at` is the place of the text.
    """
    points = np.asarray(points, dtype=float)
    ax.plot(*points[:-1].T, color=colour, linewidth=width, solid_capstyle="butt", zorder=4)
    _line(ax, points[-2], points[-1], "", 0.0, colour, "-", width, "-|>")
    if text:
        edge = dict(facecolor=CARD, edgecolor="none", pad=1.0)
        ax.text(*at, text, fontsize=FONT, zorder=5, bbox=edge, **TEXT | {"color": colour})


def _line(ax: Axes, start, end, text: str, shift, colour: str, dash, width: float, head: str) -> None:
    look = dict(arrowstyle=head, color=colour, linestyle=dash, linewidth=width, mutation_scale=13)
    look |= dict(shrinkA=0, shrinkB=0)
    ax.annotate("", end, start, arrowprops=look, zorder=4)
    if text:
        edge = dict(facecolor=CARD, edgecolor="none", pad=1.0)
        at = (start + end) / 2 + shift
        ax.text(*at, text, fontsize=FONT, zorder=5, bbox=edge, **TEXT | {"color": colour})


def arrow(
    ax: Axes, start: Card, end: Card, text: str = "", *, shift=(0.0, 0.0), move=(0.0, 0.0), colour: str = INK,
    width: float = 1.8,
) -> None:  # fmt: skip
    """From card to card what is computed, with the name of what computes it.

    `shift` moves the text, `move` the whole arrow, by inches.
    """
    move = np.asarray(move)
    _line(
        ax, start.edge(end) + move, end.edge(start) + move, text, np.asarray(shift), colour, "-", width, "-|>"
    )


def loss(
    ax: Axes, start: Card, end: Card, text: str, *, shift=(0.0, 0.0), move=(0.0, 0.0), colour: str = CYCLE[2],
) -> None:  # fmt: skip
    """A dashed line between two cards that a loss wants to agree, with the loss's name on it."""
    move = np.asarray(move)
    _line(
        ax, start.edge(end) + move, end.edge(start) + move, text, np.asarray(shift), colour, (0, (4, 2)), 1.5,
        "<|-|>",
    )  # fmt: skip
