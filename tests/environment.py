"""Gives each test process folders, queue and secrets of its own, before Portal's settings are read.

Only the engine and the broker are taken from the caller (``DATABASE_URL``, ``CELERY_BROKER_URL``), so that tests
never touch ``var/``, a running demo or another run. ``PORTAL_TEST_VAR`` names a folder to keep; without it the
files live in a temporary folder that is removed at the end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from pathlib import Path

import pytest

from tests import prepared

NOT_FROM_OUTSIDE = (
    "ALLOWED_HOSTS",
    "BROKER_FOLDER",
    "CLOUDBEDS_API_URL",
    "CLOUDBEDS_URL",
    "CSRF_TRUSTED_ORIGINS",
    "DEBUG",
    "HTTPS",
    "PORTAL_BASE_URL",
    "PORTAL_DEMO",
    "SIMLOCK_TOKEN",
    "SIMLOCK_URL",
)
PLUGINS = (  # workers of xdist read this variable before the settings
    "tests.environment,tests.groups,tests.report"
)
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def _choose_environment() -> Path | None:
    """Set the variables; the folder to remove at the end, if this process made it."""
    for name in NOT_FROM_OUTSIDE:
        os.environ.pop(name, None)
    made = None
    if not os.environ.get("PORTAL_TEST_VAR"):
        made = Path(tempfile.mkdtemp(prefix="portal-test-"))
        os.environ["PORTAL_TEST_VAR"] = str(made)
    folder = Path(os.environ["PORTAL_TEST_VAR"]) / (WORKER or "main")
    (folder / "static").mkdir(parents=True, exist_ok=True)
    os.environ["PORTAL_VAR"] = str(folder)
    os.environ["CELERY_QUEUE"] = f"test-{WORKER or 'main'}-{uuid.uuid4().hex[:12]}"
    os.environ["PYTEST_PLUGINS"] = PLUGINS
    return made


MADE = _choose_environment()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    if MADE is not None:
        prepared.forget(MADE)
        shutil.rmtree(MADE, ignore_errors=True)
