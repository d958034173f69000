"""Loaders find real data, download it, or say loudly that they simulate."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.utils import Bunch

from skflow.datasets import _magic, fetch_magic, make_hillas


def test_magic_from_the_data_folder(data_folder):
    magic = fetch_magic()
    assert magic.data.shape == (19_020, 10)
    assert (magic.target == 1).sum() == 6_688
    assert magic.source.endswith("magic04.data")
    gammas_bulk = fetch_magic(bulk="gamma", extraction_features=False)
    np.testing.assert_array_equal(gammas_bulk.target, -magic.target)
    np.testing.assert_array_equal(gammas_bulk.data, magic.data[:, :8])
    assert gammas_bulk.feature_names[-1] == "fM3Trans"


def openml_table(n_gammas: int) -> Bunch:
    """What scikit-learn's fetcher returns for the table."""
    data = np.arange(19_020 * 10.0).reshape(-1, 10)
    target = np.repeat(["g", "h"], [n_gammas, 19_020 - n_gammas])
    return Bunch(data=data, target=target)


def test_magic_from_openml(monkeypatch, tmp_path):
    monkeypatch.setenv("SKFLOW_DATA", str(tmp_path))
    asked = {}

    def fetch(name, **options):
        asked.update(options, name=name)
        return openml_table(12_332)

    monkeypatch.setattr(_magic, "fetch_openml", fetch)
    X, y = fetch_magic(data_home=tmp_path, return_X_y=True)
    assert asked["name"] == "MagicTelescope"
    assert asked["data_home"] == tmp_path
    assert X.shape == (19_020, 10)
    assert (y == -1).sum() == 12_332
    monkeypatch.setattr(_magic, "fetch_openml", lambda *a, **k: openml_table(5))
    with pytest.raises(ValueError, match=r"is not the MAGIC table.*got \(5, 19015, 10\)"):
        fetch_magic()


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_magic_offline(monkeypatch, tmp_path, error):
    def fetch(*args, **options):
        raise error("no route to host")

    monkeypatch.delenv("SKFLOW_DATA", raising=False)
    monkeypatch.setattr(_magic, "fetch_openml", fetch)
    with pytest.raises(OSError, match="SKFLOW_DATA names, or OpenML be reachable; got neither"):
        fetch_magic(data_home=tmp_path)
    with pytest.warns(UserWarning, match="NOT AVAILABLE .*no route to host.*: using a SIMULATED"):
        magic = fetch_magic(data_home=tmp_path, if_unavailable="simulate")
    assert magic.data.shape == (19_020, 10)
    assert "simulated" in magic.source


@pytest.mark.parametrize("options", [{"bulk": "muon"}, {"if_unavailable": "guess"}])
def test_magic_bad_options(options):
    with pytest.raises(ValueError, match=r"must be .* or .*; got"):
        fetch_magic(**options)


def test_simulated_showers_look_like_showers():
    X, is_gamma = make_hillas(1500, 1500, random_state=0)
    assert np.isfinite(X).all()
    length, width, size, conc, conc1 = X[:, :5].T
    alpha, dist = X[:, 8:].T
    assert (length > 0).all()
    assert (width > 0).all()
    assert ((conc1 < conc) & (conc < 1)).all()
    assert ((alpha >= 0) & (alpha <= 90) & (dist > 0)).all()
    assert np.corrcoef(size, np.log(length))[0, 1] > 0.4
    assert np.median(alpha[is_gamma]) < 10 < 40 < np.median(alpha[~is_gamma])
    # Told apart with and without alpha, but not perfectly.
    for columns, low, high in ((range(10), 0.9, 0.995), (range(8), 0.75, 0.98)):
        forest = RandomForestClassifier(50, random_state=0)
        auc = cross_val_score(forest, X[:, columns], is_gamma, scoring="roc_auc", cv=3).mean()
        assert low < auc < high
    np.testing.assert_array_equal(X, make_hillas(1500, 1500, random_state=0)[0])
