"""``run.py`` answers trouble with a sentence, never with a traceback, and leaves no process behind."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "run.py"
OLD = "import sys, runpy; sys.version_info = (3, 8, 2, 'final', 0); "
NO_ENSUREPIP = "import sys, runpy; sys.modules['ensurepip'] = None; "
RUN_IT = "sys.argv = ['run.py', 'manage']; runpy.run_path('run.py', run_name='__main__')"
UNREACHABLE = "django==5.2.19 --hash=sha256:" + "0" * 64


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder that is a Portal only as far as run.py can see: nothing is required, nothing is installed."""
    shutil.copy(RUN, tmp_path)
    (tmp_path / "manage.py").write_text("print('Django is here')\n")
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "requirements-dev.txt").write_text("# nothing\n")
    return tmp_path


def run(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this Python there, without uv and without what the tests set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PORTAL_", "PIP_", "UV_"))}
    path = os.pathsep.join(p for p in os.get_exec_path() if not (Path(p) / "uv").exists())
    base = Path(sys.base_prefix) / "bin" / "python3"
    return subprocess.run(
        [str(base), *command],
        cwd=folder,
        env=kept | {"PATH": path} | env,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What the reader was told, which is no traceback."""
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode not in (0, None)
    return done.stderr


def load(monkeypatch, folder: Path):
    """run.py as a module whose data lie in ``folder``."""
    monkeypatch.setenv("PORTAL_VAR", str(folder))
    spec = importlib.util.spec_from_file_location("run_under_test", RUN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_old_python_can_read_it():
    ast.parse(RUN.read_text(), feature_version=(3, 6))


def test_an_old_python_is_told_which_one_to_take(checkout):
    said = told(run(checkout, "-c", OLD + RUN_IT))
    assert "Portal needs Python 3.11 or later, and this is Python 3.8." in said


def test_without_venv_the_package_to_install_is_named(checkout):
    said = told(run(checkout, "-c", NO_ENSUREPIP + RUN_IT))
    assert f"apt install python3.{sys.version_info.minor}-venv" in said
    assert not (checkout / ".venv").exists()


def test_a_half_made_venv_is_made_again_and_then_kept(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    first = run(checkout, "run.py", "manage")
    assert first.returncode == 0, first.stderr
    assert "half-made" in first.stdout
    assert "Django is here" in first.stdout
    second = run(checkout, "run.py", "manage")
    assert second.stdout == "Django is here\n"


def test_without_network_the_reader_is_told_so(checkout):
    (checkout / "requirements.txt").write_text(UNREACHABLE)
    said = told(run(checkout, "run.py", "manage", PIP_INDEX_URL="http://127.0.0.1:9/simple"))
    assert "the package index does not answer" in said
    assert not (checkout / ".venv" / "portal-installed").exists()


def test_a_package_that_is_not_what_was_pinned_is_refused(checkout):
    (checkout / "requirements.txt").write_text(
        "./fake-1-py3-none-any.whl --hash=sha256:" + "0" * 64
    )
    (checkout / "fake-1-py3-none-any.whl").write_bytes(b"not what was pinned")
    assert "requirements.txt could not be installed" in told(run(checkout, "run.py", "manage"))


def test_a_word_it_does_not_know_shows_those_it_knows(checkout):
    done = run(checkout, "run.py", "fly")
    assert done.returncode == 2
    assert "does not know 'fly'" in done.stdout
    assert "walkthrough" in done.stdout


@pytest.mark.parametrize("port", ["", "door", "0", "65536"])
def test_a_port_that_is_none_is_refused(checkout, port):
    assert "--port needs a number" in told(run(checkout, "run.py", "--port", port))


def test_a_taken_port_gives_way_to_the_next(monkeypatch, tmp_path, capsys):
    module = load(monkeypatch, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        chosen = module.choose_ports({"the portal": taken, "simlock": taken + 1})
    assert chosen["the portal"] > taken
    assert len(set(chosen.values())) == 2
    assert (
        f"Port {taken} is taken; the portal uses {chosen['the portal']}." in capsys.readouterr().out
    )


def test_a_second_demo_over_the_same_data_is_refused(monkeypatch, tmp_path):
    module = load(monkeypatch, tmp_path)
    with (
        module.sole_owner(),
        pytest.raises(module.Trouble, match="already runs"),
        module.sole_owner(),
    ):
        pass


SUPERVISED = """
import sys, time, pathlib
sys.path.insert(0, {root!r})
import run
supervisor = run.Supervisor()
child = supervisor.add("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"], None)
while not supervisor.stopping:
    supervisor.watch()
    if child.process:
        draft = pathlib.Path({pid!r} + ".tmp")
        draft.write_text(str(child.process.pid))
        draft.replace({pid!r})
    time.sleep(0.05)
supervisor.stop()
"""


@pytest.fixture
def supervised(tmp_path):
    """A supervisor in a process of its own, with one child; gives both ids."""
    pid = tmp_path / "pid"
    env = os.environ | {"PORTAL_VAR": str(tmp_path)}
    code = SUPERVISED.format(root=str(ROOT), pid=str(pid))
    with subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE) as parent:
        yield parent, lambda: int(pid.read_text()) if pid.exists() else 0
        parent.kill()


def until(condition, seconds=15.0) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.05)


def gone(pid: int) -> bool:
    """Whether the process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_child_that_ends_is_started_again(supervised):
    _, child = supervised
    until(child)
    first = child()
    os.kill(first, signal.SIGKILL)
    until(lambda: child() != first)
    assert not gone(child())


def test_a_term_signal_stops_the_children(supervised):
    parent, child = supervised
    until(child)
    parent.terminate()
    assert parent.wait(15) == 0
    assert gone(child())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends orphans")
def test_children_do_not_outlive_a_killed_supervisor(supervised):
    parent, child = supervised
    until(child)
    parent.kill()
    until(lambda: gone(child()))
