//! Every kind of problem that a client can meet, in the order of their statuses. Each has a page of its own.

use super::{Class, Problem};

macro_rules! problems {
    ($($name:ident $class:ident $code:literal $title:literal { $meaning:literal } { $remedy:literal })+) => {
        /// The kinds of problem, by name.
        pub mod problem {
            use super::{Class, Problem};
            $(#[doc = $title]
            pub static $name: Problem =
                Problem { code: $code, class: Class::$class, title: $title, meaning: $meaning, remedy: $remedy };)+
        }
        /// The whole catalogue.
        pub static ALL: &[&Problem] = &[$(&problem::$name),+];
    };
}

problems! {
    MALFORMED_REQUEST Malformed "malformed_request" "The request is not sound HTTP"
        { "The head of the request is malformed or too long, or leaves open where the request ends (RFC 9112)." }
        { "Use another HTTP client; proxies in between must not change the framing of requests." }
    INVALID_JSON Malformed "invalid_json" "The body is not acceptable JSON"
        { "The body is not JSON, is nested more than 32 levels deep, has a key twice, or has text with NUL or a lone surrogate." }
        { "Send one JSON document in UTF-8 with unique keys." }
    INVALID_HEADER Malformed "invalid_header" "A header is malformed"
        { "A header of the request does not have the form that its standard asks for." }
        { "See errors[] for the header and send it once, in the right form." }
    INVALID_PARAMETER Malformed "invalid_parameter" "A query parameter is unknown, repeated or malformed"
        { "The query has a parameter that this operation does not know, has one twice, or has one with a bad value." }
        { "See errors[]; the detail names the parameters that are valid here." }
    INVALID_CURSOR Malformed "invalid_cursor" "The cursor is not valid here"
        { "The cursor was not made by this service, was altered, or belongs to a query with other filters." }
        { "Start again without a cursor, and keep the filters while paging." }
    IDEMPOTENCY_KEY_REQUIRED Malformed "idempotency_key_required" "An Idempotency-Key is required"
        { "This operation moves money or places an order, so it must be safe to send again." }
        { "Send a fresh, unique Idempotency-Key with each new request and the same one with each retry." }
    INVALID_IDEMPOTENCY_KEY Malformed "invalid_idempotency_key" "The Idempotency-Key is malformed"
        { "An Idempotency-Key has 1 to 255 printable ASCII characters without spaces, bare or quoted, and is sent once." }
        { "Use a UUID, for instance." }
    UNAUTHENTICATED Unauthenticated "unauthenticated" "Credentials are required"
        { "The request carries no credentials, or credentials that are not valid (any more)." }
        { "Log in or refresh, and send `Authorization: Bearer <token>`." }
    INVALID_CREDENTIALS Unauthenticated "invalid_credentials" "E-mail or password is wrong"
        { "No active user has this e-mail address and password." }
        { "Check both. After several failures there is a delay." }
    INVALID_REFRESH_TOKEN Unauthenticated "invalid_refresh_token" "The refresh token is not valid"
        { "The refresh token is unknown, expired, revoked or was used before." }
        { "Log in again." }
    INVALID_SETUP_TOKEN Unauthenticated "invalid_setup_token" "The set-up token is not valid"
        { "The token is not the one that the server printed when it started, or it has expired." }
        { "Restart the server and use the token that it prints." }
    FORBIDDEN Forbidden "forbidden" "Not permitted"
        { "The caller's permissions do not include this operation." }
        { "Ask an administrator for a role that includes it." }
    PERMISSION_NOT_HELD Forbidden "permission_not_held" "Nobody can hand out what they do not hold"
        { "The request would give a permission that the caller does not have." }
        { "Leave the permission out, or ask somebody who holds it." }
    OWN_ROLE_OR_STATUS Forbidden "own_role_or_status" "Nobody changes their own role or status"
        { "Users cannot promote, demote, enable or disable themselves." }
        { "Ask another administrator." }
    NOT_FOUND Absent "not_found" "Not found"
        { "There is nothing at this address, or nothing that the caller may see." }
        { "Check the address and the identifier." }
    METHOD_NOT_ALLOWED MethodNotAllowed "method_not_allowed" "Method not allowed"
        { "The address exists, but not with this method." }
        { "Use one of the methods in the Allow header." }
    SLOW_BODY SlowBody "slow_body" "The body came too slowly"
        { "The body was not complete in time. Nothing was done." }
        { "Send it again over a better connection." }
    SLOW_HEAD SlowBody "slow_head" "The head of the request came too slowly"
        { "The first line and the headers were not complete in time. Nothing was done." }
        { "Send it again over a better connection." }
    ALREADY_SET_UP Conflict "already_set_up" "Set-up is complete"
        { "There is a user already, so the first administrator cannot be made again." }
        { "Log in, or use `orderd user create` on the server." }
    EMAIL_TAKEN Conflict "email_taken" "The e-mail address is in use"
        { "Another user has this e-mail address." }
        { "Use another address, or change the existing user." }
    LAST_ADMIN Conflict "last_admin" "The last administrator stays"
        { "The change would leave no active administrator." }
        { "Make another administrator first." }
    BUILT_IN_ROLE Conflict "built_in_role" "Built-in roles cannot be changed"
        { "The roles admin, manager, staff, analyst and customer are fixed." }
        { "Make a role of your own." }
    ROLE_IN_USE Conflict "role_in_use" "The role is in use"
        { "Users have this role." }
        { "Give them another role first." }
    INVALID_TRANSITION Conflict "invalid_transition" "Not possible in the present status"
        { "The present status does not allow this change." }
        { "See current_status and allowed_transitions." }
    ORDER_FROZEN Conflict "order_frozen" "The order can no longer be changed"
        { "From confirmation on, what was ordered is fixed; only note, metadata and customer can change." }
        { "Cancel the order and place another, or book a refund." }
    ORDER_NOT_PLACED Conflict "order_not_placed" "The order is a draft"
        { "A draft takes no payments and no refunds." }
        { "Place the order first." }
    ORDER_CANCELLED Conflict "order_cancelled" "The order is cancelled"
        { "A cancelled order takes refunds only." }
        { "Place another order." }
    DUPLICATE_TRANSACTION Conflict "duplicate_transaction" "The transaction is recorded already"
        { "A transaction with this provider, reference and kind exists." }
        { "Nothing, if it is the same one; otherwise check the reference." }
    DUPLICATE_EXTERNAL_REF Conflict "duplicate_external_ref" "The external reference is in use"
        { "Another order has this external_ref." }
        { "Use that order, or another reference." }
    VERSION_MISMATCH VersionMismatch "version_mismatch" "The order has changed since it was read"
        { "The version in If-Match is not the present one." }
        { "Read it again, decide again, and send the new version." }
    BODY_TOO_LARGE TooLarge "body_too_large" "The body is too large"
        { "The body exceeds the limit of this service." }
        { "Send less." }
    UNSUPPORTED_MEDIA_TYPE UnsupportedMedia "unsupported_media_type" "The media type is not supported"
        { "The body's Content-Type is not one that this operation takes, or the body is encoded." }
        { "Send application/json without Content-Encoding." }
    VALIDATION_FAILED Invalid "validation_failed" "The request does not make sense"
        { "One or more fields are missing, unknown, read-only, of the wrong type or out of bounds." }
        { "See errors[]: every fault is named with its place." }
    IDEMPOTENCY_KEY_REUSED Invalid "idempotency_key_reused" "The Idempotency-Key belongs to another request"
        { "The key was used before with another method, path or body." }
        { "Use a fresh key for a new request." }
    REFUND_EXCEEDS_PAID Invalid "refund_exceeds_paid" "Refund exceeds what was paid"
        { "Refunds, pending ones counted, can never exceed the payments." }
        { "Ask for what is left, or less." }
    REFUND_DECISION_REQUIRED Invalid "refund_decision_required" "Say what happens to the money"
        { "The order holds money, so its cancellation must say how much of it is refunded." }
        { "Send refund as \"full\", \"none\" or an amount in minor units." }
    IF_MATCH_REQUIRED PreconditionRequired "if_match_required" "If-Match is required"
        { "This service is configured to take changes only from callers who say which version they have seen." }
        { "Send If-Match with the ETag of the order." }
    RATE_LIMITED RateLimited "rate_limited" "Too many requests"
        { "The caller has used up the present allowance." }
        { "Wait for the time in Retry-After." }
    LOGIN_DELAYED RateLimited "login_delayed" "Too many failed log-ins"
        { "After several failures in a row each further attempt has to wait." }
        { "Wait for the time in Retry-After." }
    INTERNAL Internal "internal" "Something went wrong here"
        { "The service met a fault of its own. What it was doing has been rolled back." }
        { "Report it with the request id." }
    OVERLOADED Unavailable "overloaded" "The service is overloaded"
        { "More work waits than can be done in time. Nothing was done." }
        { "Try again after the time in Retry-After." }
    DRAINING Unavailable "draining" "The service is stopping"
        { "The service finishes what it has accepted and takes nothing new." }
        { "Try again after the time in Retry-After." }
    NOT_READY Unavailable "not_ready" "The service cannot serve"
        { "Something that the service needs is not as it should be, or it is stopping." }
        { "Send requests elsewhere until it is ready. checks[] names what fails; an operator can mend it." }
    STORAGE_FULL Unavailable "storage_full" "The disk is full"
        { "There is no room to record the change. Nothing was done; reading goes on." }
        { "Try again later; an operator has to make room." }
    TIMEOUT Unavailable "timeout" "The request took too long"
        { "The time limit passed before anything was changed." }
        { "Try again after the time in Retry-After." }
    OUTCOME_UNKNOWN Unavailable "outcome_unknown" "The outcome is not known"
        { "The change was under way when the time limit passed or storage failed; it may or may not take effect." }
        { "Send the same request again with the same Idempotency-Key." }
    QUERY_TOO_EXPENSIVE Unavailable "query_too_expensive" "The query took too long"
        { "The query exceeded the time that one query may take." }
        { "Ask for a shorter range or use more filters." }
}
