#!/usr/bin/env python3
"""Measures the processor time of a request: that of the server, in the program and in the kernel. Needs Python, `wrk` and `taskset`.

    cargo build --release
    benches/cpu.py target/*/release/orderd                         microseconds of each request
    benches/cpu.py target/*/release/orderd before/orderd           two binaries in turn
    benches/cpu.py target/*/release/orderd --orders 100000 --connections 64 --seconds 5 --rounds 7

Each binary makes a file by `orderd demo` and gets some new orders of three lines. The server has the first half of the cores
and the load the others, over connections that stay open. Each number is the median of --rounds, all servers in turn; the
range is in brackets. It depends less than a rate on what else runs on the machine, but not on nothing: caches are shared.
"""
import argparse, json, os, re, statistics, subprocess, tempfile, urllib.request
from datetime import date, timedelta
from cores import Process, ask, load

NEW = 200  # orders that are placed before the measurement
DAYS = 90
TICK = os.sysconf("SC_CLK_TCK")
# A random one of the orders at each request.
ONE_OF = """
local paths, headers = {%s}, {["Authorization"] = "Bearer " .. os.getenv("TOKEN")}
function request() return wrk.format("GET", paths[math.random(#paths)], headers) end
"""


class Server(Process):
    """A server on a demo file with some new orders."""

    def __init__(self, binary, cores, folder, orders):
        database = f"{folder}/o.db"
        made = subprocess.run([binary, "demo", "--db", database, "--orders", str(orders)], check=True, capture_output=True, text=True)
        email, password = re.search(r"demo user: admin (\S+) (\S+)", made.stdout + made.stderr).groups()
        command = [binary, "serve", "--db", database, "--listen", "127.0.0.1:0", "--log-level", "warn"]
        command += ["--set", "limits.requests_per_minute=0", "--set", "backup.every=0", "--set", "auth.access_ttl=1d"]
        super().__init__(command, cores, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()
        answer = ask(f"{self.url}/v1/auth/login", {"email": email, "password": password})
        self.token = json.loads(answer)["access_token"]
        placed = [self.place(n) for n in range(NEW)]
        self.script = f"{folder}/one.lua"
        with open(self.script, "w") as file:
            file.write(ONE_OF % ",".join(f'"/v1/orders/{order}"' for order in placed))

    def place(self, n):
        items = [{"sku": f"SKU-{n * 7 + line:05}", "name": "Sencha 250 g", "quantity": line, "unit_amount": 1250} for line in (1, 2, 3)]
        request = urllib.request.Request(f"{self.url}/v1/orders", data=json.dumps({"currency": "EUR", "items": items}).encode())
        for name, value in {"Content-Type": "application/json", "Idempotency-Key": f"cpu-{n}", "Authorization": f"Bearer {self.token}"}.items():
            request.add_header(name, value)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["id"]

    def spent(self):
        """Seconds of processor time so far, of all threads."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def measure(self, path, cores, options):
        """Microseconds of processor time of a request; without a path, of one order."""
        os.environ["TOKEN"] = self.token
        before = self.spent()
        rate, _, failed = load(f"{self.url}{path or ''}", cores, options.connections, options.seconds, None if path else self.script)
        assert not failed, path
        return (self.spent() - before) / (rate * options.seconds) * 1e6


def questions():
    last = date.today() - timedelta(days=1)
    first, before = last - timedelta(days=DAYS - 1), last - timedelta(days=5)
    return {
        "an order": None,
        "50 new orders": "/v1/orders?limit=50",
        "50 orders with history": f"/v1/orders?limit=50&created_to={before}T00:00:00Z",
        "50 pending orders": "/v1/orders?limit=50&status=pending",
        "days, cash": f"/v1/analytics/daily?from={first}&to={last}&tz=UTC",
        "days, booked": f"/v1/analytics/daily?from={first}&to={last}&tz=UTC&basis=booked",
        "revenue by user": f"/v1/analytics/revenue-by-user?from={first}&to={last}&tz=UTC&limit=50",
        "counts by status": f"/v1/analytics/status-counts?from={first}&to={last}&tz=UTC",
        "top items": f"/v1/analytics/top-items?from={first}&to={last}&tz=UTC&limit=50",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", nargs="+")
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the databases are made")
    options = parser.parse_args()
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    half = max(1, len(cores) // 2)
    mine, others = ",".join(cores[:half]), ",".join(cores[half:] or cores)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        servers = []
        try:
            for n, binary in enumerate(options.binaries):
                os.mkdir(f"{folder}/{n}")
                servers.append(Server(binary, mine, f"{folder}/{n}", options.orders))
            print(f"{'microseconds of processor time':<32}" + "".join(f"{binary[-24:]:>26}" for binary in options.binaries))
            for what, path in questions().items():
                found = [[server.measure(path, others, options) for server in servers] for _ in range(options.rounds)]
                columns = (f"{statistics.median(own):.1f} ({min(own):.1f}-{max(own):.1f})" for own in zip(*found))
                print(f"{what:<32}" + "".join(f"{column:>26}" for column in columns), flush=True)
        finally:
            for server in servers:
                server.stop()


main()
