#!/usr/bin/env python3
"""Times a page of 50 by each filter and each sort of the lists, and what else finds something.

    benches/finding.py ORDERD [--orders 1000000] [--file o.db]

Makes a file by `orderd demo` under TMPDIR, or takes the one that is named, to which it adds a user and an order.
A request is a whole one over HTTP on one connection, after one that is not counted. Times are in milliseconds, median and 99th
percentile. "Far" asks for the oldest orders, newest first: the worst place for what has no index.
"""
import argparse, json, os, subprocess, tempfile, time
from datetime import datetime, timedelta
from whole import PASSWORD, Server, p

EMAIL = "bench@example.com"
TIMES, SECONDS = 200, 5


def prepare(ask):
    """An order that can be found by everything."""
    item = {"sku": "FIND-ME", "name": "Sencha 250 g", "quantity": 1, "unit_amount": 1250}
    customer = {"name": "Find Me", "email": "find.me@example.com", "phone": "+33 6 12 34 56 78"}
    order = ask("/v1/orders", {"currency": "EUR", "items": [item], "customer": customer, "external_ref": f"find-{time.time()}"})
    ask(f"/v1/orders/{order['id']}/payments", {"amount": 1, "provider": "bench", "provider_ref": order["external_ref"]})
    return order


def questions(ask, made):
    """Names and paths, made of what the file has."""
    newest = ask("/v1/orders?limit=1&sort=-placed_at")["data"][0]
    oldest = ask("/v1/orders?limit=1&sort=placed_at")["data"][0]
    owned = next(order for order in ask("/v1/orders?limit=200")["data"] if order["user_id"])
    payment = ask(f"/v1/transactions?order_id={made['id']}")["data"][0]
    sku, name = newest["items"][0]["sku"], newest["items"][0]["name"]
    at = lambda order, days: (datetime.fromisoformat(order["placed_at"]) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    first, last = oldest["placed_at"], newest["placed_at"]
    orders = {
        "newest first": "", "status=pending": "status=pending", "payment_status=paid": "payment_status=paid",
        "status and payment_status": "status=fulfilled&payment_status=refunded", "user_id": f"user_id={owned['user_id']}",
        "external_ref": f"external_ref={made['external_ref']}", "sku": f"sku={sku}",
        "currency=JPY": "currency=JPY", "total_min": f"total_min={newest['total_amount']}",
        "total_min, nothing matches": "total_min=9007199254740991",
        "created_from, created_to": f"created_from={at(oldest, 1)}&created_to={at(oldest, 30)}",
        "updated_from": f"updated_from={at(newest, -7)}",
        "placed_from": f"placed_from={at(newest, -7)}",
        "placed_from, placed_to, sort=-placed_at": f"placed_from={first}&placed_to={at(oldest, 30)}&sort=-placed_at",
        "placed_to, far": f"placed_to={at(oldest, 30)}",
        "customer_email": "customer_email=FIND.ME@example.com",
        "customer_email, nothing matches": "customer_email=nobody@example.com",
        "q, many match": f"q={name.split()[0]}", "q, nothing matches": "q=xyzzy", "q, a telephone number": "q=%2B33+6+12+34+56+78",
        "metadata": "metadata.colour=none",
    }
    for sort in ("created_at", "-updated_at", "updated_at", "-total_amount", "total_amount", "-placed_at", "placed_at"):
        orders[f"sort={sort}"] = f"sort={sort}"
        orders[f"sort={sort}, status=pending"] = f"sort={sort}&status=pending"
    transactions = {
        "newest first": "", "provider_ref": f"provider_ref={payment['provider_ref']}", "order_id": f"order_id={payment['order_id']}",
        "status=pending": "status=pending", "status=reversed": "status=reversed", "kind=refund": "kind=refund",
        "provider": f"provider={payment['provider']}", "currency=JPY": "currency=JPY",
        "amount_min, amount_max": f"amount_min={payment['amount']}&amount_max={payment['amount']}",
        "occurred_from": f"occurred_from={at(newest, -7)}", "occurred_to, far": f"occurred_to={at(oldest, 1)}",
    }
    for path, filters in (("/v1/orders", orders), ("/v1/transactions", transactions)):
        for name, query in filters.items():
            yield f"{path}: {name}", f"{path}?{query}&limit=50"
    yield "/v1/orders/counts", "/v1/orders/counts"
    yield "/v1/items?q=", f"/v1/items?q={sku[:3]}"
    yield "/v1/items?q=, nothing matches", "/v1/items?q=xyzzy"
    yield "/v1/users?q=", "/v1/users?q=a"
    yield "/v1/events?order=desc", "/v1/events?order=desc&limit=50"
    yield "/v1/audit?target=", "/v1/audit?target=nothing"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("orderd")
    options.add_argument("--orders", type=int, default=1_000_000)
    options.add_argument("--file")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.file:
            os.symlink(os.path.abspath(options.file), f"{folder}/o.db")
        else:
            subprocess.run([options.orderd, "demo", "--db", f"{folder}/o.db", "--orders", str(options.orders)],
                           stdout=subprocess.DEVNULL, check=True)
        subprocess.run([options.orderd, "user", "create", "--db", f"{folder}/o.db", "--email", EMAIL, "--name", "Bench",
                        "--role", "admin", "--password-stdin"], input=PASSWORD, text=True, stdout=subprocess.DEVNULL)
        server = Server(options.orderd, folder, EMAIL, PASSWORD)
        connection = server.connect()

        def ask(path, body=None):
            method, key = ("POST", {"Idempotency-Key": f"{path}-{time.time()}"}) if body else ("GET", {})
            status, answer = server.ask(connection, method, path, body, **server.authorised(**key))
            return json.loads(answer) if status in (200, 201) else {"status": status, "answer": answer}

        try:
            print(f"{'':58} {'p50':>9} {'p99':>9}   rows, requests")
            for name, path in questions(ask, prepare(ask)):
                begun = time.perf_counter()
                first = ask(path)
                cold, times, until = time.perf_counter() - begun, [], time.monotonic() + SECONDS
                if "status" in first:
                    print(f"{name:58} {first['status']} after {cold * 1e3:.1f} ms")
                    continue
                while len(times) < TIMES and time.monotonic() < until:
                    begun = time.perf_counter()
                    ask(path)
                    times.append(time.perf_counter() - begun)
                print(f"{name:58} {p(times, 50):9.2f} {p(times, 99):9.2f}   {len(first['data'])}, {len(times)}"
                      f" (the first {cold * 1e3:.1f})", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
