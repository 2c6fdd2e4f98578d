#!/usr/bin/env python3
"""Opens files of the style for spreadsheets in LibreOffice, without a screen, and looks at the cells: umlauts are right, amounts
are numbers with decimals, times are times, and text that looks like a formula is text. Usage: .ci/spreadsheet.py path/to/orderd

Installs LibreOffice Calc from Debian's mirrors if it is missing: 96 MB to fetch, 301 MB on disk, a minute.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import xml.etree.ElementTree

EMAIL, PASSWORD = "ada@example.com", "a long and private phrase"
TABLE, OFFICE, TEXT = (f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("table", "office", "text"))
# Separated by commas, quoted by ", in UTF-8, from the first line on, in American English; dates and numbers are recognised.
AS_CSV = "CSV:44,34,76,1,,1033,false,true,false"


def office():
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found:
        return found
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "libreoffice-calc"]
    for command in (["apt-get", "update", "-qq"], install):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    return shutil.which("soffice")


class Server:
    def __init__(self, orderd, folder):
        environment = {**os.environ, "ORDERD_ADMIN_EMAIL": EMAIL, "ORDERD_ADMIN_PASSWORD": PASSWORD,
                       "ORDERD_REPORTING__TIMEZONE": "Europe/Berlin"}
        command = [orderd, "serve", "--db", f"{folder}/o.db", "--listen", "127.0.0.1:0", "--log-level", "warn"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.base = self.process.stdout.readline().split()[-1]
        self.token = None
        self.token = json.loads(self.ask("/v1/auth/login", {"email": EMAIL, "password": PASSWORD}))["access_token"]

    def ask(self, path, body=None):
        headers = {"Content-Type": "application/json", "Idempotency-Key": path + str(body is None)}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.base + path, body and json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()


def opened(program, file):
    """The rows of the file as LibreOffice understands it: for each column the type of its cell, and its value."""
    command = [program, "--headless", f"-env:UserInstallation=file://{file.parent}/profile", f"--infilter={AS_CSV}",
               "--convert-to", "fods", "--outdir", str(file.parent), str(file)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=180)
    rows = []
    for row in xml.etree.ElementTree.parse(file.with_suffix(".fods")).iter(f"{TABLE}table-row"):
        cells = []
        for cell in row.iter(f"{TABLE}table-cell"):
            kind = cell.get(f"{OFFICE}value-type")
            text = "\n".join("".join(part.itertext()) for part in cell.iter(f"{TEXT}p"))
            value = {"float": cell.get(f"{OFFICE}value"), "date": cell.get(f"{OFFICE}date-value")}.get(kind, text)
            assert cell.get(f"{TABLE}formula") is None, f"{file.name}: a formula: {cell.attrib}"
            cells += [(kind, value)] * min(int(cell.get(f"{TABLE}number-columns-repeated", 1)), 100)
        rows.append(cells)
    names = [value for _, value in rows[0] if value]
    return [dict(zip(names, row)) for row in rows[1:] if any(value for _, value in row)]


def main():
    orderd, program = os.path.realpath(sys.argv[1]), office()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(orderd, folder)
        try:
            item = {"sku": "TEE", "name": "Grüner Tee, „Señor“", "quantity": 2, "unit_amount": 1250, "tax_rate": "19"}
            order = {"currency": "EUR", "items": [item], "fees": [{"name": "Versand", "amount": 499}], "note": "=1+1\n@x",
                     "customer": {"name": "Müller & Söhne"}}
            made = json.loads(server.ask("/v1/orders", order))
            server.ask(f"/v1/orders/{made['id']}/payments", {"amount": 123456})
            day = made["placed_at"][:10]
            files = {
                "orders": "/v1/orders.csv?style=excel",
                "items": "/v1/orders.csv?style=excel&rows=items",
                "transactions": "/v1/transactions.csv?style=excel",
                "daily": f"/v1/analytics/daily.csv?style=excel&from={day}&to={day}&tz=UTC",
            }
            sheets = {}
            for file, path in files.items():
                (folder / f"{file}.csv").write_bytes(server.ask(path))
                sheets[file] = opened(program, folder / f"{file}.csv")
        finally:
            server.process.terminate()
            server.process.wait(30)
    row = sheets["orders"][0]
    assert row["customer_name"] == ("string", "Müller & Söhne"), row
    assert row["total_amount"] == ("float", "34.74"), row
    assert row["note"][0] == "string" and row["note"][1].startswith("'=1+1"), row
    assert row["number"] == ("float", "1"), row
    assert row["placed_at"][0] == "date" and "T" in row["placed_at"][1], row
    assert list(row)[0] == "id", "the byte order mark is in the first name"
    line, fee = sheets["items"]
    assert line["name"] == ("string", "Grüner Tee, „Señor“") and line["unit_amount"] == ("float", "12.5"), line
    assert fee["name"] == ("string", "Versand") and fee["total_amount"] == ("float", "4.99"), fee
    assert sheets["transactions"][0]["amount"] == ("float", "1234.56"), sheets["transactions"]
    euros = sheets["daily"][0]
    assert euros["date"] == ("date", day) and euros["gross_amount"] == ("float", "1234.56"), euros
    print("spreadsheet: umlauts, amounts, times and guarded text are right in", ", ".join(files))


if __name__ == "__main__":
    main()
