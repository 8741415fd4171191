"""What trainers of several papers do alike: draw at random, and be stopped and resumed."""

import torch
from torch import Tensor, nn

__all__ = ["Resumable"]


class Resumable:
    """A trainer with a model, optimisers and a generator of its own.

    shown: what it has worked out of its present weights; a step and a new state clear it.
    """

    model: nn.Module
    optimisers: dict[str, torch.optim.Optimizer]
    generator: torch.Generator
    device: torch.device
    shown: dict

    def draw_index(self, count: int, batch: int) -> Tensor:
        """Random indices (batch,) below count."""
        return torch.randint(count, (batch,), generator=self.generator, device=self.device)

    def chance(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.device)

    def state_dict(self) -> dict:
        """All that a later call of `load_state_dict` needs to go on as if never stopped."""
        return {
            "model": self.model.state_dict(),
            "optimisers": {k: o.state_dict() for k, o in self.optimisers.items()},
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict) -> None:
        """Restores what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.generator.set_state(state["generator"].cpu())
        self.shown.clear()
