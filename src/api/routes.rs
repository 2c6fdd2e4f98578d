//! THE TABLE: one row for each operation. A row states, in this order, method, id, path, summary and handler; who may
//! call it; idempotency and versions; parameters and body; the response; and the problems that do not follow from the
//! rest.
//!
//! The router, the checks before each handler, the OpenAPI document and the authorisation test are all made from these
//! rows. Handlers are in the file of their noun; the words of a row are in `api/operation/builder.rs`.

use super::{
    analytics, api_keys, audit, auth,
    context::Context,
    events, idempotency,
    input::{lines::LINE_TIMEOUT, list::ListQuery},
    items, oidc,
    openapi::Document,
    operation::{
        EVENT_STREAM,
        Idempotency::{Optional, Required},
        NDJSON, Operation, SQLITE,
        Versioning::{ConditionalRead, ConditionalWrite, Tagged},
        WithoutAccess, delete, get, patch, post, put, with_files,
    },
    orders, roles, second_factor, sessions, system, transactions, users, webhooks,
};
use crate::{
    auth::rate_limit::AnonymousBucket,
    domain::{
        order::Transition,
        permission::Permission::{
            self, AnalyticsRead, ApiKeysWrite, AuditRead, MetricsRead, OrdersCancel, OrdersCancelOwn, OrdersCreate,
            OrdersCreateOwn, OrdersRead, OrdersReadOwn, OrdersTransition, OrdersUpdate, OrdersUpdateOwn, PaymentsWrite,
            PersonalDataErase, RefundsWrite, RolesWrite, SystemBackup, UsersRead, UsersWrite, WebhooksWrite,
        },
    },
    error::problem,
    service::{
        backups::BackupScheduleView,
        erasure,
        password_resets::ResetTokenView,
        second_factor::EnrolmentView,
        sessions::{BrowserSessionView, Credentials, Me},
        views::{
            AuditView, DailyRow, DeliveryView, EventView, KeyView, NewKeyView, NewWebhookView, OrderCounts, OrderView,
            Page, Reconciliation, ReplayView, Report, RevenueRow, RoleView, SessionView, SoldItems, StatusRow, TaxRow,
            TopItemRow, TransactionView, UserView, WebhookView,
        },
    },
};
use axum::{Extension, response::Response};
use std::sync::{Arc, LazyLock};

/// Reading orders: all of them, or the caller's own.
const ORDER_READERS: &[Permission] = &[OrdersRead, OrdersReadOwn];

/// Every operation, in the order of the documentation.
pub fn operations() -> Vec<Operation> {
    [
        authentication(),
        recovery_and_second_factor(),
        user_operations(),
        sessions_roles_keys_and_audit(),
        order_operations(),
        transitions(),
        events_and_idempotency_keys(),
        webhook_operations(),
        payments_and_refunds(),
        reports(),
        system_operations(),
    ]
    .concat()
    .into_iter()
    .flat_map(with_files)
    .collect()
}

/// The OpenAPI document of the table.
pub fn document() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::of(&operations()));
    &DOCUMENT
}

/// The handler of `GET /openapi.json`. It stands here because the document describes the table that the handler is in.
async fn describe(Extension(context): Extension<Arc<Context>>) -> Response {
    document().response(context.public.base())
}

