#!/usr/bin/env python3
"""What slow clients and too many of them do to orders. The server is started here; nothing but Python is needed.

    cargo build --release
    benches/slow.py target/*/release/orderd slow       1,000 slow heads, slow bodies and slow readers each and 10,000 idle
                                                       connections, while orders flow: what do orders feel of it?
    benches/slow.py target/*/release/orderd overload   twice the orders that it can bear: how many are done, how soon, and
                                                       what are the others told?

The clients take a core of their own; for `overload` the server has only one. `ulimit -n 20000` is needed for `slow`.
"""
import asyncio, collections, json, os, subprocess, sys, tempfile, time

from whole import Server, order, orders_for, p

SLOW, IDLE = 1_000, 10_000
ROUNDS = 3
CLOSED = (16, 64, 256)  # connections that ask one after the other, to find the best rate
OPEN = 4_000  # connections at most when requests come whether the last ones are answered or not
SECONDS = 8


async def again(address, begin, drip):
    """Connects, sends `begin`, then a `drip` each second; when the server has enough of it, once more."""
    host, port = address.split(":")
    while True:
        writer = None
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=1024)
            writer.write(begin)
            # A client that reads nothing leaves its answers where they are.
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


async def besiege(address):
    """Goes on until it is killed; says when everybody has come."""
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    greedy = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100
    kinds = [(SLOW, b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n"), (SLOW, head, b" "), (SLOW, greedy, None), (IDLE, b"", b"")]
    tasks = []
    for count, begin, drip in kinds:
        for n in range(count):
            tasks.append(asyncio.create_task(again(address, begin, drip)))
            if n % 100 == 99:
                await asyncio.sleep(0.05)
    print("all are here", flush=True)
    await asyncio.gather(*tasks)


def slow(server):
    alone, besieged, ratios, before = [], [], [], server.peak_memory()
    for _ in range(ROUNDS):
        quiet = orders_for(server, SECONDS)
        crowd = subprocess.Popen([sys.executable, __file__, server.address, "besiege"], stdout=subprocess.PIPE, text=True)
        crowd.stdout.readline()
        loud = orders_for(server, SECONDS)
        held = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        crowd.kill()
        crowd.wait()
        alone, besieged, ratios = alone + quiet, besieged + loud, [*ratios, p(loud, 99) / p(quiet, 99)]
    after = server.peak_memory()
    print(f"orders alone: {len(alone)}, p50 {p(alone, 50):.1f} ms, p99 {p(alone, 99):.1f} ms; memory {before[1]} MiB")
    print(f"besieged:     {len(besieged)}, p50 {p(besieged, 50):.1f} ms, p99 {p(besieged, 99):.1f} ms; memory at most {after[0]} MiB")
    print(f"p99 is {p(besieged, 99) / p(alone, 99):.2f} times as long, by turns {min(ratios):.2f} to {max(ratios):.2f}; {held} descriptors at the end")


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
    """Orders over several connections: as fast as they are answered, or `rate` a second."""

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
    print(f"{2 * best:.0f} orders/s asked for, {load.sent / SECONDS:.0f} sent: {rate:.0f} done, {rate / best:.0%} of the best; {dict(load.statuses)}")
    print(f"of those done p50 {p(load.times, 50):.0f} ms, p99 {p(load.times, 99):.0f} ms; {load.promised} of {refused} refusals with Retry-After; {load.lost} connections lost")
    print(f"memory at most {server.peak_memory()[0]} MiB")


def main():
    if sys.argv[2:] == ["besiege"]:
        return asyncio.run(besiege(sys.argv[1]))
    if len(sys.argv) != 3 or sys.argv[2] not in ("slow", "overload"):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sys.argv[1], folder)
        try:
            {"slow": slow, "overload": overload}[sys.argv[2]](server)
        finally:
            server.stop()


main()
