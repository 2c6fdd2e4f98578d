#!/usr/bin/env python3
"""frictionless judges every CSV file that the document names: its form, the type of each column, identifiers that are unique,
and lines and payments that refer to an order. Usage: .ci/tables.py path/to/orderd
"""

import json
import os
import pathlib
import sys
import tempfile

from server import LINE, Server, check
import tools  # frictionless comes with it

from frictionless import Package, Resource, Schema, Field

assert tools
# Text that is hard to write as CSV.
TEXTS = ["Grün, „süß“", 'a "quoted" word', "two\nlines", "two\r\nlines", "=1+1", "-", "a;b\tc", "'", "\u2028", "日本 🍵", "ends with \\", ", , ,"]
RANGE = "from=2026-11-01&to=2027-10-31"
TYPES = {"number": "integer", "order_number": "integer", "version": "integer", "seq": "integer", "tax_rate": "number", "date": "date",
         "prices_include_tax": "boolean", "second_factor": "boolean"}
ENDINGS = {"_amount": "integer", "quantity": "integer", "_at": "datetime"}


def fill(server):
    """Places orders with all of these texts, in each status, some paid."""
    for number, text in enumerate(TEXTS):
        customer = {"name": text, "email": f"a{number}@example.com"}
        more = {"note": text, "external_ref": f"ref {number}, \"{number}\"", "customer": customer, "fees": [{"name": text, "amount": 390}]}
        body = {"currency": ["EUR", "JPY", "KWD"][number % 3], "items": [LINE, {**LINE, "sku": text[:9], "name": text}], **more}
        order = server.ask("POST", "/v1/orders", body, server.admin)
        at = f"/v1/orders/{order['id']}"
        if number % 2:
            server.ask("POST", f"{at}/payments", {"amount": order["total_amount"], "reason": text}, server.admin)
        if number % 4 == 1:
            server.ask("POST", f"{at}/cancel", {"refund": "none", "reason": text}, server.admin)
    server.credentials("staff")
    server.credentials("api_key")


def type_of(column):
    by_ending = (kind for ending, kind in ENDINGS.items() if column.endswith(ending))
    return TYPES.get(column) or next(by_ending, "string")


def table(server, folder, name, path):
    status, text = server.answer("GET", path, token=server.admin)
    check(status == 200, f"{path} answered {status} {text}")
    check(text.count("\r\n") > 1, f"{path} has no rows: {text}")
    (folder / f"{name}.csv").write_bytes(text.encode())
    columns = text.partition("\r\n")[0].split(",")
    schema = Schema(fields=[Field.from_descriptor({"name": column, "type": type_of(column)}) for column in columns])
    if columns[0] == "id":
        schema.primary_key = ["id"]
    return Resource(name=name, path=f"{name}.csv", basepath=str(folder), schema=schema)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(os.path.abspath(sys.argv[1]), folder)
        fill(server)
        paths = json.loads(server.answer("GET", "/openapi.json")[1])["paths"]
        order = json.loads(server.answer("GET", "/v1/orders?limit=1&payment_status=paid", token=server.admin)[1])["data"][0]["id"]
        # Webhooks are left out: no receiver is here.
        files = {path[4:-4]: path for path in paths if path.endswith(".csv") and not path.startswith("/v1/webhooks")}
        files["items"] = "/v1/orders.csv?rows=items"
        tables = {}
        for table_name, path in files.items():
            if path.startswith("/v1/users/"):
                path = path.format(id=json.loads(server.answer("GET", "/v1/auth/me", token=server.admin)[1])["id"])
            asked = path.format(id=order) + (f"?{RANGE}" if "/analytics/" in path else "")
            slug = table_name.replace("/", "-").replace("{", "").replace("}", "")
            tables[slug] = table(server, folder, slug, asked)
        server.end()
        tables["items"].schema.foreign_keys = [{"fields": ["number"], "reference": {"resource": "orders", "fields": ["number"]}}]
        tables["transactions"].schema.foreign_keys = [{"fields": ["order_id"], "reference": {"resource": "orders", "fields": ["id"]}}]
        report = Package(resources=list(tables.values())).validate()
    faults = report.flatten(["name", "rowNumber", "fieldName", "type", "message"])
    check(report.valid, "\n".join(map(str, faults[:40])))
    rows = sum(task.stats["rows"] for task in report.tasks)
    print(f"tables: frictionless found {len(report.tasks)} files with {rows} rows valid")


if __name__ == "__main__":
    main()