fn authentication() -> Vec<Operation> {
    vec![
        post("auth.setup", "/v1/setup", "Create the first administrator", auth::set_up)
            .anonymous()
            .body::<auth::SetUp>()
            .creates_without_location::<UserView>()
            .problems(&[&problem::INVALID_SETUP_TOKEN, &problem::ALREADY_SET_UP]),
        post("auth.login", "/v1/auth/login", "Log in", auth::log_in)
            .anonymous()
            .counts_against(AnonymousBucket::LogIn)
            .body::<auth::LogIn>()
            .returns::<Credentials>()
            .problems(&[&problem::INVALID_CREDENTIALS, &problem::SECOND_FACTOR_REQUIRED, &problem::LOGIN_DELAYED]),
        post("auth.start_session", "/v1/auth/session", "Sign in from a browser", auth::start_session)
            .anonymous()
            .counts_against(AnonymousBucket::LogIn)
            .body::<auth::StartSession>()
            .creates_without_location::<BrowserSessionView>()
            .sets_cookie()
            .problems(&[
                &problem::INVALID_CREDENTIALS,
                &problem::INVALID_CLAIM,
                &problem::SECOND_FACTOR_REQUIRED,
                &problem::LOGIN_DELAYED,
            ]),
        get("auth.oidc", "/v1/auth/oidc", "Sign in at the OpenID provider", oidc::begin)
            .anonymous()
            .counts_against(AnonymousBucket::LogIn)
            .redirects()
            .extra_time(oidc::TIME)
            .problems(&[&problem::NOT_FOUND]),
        get("auth.oidc_callback", oidc::CALLBACK, "Come back from the OpenID provider", oidc::callback)
            .anonymous()
            .counts_against(AnonymousBucket::LogIn)
            .query::<oidc::CallbackQuery>()
            .redirects()
            .extra_time(oidc::TIME)
            .problems(&[&problem::NOT_FOUND]),
        delete("auth.end_session", "/v1/auth/session", "Sign out in a browser", auth::end_session)
            .signed_in()
            .before_second_factor()
            .returns_nothing()
            .sets_cookie()
            .problems(&[&problem::FORBIDDEN]),
        post("auth.refresh", "/v1/auth/refresh", "Continue a session", auth::refresh)
            .anonymous()
            .body::<auth::Refresh>()
            .returns::<Credentials>()
            .problems(&[&problem::INVALID_REFRESH_TOKEN]),
        post("auth.logout", "/v1/auth/logout", "End the session", auth::log_out)
            .signed_in()
            .before_second_factor()
            .optional_body::<orders::NoFields>()
            .returns_nothing()
            .sets_cookie()
            .problems(&[&problem::FORBIDDEN]),
        post("auth.password", "/v1/auth/password", "Change your password", auth::change_password)
            .signed_in()
            .before_second_factor()
            .body::<auth::ChangePassword>()
            .returns_nothing()
            .problems(&[&problem::FORBIDDEN, &problem::LOGIN_DELAYED]),
        get("auth.me", "/v1/auth/me", "Get your own account", auth::me)
            .signed_in()
            .before_second_factor()
            .returns::<Me>(),
    ]
}

fn recovery_and_second_factor() -> Vec<Operation> {
    vec![
        post("auth.reset", "/v1/auth/reset", "Set a password with a reset token", auth::reset_password)
            .anonymous()
            .counts_against(AnonymousBucket::LogIn)
            .body::<auth::ResetPassword>()
            .returns_nothing()
            .problems(&[&problem::INVALID_RESET_TOKEN]),
        post("users.reset", "/v1/users/{id}/reset", "Make a reset token for a user", users::reset)
            .requires(&[UsersWrite])
            .optional_body::<orders::NoFields>()
            .creates_without_location::<ResetTokenView>()
            .problems(&[&problem::PERMISSION_NOT_HELD, &problem::USER_ERASED]),
        post("auth.begin_totp", "/v1/auth/totp", "Begin to set up a second factor", second_factor::begin)
            .signed_in()
            .before_second_factor()
            .body::<second_factor::BeginEnrolment>()
            .creates_without_location::<EnrolmentView>()
            .problems(&[&problem::FORBIDDEN, &problem::SECOND_FACTOR_ACTIVE, &problem::LOGIN_DELAYED]),
        post("auth.confirm_totp", "/v1/auth/totp/confirm", "Put a second factor in force", second_factor::confirm)
            .signed_in()
            .before_second_factor()
            .body::<second_factor::ConfirmEnrolment>()
            .returns_nothing()
            .problems(&[&problem::FORBIDDEN, &problem::SECOND_FACTOR_ACTIVE, &problem::LOGIN_DELAYED]),
        delete("auth.end_totp", "/v1/auth/totp", "End your second factor", second_factor::end)
            .signed_in()
            .before_second_factor()
            .body::<second_factor::EndSecondFactor>()
            .returns_nothing()
            .problems(&[&problem::FORBIDDEN, &problem::NOT_FOUND, &problem::LOGIN_DELAYED]),
        delete("users.end_totp", "/v1/users/{id}/totp", "End a user's second factor", second_factor::end_of)
            .requires(&[UsersWrite])
            .returns_nothing()
            .problems(&[&problem::PERMISSION_NOT_HELD]),
    ]
}

