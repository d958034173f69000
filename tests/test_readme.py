"""The README's example runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_python_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 1
    scope: dict = {}  # each block goes on from those before
    for block in blocks:
        exec(compile(block, str(README), "exec"), scope)
    assert scope["search"].best_score_ > 0.8
