#!/usr/bin/env python3
"""Everything Portal does on one machine, with nothing but Python: ``python3 run.py [word]``.

Hides the virtual environment, the choice of ports and the processes behind the demo. Only the standard library is
used, and the syntax is old, so that a Python that is too old can still read the sentence that says so.
"""

import contextlib
import ctypes
import functools
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit(
        "Portal needs Python 3.11 or later, and this is Python {}.{}. If a newer one is installed, "
        "start it by its name, for example: python3.11 run.py".format(*sys.version_info[:2])
    )
if os.name != "posix":
    sys.exit("Portal runs on Linux and macOS. On Windows, run it inside WSL.")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VAR = Path(os.environ.get("PORTAL_VAR") or ROOT / "var").absolute()
LOGS = VAR / "log"
RUN_FILE = VAR / "run.json"

HELP = """python3 run.py [word]

  (no word)      run the demo: portal, worker, beat, listener, simulated lock systems and PMS
                   --port N     the portal's port, 8000 unless it is taken
                   --no-demo    only Portal's own processes, without simulators and demo data
  test ...       run the tests; what follows goes to pytest
  walkthrough    drive the demo through the product's story and say what was observed
  manage ...     a command of Django's or Portal's, e.g. manage explain_key --help
  setup          make .venv, install and migrate, without starting
  check          lint, format, types, import contracts, Django's checks, migrations
  format         put imports and layout in order
  bench ...      measure the figures of docs/performance.md; names of figures may follow

Read from the environment: PORTAL_VAR, DATABASE_URL, CELERY_BROKER_URL and the variables of README.md.
"""

PEERS = ("simlock", "cloudbeds", "mews", "ttlock", "seam")
LOCK_TOKEN = "demo-lock-token"
MEWS_HOOK = "demo-hook-secret"
TTLOCK_HURRIES = ["--command-ms", "800"]  # 2 to 8 seconds in reality
MEWS_HURRIES = ["--delay-seconds", "0.2", "--batch-seconds", "0.2"]  # minutes in reality
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 10.0
LONG_LIFE_S = 30.0
LONGEST_PAUSE_S = 30.0
LOG_LIMIT = 10_000_000

NO_VENV = """This Python cannot make virtual environments: its {} module is missing.
On Debian and Ubuntu install it as root with
    apt install python{}.{}-venv
and run this again."""
NO_NETWORK = """The packages that Portal needs could not be fetched: the package index does not answer.
Check the network (or set PIP_INDEX_URL to an index within reach) and run this again; nothing is lost.
What the installer said is in {}."""
NETWORK_SIGNS = (
    "Failed to establish a new connection",
    "NewConnectionError",
    "ConnectTimeout",
    "Could not fetch URL",
    "name resolution",
    "Network is unreachable",
    "ProxyError",
    "Read timed out",
    "error sending request",
    "dns error",
    "Failed to fetch",
)


class Trouble(Exception):
    """Something only the reader can mend; the text says what to do."""


def say(text: str) -> None:
    """Tell the reader at once, also when the output is a pipe."""
    print(text, flush=True)


# The virtual environment.


def prepare(*, dev: bool = False) -> None:
    """Have .venv hold exactly what the requirements say; at once when it does already."""
    with only_one_at_a_time():
        digest = requirements_digest()
        kind, found = read_stamp()
        dev = dev or kind == "dev"
        if found == digest and (kind == "dev" or not dev) and PYTHON.exists():
            return
        started = time.monotonic()
        make_venv()
        install("requirements-dev.txt" if dev else "requirements.txt")
        find_project()
        stamp_file().write_text("{} {}\n".format("dev" if dev else "runtime", digest))
        say("Installed in {:.0f} s.".format(time.monotonic() - started))