fn user_operations() -> Vec<Operation> {
    vec![
        post("users.create", "/v1/users", "Create a user", users::create)
            .requires(&[UsersWrite])
            .idempotency(Optional)
            .body::<users::CreateUser>()
            .creates::<UserView>()
            .problems(&[&problem::EMAIL_TAKEN, &problem::PERMISSION_NOT_HELD])
            .read_by("users.get"),
        get("users.list", "/v1/users", "List users", users::list)
            .requires(&[UsersRead])
            .query::<ListQuery<users::ListUsers>>()
            .returns_page::<Page<UserView>>()
            .exports()
            .long_query(),
        get("users.get", "/v1/users/{id}", "Read a user", users::get).signed_in().returns::<UserView>(),
        patch("users.update", "/v1/users/{id}", "Change a user", users::update)
            .signed_in()
            .idempotency(Optional)
            .merge_patch::<users::PatchUser>()
            .returns::<UserView>()
            .problems(&[
                &problem::FORBIDDEN,
                &problem::OWN_ROLE_OR_STATUS,
                &problem::PERMISSION_NOT_HELD,
                &problem::EMAIL_TAKEN,
                &problem::USER_ERASED,
                &problem::LAST_ADMIN,
            ]),
        post("users.erase", "/v1/users/{id}/erase", "Erase a user's personal data", users::erase)
            .requires(&[PersonalDataErase])
            .idempotency(Optional)
            .optional_body::<orders::NoFields>()
            .returns_nothing()
            .extra_time(erasure::PATIENCE)
            .problems(&[&problem::LAST_ADMIN]),
    ]
}

fn sessions_roles_keys_and_audit() -> Vec<Operation> {
    vec![
        get("sessions.list", "/v1/users/{id}/sessions", "List a user's sessions", sessions::list)
            .signed_in()
            .query::<ListQuery>()
            .returns_page::<Page<SessionView>>()
            .exports(),
        delete("sessions.delete_all", "/v1/users/{id}/sessions", "End all of a user's sessions", sessions::revoke_all)
            .signed_in()
            .returns_nothing(),
        delete(
            "sessions.delete",
            "/v1/users/{id}/sessions/{session_id}",
            "End one of a user's sessions",
            sessions::revoke,
        )
        .signed_in()
        .returns_nothing(),
        get("roles.list", "/v1/roles", "List roles", roles::list)
            .requires(&[UsersRead])
            .query::<ListQuery>()
            .returns_page::<Page<RoleView>>()
            .exports(),
        put("roles.put", "/v1/roles/{name}", "Create or replace a role", roles::put)
            .requires(&[RolesWrite])
            .body::<roles::PutRole>()
            .creates_or_replaces::<RoleView>()
            .problems(&[&problem::PERMISSION_NOT_HELD, &problem::BUILT_IN_ROLE]),
        delete("roles.delete", "/v1/roles/{name}", "Delete a role", roles::delete)
            .requires(&[RolesWrite])
            .returns_nothing()
            .problems(&[&problem::BUILT_IN_ROLE, &problem::ROLE_IN_USE]),
        post("api_keys.create", "/v1/api-keys", "Create an API key", api_keys::create)
            .requires(&[ApiKeysWrite])
            .body::<api_keys::CreateKey>()
            .creates_without_location::<NewKeyView>()
            .problems(&[&problem::PERMISSION_NOT_HELD]),
        get("api_keys.list", "/v1/api-keys", "List API keys", api_keys::list)
            .requires(&[ApiKeysWrite])
            .query::<ListQuery>()
            .returns_page::<Page<KeyView>>()
            .exports(),
        delete("api_keys.delete", "/v1/api-keys/{id}", "Revoke an API key", api_keys::revoke)
            .requires(&[ApiKeysWrite])
            .returns_nothing(),
        get("audit.list", "/v1/audit", "Read the audit trail", audit::list)
            .requires(&[AuditRead])
            .query::<ListQuery<audit::ListAudit>>()
            .returns_page::<Page<AuditView>>()
            .exports()
            .long_query(),
    ]
}

