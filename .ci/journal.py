#!/usr/bin/env python3
"""Two orderd processes on one journal in PostgreSQL, under load: kill -9 of a process, kill -9 of PostgreSQL with a promotion of
its synchronous standby, and the control: a standby that lags must lose orders, and both processes must notice. Each order that
was acknowledged must be there, once, at both; each unknown outcome is sent again and must give one order. PostgreSQL's programs
must be installed. Usage: .ci/journal.py path/to/orderd [fail-overs]
"""

import glob
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

CLIENTS = 12
PASSWORD = "a long and private phrase"
BINARIES = sorted(glob.glob("/usr/lib/postgresql/*/bin"))


def check(holds, otherwise):
    if not holds:
        sys.exit(f"journal: {otherwise}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


class Postgres:
    """A server of PostgreSQL in a folder of its own. It refuses to run as root."""

    def __init__(self, folder, name):
        self.data, self.port = os.path.join(folder, name), free_port()

    def tool(self, name, *arguments):
        as_postgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        ended = run(*(as_postgres if os.geteuid() == 0 else []), os.path.join(BINARIES[-1], name), *arguments)
        check(ended.returncode == 0, f"{name}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def configure(self, more=""):
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a") as file:
            file.write(f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\n"
                       f"shared_buffers=32MB\nwal_keep_size=256MB\n{more}")

    def start(self):
        self.tool("pg_ctl", "-D", self.data, "-l", self.data + ".log", "-w", "start")

    def create(self):
        self.tool("initdb", "-D", self.data, "-A", "trust", "-U", "postgres")
        self.configure()
        self.start()

    def follow(self, primary):
        """Makes this a standby of another server."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.tool("pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "-D", self.data, "-R",
                  "-X", "stream", "--checkpoint=fast")
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
        self.configure(f"primary_conninfo='{source}'\n")
        self.start()

    def sql(self, statement):
        return run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-Atc", statement).stdout.strip()

    def wait_for_standby(self, state):
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{'standby' if state == 'sync' else ''}'")
        self.sql("SELECT pg_reload_conf()")
        for _ in range(200):
            if self.sql("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'") == state:
                return
            time.sleep(0.1)
        check(False, f"the standby does not become {state}")

    def processes(self, pattern=""):
        with open(os.path.join(self.data, "postmaster.pid")) as file:
            first = int(file.readline())
        children = [line.split(None, 1) for line in run("ps", "-o", "pid=,args=", "--ppid", str(first)).stdout.splitlines()]
        return ([first] if not pattern else []) + [int(pid) for pid, name in children if pattern in name]

    def kill(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def promote(self):
        self.tool("pg_ctl", "-D", self.data, "-w", "promote")
        # Until it has a standby itself.
        self.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.sql("SELECT pg_reload_conf()")


class Orderd:
    """One of the processes."""

    def __init__(self, binary, folder, name, url):
        self.binary, self.folder, self.port = binary, os.path.join(folder, name), free_port()
        os.makedirs(self.folder, exist_ok=True)
        self.copy, self.url = os.path.join(self.folder, "copy.db"), url
        self.key = os.path.join(folder, "signing.key")
        self.start()

    def start(self):
        output = os.path.join(self.folder, "output")
        settings = {"db.copy": self.copy, "auth.signing_key_file": self.key, "limits.requests_per_minute": "0"}
        command = [self.binary, "serve", "--db", self.url, "--listen", f"127.0.0.1:{self.port}"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        with open(output, "wb") as out, open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(command, stdout=out, stderr=log, cwd=self.folder)
        deadline = time.time() + 60
        while "listening" not in open(output).read():
            check(self.process.poll() is None and time.time() < deadline, f"a process does not start: {self.log()[-1500:]}")
            time.sleep(0.02)
        self.output = output

    def log(self):
        return open(os.path.join(self.folder, "log")).read()

    def setup_token(self):
        while "setup token: " not in open(self.output).read():
            time.sleep(0.02)
        return open(self.output).read().split("setup token: ")[1].split()[0]

    def call(self, method, path, body=None, token=None, key=None, connection=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        return response.status, json.loads(content) if content else None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


class Load:
    """Clients that place orders at both processes until they are stopped."""

    def __init__(self, processes, token):
        self.processes, self.token, self.lock = processes, token, threading.Lock()
        self.acknowledged, self.unknown, self.answers, self.slowest, self.stopped = {}, {}, {}, 0.0, False
        self.threads = [threading.Thread(target=self.place, args=(number,)) for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def place(self, number):
        choice = random.Random(number)
        connections = {}
        while not self.stopped:
            process, key = choice.choice(self.processes), f"{number}-{choice.getrandbits(60):x}"
            item = {"sku": f"tea-{choice.randrange(50)}", "name": "Tea", "quantity": 1, "unit_amount": choice.randrange(1, 9999)}
            body = {"currency": "EUR", "items": [item]}
            begun = time.time()
            try:
                connection = connections.get(process) or http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
                connections[process] = connection
                status, answer = process.call("POST", "/v1/orders", body, self.token, key, connection)
            except OSError:
                connections.pop(process, None)
                status, answer = "lost", None
                time.sleep(0.05)
            except http.client.HTTPException:
                connections.pop(process, None)
                status, answer = "lost", None
            self.note(key, body, status, answer or {}, time.time() - begun)

    def note(self, key, body, status, answer, taken):
        code = answer.get("code", "") if status != 201 else ""
        with self.lock:
            name = f"{status} {code}".strip()
            self.answers[name] = self.answers.get(name, 0) + 1
            self.slowest = max(self.slowest, taken)
            if status == 201:
                self.acknowledged[key] = answer
            elif status == "lost" or code == "outcome_unknown":
                self.unknown[key] = body

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()

    def missing(self):
        """The acknowledged orders that a process lacks, or has in another form."""
        missing = []
        for key, order in self.acknowledged.items():
            process = random.choice(self.processes)
            status, found = process.call("GET", f"/v1/orders/{order['id']}", token=self.token)
            same = status == 200 and all(found[name] == order[name] for name in ("number", "total_amount", "created_at"))
            if not same:
                missing.append(key)
        return missing

    def settle(self):
        """Sends every request of an unknown outcome again, to both processes."""
        for key, body in self.unknown.items():
            answers = [process.call("POST", "/v1/orders", body, self.token, key) for process in self.processes]
            check([status for status, _ in answers] == [201, 201], f"sent again: {answers}")
            check(answers[0][1]["id"] == answers[1][1]["id"], f"two orders for one key: {answers}")
            self.acknowledged[key] = answers[0][1]


def begin(binary, folder, url):
    """Two processes, and an administrator's token."""
    one = Orderd(binary, folder, "one", url)
    user = {"email": "ada@example.com", "name": "Ada", "password": PASSWORD}
    check(one.call("POST", "/v1/setup", {"token": one.setup_token(), **user})[0] == 201, "no set-up")
    two = Orderd(binary, folder, "two", url)
    status, session = two.call("POST", "/v1/auth/login", {"email": user["email"], "password": PASSWORD})
    check(status == 200, f"the other process does not know the user: {session}")
    return [one, two], session["access_token"]


def pair(folder, name):
    os.makedirs(folder, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    primary, standby = Postgres(folder, f"{name}-a"), Postgres(folder, f"{name}-b")
    primary.create()
    standby.follow(primary)
    url = f"postgres://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres?sslmode=disable"
    return primary, standby, url


def fail_over(binary, folder, rounds):
    primary, standby, url = pair(os.path.join(folder, "pg"), "sync")
    primary.wait_for_standby("sync")
    processes, token = begin(binary, folder, url)
    load = Load(processes, token)
    for number in range(rounds):
        time.sleep(random.uniform(1.5, 3))
        processes[number % 2].process.kill()
        processes[number % 2].process.wait()
        processes[number % 2].start()
        time.sleep(random.uniform(0.5, 1.5))
        primary.kill()
        standby.promote()
        primary, standby = standby, primary
        standby.follow(primary)
        primary.wait_for_standby("sync")
    time.sleep(2)
    load.stop()
    check(all(process.process.poll() is None for process in processes), "a process has ended")
    missing = load.missing()
    check(not missing, f"{len(missing)} acknowledged orders are missing")
    unknown = len(load.unknown)
    load.settle()
    numbers = sorted(order["number"] for order in load.acknowledged.values())
    check(numbers == list(range(1, len(numbers) + 1)), "the numbers have gaps, or an order is there twice")
    for process in processes:
        check(process.stop() == 0, process.log()[-1500:])
        verified = run(binary, "verify", "--db", process.copy)
        check(verified.returncode == 0, verified.stdout + verified.stderr)
    print(f"{rounds} fail-overs and as many kills: {len(numbers)} orders, none missing, none twice; {unknown} unknown outcomes "
          f"settled; the longest wait {load.slowest:.1f} s; {load.answers}")
    primary.kill()
    standby.kill()


def control(binary, folder):
    """Without a synchronous standby, orders are lost. Otherwise the run above proves nothing."""
    folder = os.path.join(folder, "control")
    primary, standby, url = pair(os.path.join(folder, "pg"), "async")
    primary.wait_for_standby("async")
    processes, token = begin(binary, folder, url)
    load = Load(processes, token)
    time.sleep(1.5)
    receivers = standby.processes("walreceiver")
    for pid in receivers:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1)
    primary.kill()
    for pid in receivers:
        os.kill(pid, signal.SIGKILL)
    standby.promote()
    codes = [process.process.wait(timeout=60) for process in processes]
    load.stop()
    check(codes == [3, 3], f"the processes have ended with {codes}")
    for process in processes:
        process.start()
        check(os.path.exists(process.copy + ".aside-1"), "the file that holds more is not set aside")
        check("it holds what the journal has lost" in process.log(), "the log does not say so")
    lost = load.missing()
    check(lost, "the control has lost nothing: it proves nothing")
    print(f"control: {len(lost)} of {len(load.acknowledged)} acknowledged orders lost; both processes noticed")
    for process in processes:
        process.stop()
    standby.kill()


def main():
    binary, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    check(BINARIES, "install PostgreSQL first: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        fail_over(binary, folder, rounds)
        control(binary, folder)


main()
