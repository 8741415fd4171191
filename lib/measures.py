"""Metrics as tables show them: name, unit, which way is better, and the scale that was given."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Metric", "METRICS", "UNITS"]

UNITS = ("mm", "%", "frames", "pairs")  # the last two of counts


@dataclass(frozen=True)
class Metric:
    """How a metric is shown, which way is better, and what scale it gives to the prediction.

    unit: one of UNITS, of which "%" is a fraction shown times 100, or "". better: "lower", "higher"
    or, of a count, "neither". scale: empty for a metric of 2D points, which are compared where the
    prediction puts them.
    """

    label: str
    unit: str
    better: str
    scale: str

    @property
    def factor(self) -> float:
        return 100.0 if self.unit == "%" else 1.0


TRAIN, ORACLE, SIMILARITY = (
    "one constant, from the training set",
    "the true head-to-root length of each frame",
    "similarity alignment of each frame",
)
METRICS = {
    "mpjpe": Metric("MPJPE", "mm", "lower", TRAIN),
    "n_mpjpe": Metric("N-MPJPE", "mm", "lower", "the best scale of each frame"),
    "p_mpjpe": Metric("P-MPJPE", "mm", "lower", SIMILARITY),
    "p_mpjpe_frames": Metric("P-MPJPE (frame mean)", "mm", "lower", SIMILARITY),
    "p_mpjpe_mirrored": Metric("P-MPJPE (mirrored)", "mm", "lower", SIMILARITY),
    "mpjpe_oracle": Metric("MPJPE (oracle)", "mm", "lower", ORACLE),
    "pck": Metric("PCK", "%", "higher", TRAIN),
    "pck_frames": Metric("PCK (frame mean)", "%", "higher", TRAIN),
    "auc": Metric("AUC", "%", "higher", TRAIN),
    "pck_aligned": Metric("PCK (aligned)", "%", "higher", SIMILARITY),
    "auc_aligned": Metric("AUC (aligned)", "%", "higher", SIMILARITY),
    # 2D: a keypoint is found within 0.05 (0.10) of the diagonal of the person's box; in a metric that
    # ends in _swap the sides of a frame may be exchanged; distances are shares of the crop's side
    "pdj": Metric("PDJ@0.05", "%", "higher", ""),
    "pdj_swap": Metric("PDJ@0.05, sides exchangeable", "%", "higher", ""),
    "pdj_10": Metric("PDJ@0.10", "%", "higher", ""),
    "pdj_10_swap": Metric("PDJ@0.10, sides exchangeable", "%", "higher", ""),
    "l2": Metric("normalised L2", "%", "lower", ""),
    "l2_swap": Metric("normalised L2, sides exchangeable", "%", "lower", ""),
}
