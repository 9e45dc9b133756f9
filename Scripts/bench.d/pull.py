"""Times pulling and unpacking images from a registry on loopback, beside other engines and beside what the machine can do.

All of it is in a network namespace of its own, with a docker-registry in it. Every pull begins with an empty store; what the
disk still owes is written before, off the clock.
"""

import contextlib
import dataclasses
import gzip
import json
import os
import shutil
import stat
import statistics
import subprocess
import time
import urllib.request

import measure
import peers

ADDRESS = "127.0.0.1:5000"
CLONE_NEWNET = 0x40000000
LARGE, LARGEST = 900 << 20, 64 << 20  # bytes of files, and of one
IMAGES = "python", "large-1", "large-4"
MOST_MEMORY = 150 << 10  # KiB
FASTER, NEAR, EROFS_FASTER = 3.0, 1.3, 1.5
DIR, EROFS = "minirun, dir", "minirun, erofs"


def enter_namespace():
    measure.check(measure.libc.unshare(measure.CLONE_NEWNS | CLONE_NEWNET), "unshare")
    measure.check(measure.libc.mount(None, b"/", None, measure.MS_REC | measure.MS_PRIVATE, None), "mount")
    peers.call(peers.find("ip"), "link", "set", "lo", "up")


class Daemon:
    """A server of the bench's own, ended with it."""

    def __init__(self, bench, argv, log, ready, env=None):
        self.log = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env, start_new_session=True)
        bench.runner.kept.add(self.process.pid)
        bench.daemons.append(self)
        until = time.monotonic() + 60
        while not ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{os.path.basename(argv[0])} does not answer, see its log: {self.last_line()}")
            time.sleep(0.05)

    def last_line(self):
        with open(self.log, errors="replace") as file:
            return (file.read().strip().splitlines() or ["nothing"])[-1][:200]

    def processes(self):
        return [self.process.pid, *measure.descendants(self.process.pid)]

    def cpu(self):
        """Seconds of it, of its children, and of those that it has waited for."""
        used = 0
        for pid in self.processes():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
                used += sum(int(word) for word in file.read().rpartition(")")[2].split()[11:15])
        return used / os.sysconf("SC_CLK_TCK")

    def peak(self):
        """KiB that were resident at most."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

    def remove(self):
        for signal in (subprocess.Popen.terminate, subprocess.Popen.kill):
            signal(self.process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
                return


def answers(*argv, env=None):
    return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def registry(bench):
    places = bench.places
    os.mkdir(places.path("registry"))
    with open(places.path("registry", "config.yml"), "w") as file:
        file.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                   f"storage: {{filesystem: {{rootdirectory: {places.path('registry', 'data')}}}}}\nhttp: {{addr: {ADDRESS}}}\n")

    def ready():
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://{ADDRESS}/v2/").status == 200
    program = peers.find("docker-registry")
    if not program:
        raise RuntimeError("docker-registry is not installed")
    Daemon(bench, [program, "serve", places.path("registry", "config.yml")], places.path("registry", "log"), ready)


# Images.

@dataclasses.dataclass
class Image:
    name: str
    """As it is called in the registry."""
    blobs: list
    """Its layers, gzipped, as files; and as plain archives."""
    tars: list

    @property
    def reference(self):
        return f"{ADDRESS}/{self.name}"

    @property
    def sizes(self):
        return f"{sum(map(os.path.getsize, self.blobs)) / 1e6:.0f} MB in {len(self.blobs)} layers, " \
               f"{sum(map(os.path.getsize, self.tars)) / 1e6:.0f} MB unpacked"


def push(places, source, name):
    """Copies an image into the registry, gzipped. Its blobs are linked out of the registry's own store."""
    peers.call(peers.find("skopeo"), "copy", "-q", "--dest-compress-format", "gzip", "--dest-tls-verify=false", source, f"docker://{ADDRESS}/{name}", timeout=1800)
    manifest = json.loads(peers.call(peers.find("skopeo"), "inspect", "--raw", "--tls-verify=false", f"docker://{ADDRESS}/{name}"))
    blobs, tars = [], []
    for number, layer in enumerate(manifest["layers"]):
        hex_digest = layer["digest"].removeprefix("sha256:")
        blobs.append(places.path("registry", "data", "docker/registry/v2/blobs/sha256", hex_digest[:2], hex_digest, "data"))
        tars.append(places.path(f"{name.replace('/', '-')}.{number}.tar"))
        with gzip.open(blobs[-1]) as packed, open(tars[-1], "wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
    return Image(name, blobs, tars)


def real_files():
    """Files of this machine's /usr, LARGE bytes of them and of all kinds alike, as a list of paths below /."""
    found = []
    for folder, folders, files in os.walk("/usr"):
        folders.sort()
        for path in (os.path.join(folder, name) for name in sorted(files)):
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode) or stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST:
                found.append((path[1:], status.st_size))
    part, taken, names = LARGE / sum(size for _, size in found), 0.0, []
    if part > 1:
        raise RuntimeError("/usr has too few files for a large image")
    for path, _ in found:
        taken += part
        if taken >= 1:
            names.append(path)
            taken -= 1
    return names


