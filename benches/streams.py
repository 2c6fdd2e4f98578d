#!/usr/bin/env python3
"""Event streams: many clients of /v1/events.sse while orders flow. Prints how late events arrive and what a client costs in
memory. Starts the server itself; needs only Python and `ulimit -n` above twice the number of clients.

    benches/streams.py ORDERD [--clients 1000] [--orders 200] [--rate 20]
"""
import argparse
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

PASSWORD = "a long and private phrase"


def call(base, path, body, token=None, key=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def memory(process):
    """The resident memory of the server, in KiB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


async def follow(address, key, orders, placed, lags, ready):
    host, port = address.split("//")[1].split(":")
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    writer.write(f"GET /v1/events.sse HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    seen = 0
    while seen < orders:
        line = await reader.readline()
        if line.startswith(b"retry:"):
            ready.append(1)
        elif line.startswith(b"id: "):
            seen += 1
            lags.append((int(line[4:]), time.perf_counter()))
        elif not line:
            sys.exit("a stream has ended")
    writer.close()


async def run(options, server, base, key):
    placed, lags, ready = {}, [], []
    before = memory(server)
    clients = []
    for number in range(options.clients):
        clients.append(asyncio.create_task(follow(base, key, options.orders, placed, lags, ready)))
        if number % 50 == 49:
            await asyncio.sleep(0.05)
    while len(ready) < options.clients:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    idle = memory(server)
    order = {"currency": "EUR", "items": [{"sku": "TEA", "name": "Tea", "quantity": 1, "unit_amount": 1250}]}
    for number in range(options.orders):
        begun = time.perf_counter()
        await asyncio.to_thread(call, base, "/v1/orders", order, key, f"order-{number}")
        placed[number + 1] = begun
        await asyncio.sleep(max(0, 1 / options.rate - (time.perf_counter() - begun)))
    await asyncio.wait_for(asyncio.gather(*clients), 120)
    late = sorted((at - placed[seq]) * 1e3 for seq, at in lags)
    assert len(late) == options.clients * options.orders
    print(f"{options.clients} clients, {options.orders} orders at {options.rate}/s: from sending an order to the event at a client:"
          f" median {late[len(late) // 2]:.1f} ms, p99 {late[len(late) * 99 // 100]:.1f} ms, at most {late[-1]:.1f} ms"
          " (the clients share one Python process, which is most of it)")
    print(f"memory a client: {(idle - before) / options.clients:.1f} KiB idle,"
          f" {(memory(server) - before) / options.clients:.1f} KiB after the orders")


def start(command):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return server, server.stdout.readline().split()[-1]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("orderd")
    arguments.add_argument("--clients", type=int, default=1000)
    arguments.add_argument("--orders", type=int, default=200)
    arguments.add_argument("--rate", type=float, default=20)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        command = [options.orderd, "serve", "--db", os.path.join(name, "o.db"), "--listen", "127.0.0.1:0",
                   "--set", "limits.requests_per_minute=0", "--log-level", "error"]
        server, base = start(command)
        try:
            setup = server.stdout.readline().split(": ")[1].strip()
            account = {"email": "a@example.com", "password": PASSWORD}
            call(base, "/v1/setup", {"token": setup, "name": "A", **account})
            user = call(base, "/v1/auth/login", account)["access_token"]
            body = {"name": "streams", "permissions": ["orders:read", "orders:create"]}
            key = call(base, "/v1/api-keys", body, user)["secret"]
            # Hashing the password took memory that clients would use again.
            server.kill()
            server, base = start(command)
            asyncio.run(run(options, server, base, key))
        finally:
            server.kill()


main()
