#!/usr/bin/env python3
"""orderd behind nginx, Caddy and HAProxy with the files of assets/operations: `proxies.py ORDERD`. A proxy that is not
installed is skipped with a message."""
import http.client
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

OPERATIONS = pathlib.Path(__file__).resolve().parent.parent / "assets/operations"
PASSWORD = "a long and private phrase"
ACCOUNT = {"email": "a@example.com", "password": PASSWORD}
ORDER = {"currency": "EUR", "items": [{"sku": "TEA", "name": "Tea", "quantity": 1, "unit_amount": 1250}]}
LINES = 3000  # more than two MiB
CLIENT = "127.0.0.2"  # the proxy is 127.0.0.1


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def connect(port):
    trusting = ssl._create_unverified_context()
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=20, source_address=(CLIENT, 0), context=trusting)


class Api:
    """All requests go over one kept connection."""

    def __init__(self, port):
        self.connection, self.token = connect(port), None

    def call(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Host": "orders.example.com", "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer, answer.read()


def is_problem(answer):
    return answer.headers["Content-Type"] == "application/problem+json"


def check(port, token, log, is_duplex):
    api = Api(port)
    api.call("POST", "/v1/setup", {"token": token, "name": "A", **ACCOUNT})
    api.token = json.loads(api.call("POST", "/v1/auth/login", ACCOUNT)[1])["access_token"]
    placed, body = api.call("POST", "/v1/orders", ORDER, Idempotency_Key="one", X_Forwarded_For="203.0.113.9")
    order = json.loads(body)
    assert placed.status == 201 and placed.headers["Location"].endswith(f"/v1/orders/{order['id']}"), body
    # A proxy that compresses makes the tag weak.
    changed, body = api.call("PATCH", f"/v1/orders/{order['id']}", {"note": "ü"}, If_Match=f"W/{placed.headers['ETag']}")
    assert changed.status == 200, body
    # A limit of orderd, and none of the proxy's. nginx closes a connection on which it has not read all.
    other = Api(port)
    other.token = api.token
    large, body = other.call("POST", "/v1/orders", b'"' + b"x" * (3 << 20) + b'"', Idempotency_Key="two")
    assert large.status == 413 and is_problem(large), body
    missing, body = Api(port).call("GET", "/v1/nothing")
    assert missing.status == 404 and is_problem(missing), body
    for answer in [placed, missing]:
        assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"], answer.headers
    addresses = [json.loads(line).get("client.address") for line in log.read_text().splitlines() if line[:1] == "{"]
    assert CLIENT in addresses and "203.0.113.9" not in addresses, addresses
    events(port, api)
    (lines if is_duplex else lines_by_http2)(port, api)


def leads_to_https(plain):
    """Over plain HTTP there is nothing but the way to HTTPS, also for requests that change something."""
    for method in ["GET", "POST"]:
        connection = http.client.HTTPConnection("127.0.0.1", plain, timeout=20)
        connection.request(method, "/v1/orders?limit=1", headers={"Host": "orders.example.com"})
        answer = connection.getresponse()
        location = answer.headers["Location"]
        assert answer.status == 308 and location == "https://orders.example.com/v1/orders?limit=1", (answer.status, location)


def events(port, api):
    stream = connect(port)
    stream.request("GET", "/v1/events.sse", headers={"Authorization": f"Bearer {api.token}"})
    answer = stream.getresponse()
    assert answer.readline() == b"retry: 1000\n"
    begun = time.monotonic()
    api.call("POST", "/v1/orders", ORDER, Idempotency_Key="three")
    while not answer.readline().startswith(b"data: "):
        pass
    assert time.monotonic() - begun < 2, "events are sent as they happen"
    stream.close()


def lines(port, api):
    """Sends half of an import, waits for an answer to it, and sends the rest."""
    connection = connect(port)
    connection.putrequest("POST", "/v1/orders/import")
    for name, value in {"Authorization": f"Bearer {api.token}", "Content-Type": "application/x-ndjson",
                        "Transfer-Encoding": "chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    sent = to_import()
    answered = threading.Event()

    def send(part):
        data = "".join(part).encode()
        connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    def rest():
        assert answered.wait(20), "an answer comes before the end"
        send(sent[LINES // 2:])
        connection.send(b"0\r\n\r\n")

    send(sent[:LINES // 2])
    sender = threading.Thread(target=rest)
    sender.start()
    answer = connection.getresponse()
    results = [answer.readline()]
    assert json.loads(results[0])["result"] == "created", results
    answered.set()
    results += list(answer)
    sender.join()
    assert len(results) == LINES, len(results)


def to_import():
    return [json.dumps({**ORDER, "external_ref": f"line-{number}", "note": "x" * 700}) + "\n" for number in range(LINES)]


def lines_by_http2(port, api):
    command = ["curl", "-sS", "--insecure", "--http2", "--max-time", "60", "-T", "-", "-X", "POST", "-H",
               f"Authorization: Bearer {api.token}", "-H", "Content-Type: application/x-ndjson",
               f"https://127.0.0.1:{port}/v1/orders/import"]
    results = subprocess.run(command, input="".join(to_import()), capture_output=True, text=True, check=True).stdout
    assert [json.loads(line)["result"] for line in results.splitlines()] == ["created"] * LINES, results[:500]


def proxy(name, folder, port, plain, to_backends):
    """The command that runs this proxy with the shipped file, of which only ports, certificates and backends are changed."""
    pair = {"fullchain": folder / "cert.pem", "privkey": folder / "key.pem"}
    if name == "nginx":
        text = (OPERATIONS / "nginx.conf").read_text().replace("listen 443", f"listen 127.0.0.1:{port}")
        text = text.replace("listen 80;", f"listen 127.0.0.1:{plain};")
        for file, path in pair.items():
            text = text.replace(f"/etc/letsencrypt/live/orders.example.com/{file}.pem", str(path))
        logs = f"error_log {folder}/nginx.log; pid {folder}/nginx.pid; daemon off;"
        paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        text = f"{logs} events {{}} http {{ access_log off; {paths}\n{text}\n}}"
        command = ["nginx", "-c"]
    elif name == "caddy":
        text = (OPERATIONS / "Caddyfile").read_text()
        text = text.replace("orders.example.com {", f"https://127.0.0.1:{port}, https://orders.example.com:{port} {{\n\ttls {pair['fullchain']} {pair['privkey']}")
        ports = f"\thttp_port {plain}\n\thttps_port {port}\n"
        text = f"{{\n\tadmin off\n\tdefault_sni orders.example.com\n{ports}}}\n{text}"
        command = ["caddy", "run", "--adapter", "caddyfile", "--config"]
    else:
        both = folder / "both.pem"
        both.write_text(pair["fullchain"].read_text() + pair["privkey"].read_text())
        text = (OPERATIONS / "haproxy.cfg").read_text().replace("bind :443", f"bind 127.0.0.1:{port}")
        text = text.replace("bind :80\n", f"bind 127.0.0.1:{plain}\n")
        text = text.replace("/etc/haproxy/orders.example.com.pem", str(both))
        command = ["haproxy", "-db", "-f"]
    file = folder / name
    assert "127.0.0.1:8080" in text
    file.write_text(to_backends(text))
    return [*command, str(file)]


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=orders.example.com", "-addext", "subjectAltName=DNS:orders.example.com,IP:127.0.0.1",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)


def start(name, folder, port, plain, to_backends):
    """Starts a proxy, and waits until the server behind it answers."""
    with (folder / "said").open("w") as said:
        environment = {"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin"}
        process = subprocess.Popen(proxy(name, folder, port, plain, to_backends), stdout=said, stderr=said, env=environment)
    for _ in range(100):
        try:
            if Api(port).call("GET", "/livez")[0].status == 200:
                return process
        except OSError:
            pass
        time.sleep(0.1)
    process.kill()
    sys.exit(f"proxies: {name} did not start: {(folder / 'said').read_text()}")


def run(orderd, name):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        certificate(folder)
        backend, port, plain = free_port(), free_port(), free_port()
        log = folder / "log"
        processes = [subprocess.Popen([orderd, "serve", "--db", folder / "o.db", "--listen", f"127.0.0.1:{backend}",
                                       "--set", "server.trusted_proxies=127.0.0.1"],
                                      stdout=subprocess.PIPE, stderr=log.open("w"), text=True)]
        try:
            processes[0].stdout.readline()
            token = processes[0].stdout.readline().split(": ")[1].strip()
            processes.append(start(name, folder, port, plain, lambda text: text.replace("127.0.0.1:8080", f"127.0.0.1:{backend}")))
            leads_to_https(plain)
            # Over HTTP/1.1 Caddy reads no more of a request once its response has begun.
            check(port, token, log, name != "caddy")
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()
    print(f"proxies: {name}: requests, tags, limits, addresses, events and an import are as without it, over HTTPS alone")


def main():
    for name in ["nginx", "caddy", "haproxy"]:
        if shutil.which(name, path="/usr/sbin:/usr/bin"):
            run(sys.argv[1], name)
        else:
            print(f"proxies: skipped {name}: it is not installed")


if __name__ == "__main__":
    main()
