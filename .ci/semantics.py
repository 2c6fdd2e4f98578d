#!/usr/bin/env python3
"""REDbot judges the HTTP of pages, files, lists, reports and problems: their headers, and whether caching, conditional
requests, ranges and compression work as the headers say. Usage: .ci/semantics.py path/to/orderd
"""

import configparser
import os
import pathlib
import re
import sys
import tempfile
import time

from server import Server, check
import tools  # REDbot comes with it

import thor
from httplint.note import levels
from redbot.resource import HttpResource

assert tools
RANGE = "from=2026-11-01&to=2026-11-30"
OPEN = [
    "/", "/guide", "/guide/orders", "/docs", "/console", "/console/login", "/style.css", "/openapi.json", "/livez", "/readyz", "/version",
    "/problems/not-found", "/nothing",
]
WITH_CREDENTIALS = [
    "/v1/orders", "/v1/orders?limit=1&count=true", "/v1/orders/{order}", "/v1/orders/number/1", "/v1/orders.csv", "/v1/orders.ndjson",
    "/v1/orders/{order}/events", "/v1/transactions", "/v1/users", "/v1/audit.csv", "/v1/events?after=0", "/metrics",
    f"/v1/analytics/daily?{RANGE}", f"/v1/analytics/daily.csv?{RANGE}", f"/v1/analytics/daily.svg?{RANGE}",
    "/v1/orders/ord_01h455vb4pex5vsknk084sn02q", "/v1/orders?limit=x",
]
# Notes that are no fault here, and why.
ALLOWED = {"STATUS_BAD_REQUEST": "a fault was sent on purpose"}
SETTINGS = configparser.ConfigParser()
SETTINGS.read_dict({"redbot": {"enable_local_access": "True"}})


def notes(urls):
    """Asks REDbot about each URL with its headers. Returns its notes by URL."""
    found, left = {}, list(urls)

    def next_one():
        if not left:
            thor.stop()
            return
        url, headers = left.pop()
        resource = HttpResource(SETTINGS["redbot"])
        resource.set_request(url, headers=headers)

        @thor.events.on(resource)
        def check_done():
            answered = [resource, *resource.subreqs.values()]
            check(resource.response.complete, f"{url}: no whole response")
            found[url] = [note for one in answered for note in one.response.notes]
            thor.schedule(0, next_one)

        resource.check()

    next_one()
    thor.run()
    return found


def main():
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        server = Server(os.path.abspath(sys.argv[1]), pathlib.Path(name))
        order = server.order(server.admin)["id"]
        page = server.answer("GET", "/console")[1]
        files = re.findall(r'(?:src|href)="(/console/[^"]+\.(?:js|css|svg))"', page)
        check(len(files) >= 2, f"the console names its files: {files}")
        files = [next(file for file in files if file.endswith(ending)) for ending in (".js", ".css")]
        credentials = [("Authorization", f"Bearer {server.admin}")]
        urls = [(server.url + path, []) for path in OPEN + files]
        urls += [(server.url + path.format(order=order), credentials) for path in WITH_CREDENTIALS]
        found = notes(urls)
        server.end()
    check(len(found) == len(urls), f"{len(found)} of {len(urls)} answers were judged")
    bad = [
        f"{url}: {type(note).__name__}: {note.summary}"
        for url, about in found.items()
        for note in about
        if note.level in (levels.BAD, levels.WARN) and type(note).__name__ not in ALLOWED
    ]
    check(not bad, "REDbot objects:\n" + "\n".join(sorted(set(bad))))
    print(f"semantics: REDbot objects to nothing in {len(found)} answers, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
