"""Precision: what is multiplied in bfloat16, where, and what a record says of it."""

import pytest
import torch

from lib import precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("has", "dtype", "name"),
    [(True, torch.bfloat16, "bfloat16 autocast"), (False, torch.float32, "float32")],
)
def test_networks_run_in_what_the_record_says(monkeypatch, has, dtype, name):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: has)
    assert precision.name(CPU) == name
    layer, x = torch.nn.Linear(4, 4), torch.randn(2, 4)
    with precision.autocast(CPU):
        assert layer(x).dtype == dtype
    assert layer(x).dtype == torch.float32  # geometry, losses and metrics
    assert layer.weight.dtype == torch.float32


def test_a_processor_is_asked_for_its_hardware(monkeypatch):
    for answer in (True, False):
        monkeypatch.setattr(
            torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda answer=answer: answer, raising=False
        )
        assert precision.has_bfloat16(CPU) == answer
    assert precision.has_bfloat16(torch.device("mps")) is False


def test_a_gpu_is_asked_for_its_hardware(monkeypatch):
    for answer in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda answer=answer: answer)
        assert precision.has_bfloat16(torch.device("cuda")) == answer
