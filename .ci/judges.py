#!/usr/bin/env python3
"""Tests what orderd serves with independent tools. Schemathesis derives valid and invalid requests from /openapi.json, sends
them as each role, and checks every response against the document. Two Python and three TypeScript clients, which
four generators make from the document, run the tour. Usage: .ci/judges.py path/to/orderd [role … | clients]

Each role has a server and a database of its own, so that roles cannot affect each other. JUDGES_CASES sets the number of
cases for each operation and phase (the default gives at least 2,000 for each role); JUDGES_SEED changes the cases.
"""

import atexit
import concurrent.futures
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
# A wheel with the jar in it; it needs Java.
OPENAPI_GENERATOR = "7.26.0"
NODE_PACKAGES = [
    "openapi-typescript@7.13.0",
    "openapi-fetch@0.17.0",
    "@hey-api/openapi-ts@0.95.0",
    "typescript@5.9.3",
    "tsx@4.23.15",
    "@types/node@20.19.43",
]
CASES = int(os.environ.get("JUDGES_CASES", "20"))
LEAST_CASES = 2000
SEED = os.environ.get("JUDGES_SEED", "20261123")
HERE = pathlib.Path(__file__).resolve().parent / "clients"
# The credentials of the document's example, so that the tool can log in.
EMAIL, PASSWORD = "ada@example.com", "a long and private phrase"
ROLES = ["anonymous", "customer", "staff", "manager", "admin", "api_key"]
LINE = {"sku": "TEA-250", "name": "Sencha 250 g", "quantity": 2, "unit_amount": 1250, "tax_rate": "8.875"}

# Operations that are not tested, and why.
LEFT_OUT = {
    "auth.logout": "ends the session that the other cases use",
    "sessions.delete_all": "may end the session that the other cases use",
    "sessions.delete": "may end the session that the other cases use",
}
LEFT_OUT_FOR = {"api_key": {"api_keys.delete": "may delete the key that the other cases use"}}

# Names of existing things that no response of the document leads to.
REFERENCE, KEY = "a-judges-order", "a-judges-key"

SETTINGS = f"""
hooks = "{HERE / "judge.py"}"

[checks]
enabled = true
# Replaced by `valid_data_acceptance` in judge.py, which allows refusals that no schema can express.
positive_data_acceptance.enabled = false

[generation]
# No text may contain NUL; the document would need a pattern on every string to say so.
allow-x00 = false

[dictionaries]
reference.values = ["{REFERENCE}"]
key.values = ["{KEY}"]

[parameters]
"path.external_ref" = {{ dictionary = "reference", probability = 0.5 }}
"path.key" = {{ dictionary = "key", probability = 0.5 }}

[[operations]]
include-operation-id = "events.list"
# A long poll would wait for as long as requested.
parameters = {{ "query.wait" = 0 }}

[[operations]]
include-operation-id = "events.stream"
# The document describes the bytes, as generated clients need it; Schemathesis would take its schema for that of one event.
checks.response_schema_conformance.enabled = false

[[operations]]
include-operation-id = "orders.import"
# Any text is a valid body; faults of a line are reported in the line of the response.
checks.negative_data_rejection.enabled = false
"""


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
        sys.exit(f"judges: {otherwise}")


