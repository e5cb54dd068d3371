"""Each import contract catches a wrong import planted in a copy of the tree, and the tree itself is clean."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APPS = ("portal", "keys", "pms", "locks")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
PLANTED = {
    "Imports go one way": ("locks/clock.py", "import keys.issuing"),
    "The rules are pure": ("keys/rules.py", "import django"),
    "The domain knows no queue and no screen": ("keys/issuing.py", "import celery"),
    "A vendor is known only to its registry": ("keys/tasks.py", "import locks.drivers.simulated"),
    "Vendor code knows no Django and no queue": ("pms/adapters/cloudbeds.py", "import django"),
    "The PMS side sees where doors are, never how they open": (
        "pms/sync.py",
        "import locks.doorlog",
    ),
    "The walkthrough sees Portal from outside": (
        "portal/walkthrough/stage.py",
        "import keys.wording",
    ),
    "Simulators stand apart": ("pms/simulators/cloudbeds/world.py", "import pms.models"),
    "Nobody knows the simulators": ("keys/tasks.py", "import locks.simulators.simlock.world"),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> str:
    """What import-linter says about the tree with every wrong import in it at once."""
    copy = tmp_path_factory.mktemp("planted")
    for app in APPS:
        shutil.copytree(
            ROOT / app, copy / app, ignore=shutil.ignore_patterns("static", "__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    for path, line in PLANTED.values():
        with (copy / path).open("a") as source:
            source.write(f"\n{line}\n")
    return linted(copy).stdout


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree in ``folder``, and on no other."""
    code = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as go; go()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.xdist_group("contracts")
def test_the_tree_keeps_every_contract():
    done = linted(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.xdist_group("contracts")
@pytest.mark.parametrize("name", [contract["name"] for contract in SETTINGS["contracts"]])
def test_a_wrong_import_breaks_its_contract(verdicts, name):
    path, line = PLANTED[name]
    assert f"{name} BROKEN" in verdicts
    importer = path.removesuffix(".py").replace("/", ".")
    imported = line.removeprefix("import ")
    _, _, told = verdicts.partition("Broken contracts")
    _, _, told = told.partition(f"\n{name}\n")
    told = told.split("\n\n\n")[0]
    assert importer in told
    assert imported in told


def test_simulators_are_kept_from_every_other_module():
    contract = next(c for c in SETTINGS["contracts"] if c["name"] == "Simulators stand apart")
    there = {
        f"{app}.{path.stem}"
        for app in ("pms", "locks")
        for path in (ROOT / app).iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists())
        and path.stem not in ("__init__", "simulators")
    }
    assert there - set(contract["forbidden_modules"]) == set()
