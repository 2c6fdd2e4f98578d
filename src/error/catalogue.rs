//! Every kind of problem that a client can meet, in the order of their HTTP statuses. `/problems/<slug>` shows each one
//! on a page. Titles never contain anything about a single occurrence; that is what an error's detail is for.

use super::{Category, Problem};

/// Declares each kind as a constant in the module `problem`, and all of them as [`ALL`].
macro_rules! problems {
    ($($name:ident $category:ident $code:literal $title:literal { $meaning:literal } { $remedy:literal })+) => {
        /// The kinds of problem, by name.
        pub mod problem {
            use super::{Category, Problem};
            $(#[doc = $title]
            pub static $name: Problem = Problem {
                code: $code,
                category: Category::$category,
                title: $title,
                meaning: $meaning,
                remedy: $remedy,
            };)+
        }
        /// The whole catalogue.
        pub static ALL: &[&Problem] = &[$(&problem::$name),+];
    };
}

// NAME Category "code" "title" { meaning } { remedy }
problems! {
    MALFORMED_REQUEST Malformed "malformed_request" "The request is not valid HTTP"
        { "The head of the request is malformed or too long, or it does not say clearly where the request ends (RFC 9112)." }
        { "Use a standard HTTP client, and make sure that no proxy changes the framing of requests." }
    INVALID_JSON Malformed "invalid_json" "The body is not acceptable JSON"
        { "The body is not JSON, is nested more than 32 levels deep, repeats a key, or contains text with NUL or a lone surrogate." }
        { "Send one JSON document in UTF-8 with unique keys." }
    INVALID_HEADER Malformed "invalid_header" "A header is malformed"
        { "A request header does not have the form that its standard requires." }
        { "`errors[]` names the header. Send it once, in the form that is described there." }
    INVALID_PARAMETER Malformed "invalid_parameter" "A query parameter is unknown, repeated or malformed"
        { "The query contains a parameter that this operation does not know, repeats a parameter, or gives one an invalid value." }
        { "`errors[]` names each parameter at fault, and the detail lists the parameters that are valid here. Correct them and send the request again." }
    INVALID_CURSOR Malformed "invalid_cursor" "The cursor is not valid here"
        { "This service did not issue the cursor, the cursor was altered, or it belongs to a query with other filters." }
        { "Start again without a cursor, and keep the same filters while paging." }
    IDEMPOTENCY_KEY_REQUIRED Malformed "idempotency_key_required" "An Idempotency-Key is required"
        { "The header `Idempotency-Key` is missing. This operation moves money or places an order, so a retry must not repeat its effect." }
        { "Send `Idempotency-Key` with a new, unique value, such as a UUID, for each new request, and with the same value for each retry of that request." }
    INVALID_IDEMPOTENCY_KEY Malformed "invalid_idempotency_key" "The Idempotency-Key is malformed"
        { "An Idempotency-Key has 1 to 255 printable ASCII characters without spaces, bare or quoted, and is sent once." }
        { "Send a valid key, such as a UUID." }
    UNAUTHENTICATED Unauthenticated "unauthenticated" "Credentials are required"
        { "The request carries no credentials, or credentials that are invalid, expired or revoked." }
        { "Send `Authorization: Bearer <token>` with an access token or an API key. `POST /v1/auth/login` returns an access token, and `POST /v1/auth/refresh` replaces an expired one." }
    INVALID_CREDENTIALS Unauthenticated "invalid_credentials" "The e-mail address or password is wrong"
        { "No active user has this e-mail address and password." }
        { "Check both, also for blanks around the password, and try again. After several failures each further attempt is delayed." }
    INVALID_REFRESH_TOKEN Unauthenticated "invalid_refresh_token" "The refresh token is not valid"
        { "The refresh token is unknown, expired or revoked, or it was used before." }
        { "Log in again." }
    INVALID_SETUP_TOKEN Unauthenticated "invalid_setup_token" "The set-up token is not valid"
        { "The token is not the one that the server printed when it started, or it has expired." }
        { "Restart the server and use the token that it prints." }
    INVALID_RESET_TOKEN Unauthenticated "invalid_reset_token" "The reset token is not valid"
        { "The token is unknown, was used before, is older than 24 hours, or was replaced by a newer one." }
        { "Ask an administrator for a new one." }
    INVALID_CLAIM Unauthenticated "invalid_claim" "The claim is not valid"
        { "The claim of a sign-in by OpenID Connect is unknown, older than a minute, or was used before, or it came without the cookie of its browser." }
        { "Sign in again, at `/v1/auth/oidc`." }
    SECOND_FACTOR_REQUIRED Unauthenticated "second_factor_required" "A code of the second factor is required"
        { "The password is right, and the account has a second factor. The code is missing, wrong, or was used before." }
        { "Send the code that the authenticator app shows now, or a recovery code, as `code`. After several wrong ones each further attempt is delayed." }
    FORBIDDEN Forbidden "forbidden" "Not permitted"
        { "The caller's permissions do not include this operation." }
        { "Ask an administrator for a role or an API key that includes it." }
    PERMISSION_NOT_HELD Forbidden "permission_not_held" "You cannot grant a permission that you do not hold"
        { "The request would grant a permission that the caller does not have." }
        { "Leave the permission out, or ask someone who holds it to make the change." }
    OWN_ROLE_OR_STATUS Forbidden "own_role_or_status" "You cannot change your own role or status"
        { "Users cannot promote, demote, enable or disable themselves." }
        { "Ask another administrator to make the change." }
    SECOND_FACTOR_SETUP_REQUIRED Forbidden "second_factor_setup_required" "A second factor has to be set up first"
        { "The operator requires a second factor for the role of the user (`auth.require_second_factor`), and the user has none. This applies to the user's API keys too." }
        { "Sign in and set one up: `POST /v1/auth/totp`, then `POST /v1/auth/totp/confirm`." }
    NOT_FOUND NotFound "not_found" "Not found"
        { "Nothing exists at this address, or the caller may not see it." }
        { "Check the address and the identifier." }
    METHOD_NOT_ALLOWED MethodNotAllowed "method_not_allowed" "Method not allowed"
        { "The address exists, but it does not support this method." }
        { "Use one of the methods in the Allow header." }
    SLOW_BODY TooSlow "slow_body" "The body arrived too slowly"
        { "The body was not complete in time. Nothing was changed." }
        { "Send the request again over a faster connection." }
    SLOW_HEAD TooSlow "slow_head" "The head of the request arrived too slowly"
        { "The request line and the headers were not complete in time. Nothing was changed." }
        { "Send the request again over a faster connection." }
    ALREADY_SET_UP Conflict "already_set_up" "Set-up is already complete"
        { "A user exists already, so the first administrator cannot be created again." }
        { "Log in, or run `orderd user create` on the server." }
    SECOND_FACTOR_ACTIVE Conflict "second_factor_active" "A second factor is in force"
        { "The user has a second factor already." }
        { "End it first, with `DELETE /v1/auth/totp` and a code of it." }
    EMAIL_TAKEN Conflict "email_taken" "The e-mail address is in use"
        { "Another user has this e-mail address." }
        { "Use another address, or change the existing user." }
    USER_ERASED Conflict "user_erased" "The user is erased"
        { "Name, e-mail address and password of the user were erased. The account stays as it is, disabled." }
        { "Create another user." }
    LAST_ADMIN Conflict "last_admin" "The last administrator cannot be removed"
        { "The change would leave no active administrator." }
        { "Create another administrator first." }
    BUILT_IN_ROLE Conflict "built_in_role" "Built-in roles cannot be changed"
        { "The roles admin, manager, staff, analyst and customer are fixed." }
        { "Create a role of your own." }
    ROLE_IN_USE Conflict "role_in_use" "The role is in use"
        { "At least one user has this role." }
        { "Give the users of this role another role first." }
    INVALID_TRANSITION Conflict "invalid_transition" "Not possible in the current status"
        { "The current status does not allow this change." }
        { "See `current_status` and `allowed_transitions` for the changes that are possible now." }
    ORDER_FROZEN Conflict "order_frozen" "The order can no longer be changed"
        { "Items, fees, discounts, prices_include_tax and external_ref are fixed once the order is fulfilled or cancelled, for its owner once it is confirmed, and for everybody while refunds credit parts of it. A user is given once." }
        { "While refunds credit parts of the order, void or reverse them. Otherwise record a refund, or place another order." }
    ORDER_NOT_PLACED Conflict "order_not_placed" "The order was never placed"
        { "An order that was never placed accepts neither payments nor refunds, also after its cancellation." }
        { "Place the order first." }
    DUPLICATE_TRANSACTION Conflict "duplicate_transaction" "The transaction is already recorded"
        { "A pending or succeeded transaction with this provider, reference and kind exists." }
        { "Do nothing if it is the same transaction, which `existing_transaction_id` names; otherwise correct the reference." }
    DUPLICATE_EXTERNAL_REF Conflict "duplicate_external_ref" "The external reference is in use"
        { "Another order has this external_ref." }
        { "Use that order, or send another reference." }
    DUPLICATE_NUMBER Conflict "duplicate_number" "The order number is in use"
        { "Another order has this number." }
        { "Leave the number out to get the next one, or correct it." }
    WEBHOOK_DISABLED Conflict "webhook_disabled" "The webhook endpoint is disabled"
        { "Nothing is sent to a disabled endpoint." }
        { "Set its status to `active` first. `disabled_reason` tells why the server has disabled it." }
    TOO_MANY_WEBHOOKS Conflict "too_many_webhooks" "There are too many webhook endpoints"
        { "Fifty endpoints is the most that this service has." }
        { "Delete one that is not needed any more, or let one endpoint pass events on to several receivers." }
    VERSION_MISMATCH VersionMismatch "version_mismatch" "The order has changed since it was read"
        { "The version in If-Match is not the current one." }
        { "Read the order again, decide again, and send its `ETag` in `If-Match`." }
    BODY_TOO_LARGE TooLarge "body_too_large" "The body is too large"
        { "The body exceeds the size limit of this service." }
        { "Send a smaller body." }
    UNSUPPORTED_MEDIA_TYPE UnsupportedMedia "unsupported_media_type" "The media type is not supported"
        { "This operation does not accept the body's Content-Type, or the body is encoded." }
        { "Send a media type that the detail names, usually application/json, without Content-Encoding." }
    VALIDATION_FAILED Invalid "validation_failed" "The request is not valid"
        { "One or more fields are missing, unknown, read-only, of the wrong type or out of bounds." }
        { "`errors[]` lists every fault with its location. Correct them and send the request again." }
    NOT_NDJSON Invalid "not_ndjson" "The body is not NDJSON"
        { "The first line of an import is not a JSON object." }
        { "Send one order on each line, as JSON without line breaks in it. A JSON array or indented JSON is not NDJSON; `jq -c '.[]'` makes NDJSON of an array." }
    TOTAL_DIFFERS Invalid "total_differs" "The totals of the order differ"
        { "The line names a total or a tax that its items, fees and discounts do not come to." }
        { "`errors[]` names both amounts. Correct the items, fees, discounts or tax rates, or leave the totals out." }
    IDEMPOTENCY_KEY_REUSED Invalid "idempotency_key_reused" "The Idempotency-Key belongs to another request"
        { "The key was used before with another method, path or body." }
        { "Use a new key for a new request." }
    CREDIT_EXCEEDS_TOTAL Invalid "credit_exceeds_total" "The credit exceeds the amount left to credit"
        { "The credits of an order, including pending ones, can never exceed its total. A cancelled order can be credited nothing." }
        { "Read `credited_amount` of the order, then send a smaller `credit_amount`, fewer items, or a `credit_amount` of 0." }
    RETURN_EXCEEDS_QUANTITY Invalid "return_exceeds_quantity" "The return exceeds the quantity ordered"
        { "The refunds of an order, including pending ones, can return at most the ordered quantity of each item." }
        { "`errors[]` names the item and the quantity that can still be returned. Send a smaller quantity." }
    REFUND_EXCEEDS_PAID Invalid "refund_exceeds_paid" "Refund exceeds what was paid"
        { "The refunds of an order, including pending ones, can never exceed its payments." }
        { "Refund the remaining amount or less." }
    REFUND_DECISION_REQUIRED Invalid "refund_decision_required" "The cancellation must say how much to refund"
        { "The order holds money, so its cancellation must say how much of it is refunded." }
        { "Send refund as \"full\", \"none\" or an amount in minor units." }
    IF_MATCH_REQUIRED PreconditionRequired "if_match_required" "If-Match is required"
        { "The header `If-Match` is missing. This service is configured to accept a change only together with the version that the caller has seen." }
        { "Read the order and send its `ETag` in `If-Match`, such as `If-Match: \"3\"`." }
    RATE_LIMITED RateLimited "rate_limited" "Too many requests"
        { "The caller has made more requests than are allowed in the current period." }
        { "Wait for the time in Retry-After." }
    LOGIN_DELAYED RateLimited "login_delayed" "Too many failed log-ins"
        { "After several failed log-ins in a row, each further attempt must wait." }
        { "Wait for the time in Retry-After." }
    INTERNAL Internal "internal" "Internal error"
        { "The service met a fault of its own. The change that it was making was rolled back." }
        { "Report the problem together with its request_id." }
    OVERLOADED Unavailable "overloaded" "The service is overloaded"
        { "More work is waiting than can be done in time. Nothing was changed." }
        { "Try again after the time in Retry-After." }
    DRAINING Unavailable "draining" "The service is stopping"
        { "The service finishes the requests that it has accepted and accepts no new ones." }
        { "Try again after the time in Retry-After." }
    NOT_READY Unavailable "not_ready" "The service is not ready"
        { "A part that the service needs has failed, or the service is stopping." }
        { "Send requests elsewhere until it is ready. `checks[]` tells the operator which part has failed." }
    STORAGE_FULL Unavailable "storage_full" "The disk is full"
        { "The disk has no room to record the change. Nothing was changed, and reading still works." }
        { "Try again later. An operator must free disk space." }
    STORAGE_BUSY Unavailable "storage_busy" "The database is held by another process"
        { "A program other than this service has the database locked for writing. Nothing was changed, and reading still works." }
        { "Try again after the time in Retry-After. An operator must end the transaction of the other program." }
    TIMEOUT Unavailable "timeout" "The request took too long"
        { "The time limit passed before anything was changed." }
        { "Try again after the time in Retry-After." }
    OUTCOME_UNKNOWN Unavailable "outcome_unknown" "The outcome is unknown"
        { "The change was in progress when the time limit passed or storage failed. It may or may not take effect." }
        { "Send the same request again with the same Idempotency-Key." }
    QUERY_TOO_EXPENSIVE Unavailable "query_too_expensive" "The query took too long"
        { "The query exceeded the time that one query may take." }
        { "Ask for a shorter period or use more filters." }
}
