"""The README's example runs as it stands, and so does that of the page on images."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run_blocks(path):
    """Run the Python blocks of a page, each going on from those before."""
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 1
    scope: dict = {}
    for block in blocks:
        exec(compile(block, str(path), "exec"), scope)
    return scope


def test_python_example_runs():
    assert run_blocks(ROOT / "README.md")["search"].best_score_ > 0.8


def test_page_on_images(capsys):
    scope = run_blocks(ROOT / "docs" / "photos.md")
    assert float(capsys.readouterr().out) > 0.8
    assert scope["detector"].score_samples(scope["bulk"]).shape == (300,)
