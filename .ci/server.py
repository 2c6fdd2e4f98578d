"""A server that the checks ask: a release binary on a database of its own."""

import atexit
import http.client
import json
import os
import re
import subprocess
import sys

# The credentials of the document's example, so that the tools can log in.
EMAIL, PASSWORD = "ada@example.com", "a long and private phrase"
LINE = {"sku": "TEA-250", "name": "Sencha 250 g", "quantity": 2, "unit_amount": 1250, "tax_rate": "8.875"}


class Server:
    """A server on a database of its own with a few orders."""

    def __init__(self, binary, folder):
        environment = os.environ | {"ORDERD_ADMIN_EMAIL": EMAIL, "ORDERD_ADMIN_PASSWORD": PASSWORD}
        command = [binary, "serve", "--db", str(folder / "orders.db"), "--listen", "127.0.0.1:0"]
        for limit in ("requests_per_minute", "login_per_minute"):
            command += ["--set", f"limits.{limit}=0"]
        self.log = open(folder / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)
        atexit.register(self.process.kill)
        first = self.process.stdout.readline()
        check(first.startswith("listening on http://"), f"the first line is {first!r}")
        self.url = first.removeprefix("listening on ").strip()
        self.admin = self.log_in(EMAIL)
        self.order(self.admin, draft=True)
        for _ in range(2):
            order = self.order(self.admin)
            self.ask("POST", f"/v1/orders/{order['id']}/payments", {"amount": 1000}, self.admin)
        self.ask("POST", f"/v1/orders/{order['id']}/confirm", {}, self.admin)

    def order(self, token, key=None, **more):
        return self.ask("POST", "/v1/orders", {"currency": "EUR", "items": [LINE], **more}, token, key)

    def ask(self, method, path, body, token=None, key=None):
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or os.urandom(8).hex()}
        status, text = self.answer(method, path, json.dumps(body), headers, token)
        check(status < 300, f"{method} {path} answered {status} {text}")
        return json.loads(text)

    def answer(self, method, path, body=None, headers=None, token=None):
        credentials = {"Authorization": f"Bearer {token}"} if token else {}
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=15)
        connection.request(method, path, body, (headers or {}) | credentials)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def log_in(self, email):
        return self.ask("POST", "/v1/auth/login", {"email": email, "password": PASSWORD})["access_token"]

    def credentials(self, role):
        """Returns the bearer token of the role, or None."""
        if role == "anonymous":
            return None
        if role == "admin":
            return self.admin
        if role == "api_key":
            held = [name for name in self.ask("GET", "/v1/auth/me", None, self.admin)["permissions"] if not name.endswith("_own")]
            return self.ask("POST", "/v1/api-keys", {"name": "judge", "permissions": held}, self.admin)["secret"]
        email = f"{role}@example.com"
        self.ask("POST", "/v1/users", {"email": email, "name": role, "role": role, "password": PASSWORD}, self.admin)
        return self.log_in(email)

    def done(self):
        """Returns the operations that were answered 2xx at least once."""
        _, page = self.answer("GET", "/metrics", token=self.admin)
        return set(re.findall(r'orderd_http_requests_total\{operation="([^"]+)",status="2', page))

    def end(self):
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self.log.close()
        check(code == 0, f"the server exited with {code}")


def check(holds, otherwise):
    if not holds:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {otherwise}")
