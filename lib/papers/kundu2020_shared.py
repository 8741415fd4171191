"""What the trainers of both papers of Kundu et al., 2020 do alike: draw, judge drawn pictures, be resumed."""

import torch
from torch import Tensor, nn

from lib.losses import l_d, l_d_generator

__all__ = ["Resumable"]


class Resumable:
    """A trainer with a model, optimisers and a generator of its own; `critic` is a discriminator or None."""

    model: nn.Module
    optimisers: dict[str, torch.optim.Optimizer]
    critic: nn.Module | None
    generator: torch.Generator
    device: torch.device
    shown: dict

    def draw_index(self, count: int, batch: int) -> Tensor:
        """Random indices (batch,) below count."""
        return torch.randint(count, (batch,), generator=self.generator, device=self.device)

    def chance(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.device)

    def adversary(self, drawn: Tensor, real: Tensor) -> dict[str, Tensor]:
        """A discriminator of drawn and real pictures, updated here, and what it tells who drew."""
        loss = l_d(self.critic(2 * real - 1), self.critic(2 * drawn.detach() - 1), "squares")
        self.optimisers["critic"].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers["critic"].step()
        self.critic.requires_grad_(False)
        told = l_d_generator(self.critic(2 * drawn - 1), "squares")
        self.critic.requires_grad_(True)
        return {"adversarial": 0.1 * told}

    def state_dict(self) -> dict:
        """All that a later call of `load_state_dict` needs to go on as if never stopped."""
        state = {
            "model": self.model.state_dict(),
            "optimisers": {k: o.state_dict() for k, o in self.optimisers.items()},
            "generator": self.generator.get_state(),
        }
        return state | ({"critic": self.critic.state_dict()} if self.critic is not None else {})

    def load_state_dict(self, state: dict) -> None:
        """Restores what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        if self.critic is not None:
            self.critic.load_state_dict(state["critic"])
        self.generator.set_state(state["generator"].cpu())
        self.shown.clear()
