"""Runs commands and says what they took."""

import ctypes
import dataclasses
import os
import signal
import statistics
import time

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE, MNT_DETACH = 0x4000, 1 << 18, 2

libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A command that did not end as it should."""


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


@dataclasses.dataclass
class Run:
    wall: float
    """Seconds, from before the spawn until the program's end is collected."""
    cpu: float
    """Seconds, user and system, of it, of what it waited for, and of what it left behind."""


class Runner:
    """Starts programs, one after the other, without a shell, standard input and output on /dev/null.

    Processes that a command leaves behind become children of this one. They are waited for, off the clock, so that a peer's
    clean-up never falls into the next one's time.
    """

    def __init__(self, folder):
        check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
        self.errors = os.path.join(folder, "stderr")
        self.kept = set()
        """Children that stay: servers, which no command has left behind."""

    def spawn(self, argv, env):
        null, errors = os.devnull, (os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        # Its own process group: Ctrl-C is for the bench, which lets the running container end.
        return os.posix_spawn(argv[0], argv, env, setpgroup=0, setsigdef=[signal.SIGINT, signal.SIGPIPE], file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, null, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, self.errors, *errors),
        ])

    def run(self, argv, env):
        """Raises Failed where the command's status is not 0."""
        began = time.perf_counter()
        pid = self.spawn(argv, env)
        try:
            _, status, usage = os.wait4(pid, 0)
        except KeyboardInterrupt:
            self.collect_rest(deadline=5)
            raise
        wall = time.perf_counter() - began
        left = self.collect_rest()
        if status != 0:
            raise Failed(f"{' '.join(argv[:3])} … ended with {os.waitstatus_to_exitcode(status)}: {self.last_error()}")
        return Run(wall, usage.ru_utime + usage.ru_stime + left)

    def call(self, argv, env):
        """Runs a command that may leave something running. Raises Failed where its status is not 0."""
        _, status = os.waitpid(self.spawn(argv, env), 0)
        if status != 0:
            raise Failed(f"{' '.join(argv[:5])} … ended with {os.waitstatus_to_exitcode(status)}: {self.last_error()}")

    def last_error(self):
        try:
            with open(self.errors, errors="replace") as file:
                lines = file.read().strip().splitlines()
            lines = [line for line in lines if line.strip() and not line.startswith("Run '")]
            return lines[-1].strip()[:200] if lines else "no message"
        except OSError:
            return "no message"

    def collect_rest(self, deadline=10):
        """Waits for all children to end, kills those that do not, and returns their seconds of CPU."""
        used, until = 0.0, time.monotonic() + deadline
        while True:
            try:
                pid, _, usage = os.wait3(os.WNOHANG)
            except ChildProcessError:
                return used
            if pid:
                used += usage.ru_utime + usage.ru_stime
            elif self.kept.issuperset(children(os.getpid())):
                return used
            elif time.monotonic() < until:
                time.sleep(0.0005)
            else:
                for child in set(children(os.getpid())) - self.kept:
                    os.kill(child, signal.SIGKILL)

    def parallel(self, argv, env, total, at_once):
        """Seconds that `total` runs take, `at_once` of them at any time."""
        began, started, running = time.perf_counter(), 0, set()
        while started < total or running:
            while started < total and len(running) < at_once:
                running.add(self.spawn(argv, env))
                started += 1
            pid, status = os.wait()
            if pid not in running:  # what another one had left behind
                continue
            running.discard(pid)
            if status != 0:
                error = self.last_error()
                self.collect_rest()
                raise Failed(f"{' '.join(argv[:3])} … ended with {os.waitstatus_to_exitcode(status)}: {error}")
        took = time.perf_counter() - began
        self.collect_rest()
        return took


class Load:
    """How busy others keep the processors."""

    @staticmethod
    def counters():
        """Seconds that all processors have been busy, and seconds in all."""
        with open("/proc/stat") as file:
            ticks = [int(word) / os.sysconf("SC_CLK_TCK") for word in file.readline().split()[1:9]]
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)

    @staticmethod
    def own():
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    def __init__(self):
        self.busy, self.total = self.counters()
        self.used = self.own()

    def others(self):
        """The part of all processors' time, since this value was made, that was spent on what is not ours (0 to 1)."""
        busy, total = self.counters()
        return max(0.0, busy - self.busy - (self.own() - self.used)) / max(total - self.total, 0.01)


def wait_for_quiet(seconds, enough=0.15):
    """Waits, at most so long, until others take less than that part of the processors."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        load = Load()
        time.sleep(1)
        if load.others() < enough:
            return


def children(pid):
    """The pids of a process's children."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass
    return found


def descendants(pid):
    return [each for child in children(pid) for each in [child, *descendants(child)]]


def resident_share(pid):
    """A process's proportional set size in KiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def name_of(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


class MountNamespaces:
    """The machine as it is and, where cgroups are hybrid, a private view without the v2 hierarchy, in which they look like v1.

    crun and what is built on it refuse hybrid cgroups. This process changes between the two before a spawn, off the clock.
    """

    unified = "/sys/fs/cgroup/unified"

    def __init__(self):
        self.machine = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self.plain = None
        self.current = self.machine

    def plain_view(self):
        """The private view, or None where there is nothing to hide. It has the mounts of the moment of the first call."""
        if self.plain is None and os.path.ismount(self.unified):
            check(libc.unshare(CLONE_NEWNS), "unshare")
            self.plain = self.current = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "making mounts private")
            check(libc.umount2(self.unified.encode(), MNT_DETACH), "unmounting " + self.unified)
        return self.plain

    def enter(self, namespace):
        if namespace != self.current:
            check(libc.setns(namespace, CLONE_NEWNS), "setns")
            self.current = namespace

    def close(self):
        """Back to the machine; the private view ends with its last descriptor, and what was mounted only there."""
        self.enter(self.machine)
        if self.plain is not None:
            os.close(self.plain)
            self.plain = None


@dataclasses.dataclass
class Row:
    """One line of the table: a command, and what was measured of it."""

    name: str
    argv: list
    env: dict
    note: str = ""
    settle: float = 0
    """Seconds to wait after it: a daemon's own clean-up cannot be waited for."""
    namespace: int = -1
    runs: list = dataclasses.field(default_factory=list)
    peak: int = 0

    @property
    def median(self):
        return statistics.median(run.wall for run in self.runs)

    @property
    def cpu(self):
        return statistics.median(run.cpu for run in self.runs)

    @property
    def spread(self):
        """The quartiles."""
        walls = [run.wall for run in self.runs]
        if len(walls) < 2:
            return walls[0], walls[0]
        low, _, high = statistics.quantiles(walls, n=4, method="inclusive")
        return low, high
