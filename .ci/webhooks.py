#!/usr/bin/env python3
"""The examples of the chapter on webhooks and streams, against a real server: `webhooks.py ORDERD`. Receivers in Python and
TypeScript verify every message and drop repetitions, a relay tells a chat room, a follower resumes after a restart."""
import http.server
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from tools import NODE, PYTHON

EXAMPLES = pathlib.Path(__file__).parent / "webhooks"
ORDERS = 12
PASSWORD = "a long and private phrase"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(base, method, path, body=None, token=None, key=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(base + path, data, headers, method=method), timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def lines(process):
    """The lines of a process as they come."""
    found = queue.Queue()

    def read():
        for line in process.stdout:
            found.put(json.loads(line))

    threading.Thread(target=read, daemon=True).start()
    return found


def take(found, count, what):
    taken = []
    while len(taken) < count:
        try:
            taken.append(found.get(timeout=60))
        except queue.Empty:
            sys.exit(f"{what}: {len(taken)} of {count}: {taken}")
    return taken


class Server:
    def __init__(self, orderd, folder):
        self.command = [orderd, "serve", "--db", str(folder / "o.db"), "--listen", f"127.0.0.1:{free_port()}",
                        "--set", "webhooks.allow_private=true", "--set", "limits.requests_per_minute=0",
                        "--set", "webhooks.retries=200ms,500ms,1s,2s", "--log-level", "error"]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.base = self.process.stdout.readline().split()[-1]
        if not self.base.startswith("http"):
            sys.exit("the server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()


def room(messages):
    """A chat room: keeps what it is told."""

    class Room(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Room)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def main():
    orderd = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder, processes = pathlib.Path(name), []
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "node_modules").symlink_to(NODE)
        shutil.copy(EXAMPLES / "receiver.ts", folder)
        server = Server(orderd, folder)
        setup = server.process.stdout.readline().split(": ")[1].strip()
        body = {"token": setup, "email": "a@example.com", "name": "A", "password": PASSWORD}
        call(server.base, "POST", "/v1/setup", body)
        token = call(server.base, "POST", "/v1/auth/login", {"email": body["email"], "password": PASSWORD})["access_token"]

        def example(command, **environment):
            environment = {**os.environ, **environment}
            processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
            return lines(processes[-1])

        def endpoint():
            port = free_port()
            made = call(server.base, "POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{port}/"}, token)
            return made["id"], {"PORT": str(port), "WEBHOOK_SECRET": made["secret"]}

        told = []
        try:
            ids, found = [], {}
            for what, command in {
                "receiver.py": [PYTHON / "python", EXAMPLES / "receiver.py"],
                "receiver.ts": [NODE / ".bin" / "tsx", folder / "receiver.ts"],
                "relay.py": [PYTHON / "python", EXAMPLES / "relay.py"],
            }.items():
                id, environment = endpoint()
                ids.append(id)
                found[what] = example([str(part) for part in command], ROOM_URL=room(told), **environment)
            key = call(server.base, "POST", "/v1/api-keys", {"name": "follow", "permissions": ["orders:read"]}, token)
            follow = example([sys.executable, str(EXAMPLES / "follow.py")], SERVER=server.base, API_KEY=key["secret"])
            order = {"currency": "EUR", "items": [{"sku": "TEA", "name": "Tea", "quantity": 1, "unit_amount": 1250}]}
            for number in range(ORDERS):
                call(server.base, "POST", "/v1/orders", order, token, f"order-{number}")
                if number == ORDERS // 2:
                    server.kill()
                    server.start()
            seqs = list(range(1, ORDERS + 1))
            assert [seq for seq, _ in take(follow, ORDERS, "follow.py")] == seqs
            for what in ["receiver.py", "receiver.ts"]:
                assert sorted(seq for _, seq in take(found[what], ORDERS, what)) == seqs, what
            for id in ids[:2]:
                # Everything again: the receivers drop it, because its identifiers are the same.
                call(server.base, "POST", f"/v1/webhooks/{id}/replay", {"after": 0}, token)
                call(server.base, "POST", f"/v1/webhooks/{id}/ping", {}, token)
            for what in ["receiver.py", "receiver.ts"]:
                assert take(found[what], 1, what) == [["ping", None]], what
            deadline = time.monotonic() + 60
            while len({message["text"] for message in told}) < ORDERS:
                if time.monotonic() > deadline:
                    sys.exit(f"relay.py: the room was told {told}")
                time.sleep(0.1)
            print(f"{ORDERS} events at two receivers, a room and a follower, with a kill -9 and a replay in between")
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            server.kill()


main()
