r"""Algorithm 1 of Kundu et al., CVPR 2020, as far as it can be reconstructed: seven AdaGrad optimisers.

The encoder minimises both energies with the decoder frozen in odd iterations, the decoder with the encoder
frozen in even ones; every iteration also minimises the three consistency losses, each by an optimiser of
its own.
"""

import torch
from torch import Tensor

from lib.papers import kundu2020_part_losses as losses_of
from lib.papers.kundu2020_model import frozen_statistics
from lib.papers.kundu2020_part_model import figure
from lib.papers.kundu2020_part_trainer import Trainer

__all__ = ["AlgorithmTrainer"]

RATE = 1e-3  # of every AdaGrad; the paper gives none
FINE = 0.4  # share of the iterations in which labels are given


class AlgorithmTrainer(Trainer):
    """Trains one variant by Algorithm 1; labels of a finetuned row have an eighth optimiser."""

    def _plan(self) -> dict[str, int]:
        steps = self.profile.algorithm_steps
        fine = round(FINE * steps) if self.variant.labels != "none" else 0
        return {"base": steps - fine, "fine": fine}

    def _optimisers(self) -> None:
        reading = list(self.model.readers())
        self.halves = {"E": reading, "D": list(self.model.decoder.parameters())}
        self.taught = {
            f"energy_{loss}_{half}": part
            for half, part in self.halves.items()
            for loss in ("pose", "appearance")
        }
        self.taught |= dict.fromkeys(("image_u", "image_c", "seg"), [*reading, *self.halves["D"]])
        if self.variant.labels != "none":
            self.taught["labels"] = reading
        self.optimisers = {name: torch.optim.Adagrad(part, RATE) for name, part in self.taught.items()}

    def step(self, index: int) -> dict[str, Tensor]:
        """One iteration of Algorithm 1."""
        self.shown.clear()
        self.model.train()
        stage = self.stage(index)
        report = {}
        pairs = self.pairs(stage, self.profile.batch)
        if self.prior is not None:
            half = "E" if index % 2 else "D"
            energies = self._energies(pairs)
            self._descend({f"{name}_{half}": loss for name, loss in energies.items()})
            report |= energies
        filmed, seen, appearance = self.filmed_losses(pairs)
        drawn, z, picture = self.prior_losses(seen, appearance, pairs)
        consistency = {"image_u": sum(filmed.values()), "image_c": drawn["image_c"]}
        self._descend(consistency | {"seg": drawn["seg"] + drawn["entropy"]})
        report |= filmed | drawn
        kind, share = self.labels(stage)
        if kind != "none":
            labels = self.label_losses(kind, self.role(stage), share, self.profile.batch)
            self._descend({"labels": sum(labels.values())})
            report |= labels
        report = {name: loss.detach() for name, loss in report.items()}
        return report | self._monitor(index, seen, z, picture)

    def _descend(self, losses: dict[str, Tensor]) -> None:
        """Each loss by its own optimiser, one after the other, with gradients of where they all began."""
        gradients = {
            name: torch.autograd.grad(loss, self.taught[name], retain_graph=True, allow_unused=True)
            for name, loss in losses.items()
        }
        for name, gradient in gradients.items():
            for parameter, value in zip(self.taught[name], gradient, strict=True):
                parameter.grad = value
            self.optimisers[name].step()
            self.optimisers[name].zero_grad(set_to_none=True)

    def _energies(self, pairs: dict[str, Tensor]) -> dict[str, Tensor]:
        """L_pz and L_as of people drawn in poses of the prior."""
        variant, model = self.variant, self.model
        count = max(2, self.profile.batch // 2)
        with torch.no_grad():
            z = self.prior.draw(model, count, variant.mixed, variant.shaken, self.generator)
            code = model.encode_appearance(pairs["source"][:count], self.person(pairs["source_mask"][:count]))
            maps = model.parts(z, self.profile.image // 2).phi_d
        drawn, logits = model.draw(maps, code)
        s = figure(logits)
        picture = s * drawn + (1 - s) * self.behind(count)
        with frozen_statistics(model.encoder), frozen_statistics(model.appearance):
            again = model.encode_appearance(picture, self.person(s.detach()))
            return {
                "energy_pose": losses_of.pose_distance(model.encode_pose(picture), z)["3d"],
                "energy_appearance": (again - code).abs().mean(),
            }
