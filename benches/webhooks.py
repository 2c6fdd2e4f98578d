#!/usr/bin/env python3
"""Webhooks under kill -9: events to three endpoints, one dead, one slow, one that fails at random, while the server is
killed every few seconds. Each event has to arrive at each live endpoint at least once, and every message has to be signed.
With `--compare` nothing is killed: orders are sent at a steady rate, in turn while the endpoints are active and while they are
disabled, and the response times of both are compared. Starts the server itself; needs only Python.

    benches/webhooks.py ORDERD [--events 500] [--kill-every 3] [--slow 0.05] [--failing 0.3]
    benches/webhooks.py ORDERD --compare [--rounds 6] [--rate 50] [--seconds 8]
"""
import argparse
import base64
import collections
import concurrent.futures
import hashlib
import hmac
import http.server
import json
import multiprocessing
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
        if self.secret is None:
            return
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        with self.lock:
            if expected not in (headers["webhook-signature"] or "").split(" "):
                self.unsigned += 1
            elif status < 300:
                self.counts[json.loads(body)["data"]["seq"]] += 1


class Server:
    def __init__(self, orderd, folder, retries):
        self.port = free_port()
        self.command = [orderd, "serve", "--db", str(folder / "o.db"), "--listen", f"127.0.0.1:{self.port}",
                        "--set", "webhooks.allow_private=true", *retries,
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


def place(server, token, number, latencies, due=None):
    """Places an order, however often the server is killed meanwhile."""
    order = {"currency": "EUR", "items": [{"sku": "TEA", "name": "Tea", "quantity": 1, "unit_amount": 1250}]}
    while True:
        begun = due or time.perf_counter()
        try:
            call(server.base, "POST", "/v1/orders", order, token, f"order-{number}")
            latencies.append(time.perf_counter() - begun)
            return
        except (OSError, urllib.error.URLError, ValueError):
            time.sleep(0.05)


def compare(options, server, key, endpoints):
    """Rounds with the endpoints active and with them disabled, in turn. Each order is sent at its time, also when the one
    before it is late, and its time counts from then."""
    found, number = {"active": [], "disabled": []}, 0
    for turn in range(options.rounds):
        for status in ["active", "disabled"] if turn % 2 else ["disabled", "active"]:
            for endpoint in endpoints:
                call(server.base, "PATCH", f"/v1/webhooks/{endpoint['id']}", {"status": status}, key)
            time.sleep(1)
            with concurrent.futures.ThreadPoolExecutor(16) as clients:
                begun = time.perf_counter()
                for index in range(int(options.rate * options.seconds)):
                    due = begun + index / options.rate
                    time.sleep(max(0, due - time.perf_counter()))
                    clients.submit(place, server, key, number, found[status], due)
                    number += 1
    for status, latencies in found.items():
        latencies.sort()
        print(f"endpoints {status}: {len(latencies)} orders at {options.rate:.0f}/s,"
              f" median {latencies[len(latencies) // 2] * 1e3:.2f} ms, p99 {latencies[len(latencies) * 99 // 100] * 1e3:.2f} ms")
    p99 = {status: latencies[len(latencies) * 99 // 100] for status, latencies in found.items()}
    print(f"p99 with webhooks: {p99['active'] / p99['disabled']:.2f} times that without")


def make_receivers(options):
    chance = random.Random(1)
    return [Receiver(lambda: (200, options.slow)),
            Receiver(lambda: (500 if chance.random() < options.failing else 204, 0))]


def elsewhere(options):
    """The URLs of receivers in a process of their own, so that they do not slow down the client."""
    def serve(pipe):
        pipe.send([receiver.url for receiver in make_receivers(options)])
        threading.Event().wait()

    here, there = multiprocessing.Pipe()
    multiprocessing.get_context("fork").Process(target=serve, args=[there], daemon=True).start()
    return here.recv()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("orderd")
    arguments.add_argument("--events", type=int, default=500)
    arguments.add_argument("--kill-every", type=float, default=3)
    arguments.add_argument("--slow", type=float, default=0.05)
    arguments.add_argument("--failing", type=float, default=0.3)
    arguments.add_argument("--compare", action="store_true")
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--rate", type=float, default=50)
    arguments.add_argument("--seconds", type=float, default=8)
    options = arguments.parse_args()
    receivers = [] if options.compare else make_receivers(options)
    urls = [receiver.url for receiver in receivers] or elsewhere(options)
    # Often, so that the last event has arrived soon. The comparison is with the schedule that the server has by itself.
    retries = [] if options.compare else ["--set", f"webhooks.retries={RETRIES}"]
    dead = f"http://127.0.0.1:{free_port()}/"
    with tempfile.TemporaryDirectory() as name:
        server = Server(options.orderd, pathlib.Path(name), retries)
        setup = server.process.stdout.readline().split(": ")[1].strip()
        account = {"email": "a@example.com", "password": PASSWORD}
        call(server.base, "POST", "/v1/setup", {"token": setup, "name": "A", **account})
        user = call(server.base, "POST", "/v1/auth/login", account)["access_token"]
        permissions = ["orders:read", "orders:create", "webhooks:write", "metrics:read"]
        key = call(server.base, "POST", "/v1/api-keys", {"name": "soak", "permissions": permissions}, user)["secret"]
        endpoints = []
        for url in [*urls, dead]:
            endpoints.append(call(server.base, "POST", "/v1/webhooks", {"url": url}, key))
        for receiver, endpoint in zip(receivers, endpoints):
            receiver.secret = endpoint["secret"]
        if options.compare:
            try:
                return compare(options, server, key, endpoints)
            finally:
                server.process.kill()
                server.process.wait()

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
        while any(len(receiver.counts) < options.events for receiver in receivers):
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
    for name, receiver in zip(("slow", "failing"), receivers):
        missing = options.events - len(receiver.counts)
        repeats = sum(receiver.counts.values()) - len(receiver.counts)
        print(f"{name}: {missing} events missing, {repeats} repeated, {receiver.unsigned} messages without a valid signature")
        failed |= missing > 0 or receiver.unsigned > 0
    sys.exit(failed)


main()
