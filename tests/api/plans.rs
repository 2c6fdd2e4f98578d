//! Query plans: no statement reads a whole table that grows, and none sorts rows that an index could yield in order.
//! The statements are those that the service runs, taken from its log.

use crate::support::{Service, order_of, statements};
use rusqlite::{Connection, functions::FunctionFlags};
use serde_json::json;

/// Statements that may read a whole table or sort: a part of the text of each, and the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("p.seq = u.personal_seq ORDER BY u.id", "runs once, at the start: access facts are kept in memory"),
    ("FROM sessions WHERE expires_at > ?1", "runs once, at the start, for the same reason"),
    ("FROM api_keys ORDER BY id", "runs once, at the start, for the same reason"),
    ("FROM roles ORDER BY name", "runs at the start and to list roles, which are few"),
    ("SELECT count(*) FROM webhooks", "runs when an endpoint is made, to keep endpoints few"),
    ("DELETE FROM api_keys WHERE created_by", "ends the keys of an erased user; keys are few"),
    ("FROM email_digest_key", "has one row"),
    ("FROM journal_position", "has one row"),
    ("UPDATE journal_position", "has one row"),
    ("SELECT user_id FROM unfinished_erasures", "has a row for each erasure that goes on"),
    ("SELECT count(*) FROM api_keys", "runs when a key is made, to keep keys few"),
    ("hash FROM audit a LEFT JOIN", "verifies the whole chain, as requested"),
    ("AS position,", "compares all rollups with all rows, as requested; a test below shows that it sorts nothing"),
    ("SELECT * FROM orders ORDER BY seq", VERIFIES),
    ("hash FROM events e LEFT JOIN", VERIFIES),
    ("FROM personal ORDER BY seq", VERIFIES),
    ("p.content NOT GLOB '{*'", VERIFIES),
    ("<> count(e.seq)", VERIFIES),
    ("refunds > payment", VERIFIES),
    ("'a payment of the same order'", VERIFIES),
    ("'one after the other'", VERIFIES),
    ("expected_status || ' and ' || expected_payment_status", VERIFIES),
    ("WHERE seq <> expected", VERIFIES),
    ("WHERE number <> expected", VERIFIES),
    ("'an order with it' FROM order_number_jumps", VERIFIES),
    ("SELECT o.placed_at, i.name FROM order_items i", "sorts the orders of one SKU in one block: 512 at most"),
    ("WHERE credit_amount <> credit OR", VERIFIES),
    ("INSERT INTO events", "reads what refers to events only if its own reference is broken, and then fails"),
    ("FROM rollup_folds", "has five rows, one for each rollup"),
    ("INTO rollup_folds", "inserts those five rows, once"),
    ("pragma_", "runs once, at the start, and reads no table"),
    ("sqlite_schema", "runs once, at the start, and reads no table that grows"),
    ("SELECT 1 FROM users LIMIT 1", "stops at the first row"),
    ("ORDER BY seq DESC LIMIT 1", "stops at the first row, which is the last of the table"),
    ("count(*) FROM transactions t NOT INDEXED", "counts the matches, as requested, as a long query with a time limit"),
    (
        "p.seq = u.personal_seq WHERE u.id < ? AND",
        "sorts the users of a role; users are few, and their lists are long queries",
    ),
    ("FROM rarray(?1) r", "reads the rows of a page, which are the values of its argument"),
    ("json_each(o.metadata)", "reads the metadata of the filter and of one order: fifty entries at most"),
    ("INDEXED BY orders_by_update WHERE", "reads the index in the order of the list until the page is full"),
    (
        "FROM orders_of_users u",
        "goes from block to block of the newest orders, which are few; sorts what is one user's",
    ),
    ("INDEXED BY transactions_by_provider_ref CROSS JOIN", "sorts the transactions with one reference, which are few"),
    ("i.line, i.sku, i.name, o.currency", "reads all items once, for the first suggestion; they are kept in memory"),
    ("SELECT DISTINCT order_seq FROM events WHERE seq > ?1", "sorts the orders that changed since the last suggestion"),
    ("LIMIT -1 OFFSET", "sorts the sessions of one user: a hundred at most"),
    ("(SELECT DISTINCT order_seq FROM events WHERE seq > ?)", "sorts the orders that changed since the first page"),
    ("sum(amount) FROM transactions WHERE order_seq =", "sorts the sums of one order, which are few"),
];

const VERIFIES: &str = "verifies every row, as requested on the command line";

