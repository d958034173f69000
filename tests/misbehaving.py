"""Detectors that fail in many ways, for the tests of the benchmark's runner."""

import ctypes
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator


class Norm(BaseEstimator):
    """Minus the distance from zero, after whatever a subclass does first."""

    def fit(self, X, y=None):
        self.misbehave(X)
        self.fitted_ = True
        return self

    def misbehave(self, X):
        pass

    def score_samples(self, X):
        return -np.linalg.norm(X, axis=1)


class Halves(BaseEstimator):
    """A transformer that keeps what it was fitted to, and what it was asked to transform."""

    def fit(self, X, y=None):
        self.fitted_to_, self.seen_ = X, []
        return self

    def transform(self, X):
        self.seen_ += [len(X)]
        return X[:, : X.shape[1] // 2]


class Keeper(Norm):
    """Writes down what it is fitted to."""

    def __init__(self, path):
        self.path = path

    def misbehave(self, X):
        np.save(self.path, X)


class Random(Norm):
    """Draws from the global generator."""

    def score_samples(self, X):
        return np.random.normal(size=len(X))


class Auxiliary(Norm):
    """Takes an auxiliary sample, and keeps what it got."""

    __metadata_request__fit = {"X_contrast": True}

    def fit(self, X, y=None, X_contrast=None):
        self.given_ = X, y, X_contrast
        return super().fit(X)


class Sleeper(Norm):
    """Sleeps, after saying so in a file."""

    def __init__(self, seconds=60.0, marker=None):
        self.seconds = seconds
        self.marker = marker

    def misbehave(self, X):
        if self.marker:
            Path(self.marker).write_text("asleep")
        time.sleep(self.seconds)


class Glutton(Norm):
    def misbehave(self, X):
        rows = []
        while True:
            rows.append(np.ones(2**20))  # 8 MiB


class Raiser(Norm):
    def misbehave(self, X):
        raise ValueError("first line\n  second line")


class Exiter(Norm):
    def misbehave(self, X):
        os._exit(3)


class Crasher(Norm):
    def misbehave(self, X):
        ctypes.string_at(0)


class Chatterer(Norm):
    def misbehave(self, X):
        for i in range(1000):
            print("chatter on standard output")
            warnings.warn(f"chatter in a warning {i}", stacklevel=1)
        sys.stdout.flush()


class NotFinite(Norm):
    def score_samples(self, X):
        scores = super().score_samples(X)
        scores[:3] = np.nan, np.inf, -np.inf
        return scores


class Labelled(Norm):
    """Can only score when it was given labels of both classes."""

    def fit(self, X, y=None):
        self.labels_ = None if y is None else sorted(set(y))
        return self

    def score_samples(self, X):
        if self.labels_ != [-1, 1]:
            raise ValueError(f"labels {self.labels_}")
        return super().score_samples(X)


class SlowAtFirst(Norm):
    """Takes half a second at its first fit in a process, like one that compiles."""

    used = False

    def misbehave(self, X):
        if not SlowAtFirst.used:
            time.sleep(0.5)
        SlowAtFirst.used = True


class Threaded(Norm):
    """Leaves a thread behind, and does not bear that its process has had one."""

    used = False

    def misbehave(self, X):
        if Threaded.used:
            raise RuntimeError("used before in this process")
        Threaded.used = True
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()


class DeadOnArrival(Norm):
    """Takes its process down when it is made."""

    def __init__(self):
        os._exit(3)
