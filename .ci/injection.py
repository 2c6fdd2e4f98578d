#!/usr/bin/env python3
"""Runs sqlmap against the parameters of lists and analytics and against paths, as an administrator. sqlmap must find the
hole in a vulnerable control server, otherwise the run proves nothing. Usage: .ci/injection.py path/to/orderd
"""

import concurrent.futures
import http.server
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from server import Server, check
from tools import PYTHON

# Each parameter is tested by itself; `*` marks the tested part of a path. Parameters that take any text are tested at
# sqlmap's highest level.
TEXTS = [
    "/v1/orders?q=Sencha&sku=TEA-250",
    "/v1/orders?external_ref=a-judges-order&metadata.colour=green",
    "/v1/orders/ref/a-judges-order*",
    "/v1/idempotency-keys/a-judges-key*",
]
# Parameters that take only words, numbers, days or identifiers are tested at a low level.
DAYS = "from=2026-11-01&to=2026-11-30&tz=Europe/Berlin&currency=EUR"
WORDS = [
    "/v1/orders?sort=-total_amount&status=draft,pending&payment_status=unpaid&currency=EUR&count=true",
    "/v1/orders?created_from=2026-01-01T00:00:00Z&total_min=1&limit=1&user_id={user}",
    "/v1/orders?limit=1&cursor={orders}",
    "/v1/orders/{order}*",
    "/v1/orders/number/1*",
    "/v1/users?limit=1&cursor={users}",
    "/v1/audit?actor_id={user}&action=orders.create&from=2026-01-01T00:00:00Z",
    "/v1/audit?limit=1&cursor={audit}",
    "/v1/events?after=0&limit=2",
    f"/v1/analytics/daily?{DAYS}&basis=cash",
    "/v1/analytics/revenue-by-user?from=2026-11-01&to=2026-11-30&sort=-net_amount&limit=1",
    "/v1/analytics/status-counts?from=2026-11-01&to=2026-11-30&currency=EUR",
    "/v1/analytics/top-items?from=2026-11-01&to=2026-11-30&limit=1",
    "/v1/analytics/taxes?from=2026-11-01&to=2026-11-30&currency=EUR",
]
# Higher levels would add bodies and headers; --param-filter excludes them.
FLAGS = ["--batch", "--disable-coloring", "--dbms=SQLite", "--risk=3", "--skip-waf", "--ignore-code=*", "--param-filter=GET,URI"]
NONE_FOUND, FOUND = "do not appear to be injectable", "sqlmap identified the following injection point"


class Faulty(http.server.BaseHTTPRequestHandler):
    """The vulnerable control: the parameter `sku` becomes part of the SQL."""

    def do_GET(self):
        sku = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("sku", [""])[0]
        database = sqlite3.connect(":memory:")
        database.executescript("CREATE TABLE goods (sku TEXT, name TEXT); INSERT INTO goods VALUES ('TEA-250', 'Sencha');")
        try:
            status, rows = 200, database.execute(f"SELECT name FROM goods WHERE sku = '{sku}'").fetchall()
        except sqlite3.Error:
            status, rows = 422, []
        self.send_response(status)
        self.end_headers()
        self.wfile.write(repr(rows).encode())

    def log_message(self, *_):
        pass


def sqlmap(folder, url, *more):
    """Returns sqlmap's output for the URL."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = [PYTHON / "sqlmap", *FLAGS, f"--output-dir={output}", "-u", url, *more]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(run.returncode == 0 and (NONE_FOUND in run.stdout) != (FOUND in run.stdout), f"sqlmap failed:\n{run.stdout}")
    return run.stdout


def control(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Without time-based techniques, which take half a minute and a gigabyte here.
    said = sqlmap(folder, f"http://127.0.0.1:{server.server_port}/?sku=TEA-250", "--level=3", "--technique=BEU")
    server.shutdown()
    check(FOUND in said, f"sqlmap did not find the hole in the control:\n{said}")
    print("injection: sqlmap found the hole in the control", flush=True)


def prepare(server):
    """Creates data for the targets, and returns the values of the names in them."""
    for name in ("grace", "emmy"):
        body = {"email": f"{name}@example.com", "name": name, "role": "staff", "password": "one of two long phrases"}
        server.ask("POST", "/v1/users", body, server.admin)
    order = server.order(server.admin, "a-judges-key", external_ref="a-judges-order", metadata={"colour": "green"})
    known = {"order": order["id"], "user": order["user_id"]}
    for listed in ("orders", "users", "audit"):
        known[listed] = server.ask("GET", f"/v1/{listed}?limit=1", None, server.admin)["page"]["next"]
    return known


def attack(server, folder, url, level):
    """Returns how many parameters sqlmap tested without success; exits with its output if one is injectable."""
    status, text = server.answer("GET", url.replace("*", ""), token=server.admin)
    check(status == 200, f"{url} answered {status} {text}")
    said = sqlmap(folder, server.url + url, f"--level={level}", "--headers", f"Authorization: Bearer {server.admin}")
    check(NONE_FOUND in said, f"sqlmap found a hole in {url}:\n{said}")
    return said.count("does not seem to be injectable")


def main():
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        control(folder)
        server = Server(os.path.abspath(sys.argv[1]), folder)
        known = prepare(server)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            targets = [(target.format(**known), 5) for target in TEXTS] + [(target.format(**known), 2) for target in WORDS]
            tried = list(pool.map(lambda target: attack(server, folder, *target), targets))
        expected = sum(max(1, target.count("=")) for target in TEXTS + WORDS)
        check(sum(tried) == expected, f"{sum(tried)} of {expected} parameters were tested: {tried}")
        server.end()
    print(f"injection: sqlmap found no hole in {sum(tried)} parameters, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
