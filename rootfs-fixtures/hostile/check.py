#!/usr/bin/env python3
"""check.py [--files DIR] [--] COMMAND...   runs an unpacker on every .layer file below a folder (by default this one)

The unpacker is called as `COMMAND... ROOT 0.tar 1.tar ...`, must make the folder ROOT out of the layers, and ends with a
code other than 0 when it refuses. One line is printed for each file that did not come out as it says; the code is 1 if
there was one. `unpack-umoci` beside this file is such a command. Run it as root, in a sandbox if you do not trust it.
"""
import argparse
import json
import os
import stat
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def resolve(root, path, follow_last=False, depth=0):
    """The real place of a path inside a root, as a process in the container would find it."""
    place, rest = [], [part for part in path.split("/") if part not in ("", ".")]
    while rest:
        part = rest.pop(0)
        if part == "..":
            place = place[:-1]
            continue
        here = os.path.join(root, *place, part)
        if (rest or follow_last) and os.path.islink(here):
            if (depth := depth + 1) > 40:
                raise OSError(f"too many symlinks in {path}")
            target = os.readlink(here)
            place = [] if target.startswith("/") else place
            rest = [piece for piece in target.split("/") if piece not in ("", ".")] + rest
            continue
        place.append(part)
    return os.path.join(root, *place)


def bytes_of(text):
    return os.fsencode(text)


def attribute(path, name):
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return None


def tree(root):
    names = []
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
            names.append(os.path.relpath(path, root) + ("/" if is_folder else ""))
    return sorted(names)


def holds(root, fact):
    """Whether one fact is true of an unpacked root."""
    kind, arguments = fact[0], fact[1:]
    if kind == "tree":
        return tree(root) == sorted(arguments)
    path = resolve(root, arguments[0])
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return kind == "absent"
    mode = status.st_mode
    device = f"{os.major(status.st_rdev)} {os.minor(status.st_rdev)}"
    match kind, arguments[1:]:
        case "absent", []:
            return False
        case "file", [content]:
            return stat.S_ISREG(mode) and open(path, "rb").read() == bytes_of(content)
        case "directory", []:
            return stat.S_ISDIR(mode)
        case "fifo", []:
            return stat.S_ISFIFO(mode)
        case "symlink", [target]:
            return stat.S_ISLNK(mode) and os.readlink(path) == target
        case "same", [other]:
            return os.path.samestat(status, os.lstat(resolve(root, other)))
        case "mode", [octal]:
            return stat.S_IMODE(mode) == int(octal, 8)
        case "owner", [user, group]:
            return (status.st_uid, status.st_gid) == (int(user), int(group))
        case "size", [size]:
            return status.st_size == int(size)
        case "mtime", [time]:
            seconds, _, fraction = time.partition(".")
            return status.st_mtime_ns == int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
        case "device", [type_, major, minor]:
            right_type = stat.S_ISCHR(mode) if type_ == "c" else stat.S_ISBLK(mode)
            return right_type and device == f"{major} {minor}"
        case "xattr", [name, value]:
            return attribute(path, name) == bytes_of(value)
        case "no-xattr", [name]:
            return attribute(path, name) is None
    raise ValueError(f"unknown fact {fact}")


def make_outside(folder):
    """What lies beside the root, at the places that the layers reach for."""
    os.makedirs(os.path.join(folder, "folder"))
    for name in ("hello", "folder/inside"):
        path = os.path.join(folder, name)
        with open(path, "w") as file:
            file.write("unharmed\n")
        os.chmod(path, 0o400)


def snapshot(folder):
    """Everything about a folder outside the root that an attack could change."""
    result = []
    for place, folders, files in os.walk(folder):
        for path in [place] + [os.path.join(place, name) for name in files]:
            status = os.lstat(path)
            content = open(path, "rb").read() if stat.S_ISREG(status.st_mode) else sorted(folders + files)
            result.append((path, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_mtime_ns,
                           content))
    return sorted(result, key=lambda item: item[0])


def check(command, layer):
    """Returns what is wrong with the way the command unpacks this file, or None."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as work:
        outside, root = os.path.join(work, "victim"), os.path.join(work, "root")
        make_outside(outside)
        before = snapshot(outside)
        tarify = [os.path.join(HERE, "tarify.py"), "--outside", outside, layer]
        subprocess.run([*tarify, os.path.join(work, "tars")], check=True)
        said = json.loads(subprocess.run([tarify[0], "--expect", *tarify[1:]], check=True, capture_output=True).stdout)
        tars = [os.path.join(work, "tars", f"{number}.tar") for number in range(said["layers"])]
        run = subprocess.run([*command, root, *tars], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if snapshot(outside) != before or sorted(set(os.listdir(work)) - {"tars"}) not in (["root", "victim"], ["victim"]):
            return "something outside the root changed"
        if run.returncode < 0:
            return f"killed by signal {-run.returncode}"
        if run.returncode != 0:
            lines = run.stderr.decode(errors="replace").strip().splitlines() or [""]
            return f"was refused: {lines[-1]}" if said["expect"] == "contained" else None
        if said["expect"] == "refuse":
            return "was not refused"
        wrong = [fact for fact in said["facts"] if not holds(root, fact)]
        return f"not true: {wrong[0]}" if wrong else None


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--files", default=HERE)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    layers = sorted(os.path.join(folder, name) for folder, _, names in os.walk(arguments.files)
                    for name in names if name.endswith(".layer"))
    failures = 0
    for layer in layers:
        wrong = check(arguments.command, layer)
        if wrong:
            failures += 1
            print(f"{os.path.relpath(layer, arguments.files)}: {wrong}", flush=True)
    print(f"{len(layers)} files, {failures} not as they say", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
