#!/usr/bin/env python3
"""Measures orders beside slow clients, and under too many clients. Starts the server itself; needs only Python.

    cargo build --release
    benches/slow.py target/*/release/orderd slow       the latency of orders beside 1,000 slow heads, 1,000 slow bodies,
                                                       1,000 slow readers and 10,000 idle connections
    benches/slow.py target/*/release/orderd overload   twice the best rate of orders: how many succeed, how fast, and how
                                                       are the others refused?

The clients use a core of their own; for `overload` the server has only one core. `slow` needs `ulimit -n 20000`.
"""
import asyncio, collections, json, os, subprocess, sys, tempfile, time

from whole import Server, order, orders_for, p

SLOW, IDLE = 1_000, 10_000
ROUNDS = 3
CLOSED = (16, 64, 256)  # connections that wait for each answer, to find the best rate
OPEN = 4_000  # the most connections when requests are sent at a fixed rate
SECONDS = 8


async def slow_client(address, begin, drip):
    """Connects, sends `begin` and then a `drip` each second. Connects again when the server closes the connection."""
    host, port = address.split(":")
    while True:
        writer = None
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=1024)
            writer.write(begin)
            # A slow reader never reads its responses.
            while drip is None or not reader.at_eof():
                await asyncio.sleep(1)
                if drip:
                    writer.write(drip)
                    await asyncio.wait_for(writer.drain(), 1)
                if writer.transport.is_closing():
                    break
        except (OSError, asyncio.TimeoutError):
            await asyncio.sleep(1)
        finally:
            if writer:
                writer.transport.abort()


async def slow_clients(address):
    """Runs all slow clients until it is killed. Prints a line when all are connected."""
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    unread = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100
    kinds = [(SLOW, b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n"), (SLOW, head, b" "), (SLOW, unread, None), (IDLE, b"", b"")]
    tasks = []
    for count, begin, drip in kinds:
        for n in range(count):
            tasks.append(asyncio.create_task(slow_client(address, begin, drip)))
            if n % 100 == 99:
                await asyncio.sleep(0.05)
    print("all clients are connected", flush=True)
    await asyncio.gather(*tasks)


def slow(server):
    alone, loaded, ratios, before = [], [], [], server.peak_memory()
    for _ in range(ROUNDS):
        quiet = orders_for(server, SECONDS)
        clients = subprocess.Popen([sys.executable, __file__, server.address, "clients"], stdout=subprocess.PIPE, text=True)
        clients.stdout.readline()
        loud = orders_for(server, SECONDS)
        held = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        clients.kill()
        clients.wait()
        alone, loaded, ratios = alone + quiet, loaded + loud, [*ratios, p(loud, 99) / p(quiet, 99)]
    after = server.peak_memory()
    print(f"orders alone: {len(alone)}, p50 {p(alone, 50):.1f} ms, p99 {p(alone, 99):.1f} ms; memory {before[1]} MiB")
    print(f"with clients: {len(loaded)}, p50 {p(loaded, 50):.1f} ms, p99 {p(loaded, 99):.1f} ms; memory at most {after[0]} MiB")
    print(f"p99 is {p(loaded, 99) / p(alone, 99):.2f} times as long, by turns {min(ratios):.2f} to {max(ratios):.2f}; {held} descriptors at the end")


class Line(asyncio.Protocol):
    """A connection that sends one order at a time."""

    def __init__(self, load):
        self.load, self.begun, self.seen = load, 0, b""

    def send(self, begun):
        self.begun, self.seen = begun, b""
        self.transport.write(self.load.request())

    def connection_made(self, transport):
        self.transport = transport
        self.load.free(self)

    def data_received(self, data):
        self.seen += data
        head, found, body = self.seen.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self.load.answered(head, time.perf_counter() - self.begun)
        self.load.free(self)

    def connection_lost(self, _):
        self.load.lost += 1


class Load:
    """Orders over several connections: as fast as they are answered, or `rate` per second."""

    def __init__(self, server, rate=None):
        self.server, self.rate, self.sent, self.lost, self.waiting = server, rate, 0, 0, collections.deque()
        self.statuses, self.times, self.promised = collections.Counter(), [], 0
        self.over = False

    def request(self):
        self.sent += 1
        body = json.dumps(order(self.sent))
        return (
            f"POST /v1/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.server.token}\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {id(self)}-{self.sent}-{time.monotonic_ns()}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def answered(self, head, seconds):
        status = int(head[9:12])
        self.statuses[status] += 1
        if status == 201:
            self.times.append(seconds)
        elif b"retry-after: " in head.lower():
            self.promised += 1

    def free(self, line):
        if self.rate is None and not self.over:
            line.send(time.perf_counter())
        else:
            self.waiting.append(line)

    async def run(self, connections):
        loop, (host, port) = asyncio.get_running_loop(), self.server.address.split(":")
        for _ in range(connections):
            await loop.create_connection(lambda: Line(self), host, port)
        begun, due = time.perf_counter(), 0
        while (now := time.perf_counter()) < begun + SECONDS:
            await asyncio.sleep(0.001)
            while self.rate and due < (now - begun) * self.rate and self.waiting:
                self.waiting.popleft().send(begun + due / self.rate)
                due += 1
        done, self.over = len(self.times), True
        await asyncio.sleep(1)
        return done / SECONDS


def overload(server):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(server.process.pid, cores[:1])
    os.sched_setaffinity(0, cores[1:] or cores)
    best = 0
    for connections in CLOSED:
        rate = asyncio.run(Load(server).run(connections))
        best = max(best, rate)
        print(f"{connections} connections: {rate:.0f} orders/s")
    load = Load(server, 2 * best)
    rate = asyncio.run(load.run(OPEN))
    refused = sum(load.statuses.values()) - load.statuses[201]
    print(f"{2 * best:.0f} orders/s asked for, {load.sent / SECONDS:.0f} sent: {rate:.0f} succeeded, {rate / best:.0%} of the best; {dict(load.statuses)}")
    print(f"of those p50 {p(load.times, 50):.0f} ms, p99 {p(load.times, 99):.0f} ms; {load.promised} of {refused} refusals with Retry-After; {load.lost} connections lost")
    print(f"memory at most {server.peak_memory()[0]} MiB")


def main():
    if sys.argv[2:] == ["clients"]:
        return asyncio.run(slow_clients(sys.argv[1]))
    if len(sys.argv) != 3 or sys.argv[2] not in ("slow", "overload"):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sys.argv[1], folder)
        try:
            {"slow": slow, "overload": overload}[sys.argv[2]](server)
        finally:
            server.stop()


main()
