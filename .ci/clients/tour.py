"""Runs the tour with the Python client `orderd_client`, which is generated from the OpenAPI document.
Usage: tour.py URL EMAIL PASSWORD
"""

import datetime
import json
import sys

from orderd_client import AuthenticatedClient, Client
from orderd_client.api.analytics import analytics_daily
from orderd_client.api.auth import auth_login
from orderd_client.api.orders import orders_create, orders_get, orders_import, orders_list, orders_list_ndjson
from orderd_client.api.payments import payments_create
from orderd_client.api.system import system_backup
from orderd_client.models import (
    CreateOrder,
    CreatePayment,
    Credentials,
    LogIn,
    NewItem,
    Order,
    PaymentStatusName,
    Problem,
    Transaction,
)
from orderd_client.types import File


def done(kind, answer):
    if not isinstance(answer, kind):
        sys.exit(f"judges: the Python client got {answer} and not a {kind.__name__}")
    return answer


def same(what, left, right):
    if left != right:
        sys.exit(f"judges: {what}: {left} is not {right}")


url, email, password = sys.argv[1:]
entered = done(Credentials, auth_login.sync(client=Client(url), body=LogIn(email=email, password=password)))
client = AuthenticatedClient(url, entered.access_token)

item = NewItem(sku="TEA-250", name="Sencha 250 g", quantity=2, unit_amount=1250, tax_rate="8.875")
wanted = CreateOrder(currency="SEK", items=[item])
order = done(Order, orders_create.sync(client=client, body=wanted, idempotency_key="a-tour-in-python"))
same("the total", order.total_amount, 2722)
again = done(Order, orders_create.sync(client=client, body=wanted, idempotency_key="a-tour-in-python"))
same("the same key's order", again.id, order.id)

payment = payments_create.sync(
    order.id, client=client, body=CreatePayment(amount=order.total_amount), idempotency_key="a-payment-in-python"
)
same("the payment status", done(Transaction, payment).order.payment_status, PaymentStatusName.PAID)

# A single value: for several values this generator repeats the parameter, whatever the document says.
listed = orders_list.sync(client=client, payment_status=[PaymentStatusName.PAID], currency="SEK", count=True)
same("the listed orders", [entry.id for entry in listed.data], [order.id])
same("the orders counted", listed.page.total, 1)

today = order.created_at.astimezone(datetime.timezone.utc).date()
daily = analytics_daily.sync(client=client, from_=today, to=today, currency="SEK")
same("the net of the day", [row.net_amount for row in daily.data], [2722])

line = {"external_ref": "a-line-in-python", "currency": "NOK", "items": [item.to_dict()]}
results = done(File, orders_import.sync(client=client, body=File(payload=json.dumps(line).encode())))
same("the imported line", json.loads(results.payload.read())["result"], "created")
exported = done(File, orders_list_ndjson.sync(client=client, currency="SEK"))
same("the exported order", json.loads(exported.payload.read())["id"], order.id)
backup = done(File, system_backup.sync(client=client))
same("the backup's first bytes", backup.payload.read(15), b"SQLite format 3")

missing = done(Problem, orders_get.sync("ord_01h455vb4pex5vsknk084sn02q", client=client))
same("the problem's code", missing.code, "not_found")
print(f"judges: the Python client made {order.id}, paid it, listed it, exported it, imported a line and made a backup")
