#!/usr/bin/env python3
"""delta.py BASE.tar FULL.tar LAYER.tar: writes the layer that turns BASE into FULL.

A member goes into the layer when anything about it differs from the member of that name in BASE; what BASE alone has
becomes a whiteout. Folders of which only the time differs are left out, since every installation touches hundreds.
"""
import hashlib
import io
import os.path
import sys
import tarfile


def description(archive, member):
    """What must be equal for a member to count as unchanged."""
    content = ""
    if member.isreg():
        content = hashlib.sha256(archive.extractfile(member).read()).hexdigest()
    time = 0 if member.isdir() else member.mtime
    xattrs = sorted((key, value) for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr."))
    return (member.type, member.mode, member.uid, member.gid, time, member.linkname, content, xattrs)


def descriptions(archive):
    return {member.name: description(archive, member) for member in archive}


def changed_names(base, full):
    names = {name for name in full if base.get(name) != full[name]}
    # A hard link to a file that is replaced has to be made again, or it would go on naming the old file.
    names |= {name for name, d in full.items() if d[0] == tarfile.LNKTYPE and d[5] in names}
    return names


def whiteouts(base, full):
    """The topmost names that are gone: whatever was below them goes with them."""
    gone = {name for name in base if name not in full}
    for name in sorted(gone):
        if os.path.dirname(name) not in gone:
            yield os.path.join(os.path.dirname(name), ".wh." + os.path.basename(name))


def write_layer(base_path, full_path, layer_path):
    with tarfile.open(base_path) as base_archive, tarfile.open(full_path) as full_archive:
        base, full = descriptions(base_archive), descriptions(full_archive)
        changed = changed_names(base, full)
        with tarfile.open(layer_path, "w", format=tarfile.PAX_FORMAT) as layer:
            for member in full_archive:
                if member.name in changed:
                    layer.addfile(member, full_archive.extractfile(member) if member.isreg() else None)
            for name in whiteouts(base, full):
                layer.addfile(tarfile.TarInfo(name), io.BytesIO())


if __name__ == "__main__":
    write_layer(*sys.argv[1:4])
