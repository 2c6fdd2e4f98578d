//! THE TABLE: every operation with its method, path, access rule and answers. The router, the checks before each handler,
//! the OpenAPI document and the authorisation test all come from here.

use super::{
    analytics, api_keys, audit, auth, cors, events, gate, idempotency, middleware, openapi,
    operation::{Idempotency, NDJSON, Operation, SQLITE, Unruled, Versioned},
    orders,
    output::list::Paging,
    pages, roles, sessions, system, transactions, users,
};
use crate::{
    app::App,
    auth::rate_limit::AnonymousBucket,
    domain::{
        order::Transition,
        permission::Permission::{
            self, AnalyticsRead, ApiKeysWrite, AuditRead, MetricsRead, OrdersCancel, OrdersCancelOwn, OrdersCreate,
            OrdersCreateOwn, OrdersRead, OrdersReadOwn, OrdersTransition, OrdersUpdate, OrdersUpdateOwn, PaymentsWrite,
            RefundsWrite, RolesWrite, SystemBackup, UsersRead, UsersWrite,
        },
    },
    error::problem,
    service::{
        sessions::{Credentials, Me},
        views::{
            AuditView, DailyRow, EventView, IdempotencyKeyView, KeyView, NewKeyView, OrderView, Page, Reconciliation,
            Report, RevenueRow, RoleView, SessionView, StatusRow, TopItemRow, TransactionView, UserView,
        },
    },
};
use axum::{
    Router,
    handler::Handler,
    http::{Method, header},
    response::{IntoResponse, Response},
    routing::{self, get},
};
use std::sync::{Arc, LazyLock};

/// Of whoever may read orders, all or their own.
const READING_ORDERS: &[Permission] = &[OrdersRead, OrdersReadOwn];

/// Every operation, in the order of the documentation.
pub fn operations() -> Vec<Operation> {
    [
        signing_in_and_users(),
        sessions_roles_keys_and_audit(),
        order_operations(),
        transitions(),
        history(),
        money(),
        figures(),
        system_operations(),
    ]
    .concat()
}

type Text = &'static str;

/// An operation that is asked for with `GET`.
fn read<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> Unruled {
    Unruled::new(id, Method::GET, path, summary, routing::get(handler))
}

/// One that makes something, or makes something happen: `POST`.
fn write<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> Unruled {
    Unruled::new(id, Method::POST, path, summary, routing::post(handler))
}

/// One that changes what is there: `PATCH`.
fn change<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> Unruled {
    Unruled::new(id, Method::PATCH, path, summary, routing::patch(handler))
}

/// One that makes it what the body says, whether it was there or not: `PUT`.
fn replace<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> Unruled {
    Unruled::new(id, Method::PUT, path, summary, routing::put(handler))
}

/// One that takes it away: `DELETE`.
fn remove<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> Unruled {
    Unruled::new(id, Method::DELETE, path, summary, routing::delete(handler))
}

fn signing_in_and_users() -> Vec<Operation> {
    vec![
        write("auth.setup", "/v1/setup", "Make the first administrator", auth::set_up)
            .anonymous()
            .takes::<auth::SetUp>()
            .answers_with::<UserView>(201)
            .problems(&[&problem::INVALID_SETUP_TOKEN, &problem::ALREADY_SET_UP]),
        write("auth.login", "/v1/auth/login", "Log in", auth::log_in)
            .anonymous()
            .counts_against(AnonymousBucket::LogIn)
            .takes::<auth::LogIn>()
            .answers::<Credentials>()
            .problems(&[&problem::INVALID_CREDENTIALS, &problem::LOGIN_DELAYED]),
        write("auth.refresh", "/v1/auth/refresh", "Continue a session", auth::refresh)
            .anonymous()
            .takes::<auth::Refresh>()
            .answers::<Credentials>()
            .problems(&[&problem::INVALID_REFRESH_TOKEN]),
        write("auth.logout", "/v1/auth/logout", "End the session", auth::log_out)
            .signed_in()
            .answers_nothing()
            .problems(&[&problem::FORBIDDEN]),
        write("auth.password", "/v1/auth/password", "Change one's password", auth::change_password)
            .signed_in()
            .takes::<auth::ChangePassword>()
            .answers_nothing()
            .problems(&[&problem::FORBIDDEN, &problem::LOGIN_DELAYED]),
        read("auth.me", "/v1/auth/me", "Who is calling", auth::me).signed_in().answers::<Me>(),
        write("users.create", "/v1/users", "Make a user", users::create)
            .needs(&[UsersWrite])
            .key(Idempotency::Honoured)
            .takes::<users::CreateUser>()
            .creates::<UserView>()
            .problems(&[&problem::EMAIL_TAKEN, &problem::PERMISSION_NOT_HELD])
            .read_by("users.get"),
        read("users.list", "/v1/users", "List users", users::list)
            .needs(&[UsersRead])
            .query::<Paging>()
            .pages::<Page<UserView>>()
            .streams(),
        read("users.get", "/v1/users/{id}", "Read a user", users::get).signed_in().answers::<UserView>(),
        change("users.update", "/v1/users/{id}", "Change a user", users::update)
            .signed_in()
            .key(Idempotency::Honoured)
            .takes_patch::<users::PatchUser>()
            .answers::<UserView>()
            .problems(&[
                &problem::FORBIDDEN,
                &problem::OWN_ROLE_OR_STATUS,
                &problem::PERMISSION_NOT_HELD,
                &problem::EMAIL_TAKEN,
                &problem::LAST_ADMIN,
            ]),
    ]
}

