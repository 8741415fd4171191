"""Where networks run in bfloat16: on GPUs, and on processors that multiply it in hardware.

Only convolutions and dense layers change type; geometry, losses and metrics stay in float32.
"""

import torch

__all__ = ["autocast", "has_bfloat16", "name"]


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def autocast(device: torch.device) -> torch.autocast:
    """The context that a network's forward pass runs in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


def name(device: torch.device) -> str:
    """What a record says of a run's precision."""
    return "bfloat16 autocast" if has_bfloat16(device) else "float32"
