"""The recipe of Kundu et al., AAAI 2020 as printed: one AdaGrad a loss, losses in turn."""

import torch
from torch import Tensor

from lib.papers.kundu2020_batches import turn_pictures
from lib.papers.kundu2020_model import frozen_statistics
from lib.papers.kundu2020_trainer import Trainer

__all__ = ["PrintedTrainer"]

FINE = 0.4  # share of the steps in which one role is finetuned on
RATE = 1e-3  # of every AdaGrad (Sec. 4)
# What each loss teaches: L_prior the pose encoder, L_UNP both encoders, L_P everything.
TAUGHT = {"prior": ("encoder", "bypass"), "energy": ("encoder", "bypass", "appearance")}


class PrintedTrainer(Trainer):
    """Alternates over the losses, each with its own AdaGrad; with recipe "sum" all at once, with one.

    A sum costs as much as all losses in turn, so that it makes as many times fewer steps.
    """

    def _plan(self) -> dict[str, int]:
        steps = self.profile.printed_steps
        if self.variant.recipe == "sum":
            steps = max(2, steps // len(self._names("base")))
        fine = round(FINE * steps)
        return {"base": steps - fine, "fine": fine}

    def _names(self, stage: str) -> list[str]:
        names = ["prior_3d", "prior_2d", "reconstruction", "cycle_2d", "cycle_appearance"]
        if stage == "base" and self.variant.unpaired:
            names += ["energy_2d", "energy_appearance"]
        if stage == "fine":
            names += ["label_2d"] * self.variant.labels_2d + ["label_3d"] * (self.variant.labels_3d > 0)
        return names

    def _optimisers(self) -> None:
        names = (
            ["all"]
            if self.variant.recipe == "sum"
            else dict.fromkeys(self._names("base") + self._names("fine"))
        )
        self.optimisers = {name: torch.optim.Adagrad(self._taught(name), RATE) for name in names}

    def _taught(self, name: str) -> list:
        parts = TAUGHT.get(name.split("_")[0])
        return [p for n, p in self.model.named_parameters() if parts is None or n.startswith(parts)]

    def step(self, index: int) -> dict[str, Tensor]:
        """One update with the loss whose turn it is, or with all."""
        self.shown.clear()
        self.drawn = None
        self.model.train()
        stage, _ = self.stage(index)
        names = self._names(stage)
        if self.variant.recipe == "sum":
            losses = {n: v for name in names for n, v in [(name, self._loss(name, stage))] if v is not None}
            self._update(losses, "all")
        else:
            name = names[index % len(names)]
            loss = self._loss(name, stage)
            losses = {} if loss is None else {name: loss}
            self._update(losses, name)
        report = {name: loss.detach() for name, loss in losses.items()}
        if self.drawn is not None:
            report |= self._monitor(index // len(names), *self.drawn)
        return report

    def _update(self, losses: dict[str, Tensor], optimiser: str) -> None:
        if not losses:
            return
        self.model.zero_grad(set_to_none=True)
        sum(self._weight(name) * loss for name, loss in losses.items()).backward()
        self.optimisers[optimiser].step()

    def _weight(self, name: str) -> float:
        return 1.0 if name.startswith(("prior", "label")) else self.variant.weight

    def _loss(self, name: str, stage: str) -> Tensor | None:
        """One loss on a batch of its own; None where the data have nothing for it."""
        kind, what = name.split("_") if "_" in name else (name, "")
        model, batch = self.model, self.profile.batch
        if kind == "prior":
            shown, index = self.labelled_renders(batch)
            losses = self.prior_losses(model.encode_pose(shown), self.render_labels(index), "prior")
            return losses[name]
        if name == "label_3d":
            labelled = self.labelled(batch)
            true = self.pose_labels(labelled["pose"], labelled["points"])
            return self.prior_losses(model.encode_pose(labelled["picture"]), true, "prior")["prior_3d"]
        if kind == "energy":
            loose = self.unpaired(batch)
            return None if loose is None else self._energy(loose, what)
        pairs = self.pairs(stage, batch)
        seen = model.encode_pose(pairs["target"])
        if name == "label_2d":
            return (seen.points - pairs["points"]).abs().mean()
        if seen.points.requires_grad:
            seen.points.retain_grad()
        appearance = model.encode_appearance(pairs["source"])
        drawn, _ = model.draw(seen.points, appearance, pairs["behind"])
        if kind == "reconstruction":
            self.drawn = (seen.points, appearance, drawn, pairs, seen)
            return (drawn - pairs["target"]).abs().mean()
        return self._returned(drawn, seen.points, appearance, what)

    def _returned(self, drawn: Tensor, points: Tensor, appearance: Tensor, what: str) -> Tensor:
        """How far what the encoders read off a drawn picture is from what it was drawn with."""
        if what == "2d":
            target = points.detach() if self.variant.detach else points
            return (target - self.model.encode_pose(drawn).points).abs().mean()
        target = appearance.detach() if self.variant.detach else appearance
        return (target - self.model.encode_appearance(drawn)).abs().mean()

    def _energy(self, loose: dict[str, Tensor], what: str) -> Tensor:
        """L_UNP through the frozen decoder."""
        points = self.model.encode_pose(loose["target"]).points
        appearance = self.model.encode_appearance(loose["source"])
        self.model.decoder.requires_grad_(not self.variant.frozen)
        with frozen_statistics(self.model.decoder):
            drawn, _ = self.model.draw(points, appearance, self.random_scenes(len(points)))
        self.model.decoder.requires_grad_(True)
        flip = self.chance(len(drawn)) < 0.5
        angle = torch.where(flip, 0.0, (self.chance(len(drawn)) - 0.5) * 0.7)
        drawn, points = turn_pictures(drawn, points, angle, flip, self.variant.camera == "fitted")
        return self._returned(drawn, points, appearance, what)
