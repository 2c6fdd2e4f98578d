#!/usr/bin/env python3
"""Has tools that know nothing of orderd judge what it serves. Schemathesis sends each role's share of requests, right and
wrong, derived from /openapi.json, and holds every answer to the document; a Python and a TypeScript client generated from
the document run the tour. Usage: .ci/judges.py path/to/orderd [role …]

Each role has a server and a file of its own, so that what one does cannot be what another trips over.
JUDGES_CASES is the number of cases an operation and phase (default: enough for 2,000 a role in all).
"""

import atexit
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv

SCHEMATHESIS = "4.32.5"
PYTHON_GENERATOR = "0.29.1"
NODE_PACKAGES = ["openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", "@types/node@20.19.43"]
CASES = int(os.environ.get("JUDGES_CASES", "20"))
LEAST_CASES = 2000
SEED = "20261123"
HERE = pathlib.Path(__file__).resolve().parent / "clients"
EMAIL, PASSWORD = "ada@example.com", "a long way down to the sea"
ROLES = ["anonymous", "customer", "staff", "manager", "admin", "api_key"]
LINE = {"sku": "TEA-250", "name": "Sencha 250 g", "quantity": 2, "unit_amount": 1250, "tax_rate": "8.875"}

# What is not judged, and why.
LEFT_OUT = {
    "auth.logout": "ends the session that the other cases use",
    "sessions.delete_all": "may end the session that the other cases use",
    "sessions.delete": "may end the session that the other cases use",
}

SETTINGS = f"""
hooks = "{HERE / "judge.py"}"

[generation]
# No text may hold NUL; to say so would be a pattern on every string of the document.
allow-x00 = false

[[operations]]
include-operation-id = "events.list"
# A long poll waits as long as it is asked to.
parameters = {{ "query.wait" = 0 }}

[[operations]]
include-operation-id = "orders.import"
# Every text is a body; what is wrong with a line is said in the answer's line.
checks.negative_data_rejection.enabled = false
"""


class Server:
    """A server on a file of its own with a few orders in it."""

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
        for _ in range(3):
            order = self.ask("POST", "/v1/orders", {"currency": "EUR", "items": [LINE]}, self.admin)
            self.ask("POST", f"/v1/orders/{order['id']}/payments", {"amount": 1000}, self.admin)

    def ask(self, method, path, body, token=None):
        headers = {"Content-Type": "application/json", "Idempotency-Key": os.urandom(8).hex()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=15)
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        check(answer.status < 300, f"{method} {path} answered {answer.status} {text}")
        return json.loads(text)

    def log_in(self, email):
        return self.ask("POST", "/v1/auth/login", {"email": email, "password": PASSWORD})["access_token"]

    def credentials(self, role):
        """The bearer credentials of the role, if it has any."""
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

    def end(self):
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self.log.close()
        check(code == 0, f"the server ended with {code}")


def check(holds, otherwise):
    if not holds:
        sys.exit(f"judges: {otherwise}")


def install(folder):
    """The Python tools in an environment of their own: the folder of its programs."""
    venv.create(folder, with_pip=True)
    wanted = [f"schemathesis=={SCHEMATHESIS}", f"openapi-python-client=={PYTHON_GENERATOR}"]
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *wanted], check=True)
    return folder / "bin"


def judge(tools, binary, role, folder):
    """How many cases Schemathesis tried as the role; ends with its findings if there are any."""
    begun = time.monotonic()
    server = Server(binary, folder)
    (folder / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
    command = [tools / "schemathesis", "--config-file", folder / "schemathesis.toml", "run", f"{server.url}/openapi.json"]
    command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]
    command += ["--max-examples", str(CASES), "--seed", SEED, "--workers", "2", "--continue-on-failure"]
    command += ["--warnings", "off", "--no-color", "--output-sanitize", "false"]
    for operation in LEFT_OUT:
        command += ["--exclude-operation-id", operation]
    if token := server.credentials(role):
        command += ["--header", f"Authorization: Bearer {token}"]
    run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    server.end()
    found = re.search(r"(\d[\d,]*) generated", run.stdout)
    cases = int(found.group(1).replace(",", "")) if found else 0
    if run.returncode != 0 or not found:
        print(run.stdout)
    check(run.returncode == 0, f"as {role}, schemathesis found the faults above")
    check(cases >= LEAST_CASES or role == "anonymous", f"as {role}, only {cases} cases were tried")
    print(f"judges: schemathesis as {role}: {cases} cases, no fault, {time.monotonic() - begun:.0f} s", flush=True)


def tour_in_python(tools, server, folder):
    generate = [tools / "openapi-python-client", "generate", "--meta", "none", "--output-path", folder / "orderd_client"]
    document = ["--url", f"{server.url}/openapi.json"]
    subprocess.run([*generate, *document], check=True, stdout=subprocess.DEVNULL)
    environment = os.environ | {"PYTHONPATH": str(folder)}
    subprocess.run([tools / "python", HERE / "tour.py", server.url, EMAIL, PASSWORD], env=environment, check=True)


def tour_in_typescript(server, folder):
    (folder / "package.json").write_text('{"type": "module", "private": true}', encoding="utf-8")
    shutil.copy(HERE / "tour.ts", folder)
    checks = ["--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext", "--types", "node"]
    for command in (
        ["npm", "install", "--silent", "--no-audit", "--no-fund", *NODE_PACKAGES],
        ["npx", "openapi-typescript", f"{server.url}/openapi.json", "--output", "schema.d.ts"],
        ["npx", "tsc", *checks, "tour.ts"],
        ["node", "tour.js", server.url, EMAIL, PASSWORD],
    ):
        subprocess.run(command, cwd=folder, check=True)


def main():
    binary = os.path.abspath(sys.argv[1])
    roles = sys.argv[2:] or ROLES
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tools = install(folder / "venv")
        for role in roles:
            (folder / role).mkdir()
            judge(tools, binary, role, folder / role)
        (folder / "clients").mkdir()
        server = Server(binary, folder / "clients")
        tour_in_python(tools, server, folder / "clients")
        tour_in_typescript(server, folder / "clients")
        server.end()


if __name__ == "__main__":
    main()
