"""
More rows than memory
=====================

Batches from anywhere, read once: here from a generator that stands for a night of files. What is
kept is a uniform sample, so the order of the rows does not matter; then all rows are scored, batch
by batch.
"""

import matplotlib.pyplot as plt
import numpy as np

from skflow import RealNVPOutlierDetector
from skflow.datasets import make_hillas


def night(n_batches=20):
    for seed in range(n_batches):
        X, _ = make_hillas(n_gammas=5, n_hadrons=5000, random_state=seed)
        yield X


detector = RealNVPOutlierDetector(random_state=0)
detector.fit_stream(night(), reservoir_size=20_000)

# %%
# The rate of alarms from file to file: where it jumps, something has changed.

rates = [(detector.predict(X) == -1).mean() for X in night()]
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(100 * np.array(rates), "o-")
ax.axhline(5, color="0.7", ls="--", label="5 %: contamination='auto'")
ax.set(xlabel="file", ylabel="alarms in %", ylim=(0, 8))
ax.legend()
plt.show()