def large_layout(places, layers):
    """An OCI layout of the files of this machine, in so many layers of the same number of files."""
    layout, files = places.path(f"large-{layers}"), real_files()
    peers.call(peers.find("umoci"), "init", "--layout", layout)
    peers.call(peers.find("umoci"), "new", "--image", f"{layout}:large")
    share = -(-len(files) // layers)
    for first in range(0, len(files), share):
        names, archive = places.path("names"), places.path("layer.tar")
        with open(names, "w") as file:
            file.write("\n".join(files[first:first + share]))
        peers.call("/bin/tar", "-C", "/", "-cf", archive, "--format=pax", "--numeric-owner", "-T", names)
        peers.call(peers.find("umoci"), "raw", "add-layer", "--image", f"{layout}:large", archive)
        os.unlink(archive)
    return f"oci:{layout}:large"


# Who pulls.

class Puller:
    """Pulls one image into a store of its own below a folder that nobody had before.

    A new folder each time, and on a far part of the disk: ext4 does not give away an inode that was freed less than five minutes
    ago, and looks at every one of those each time, so that whoever comes after a removal pays for it.
    """

    daemon = None

    def __init__(self, bench, name, *programs):
        self.bench, self.name = bench, name
        self.programs = [peers.find(program) for program in programs]
        missing = [program for program, found in zip(programs, self.programs) if not found]
        if missing:
            raise RuntimeError(f"{', '.join(missing)}: not installed")

    def begin(self, folder, state):
        """Makes what a pull needs, servers too."""
        self.folder, self.state, self.env = folder, state, dict(self.bench.env)

    def commands(self, image):
        raise NotImplementedError

    def removal(self, image):
        """How the engine itself removes the image."""
        return None

    def end(self):
        if self.daemon:
            self.daemon.remove()
        for target in reversed([each for each in self.bench.places.mounts() if each.startswith((self.folder, self.state))]):
            measure.check(measure.libc.umount2(target.encode(), measure.MNT_DETACH), f"umount {target}")
        peers.call("/bin/rm", "-rf", "--one-file-system", self.folder, self.state)


class Minirun(Puller):
    def __init__(self, bench, name, driver):
        super().__init__(bench, name)
        self.driver = driver

    def begin(self, folder, state):
        super().begin(folder, state)
        self.engine = [self.bench.minirun, "--root", folder, "--state", state, "--storage-driver", self.driver]

    def commands(self, image):
        return [[*self.engine, "pull", image.reference]]

    def removal(self, image):
        return [*self.engine, "rmi", image.reference]


class Podman(Puller):
    def begin(self, folder, state):
        super().begin(folder, state)
        self.env = peers.podman_environment(f"{folder}/podman", f"{state}/podman", self.env)

    def commands(self, image):
        return [[*self.programs, "pull", "-q", "--tls-verify=false", image.reference]]

    def removal(self, image):
        return [*self.programs, "rmi", image.reference]


class SkopeoUmoci(Puller):
    def commands(self, image):
        skopeo, umoci = self.programs
        return [[skopeo, "copy", "-q", "--src-tls-verify=false", f"docker://{image.reference}", f"oci:{self.folder}/layout:image"],
                [umoci, "unpack", "--image", f"{self.folder}/layout:image", f"{self.folder}/bundle"]]


class Docker(Puller):
    def begin(self, folder, state):
        super().begin(folder, state)
        client, server = self.programs
        self.env["DOCKER_HOST"] = f"unix://{state}/docker.sock"
        with open(f"{folder}/daemon.json", "w") as file:
            json.dump({"deprecated-key-path": f"{folder}/key.json"}, file)
        self.daemon = Daemon(self.bench, [
            server, "--config-file", f"{folder}/daemon.json", "--host", self.env["DOCKER_HOST"], "--data-root", f"{folder}/data",
            "--exec-root", f"{state}/exec", "--pidfile", f"{state}/pid", "--bridge", "none", "--iptables=false",
            "--storage-driver", "overlay2"], f"{folder}/log", lambda: answers(client, "info", env=self.env), env=self.env)

    def commands(self, image):
        return [[self.programs[0], "pull", "-q", image.reference]]

    def removal(self, image):
        return [self.programs[0], "rmi", image.reference]


class Containerd(Puller):
    def begin(self, folder, state):
        super().begin(folder, state)
        client, server = self.programs
        self.env["CONTAINERD_ADDRESS"] = f"{state}/containerd.sock"
        with open(f"{folder}/config.toml", "w") as file:
            file.write(f'version = 2\nroot = "{folder}/root"\nstate = "{state}/state"\n'
                       'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
                       f'[grpc]\naddress = "{self.env["CONTAINERD_ADDRESS"]}"\n')
        self.daemon = Daemon(self.bench, [server, "--config", f"{folder}/config.toml"], f"{folder}/log",
                             lambda: answers(client, "version", env=self.env), env=self.env)

    def commands(self, image):
        return [[self.programs[0], "images", "pull", "--plain-http", f"{image.reference}:latest"]]

    def removal(self, image):
        return [self.programs[0], "images", "rm", "--sync", f"{image.reference}:latest"]


class Limit(Puller):
    """What the machine needs for one part of a pull alone."""

    def __init__(self, bench, name, command):
        super().__init__(bench, name)
        self.command = command

    def commands(self, image):
        return [["/bin/sh", "-euc", self.command(self.folder, image)]]


def quoted(paths):
    return " ".join(f"'{path}'" for path in paths)


DOWNLOAD, GUNZIP, CREATE = "download alone", "gunzip alone", "file creation alone"
LIMITS = {
    DOWNLOAD: lambda folder, image: "curl -s " + " ".join(
        f"-o /dev/null http://{ADDRESS}/v2/{image.name}/blobs/sha256:{os.path.basename(os.path.dirname(blob))}"
        for blob in image.blobs),
    GUNZIP: lambda folder, image: f"for blob in {quoted(image.blobs)}; do gzip -dc < $blob > /dev/null; done",
    CREATE: lambda folder, image: f"for tar in {quoted(image.tars)}; do tar -xf $tar --numeric-owner -p -C {folder}; done",
    "blobs written and synced": lambda folder, image: f"cat {quoted(image.blobs)} > {folder}/blob; sync {folder}/blob",
}


# Measuring.

@dataclasses.dataclass
class Figures:
    wall: list = dataclasses.field(default_factory=list)
    cpu: list = dataclasses.field(default_factory=list)
    peak: int = 0
    removal: float = 0


def section(bench):
    """Measures and prints a table for each image; adds the bars to the bench's."""
    # What is made in this folder is spread over the disk, as if it were the topmost one.
    subprocess.run(["chattr", "+T", bench.places.disk], capture_output=True)
    registry(bench)
    bench.compile("peak")
    pullers = bring_up(bench)
    for name, source in images(bench):
        image = push(bench.places, source, name)
        bench.section(f"pull and unpack {name}: {image.sizes} (s, medians of {bench.given.pulls} in turn)")
        figures = {puller.name: Figures() for puller in pullers}
        measure.wait_for_quiet(bench.given.quiet)
        load = measure.Load()
        for number in range(bench.given.pulls):
            for puller in pullers:
                once(bench, puller, image, figures[puller.name], number)
        print(f"  others used {load.others():.0%} of the processors")
        print_table(figures)
        judge(bench, name, figures)
        bench.pulled |= {f"pull {name}: {puller}": each for puller, each in figures.items()}


def images(bench):
    wanted = bench.given.images.split(",")
    archive = os.path.join(os.environ.get("MINIRUN_FIXTURES") or "/var/cache/minirun-fixtures", "python-3.8-slim.docker.tar")
    if "python" in wanted:
        yield "python", f"docker-archive:{archive}"
    for layers in (1, 4):
        if f"large-{layers}" in wanted:
            yield f"large-{layers}", large_layout(bench.places, layers)


def bring_up(bench):
    pullers = [Minirun(bench, DIR, "dir"), Minirun(bench, EROFS, "erofs")]
    for make, name, *programs in ((Podman, "podman", "podman"), (Docker, "docker", "docker", "dockerd"),
                                  (Containerd, "containerd", "ctr", "containerd"), (SkopeoUmoci, "skopeo + umoci", "skopeo", "umoci")):
        try:
            pullers.append(make(bench, name, *programs))
        except RuntimeError as error:
            print(f"  {name}: {error}")
    return pullers + [Limit(bench, name, command) for name, command in LIMITS.items()]


def once(bench, puller, image, figures, number):
    places, peak = bench.places, bench.places.path("peak.result")
    folder, state = (make(f"pull.{image.name}.{puller.name}.{number}".replace(" ", "")) for make in (places.path, places.state_path))
    os.mkdir(folder)
    os.mkdir(state)
    puller.begin(folder, state)
    os.sync()
    daemon = puller.daemon
    before = daemon.cpu() if daemon else 0
    wall, cpu = 0, 0
    for argv in puller.commands(image):
        run = bench.runner.run([places.path("peak"), peak, *argv], puller.env)
        wall, cpu = wall + run.wall, cpu + run.cpu
        with open(peak) as file:
            figures.peak = max(figures.peak, int(file.read()))
    figures.wall.append(wall)
    figures.cpu.append(cpu + (daemon.cpu() - before if daemon else 0))
    if daemon:
        figures.peak = max(figures.peak, daemon.peak())
    removal = puller.removal(image)
    if removal:
        figures.removal = bench.runner.run(removal, puller.env).wall
    puller.end()


def print_table(figures):
    print(f"  {'':<26}{'wall':>8}{'least':>8}{'most':>8}{'cpu':>8}{'peak MiB':>10}{'rmi':>8}")
    for name, each in figures.items():
        removal = f"{each.removal:.2f}" if each.removal else "–"
        print(f"  {name:<26}{statistics.median(each.wall):>8.2f}{min(each.wall):>8.2f}{max(each.wall):>8.2f}"
              f"{statistics.median(each.cpu):>8.2f}{each.peak / 1024:>10.0f}{removal:>8}")


def judge(bench, image, figures):
    wall = {name: statistics.median(each.wall) for name, each in figures.items()}
    others = {name: wall[name] for name in wall if name not in (DIR, EROFS) and name not in LIMITS}
    if others:
        fastest = min(others, key=others.get)
        limit = max((DOWNLOAD, GUNZIP, CREATE), key=wall.get)
        faster, near = others[fastest] / wall[DIR], wall[DIR] / wall[limit]
        bench.bars.append((f"{image}: {faster:.1f} times as fast as {fastest}, at least {FASTER:.1f}; or {near:.2f} of {limit}, "
                           f"at most {NEAR:.1f}", faster >= FASTER or near <= NEAR))
    if image.startswith("large"):
        ratio = wall[DIR] / wall[EROFS]
        bench.bars.append((f"{image}: erofs {ratio:.2f} times as fast as dir, at least {EROFS_FASTER:.1f}", ratio >= EROFS_FASTER))
    for name in (DIR, EROFS):
        peak = figures[name].peak
        bench.bars.append((f"{image}: {name}, peak MiB: {peak / 1024:.0f}, at most {MOST_MEMORY // 1024}", peak <= MOST_MEMORY))
