#!/usr/bin/env python3
"""Measures the whole server. Starts it on a file of its own; needs only Python.

    cargo build --release
    benches/whole.py target/*/release/orderd timing          refused log-ins of all kinds: equally long?
    benches/whole.py target/*/release/orderd storm           the latency of orders beside 200 concurrent log-ins
    benches/whole.py target/*/release/orderd lists [ORDERS]  import ORDERS (100000), read 1,000 pages, export everything
"""
import base64, hmac, http.client, itertools, json, os, statistics, struct, subprocess, sys, tempfile, threading, time

PASSWORD = "a long way down to the sea"
PAGE = 200
STORMS = 5
FILE = 100_000  # lines of one import: this client sends all of them before it reads the results


class Server:
    """A server with an administrator who is logged in."""

    def __init__(self, binary, folder, email="ada@example.com", password=PASSWORD):
        environment = dict(os.environ, ORDERD_ADMIN_EMAIL=email, ORDERD_ADMIN_PASSWORD=password)
        command = [binary, "serve", "--db", f"{folder}/o.db", "--listen", "127.0.0.1:0", "--log-level", "warn"]
        for key in ("limits.requests_per_minute", "limits.login_per_minute"):
            command += ["--set", f"{key}=0"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split("http://")[1].strip()
        status, answer = self.ask(self.connect(), "POST", "/v1/auth/login", {"email": email, "password": password})
        assert status == 200, answer
        self.token = json.loads(answer)["access_token"]

    def connect(self):
        return http.client.HTTPConnection(self.address, timeout=120)

    def ask(self, connection, method, path, body=None, **headers):
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()

    def authorised(self, **headers):
        return {"Authorization": f"Bearer {self.token}", **headers}

    def peak_memory(self):
        """The largest and the current resident memory, in MiB."""
        lines = dict(line.split(":", 1) for line in open(f"/proc/{self.process.pid}/status") if ":" in line)
        return [int(lines[name].split()[0]) // 1024 for name in ("VmHWM", "VmRSS")]

    def stop(self):
        self.process.terminate()
        assert self.process.wait(30) == 0


def order(n):
    item = {"sku": f"SKU-{n % 5000:05}", "name": "Sencha 250 g", "quantity": 1 + n % 4, "unit_amount": 1250}
    return {"currency": "EUR", "items": [item, {**item, "sku": f"SKU-{n * 7 % 5000:05}"}]}


def p(values, percent):
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)] * 1000


def timing(server):
    """Times refused log-ins in turn: of an unknown user, of a known one, of one with a second factor, and of one whose
    password is right and whose code is wrong. Each account is tried once."""
    connection, rounds = server.connect(), 300
    for n in range(rounds):
        for letter in "usc":
            body = {"email": f"{letter}{n}@example.com", "name": "U", "role": "customer", "password": PASSWORD}
            status, answer = server.ask(connection, "POST", "/v1/users", body, **server.authorised())
            assert status == 201, answer
            if letter != "u":
                add_second_factor(server, connection, body["email"])
    wrong = "another long phrase"
    kinds = {"unknown": ("x", wrong, {}), "known": ("u", wrong, {}), "with a second factor": ("s", wrong, {}),
             "with a wrong code": ("c", PASSWORD, {"code": "000000"})}
    times = {kind: [] for kind in kinds}
    for n in range(rounds):
        for kind, (letter, password, code) in kinds.items():
            body = {"email": f"{letter}{n}@example.com", "password": password, **code}
            begun = time.perf_counter()
            status, _ = server.ask(connection, "POST", "/v1/auth/login", body)
            times[kind].append(time.perf_counter() - begun)
            assert status == 401
    least = min(statistics.median(taken) for taken in times.values())
    for kind, taken in times.items():
        median = statistics.median(taken)
        print(f"{kind}: median of {rounds}: {median * 1000:.2f} ms, {(median - least) / least:.1%} over the least")


def add_second_factor(server, connection, email):
    """Enrols an authenticator app for a user, and confirms it with its first code (RFC 6238)."""
    status, answer = server.ask(connection, "POST", "/v1/auth/login", {"email": email, "password": PASSWORD})
    assert status == 200, answer
    bearer = {"Authorization": f"Bearer {json.loads(answer)['access_token']}"}
    status, answer = server.ask(connection, "POST", "/v1/auth/totp", {"password": PASSWORD}, **bearer)
    assert status == 201, answer
    key = base64.b32decode(json.loads(answer)["secret"])
    tag = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), "sha1")
    number = struct.unpack_from(">I", tag, tag[-1] & 15)[0] & 0x7FFFFFFF
    code = f"{number % 1_000_000:06}"
    status, answer = server.ask(connection, "POST", "/v1/auth/totp/confirm", {"code": code}, **bearer)
    assert status == 204, answer


