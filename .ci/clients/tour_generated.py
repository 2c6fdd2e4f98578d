"""Runs the tour with the Python client `orderd_openapi`, which openapi-generator makes from the OpenAPI document.
Usage: tour_generated.py URL EMAIL PASSWORD
"""

import json
import sys

import orderd_openapi as api


def same(what, left, right):
    if left != right:
        sys.exit(f"judges: {what}: {left} is not {right}")


url, email, password = sys.argv[1:]
anyone = api.ApiClient(api.Configuration(host=url))
entered = api.AuthApi(anyone).auth_login(api.LogIn(email=email, password=password))
client = api.ApiClient(api.Configuration(host=url, access_token=entered.access_token))
orders = api.OrdersApi(client)

item = api.NewItem(sku="TEA-250", name="Sencha 250 g", quantity=2, unit_amount=1250, tax_rate="8.875")
wanted = api.CreateOrder(currency="DKK", items=[item])
order = orders.orders_create("a-tour-by-openapi-generator", wanted)
same("the total", order.total_amount, 2722)
same("the same key's order", orders.orders_create("a-tour-by-openapi-generator", wanted).id, order.id)

payment = api.CreatePayment(amount=order.total_amount)
paid = api.PaymentsApi(client).payments_create(order.id, "a-payment-by-openapi-generator", payment)
same("the payment status", paid.order.payment_status, api.PaymentStatusName.PAID)

listed = orders.orders_list(payment_status=["paid", "overpaid"], currency="DKK", count=True)
same("the listed orders", [entry.id for entry in listed.data], [order.id])
same("the orders counted", listed.page.total, 1)

today = order.created_at.date()
daily = api.AnalyticsApi(client).analytics_daily(var_from=today, to=today, currency="DKK")
same("the net of the day", [row.net_amount for row in daily.data], [2722])

line = {"external_ref": "a-line-by-openapi-generator", "currency": "ISK", "items": [item.to_dict()]}
results = orders.orders_import(json.dumps(line).encode())
same("the imported line", json.loads(results)["result"], "created")
same("the exported order", json.loads(bytes(orders.orders_list_ndjson(currency="DKK")))["id"], order.id)
same("the backup's first bytes", bytes(api.SystemApi(client).system_backup()[:15]), b"SQLite format 3")

try:
    orders.orders_get("ord_01h455vb4pex5vsknk084sn02q")
    sys.exit("judges: an order that does not exist was found")
except api.exceptions.NotFoundException as e:
    same("the problem's code", json.loads(e.body)["code"], "not_found")
print(f"judges: the Python client of openapi-generator made {order.id}, paid it, listed it, exported it, imported a line and made a backup")
