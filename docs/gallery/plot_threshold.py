"""
Thresholds that hold, and false discoveries
===========================================

A score becomes a decision. `ConformalDetector` promises the rate of false alarms for any detector,
and selects candidates of which only a given share is false, on average.
"""

import matplotlib.pyplot as plt
import numpy as np

from skflow import RealNVPOutlierDetector
from skflow.calibration import ConformalDetector

rng = np.random.RandomState(0)
bulk = rng.standard_t(5, size=(3000, 4))
night = np.concatenate([rng.standard_t(5, size=(1900, 4)), rng.normal(4, 1, size=(100, 4))])
is_rare = np.arange(2000) >= 1900

detector = ConformalDetector(RealNVPOutlierDetector(random_state=0), alpha=0.01, random_state=0)
detector.fit(bulk)
alarms = detector.predict(night) == -1
print(f"false alarms: {alarms[~is_rare].mean():.3f} (promised: 0.01)")

# %%
# Candidates with a false-discovery rate of 10 % (Benjamini and Hochberg).

candidates = detector.select(night, fdr=0.1)
print(f"{candidates.sum()} candidates, {np.mean(~is_rare[candidates]):.0%} of them false")

# %%
# p-values of ordinary rows are uniform; those of rare rows are small.

p = detector.p_values(night)
fig, ax = plt.subplots(layout="constrained")
ax.hist([p[~is_rare], p[is_rare]], bins=20, stacked=True, label=["ordinary", "rare"])
ax.set(xlabel="p-value", ylabel="rows")
ax.legend()
plt.show()