fn sessions_roles_keys_and_audit() -> Vec<Operation> {
    vec![
        read("sessions.list", "/v1/users/{id}/sessions", "List a user's sessions", sessions::list)
            .signed_in()
            .query::<Paging>()
            .pages::<Page<SessionView>>()
            .streams(),
        remove("sessions.delete_all", "/v1/users/{id}/sessions", "End all of a user's sessions", sessions::revoke_all)
            .signed_in()
            .answers_nothing(),
        remove(
            "sessions.delete",
            "/v1/users/{id}/sessions/{session_id}",
            "End one of a user's sessions",
            sessions::revoke,
        )
        .signed_in()
        .answers_nothing(),
        read("roles.list", "/v1/roles", "List roles", roles::list)
            .needs(&[UsersRead])
            .query::<Paging>()
            .pages::<Page<RoleView>>()
            .streams(),
        replace("roles.put", "/v1/roles/{name}", "Make or replace a role", roles::put)
            .needs(&[RolesWrite])
            .takes::<roles::PutRole>()
            .puts::<RoleView>()
            .problems(&[&problem::PERMISSION_NOT_HELD, &problem::BUILT_IN_ROLE]),
        remove("roles.delete", "/v1/roles/{name}", "Delete a role", roles::delete)
            .needs(&[RolesWrite])
            .answers_nothing()
            .problems(&[&problem::BUILT_IN_ROLE, &problem::ROLE_IN_USE]),
        write("api_keys.create", "/v1/api-keys", "Make an API key", api_keys::create)
            .needs(&[ApiKeysWrite])
            .takes::<api_keys::CreateKey>()
            .answers_with::<NewKeyView>(201)
            .problems(&[&problem::PERMISSION_NOT_HELD]),
        read("api_keys.list", "/v1/api-keys", "List API keys", api_keys::list)
            .needs(&[ApiKeysWrite])
            .query::<Paging>()
            .pages::<Page<KeyView>>()
            .streams(),
        remove("api_keys.delete", "/v1/api-keys/{id}", "Revoke an API key", api_keys::revoke)
            .needs(&[ApiKeysWrite])
            .answers_nothing(),
        read("audit.list", "/v1/audit", "Read the audit trail", audit::list)
            .needs(&[AuditRead])
            .query::<audit::ListAudit>()
            .pages::<Page<AuditView>>()
            .streams(),
    ]
}

fn order_operations() -> Vec<Operation> {
    let one = |found: Unruled| found.needs(READING_ORDERS).versioned(Versioned::Read).answers::<OrderView<'_>>();
    vec![
        write("orders.create", "/v1/orders", "Place an order, or make a draft", orders::create)
            .needs(&[OrdersCreate, OrdersCreateOwn])
            .key(Idempotency::Required)
            .takes::<orders::CreateOrder>()
            .creates::<OrderView<'_>>()
            .versioned(Versioned::Shown)
            .problems(&[&problem::DUPLICATE_EXTERNAL_REF])
            .read_by("orders.get"),
        write("orders.import", "/v1/orders/import", "Import orders", orders::import)
            .needs(&[OrdersCreate, OrdersCreateOwn])
            .takes_stream(NDJSON)
            .answers_text(NDJSON),
        read("orders.list", "/v1/orders", "List orders", orders::list)
            .needs(READING_ORDERS)
            .query::<orders::ListOrders>()
            .pages::<Page<OrderView<'_>>>()
            .streams(),
        one(read("orders.get", "/v1/orders/{id}", "Read an order", orders::get)),
        one(read(
            "orders.get_by_number",
            "/v1/orders/number/{number}",
            "Read an order by its number",
            orders::get_by_number,
        )),
        one(read(
            "orders.get_by_ref",
            "/v1/orders/ref/{external_ref}",
            "Read an order by your reference",
            orders::get_by_ref,
        )),
        change("orders.update", "/v1/orders/{id}", "Change an order", orders::update)
            .needs(&[OrdersUpdate, OrdersUpdateOwn])
            .key(Idempotency::Honoured)
            .versioned(Versioned::Write)
            .takes_patch::<orders::PatchOrder>()
            .answers::<OrderView<'_>>()
            .problems(&[&problem::ORDER_FROZEN, &problem::DUPLICATE_EXTERNAL_REF]),
    ]
}

