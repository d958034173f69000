"""Figures as plain data."""

from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Lists, numbers of six digits and None for what is not finite: what JSON can say."""
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
