"""What Schemathesis has to be told of orderd: how NDJSON is sent, and which refusals no schema can foretell."""

import json

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
# The same of single fields: an unknown role, user, currency or time zone, a time past or too far ahead, sums that do not work out.
UNFORESEEABLE_OF_FIELDS = {"unknown"}


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return {"data": value if isinstance(value, (str, bytes)) else json.dumps(value)}


@schemathesis.check
def valid_data_acceptance(context, response, case):
    """The check `positive_data_acceptance`, but for the refusals that no schema can foretell."""
    try:
        return positive_data_acceptance(context, response, case)
    except RejectedPositiveData:
        problem = json.loads(response.content)
        faults = {fault["code"] for fault in problem.get("errors", [])}
        if problem["code"] in UNFORESEEABLE or faults and faults <= UNFORESEEABLE_OF_FIELDS:
            return None
        raise
