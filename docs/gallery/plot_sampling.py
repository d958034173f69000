"""
Sampling from a flow
====================

A flow is a density one can draw from: a check of what it has learned, and a simulator of ordinary
rows.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_moons

from skflow import RealNVPOutlierDetector

X, _ = make_moons(4000, noise=0.1, random_state=0)
flow = RealNVPOutlierDetector(flow="spline", random_state=0).fit(X)
drawn = flow.sample(4000, random_state=0)
print(
    "mean log-density of the data, held out:",
    round(flow.score(make_moons(2000, noise=0.1, random_state=1)[0]), 2),
)

# %%
# Data, draws, and the data in latent space, where they are a normal distribution.

fig, panels = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, rows, title in zip(
    panels, (X, drawn, flow.transform(X)), ("data", "drawn from the flow", "data in latent space")
):
    ax.plot(*rows.T, ".", ms=2)
    ax.set(title=title, aspect="equal")
limits = {"xlim": panels[0].get_xlim(), "ylim": panels[0].get_ylim()}
panels[1].set(**limits)
plt.show()
