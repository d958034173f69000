"""The MAGIC gamma-telescope table: Hillas parameters of simulated air showers."""

import os
import warnings
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from ._simulated import make_hillas

MAGIC_FEATURES = (
    "fLength",
    "fWidth",
    "fSize",
    "fConc",
    "fConc1",
    "fAsym",
    "fM3Long",
    "fM3Trans",
    "fAlpha",
    "fDist",
)
#: What a telescope uses to extract a signal; a fair classifier of showers does without.
EXTRACTION_FEATURES = ("fAlpha", "fDist")
N_GAMMAS, N_HADRONS = 12_332, 6_688


def fetch_magic(
    *,
    bulk: str = "hadron",
    extraction_features: bool = True,
    data_home: str | os.PathLike[str] | None = None,
    if_unavailable: str = "raise",
    return_X_y: bool = False,
) -> Any:
    """Fetch the MAGIC gamma-telescope table (19,020 simulated showers).

    Read from ``iact/magic04.data`` under the folder named by the environment variable
    ``SKFLOW_DATA`` where there is one, else downloaded from OpenML and cached.

    Parameters
    ----------
    bulk : {"hadron", "gamma"}, default="hadron"
        Which class is the bulk (+1); the other one is rare (-1).
    extraction_features : bool, default=True
        Keep fAlpha and fDist, with which the telescope extracts its signal. They make the
        classes easier to tell apart: report results with and without them.
    data_home : path-like or None, default=None
        Cache folder of the download; scikit-learn's by default.
    if_unavailable : {"raise", "simulate"}, default="raise"
        What to do where the table is neither there nor can be downloaded: raise, or warn
        loudly and simulate one (`make_hillas`).
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of the Bunch.

    Returns
    -------
    magic : sklearn.utils.Bunch
        ``data`` (19020, 10 or 8) float64, in mm, log10 photons and degrees; ``target`` of +1
        and -1; ``feature_names``; ``source``, where the rows came from; ``DESCR``.

    Raises
    ------
    OSError
        If the table is neither there nor can be downloaded.
    ValueError
        If `bulk` or `if_unavailable` is none of its values, or the file is not the MAGIC table.

    References
    ----------
    .. [1] Bock et al., "Methods for multidimensional event classification: a case study using
       images from a Cherenkov gamma-ray telescope", NIM A 516, 2004.

    Examples
    --------
    >>> from skflow.datasets import fetch_magic
    >>> magic = fetch_magic(bulk="gamma", if_unavailable="simulate")
    >>> magic.data.shape
    (19020, 10)
    """
    if bulk not in ("hadron", "gamma"):
        raise ValueError(f"bulk must be 'hadron' or 'gamma'; got {bulk!r}")
    if if_unavailable not in ("raise", "simulate"):
        raise ValueError(f"if_unavailable must be 'raise' or 'simulate'; got {if_unavailable!r}")
    try:
        data, is_gamma, source = _read(data_home)
    except OSError as error:
        if if_unavailable == "raise":
            raise OSError(
                "the MAGIC table must be at iact/magic04.data under the folder that SKFLOW_DATA "
                f"names, or OpenML be reachable; got neither ({error})"
            ) from error
        warnings.warn(
            f"THE MAGIC TABLE IS NOT AVAILABLE ({error}): using a SIMULATED table in its place; "
            "results on it say nothing about a telescope",
            UserWarning,
            stacklevel=2,
        )
        data, is_gamma = make_hillas(N_GAMMAS, N_HADRONS, random_state=0)
        source = "simulated by skflow.datasets.make_hillas"
    names = [
        name for name in MAGIC_FEATURES if extraction_features or name not in EXTRACTION_FEATURES
    ]
    data = data[:, [MAGIC_FEATURES.index(name) for name in names]]
    target = np.where(is_gamma == (bulk == "gamma"), 1, -1)
    if return_X_y:
        return data, target
    return Bunch(data=data, target=target, feature_names=names, source=source, DESCR=DESCR)


def _read(data_home: Any) -> tuple[np.ndarray, np.ndarray, str]:
    """Read the table from SKFLOW_DATA, else from OpenML, and check that it is the one."""
    folder = os.environ.get("SKFLOW_DATA")
    path = Path(folder, "iact", "magic04.data") if folder else None
    if path is not None and path.exists():
        rows = np.loadtxt(path, delimiter=",", dtype=str)
        data, label, source = rows[:, :-1].astype(np.float64), rows[:, -1], str(path)
    else:
        try:
            table = fetch_openml(
                "MagicTelescope",
                version=1,
                as_frame=False,
                parser="liac-arff",  # the other one needs pandas
                data_home=data_home,
            )
        except (ValueError, HTTPException) as error:  # OpenML is there, but not well
            raise OSError(f"OpenML gave no table: {error}") from error
        data, label = np.asarray(table.data, dtype=np.float64), np.asarray(table.target)
        # OpenML numbers the rows in a first column.
        data, source = data[:, -len(MAGIC_FEATURES) :], "OpenML, MagicTelescope version 1"
    counts = (int((label == "g").sum()), int((label == "h").sum()), data.shape[1])
    if counts != (N_GAMMAS, N_HADRONS, len(MAGIC_FEATURES)):
        raise ValueError(
            f"{source} is not the MAGIC table: it must have {N_GAMMAS} gammas, {N_HADRONS} "
            f"hadrons and {len(MAGIC_FEATURES)} features; got {counts}"
        )
    return data, label == "g", source


DESCR = """MAGIC gamma-telescope table

19,020 showers simulated for an imaging Cherenkov telescope, 12,332 gammas and 6,688 hadrons,
each with ten Hillas parameters of its cleaned camera image: length and width (mm), size (log10
of the photons), concentrations, asymmetry and third moments (mm), alpha (degrees) and distance
(mm). UCI Machine Learning Repository, CC BY 4.0. Both classes are simulated, and fAlpha and
fDist depend on where the source stands.
"""
