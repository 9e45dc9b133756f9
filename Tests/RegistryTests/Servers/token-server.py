#!/usr/bin/env python3
"""token-server PLAN

A token server for docker-registry (distribution, docs/spec/auth/token.md, oauth.md, jwt.md). Prints its port; appends every
request as a line of JSON to PLAN's "log".

PLAN: {"log": FILE, "key": FILE, "certificate": FILE, "users": {NAME: PASSWORD}, "post": status or null,
       "denied": [repository...], "expired": how many tokens at first are no longer good}
Without a user only what begins with "public/" may be read. A user's refresh token is "refresh-NAME", and a password as well.
"""
import base64, json, subprocess, sys, threading, time, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

plan = json.load(open(sys.argv[1]))
lock = threading.Lock()


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims):
    pem = open(plan["certificate"]).read()
    der = "".join(line for line in pem.splitlines() if not line.startswith("-"))
    head = text(json.dumps({"typ": "JWT", "alg": "RS256", "x5c": [der]}).encode())
    body = head + "." + text(json.dumps(claims).encode())
    sign = subprocess.run(["openssl", "dgst", "-sha256", "-sign", plan["key"]], input=body.encode(), stdout=subprocess.PIPE)
    return body + "." + text(sign.stdout)


def access(user, scopes):
    granted = []
    for scope in scopes:
        kind, name, actions = scope.split(":")
        actions = [a for a in actions.split(",") if user or a == "pull" and name.startswith("public/")]
        if name in plan.get("denied", []):
            actions = []
        granted.append({"type": kind, "name": name, "actions": actions})
    return granted


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self, form):
        with lock, open(plan["log"], "a") as log:
            log.write(json.dumps({"method": self.command, "path": self.path, "form": form}) + "\n")

    def give(self, user, scopes, refresh):
        with lock:
            late = plan.get("expired", 0) > 0
            plan["expired"] = plan.get("expired", 0) - 1
        now = int(time.time()) - (3600 if late else 0)
        token = signed({"iss": "test", "sub": user or "", "aud": "here", "exp": now + 300, "nbf": now - 10, "iat": now,
                        "jti": str(time.time_ns()), "access": access(user, scopes)})
        document = {"token": token, "access_token": token, "expires_in": 300}
        if refresh:
            document["refresh_token"] = "refresh-" + user
        self.answer(200, document)

    def do_GET(self):
        self.note(None)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        user = None
        given = self.headers.get("Authorization")
        if given:
            user, password = base64.b64decode(given.split()[1]).decode().split(":", 1)
            if password not in (plan["users"].get(user), "refresh-" + user):
                return self.answer(401, {"details": "incorrect username or password"})
        self.give(user, query.get("scope", []), query.get("offline_token") == ["true"])

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def do_POST(self):
        form = urllib.parse.parse_qs(self.body().decode())
        self.note({key: values[0] for key, values in form.items()})
        if plan.get("post"):
            return self.answer(plan["post"], {})
        user = form.get("refresh_token", [""])[0].removeprefix("refresh-")
        if user not in plan["users"]:
            return self.answer(401, {"details": "invalid refresh token"})
        self.give(user, form.get("scope", [""])[0].split(), False)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