fn order_operations() -> Vec<Operation> {
    let one = |row: WithoutAccess| row.requires(ORDER_READERS).versioning(ConditionalRead).returns::<OrderView<'_>>();
    vec![
        post("orders.create", "/v1/orders", "Place an order or create a draft", orders::create)
            .requires(&[OrdersCreate, OrdersCreateOwn])
            .idempotency(Required)
            .body::<orders::CreateOrder>()
            .creates::<OrderView<'_>>()
            .versioning(Tagged)
            .problems(&[&problem::DUPLICATE_EXTERNAL_REF])
            .read_by("orders.get"),
        post("orders.import", "/v1/orders/import", "Import orders", orders::import)
            .requires(&[OrdersCreate, OrdersCreateOwn])
            .streamed_body(NDJSON)
            .returns_stream(NDJSON)
            .problems(&[&problem::NOT_NDJSON])
            .extra_time(LINE_TIMEOUT),
        get("orders.list", "/v1/orders", "List orders", orders::list)
            .requires(ORDER_READERS)
            .query::<ListQuery<orders::ListOrders>>()
            .returns_page::<Page<OrderView<'_>>>()
            .exports()
            .long_query(),
        get("items.list", "/v1/items", "Suggest items that were sold before", items::list)
            .requires(ORDER_READERS)
            .query::<items::FindItems>()
            .returns::<SoldItems>()
            .long_query(),
        get("orders.counts", "/v1/orders/counts", "Count orders by status", orders::counts)
            .requires(ORDER_READERS)
            .returns::<OrderCounts>()
            .long_query(),
        one(get("orders.get", "/v1/orders/{id}", "Read an order", orders::get)),
        one(get(
            "orders.get_by_number",
            "/v1/orders/number/{number}",
            "Read an order by its number",
            orders::get_by_number,
        )),
        one(get(
            "orders.get_by_ref",
            "/v1/orders/ref/{external_ref}",
            "Read an order by your reference",
            orders::get_by_ref,
        )),
        patch("orders.update", "/v1/orders/{id}", "Change an order", orders::update)
            .requires(&[OrdersUpdate, OrdersUpdateOwn])
            .idempotency(Optional)
            .versioning(ConditionalWrite)
            .merge_patch::<orders::PatchOrder>()
            .returns::<OrderView<'_>>()
            .problems(&[&problem::ORDER_FROZEN, &problem::DUPLICATE_EXTERNAL_REF]),
    ]
}

fn transitions() -> Vec<Operation> {
    let transition_to = |to| move |app, actor, id, if_match, body| orders::moves(to, app, actor, id, if_match, body);
    let transition = |row: WithoutAccess, any_of| {
        row.requires(any_of)
            .idempotency(Optional)
            .versioning(ConditionalWrite)
            .returns::<OrderView<'_>>()
            .problems(&[&problem::INVALID_TRANSITION])
    };
    vec![
        transition(
            post("orders.place", "/v1/orders/{id}/place", "Place a draft", transition_to(Transition::Place)),
            &[OrdersTransition, OrdersCreateOwn],
        )
        .optional_body::<orders::NoFields>(),
        transition(
            post("orders.confirm", "/v1/orders/{id}/confirm", "Confirm an order", transition_to(Transition::Confirm)),
            &[OrdersTransition],
        )
        .optional_body::<orders::NoFields>(),
        transition(
            post("orders.fulfil", "/v1/orders/{id}/fulfil", "Fulfil an order", transition_to(Transition::Fulfil)),
            &[OrdersTransition],
        )
        .optional_body::<orders::NoFields>(),
        transition(
            post("orders.cancel", "/v1/orders/{id}/cancel", "Cancel an order", orders::cancel),
            &[OrdersCancel, OrdersCancelOwn],
        )
        .optional_body::<orders::CancelOrder>()
        .problems(&[&problem::REFUND_DECISION_REQUIRED, &problem::REFUND_EXCEEDS_PAID]),
        post("orders.erase", "/v1/orders/{id}/erase", "Erase an order's personal data", orders::erase)
            .requires(&[PersonalDataErase])
            .idempotency(Optional)
            .optional_body::<orders::NoFields>()
            .returns_nothing(),
    ]
}

fn events_and_idempotency_keys() -> Vec<Operation> {
    vec![
        get("orders.events", "/v1/orders/{id}/events", "List an order's events", events::of_order)
            .requires(ORDER_READERS)
            .query::<ListQuery<events::ListOrderEvents>>()
            .returns_page::<Page<EventView>>()
            .exports(),
        get("events.list", "/v1/events", "List the events of all orders", events::feed)
            .requires(&[OrdersRead])
            .query::<events::ListEvents>()
            .returns_page::<Page<EventView>>()
            .exports()
            .long_query()
            .returns_stream(EVENT_STREAM)
            .resumes()
            .extra_time(events::LONGEST_WAIT),
        get("events.stream", "/v1/events.sse", "Follow the events of all orders", events::stream)
            .requires(&[OrdersRead])
            .query::<events::StreamEvents>()
            .returns_stream(EVENT_STREAM)
            .resumes()
            .extra_time(events::LONGEST_WAIT),
        get(
            "idempotency_keys.get",
            "/v1/idempotency-keys/{key}",
            "Find out whether a request took effect",
            idempotency::get,
        )
        .signed_in()
        .returns::<idempotency::IdempotencyKeyView>(),
    ]
}

