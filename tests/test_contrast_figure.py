"""The figure of the contrastive flow is drawn, and its table says what must be."""

import re

from contrast_figure import main


def test_figure_and_table(tmp_path, capsys):
    main(["--output", str(tmp_path), "--rows", "5000"])
    rows = [
        list(map(float, re.findall(r"[\d.]+", line)))
        for line in capsys.readouterr().out.splitlines()[2:]
    ]
    assert [row[:2] for row in rows] == [[c, t] for c in (0.5, 1) for t in (2, 4, 6)]
    for row in rows:
        assert row[2] < 0.1  # of few rows
    # The clamp's effect falls with t; that of contrast does not.
    assert rows[3][4] > rows[4][4] > rows[5][4]
    assert rows[5][5] > 0.2
    assert (tmp_path / "contrast.png").stat().st_size > 20_000
    assert (tmp_path / "results.md").read_text(encoding="utf-8").count("\n") == 8
