//! Entries move from block to block, and each look-up finds all of them.

use super::*;
use crate::{
    domain::{id::Identifier, time::Clock},
    store::{Commits, Options, Store, schema::SCHEMA},
};
use rusqlite::Connection;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

fn open(folder: &Path) -> Store {
    let options = Options {
        path: folder.join("a.db"),
        commits: Commits::Written,
        request_timeout: Duration::from_mins(1),
        query_budget: Duration::from_mins(1),
        threads: 1,
        first_number: 1,
        clock: Clock::system(),
        ids: Arc::new(crate::domain::id::Ids::seeded(1)),
        journal: None,
    };
    Store::open(&options).unwrap()
}

fn user(number: u16) -> UserId {
    UserId::from_bytes([number.to_be_bytes(); 8].concat().try_into().unwrap())
}

async fn add_users(store: &Store, count: u16) {
    let add = move |tx: &WriteTx<'_>| {
        tx.execute("INSERT INTO personal VALUES (1, NULL, zeroblob(16), zeroblob(16), '{}')", [])?;
        for number in 0..count {
            let sql = "INSERT INTO users (id, personal_seq, role, status, created_at, updated_at)
                       VALUES (?1, 1, 'customer', 'active', 0, 0)";
            tx.execute(sql, [IdBlob(user(number))])?;
        }
        Ok(())
    };
    store.write("users", add).await.unwrap();
}

/// Adds orders, the first in row `first`, and returns those of each user.
async fn add_orders(store: &Store, first: i64, users: Vec<Option<u16>>) -> BTreeMap<u16, Vec<i64>> {
    let mut expected = BTreeMap::<u16, Vec<i64>>::new();
    let orders: Vec<_> = (first..).zip(users).collect();
    for (order, owner) in &orders {
        if let Some(owner) = owner {
            expected.entry(*owner).or_default().push(*order);
        }
    }
    let add_all = move |tx: &WriteTx<'_>| orders.iter().try_for_each(|(order, owner)| add(tx, owner.map(user), *order));
    store.write("orders", add_all).await.unwrap();
    expected
}

/// The numbers of entries in each block.
fn blocks(store: &Store) -> BTreeMap<i64, i64> {
    let sql = "SELECT block, count(*) FROM orders_of_users GROUP BY block";
    let read = |tx: &ReadTx<'_>| tx.rows(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    store.read_blocking("blocks", read).unwrap().into_iter().collect()
}

#[tokio::test]
async fn orders_of_many_users_are_found_while_they_are_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    add_users(&store, 900).await;
    let mut random = fastrand::Rng::with_seed(7);
    let (mut expected, mut most) = (BTreeMap::<u16, Vec<i64>>::new(), 0);
    for first in (1..40_000).step_by(1_000) {
        let owners = (0..1_000).map(|_| (random.u8(..) > 40).then(|| random.u16(..900))).collect();
        for (owner, orders) in add_orders(&store, first, owners).await {
            expected.entry(owner).or_default().extend(orders);
        }
        most = most.max(blocks(&store).len());
        let owner = random.u16(..900);
        let (all, newest) = (expected.get(&owner).cloned().unwrap_or_default(), first - 500);
        let found = |tx: &ReadTx<'_>| {
            let after = rows_of_user(tx, user(owner), newest, 5)?;
            Ok((rows_of_user(tx, user(owner), 0, usize::MAX)?, after, count_of_user(tx, user(owner))?))
        };
        let (rows, after, count) = store.read_blocking("orders", found).unwrap();
        assert_eq!((rows.len(), count), (all.len(), sql_int(all.len())));
        assert_eq!(after, all.iter().copied().filter(|row| *row > newest).take(5).collect::<Vec<_>>());
        assert_eq!(rows, all);
    }
    assert!(most <= 12, "a look-up reads {most} blocks");
    let blocks = blocks(&store);
    assert!(blocks[&0] > 25_000, "{blocks:?}");
    assert_eq!(blocks.values().sum::<i64>(), sql_int(expected.values().map(Vec::len).sum()));
}

#[tokio::test]
async fn orders_of_one_user_after_another_are_sorted_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    add_users(&store, 2).await;
    add_orders(&store, 1, vec![Some(1); 3_000]).await;
    assert_eq!(blocks(&store), BTreeMap::from([(0, 2_999), (1, 1)]));
}

#[tokio::test]
async fn few_orders_of_users_among_many_leave_few_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    add_users(&store, 100).await;
    let owners = (0..100_000).map(|order| (order % 999 == 0).then_some(u16::try_from(order % 100).unwrap())).collect();
    add_orders(&store, 1, owners).await;
    let blocks = blocks(&store);
    assert!(blocks.len() < 8 && blocks[&0] > 90, "{blocks:?}");
}

#[test]
fn a_look_up_reads_the_entries_of_one_user() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    for (condition, order, sorts) in
        [(OF_USER, "ASC", true), (NEW_OF_USER, "DESC", true), (SORTED_OF_USER, "DESC", false)]
    {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT u.order_seq FROM orders_of_users u
             WHERE {condition} AND u.order_seq > ? ORDER BY u.order_seq {order}"
        );
        let mut statement = connection.prepare(&sql).unwrap();
        let steps = statement.query_map((IdBlob(user(1)), 1), |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        assert!(steps[0].contains("(block=? AND user_seq=? AND order_seq>?)"), "{steps:?}");
        let searches = |step: &&String| step.contains("orders_of_users") || step.contains(" n ");
        assert!(
            steps.iter().filter(searches).all(|step| step.contains("SEARCH") && step.contains("(block>?)")),
            "{steps:?}"
        );
        assert_eq!(steps.iter().any(|step| step.contains("TEMP B-TREE")), sorts, "{steps:?}");
    }
}