fn webhook_operations() -> Vec<Operation> {
    let row = |row: WithoutAccess| row.requires(&[WebhooksWrite]);
    vec![
        row(post("webhooks.create", "/v1/webhooks", "Create a webhook endpoint", webhooks::create))
            .body::<webhooks::CreateWebhook>()
            .creates::<NewWebhookView>()
            .problems(&[&problem::TOO_MANY_WEBHOOKS])
            .read_by("webhooks.get"),
        row(get("webhooks.list", "/v1/webhooks", "List webhook endpoints", webhooks::list))
            .query::<ListQuery>()
            .returns_page::<Page<WebhookView>>()
            .exports(),
        row(get("webhooks.get", "/v1/webhooks/{id}", "Read a webhook endpoint", webhooks::get))
            .returns::<WebhookView>(),
        row(patch("webhooks.update", "/v1/webhooks/{id}", "Change a webhook endpoint", webhooks::update))
            .merge_patch::<webhooks::PatchWebhook>()
            .returns::<WebhookView>(),
        row(delete("webhooks.delete", "/v1/webhooks/{id}", "Delete a webhook endpoint", webhooks::delete))
            .returns_nothing(),
        row(post("webhooks.rotate", "/v1/webhooks/{id}/rotate", "Change a webhook's secret", webhooks::rotate))
            .optional_body::<orders::NoFields>()
            .returns::<NewWebhookView>(),
        row(post("webhooks.ping", "/v1/webhooks/{id}/ping", "Send a ping", webhooks::ping))
            .optional_body::<orders::NoFields>()
            .accepts::<DeliveryView>()
            .problems(&[&problem::WEBHOOK_DISABLED]),
        row(post("webhooks.replay", "/v1/webhooks/{id}/replay", "Send events again", webhooks::replay))
            .body::<webhooks::ReplayWebhook>()
            .accepts::<ReplayView>()
            .problems(&[&problem::WEBHOOK_DISABLED]),
        row(get(
            "webhooks.deliveries",
            "/v1/webhooks/{id}/deliveries",
            "List the deliveries to an endpoint",
            webhooks::deliveries,
        ))
        .query::<ListQuery<webhooks::ListDeliveries>>()
        .returns_page::<Page<DeliveryView>>()
        .exports(),
        row(post(
            "webhooks.retry",
            "/v1/webhooks/{id}/deliveries/{delivery_id}/retry",
            "Try a delivery again",
            webhooks::retry,
        ))
        .optional_body::<orders::NoFields>()
        .accepts::<DeliveryView>()
        .problems(&[&problem::WEBHOOK_DISABLED]),
    ]
}

fn payments_and_refunds() -> Vec<Operation> {
    vec![
        post("payments.create", "/v1/orders/{id}/payments", "Record a payment", transactions::pay)
            .requires(&[PaymentsWrite])
            .idempotency(Required)
            .body::<transactions::CreatePayment>()
            .creates::<TransactionView<'_>>()
            .problems(&[&problem::ORDER_NOT_PLACED, &problem::DUPLICATE_TRANSACTION])
            .read_by("transactions.get"),
        post("refunds.create", "/v1/orders/{id}/refunds", "Record a refund", transactions::refund)
            .requires(&[RefundsWrite])
            .idempotency(Required)
            .body::<transactions::CreateRefund>()
            .creates::<TransactionView<'_>>()
            .problems(&[
                &problem::ORDER_NOT_PLACED,
                &problem::DUPLICATE_TRANSACTION,
                &problem::REFUND_EXCEEDS_PAID,
                &problem::CREDIT_EXCEEDS_TOTAL,
                &problem::RETURN_EXCEEDS_QUANTITY,
            ])
            .read_by("transactions.get"),
        get("transactions.list", "/v1/transactions", "List payments and refunds", transactions::list)
            .requires(ORDER_READERS)
            .query::<ListQuery<transactions::ListTransactions>>()
            .returns_page::<Page<TransactionView<'_>>>()
            .exports()
            .long_query(),
        get(
            "orders.transactions",
            "/v1/orders/{id}/transactions",
            "List an order's payments and refunds",
            transactions::of_order,
        )
        .requires(ORDER_READERS)
        .query::<ListQuery>()
        .returns_page::<Page<TransactionView<'_>>>()
        .exports(),
        get("transactions.get", "/v1/transactions/{id}", "Read a payment or refund", transactions::get)
            .requires(ORDER_READERS)
            .returns::<TransactionView<'_>>(),
        patch(
            "transactions.update",
            "/v1/transactions/{id}",
            "Resolve or reverse a payment or refund",
            transactions::resolve,
        )
        .requires(&[PaymentsWrite, RefundsWrite])
        .idempotency(Optional)
        .merge_patch::<transactions::ResolveTransaction>()
        .returns::<TransactionView<'_>>()
        .problems(&[&problem::INVALID_TRANSITION, &problem::REFUND_EXCEEDS_PAID]),
    ]
}

