//! The query plans of lists, and the blocks that they walk.

use super::*;
use crate::{
    domain::{order::OrderStatus, transaction::PaymentStatus},
    store::{functions::add_functions, schema::SCHEMA},
};
use rusqlite::Connection;

/// The steps of SQLite's plan for the first range of a list.
fn plan(filter: &Filter, key: SortKey) -> Vec<String> {
    let owner = crate::store::orders::filter::owner(filter);
    let source = Source::of(filter, &owner, key);
    let (span, direction) = (1..1_000_000, Direction::Descending);
    let range = source.ranges(filter, &span, direction).remove(0);
    let mut more = range.within(&span);
    more.join(&range.beyond(filter, Sort { key, direction }, None));
    more.join(&source.residual(filter, &owner));
    let (sql, values) = range.statement(&more, Sort { key, direction }, 51);
    steps(&sql, values)
}

fn steps(sql: &str, values: Vec<Value>) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    add_functions(&connection).unwrap();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.query_map(params_from_iter(values), |row| row.get(3)).unwrap();
    steps.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn lists_are_read_from_an_index_without_sorting() {
    let user = UserId::from_bytes([1; 16]);
    let pending = Filter { statuses: vec![OrderStatus::Pending], ..Filter::default() };
    let paid = Filter { payment_statuses: vec![PaymentStatus::Paid], ..Filter::default() };
    let of_user = Filter { user_id: Some(user), statuses: vec![OrderStatus::Draft], ..Filter::default() };
    let sku = Filter { sku: Some("tea".to_owned()), total_min: Some(1), ..Filter::default() };
    let reference = Filter { external_ref: Some("r".to_owned()), ..Filter::default() };
    let at = |millis| Some(crate::domain::time::Timestamp::from_millis(millis));
    let october = Filter { placed_from: at(1), placed_to: at(2), ..Filter::default() };
    let text = Filter { text: Some("x".to_owned()), ..Filter::default() };
    for (filter, key, index) in [
        (Filter::default(), SortKey::Created, "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (text, SortKey::Created, "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (pending.clone(), SortKey::Created, "orders_by_status (status=? AND payment_status=? AND seq>? AND seq<?)"),
        (paid, SortKey::Created, "orders_by_status (status=? AND payment_status=? AND seq>? AND seq<?)"),
        (
            of_user,
            SortKey::Created,
            "SEARCH u USING PRIMARY KEY (block=? AND user_seq=? AND order_seq>? AND order_seq<?)",
        ),
        (sku, SortKey::Created, "order_items_by_sku (<expr>=? AND sku=? AND order_seq>? AND order_seq<?)"),
        (reference, SortKey::Updated, "orders_by_external_ref (external_ref=?"),
        (Filter::default(), SortKey::Updated, "orders_by_update"),
        (pending.clone(), SortKey::Updated, "orders_by_update"),
        (pending, SortKey::Total, "orders_by_total (<expr>=?)"),
        (Filter::default(), SortKey::Placed, "COVERING INDEX orders_by_placing (placed_at>?)"),
        (october, SortKey::Placed, "orders_by_placing (placed_at>? AND placed_at<?)"),
    ] {
        let steps = plan(&filter, key);
        assert!(steps[0].contains(index), "{filter:?}: {steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{filter:?}: {steps:?}");
    }
}

#[test]
fn of_a_block_of_totals_only_the_rows_between_the_cursor_and_the_last_order_are_read() {
    for direction in [Direction::Ascending, Direction::Descending] {
        let sort = Sort { key: SortKey::Total, direction };
        let range = Source::Total.ranges(&Filter::default(), &(1..2), direction).remove(0);
        for [after, last] in [[1, 2], [5_000, 6_000]] {
            let at = |seq| Position { value: 100, seq, began: 0 };
            let mut more = range.beyond(&Filter::default(), sort, Some(at(after)));
            more.join(&range.before(sort, at(last)));
            let (sql, values) = range.statement(&more, sort, 51);
            let expected = "orders_by_total (<expr>=? AND total_amount>? AND total_amount<?)";
            let steps = steps(&sql, values);
            assert!(steps.len() == 1 && steps[0].contains(expected), "{steps:?}");
        }
    }
}

#[test]
fn an_order_with_the_total_of_the_cursor_is_after_it_if_its_row_is() {
    let after = Position { value: 100, seq: 5_000, began: 0 };
    let own = after.seq >> TOTAL_BLOCK_BITS;
    for (block, ascending, descending) in [
        (own - 1, "o.total_amount > ?", "o.total_amount <= ?"),
        (own, "(o.total_amount, o.seq) > (?, ?)", "(o.total_amount, o.seq) < (?, ?)"),
        (own + 1, "o.total_amount >= ?", "o.total_amount < ?"),
    ] {
        let condition = |direction| beyond_in_block(block, direction, after).text();
        assert_eq!(condition(Direction::Ascending), ascending);
        assert_eq!(condition(Direction::Descending), descending);
    }
}

#[test]
fn blocks_cover_the_span_and_no_more() {
    let all = |span, direction| blocks(&span, 9, direction).collect::<Vec<_>>();
    assert_eq!(all(1..1, Direction::Ascending), [0]);
    assert_eq!(all(1..512, Direction::Ascending), [0]);
    assert_eq!(all(1..513, Direction::Descending), [1, 0]);
    assert_eq!(all(511..514, Direction::Descending), [1, 0]);
    assert_eq!(all(512..1025, Direction::Ascending), [1, 2]);
}

#[test]
fn the_orders_of_a_user_are_listed_and_counted_without_reading_them() {
    let user = UserId::from_bytes([1; 16]);
    let all = Filter { user_id: Some(user), ..Filter::default() };
    let paid = Filter { payment_statuses: vec![PaymentStatus::Paid], ..all.clone() };
    for (filter, reads_orders) in [(all, false), (paid, true)] {
        let owner = crate::store::orders::filter::owner(&filter);
        let source = Source::of(&filter, &owner, SortKey::Created);
        let residual = source.residual(&filter, &owner);
        for range in source.ranges(&filter, &(1..1_000_000), Direction::Descending) {
            let (sql, values) = range.count_statement(&(1..1_000_000), &residual);
            let counted = steps(&sql, values);
            assert_eq!(counted.iter().any(|step| step.contains("SEARCH o ")), reads_orders, "{counted:?}");
        }
        let listed = plan(&filter, SortKey::Created);
        assert_eq!(listed.iter().any(|step| step.contains("SEARCH o ")), reads_orders, "{listed:?}");
    }
}
