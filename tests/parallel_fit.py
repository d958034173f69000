"""Fits for `torchrun`: each process fits all detectors, and writes what they say of fresh rows."""

import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from torch import distributed

from skflow import AutoencoderDetector, ContrastiveFlowDetector, RealNVPOutlierDetector
from skflow.detectors import _run

SMALL = {"n_blocks": 2, "hidden_features": 16, "max_iter": 60, "random_state": 0}
DETECTORS = {
    "flow": RealNVPOutlierDetector(**SMALL),
    "without held-out rows": RealNVPOutlierDetector(early_stopping=False, **SMALL),
    "contrastive": ContrastiveFlowDetector(**SMALL),
    "exposure": ContrastiveFlowDetector(objective="exposure", **SMALL),
    "autoencoder": AutoencoderDetector(max_iter=60, random_state=0),
    "any seed": RealNVPOutlierDetector(**{**SMALL, "random_state": None}),
}


def fit(folder):
    """Fit all, and write scores, seeds and the rows of a batch."""
    torch.set_num_threads(1)
    rng = np.random.RandomState(0)
    X = rng.normal(size=(900, 3)) ** 3
    y = np.where(np.arange(900) % 9 == 0, -1, 1)
    X[y == -1] += 2
    together = distributed.is_initialized()
    n_rows = []
    batches = _run.batches

    def counted(*args):
        for batch in batches(*args):
            n_rows.append(len(batch.bulk))
            yield batch

    _run.batches = counted
    out = {}
    for name, detector in DETECTORS.items():
        detector.fit(X, y)
        out[name] = detector.score_samples(X)
        out[name + " seed"] = detector.seed_
    _run.batches = batches
    if together:
        out["checkpoint"], out["refused"] = check_checkpoints(Path(folder), X)
    rank = distributed.get_rank() if together else 0
    np.savez(Path(folder) / f"{rank}.npz", n_rows=n_rows, **out)


def check_checkpoints(folder, X):
    """Scores of a fit with one folder for all, twice; and what is said of one folder for each."""
    rank = distributed.get_rank()
    flow = RealNVPOutlierDetector(checkpoint=folder / "shared", **SMALL)
    scores = [flow.fit(X).score_samples(X) for _ in range(2)]
    distributed.barrier()
    if rank == 0:
        shutil.copytree(folder / "shared", folder / "of-0")
    try:
        flow.set_params(checkpoint=folder / f"of-{rank}").fit(X)
    except ValueError as error:
        return scores, str(error)
    return scores, ""


if __name__ == "__main__":
    distributed.init_process_group("gloo")
    fit(sys.argv[1])
    distributed.destroy_process_group()
