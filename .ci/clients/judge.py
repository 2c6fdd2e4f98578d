"""What Schemathesis has to be told of orderd: how NDJSON is sent, and which refusals no schema can foretell."""

import json
import re

import schemathesis
from schemathesis.specs.openapi.checks import RejectedPositiveData, positive_data_acceptance

# Refusals that depend on what is stored, on the time, or on a secret of the server: a request can fit the document and meet them.
UNFORESEEABLE = {
    "idempotency_key_reused",
    "invalid_cursor",
    "permission_not_held",
    "refund_decision_required",
    "refund_exceeds_paid",
    "version_mismatch",
}
# The same of single fields: a role, user, currency or time zone that is not known, two fields that exclude each other …
UNFORESEEABLE_OF_FIELDS = {"conflict", "unknown"}
# … and bounds that are sums of other fields, or times.
MOVING_BOUNDS = re.compile("would be negative|totals? must be|in the future|hours ahead|left to refund|before from|years after from")
# A discount is at most what it is taken from.
MOVING_FIELDS = re.compile("#/items/[0-9]+/discount_amount$")
# What makes a good password is no schema's matter: the operator's choice, a list, a length after normalisation.
PASSWORDS = re.compile("#/((current_|new_)?password)$")


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.check
def valid_data_acceptance(context, response, case):
    """The check `positive_data_acceptance`, but for the refusals that no schema can foretell."""
    try:
        return positive_data_acceptance(context, response, case)
    except RejectedPositiveData:
        problem = json.loads(response.content)
        faults = problem.get("errors", [])
        if problem["code"] in UNFORESEEABLE or faults and all(map(unforeseeable, faults)):
            return None
        raise


def unforeseeable(fault):
    pointer = fault.get("pointer", "")
    if PASSWORDS.match(pointer) or fault["code"] in UNFORESEEABLE_OF_FIELDS:
        return True
    return fault["code"] == "too_large" and MOVING_FIELDS.match(pointer) or MOVING_BOUNDS.search(fault["detail"])
