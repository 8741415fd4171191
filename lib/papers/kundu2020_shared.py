"""What the trainers of both papers of Kundu et al., 2020 do alike: judge drawn pictures."""

from torch import Tensor, nn

from lib.losses import l_d, l_d_generator
from lib.papers.resumable import Resumable

__all__ = ["Judged"]


class Judged(Resumable):
    """A trainer whose drawn pictures may be judged; `critic` is a discriminator or None."""

    critic: nn.Module | None

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
        critic = {} if self.critic is None else {"critic": self.critic.state_dict()}
        return super().state_dict() | critic

    def load_state_dict(self, state: dict) -> None:
        """Restores what `state_dict` gave."""
        super().load_state_dict(state)
        if self.critic is not None:
            self.critic.load_state_dict(state["critic"])
