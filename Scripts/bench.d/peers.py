"""Brings up what minirun is measured beside, each out of folders of the bench's own."""

import copy
import json
import os
import platform
import resource
import shutil
import subprocess
import tarfile

SECCOMP = "/usr/share/containers/seccomp.json"
BARE_BIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def call(*argv, env=None, cwd=None, stdin=None, timeout=300):
    """A command's output; a failure's last line is the error."""
    done = subprocess.run(argv, env=env, cwd=cwd, stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=timeout)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise RuntimeError(f"{os.path.basename(argv[0])}: {lines[-1].strip()[:200]}")
    return done.stdout


def unpack(archive, folder):
    """The root of a docker archive's first image, by tar. For images without whiteouts."""
    os.makedirs(folder, exist_ok=True)
    with tarfile.open(archive) as outer:
        for layer in json.load(outer.extractfile("manifest.json"))[0]["Layers"]:
            tar = subprocess.Popen(["tar", "-x", "-p", "--numeric-owner", "-C", folder], stdin=subprocess.PIPE)
            shutil.copyfileobj(outer.extractfile(layer), tar.stdin)
            tar.stdin.close()
            if tar.wait() != 0:
                raise RuntimeError(f"cannot unpack {archive}")


def tag_of(archive):
    with tarfile.open(archive) as outer:
        return json.load(outer.extractfile("manifest.json"))[0]["RepoTags"][0]


# The same bundle: what minirun says that it would give a container, for another runtime.

def docker_seccomp(capabilities):
    """A profile of docker's form (containers-common's) as the runtime specification wants it, for this machine."""
    with open(SECCOMP) as file:
        profile = json.load(file)
    native = {"x86_64": ("SCMP_ARCH_X86_64", "amd64"), "aarch64": ("SCMP_ARCH_AARCH64", "arm64")}[platform.machine()]
    kernel = tuple(int(word) for word in platform.release().split("-")[0].split(".")[:2])

    def applies(rule):
        wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
        least = wanted.get("minKernel")
        return (
            (not wanted.get("arches") or native[1] in wanted["arches"])
            and native[1] not in (unwanted.get("arches") or [])
            and set(wanted.get("caps") or []) <= set(capabilities)
            and not set(unwanted.get("caps") or []) & set(capabilities)
            and (not least or kernel >= tuple(int(word) for word in least.split(".")[:2]))
        )

    kept = ("names", "action", "args", "errnoRet")
    architectures = next(each for each in profile["archMap"] if each["architecture"] == native[0])
    result = {
        "defaultAction": profile["defaultAction"],
        "architectures": [native[0], *(architectures.get("subArchitectures") or [])],
        "syscalls": [{key: rule[key] for key in kept if rule.get(key)} for rule in profile["syscalls"] if applies(rule)],
    }
    if profile.get("defaultErrnoRet"):
        result["defaultErrnoRet"] = profile["defaultErrnoRet"]
    return result


def same_bundle(spec, folder, root, cgroup):
    """Writes minirun's specification as a bundle on `root`. Returns what had to be added to it."""
    spec, added = copy.deepcopy(spec), []
    spec["ociVersion"] = "1.0.2"  # runtimes of Debian 12 refuse a later one
    spec["root"]["path"] = root
    spec["linux"]["cgroupsPath"] = cgroup
    os.makedirs(folder)
    for mount in spec["mounts"]:
        if mount.get("type") == "bind":  # hosts, hostname, resolv.conf: of the container, which does not exist
            mount["source"] = os.path.join(folder, os.path.basename(mount["destination"]))
            with open(mount["source"], "w") as file:
                file.write("127.0.0.1 localhost\n")
    if "seccomp" not in spec["linux"]:
        if not os.path.exists(SECCOMP):
            raise RuntimeError(f"{SECCOMP} is missing (containers-common)")
        spec["linux"]["seccomp"] = docker_seccomp(spec["process"]["capabilities"]["bounding"])
        added.append(f"same: minirun's specification has no filter in it, so it is made of {SECCOMP}")
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(spec, file, indent=1)
    return added


def bare_bundle(runtime, folder, root, command=("true",)):
    """The runtime's own `spec`, except that it runs `true`, or what is given, without a terminal, on a root that can be written."""
    os.makedirs(folder)
    call(runtime, "spec", cwd=folder)
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        spec = json.load(file)
    spec["process"].update(terminal=False, args=list(command))
    spec["root"] = {"path": root, "readonly": False}
    with open(path, "w") as file:
        json.dump(spec, file)


def podman_environment(folder, state, base):
    """Storage, state and configuration below the two folders, so that no other podman of the machine is touched."""
    os.makedirs(folder)
    os.makedirs(state)

    # podman asks for more than a root without CAP_SYS_RESOURCE may have; where it may, this is podman's own default.
    def limit(which, wanted):
        soft, hard = (wanted if each == resource.RLIM_INFINITY else min(each, wanted) for each in resource.getrlimit(which))
        return f"{soft}:{hard}"

    with open(f"{folder}/containers.conf", "w") as file:
        file.write(f"""\
[containers]
default_ulimits = ["nofile={limit(resource.RLIMIT_NOFILE, 1048576)}", "nproc={limit(resource.RLIMIT_NPROC, 32768)}"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{state}/libpod"
volume_path = "{folder}/volumes"
[network]
network_config_dir = "{folder}/networks"
""")
    with open(f"{folder}/storage.conf", "w") as file:
        file.write(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/storage"\nrunroot = "{state}/storage"\n')
    return base | {"CONTAINERS_CONF": f"{folder}/containers.conf", "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf"}


# Daemons: only those that answer. What is put into them has names of its own, and is taken out again.

class Docker:
    def __init__(self, program, root, name):
        self.program, self.name = program, name
        call(program, "version", timeout=5)
        tar = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
        call(program, "import", "-", name, stdin=tar.stdout)
        tar.wait()
        self.argv = [program, "run", "--rm", "--network", "none", name, "true"]

    def remove(self):
        call(self.program, "rmi", "-f", self.name)


class Containerd:
    namespace = "minirun-bench"

    def __init__(self, program, archive):
        self.program, self.image = program, f"docker.io/library/{tag_of(archive)}"
        call(program, "version", timeout=5)
        call(program, "-n", self.namespace, "images", "import", archive)
        self.argv = [program, "-n", self.namespace, "run", "--rm", self.image, "minirun-bench", "true"]

    def remove(self):
        call(self.program, "-n", self.namespace, "images", "rm", "--sync", self.image)
        call(self.program, "namespaces", "rm", self.namespace)
