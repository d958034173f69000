"""A multi-layer perceptron for classes of very different size."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state, check_X_y
from sklearn.utils.validation import check_is_fitted

#: Steps in one call of scikit-learn's `partial_fit`.
STEPS_A_CALL = 50


class BalancedMLPClassifier(ClassifierMixin, BaseEstimator):
    """A multi-layer perceptron that sees as many rows of each class, for a few steps.

    Parameters
    ----------
    n_steps : int, default=300
        Steps of the optimiser.
    batch_size : int, default=256
        Rows of a step, the same number of each class, drawn with replacement.
    hidden_layer_sizes, alpha, learning_rate_init : default=(128, 128), 1e-4 and 1e-3
        As in `sklearn.neural_network.MLPClassifier`, all else of which is at its default.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights and the draws.
    """

    def __init__(
        self,
        *,
        n_steps: int = 300,
        batch_size: int = 256,
        hidden_layer_sizes: Any = (128, 128),
        alpha: float = 1e-4,
        learning_rate_init: float = 1e-3,
        random_state: Any = None,
    ):
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.learning_rate_init = learning_rate_init
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "BalancedMLPClassifier":
        """Train on X (n, d) and the classes y (n,), at least two of them.

        Weights (n,) are how often rows are drawn, compared with others of their class.
        """
        X, y = check_X_y(X, y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y must hold at least two classes; got {self.classes_}")
        rng = check_random_state(self.random_state)
        rows = [np.flatnonzero(y == label) for label in self.classes_]
        shares: list[Any] = [None for _ in rows]
        if sample_weight is not None:
            weight = np.asarray(sample_weight)
            shares = [weight[own] / weight[own].sum() for own in rows]
        n_each = max(self.batch_size // len(rows), 1)
        self.model_ = MLPClassifier(
            self.hidden_layer_sizes,
            alpha=self.alpha,
            batch_size=n_each * len(rows),
            shuffle=False,
            learning_rate_init=self.learning_rate_init,
            random_state=rng.randint(2**31 - 1),
        )
        batches = [
            np.concatenate(
                [rng.choice(own, n_each, p=p) for own, p in zip(rows, shares, strict=True)]
            )
            for _ in range(self.n_steps)
        ]
        # Each call checks all it is given, which takes longer than a step.
        for start in range(0, self.n_steps, STEPS_A_CALL):
            drawn = np.concatenate(batches[start : start + STEPS_A_CALL])
            self.model_.partial_fit(X[drawn], y[drawn], classes=self.classes_)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, n_classes) of each class for the rows of X."""
        check_is_fitted(self)
        return self.model_.predict_proba(X)

    def predict(self, X: Any) -> np.ndarray:
        """Classes (n,) of the rows of X."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
