"""Arithmetic that is the same on all devices; the detectors' parameter is in test_contract.py."""

import torch

from skflow._devices import reproducible


def flags() -> tuple[bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32


def test_convolutions_on_a_gpu_are_exact_for_a_while():
    former = flags()
    assert former == (False, False, True)
    with reproducible(torch.device("cuda")):
        assert flags() == (True, False, False)
    assert flags() == former
    with reproducible(torch.device("cpu")):
        assert flags() == former
