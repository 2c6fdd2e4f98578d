"""Tells a chat room about new orders: verifies a webhook, writes a sentence, sends it on to the room's own address."""
import http.server
import json
import os
import urllib.request

from standardwebhooks import Webhook

webhook = Webhook(os.environ["WEBHOOK_SECRET"])


class Relay(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        status = 204
        try:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            message = webhook.verify(body, dict(self.headers))
            if message["type"] == "order.created":
                order = message["data"]["data"]
                text = f"Order {order['number']}: {order['total_amount']} {order['currency']} (minor units)"
                post = urllib.request.Request(os.environ["ROOM_URL"], json.dumps({"text": text}).encode(),
                                              {"Content-Type": "application/json"})
                urllib.request.urlopen(post, timeout=5).close()
        except Exception:
            status = 500  # it is sent again later
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Relay).serve_forever()
