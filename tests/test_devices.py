"""Arithmetic that is the same on all devices; the detectors' parameter is in test_contract.py."""

import torch

from skflow._devices import reproducible, without_onednn


def flags() -> tuple[bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32


def test_convolutions_on_a_gpu_are_exact_for_a_while(monkeypatch):
    for name, value in (("deterministic", False), ("benchmark", True), ("allow_tf32", True)):
        monkeypatch.setattr(torch.backends.cudnn, name, value)
    former = flags()
    first, second = reproducible(torch.device("cuda")), reproducible(torch.device("cuda"))
    # As two threads that overlap: the first to begin is the first to end.
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert flags() == (True, False, False)
    second.__exit__(None, None, None)
    assert flags() == former
    with reproducible(torch.device("cpu")):
        assert flags() == former


def test_without_onednn_for_a_while():
    former = torch.backends.mkldnn.enabled
    with without_onednn():
        with without_onednn():
            assert not torch.backends.mkldnn.enabled
        assert not torch.backends.mkldnn.enabled
    assert torch.backends.mkldnn.enabled == former
