"""Three views of telescope images: the script, small."""

import images
import numpy as np
import pandas as pd
import telescope_views

from skflow.hillas import CameraGeometry


def test_script(tmp_path, monkeypatch, capsys):
    camera = CameraGeometry.hexagonal(6)
    monkeypatch.setattr(telescope_views, "fetch_fact", lambda: (camera, []))
    options = ["--events", "80", "--steps", "3", "--output", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["telescope_views.py", *options])
    telescope_views.main()
    text = (tmp_path / "telescope_views.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    for sample in ("simulated hadrons", "simulated pedestals", "simulated gammas"):
        assert f"| {sample}" in text
    assert (tmp_path / "telescope-views.png").stat().st_size > 10_000


def test_judged_by_a_threshold_of_other_bulk():
    class View:
        def score_samples(self, X):
            return np.where(X[:, 0] < 0, np.nan, -X[:, 0])

    bulk = np.arange(100.0)[:, None]
    sample = images.Sample("x", np.array([[-1.0], [0.0], [94.0], [95.0]]), list("abcd"))
    table = telescope_views.judge({"v": View()}, bulk, [sample])
    expected = pd.Series([np.nan, 0.0, 0.0, 1.0], name="flagged")
    pd.testing.assert_series_equal(table["flagged"], expected)
