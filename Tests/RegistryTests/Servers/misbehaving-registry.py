#!/usr/bin/env python3
"""misbehaving-registry PLAN

A registry with one image, repo:latest, that does wrong what PLAN (JSON) says. Prints its port, a second port that stands for
another host, and the image's digests as one line of JSON. Appends every request as a line of JSON to PLAN's "log". Takes one
upload at a time, in pieces of "least" bytes or more.

PLAN: {"log": FILE, "auth": "basic" | "bearer" | null, "rules": [RULE...]}
RULE: {"match": part of a path, "method": "GET", "times": how often, "do": what, ...}
"""
import gzip, hashlib, io, json, random, sys, tarfile, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

plan = json.load(open(sys.argv[1]))
lock = threading.Lock()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer():
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        entry = tarfile.TarInfo("data")
        entry.size = 300_000
        tar.addfile(entry, io.BytesIO(random.Random(7).randbytes(entry.size)))
    return plain.getvalue(), gzip.compress(plain.getvalue(), mtime=0)


def descriptor(kind, data):
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


plain, packed = layer()
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                     "rootfs": {"type": "layers", "diff_ids": [digest(plain)]}}).encode()
OCI = "application/vnd.oci.image."
described = descriptor(OCI + "layer.v1.tar+gzip", packed)
described["size"] += plan.get("sizeError", 0)
manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                       "config": descriptor(OCI + "config.v1+json", config), "layers": [described]}).encode()
manifest = plan.get("manifest", "").encode() or manifest
blobs = {digest(packed): packed, digest(config): config}
upload = bytearray()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    other = False

    def log_message(self, *_):
        pass

    def note(self):
        line = {"method": self.command, "path": self.path, "other": self.other, "range": self.headers.get("Range") or self.headers.get("Content-Range"),
                "authorization": self.headers.get("Authorization")}
        with lock, open(plan["log"], "a") as log:
            log.write(json.dumps(line) + "\n")

    def send_error(self, *_):
        """What is no HTTP: that somebody tried to speak TLS is noted, as a request for tls."""
        with lock, open(plan["log"], "a") as log:
            log.write(json.dumps({"method": "", "path": "tls"}) + "\n")
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request that is none.\n")

    def rule(self):
        with lock:
            for rule in plan.get("rules", []):
                if rule["match"].replace("@layer", digest(packed)) in self.path and rule.get("method", "GET") == self.command and rule.get("times", 1) > 0 \
                        and bool(rule.get("other")) == self.other:
                    rule["times"] = rule.get("times", 1) - 1
                    return rule
        return {}

    def answer(self, status, body=b"", headers=None, declared=None, sent=None, pause=0):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if declared is None else declared))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if sent is None else body[:sent])
        if sent is not None:
            # What a client has not taken from its connection may go with it.
            self.wfile.flush()
            time.sleep(pause)
            self.close_connection = True

    def authorized(self):
        given = self.headers.get("Authorization") or ""
        want = {"basic": "Basic YW5uYTpzZWNyZXQ=", "bearer": "Bearer good"}.get(plan.get("auth"))
        if want is None or given == want:
            return True
        challenge = 'Basic realm="here"' if plan["auth"] == "basic" else \
            'Bearer realm="http://127.0.0.1:%d/token",service="here",scope="repository:repo:pull"' % servers[0].server_port
        errors = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}).encode()
        self.answer(401, errors, {"WWW-Authenticate": challenge})
        return False

    def token(self):
        if plan.get("password") and self.headers.get("Authorization") != "Basic YW5uYTpzZWNyZXQ=":
            return self.answer(401, b"{}")
        self.answer(200, json.dumps({plan.get("tokenKey", "token"): "good"}).encode())

    def do_GET(self):
        self.note()
        if self.path.startswith("/token"):
            return self.token()
        rule = self.rule()
        do = rule.get("do")
        if do == "status":
            return self.answer(rule["status"], rule.get("body", "").encode(), rule.get("headers"))
        if do == "raw":
            # Not HTTP, or too much of it: the text, so often, and the end.
            self.close_connection = True
            try:
                self.wfile.write(rule.get("start", "").encode())
                for _ in range(rule.get("often", 1)):
                    self.wfile.write(rule["text"].encode())
            except OSError:
                pass
            return
        if not self.other and not self.authorized():
            return
        if do == "redirect":
            port = servers[1].server_port if rule.get("away") else servers[0].server_port
            return self.answer(307, b"", {"Location": "http://127.0.0.1:%d%s" % (port, self.path)})
        if do == "page":
            return self.answer(rule["status"], rule["body"].encode(), rule["headers"])
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        if "/manifests/" in self.path:
            kind = rule.get("type", OCI + "manifest.v1+json")
            if name not in ("latest", digest(manifest)):
                errors = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}).encode()
                return self.answer(404, errors)
            body = manifest + b" " if do == "flip" else manifest
            return self.answer(200, body, {"Content-Type": kind, "Docker-Content-Digest": digest(manifest)})
        if name in blobs:
            return self.blob(blobs[name], rule, do)
        if "/uploads/" in self.path:
            return self.answer(204, b"", {"Location": self.path, "Range": "0-%d" % max(0, len(upload) - 1)})
        self.answer(200 if self.path == "/v2/" else 404, b"{}")

    do_HEAD = do_GET

    def change(self):
        """One upload, as the specification has it: an answer of its own where a rule is for it."""
        self.note()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        rule = self.rule()
        if rule.get("do") == "hang":
            return time.sleep(30)
        if rule.get("do") == "lose":
            # The registry has less than it said.
            del upload[len(upload) // 2:]
        if rule.get("do") == "status":
            return self.answer(rule["status"], rule.get("body", "").encode(), rule.get("headers"))
        place = {"Location": "/v2/repo/blobs/uploads/1"}
        if self.command == "POST":
            upload.clear()
            if plan.get("least"):
                place["OCI-Chunk-Min-Length"] = str(plan["least"])
            return self.answer(202, b"", place)
        if self.command == "PATCH":
            start, end = map(int, self.headers["Content-Range"].split("-"))
            if start != len(upload) or end - start + 1 != len(body):
                return self.answer(416, b"", dict(place, Range="0-%d" % max(0, len(upload) - 1)))
            upload.extend(body)
            return self.answer(202, b"", dict(place, Range="0-%d" % (len(upload) - 1)))
        if self.command == "PUT" and "/uploads/" in self.path:
            upload.extend(body)
            wanted = self.path.split("digest=")[1].replace("%3A", ":")
            if digest(bytes(upload)) != wanted:
                return self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"digest"}]}')
            blobs[wanted] = bytes(upload)
            upload.clear()
            return self.answer(201, b"", {"Location": "/v2/repo/blobs/" + wanted})
        self.answer(201 if self.command == "PUT" else 204)

    do_POST = do_PATCH = do_PUT = do_DELETE = change

    def blob(self, data, rule, do):
        wanted = self.headers.get("Range")
        start = int(wanted.split("=")[1].rstrip("-")) if wanted else 0
        headers = {}
        status = 200
        if do == "refuserange" and wanted:
            return self.answer(416)
        if wanted and do != "norange":
            status = 206
            first = start + (1 if do == "wrongrange" else 0)
            headers["Content-Range"] = "bytes %d-%d/%d" % (first, len(data) - 1, len(data))
        else:
            start = 0
        body = data[start:]
        if do == "flip":
            body = bytes([body[0] ^ 1]) + body[1:]
        if do == "cut":
            return self.answer(status, body, headers, sent=rule["at"], pause=rule.get("pause", 0))
        if do == "short":
            return self.answer(status, body[:rule["at"]], headers)
        if do == "long":
            return self.answer(status, body + b"x" * 1000, headers)
        if do == "endless":
            self.send_response(status)
            self.end_headers()
            self.close_connection = True
            try:
                self.wfile.write(body)
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                return
        if do == "stall":
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:rule["at"]])
            self.wfile.flush()
            self.close_connection = True
            time.sleep(rule.get("seconds", 5))
            return
        self.answer(status, body, headers)


class Other(Handler):
    other = True


servers = [ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in (Handler, Other)]
for server in servers:
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": servers[0].server_port, "other": servers[1].server_port, "layer": digest(packed),
                  "layerSize": len(packed), "manifest": digest(manifest)}), flush=True)
sys.stdin.read()
