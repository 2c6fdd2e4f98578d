#!/usr/bin/env python3
"""Measures how a server grows with the cores that it may use. Needs Python, `wrk` and `taskset`.

    cargo build --release
    benches/cores.py target/*/release/orderd                       on 1, 2, 4 and 8 cores, as far as there are that many
    benches/cores.py target/*/release/orderd before/orderd         two binaries in turn
    benches/cores.py target/*/release/orderd --cores 1,2 --connections 64,256 --seconds 10 --durability normal
    benches/cores.py target/*/release/orderd --slow-syncs 2        each sync of the disk takes 2 ms longer (needs `strace`)
    benches/cores.py target/*/release/orderd --peer NAME COMMAND URL SCRIPT

The server gets the first cores, the load the others; where none are left for it, the two share theirs and the line says so.
A peer is started by COMMAND, in which {cores} is the number of cores, on the same cores; it is ready when URL answers, and
SCRIPT is the script of wrk that places its orders. Each number is the median of --rounds, all servers in turn.
"""
import argparse, json, os, re, shlex, signal, statistics, subprocess, sys, tempfile, time, urllib.error, urllib.request

EMAIL, PASSWORD = "ada@example.com", "a long way down to the sea"
ORDERS = """
local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init() count = 0; run = os.time() .. "-" .. math.random(1000000000) end
function request()
  count = count + 1
  local items = {}
  for line = 1, 3 do
    items[line] = string.format('{"sku":"SKU-%05d","name":"Sencha 250 g","quantity":%d,"unit_amount":1250}',
      math.random(5000), line)
  end
  return wrk.format("POST", "/v1/orders", {
    ["Authorization"] = "Bearer " .. os.getenv("TOKEN"),
    ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = run .. "-" .. id .. "-" .. count,
  }, '{"currency":"EUR","items":[' .. table.concat(items, ",") .. ']}')
end
"""


def ask(url, body=None):
    request = urllib.request.Request(url, data=body and json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


class Process:
    """A program on some cores. It and its children end with `stop`."""

    def __init__(self, command, cores, **options):
        self.process = subprocess.Popen(["taskset", "-c", cores, *command], start_new_session=True, **options)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)


class Orderd(Process):
    """A server with some orders on a file of its own."""

    def __init__(self, binary, cores, folder, durability, slow_syncs=0):
        delay = ["-e", f"inject=fdatasync:delay_enter={slow_syncs * 1000}"]
        tracer = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", *delay]
        command = [*(tracer if slow_syncs else []), binary, "serve", "--db", f"{folder}/o.db", "--listen", "127.0.0.1:0", "--log-level", "warn"]
        command += ["--durability", durability, "--set", "limits.requests_per_minute=0", "--set", "backup.every=0"]
        environment = dict(os.environ, ORDERD_ADMIN_EMAIL=EMAIL, ORDERD_ADMIN_PASSWORD=PASSWORD)
        super().__init__(command, cores, env=environment, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()
        answer = ask(f"{self.url}/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
        os.environ["TOKEN"] = json.loads(answer)["access_token"]
        self.script = f"{folder}/orders.lua"
        with open(self.script, "w") as file:
            file.write(ORDERS)


class Peer(Process):
    def __init__(self, command, url, script, cores, count):
        super().__init__(shlex.split(command.replace("{cores}", str(count))), cores, stdout=subprocess.DEVNULL)
        self.url, self.script = url, script
        for _ in range(600):
            try:
                ask(url)
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{command}: {url} does not answer")


def load(url, cores, connections, seconds, script=None):
    """Requests in a second, the 99th percentile in ms, and responses other than 2xx and 3xx."""
    threads = str(min(len(cores.split(",")), 4))
    command = ["taskset", "-c", cores, "wrk", "-t", threads, "-c", str(connections), "-d", f"{seconds}s", "--latency"]
    if script:
        command += ["-s", script]
    else:
        command += ["-H", f"Authorization: Bearer {os.environ['TOKEN']}"]
    out = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit], int(failed[1]) if failed else 0


def measure(start, options, load_cores):
    """Starts a server and returns its measurements by what was measured."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        server = start(folder)
        found = {}
        try:
            load(server.url, load_cores, 16, 1, server.script)
            for connections in map(int, options.connections.split(",")):
                name = f"order POST, {connections} connections"
                found[name] = load(server.url, load_cores, connections, options.seconds, server.script)
            if isinstance(server, Orderd):
                for name, path in [("order GET", "orders/number/1"), ("list of 50", "orders?limit=50")]:
                    found[name] = load(f"{server.url}/v1/{path}", load_cores, 64, options.seconds)
        finally:
            server.stop()
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", nargs="+")
    parser.add_argument("--cores", default="1,2,4,8")
    parser.add_argument("--connections", default="64,256")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durability", default="full")
    parser.add_argument("--slow-syncs", type=int, default=0, metavar="MS", help="makes each sync of orderd longer")
    parser.add_argument("--folder", help="where the databases are made, on the disk to be measured")
    parser.add_argument("--peer", nargs=4, action="append", default=[], metavar=("NAME", "COMMAND", "URL", "SCRIPT"))
    options = parser.parse_args()
    there = sorted(os.sched_getaffinity(0))
    print(f"{'cores':<14}{'what':<30}{'server':<34}{'per second':>11}{'p99 ms':>9}{'not 2xx':>9}")
    for count in map(int, options.cores.split(",")):
        if count > len(there):
            print(f"{count:<14}this machine has only {len(there)}")
            continue
        mine, others = (",".join(map(str, part)) for part in (there[:count], there[count:]))
        servers = {}
        for binary in options.binaries:
            servers[binary[-32:]] = lambda folder, binary=binary: Orderd(
                binary, mine, folder, options.durability, options.slow_syncs)
        for name, command, url, script in options.peer:
            servers[name] = lambda _, peer=(command, url, script): Peer(*peer, mine, count)
        rounds = [{name: measure(start, options, others or mine) for name, start in servers.items()}
                  for _ in range(options.rounds)]
        label = f"{count}" if others else f"{count}, shared"
        for what in rounds[0][next(iter(servers))]:
            for name in servers:
                results = [round[name][what] for round in rounds if what in round[name]]
                if results:
                    rate, p99, failed = map(statistics.median, zip(*results))
                    print(f"{label:<14}{what:<30}{name:<34}{rate:>11,.0f}{p99:>9.1f}{failed:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