async fn call_every_operation(service: &Service) {
    let (admin, manager, ada) = (service.admin().await, service.manager().await, service.customer().await);
    let mut body = order_of(&[("tea", 2, 1250), ("cup", 1, 300)]);
    body["external_ref"] = "r1".into();
    body["metadata"] = json!({"colour": "red"});
    let order = ada.places(body).await.created().id();
    let payment =
        manager.pays(&order, json!({"amount": 100, "provider": "bank", "provider_ref": "p1"})).await.created().id();
    let pending = manager.pays(&order, json!({"amount": 100, "status": "pending"})).await.created().id();
    manager.patch(&format!("/v1/transactions/{pending}"), json!({"status": "succeeded"})).await.ok();
    let items = order_of(&[("pot", 1, 900)])["items"].clone();
    manager.patch(&format!("/v1/orders/{order}"), json!({"items": items, "external_ref": "r2"})).await.ok();
    manager.refunds(&order, json!({"amount": 10, "payment_id": payment})).await.created();
    let days = "from=2026-06-01&to=2026-06-30";
    for path in [
        format!("/v1/orders/{order}"),
        "/v1/orders/number/1".to_owned(),
        "/v1/orders/ref/r2".to_owned(),
        format!("/v1/orders/{order}/events"),
        format!("/v1/orders/{order}/transactions"),
        format!("/v1/transactions/{payment}"),
        "/v1/events?after=0".to_owned(),
        "/v1/events?order=desc".to_owned(),
        format!("/v1/orders/{order}/events?order=desc"),
        "/v1/transactions".to_owned(),
        "/v1/transactions?provider_ref=p1".to_owned(),
        "/v1/transactions?status=pending,failed".to_owned(),
        format!("/v1/transactions?order_id={order}"),
        "/v1/orders/counts".to_owned(),
        "/v1/items?q=tea".to_owned(),
        "/v1/users".to_owned(),
        "/v1/users?email=a%40example.com&count=true".to_owned(),
        "/v1/users?role=admin&status=active&q=a".to_owned(),
        "/v1/orders?sort=-placed_at".to_owned(),
        "/v1/orders?sort=placed_at&placed_from=2026-01-01T00:00:00Z&placed_to=2027-01-01T00:00:00Z".to_owned(),
        "/v1/audit?target=a&outcome=denied&count=true".to_owned(),
        format!("/v1/users/{}", ada.id),
        format!("/v1/analytics/daily?{days}"),
        format!("/v1/analytics/revenue-by-user?{days}"),
        format!("/v1/analytics/status-counts?{days}"),
        format!("/v1/analytics/top-items?{days}"),
        format!("/v1/analytics/taxes?{days}"),
        format!("/v1/analytics/daily?{days}&tz=Asia/Kathmandu"),
        format!("/v1/analytics/top-items?{days}&tz=Asia/Kathmandu"),
        "/v1/analytics/reconcile".to_owned(),
    ] {
        admin.get(&path).await.ok();
    }
    let by_user = format!("user_id={}", ada.id);
    for filter in ["", "status=pending", "payment_status=paid,unpaid", &by_user, "status=pending&payment_status=unpaid"]
    {
        for who in [&manager, &ada] {
            who.get(&format!("/v1/orders?limit=1&{filter}")).await.ok();
        }
    }
}

/// The steps of SQLite's plan for `sql`.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    loop {
        match connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")) {
            Ok(mut statement) => {
                return statement.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
            }
            Err(e) => {
                let message = e.to_string();
                let name = message.split("no such function: ").nth(1).unwrap_or_else(|| panic!("{e}: {sql}"));
                let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // A function of the store: its result does not matter for the plan.
                connection.create_scalar_function(name.as_str(), -1, FunctionFlags::empty(), |_| Ok(1)).unwrap();
            }
        }
    }
}

fn is_costly(step: &str) -> bool {
    // These read what the statement itself holds.
    let holds =
        step.starts_with("SCAN CONSTANT ROW") || step.starts_with("SCAN (") || step.ends_with("-ROW VALUES CLAUSE");
    let reads_all = step.starts_with("SCAN ") && !holds;
    reads_all || step.contains("TEMP B-TREE")
}

#[tokio::test]
async fn no_statement_reads_or_sorts_a_whole_table() {
    let service = Service::start().await;
    call_every_operation(&service).await;
    let connection = Connection::open(service.path()).unwrap();
    let kinds = ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"];
    let statements = statements::seen().into_iter().filter(|sql| kinds.iter().any(|kind| sql.starts_with(kind)));
    let mut costly = vec![];
    for sql in statements.filter(|sql| !EXCEPTIONS.iter().any(|(part, _)| sql.contains(part))) {
        let steps = plan(&connection, &sql);
        if steps.iter().any(|step| is_costly(step)) {
            costly.push(format!("{sql}\n    {}", steps.join("\n    ")));
        }
    }
    assert!(costly.is_empty(), "an index is missing, or an entry in EXCEPTIONS:\n{}", costly.join("\n"));
}

#[tokio::test]
async fn reconciling_reads_everything_once_and_sorts_nothing() {
    let service = Service::start().await;
    call_every_operation(&service).await;
    let connection = Connection::open(service.path()).unwrap();
    let statements: Vec<_> = statements::seen().into_iter().filter(|sql| sql.contains("AS position,")).collect();
    assert_eq!(statements.len(), 13, "nine recompute sums, and four read the sums stored in rows");
    for sql in statements {
        let steps = plan(&connection, &sql);
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {steps:?}");
        // Each part reads only one table from end to end.
        let parts = steps.split(|step| step.contains("UNION") || step.contains("LEFT-MOST"));
        for part in parts {
            // Fees, credits and returned goods are JSON, which is read by a virtual table. Constants are no table.
            let is_table = |step: &&String| {
                let others = ["VIRTUAL TABLE", "CONSTANT ROW", "(subquery"];
                step.starts_with("SCAN ") && !others.iter().any(|other| step.contains(other))
            };
            let tables = part.iter().filter(is_table);
            assert!(tables.count() <= 1, "{sql}: {steps:?}");
        }
    }
}
