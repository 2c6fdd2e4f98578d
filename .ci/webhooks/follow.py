"""Follows the events of a server by server-sent events, and goes on after the last one when the connection breaks."""
import json
import os
import time
import urllib.error
import urllib.request

last = os.environ.get("LAST_EVENT_ID", "0")  # in a real program stored with the effect of the event
while True:
    headers = {"Authorization": "Bearer " + os.environ["API_KEY"], "Last-Event-ID": last}
    request = urllib.request.Request(f"{os.environ['SERVER']}/v1/events.sse", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=40) as stream:  # comments come every 15 seconds
            fields = {}
            for line in stream:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "" and "data" in fields:
                    event = json.loads(fields["data"])
                    print(json.dumps([event["seq"], event["type"]]), flush=True)
                    last = fields["id"]
                fields = {**fields, name: value} if name else {}
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise SystemExit(f"the key may not read events: {error}")
    except OSError:
        pass
    time.sleep(1)
