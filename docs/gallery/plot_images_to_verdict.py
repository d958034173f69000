"""
From camera images to a verdict
===============================

Images of a telescope's camera, simulated, become Hillas parameters, become log-densities, become
candidates: one pipeline. It has learned gammas alone; hadrons are what is unlike them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import Pipeline

from skflow import HillasTransformer, RealNVPOutlierDetector
from skflow.datasets import make_shower_images
from skflow.hillas import CameraGeometry
from skflow.inspection import plot_top_events
from skflow.metrics import roc_auc_score

geometry = CameraGeometry.hexagonal(15)
gammas = make_shower_images(2500, geometry, kind="gamma", random_state=0)
hadrons = make_shower_images(100, geometry, kind="hadron", random_state=1)

pipeline = Pipeline(
    [
        ("hillas", HillasTransformer(geometry)),
        ("flow", RealNVPOutlierDetector(nan_policy="omit", random_state=0)),
    ]
)
pipeline.fit(gammas[:2000])
X, y = np.concatenate([gammas[2000:], hadrons]), np.repeat([1, -1], [500, 100])
survives = pipeline.predict(X) != 0  # cleaning leaves nothing of the faintest
score = -pipeline.score_samples(X)
print(
    "AUROC of those that survive cleaning:", round(roc_auc_score(y[survives], score[survives]), 3)
)
print("AUROC of all, those that are lost last:", round(roc_auc_score(y, score), 3))

# %%
# The least probable events, with their ellipses.

plot_top_events(pipeline, X, n_events=6, geometry=geometry, n_columns=3)
plt.show()
