#!/usr/bin/env python3
"""tarify.py [--outside DIR] FILE.layer FOLDER   writes FOLDER/0.tar, FOLDER/1.tar, ..., one for each layer of the file
tarify.py --expect [--outside DIR] FILE.layer    prints as JSON what the file says must come of it

Headers are made by hand, byte for byte, since the point of most of these archives is that no library would write them.
README.md describes the format of the text.
"""
import argparse
import json
import os
import re
import sys

BLOCK = 512
TYPES = {"file": b"0", "hardlink": b"1", "symlink": b"2", "char": b"3", "block": b"4", "dir": b"5", "fifo": b"6"}
MAGICS = {"ustar": b"ustar\x0000", "gnu": b"ustar  \x00", "v7": bytes(8)}
ESCAPES = {"n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}
# Name, offset and width of the header's fields.
FIELDS = {
    "name": (0, 100), "mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "mtime": (136, 12),
    "checksum": (148, 8), "type": (156, 1), "target": (157, 100), "magic": (257, 8), "uname": (265, 32),
    "gname": (297, 32), "major": (329, 8), "minor": (337, 8), "prefix": (345, 155),
}


class Mistake(Exception):
    pass


# ---- reading the text

def unescape(match):
    escape = match.group(1).decode()
    return bytes([int(escape[1:], 16)]) if escape[0] == "x" else ESCAPES[escape]


def words(line):
    """Splits a line at blanks; double quotes keep blanks, and only inside them are \\n \\t \\0 \\\\ \\" \\xNN escapes."""
    result = []
    for word in re.findall(rb'(?:"(?:\\.|[^"\\])*"|[^\s"])+', line):
        pieces = re.findall(rb'"(?:\\.|[^"\\])*"|[^"]+', word)
        result.append(b"".join(
            re.sub(rb'\\(x[0-9a-fA-F]{2}|[nt0\\"])', unescape, piece[1:-1]) if piece[:1] == b'"' else piece
            for piece in pieces))
    return result


def parse(path, outside):
    """Returns the layers, each a list of (word, arguments), the facts, and the text that says what the file is about."""
    layers, expectations, about = [[]], [], []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            line = line.strip().replace(b"@OUTSIDE@", outside.encode())
            line = re.sub(rb"@REPEAT:(\d+):([^@]+)@", lambda match: match.group(2) * int(match.group(1)), line)
            if not line or line.startswith(b"#"):
                continue
            if line.startswith(b"about:"):
                about.append(line[6:].strip().decode())
            elif line.startswith(b"expect:"):
                expectations.append([os.fsdecode(word) for word in words(line[7:])])
            elif line == b"layer":
                layers.append([])
            else:
                word, *arguments = words(line)
                layers[-1].append((number, word.decode(), arguments))
    if not expectations or expectations[0] not in (["refuse"], ["contained"], ["either"]):
        raise Mistake(f"{path}: the first expectation must be refuse, contained or either")
    return layers, expectations, " ".join(about)


def options(arguments):
    """key=value arguments; `pax.` and `raw.` and `at.` keys may be there many times, in order."""
    result = []
    for argument in arguments:
        key, separator, value = argument.partition(b"=")
        if not separator:
            raise Mistake(f"not key=value: {os.fsdecode(argument)}")
        result.append((key.decode(), value))
    return result


# ---- writing the bytes

def padded(data):
    return data + bytes(-len(data) % BLOCK)


def number_field(value, width):
    """Octal digits as everybody writes them; what does not fit, and what is negative, in GNU's base 256."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    encoded = (value % 256 ** (width - 1)).to_bytes(width - 1, "big")
    return (b"\xff" if value < 0 else b"\x80") + encoded


def header(values, raw, checksum):
    block = bytearray(BLOCK)

    def put(field, data):
        offset, width = FIELDS[field]
        block[offset:offset + width] = data[:width].ljust(width, b"\0")

    for field, value in values.items():
        put(field, number_field(value, FIELDS[field][1]) if isinstance(value, int) else value)
    for field, value in raw.items():
        put(field, value)
    put("checksum", b" " * 8)
    total = sum(block) + (1 if checksum == b"bad" else 0)
    put("checksum", raw.get("checksum", b"%06o\0 " % total))
    return bytes(block)


def simple_header(kind, name, size):
    values = {"name": name, "mode": 0o644, "uid": 0, "gid": 0, "size": size, "mtime": 0, "type": kind,
              "magic": MAGICS["gnu" if kind in b"LK" else "ustar"]}
    return header(values, {}, None)


def pax_records(records):
    body = b""
    for key, value in records:
        text = b" " + key.encode() + b"=" + value + b"\n"
        length = len(text) + 1
        while length != len(str(length)) + len(text):
            length = len(str(length)) + len(text)
        body += str(length).encode() + text
    return body


def extension(kind, name, body):
    return simple_header(kind, name, len(body)) + padded(body)


def segments(given, real_size):
    """[(offset, data)] in order, filled up to whole blocks as sparse files are, and ended by an empty one at the end."""
    result = [(int(key[3:]), value) for key, value in given if key.startswith("at.")]
    result = [(offset, padded(data) if i + 1 < len(result) else data) for i, (offset, data) in enumerate(result)]
    last = result[-1][0] + len(result[-1][1]) if result else 0
    return result + ([(real_size, b"")] if last < real_size else [])


def gnu_sparse(block, parts, real_size):
    """Puts the map into a type S header: four parts in the header itself, 21 in each block that follows it."""
    block = bytearray(block)
    encoded = [number_field(offset, 12) + number_field(len(data), 12) for offset, data in parts]
    block[386:482] = b"".join(encoded[:4]).ljust(96, b"\0")
    block[482:483] = b"\1" if len(encoded) > 4 else b"\0"
    block[483:495] = number_field(real_size, 12)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    more = b""
    for start in range(4, len(encoded), 21):
        more += b"".join(encoded[start:start + 21]).ljust(504, b"\0") + (b"\1" if start + 21 < len(encoded) else b"\0")
        more = padded(more)
    return bytes(block) + more


def sparse_map(parts):
    numbers = [len(parts)] + [n for offset, data in parts for n in (offset, len(data))]
    return padded(b"".join(b"%d\n" % n for n in numbers))


def entry(word, name, given):
    """The bytes of one member: the headers that extend its own, its own, and its content."""
    last = dict(given)
    kind = last.get("type", TYPES.get(word))
    if kind is None:
        raise Mistake(f"what is `{word}`? `entry` needs type=")
    content = last.get("content", b"") + b"x" * int(last.get("fill", b"0"))
    pax = [(key[4:], value) for key, value in given if key.startswith("pax.")]
    sparse, real_size = last.get("sparse", b"").decode(), int(last.get("realsize", b"0"))
    parts = segments(given, real_size) if sparse else []
    if sparse:
        content = b"".join(data for _, data in parts)
    if sparse == "gnu":
        kind = b"S"
    elif sparse == "pax0.1":
        numbers = ",".join(f"{offset},{len(data)}" for offset, data in parts)
        pax += [("GNU.sparse.size", b"%d" % real_size), ("GNU.sparse.numblocks", b"%d" % len(parts)),
                ("GNU.sparse.map", numbers.encode())]
    elif sparse == "pax1.0":
        content = sparse_map(parts) + content
        pax += [("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.name", name),
                ("GNU.sparse.realsize", b"%d" % real_size)]

    values = {
        "name": name, "mode": int(last.get("mode", b"755" if kind == b"5" else b"644"), 8),
        "uid": int(last.get("uid", b"0")), "gid": int(last.get("gid", b"0")),
        "size": int(last.get("size", b"%d" % len(content))), "mtime": int(last.get("mtime", b"1700000000")),
        "type": kind, "target": last.get("target", b""),
        "magic": MAGICS[last.get("magic", b"gnu" if sparse == "gnu" else b"ustar").decode()],
        "uname": last.get("uname", b""), "gname": last.get("gname", b""), "prefix": last.get("prefix", b""),
    }
    if kind in b"34":
        values |= {"major": int(last.get("major", b"0")), "minor": int(last.get("minor", b"0"))}
    if values["magic"] == MAGICS["v7"]:
        values.pop("uname"), values.pop("gname"), values.pop("prefix")
    raw = {key[4:]: value for key, value in given if key.startswith("raw.")}

    data = b""
    if pax or "paxbody" in last:
        data += extension(b"x", b"PaxHeaders/entry", last.get("paxbody", pax_records(pax)))
    # What does not fit is written GNU's way, unless the line says how: @OUTSIDE@ may be of any length.
    given_keys = {key for key, _ in pax}
    long_link = last.get("longlink", values["target"] if len(values["target"]) > 100 else None)
    long_name = last.get("longname", name if len(name) > 100 else None)
    if long_link is not None and "linkpath" not in given_keys:
        data += extension(b"K", b"././@LongLink", long_link + b"\0")
    if long_name is not None and "path" not in given_keys:
        data += extension(b"L", b"././@LongLink", long_name + b"\0")
    block = header(values, raw, last.get("checksum"))
    data += gnu_sparse(block, parts, real_size) if sparse == "gnu" else block
    return data + (content if last.get("pad") == b"no" else padded(content))


def tar(lines):
    data, end = b"", bytes(2 * BLOCK)
    for number, word, arguments in lines:
        try:
            if word == "raw":
                data += b"".join(arguments)
            elif word == "global":
                data += extension(b"g", b"GlobalHead", pax_records(
                    [(key, value) for key, value in options(arguments)]))
            elif word == "end":
                given = dict(options(arguments))
                end = bytes(BLOCK * int(given.get("blocks", b"2"))) + given.get("garbage", b"")
                cut = int(given.get("cut", b"0"))
                return (data + end)[:-cut] if cut else data + end
            else:
                data += entry(word, arguments[0], options(arguments[1:]))
        except (Mistake, KeyError, ValueError, IndexError) as error:
            raise Mistake(f"line {number}: {error!r}") from error
    return data + end


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--expect", action="store_true")
    parser.add_argument("--outside", default="/nonexistent/outside")
    parser.add_argument("file")
    parser.add_argument("folder", nargs="?")
    arguments = parser.parse_args()
    layers, expectations, about = parse(arguments.file, arguments.outside)
    if arguments.expect:
        json.dump({"about": about, "expect": expectations[0][0], "facts": expectations[1:], "layers": len(layers)},
                  sys.stdout, indent=2)
        print()
        return
    os.makedirs(arguments.folder, exist_ok=True)
    for number, lines in enumerate(layers):
        with open(os.path.join(arguments.folder, f"{number}.tar"), "wb") as file:
            file.write(tar(lines))


if __name__ == "__main__":
    try:
        main()
    except Mistake as mistake:
        sys.exit(f"tarify: {mistake}")