def orders_for(server, seconds, clients=8):
    """Places orders from several clients, each one order at a time, and returns the time of each."""
    times, until = [], time.monotonic() + seconds

    def client(number):
        connection, n = server.connect(), 0
        while time.monotonic() < until:
            begun = time.perf_counter()
            key = f"{number}-{until}-{n}"
            status, answer = server.ask(connection, "POST", "/v1/orders", order(n), **server.authorised(**{"Idempotency-Key": key}))
            assert status == 201, answer
            times.append(time.perf_counter() - begun)
            n += 1
            time.sleep(0.005)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    [t.start() for t in threads], [t.join() for t in threads]
    return times


def storm(server):
    """Times orders alone and orders beside 200 clients that log in, in turn, since the load of a machine varies."""
    alone, stormy, ratios, before = [], [], [], server.peak_memory()
    for _ in range(STORMS):
        quiet = orders_for(server, 4)
        strangers = subprocess.Popen([sys.executable, __file__, server.address, "strangers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        loud = orders_for(server, 4)
        answers = strangers.communicate("\n")[0].strip()
        alone, stormy, ratios = alone + quiet, stormy + loud, [*ratios, p(loud, 99) / p(quiet, 99)]
    print(f"orders alone:  {len(alone)}, p50 {p(alone, 50):.1f} ms, p99 {p(alone, 99):.1f} ms; memory {before[1]} MiB")
    print(f"in the storm:  {len(stormy)}, p50 {p(stormy, 50):.1f} ms, p99 {p(stormy, 99):.1f} ms; memory at most {server.peak_memory()[0]} MiB")
    print(f"p99 is {p(stormy, 99) / p(alone, 99):.2f} times as long, by turns {min(ratios):.2f} to {max(ratios):.2f}; log-ins of the last storm: {answers}")


def strangers(address):
    """Runs 200 clients that log in with wrong passwords until a line arrives on standard input."""
    over, answers = threading.Event(), []

    def log_in(number):
        while not over.is_set():
            # A new account each time: a delayed account costs no hash.
            body = json.dumps({"email": f"nobody-{number}-{time.monotonic_ns()}@example.com", "password": "another long phrase"})
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("POST", "/v1/auth/login", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            answers.append(response.status)
            over.wait(int(response.headers.get("Retry-After", 0)))

    threads = [threading.Thread(target=log_in, args=(number,)) for number in range(200)]
    [t.start() for t in threads]
    sys.stdin.readline()
    over.set()
    [t.join() for t in threads]
    print({status: answers.count(status) for status in sorted(set(answers))})


def lists(server, count):
    """Times an import, the pages of a list from the first to the 1,000th, and exports."""
    begun, results = time.perf_counter(), {}
    for first in range(0, count, FILE):
        lines = (json.dumps({**order(n), "external_ref": f"ref-{n}"}) + "\n" for n in range(first, min(first + FILE, count)))
        chunks = iter(lambda: "".join(itertools.islice(lines, 1000)).encode(), b"")
        connection = server.connect()
        headers = server.authorised(**{"Content-Type": "application/x-ndjson"})
        connection.request("POST", "/v1/orders/import", chunks, headers, encode_chunked=True)
        for line in connection.getresponse():
            result = json.loads(line)["result"]
            results[result] = results.get(result, 0) + 1
    taken = time.perf_counter() - begun
    print(f"import of {count}: {taken:.1f} s, {count / taken:.0f} orders/s, {results}; memory at most {server.peak_memory()[0]} MiB")
    connection = server.connect()
    times, path = [], f"/v1/orders?limit={PAGE}"
    while path and len(times) < 1000:
        begun = time.perf_counter()
        status, answer = server.ask(connection, "GET", path, **server.authorised())
        times.append(time.perf_counter() - begun)
        assert status == 200, answer
        cursor = json.loads(answer)["page"]["next"]
        path = cursor and f"/v1/orders?limit={PAGE}&cursor={cursor}"
    first, last = statistics.median(times[:20]) * 1000, statistics.median(times[-20:]) * 1000
    print(f"{len(times)} pages of {PAGE}: first 20 median {first:.2f} ms, last 20 median {last:.2f} ms, {last / first:.2f} times")
    for media in ("text/csv", "application/x-ndjson"):
        begun, size, rows = time.perf_counter(), 0, 0
        connection.request("GET", "/v1/orders", headers=server.authorised(Accept=media))
        response = connection.getresponse()
        while chunk := response.read(1 << 20):
            size, rows = size + len(chunk), rows + chunk.count(b"\n")
        taken = time.perf_counter() - begun
        print(f"export as {media}: {rows} lines, {size >> 20} MiB in {taken:.1f} s; memory at most {server.peak_memory()[0]} MiB")


def main():
    if sys.argv[2:] == ["strangers"]:
        return strangers(sys.argv[1])
    if len(sys.argv) < 3 or sys.argv[2] not in ("timing", "storm", "lists"):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sys.argv[1], folder)
        try:
            if sys.argv[2] == "lists":
                lists(server, int(sys.argv[3]) if len(sys.argv) > 3 else 100_000)
            else:
                {"timing": timing, "storm": storm}[sys.argv[2]](server)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
