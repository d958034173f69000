"""A fit in a process that can be killed at any time, or while it writes a checkpoint."""

import os
import time

import numpy as np
import torch

import skflow._files
from skflow import ContrastiveFlowDetector


def rows():
    """Rows and labels, the same in every process."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(600, 3))
    return X, np.where(X[:, 0] + 0.5 * rng.normal(size=600) > 2, -1, 1)


def fit(folder, result, begun, writing=None, at=0):
    """Fit and write the weights; or stop half-way through checkpoint number `at` and say so."""
    torch.set_num_threads(1)
    if writing is not None:
        skflow._files.os = _HalfWriting(writing, at)
    begun.set()
    detector = ContrastiveFlowDetector(
        n_blocks=1, hidden_features=8, checkpoint=folder, random_state=0
    )
    detector.fit(*rows())
    np.savez(result, offset=detector.offset_, n_iter=detector.n_iter_, **detector.weights_)


class _HalfWriting:
    """The module os, but for files of which half is written."""

    def __init__(self, writing, at):
        self.writing = writing
        self.left = at

    def __getattr__(self, name):
        return getattr(os, name)

    def fdopen(self, handle, mode):
        file = os.fdopen(handle, mode)
        self.left -= 1
        if self.left >= 0:
            return file
        whole = file.write

        def half(data):
            whole(data[: len(data) // 2])
            file.flush()
            self.writing.set()
            time.sleep(600)

        file.write = half
        return file
