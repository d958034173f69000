"""
How many labels does a rare event need?
=======================================

Gammas among hadrons are rare, but look ordinary: a flow of hadrons alone ranks them near chance. A
few labelled gammas change that. `RareEventDetector` is one default from no label to thousands.
"""

import matplotlib.pyplot as plt
import numpy as np

from skflow import RareEventDetector
from skflow.datasets import make_hillas
from skflow.metrics import bootstrap_interval, roc_auc_score

X, is_gamma = make_hillas(n_gammas=1000, n_hadrons=1500, random_state=0)
gammas, hadrons = np.flatnonzero(is_gamma), np.flatnonzero(~is_gamma)
test = np.concatenate([gammas[50:], hadrons[300:]])
truth = np.where(is_gamma[test], -1, 1)

n_labels, figures = [0, 5, 50], []
for n in n_labels:
    train = np.concatenate([hadrons[:300], gammas[:n]])
    detector = RareEventDetector(random_state=0)
    detector.fit(X[train], np.where(is_gamma[train], -1, 1))
    scores = -detector.score_samples(X[test])
    found = bootstrap_interval(roc_auc_score, truth, scores, random_state=0)
    figures.append(found)
    print(f"{n:3} labels: AUROC {found.value:.3f} ({found.low:.3f} to {found.high:.3f})")

# %%
# With intervals of 95 % over the test rows.

auroc, low, high = np.transpose(figures)
fig, ax = plt.subplots(layout="constrained")
ax.errorbar(n_labels, auroc, yerr=[auroc - low, high - auroc], marker="o", capsize=4)
ax.axhline(0.5, color="0.7", ls="--")
ax.set(xscale="symlog", xlabel="labelled gammas", ylabel="AUROC", xticks=n_labels)
ax.set_xticklabels(n_labels)
plt.show()
