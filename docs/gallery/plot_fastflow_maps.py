"""
Where in the image?
===================

`FastFlowDetector` says how unusual an image is, and where. Digits come with scikit-learn; the
defects are spots that it has never seen.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skflow.images import FastFlowDetector
from skflow.metrics import roc_auc_score

images = load_digits().images / 16
rng = np.random.RandomState(0)
train, test = images[:1500], images[1500:]
damaged, where = test.copy(), np.zeros(test.shape, dtype=bool)
for image, mask in zip(damaged, where):
    i, j = rng.randint(0, 6, size=2)
    mask[i : i + 2, j : j + 2] = True
    image[mask] = 1 - image[mask]

detector = FastFlowDetector(max_iter=150, hidden_features=16, random_state=0).fit(train)
maps = detector.anomaly_map(damaged)
scores = detector.score_samples(np.concatenate([test, damaged]))
truth = np.repeat([1, -1], len(test))
print(f"images: AUROC {roc_auc_score(truth, -scores):.3f}")
print(f"pixels: AUROC {roc_auc_score(np.where(where, -1, 1).ravel(), maps.ravel()):.3f}")

# %%
# Above, images with a spot inverted; below, the map, with the spot outlined.

fig, panels = plt.subplots(2, 6, figsize=(11, 4), layout="constrained")
for (above, below), image, found, mask in zip(panels.T, damaged, maps, where):
    above.imshow(image, cmap="gray_r")
    below.imshow(found, cmap="magma")
    below.contour(mask, levels=[0.5], colors="w")
    above.axis("off")
    below.axis("off")
plt.show()
