#!/usr/bin/env python3
"""Signing in by OpenID Connect at a certified provider, npm's oidc-provider: `oidc.py ORDERD`. Both kinds of signature, the
address from the ID token and from UserInfo, an address that is not verified, and a person who is unknown; then the console
in Chromium (`console/journeys/oidc.mjs`), with what `console.sh` installs."""
import http.cookiejar
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from tools import NODE

HERE = pathlib.Path(__file__).parent / "oidc"
PASSWORD = "a long and private phrase"
CONSOLE = HERE.parent / "console"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    """Keeps cookies and follows redirects one by one."""

    def __init__(self):
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(Stay, urllib.request.HTTPCookieProcessor(self.jar))

    def ask(self, url, form=None, headers=None, body=None):
        data = urllib.parse.urlencode(form).encode() if form else body
        try:
            answer = self.opener.open(urllib.request.Request(url, data, headers or {}), timeout=30)
        except urllib.error.HTTPError as refused:
            answer = refused
        text = answer.read().decode()
        location = answer.headers.get("Location")
        return answer.status, urllib.parse.urljoin(url, location) if location else None, text

    def sign_in(self, base, who):
        """Goes to the provider, logs in and agrees there, and comes back. Returns where the browser is led to."""
        url, text = base + "/v1/auth/oidc", ""
        for _ in range(20):
            if "/console/login" in (url or ""):
                return url
            status, onward, text = self.ask(url)
            if onward is None:
                action = re.search(r'action="([^"]+)"', text).group(1)
                form = {name: value for name, value in re.findall(r'name="(\w+)" value="(\w+)"', text)}
                if form.get("prompt") == "login":
                    form |= {"login": who, "password": "x"}
                status, onward, text = self.ask(urllib.parse.urljoin(url, action), form)
            if onward is None:
                sys.exit(f"{url} answered {status}: {text}")
            url = onward
        sys.exit("the browser is sent in circles")


def try_client(orderd, folder, client, conform):
    provider_port, port = free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "CONFORM": conform, "NODE_NO_WARNINGS": "1"}
    script = [str(folder / "provider.mjs"), str(provider_port), base + "/v1/auth/oidc/callback"]
    provider = subprocess.Popen(["node", *script], cwd=folder, env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)
    server = None
    try:
        while (line := provider.stdout.readline()) and "ready" not in line:
            pass
        database = str(folder / f"{provider_port}.db")
        settings = {
            "ORDERD_SERVER__PUBLIC_URL": base, "ORDERD_OIDC__ISSUER": f"http://127.0.0.1:{provider_port}",
            "ORDERD_OIDC__CLIENT_ID": client, "ORDERD_OIDC__CLIENT_SECRET": f"secret of {client}: 100%",
            "ORDERD_ADMIN_EMAIL": "ada@example.com", "ORDERD_ADMIN_PASSWORD": PASSWORD,
        }
        server = subprocess.Popen([orderd, "serve", "--db", database, "--listen", f"127.0.0.1:{port}"],
                                  env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True)
        assert server.stdout.readline().startswith("listening"), "the server does not start"
        browser = Browser()
        claim = browser.sign_in(base, "ada").split("#claim=")
        assert len(claim) == 2, claim
        status, _, text = browser.ask(base + "/v1/auth/session", headers={"Content-Type": "application/json"},
                                      body=json.dumps({"claim": claim[1]}).encode())
        assert status == 201, text
        key = json.loads(text)["console_key"]
        status, _, text = browser.ask(base + "/v1/auth/me", headers={"X-Console-Key": key})
        assert status == 200 and json.loads(text)["role"] == "admin", text
        assert Browser().sign_in(base, "grace").endswith("error=oidc_unknown_user")
        assert Browser().sign_in(base, "eve").endswith("error=oidc_unverified_email")
        print(f"{client}: signed in; an unknown person and an unverified address refused")
        addresses = {"ORDERD_URL": base, "PROVIDER_URL": f"http://127.0.0.1:{provider_port}"}
        subprocess.run(["node", "journeys/oidc.mjs"], cwd=CONSOLE, env={**os.environ, **addresses}, check=True)
    finally:
        for process in filter(None, [server, provider]):
            process.terminate()
            process.wait(timeout=30)


def main():
    orderd = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copy(HERE / "provider.mjs", folder)
        (folder / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
        (folder / "node_modules").symlink_to(NODE)
        try_client(orderd, folder, "by userinfo", "yes")
        try_client(orderd, folder, "by token", "no")


main()