@contextlib.contextmanager
def only_one_at_a_time():
    """Let a second run.py wait while this one changes .venv."""
    import fcntl  # noqa: PLC0415 - not on Windows, which has been told so by now

    folder = os.open(str(ROOT), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def requirements_digest() -> str:
    """Changes when what is to be installed changes."""
    both = [(ROOT / name).read_bytes() for name in ("requirements.txt", "requirements-dev.txt")]
    return hashlib.sha256(b"\0".join(both)).hexdigest()


def stamp_file() -> Path:
    """Written last, so that an interrupted installation has none."""
    return VENV / "portal-installed"


def read_stamp() -> tuple:
    """What was installed last, as (kind, digest)."""
    try:
        kind, digest = stamp_file().read_text().split()
    except (OSError, ValueError):
        return ("", "")
    return (kind, digest)


def make_venv() -> None:
    """Make .venv, anew when there is only half of one."""
    if venv_works():
        return
    if shutil.which("uv") is None:
        for module in ("venv", "ensurepip"):
            if importlib.util.find_spec(module) is None:
                raise Trouble(NO_VENV.format(module, *sys.version_info[:2]))
    if VENV.exists():
        say("The .venv folder is half-made or of another Python; making it again.")
        shutil.rmtree(str(VENV))
    say("Making .venv ...")
    if shutil.which("uv"):
        command = ["uv", "venv", "--quiet", "--python", sys.executable, str(VENV)]
    else:
        command = [sys.executable, "-m", "venv", str(VENV)]
    done = logged(command, "install")
    if done != 0:
        raise Trouble("The virtual environment could not be made: " + last_words("install"))


def venv_works() -> bool:
    """Whether .venv has a Python that runs and that something can be installed into."""
    probe = "import sys; sys.exit(sys.version_info < (3, 11))"
    if shutil.which("uv") is None:
        probe = "import pip; " + probe
    try:
        done = subprocess.run([str(PYTHON), "-c", probe], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and (VENV / "pyvenv.cfg").exists()


def install(name: str) -> None:
    """Install one requirements file, hashes checked.

    The file names every package there has to be, so nothing is resolved again: a release of today cannot get in the way.
    """
    say("Installing {} (the first time this takes a minute) ...".format(name))
    if shutil.which("uv"):
        command = ["uv", "pip", "install", "--quiet", "--python", str(PYTHON)]
    else:
        command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--retries", "2"]
        command += ["--no-input", "--disable-pip-version-check"]
    if logged([*command, "--require-hashes", "--no-deps", "-r", str(ROOT / name)], "install") == 0:
        return
    said = log_file("install").read_text(errors="replace")
    if any(sign in said for sign in NETWORK_SIGNS):
        raise Trouble(NO_NETWORK.format(log_file("install")))
    raise Trouble("{} could not be installed: {}".format(name, last_words("install")))


def find_project() -> None:
    """Let the programs in .venv find Portal's packages from any folder."""
    for packages in VENV.glob("lib/python3*/site-packages"):
        (packages / "portal.pth").write_text("{}\n".format(ROOT))


# Logs.


def log_file(name: str) -> Path:
    """Where a child's output goes."""
    return LOGS / (name + ".log")


def open_log(name: str, *, fresh: bool = False):
    """The log to write to; one that grew large is put aside."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = log_file(name)
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return path.open("wb" if fresh else "ab")


def logged(command: list, name: str, env: dict = None) -> int:
    """Run to the end with the output in a fresh log."""
    with open_log(name, fresh=True) as log:
        return subprocess.run(
            command,
            cwd=str(ROOT),
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(),
            check=False,
        ).returncode


def last_words(name: str) -> str:
    """The last line of a log that says something, and where the rest is."""
    lines = [
        line for line in log_file(name).read_text(errors="replace").splitlines() if line.strip()
    ]
    return "{}\nAll of it is in {}.".format(
        lines[-1].strip() if lines else "it said nothing", log_file(name)
    )


# Ports.


def choose_ports(wanted: dict) -> dict:
    """A free loopback port per name: the wanted one, or the next that nobody else here wants."""
    chosen = {}
    for name, first in wanted.items():
        others = set(chosen.values()) | {p for n, p in wanted.items() if n != name}
        port = next((p for p in range(first, 65536) if p not in others and is_free(p)), None)
        if port is None:
            raise Trouble("No port from {} up is free for {}.".format(first, name))
        if port != first:
            say("Port {} is taken; {} uses {}.".format(first, name, port))
        chosen[name] = port
    return chosen


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# Processes.


def die_with_parent():
    """What a child does first, so that it does not outlive a run.py that was killed; Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    return bind


class Child:
    """A program that is started again when it ends, after a pause that grows while it keeps ending."""

    def __init__(self, name: str, command: list, env: dict) -> None:
        self.name, self.command, self.env = name, command, env
        self.process = None
        self.pause = 1.0
        self.due_at = 0.0
        self.ends = 0

    def start(self) -> None:
        """Start it now, in a session of its own so that Ctrl-C reaches run.py alone."""
        self.started_at = time.monotonic()
        with open_log(self.name) as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=str(ROOT),
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def look(self) -> bool:
        """Notice an end and start again when the pause is over; True when it was started."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return False
            self.note_end(now)
        if now < self.due_at:
            return False
        self.start()
        return True

    def note_end(self, now: float) -> None:
        """Say that it ended and when it comes back."""
        if now - self.started_at > LONG_LIFE_S:
            self.pause = 1.0
        say(
            "{} ended with code {}; starting it again in {:.0f} s. See {}.".format(
                self.name, self.process.returncode, self.pause, log_file(self.name)
            )
        )
        self.process, self.due_at, self.ends = None, now + self.pause, self.ends + 1
        self.pause = min(self.pause * 2, LONGEST_PAUSE_S)

    def signal(self, number: int) -> None:
        """Send it a signal if it is alive; a kill goes to all it started."""
        if self.process is None or self.process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def alive(self) -> bool:
        """Whether it runs now."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Starts children, keeps them running, and stops them all on SIGTERM, SIGINT or SIGHUP."""

    def __init__(self) -> None:
        self.children = []
        self.signals = 0
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.hear)

    def hear(self, number: int, frame: object) -> None:
        """Remember to stop; the loop does the rest."""
        self.signals += 1

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self.signals > 0

    def add(self, name: str, command: list, env: dict) -> Child:
        """Start one more child and keep it running."""
        child = Child(name, command, env)
        self.children.append(child)
        child.start()
        return child

    def watch(self) -> bool:
        """Look at each child once; True when one was started again."""
        started = [child.look() for child in self.children]
        return any(started)

    def wait_for(self, child: Child, url: str) -> bool:
        """Wait until the child answers there; False when asked to stop meanwhile."""
        end = time.monotonic() + READY_WITHIN_S
        while not answers(url):
            if self.stopping:
                return False
            if child.ends >= 3 or time.monotonic() > end:
                raise Trouble("{} does not start: {}".format(child.name, last_words(child.name)))
            self.watch()
            time.sleep(0.1)
        return True

    def stop(self) -> None:
        """End the children, the last started first and the peers after those that talk to them."""
        end = time.monotonic() + STOP_WITHIN_S
        asked = self.signals
        for group in self.by_turn():
            for child in group:
                child.signal(signal.SIGTERM)
            while any(c.alive() for c in group) and time.monotonic() < end:
                if self.signals > asked:
                    break
                time.sleep(0.05)
        for child in self.children:
            child.signal(signal.SIGKILL)

    def by_turn(self) -> tuple:
        """Those that write to the simulators first, then the simulators."""
        peers = [child for child in self.children if child.name in PEERS]
        return ([child for child in self.children if child not in peers], peers)


def answers(url: str) -> bool:
    """Whether an HTTP server answers there without a server error."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except (OSError, ValueError):
        return False


# The demo.


def demo(words: list) -> int:
    """Run Portal with its worker, its beat and, unless told otherwise, a demo hotel; until stopped."""
    port, with_demo = demo_options(words)
    prepare()
    VAR.mkdir(parents=True, exist_ok=True)
    with sole_owner():
        supervisor = Supervisor()
        try:
            return serve(supervisor, port, with_demo)
        finally:
            stop(supervisor)


def demo_options(words: list) -> tuple:
    """The port and whether the demo hotel is wanted."""
    port, with_demo, rest = 8000, True, list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--port="):
            word, rest = "--port", [word.partition("=")[2], *rest]
        if word == "--no-demo":
            with_demo = False
        elif word == "--port" and rest and rest[0].isdigit() and 0 < int(rest[0]) < 65536:
            port = int(rest.pop(0))
        elif word == "--port":
            raise Trouble("--port needs a number from 1 to 65535.")
        else:
            raise Trouble("'{}' is not an option of the demo.\n\n{}".format(word, HELP))
    return (port, with_demo)


@contextlib.contextmanager
def sole_owner():
    """Refuse a second demo over the same data."""
    import fcntl  # noqa: PLC0415 - not on Windows, which has been told so by now

    with (VAR / "run.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Trouble(
                "Portal already runs on {}, at {}. Stop it there with Ctrl-C, or set PORTAL_VAR to "
                "another folder.".format(
                    VAR, running().get("web", "an address it is about to print")
                )
            ) from None
        yield


def serve(supervisor: Supervisor, port: int, with_demo: bool) -> int:  # noqa: FBT001
    """Start everything in the order in which one needs the other, then watch."""
    names = {"the portal": port}
    if with_demo:
        names.update({peer: port + place for place, peer in enumerate(PEERS, start=1)})
    ports = choose_ports(names)
    env = environment(ports, with_demo)
    peers = start_peers(supervisor, ports, env) if with_demo else []
    ready_data(env)
    if not all(supervisor.wait_for(child, url) for child, url in peers):
        return 0
    if with_demo:
        say("Filling the demo hotel ...")
        manage(env, "seed_demo", trouble="The demo hotel could not be made")
    if supervisor.stopping or not start_portal(supervisor, ports["the portal"], env):
        return 0
    write_run_file(supervisor, env)
    greet(env, with_demo)
    while not supervisor.stopping:
        if supervisor.watch():
            write_run_file(supervisor, env)
        time.sleep(0.2)
    return 0


def environment(ports: dict, with_demo: bool) -> dict:  # noqa: FBT001
    """What the children are told; what the caller set stays."""
    env = dict(os.environ, PORTAL_VAR=str(VAR), PYTHONUNBUFFERED="1")
    env.setdefault("PORTAL_BASE_URL", "http://127.0.0.1:{}".format(ports["the portal"]))
    if with_demo:
        env["PORTAL_DEMO"] = "1"
        env["SIMLOCK_URL"] = "http://127.0.0.1:{}".format(ports["simlock"])
        env["SIMLOCK_TOKEN"] = LOCK_TOKEN
        env["CLOUDBEDS_URL"] = "http://127.0.0.1:{}".format(ports["cloudbeds"])
        env["CLOUDBEDS_API_URL"] = env["CLOUDBEDS_URL"]
        env["MEWS_API_URL"] = "http://127.0.0.1:{}".format(ports["mews"])
        env["MEWS_HOOK_SECRET"] = MEWS_HOOK
        env["TTLOCK_URL"] = "http://127.0.0.1:{}".format(ports["ttlock"])
        env["SEAM_URL"] = "http://127.0.0.1:{}".format(ports["seam"])
    return env


def start_peers(supervisor: Supervisor, ports: dict, env: dict) -> list:
    """The three simulated lock systems and the two simulated PMS, each with a memory of its own, and where they will answer."""
    say("Starting the simulated locks and the simulated PMS ...")
    hook = "{}/hooks/mews/{}".format(env["PORTAL_BASE_URL"], MEWS_HOOK)
    options = {
        "locks.simulators.simlock": ["--token", LOCK_TOKEN],
        "pms.simulators.cloudbeds": ["--seed-stays"],
        "pms.simulators.mews": ["--seed-stays", "--webhook-url", hook, *MEWS_HURRIES],
        "locks.simulators.ttlock": TTLOCK_HURRIES,
        "locks.simulators.seam": [],
    }
    started = []
    for module, more in options.items():
        name = module.rpartition(".")[2]
        command = [str(PYTHON), "-m", module, "--port", str(ports[name])]
        command += ["--data", str(VAR / (name + ".sqlite3")), *more]
        url = "http://127.0.0.1:{}".format(ports[name])
        started.append((supervisor.add(name, command, env), url))
    return started


def ready_data(env: dict) -> None:
    """Migrate, and collect static files when they changed."""
    say("Preparing the database ...")
    manage(env, "migrate", "--no-input", trouble="The database could not be prepared")
    digest = static_digest()
    stamp = VAR / "static" / ".collected"
    if not stamp.exists() or stamp.read_text() != digest:
        plain = dict(env, PORTAL_DEMO="1")  # not compressed, which takes longer than all the rest
        manage(plain, "collectstatic", "--no-input", trouble="Static files could not be collected")
        stamp.write_text(digest)


def static_digest() -> str:
    """Changes when a static file of Portal or of a package may have changed."""
    files = sorted(path for path in (ROOT / "portal" / "static").rglob("*") if path.is_file())
    told = ["{} {}".format(path, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256("\n".join([requirements_digest(), *told]).encode()).hexdigest()


def manage(env: dict, *words: str, trouble: str) -> None:
    """Run a command of Django's to its end."""
    if logged([str(PYTHON), "manage.py", *words], words[0], env) != 0:
        raise Trouble("{}: {}".format(trouble, last_words(words[0])))


def start_portal(supervisor: Supervisor, port: int, env: dict) -> bool:
    """The web server, the worker, the beat and the listener, as in production; True when pages are served."""
    say("Starting Portal ...")
    module = [str(PYTHON), "-m"]
    address = "127.0.0.1:{}".format(port)
    gunicorn = ["gunicorn", "portal.wsgi", "-b", address, "-w", "1", "--threads", "8"]
    gunicorn += ["--no-control-socket", "--worker-class", "gthread"]
    celery = ["celery", "-A", "portal"]
    beat = ["beat", "-s", str(VAR / "beat-schedule"), "--pidfile", ""]
    worker = ["worker", "-P", "threads", "-c", "4", "--without-gossip", "--without-mingle"]
    web = supervisor.add("web", [*module, *gunicorn], env)
    supervisor.add("worker", [*module, *celery, *worker], env)
    supervisor.add("beat", [*module, *celery, *beat], env)
    supervisor.add("listen", [str(PYTHON), "manage.py", "listen"], env)
    return supervisor.wait_for(web, "http://{}/healthz".format(address))


def write_run_file(supervisor: Supervisor, env: dict) -> None:
    """Tell other programs where the parts are; replaced in one step."""
    told = {
        "web": env["PORTAL_BASE_URL"],
        "simlock": env.get("SIMLOCK_URL"),
        "simlock_token": env.get("SIMLOCK_TOKEN"),
        "cloudbeds": env.get("CLOUDBEDS_URL"),
        "mews": env.get("MEWS_API_URL"),
        "ttlock": env.get("TTLOCK_URL"),
        "seam": env.get("SEAM_URL"),
        "logins": demo_logins() if env.get("SIMLOCK_URL") else [],
        "run": os.getpid(),
        "pids": {c.name: c.process.pid for c in supervisor.children if c.process is not None},
    }
    draft = RUN_FILE.with_suffix(".tmp")
    draft.write_text(json.dumps(told, indent=2))
    draft.replace(RUN_FILE)


def running() -> dict:
    """What the running demo told, or nothing when none runs."""
    try:
        told = json.loads(RUN_FILE.read_text())
        os.kill(told["run"], 0)
    except (OSError, ValueError, KeyError):
        return {}
    return told


def greet(env: dict, with_demo: bool) -> None:  # noqa: FBT001
    """The address, who can sign in, and where the logs are."""
    say("\nPortal is at {}".format(env["PORTAL_BASE_URL"]))
    if with_demo:
        for login in demo_logins():
            say("  {role:<18} {email:<28} {password}".format(**login))
        peers = [env[name] for name in ("SIMLOCK_URL", "CLOUDBEDS_URL", "MEWS_API_URL")]
        say("The locks are at {}, Cloudbeds at {}, MEWS at {}.".format(*peers))
        say("TTLock is at {}, Seam at {}.".format(env["TTLOCK_URL"], env["SEAM_URL"]))
        say("The story of the product, step by step: python3 run.py walkthrough")
    say("Logs are in {}. Stop with Ctrl-C.".format(LOGS))


def demo_logins() -> list:
    """The people of the demo hotel, as seed_demo wrote them down."""
    try:
        return json.loads((VAR / "demo.json").read_text())["logins"]
    except (OSError, ValueError, KeyError):
        return []


def stop(supervisor: Supervisor) -> None:
    """End what was started and take back what was told."""
    say("\nStopping ...")
    supervisor.stop()
    with contextlib.suppress(FileNotFoundError):
        RUN_FILE.unlink()


# The other words.


def become(*command: str, env: dict = None) -> int:
    """Turn into another program, which then has the terminal and the exit code."""
    os.chdir(str(ROOT))
    os.execve(str(PYTHON), [str(PYTHON), *command], env or dict(os.environ))
    return 1  # not reached


def test(words: list) -> int:
    """All tests, three at a time since many of them wait; or pytest with the words given."""
    prepare(dev=True)
    return become("-m", "pytest", *(words or ["-n", "3", "--dist", "loadgroup"]))


def manage_word(words: list) -> int:
    """A management command; it sees the running demo as the demo's own processes do."""
    prepare()
    return become("manage.py", *words, env=environment_of(running()))


def environment_of(told: dict) -> dict:
    """The variables of the demo that wrote this, over those of the caller."""
    env = dict(os.environ)
    if told.get("simlock"):
        env.update(
            PORTAL_DEMO="1",
            PORTAL_BASE_URL=told["web"],
            SIMLOCK_URL=told["simlock"],
            SIMLOCK_TOKEN=told["simlock_token"],
            CLOUDBEDS_URL=told["cloudbeds"],
            CLOUDBEDS_API_URL=told["cloudbeds"],
            MEWS_API_URL=told["mews"],
            MEWS_HOOK_SECRET=MEWS_HOOK,
            TTLOCK_URL=told["ttlock"],
            SEAM_URL=told["seam"],
        )
    return env


def walkthrough(words: list) -> int:
    """The story, told against the running demo, or against one of its own when none runs."""
    prepare()
    if running().get("simlock"):
        return become("manage.py", "walkthrough", *words, env=environment_of(running()))
    say("No demo runs; starting one of its own for the walkthrough.")
    with tempfile.TemporaryDirectory(prefix="portal-walkthrough-") as folder:
        env = dict(os.environ, PORTAL_VAR=folder)
        own = [sys.executable, str(ROOT / "run.py")]
        with subprocess.Popen(own, env=env, preexec_fn=die_with_parent()) as demo_of_its_own:
            try:
                return tell(demo_of_its_own, Path(folder), words)
            finally:
                demo_of_its_own.terminate()


def tell(demo_of_its_own: subprocess.Popen, folder: Path, words: list) -> int:
    """Run the walkthrough as soon as the demo is up."""
    while not (folder / "run.json").exists():
        if demo_of_its_own.poll() is not None:
            raise Trouble("The demo did not start; what it said is above.")
        time.sleep(0.1)
    told = json.loads((folder / "run.json").read_text())
    env = dict(environment_of(told), PORTAL_VAR=str(folder))
    command = [str(PYTHON), "manage.py", "walkthrough", *words]
    return subprocess.run(command, cwd=str(ROOT), env=env, check=False).returncode


def setup(words: list) -> int:
    """Everything up to starting."""
    prepare(dev="--dev" in words)
    VAR.mkdir(parents=True, exist_ok=True)
    ready_data(dict(os.environ, PORTAL_VAR=str(VAR)))
    say("Ready: python3 run.py")
    return 0


CHECKS = (
    ("lint", ("ruff", "check", "--quiet")),
    ("format", ("ruff", "format", "--check", "--quiet")),
    ("templates", ("djlint", "templates", "--lint", "--check")),
    ("types", ("mypy",)),
    ("import contracts", ("lint-imports", "--no-logo")),
    ("Django", ("manage.py", "check")),
    ("migrations", ("manage.py", "makemigrations", "--check", "--dry-run")),
)

MENDS = (
    ("ruff", "check", "--fix", "--exit-zero", "--quiet"),
    ("ruff", "format"),
    ("djlint", "templates", "--reformat"),
)


def check(words: list) -> int:
    """All that can be checked without running the tests; each is tried, whatever the others say."""
    prepare(dev=True)
    failed = [name for name, command in CHECKS if not passes(name, command)]
    say("Not clean: {}.".format(", ".join(failed)) if failed else "All clean.")
    return 1 if failed else 0


def passes(name: str, command: tuple) -> bool:
    """Run one check and show what it says when it fails."""
    say("{} ...".format(name))
    done = subprocess.run(tool(command), cwd=str(ROOT), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(done.stdout + done.stderr)
    return done.returncode == 0


def tool(command: tuple) -> list:
    """A script of the project, or a program of .venv."""
    if command[0].endswith(".py"):
        return [str(PYTHON), *command]
    return [str(VENV / "bin" / command[0]), *command[1:]]


def format_word(words: list) -> int:
    """Mend what can be mended by machine."""
    prepare(dev=True)
    done = [
        subprocess.run(tool(command), cwd=str(ROOT), check=False).returncode for command in MENDS
    ]
    return max(done)


def bench(words: list) -> int:
    """The figures of speed, each against its limit."""
    prepare(dev=True)
    return become("-m", "tests.bench", *words)


def show_help(words: list) -> int:
    """What can be asked."""
    say(HELP)
    return 0


WORDS = {
    "test": test,
    "walkthrough": walkthrough,
    "manage": manage_word,
    "setup": setup,
    "check": check,
    "format": format_word,
    "bench": bench,
    "help": show_help,
    "-h": show_help,
    "--help": show_help,
}


def main(words: list) -> int:
    """Do what the first word says; trouble is told in sentences."""
    if not words or (words[0].startswith("-") and words[0] not in WORDS):
        act = functools.partial(demo, words)
    elif words[0] in WORDS:
        act = functools.partial(WORDS[words[0]], words[1:])
    else:
        say("run.py does not know '{}'.\n\n{}".format(words[0], HELP))
        return 2
    try:
        return act()
    except Trouble as trouble:
        sys.stderr.write("\n{}\n".format(trouble))
        return 2
    except OSError as error:
        sys.stderr.write("\nThe system said no: {}\n".format(error))
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
