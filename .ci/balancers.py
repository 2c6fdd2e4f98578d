#!/usr/bin/env python3
"""Two processes on a journal behind HAProxy and behind nginx, with the files of assets/operations and the backends of the chapter
"Several machines": a demo is moved into the journal, the tour of the README is run through the load balancer, a stream of events
begins at one process and hears of what the other does, addresses of clients are told, and a process is killed under load.
Usage: .ci/balancers.py path/to/orderd
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import proxies
from cluster import BINARIES, Load, Orderd, Postgres, check, free_port, run

HERE = pathlib.Path(__file__).resolve().parent
CHAPTER = HERE.parent / "assets/guide/20-several-machines.md"
ADDRESSES = ("10.0.0.1:8080", "10.0.0.2:8080")


class Balanced:
    """What clients see: one address. Requests go there as they would go to a process."""

    def __init__(self, port):
        self.port = port

    def call(self, method, path, body=None, token=None, key=None, connection=None):
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        connection = connection or self.connect()
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        is_json = response.headers["Content-Type"].endswith("json")
        return response.status, json.loads(content) if is_json else {"code": "(HTML)"}

    def log(self):
        return "of the load balancer"

    def connect(self):
        return proxies.connect(self.port)


def block(name):
    """The block of the chapter that begins like this."""
    found = re.search(rf"```\w+\n({re.escape(name)}\b.*?)```", CHAPTER.read_text(), re.S)
    check(found, f"the chapter has no block {name}")
    return found[1]


def with_backends(name, processes):
    """Puts the chapter's backends in place of those of the shipped file."""
    wanted = block({"haproxy": "backend orderd", "nginx": "upstream orderd"}[name])
    for address, process in zip(ADDRESSES, processes):
        check(address in wanted, f"{name}: {address} is missing")
        wanted = wanted.replace(address, f"127.0.0.1:{process.port}")
    pattern = {"haproxy": r"^backend orderd\n.*", "nginx": r"^upstream orderd \{.*?\n\}\n"}[name]

    def edit(text):
        return re.sub(pattern, lambda _: wanted, text, count=1, flags=re.S | re.M)

    return edit


def demo(binary, folder, url):
    """A demo, moved into the journal. Returns the key file and the administrator's password."""
    file, printed = folder / "demo.db", folder / "printed"
    with printed.open("w") as out, (folder / "log").open("w") as log:
        server = subprocess.Popen([binary, "serve", "--demo", "--db", file, "--listen", "127.0.0.1:0"], stdout=out, stderr=log)
    while "demo user: customer " not in printed.read_text():
        check(server.poll() is None, (folder / "log").read_text())
        time.sleep(0.1)
    server.terminate()
    server.wait()
    moved = run(binary, "move", "--from", str(file), "--to", url)
    check(moved.returncode == 0, moved.stdout + moved.stderr)
    return f"{file}.key", re.search("demo user: admin admin@demo.example.com (.*)", printed.read_text())[1]


def stream_crosses(balanced, processes, token):
    """A stream through the load balancer hears at once of orders that each of the processes takes."""
    stream = balanced.connect()
    stream.request("GET", "/v1/events.sse", headers={"Authorization": f"Bearer {token}"})
    answer = stream.getresponse()
    check(answer.readline() == b"retry: 1000\n", "no stream")
    waits = []
    for process in processes:
        begun = time.monotonic()
        status, order = process.call("POST", "/v1/orders", proxies.ORDER, token, os.urandom(9).hex())
        check(status == 201, order)
        while order["id"].encode() not in answer.readline():
            pass
        waits.append(time.monotonic() - begun)
    stream.close()
    check(max(waits) < 1, f"an event came after {max(waits):.1f} s")
    return max(waits)


def killed(balanced, processes, token):
    """Each process is killed and comes back, while clients place orders through the load balancer."""
    load = Load([balanced], token, 6)
    load.wait_for(100)
    for process in processes:
        load.step = "one killed"
        process.process.kill()
        process.process.wait()
        time.sleep(3)
        load.step = "back"
        process.start()
        load.wait_for(50)
        time.sleep(2.5)
    load.stop()
    check(not load.missing() and not load.stale, "acknowledged orders are missing")
    unknown = len(load.unknown)
    load.processes = [*processes, balanced]
    load.settle()
    load.settle_payments()
    return f"{len(load.acknowledged)} orders, {unknown} to be sent again; longest waits: {load.waits()}; {load.answers}"


def behind(binary, name, folder, server):
    database = f"behind_{name}"
    server.sql(f"CREATE DATABASE {database}")
    url = f"postgres://postgres@127.0.0.1:{server.port}/{database}?sslmode=disable"
    key, password = demo(binary, folder, url)
    trusting = {"server.trusted_proxies": "127.0.0.1"}
    processes = [Orderd(binary, str(folder), number, url, key=key, settings=trusting) for number in ("one", "two")]
    proxies.certificate(folder)
    port = free_port()
    proxy = proxies.start(name, folder, port, proxies.free_port(), with_backends(name, processes))
    try:
        address = f"https://127.0.0.1:{port}"
        toured = subprocess.run([HERE / "tour.sh", binary, address, password], env={**os.environ, "CURL_CA_BUNDLE": str(folder / "cert.pem")},
                                capture_output=True, text=True)
        check(toured.returncode == 0, toured.stdout + toured.stderr)
        blocks = toured.stdout.count("prints what README.md says")
        balanced = Balanced(port)
        session = balanced.call("POST", "/v1/auth/login", {"email": "admin@demo.example.com", "password": password})[1]
        token = session["access_token"]
        waited = stream_crosses(balanced, processes, token)
        said = killed(balanced, processes, token)
    finally:
        proxy.terminate()
        proxy.wait()
    for process in processes:
        check(f'"client.address":"{proxies.CLIENT}"' in process.log(), f"{name}: a process does not know the client's address")
        process.stop_and_verify()
    print(f"balancers: {name}: {blocks} blocks of the tour; an event came after {waited:.2f} s at most; a process killed, "
          f"twice: {said}", flush=True)


def main():
    binary = os.path.abspath(sys.argv[1])
    check(BINARIES, "install PostgreSQL first: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as temporary:
        os.chmod(temporary, 0o755)
        folder = pathlib.Path(temporary)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        server = Postgres(str(folder), "pg")
        server.create()
        for name in ("haproxy", "nginx"):
            if not shutil.which(name, path="/usr/sbin:/usr/bin"):
                print(f"balancers: skipped {name}: it is not installed")
                continue
            (folder / name).mkdir()
            behind(binary, name, folder / name, server)
        server.kill()


if __name__ == "__main__":
    main()