def install(folder, *wanted):
    """Installs Python tools in a virtual environment and returns its bin folder."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *wanted], check=True)
    return folder / "bin"


def judge(tools, binary, role, folder):
    """Runs Schemathesis as the role and prints the number of cases; exits with the findings if there are any."""
    begun = time.monotonic()
    folder.mkdir()
    server = Server(binary, folder)
    token = server.credentials(role)
    server.order(token or server.admin, KEY, external_ref=REFERENCE)
    (folder / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
    command = [tools / "schemathesis", "--config-file", folder / "schemathesis.toml", "run", f"{server.url}/openapi.json"]
    command += ["--max-examples", str(CASES), "--seed", SEED, "--workers", "1", "--continue-on-failure"]
    command += ["--warnings", "off", "--no-color", "--output-sanitize", "false"]
    for operation in LEFT_OUT | LEFT_OUT_FOR.get(role, {}):
        command += ["--exclude-operation-id", operation]
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(r"(\d[\d,]*) generated", run.stdout)
    cases = int(found.group(1).replace(",", "")) if found else 0
    if run.returncode != 0 or not found:
        print(run.stdout)
    check(run.returncode == 0, f"as {role}, schemathesis found the faults above")
    check(cases >= LEAST_CASES, f"as {role}, only {cases} cases were run")
    lasted = not token or server.answer("GET", "/v1/auth/me", token=token)[0] == 200
    check(lasted, f"as {role}, a case revoked the credentials, so later cases ran without any")
    done = len(server.done())
    server.end()
    took = time.monotonic() - begun
    print(f"judges: schemathesis as {role}: {cases} cases, {done} operations answered 2xx, no findings, {took:.0f} s", flush=True)


def tour_in_python(tools, server, folder):
    settings = ["--meta", "none", "--config", HERE / "openapi-python-client.yaml"]
    generate = [tools / "openapi-python-client", "generate", *settings, "--output-path", folder / "orderd_client"]
    document = ["--url", f"{server.url}/openapi.json"]
    subprocess.run([*generate, *document], check=True, stdout=subprocess.DEVNULL)
    generate_with_java(tools, server, folder / "python", "python", "--additional-properties=packageName=orderd_openapi")
    environment = os.environ | {"PYTHONPATH": f"{folder}:{folder / 'python'}"}
    for tour in ("tour.py", "tour_generated.py"):
        subprocess.run([tools / "python", HERE / tour, server.url, EMAIL, PASSWORD], env=environment, check=True)


def generate_with_java(tools, server, output, *options):
    """Makes a client with openapi-generator."""
    command = [tools / "openapi-generator-cli", "generate", "-i", f"{server.url}/openapi.json", "-o", output, "-g", *options]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(run.returncode == 0, f"openapi-generator failed: {run.stdout}")


def tour_in_typescript(tools, server, folder):
    (folder / "package.json").write_text('{"type": "module", "private": true}', encoding="utf-8")
    for tour in ("tour.ts", "tour_generated.ts", "tour_hey.ts"):
        shutil.copy(HERE / tour, folder)
    generate_with_java(tools, server, folder / "generated", "typescript-fetch")
    checks = ["--strict", "--target", "es2022", "--types", "node"]
    ours = [*checks, "--noUncheckedIndexedAccess", "--module", "nodenext"]
    bundled = [*checks, "--noEmit", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]
    credentials = [server.url, EMAIL, PASSWORD]
    for command in (
        ["npm", "install", "--silent", "--no-audit", "--no-fund", *NODE_PACKAGES],
        ["npx", "openapi-typescript", f"{server.url}/openapi.json", "--output", "schema.d.ts"],
        ["npx", "openapi-ts", "-i", f"{server.url}/openapi.json", "-o", "hey", "-c", "@hey-api/client-fetch"],
        ["npx", "tsc", *ours, "tour.ts"],
        ["npx", "tsc", *bundled, "tour_generated.ts", "tour_hey.ts"],
        ["node", "tour.js", *credentials],
        ["npx", "tsx", "tour_generated.ts", *credentials],
        ["npx", "tsx", "tour_hey.ts", *credentials],
    ):
        subprocess.run(command, cwd=folder, check=True)


def tours(tools, binary, folder):
    folder.mkdir()
    server = Server(binary, folder)
    tour_in_python(tools, server, folder)
    tour_in_typescript(tools, server, folder)
    server.end()


def main():
    binary = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:] or [*ROLES, "clients"]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        generators = [f"openapi-python-client=={PYTHON_GENERATOR}", f"openapi-generator-cli=={OPENAPI_GENERATOR}"]
        # What the client that openapi-generator makes for Python imports.
        libraries = ["urllib3", "pydantic", "python-dateutil"]
        tools = install(folder / "venv", f"schemathesis=={SCHEMATHESIS}", *generators, *libraries)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            tasks = [
                pool.submit(tours, tools, binary, folder / task)
                if task == "clients"
                else pool.submit(judge, tools, binary, task, folder / task)
                for task in wanted
            ]
        for task in tasks:
            task.result()


if __name__ == "__main__":
    main()
