"""
What a contrastive flow learns
==============================

In one dimension the answer is known: a flow that makes the bulk p likely and a contrast sample q
unlikely (Schmier et al., arXiv:2208.14024, eq. 3) tends to the positive part of p - c q, which is
zero wherever q is larger.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from skflow import ContrastiveFlowDetector

rng = np.random.RandomState(0)
bulk, contrast = rng.normal(0, 1, size=(20_000, 1)), rng.normal(1, 2, size=(20_000, 1))
detector = ContrastiveFlowDetector(
    contrast_weight=1.0, clamp=6.0, noise=0, contrast_noise=0, warm_up=0.2, max_iter=1000,
    batch_size=1024, learning_rate=5e-3, early_stopping=False, contamination=0.05, random_state=0,
)  # fmt: skip
detector.fit(bulk, X_contrast=contrast)

# %%
# Its score is the logarithm of what it learned; beside it the answer, normalised.

x = np.linspace(-6, 8, 1001)
p, q = norm.pdf(x), norm.pdf(x, 1, 2)
difference = np.clip(p - q, 0, None)
fig, ax = plt.subplots(layout="constrained")
ax.fill_between(x, p, color="0.9", label="bulk p")
ax.plot(x, q, color="0.6", ls=":", label="contrast q")
ax.plot(x, difference / np.trapezoid(difference, x), color="C1", label="(p - q)+, normalised")
ax.plot(x, np.exp(detector.score_samples(x[:, None])), color="C3", label="learned")
ax.set(xlabel="x", ylabel="density", xlim=(-5, 5))
ax.legend()
plt.show()
