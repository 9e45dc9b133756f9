"""Times a container's life as an engine leads it: create, start, wait for its end, delete, each by a command of its own."""

import dataclasses
import os
import statistics
import time

import measure
import peers

BARS = [("same", 1.0), ("bare", 1.0)]


@dataclasses.dataclass
class Runtime:
    name: str
    argv: list
    """The program and its global options."""
    bundles: dict
    """Kind to folder."""
    namespace: object = None
    times: dict = dataclasses.field(default_factory=dict)

    def life(self, runner, env, kind, identity):
        """Seconds from the first command's spawn to the last one's end, and those of each part."""
        pid_file = os.path.join(self.bundles[kind], "pid")
        marks = [time.perf_counter()]
        runner.call([*self.argv, "create", "--bundle", self.bundles[kind], "--pid-file", pid_file, identity], env)
        marks.append(time.perf_counter())
        with open(pid_file) as file:
            pid = int(file.read())
        runner.call([*self.argv, "start", identity], env)
        marks.append(time.perf_counter())
        _, status = os.waitpid(pid, 0)  # the bench adopts what create leaves
        marks.append(time.perf_counter())
        runner.call([*self.argv, "delete", identity], env)
        marks.append(time.perf_counter())
        os.unlink(pid_file)
        if status != 0:
            raise measure.Failed(f"{self.name}: the container ended with {os.waitstatus_to_exitcode(status)}")
        return [marks[-1] - marks[0], *(after - before for before, after in zip(marks, marks[1:]))]


def section(bench):
    """Measures every runtime that is there, in turn, and prints a table. Adds the bars to the bench's."""
    bench.section("create, start, end, delete by commands of their own (ms, medians of runs taken in turn)")
    runtimes = [found for name in ("minirun", "crun", "runc") for found in bring_up(bench, name)]
    for kind in ("same", "bare"):
        for number in range(bench.given.n + bench.given.warm_up):
            for runtime in runtimes:
                bench.namespaces.enter(runtime.namespace)
                life = runtime.life(bench.runner, bench.env, kind, f"{bench.places.cgroup}-{runtime.name}-life")
                if number >= bench.given.warm_up:
                    runtime.times.setdefault(kind, []).append(life)
    print(f"  {'':<16}{'all':>8}{'create':>9}{'start':>8}{'run':>8}{'delete':>9}")
    for kind in ("same", "bare"):
        for runtime in runtimes:
            parts = [statistics.median(column) * 1e3 for column in zip(*runtime.times[kind])]
            print(f"  {runtime.name + ' ' + kind:<16}" + "".join(f"{part:>{width}.2f}" for part, width in zip(parts, (8, 9, 8, 8, 9))))
    medians = {(each.name, kind): statistics.median(life[0] for life in each.times[kind])
               for each in runtimes for kind in each.times}
    for kind, most in BARS:
        if ("crun", kind) in medians:
            ratio = medians["minirun", kind] / medians["crun", kind]
            bench.bars.append((f"create to delete {kind}, minirun / crun: {ratio:.2f}, at most {most:.2f}", ratio <= most))


def bring_up(bench, name):
    """The runtime with a bundle of each kind, or nothing where it does not run here."""
    places = bench.places
    program = bench.minirun if name == "minirun" else peers.find(name)
    if not program:
        return []
    argv = [program, *(["oci"] if name == "minirun" else []), "--root", places.state_path(f"{name}-life")]
    bundles = {kind: places.path(f"{name}-life-{kind}") for kind in ("same", "bare")}
    peers.same_bundle(bench.spec, bundles["same"], bench.merged, f"/{places.cgroup}/{name}-life")
    # runc's own example, which every runtime takes: it says nothing of a filter.
    peers.bare_bundle(peers.find("runc") or peers.find("crun"), bundles["bare"], bench.root)
    runtime = Runtime(name, argv, bundles)
    for namespace in (lambda: bench.namespaces.machine, bench.namespaces.plain_view):
        runtime.namespace = namespace()
        bench.namespaces.enter(runtime.namespace)
        try:
            for kind in bundles:
                runtime.life(bench.runner, bench.env, kind, f"{places.cgroup}-{name}-life")
            return [runtime]
        except (measure.Failed, RuntimeError, OSError) as error:
            failure = error
    bench.notes.append(f"{name}: {failure}")
    print(f"  {name}: {failure}")
    return []


MONITORS = """%s > /dev/null 2>&1
for process in /proc/[0-9]*; do
    read -r name < $process/comm
    case $name in conmon | containerd-shim* | minirun*) echo "$name $(awk '/^Pss:/ { print $2 }' $process/smaps_rollup)" ;; esac
done 2> /dev/null
%s > /dev/null 2>&1"""


def monitors(bench, scripts):
    """Prints what each engine keeps beside one detached container that sleeps, with minirun as the runtime of all."""
    bench.section("beside a detached container (PSS of its monitor, KiB)")
    link = os.path.join(os.path.dirname(bench.minirun), "minirun-oci")
    if not os.path.exists(link):
        print(f"  {link} is missing: Scripts/build makes it")
        return
    bundle, root = bench.places.path("detached"), bench.places.state_path("detached")
    peers.bare_bundle(peers.find("runc") or peers.find("crun"), bundle, bench.root, ["sleep", "1000"])
    identity = f"{bench.places.cgroup}-detached"
    alone = [MONITORS % (f"{link} --root {root} run -d --bundle {bundle} {identity} < /dev/null",
                         f"{link} --root {root} delete -f {identity}")]
    image = "docker.io/library/busybox:latest"
    for name, argv in (
        ("minirun oci run -d", ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", *alone]),
        ("podman", [f"{scripts}/peers", "--runtime", link, "podman", "sh", "-c", MONITORS % (
            f"podman run -d --network none --name x localhost/busybox sleep 1000", "podman rm -f -t 0 x")]),
        ("containerd", [f"{scripts}/peers", "--runtime", link, "containerd", "sh", "-c", MONITORS % (
            f"ctr run -d --null-io --runc-binary {link} {image} x sleep 1000", "ctr task rm -f x")]),
    ):
        try:
            lines = peers.call(*argv, env=dict(os.environ)).splitlines()
        except (RuntimeError, OSError) as error:
            print(f"  {name:<22}{error}")
            continue
        print(f"  {name:<22}{sum(int(line.split()[-1]) for line in lines):>8}   ({', '.join(lines) or 'nothing'})")
