"""
Beside PyOD's detectors
=======================

`PyODDetector` makes any of PyOD's tabular detectors a scikit-learn estimator, with the signs and
thresholds of skflow; `compare_detectors` cross-validates them all on the same folds, with
intervals.
"""

import matplotlib.pyplot as plt
import numpy as np
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from sklearn.datasets import load_breast_cancer

from skflow import FlowNeighborsDetector, RealNVPOutlierDetector
from skflow.inspection import compare_detectors
from skflow.interop import PyODDetector

X, y = load_breast_cancer(return_X_y=True)
y = np.where(y == 0, -1, 1)  # malignant tumours are the anomalies
detectors = {
    "RealNVPOutlierDetector": RealNVPOutlierDetector(random_state=0),
    "FlowNeighborsDetector": FlowNeighborsDetector(random_state=0),
    "PyOD KNN": PyODDetector(KNN()),
    "PyOD IForest": PyODDetector(IForest(random_state=0)),
    "PyOD ECOD": PyODDetector(ECOD()),
}
table = compare_detectors(detectors, X, y, metrics=["roc_auc"], cv=3, random_state=0)
print(table.round(3).to_string(index=False))

# %%
# With intervals of 95 % over the rows.

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
error = [table["value"] - table["low"], table["high"] - table["value"]]
ax.errorbar(table["value"], table["detector"], xerr=error, fmt="o", capsize=4)
ax.invert_yaxis()
ax.set(xlabel="AUROC")
plt.show()
