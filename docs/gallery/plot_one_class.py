"""
One class: what is unlike all gammas
====================================

An unknown kind of anomaly: the flow sees the bulk alone. The table is simulated after the MAGIC
telescope's (`fetch_magic` has the real one), gammas are the bulk and hadrons are the anomalies.
"""

import matplotlib.pyplot as plt
import numpy as np

from skflow import MahalanobisDetector, RealNVPOutlierDetector
from skflow.datasets import make_hillas
from skflow.inspection import RocCurveDisplay, ScoreHistogramDisplay
from skflow.metrics import roc_auc_score

X, is_gamma = make_hillas(n_gammas=4000, n_hadrons=1000, random_state=0)
y = np.where(is_gamma, 1, -1)
train = np.flatnonzero(is_gamma)[:3000]
test = np.setdiff1d(np.arange(len(X)), train)

flow = RealNVPOutlierDetector(random_state=0).fit(X[train])
mahalanobis = MahalanobisDetector().fit(X[train])
for detector in (flow, mahalanobis):
    print(
        type(detector).__name__, round(roc_auc_score(y[test], -detector.score_samples(X[test])), 3)
    )

# %%
# Anomalies found against false alarms, and the scores of both kinds with the threshold.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
RocCurveDisplay.from_estimator(flow, X[test], y[test], ax=left)
RocCurveDisplay.from_estimator(mahalanobis, X[test], y[test], ax=left)
ScoreHistogramDisplay.from_estimator(flow, X[test], y[test], ax=right)
plt.show()
