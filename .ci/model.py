#!/usr/bin/env python3
"""Two processes on a journal behind HAProxy, against the model of tests/api/model: random requests, each with the answer that
simple rules require, while either process is killed every other second. At the end both processes agree with the model, the
journal is verified, and a third process that joins has the same tables. ORDERD_MODEL_REQUESTS and ORDERD_MODEL_SEED are as in
`cargo test`. Usage: .ci/model.py path/to/orderd
"""

import csv
import os
import pathlib
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import proxies
from balancers import with_backends
from cluster import BINARIES, PASSWORD, Orderd, Postgres, check, free_port, run

TEST = "model::elsewhere::executables_that_are_killed_agree_with_the_model"
ADMIN = {"email": "admin@example.com", "password": PASSWORD}


class Killer:
    """Kills one of the processes, starts it again as a supervisor would, and so on until it is stopped."""

    def __init__(self, processes, seed):
        self.processes, self.choice, self.kills, self.stopped = processes, random.Random(seed), 0, threading.Event()
        self.thread = threading.Thread(target=self.kill)
        self.thread.start()

    def kill(self):
        while not self.stopped.wait(self.choice.uniform(0.5, 2)):
            process = self.choice.choice(self.processes)
            process.process.kill()
            process.process.wait()
            self.kills += 1
            time.sleep(self.choice.uniform(0, 0.5))
            process.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()


def haproxy(folder, processes):
    """HAProxy with the shipped file and the backends of the chapter. It also listens without TLS. Returns that port."""
    plain, with_processes = free_port(), with_backends("haproxy", processes)

    def edit(text):
        bound = "frontend https\n"
        check(bound in text, "haproxy.cfg has another frontend")
        statistics = f"global\n  stats socket {folder}/statistics\n\n"
        return statistics + with_processes(text).replace(bound, f"{bound}  bind 127.0.0.1:{plain}\n")

    proxies.certificate(folder)
    return proxies.start("haproxy", folder, free_port(), free_port(), edit), plain


def sent_again(folder):
    """How many requests HAProxy has sent again."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(f"{folder}/statistics")
        asked.sendall(b"show stat\n")
        rows = csv.DictReader(asked.makefile().read().lstrip("# ").splitlines())
        return sum(int(row["wretr"]) for row in rows if row["svname"] == "BACKEND")


def linger(server):
    """Each append takes a moment longer, so that many a kill comes between an append and its answer."""
    server.sql("""
        CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
        CREATE TRIGGER linger BEFORE INSERT ON orderd.journal FOR EACH ROW EXECUTE FUNCTION linger()""")
    check(server.sql("SELECT count(*) FROM pg_trigger WHERE tgname = 'linger'") == "1", "no trigger")


def tested(addresses, token, processes):
    """Runs the test, and kills processes while it says so. Returns what it has said, and how often processes were killed."""
    environment = {**os.environ, "ORDERD_MODEL_AT": addresses, "ORDERD_MODEL_SETUP": token}
    environment.setdefault("ORDERD_MODEL_REQUESTS", "3000")
    command = ["cargo", "test", "--locked", "--test", "api", "--", TEST, "--exact", "--ignored", "--nocapture"]
    test = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=pathlib.Path(__file__).parent.parent)
    killer, said, result = None, [], None
    for line in test.stdout:
        said.append(line.strip())
        if line.startswith("model: begun"):
            killer = Killer(processes, os.environ.get("ORDERD_MODEL_SEED", "1"))
        elif line.startswith("model: ") and not result:
            # What follows are the comparisons at the end.
            result = said[-1]
            killer.stop()
    if killer:
        killer.stop()
    check(test.wait() == 0 and result and any("1 passed" in line for line in said), "\n".join(said))
    return result, killer.kills


def tables(path):
    """All rows of a file. The mark of a file is its own."""
    with sqlite3.connect(path) as file:
        names = [name for name, in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'log_mark'")]
        return {name: file.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def equal(processes):
    """Stops all processes at the same entry, and compares their tables. Returns the number of rows."""
    for _ in range(5):
        token = processes[0].call("POST", "/v1/auth/login", ADMIN)[1]["access_token"]
        for process in processes:
            check(process.call("GET", "/v1/auth/me", token=token)[0] == 200, "a process does not follow")
        for process in processes:
            process.stop_and_verify()
        first, *others = [tables(process.copy) for process in processes]
        if all(other["journal_position"] == first["journal_position"] for other in others):
            break
        # Something was deleted because its time had come.
        for process in processes:
            process.start()
    for other in others:
        differing = [name for name in first | other if first.get(name) != other.get(name)]
        check(not differing, f"tables differ: {differing}")
    return sum(len(rows) for rows in first.values())


def main():
    binary = os.path.abspath(sys.argv[1])
    check(BINARIES, "install PostgreSQL first: apt-get install postgresql")
    check(shutil.which("haproxy", path="/usr/sbin:/usr/bin"), "install HAProxy first: apt-get install haproxy")
    with tempfile.TemporaryDirectory() as temporary:
        os.chmod(temporary, 0o755)
        folder = pathlib.Path(temporary)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        server = Postgres(temporary, "pg")
        server.create()
        url = f"postgres://postgres@127.0.0.1:{server.port}/postgres?sslmode=disable"
        # Log-ins outlive the run.
        processes = [Orderd(binary, temporary, name, url, settings={"auth.access_ttl": "1d"}) for name in ("one", "two")]
        linger(server)
        proxy, port = haproxy(folder, processes)
        try:
            addresses = " ".join(f"127.0.0.1:{at}" for at in (port, *(process.port for process in processes)))
            said, kills = tested(addresses, processes[0].setup_token(), processes)
            again = sent_again(folder)
        finally:
            proxy.terminate()
            proxy.wait()
        check(kills, "nothing was killed")
        processes.append(Orderd(binary, temporary, "three", url))
        rows = equal(processes)
        verified = run(binary, "verify", "--db", url, "--set", f"db.copy={folder}/verified.db")
        check(verified.returncode == 0, verified.stdout + verified.stderr)
        server.kill()
    print(f"{said}; {kills} kills; HAProxy sent {again} requests again; three processes have the same {rows} rows; the journal is verified")


main()
