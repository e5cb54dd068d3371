"""Tests of one group run in one process of xdist; the others spread."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest
pytestmark = pytest.mark.xdist_group("{group}")

@pytest.mark.parametrize("n", range(4))
def test_it(n, worker_id):
    print("ran", "{group}", worker_id)
"""


def test_tests_of_one_group_run_in_one_process(tmp_path):
    for group in ("a", "b"):
        (tmp_path / f"test_{group}.py").write_text(TESTS.format(group=group))
    command = [sys.executable, "-m", "pytest", str(tmp_path), "-c", str(ROOT / "pyproject.toml")]
    options = ["-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", "-rP"]
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PORTAL_"))}
    done = subprocess.run(
        [*command, *options], cwd=ROOT, env=own, capture_output=True, text=True, check=False
    )
    ran = re.findall(r"ran (\w) (gw\d)", done.stdout)
    assert len(ran) == 8, done.stdout + done.stderr
    assert len({worker for group, worker in ran if group == "a"}) == 1
    assert {worker for _, worker in ran} == {"gw0", "gw1"}