fn transitions() -> Vec<Operation> {
    let moves = |to| move |app, actor, id, if_match, body| orders::moves(to, app, actor, id, if_match, body);
    let transition = |to: Unruled, any_of| {
        to.needs(any_of)
            .key(Idempotency::Honoured)
            .versioned(Versioned::Write)
            .answers::<OrderView<'_>>()
            .problems(&[&problem::INVALID_TRANSITION])
    };
    vec![
        transition(
            write("orders.place", "/v1/orders/{id}/place", "Place a draft", moves(Transition::Place)),
            &[OrdersTransition, OrdersCreateOwn],
        )
        .may_take::<orders::NoFields>(),
        transition(
            write("orders.confirm", "/v1/orders/{id}/confirm", "Confirm an order", moves(Transition::Confirm)),
            &[OrdersTransition],
        )
        .may_take::<orders::NoFields>(),
        transition(
            write("orders.fulfil", "/v1/orders/{id}/fulfil", "Fulfil an order", moves(Transition::Fulfil)),
            &[OrdersTransition],
        )
        .may_take::<orders::NoFields>(),
        transition(
            write("orders.cancel", "/v1/orders/{id}/cancel", "Cancel an order", orders::cancel),
            &[OrdersCancel, OrdersCancelOwn],
        )
        .may_take::<orders::CancelOrder>()
        .problems(&[&problem::REFUND_DECISION_REQUIRED, &problem::REFUND_EXCEEDS_PAID]),
    ]
}

fn history() -> Vec<Operation> {
    vec![
        read("orders.events", "/v1/orders/{id}/events", "Read an order's history", events::of_order)
            .needs(READING_ORDERS)
            .query::<Paging>()
            .pages::<Page<EventView>>()
            .streams(),
        read("events.list", "/v1/events", "Read the history of everything", events::feed)
            .needs(&[OrdersRead])
            .query::<events::ListEvents>()
            .pages::<Page<EventView>>()
            .streams()
            .may_wait(events::LONGEST_WAIT),
        read("idempotency_keys.get", "/v1/idempotency-keys/{key}", "Whether a request took effect", idempotency::get)
            .signed_in()
            .answers::<IdempotencyKeyView>(),
    ]
}

fn money() -> Vec<Operation> {
    vec![
        write("payments.create", "/v1/orders/{id}/payments", "Record a payment", transactions::pay)
            .needs(&[PaymentsWrite])
            .key(Idempotency::Required)
            .takes::<transactions::CreatePayment>()
            .creates::<TransactionView<'_>>()
            .problems(&[&problem::ORDER_NOT_PLACED, &problem::ORDER_CANCELLED, &problem::DUPLICATE_TRANSACTION])
            .read_by("transactions.get"),
        write("refunds.create", "/v1/orders/{id}/refunds", "Record a refund", transactions::refund)
            .needs(&[RefundsWrite])
            .key(Idempotency::Required)
            .takes::<transactions::CreateRefund>()
            .creates::<TransactionView<'_>>()
            .problems(&[&problem::ORDER_NOT_PLACED, &problem::DUPLICATE_TRANSACTION, &problem::REFUND_EXCEEDS_PAID])
            .read_by("transactions.get"),
        read(
            "transactions.list",
            "/v1/orders/{id}/transactions",
            "List an order's payments and refunds",
            transactions::of_order,
        )
        .needs(READING_ORDERS)
        .query::<Paging>()
        .pages::<Page<TransactionView<'_>>>()
        .streams(),
        read("transactions.get", "/v1/transactions/{id}", "Read a payment or refund", transactions::get)
            .needs(READING_ORDERS)
            .answers::<TransactionView<'_>>(),
        change(
            "transactions.update",
            "/v1/transactions/{id}",
            "Resolve a pending payment or refund",
            transactions::resolve,
        )
        .needs(&[PaymentsWrite, RefundsWrite])
        .key(Idempotency::Honoured)
        .takes_patch::<transactions::ResolveTransaction>()
        .answers::<TransactionView<'_>>()
        .problems(&[&problem::INVALID_TRANSITION]),
    ]
}

