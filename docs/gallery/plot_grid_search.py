"""
Grid search, with labels and without
====================================

Parameters are scikit-learn's, and so are searches. Without labels a flow is judged by the log-
density of held-out rows; with labels by any scorer.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from skflow import ContrastiveFlowDetector, RealNVPOutlierDetector
from skflow.datasets import make_hillas
from skflow.metrics import get_scorer

X, is_gamma = make_hillas(n_gammas=100, n_hadrons=1000, random_state=0)
y = np.where(is_gamma, -1, 1)

grid = {"n_blocks": [2, 8], "learning_rate": [1e-3, 1e-2]}
flow = RealNVPOutlierDetector(max_iter=300, random_state=0)
blind = GridSearchCV(flow, grid, cv=2).fit(X[~is_gamma])
print("by log-density:", blind.best_params_)

# %%
# The same for a contrastive flow, by what it finds among rows with labels.

folds = StratifiedKFold(2, shuffle=True, random_state=0)
grid = {"contrast_weight": [0.3, 1.0, 3.0]}
flow = ContrastiveFlowDetector(max_iter=300, random_state=0)
search = GridSearchCV(flow, grid, scoring=get_scorer("roc_auc"), cv=folds).fit(X, y)

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
results = search.cv_results_
ax.errorbar(
    grid["contrast_weight"], results["mean_test_score"], yerr=results["std_test_score"], fmt="o-"
)
ax.set(xscale="log", xlabel="contrast_weight", ylabel="AUROC, held out")
plt.show()
