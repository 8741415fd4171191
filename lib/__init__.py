"""Pose Without Labels: five papers on self-supervised human pose, to be read, run and rerun."""

__version__ = "0.1.0"
