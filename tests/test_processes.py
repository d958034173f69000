"""Data-parallel training: two processes of torchrun learn what one does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import parallel_fit
import pytest

SCRIPT = Path(parallel_fit.__file__)


@pytest.mark.skipif(sys.platform == "win32", reason="torch's gloo needs another set-up there")
def test_two_processes_learn_what_one_does(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    parallel_fit.fit(tmp_path / "one")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [*command, "--nproc-per-node=2", str(SCRIPT), str(tmp_path / "two")],
        check=True,
        capture_output=True,
        timeout=300,
    )
    one = np.load(tmp_path / "one" / "0.npz")
    first, second = (np.load(tmp_path / "two" / f"{rank}.npz") for rank in range(2))
    assert set(one["n_rows"]) == {256}
    assert set(first["n_rows"]) == set(second["n_rows"]) == {128}
    for rank in (first, second):
        np.testing.assert_array_equal(*rank["checkpoint"])
        assert "checkpoint must be a folder that all processes share" in str(rank["refused"])
    for name in parallel_fit.DETECTORS:
        # Both processes have the same detector, bit for bit, even where the seed is anyone's.
        np.testing.assert_array_equal(first[name], second[name])
        assert first[name + " seed"] == second[name + " seed"]
        if name != "any seed":
            spread = one[name].std()
            np.testing.assert_allclose(first[name], one[name], rtol=1e-3, atol=1e-3 * spread)
