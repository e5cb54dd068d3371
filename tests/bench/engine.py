"""One engine's figures in one process: ``python -m tests.bench.engine --out FILE [figure…]``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import uuid
from importlib import import_module
from pathlib import Path

import django
from django.conf import settings


def main() -> int:
    """Measure the figures named and write them as JSON."""
    words = argparse.ArgumentParser()
    words.add_argument("names", nargs="*")
    words.add_argument("--out", type=Path, required=True)
    words.add_argument("--small", action="store_true")
    words.add_argument("--beside", action="store_true")
    words.add_argument("--rounds", type=int, default=5)
    asked = words.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    os.environ["CELERY_QUEUE"] = f"bench-{uuid.uuid4().hex[:12]}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        os.environ["BROKER_FOLDER"] = f"{folder}/broker"
        django.setup()
        # The manifest costs nothing once it is read, and would have to be made first.
        plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
        settings.STORAGES["staticfiles"]["BACKEND"] = plain
        measuring = import_module("tests.bench.measuring")  # needs the settings
        measuring.measure(asked, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
