"""Explanations as pictures."""

from typing import Any

import numpy as np

from ._axes import ANOMALY, BULK, axes_of


class ContributionsDisplay:
    """Bars of what each feature says about one event, the strongest first.

    `from_explanation` draws a row of `explain`, whose bars sum to the score less the baseline, and
    `from_nearest_normal` a row of `nearest_normal`, in standard deviations and with both values.

    Parameters
    ----------
    contributions : mapping or pandas.Series of str to float
        Bars by feature.
    label : str, default="contribution to the score"
        Label of the axis.
    notes : sequence of str, default=None
        Text beside each bar.
    title : str, default=None
        Title.

    Attributes
    ----------
    features_ : list of str
        Features drawn, from the top, after `plot`.
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn, after `plot`.

    Raises
    ------
    ValueError
        If no contribution is finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import MahalanobisDetector
    >>> from skflow.inspection import ContributionsDisplay, explain
    >>> X = np.random.RandomState(0).normal(size=(1000, 3))
    >>> contributions = explain(MahalanobisDetector().fit(X), [[0.0, 5.0, 1.0]])
    >>> display = ContributionsDisplay.from_explanation(contributions)
    >>> display.features_
    ['x1', 'x2', 'x0']
    """

    def __init__(
        self,
        contributions: Any,
        *,
        label: str = "contribution to the score",
        notes: Any = None,
        title: str | None = None,
    ):
        contributions = dict(contributions)
        self.names = [str(name) for name in contributions]
        self.values = np.array(list(contributions.values()), dtype=np.float64)
        if not np.isfinite(self.values).any():
            raise ValueError("contributions must be finite for some features; got none")
        self.label = label
        self.notes = None if notes is None else [str(note) for note in notes]
        self.title = title

    @classmethod
    def from_explanation(
        cls, contributions: Any, row: int = 0, *, ax: Any = None, **options: Any
    ) -> "ContributionsDisplay":
        """Draw the contributions to the score of one event.

        Parameters
        ----------
        contributions : pandas.DataFrame
            Result of `explain`.
        row : int, default=0
            Position of the event.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            As for `plot`.

        Returns
        -------
        display : ContributionsDisplay
        """
        own = contributions.iloc[row]
        title = f"score {own.sum():.1f}, {own['baseline']:.1f} of ordinary events"
        return cls(own.drop("baseline"), title=title).plot(ax=ax, **options)

    @classmethod
    def from_nearest_normal(
        cls, nearest: Any, row: int = 0, *, ax: Any = None, **options: Any
    ) -> "ContributionsDisplay":
        """Draw by how much an event differs from the ordinary one that it would have been.

        Parameters
        ----------
        nearest : NearestNormal
            Result of `nearest_normal`.
        row : int, default=0
            Position of the event.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **options : dict
            As for `plot`.

        Returns
        -------
        display : ContributionsDisplay
        """
        normal, difference = nearest.rows.iloc[row], nearest.difference.iloc[row]
        notes = [f"{n + d:.3g} for {n:.3g}" for n, d in zip(normal, difference, strict=True)]
        label = "less the ordinary event, in standard deviations"
        # Above and below are equally strange: one colour.
        display = cls(nearest.deviations.iloc[row], label=label, notes=notes)
        return display.plot(ax=ax, **options)

    def plot(self, ax: Any = None, *, max_features: int = 12) -> "ContributionsDisplay":
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        max_features : int, default=12
            Number of features, those of the largest bars.

        Returns
        -------
        self : object
        """
        self.ax_, self.figure_ = axes_of(ax)
        size = np.where(np.isfinite(self.values), np.abs(self.values), -1)
        order = np.argsort(-size, kind="stable")[:max_features]
        self.features_ = [self.names[j] for j in order]
        values = self.values[order]
        places = np.arange(len(order))
        colors = np.where((values < 0) & (self.notes is None), ANOMALY, BULK)
        bars = self.ax_.barh(places, values, color=colors)
        if self.notes is not None:
            self.ax_.bar_label(bars, [self.notes[j] for j in order], padding=3, fontsize="small")
            self.ax_.margins(x=0.3)
        self.ax_.axvline(0, color="black", linewidth=0.8)
        self.ax_.set_yticks(places, self.features_)
        self.ax_.invert_yaxis()
        self.ax_.set(xlabel=self.label, title=self.title or "")
        return self
