"""Servers of PostgreSQL, orderd processes on a journal in them, and clients that place orders and note what was answered."""

import atexit
import glob
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

CLIENTS = 12
EMAIL, PASSWORD = "ada@example.com", "a long and private phrase"
BINARIES = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
# PostgreSQL and its poolers refuse to run as root.
AS_POSTGRES = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.geteuid() == 0 else []


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
    """A server of PostgreSQL in a folder of its own."""

    def __init__(self, folder, name):
        self.data, self.port = os.path.join(folder, name), free_port()

    def attempt(self, name, *arguments):
        return run(*AS_POSTGRES, os.path.join(BINARIES[-1], name), *arguments)

    def tool(self, name, *arguments):
        ended = self.attempt(name, *arguments)
        check(ended.returncode == 0, f"{name}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def configure(self, more=""):
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a") as file:
            file.write(f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\n"
                       f"shared_buffers=32MB\nwal_keep_size=256MB\n"
                       # How long a standby may sleep before it looks whether it is to take over.
                       f"wal_retrieve_retry_interval=100ms\n{more}")

    def start(self):
        self.tool("pg_ctl", "-D", self.data, "-l", self.data + ".log", "-w", "start")

    def restart(self):
        self.tool("pg_ctl", "-D", self.data, "-l", self.data + ".log", "-w", "-m", "immediate", "restart")

    def listen(self, addresses, network):
        """Listens on more addresses, for clients of a network."""
        with open(os.path.join(self.data, "pg_hba.conf"), "a") as file:
            file.write(f"host all all {network} trust\n")
        self.configure(f"listen_addresses='{addresses}'\n")
        self.restart()

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

    def sql(self, statement, database="postgres"):
        asked = ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database, "-Atc", statement]
        return run(*asked).stdout.strip()

    def wait_for_standby(self, state):
        # A server that waits for a standby that has not come yet answers nobody.
        self.wait_for_replication("state", "streaming")
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{'standby' if state == 'sync' else ''}'")
        self.sql("SELECT pg_reload_conf()")
        self.wait_for_replication("sync_state", state)

    def wait_for_replication(self, column, value):
        for _ in range(200):
            if self.sql(f"SELECT {column} FROM pg_stat_replication") == value:
                return
            time.sleep(0.1)
        check(False, f"the standby does not become {value}")

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
        # A server of which a process was killed starts again, and may miss that it is told.
        for _ in range(6):
            ended = self.attempt("pg_ctl", "-D", self.data, "-w", "-t", "10", "promote")
            if ended.returncode == 0 or "not in standby mode" in ended.stderr:
                break
        check(self.sql("SELECT pg_is_in_recovery()") == "f", f"not promoted: {ended.stdout}{ended.stderr}")
        # Until it has a standby itself.
        self.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.sql("SELECT pg_reload_conf()")


