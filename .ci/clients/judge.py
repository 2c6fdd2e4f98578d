"""Extends Schemathesis: how NDJSON is sent, and which refusals no schema can express."""

import json
import re

import schemathesis
from schemathesis.specs.openapi.checks import RejectedPositiveData, positive_data_acceptance

# Refusals that depend on stored data, on the time, or on a secret of the server. A request that fits the document can get them.
UNFORESEEABLE = {
    "credit_exceeds_total",
    "idempotency_key_reused",
    "invalid_header",  # an If-Match that is empty once its blanks are trimmed on the way
    "invalid_cursor",
    "not_ndjson",  # the bytes of an import are lines of JSON, which no schema can say
    "permission_not_held",
    "refund_decision_required",
    "refund_exceeds_paid",
    "return_exceeds_quantity",
    "version_mismatch",
}
# The same for single fields: an unknown role, user, currency or time zone, two fields that exclude each other, or a code
# for a second factor that was not begun.
UNFORESEEABLE_OF_FIELDS = {"conflict", "not_alone", "not_begun", "unknown"}
# Bounds that depend on other fields or on the time.
MOVING_BOUNDS = re.compile("unless `claim` is sent|would be negative|totals? must be|in the future|hours ahead|left to refund|unless items are|unless the refund credits|can be sent only when|before from|years after from")
# A discount must not exceed the amount it is taken from, nor a tax the price that includes it.
MOVING_FIELDS = re.compile("#/((items|fees)/[0-9]+/(discount|tax)_amount|order_discount_amount|amount)$")
# A host name has at most 253 characters; the pattern of an address limits each of its labels only.
HOSTS = re.compile("must have a host name")
# No schema expresses the password rules: the operator's settings, a list, the length after normalisation.
PASSWORDS = re.compile("#/((current_|new_)?password)$")


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.check
def valid_data_acceptance(context, response, case):
    """The check `positive_data_acceptance`, which also accepts refusals that no schema can express."""
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
    if PASSWORDS.match(pointer) or HOSTS.match(fault["detail"]) or fault["code"] in UNFORESEEABLE_OF_FIELDS:
        return True
    return fault["code"] == "too_large" and MOVING_FIELDS.match(pointer) or MOVING_BOUNDS.search(fault["detail"])
