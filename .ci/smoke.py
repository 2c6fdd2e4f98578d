#!/usr/bin/env python3
"""Tests the main promises of orderd on the release executable: one key makes one order, acknowledged orders survive kill -9,
a file has one server, and the exit codes are right. Usage: .ci/smoke.py path/to/orderd

Responses to single requests are tested by `cargo test`, not here.
"""

import atexit
import http.client
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time

EMAIL, PASSWORD = "ada@example.com", "a long way down to the sea"
CLIENTS = 8
LOAD_SECONDS = 2.0
LINE = {"sku": "TEA-250", "name": "Sencha 250 g", "quantity": 2, "unit_amount": 1250, "tax_rate": "8.875"}


class Server:
    """A server process with a client."""

    def __init__(self, binary, database):
        self.begun = time.monotonic()
        self.log = open(f"{database}.log", "a", encoding="utf-8")
        environment = os.environ | {"ORDERD_ADMIN_EMAIL": EMAIL, "ORDERD_ADMIN_PASSWORD": PASSWORD}
        command = [binary, *serve(database), "--set", "limits.requests_per_minute=0"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        atexit.register(self.process.kill)
        first = self.process.stdout.readline()
        self.ready_after = time.monotonic() - self.begun
        check(first.startswith("listening on http://"), f"the first line is {first!r}")
        self.address = first.removeprefix("listening on http://").strip()
        self.token = None

    def connect(self):
        return http.client.HTTPConnection(self.address, timeout=15)

    def ask(self, method, path, body=None, key=None, connection=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        connection = connection or self.connect()
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def log_in(self):
        status, body = self.ask("POST", "/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
        check(status == 200, f"the log-in answered {status}")
        self.token = json.loads(body)["access_token"]

    def end(self, how):
        self.process.send_signal(how)
        code = self.process.wait(timeout=20)
        self.log.close()
        return code


def serve(database):
    return ["serve", "--db", database, "--listen", "127.0.0.1:0"]


def check(holds, otherwise):
    if not holds:
        sys.exit(f"smoke: {otherwise}")


def order(reference):
    return {"currency": "EUR", "items": [LINE], "external_ref": reference}


def in_parallel(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def one_key_is_one_order(server):
    answers = []
    in_parallel(64, lambda _: answers.append(server.ask("POST", "/v1/orders", order("one"), key="one-key")))
    check(len(answers) == 64 and set(answers) == {(201, answers[0][1])}, "one key got different responses")
    _, listed = server.ask("GET", "/v1/orders")
    check(len(json.loads(listed)["data"]) == 1, "one key made more than one order")
    print("smoke: 64 parallel requests with one key: one order, identical responses")


def what_was_answered_survives(binary, database, server):
    answered, unknown, refused = {}, [], []
    stop = threading.Event()

    def place_orders(client):
        connection = server.connect()
        number = 0
        while not stop.is_set():
            number += 1
            reference = f"client-{client}-{number}"
            try:
                status, body = server.ask("POST", "/v1/orders", order(reference), reference, connection)
            except (OSError, http.client.HTTPException):
                unknown.append(reference)
                return
            if status == 201:
                answered[reference] = body
            else:
                refused.append((status, body))

    def kill():
        server.end(signal.SIGKILL)
        stop.set()

    timer = threading.Timer(LOAD_SECONDS, kill)
    timer.start()
    in_parallel(CLIENTS, place_orders)
    timer.join()
    check(not refused, f"orders were refused: {refused[:1]}")
    check(len(answered) > CLIENTS, "there were too few orders for a load test")

    again = Server(binary, database)
    check(again.ready_after < 2, f"ready only after {again.ready_after:.1f} s")
    again.log_in()
    connection = again.connect()
    for reference, body in answered.items():
        status, found = again.ask("GET", f"/v1/orders/ref/{reference}", connection=connection)
        check((status, found) == (200, body), f"{reference} was answered 201 and is now {status}: {found!r}")
    for reference in unknown:
        status, _ = again.ask("POST", "/v1/orders", order(reference), reference, connection)
        check(status == 201, f"{reference} could not be sent again: {status}")
    print(f"smoke: killed under load: {len(answered)} orders acknowledged, all found; {len(unknown)} sent again")
    return again


def the_file_has_one_server(binary, database):
    second = subprocess.run([binary, *serve(database)], capture_output=True, text=True, timeout=10, check=False)
    check(second.returncode == 3, f"a second server on the file exited with {second.returncode}")
    print(f"smoke: a second server: exit 3, {second.stderr.strip()!r}")


def bad_configuration_is_fatal(binary):
    bad = subprocess.run([binary, "config", "check", "--set", "db.pth=x"], capture_output=True, text=True, check=False)
    check(bad.returncode == 2 and "db.path" in bad.stderr, f"an unknown key: {bad.returncode}, {bad.stderr!r}")
    print(f"smoke: an unknown key: exit 2, {bad.stderr.strip()!r}")


def a_password_is_typed_unseen(binary, database):
    """At a terminal: the same password twice works, another one does not, and Ctrl-C leaves the terminal as it was."""
    for typed, expected in ([PASSWORD, PASSWORD], 0), ([PASSWORD, "another long phrase"], 2), (["half of it\x03"], 1):
        child, terminal = pty.fork()
        if child == 0:
            os.execv(binary, [binary, "user", "passwd", "--db", database, "--email", EMAIL])
        before, shown = termios.tcgetattr(terminal), b""
        for prompt, line in zip([b"Password: ", b"The same again: "], typed):
            while not shown.endswith(prompt):
                shown += os.read(terminal, 1000)
            while termios.tcgetattr(terminal)[3] & termios.ECHO:
                time.sleep(0.01)
            os.write(terminal, line.encode() if line.endswith("\x03") else f"{line}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        check(code == expected, f"passwd with {len(typed)} lines exited with {code}, not {expected}")
        check(termios.tcgetattr(terminal) == before, "the terminal is not as it was")
        check(PASSWORD.encode() not in shown, "the password was shown")
        os.close(terminal)
    print("smoke: passwords at a terminal: changed, refused, interrupted; the terminal is as it was")


def resident_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        kib = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return kib / 1024


def main():
    binary = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        database = os.path.join(folder, "smoke.db")
        server = Server(binary, database)
        print(f"smoke: binary {os.path.getsize(binary) / 1e6:.1f} MB, listening on an empty database after "
              f"{server.ready_after * 1000:.0f} ms, {resident_mib(server):.0f} MiB with a password just hashed")
        the_file_has_one_server(binary, database)
        bad_configuration_is_fatal(binary)
        server.log_in()
        one_key_is_one_order(server)
        server = what_was_answered_survives(binary, database, server)
        code = server.end(signal.SIGTERM)
        check(code == 0, f"the server exited with {code} on SIGTERM")
        print("smoke: SIGTERM: exit 0")
        a_password_is_typed_unseen(binary, database)


if __name__ == "__main__":
    main()
