"""PyOD's DevNet with its loss as it was published."""

from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from pyod.models import devnet


class RepairedDevNet(devnet.DevNet):
    """Deviation network of Pang, Shen and van den Hengel (KDD 2019, arXiv:1911.08623), from PyOD.

    PyOD 3.6 calls ``deviation_loss(y_true, y_pred)`` with the outputs as labels and the labels as
    outputs, of shapes (n, 1) and (n,), so that all rows are paired with all labels: its scores fall
    without end, fastest for the anomalies, and rank them last. Here each output meets its label.
    """

    def fit(self, X: Any, y: Any) -> "RepairedDevNet":
        """Train on X (n, d) and y (n,), where 1 marks anomalies."""
        published = devnet.deviation_loss

        def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return published(labels[:, None], outputs)

        with patch.object(devnet, "deviation_loss", loss):
            return super().fit(X, y)

    def decision_function(self, X: Any) -> np.ndarray:
        """One output a row; PyOD's own fails where a last batch of 512 has a single row."""
        self.model.eval()
        with torch.no_grad():
            return self.model(torch.as_tensor(X, dtype=torch.float32))[:, 0].numpy()
