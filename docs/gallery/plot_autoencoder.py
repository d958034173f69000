"""
Autoencoder against flow
========================

An autoencoder's score is how badly it rebuilds a row; a flow's is a density. Where the bulk is a
thin curve, the autoencoder that has room for it rebuilds points off the curve as well, and the
flow knows how improbable they are.
"""

import matplotlib.pyplot as plt
import numpy as np

from skflow import AutoencoderDetector, RealNVPOutlierDetector

rng = np.random.RandomState(0)
angle = rng.uniform(0, 2 * np.pi, size=4000)
ring = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.normal(2, 0.15, size=(4000, 1))
detectors = {
    "autoencoder, 1 latent feature": AutoencoderDetector(latent_features=1, random_state=0),
    "autoencoder, 2 latent features": AutoencoderDetector(latent_features=2, random_state=0),
    "flow": RealNVPOutlierDetector(random_state=0),
}
axis = np.linspace(-4, 4, 121)
grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

fig, panels = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
for ax, (name, detector) in zip(panels, detectors.items()):
    detector.fit(ring)
    score = detector.decision_function(grid).reshape(121, 121)
    ax.contourf(axis, axis, score, levels=np.quantile(score, np.linspace(0, 1, 30)), cmap="Blues")
    ax.contour(axis, axis, score, levels=[0], colors="C3")  # inside: ordinary
    ax.plot(*ring[:300].T, ".", ms=2, color="k")
    ax.set(title=name, aspect="equal")
plt.show()