fn figures() -> Vec<Operation> {
    let report = |asked: Unruled| asked.needs(&[AnalyticsRead]);
    let figures = [
        report(read("analytics.daily", "/v1/analytics/daily", "Figures by day", analytics::daily))
            .query::<analytics::DailyQuery>()
            .answers::<Report<DailyRow>>(),
        report(read(
            "analytics.revenue_by_user",
            "/v1/analytics/revenue-by-user",
            "Figures by user",
            analytics::revenue_by_user,
        ))
        .query::<analytics::RevenueQuery>()
        .pages::<Report<RevenueRow>>(),
        report(read(
            "analytics.status_counts",
            "/v1/analytics/status-counts",
            "Orders by status",
            analytics::status_counts,
        ))
        .query::<analytics::StatusQuery>()
        .answers::<Report<StatusRow>>(),
        report(read("analytics.top_items", "/v1/analytics/top-items", "Items by revenue", analytics::top_items))
            .query::<analytics::TopItemsQuery>()
            .answers::<Report<TopItemRow>>(),
    ];
    let reconcile = report(read(
        "analytics.reconcile",
        "/v1/analytics/reconcile",
        "Compare figures with the rows",
        analytics::reconcile,
    ))
    .answers::<Reconciliation>();
    let charts = figures.into_iter().map(Operation::charts);
    charts.chain([reconcile]).map(|operation| operation.problems(&[&problem::QUERY_TOO_EXPENSIVE])).collect()
}

fn system_operations() -> Vec<Operation> {
    vec![
        read("system.live", "/livez", "Whether the process is up", system::live).anonymous().answers::<system::Live>(),
        read("system.ready", "/readyz", "Whether requests can be served", system::ready)
            .anonymous()
            .answers::<system::Ready>()
            .problems(&[&problem::NOT_READY]),
        read("system.version", "/version", "What is running here", system::version)
            .anonymous()
            .answers::<system::Version>(),
        read("system.backup", "/v1/system/backup", "Download a verified copy of everything", system::backup)
            .needs(&[SystemBackup])
            .answers_file(SQLITE)
            .may_wait(system::COPY_TIME)
            .problems(&[&problem::STORAGE_FULL]),
        read("system.metrics", "/metrics", "What is counted, for Prometheus", system::metrics)
            .needs(&[MetricsRead])
            .opened_by(|config| config.metrics.public)
            .answers_text("text/plain"),
        read("system.openapi", "/openapi.json", "This document", openapi_document)
            .anonymous()
            .answers::<serde_json::Map<String, serde_json::Value>>(),
    ]
}

/// The API, described for programs.
async fn openapi_document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}

/// The OpenAPI document, made once.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| openapi::document(&operations(), env!("CARGO_PKG_VERSION")).to_string());
    &DOCUMENT
}

/// The router of everything that is answered.
pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for operation in operations() {
        let (path, handler) = (operation.path, operation.handler.clone());
        let state = (app.clone(), Arc::new(operation));
        let gated = handler.route_layer(axum::middleware::from_fn_with_state(state, gate::enter));
        router = router.route(path, gated);
    }
    let router = router
        .route("/", get(pages::start))
        .route("/docs", get(pages::docs))
        .route("/problems", get(pages::problems))
        .route("/problems/{slug}", get(pages::problem))
        .route("/guide", get(pages::guide))
        .route("/guide/{page}", get(pages::guide_page))
        .route("/assets/{*path}", get(pages::file))
        .fallback(gate::absent)
        .method_not_allowed_fallback(gate::method_not_allowed)
        .layer(axum::middleware::from_fn(gate::refuse));
    let surround = axum::middleware::from_fn_with_state(app.clone(), middleware::surround);
    let router = if app.config.server.cors_origins.is_empty() {
        router.layer(surround)
    } else {
        router
            .layer(axum::middleware::from_fn_with_state(app.clone(), cors::preflight))
            .layer(surround)
            .layer(axum::middleware::from_fn_with_state(app.clone(), cors::expose))
    };
    router.with_state(app)
}
