#!/usr/bin/env python3
"""Tests what orderd serves with independent tools. Schemathesis derives valid and invalid requests from /openapi.json, sends
them as each role, and checks every response against the document. Two Python and three TypeScript clients, which
four generators make from the document, run the tour. Usage: .ci/judges.py path/to/orderd [role … | clients]

Each role has a server and a database of its own, so that roles cannot affect each other. Schemathesis walks through every
bound of the document as a customer and as an administrator; the other roles, whose requests run through the same code, get
random cases and the links alone. JUDGES_CASES sets the number of cases for each operation and phase; JUDGES_SEED changes them.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from server import EMAIL, PASSWORD, Server, check
from tools import NODE, PYTHON

CASES = int(os.environ.get("JUDGES_CASES", "10"))
SEED = os.environ.get("JUDGES_SEED", "20261123")
HERE = pathlib.Path(__file__).resolve().parent / "clients"
# How many cases a role has at least. Those in front take longest.
ROLES = {"admin": 8000, "customer": 8000, "anonymous": 800, "staff": 800, "manager": 800, "api_key": 800}
THOROUGH = {"admin", "customer"}

# Operations that are not tested, and why.
LEFT_OUT = {
    "auth.logout": "ends the session that the other cases use",
    "auth.end_session": "ends the session that the other cases use",
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
# A stream does not end: it is read for this many seconds.
request-timeout = 0.5
# The document describes the bytes, as generated clients need it; Schemathesis would take its schema for that of one event.
checks.response_schema_conformance.enabled = false

[[operations]]
include-operation-id = "orders.import"
# Any text is a valid body; faults of a line are reported in the line of the response.
checks.negative_data_rejection.enabled = false
"""


def judge(binary, role, folder):
    """Runs Schemathesis as the role and prints the number of cases; exits with the findings if there are any."""
    begun = time.monotonic()
    folder.mkdir()
    server = Server(binary, folder)
    token = server.credentials(role)
    server.order(token or server.admin, KEY, external_ref=REFERENCE)
    (folder / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
    command = [PYTHON / "schemathesis", "--config-file", folder / "schemathesis.toml", "run", f"{server.url}/openapi.json"]
    command += ["--max-examples", str(CASES), "--seed", SEED, "--workers", "1", "--continue-on-failure"]
    command += ["--warnings", "off", "--no-color", "--output-sanitize", "false"]
    if role not in THOROUGH:
        command += ["--phases", "examples,fuzzing,stateful"]
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
    check(cases >= ROLES[role], f"as {role}, only {cases} cases were run")
    lasted = not token or server.answer("GET", "/v1/auth/me", token=token)[0] == 200
    check(lasted, f"as {role}, a case revoked the credentials, so later cases ran without any")
    done = len(server.done())
    server.end()
    took = time.monotonic() - begun
    print(f"judges: schemathesis as {role}: {cases} cases, {done} operations answered 2xx, no findings, {took:.0f} s", flush=True)


def tour_in_python(server, folder):
    settings = ["--meta", "none", "--config", HERE / "openapi-python-client.yaml"]
    generate = [PYTHON / "openapi-python-client", "generate", *settings, "--output-path", folder / "orderd_client"]
    document = ["--url", f"{server.url}/openapi.json"]
    subprocess.run([*generate, *document], check=True, stdout=subprocess.DEVNULL)
    generate_with_java(server, folder / "python", "python", "--additional-properties=packageName=orderd_openapi")
    environment = os.environ | {"PYTHONPATH": f"{folder}:{folder / 'python'}"}
    for tour in ("tour.py", "tour_generated.py"):
        subprocess.run([PYTHON / "python", HERE / tour, server.url, EMAIL, PASSWORD], env=environment, check=True)


def generate_with_java(server, output, *options):
    """Makes a client with openapi-generator."""
    command = [PYTHON / "openapi-generator-cli", "generate", "-i", f"{server.url}/openapi.json", "-o", output, "-g", *options]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(run.returncode == 0, f"openapi-generator failed: {run.stdout}")


def tour_in_typescript(server, folder):
    (folder / "package.json").write_text('{"type": "module", "private": true}', encoding="utf-8")
    (folder / "node_modules").symlink_to(NODE)
    for tour in ("tour.ts", "tour_generated.ts", "tour_hey.ts"):
        shutil.copy(HERE / tour, folder)
    generate_with_java(server, folder / "generated", "typescript-fetch")
    checks = ["--strict", "--target", "es2022", "--types", "node"]
    ours = [*checks, "--noUncheckedIndexedAccess", "--module", "nodenext"]
    bundled = [*checks, "--noEmit", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]
    credentials = [server.url, EMAIL, PASSWORD]
    for command in (
        [NODE / ".bin" / "openapi-typescript", f"{server.url}/openapi.json", "--output", "schema.d.ts"],
        [NODE / ".bin" / "openapi-ts", "-i", f"{server.url}/openapi.json", "-o", "hey", "-c", "@hey-api/client-fetch"],
        [NODE / ".bin" / "tsc", *ours, "tour.ts"],
        [NODE / ".bin" / "tsc", *bundled, "tour_generated.ts", "tour_hey.ts"],
        ["node", "tour.js", *credentials],
        [NODE / ".bin" / "tsx", "tour_generated.ts", *credentials],
        [NODE / ".bin" / "tsx", "tour_hey.ts", *credentials],
    ):
        subprocess.run(command, cwd=folder, check=True)


def tours(binary, folder):
    folder.mkdir()
    server = Server(binary, folder)
    tour_in_python(server, folder)
    tour_in_typescript(server, folder)
    server.end()


def main():
    binary = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:] or [*ROLES, "clients"]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            tasks = [
                pool.submit(tours, binary, folder / task)
                if task == "clients"
                else pool.submit(judge, binary, task, folder / task)
                for task in wanted
            ]
        for task in tasks:
            task.result()


if __name__ == "__main__":
    main()
