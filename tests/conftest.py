"""One thread and one seed for every test."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed():
    """The same random numbers whichever tests run before."""
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=[(), (256,), (3, 4)], ids=["single", "batch", "nested"])
def batch(request):
    return request.param