class Orderd:
    """One of the processes. All in a folder have one signing key."""

    def __init__(self, binary, folder, name, url, host="127.0.0.1", prefix=(), key=None, settings=()):
        self.binary, self.folder, self.host, self.port = binary, os.path.join(folder, name), host, free_port()
        os.makedirs(self.folder, exist_ok=True)
        self.copy, self.url, self.prefix = os.path.join(self.folder, "copy.db"), url, list(prefix)
        self.key = key or os.path.join(folder, "signing.key")
        self.settings = {"db.copy": self.copy, "auth.signing_key_file": self.key, "limits.requests_per_minute": "0",
                         "server.allow_plain_http": "true", **dict(settings)}
        self.output = os.path.join(self.folder, "output")
        self.start()

    def start(self):
        code = self.try_to_start()
        check(code is None, f"a process does not start: {code}: {self.log()[-1500:]}")

    def try_to_start(self):
        """Returns the exit code if it does not start."""
        command = [*self.prefix, self.binary, "serve", "--db", self.url, "--listen", f"{self.host}:{self.port}"]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        with open(self.output, "wb") as out, open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(command, stdout=out, stderr=log, cwd=self.folder)
        atexit.register(self.process.kill)
        deadline = time.time() + 60
        while "listening" not in open(self.output).read():
            if self.process.poll() is not None:
                return self.process.returncode
            check(time.time() < deadline, f"a process does not start: {self.log()[-1500:]}")
            time.sleep(0.02)
        return None

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=20)

    def log(self):
        return open(os.path.join(self.folder, "log")).read()

    def setup_token(self):
        while "setup token: " not in open(self.output).read():
            time.sleep(0.02)
        return open(self.output).read().split("setup token: ")[1].split()[0]

    def set_up(self):
        """Creates the first administrator, and returns a token of hers."""
        user = {"token": self.setup_token(), "email": EMAIL, "name": "Ada", "password": PASSWORD}
        check(self.call("POST", "/v1/setup", user)[0] == 201, "no set-up")
        return self.log_in()

    def log_in(self):
        status, session = self.call("POST", "/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
        check(status == 200, f"the user is not known: {session}")
        return session["access_token"]

    def send(self, path, body, media, token):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request("POST", path, body, {"Content-Type": media, "Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read()

    def call(self, method, path, body=None, token=None, key=None, connection=None):
        connection = connection or self.connect()
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

    def stop_and_verify(self):
        check(self.stop() == 0, self.log()[-1500:])
        verified = run(self.binary, "verify", "--db", self.copy)
        check(verified.returncode == 0, verified.stdout + verified.stderr)

    def end(self):
        """The newest events and orders of the file of a process that has stopped."""
        with sqlite3.connect(self.copy) as connection:
            events = connection.execute("SELECT seq, hex(hash) FROM events ORDER BY seq DESC LIMIT 1").fetchone()
            return events, connection.execute("SELECT count(*), sum(total_amount) FROM orders").fetchone()


class Load:
    """Clients that place orders at all processes, and look for what was acknowledged at another one, until they are stopped."""

    def __init__(self, processes, token, clients=CLIENTS):
        self.processes, self.token, self.lock = processes, token, threading.Lock()
        self.acknowledged, self.unknown, self.answers, self.stale = {}, {}, {}, []
        # Payments, by their keys: the order, the amount, and whether it was acknowledged.
        self.payments = {}
        self.step, self.slowest, self.stopped = "begin", {}, False
        # When an order was acknowledged last, and the longest time without one.
        self.last, self.pause = time.time(), 0.0
        self.threads = [threading.Thread(target=self.place, args=(number,), daemon=True) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def place(self, number):
        choice = random.Random(number)
        connections = {}
        while not self.stopped:
            process, key = choice.choice(self.processes), f"{number}-{choice.getrandbits(60):x}"
            item = {"sku": f"tea-{choice.randrange(50)}", "name": "Tea", "quantity": 1, "unit_amount": choice.randrange(1, 9999)}
            body = {"currency": "EUR", "items": [item]}
            status, answer = self.ask(connections, process, "POST", "/v1/orders", body, key)
            self.note(key, body, status, answer or {})
            if status == 201 and choice.randrange(4) == 0:
                self.look_for(answer, connections, choice.choice(self.processes))
            if status == 201 and choice.randrange(4) == 0:
                self.pay(answer, connections, choice.choice(self.processes), f"{key}-pay")

    def look_for(self, order, connections, process):
        status, _ = self.ask(connections, process, "GET", f"/v1/orders/{order['id']}")
        if status not in (200, 503, "lost"):
            self.stale.append((order["id"], status))

    def pay(self, order, connections, process, key):
        """Pays a part, so that a second payment would be taken too."""
        amount = (order["total_amount"] + 2) // 3
        status, _ = self.ask(connections, process, "POST", f"/v1/orders/{order['id']}/payments", {"amount": amount}, key)
        with self.lock:
            self.payments[key] = order["id"], amount, status == 201

    def ask(self, connections, process, method, path, body=None, key=None):
        begun, step = time.time(), self.step
        try:
            connection = connections.get(process) or process.connect()
            connections[process] = connection
            status, answer = process.call(method, path, body, self.token, key, connection)
        except (OSError, http.client.HTTPException):
            connections.pop(process, None)
            status, answer = "lost", None
            time.sleep(0.05)
        with self.lock:
            self.slowest[step] = max(self.slowest.get(step, 0.0), time.time() - begun)
        return status, answer

    def note(self, key, body, status, answer):
        code = answer.get("code", "") if status != 201 else ""
        with self.lock:
            name = f"{status} {code}".strip()
            self.answers[name] = self.answers.get(name, 0) + 1
            if status == 201:
                self.acknowledged[key] = answer
                self.pause, self.last = max(self.pause, time.time() - self.last), time.time()
            elif status in ("lost", 502, 504) or code == "outcome_unknown":
                self.unknown[key] = body

    def waits(self):
        """The longest wait in each step."""
        return ", ".join(f"{step} {seconds:.1f} s" for step, seconds in self.slowest.items())

    def wait_for(self, more=20, within=20):
        """Waits until as many orders more are acknowledged. Returns how long it took."""
        begun, wanted = time.time(), len(self.acknowledged) + more
        while len(self.acknowledged) < wanted:
            check(time.time() < begun + within, f"no orders any more; {self.answers}; {[p.log()[-800:] for p in self.processes]}")
            time.sleep(0.02)
        return time.time() - begun

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
        """Sends every request of an unknown outcome again, to two processes."""
        for key, body in self.unknown.items():
            two = random.sample(self.processes, 2)
            answers = [process.call("POST", "/v1/orders", body, self.token, key) for process in two]
            check([status for status, _ in answers] == [201, 201], f"sent again: {answers}")
            check(answers[0][1]["id"] == answers[1][1]["id"], f"two orders for one key: {answers}")
            self.acknowledged[key] = answers[0][1]

    def settle_payments(self):
        """Sends payments without an answer again, and looks whether each order has been paid once."""
        for key, (order, amount, is_acknowledged) in self.payments.items():
            process = random.choice(self.processes)
            if not is_acknowledged:
                answer = process.call("POST", f"/v1/orders/{order}/payments", {"amount": amount}, self.token, key)
                check(answer[0] == 201, f"a payment sent again: {answer}")
            found = process.call("GET", f"/v1/orders/{order}", token=self.token)[1]
            check(found["paid_amount"] == amount, f"paid {amount}, and there is {found['paid_amount']}")

    def prove(self):
        """Ends the load, and holds what was answered against what is there. Returns a line about it."""
        self.stop()
        check(not self.stale, f"acknowledged, and not found at another process: {self.stale[:3]}")
        missing = self.missing()
        check(not missing, f"{len(missing)} acknowledged orders are missing")
        unknown = len(self.unknown)
        self.settle()
        self.settle_payments()
        numbers = sorted(order["number"] for order in self.acknowledged.values())
        check(numbers == list(range(1, len(numbers) + 1)), "the numbers have gaps, or an order is there twice")
        for process in self.processes:
            process.stop_and_verify()
        return (f"{len(numbers)} orders, {len(self.payments)} payments, none missing, none twice; {unknown} unknown outcomes settled; no order for "
                f"{self.pause:.1f} s at most; longest waits: {self.waits()}; {self.answers}")


def begin(binary, folder, url):
    """Two processes, and an administrator's token."""
    one = Orderd(binary, folder, "one", url)
    one.set_up()
    two = Orderd(binary, folder, "two", url)
    return [one, two], two.log_in()


def pair(folder, name):
    os.makedirs(folder, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    primary, standby = Postgres(folder, f"{name}-a"), Postgres(folder, f"{name}-b")
    primary.create()
    standby.follow(primary)
    url = f"postgres://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres?sslmode=disable"
    return primary, standby, url
