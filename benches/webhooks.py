#!/usr/bin/env python3
"""Webhooks under kill -9: events to three endpoints, one dead, one slow, one that fails at random, while the server is
killed every few seconds. Each event has to arrive at each live endpoint at least once, and every message has to be signed.
Starts the server itself; needs only Python.

    benches/webhooks.py ORDERD [--events 500] [--kill-every 3] [--slow 0.05] [--failing 0.3]
"""
import argparse
import base64
import collections
import hashlib
import hmac
import http.server
import json
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

PASSWORD = "a long and private phrase"
RETRIES = ",".join(["300ms", "1s", "2s", "4s"] + ["5s"] * 30)
PATIENCE = 600  # seconds until the last event has to have arrived


class Receiver:
    """Verifies and counts. `answer` says with which status, after how many seconds."""

    def __init__(self, answer):
        self.secret, self.counts, self.unsigned, self.lock = None, collections.Counter(), 0, threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, pause = answer()
                receiver.receive(self.headers, body, status)
                time.sleep(pause)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass  # the server was killed

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def receive(self, headers, body, status):
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        with self.lock:
            if expected not in (headers["webhook-signature"] or "").split(" "):
                self.unsigned += 1
            elif status < 300:
                self.counts[json.loads(body)["data"]["seq"]] += 1


class Server:
    def __init__(self, orderd, folder):
        self.port = free_port()
        self.command = [orderd, "serve", "--db", str(folder / "o.db"), "--listen", f"127.0.0.1:{self.port}",
                        "--set", "webhooks.allow_private=true", "--set", f"webhooks.retries={RETRIES}",
                        "--set", "limits.requests_per_minute=0", "--log-level", "error"]
        self.base = f"http://127.0.0.1:{self.port}"
        self.kills = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline().startswith("listening"):
            sys.exit("the server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start()


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
    with urllib.request.urlopen(urllib.request.Request(base + path, data, headers, method=method), timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def place(server, token, number, latencies):
    """Places an order, however often the server is killed meanwhile."""
    order = {"currency": "EUR", "items": [{"sku": "TEA", "name": "Tea", "quantity": 1, "unit_amount": 1250}]}
    while True:
        begun = time.perf_counter()
        try:
            call(server.base, "POST", "/v1/orders", order, token, f"order-{number}")
            latencies.append(time.perf_counter() - begun)
            return
        except (OSError, urllib.error.URLError, ValueError):
            time.sleep(0.05)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("orderd")
    arguments.add_argument("--events", type=int, default=500)
    arguments.add_argument("--kill-every", type=float, default=3)
    arguments.add_argument("--slow", type=float, default=0.05)
    arguments.add_argument("--failing", type=float, default=0.3)
    options = arguments.parse_args()
    chance = random.Random(1)
    slow = Receiver(lambda: (200, options.slow))
    failing = Receiver(lambda: (500 if chance.random() < options.failing else 204, 0))
    dead = f"http://127.0.0.1:{free_port()}/"
    with tempfile.TemporaryDirectory() as name:
        server = Server(options.orderd, pathlib.Path(name))
        setup = server.process.stdout.readline().split(": ")[1].strip()
        account = {"email": "a@example.com", "password": PASSWORD}
        call(server.base, "POST", "/v1/setup", {"token": setup, "name": "A", **account})
        user = call(server.base, "POST", "/v1/auth/login", account)["access_token"]
        permissions = ["orders:read", "orders:create", "webhooks:write", "metrics:read"]
        key = call(server.base, "POST", "/v1/api-keys", {"name": "soak", "permissions": permissions}, user)["secret"]
        for receiver in (slow, failing):
            receiver.secret = call(server.base, "POST", "/v1/webhooks", {"url": receiver.url}, key)["secret"]
        call(server.base, "POST", "/v1/webhooks", {"url": dead}, key)

        done = threading.Event()

        def kill():
            while not done.wait(options.kill_every):
                server.kill()

        begun, latencies = time.monotonic(), []
        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        for number in range(options.events):
            place(server, key, number, latencies)
        placed = time.monotonic() - begun
        while any(len(receiver.counts) < options.events for receiver in (slow, failing)):
            if time.monotonic() - begun > placed + PATIENCE:
                break
            time.sleep(0.2)
        done.set()
        killer.join()
        took = time.monotonic() - begun
        server.process.kill()
        server.process.wait()
    latencies.sort()
    print(f"{options.events} orders in {placed:.1f} s, all delivered after {took:.1f} s, {server.kills} kills; orders that"
          f" were answered: median {latencies[len(latencies) // 2] * 1e3:.1f} ms,"
          f" p99 {latencies[len(latencies) * 99 // 100] * 1e3:.1f} ms")
    failed = False
    for name, receiver in (("slow", slow), ("failing", failing)):
        missing = options.events - len(receiver.counts)
        repeats = sum(receiver.counts.values()) - len(receiver.counts)
        print(f"{name}: {missing} events missing, {repeats} repeated, {receiver.unsigned} messages without a valid signature")
        failed |= missing > 0 or receiver.unsigned > 0
    sys.exit(failed)


main()
