"""
Why is it unusual, and what would be normal?
============================================

What each feature adds to the score of a row, and the nearest row that would have been ordinary.
"""

import matplotlib.pyplot as plt
import numpy as np

from skflow import RealNVPOutlierDetector
from skflow.inspection import ContributionsDisplay, explain, nearest_normal

rng = np.random.RandomState(0)
radius = rng.normal(size=2000)
X = np.column_stack([radius, radius**2, rng.normal(size=(2000, 2))]) + 0.1 * rng.normal(
    size=(2000, 4)
)
detector = RealNVPOutlierDetector(random_state=0).fit(X)

# %%
# Each feature of this row is ordinary by itself; the second one does not go with the first.

odd = np.array([[0.0, 3.0, 0.0, 0.0]])
print("flagged:", detector.predict(odd)[0] == -1)
explanation = explain(detector, odd, background=X, random_state=0)
normal = nearest_normal(detector, odd)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
ContributionsDisplay.from_explanation(explanation, ax=left)
right.plot(X[:, 0], X[:, 1], ".", ms=2, color="0.7")
right.plot(*odd[0, :2], "o", color="C3", label="row")
right.plot(*normal.rows.to_numpy()[0, :2], "o", color="C0", label="nearest ordinary row")
right.set(xlabel="x0", ylabel="x1")
right.legend()
plt.show()