fn reports() -> Vec<Operation> {
    let report = |row: WithoutAccess| row.requires(&[AnalyticsRead]);
    let reports = [
        report(get("analytics.daily", "/v1/analytics/daily", "Get the daily summary", analytics::daily))
            .query::<analytics::DailyQuery>()
            .returns::<Report<DailyRow>>()
            .long_query(),
        report(get(
            "analytics.revenue_by_user",
            "/v1/analytics/revenue-by-user",
            "Get revenue by user",
            analytics::revenue_by_user,
        ))
        .query::<ListQuery<analytics::RevenueQuery>>()
        .returns_page::<Report<RevenueRow>>()
        .long_query(),
        report(get(
            "analytics.status_counts",
            "/v1/analytics/status-counts",
            "Count orders by status",
            analytics::status_counts,
        ))
        .query::<analytics::StatusQuery>()
        .returns::<Report<StatusRow>>(),
        report(get(
            "analytics.top_items",
            "/v1/analytics/top-items",
            "Get the top items by revenue",
            analytics::top_items,
        ))
        .query::<analytics::TopItemsQuery>()
        .returns::<Report<TopItemRow>>()
        .long_query(),
        report(get("analytics.taxes", "/v1/analytics/taxes", "Get net amounts and taxes by rate", analytics::taxes))
            .query::<analytics::TaxesQuery>()
            .returns::<Report<TaxRow>>(),
    ];
    let reconcile = report(get(
        "analytics.reconcile",
        "/v1/analytics/reconcile",
        "Compare stored figures with the orders",
        analytics::reconcile,
    ))
    .returns::<Reconciliation>()
    .long_query();
    reports.into_iter().map(Operation::charts).chain([reconcile]).collect()
}

fn system_operations() -> Vec<Operation> {
    vec![
        get("system.live", "/livez", "Check that the process is running", system::live)
            .anonymous()
            .probe()
            .returns::<system::Live>(),
        get("system.ready", "/readyz", "Check that requests can be served", system::ready)
            .anonymous()
            .probe()
            .returns::<system::Ready>()
            .problems(&[&problem::NOT_READY]),
        get("system.version", "/version", "Get the version", system::version).anonymous().returns::<system::Version>(),
        get("system.settings", "/v1/settings", "Get the settings that clients need", system::settings)
            .anonymous()
            .returns::<system::Settings>(),
        get("system.backup", "/v1/system/backup", "Download a verified backup", system::backup)
            .requires(&[SystemBackup])
            .returns_file(SQLITE)
            .extra_time(system::COPY_TIME)
            .problems(&[&problem::STORAGE_FULL]),
        get(
            "system.backup_schedule",
            "/v1/system/backup-schedule",
            "See when backups were and will be made",
            system::backup_schedule,
        )
        .requires(&[SystemBackup])
        .returns::<BackupScheduleView>(),
        get("system.metrics", "/metrics", "Get metrics for Prometheus", system::metrics)
            .requires(&[MetricsRead])
            .public_if(|config| config.metrics.public)
            .probe()
            .returns_text("text/plain"),
        get("system.openapi", "/openapi.json", "Get this document", describe)
            .anonymous()
            .versioning(ConditionalRead)
            .returns::<serde_json::Map<String, serde_json::Value>>(),
    ]
}
