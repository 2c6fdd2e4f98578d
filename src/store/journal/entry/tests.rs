//! An entry is read as it was written, and nothing else is read.

use super::*;
use crate::{
    domain::{
        access::{BrowserHalves, CachedKey, CachedSession, CachedUser, GuessedAt, SessionSecrets, SessionUse},
        id::{Identifier, KeyId, SessionId, UserId},
        permission::{Permission, PermissionSet},
        time::Timestamp,
    },
    store::journal::bytes::put_value,
};
use proptest::{collection::vec, option, prelude::*};
use rusqlite::types::Value;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        any::<i32>().prop_map(|number| Value::Real(number.into())),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Blob),
    ]
}

fn id<I: Identifier + std::fmt::Debug>() -> impl Strategy<Value = I> {
    any::<[u8; 16]>().prop_map(I::from_bytes)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn permissions() -> impl Strategy<Value = PermissionSet> {
    vec(proptest::sample::select(Permission::ALL), 0..5).prop_map(|some| some.into_iter().collect())
}

fn session() -> impl Strategy<Value = CachedSession> {
    let browser = (any::<[u8; 32]>(), any::<[u8; 32]>(), time(), time()).prop_map(|(cookie, console_key, from, to)| {
        SessionSecrets::Browser(BrowserHalves { cookie, console_key, created_at: from, last_used_at: to })
    });
    let program = time().prop_map(|expires_at| SessionSecrets::Program { expires_at });
    let secrets = prop_oneof![browser, program];
    (id::<UserId>(), secrets, any::<bool>()).prop_map(|(user, secrets, by_provider)| CachedSession {
        user,
        secrets,
        by_provider,
    })
}

fn fact() -> impl Strategy<Value = Fact> {
    let user = (id(), any::<String>(), any::<bool>(), any::<bool>()).prop_map(|(id, role, active, second_factor)| {
        Fact::User(id, CachedUser { role: role.into(), active, second_factor })
    });
    let key = (any::<[u8; 32]>(), id::<KeyId>(), id::<UserId>(), permissions(), option::of(time())).prop_map(
        |(digest, id, owner, permissions, expires_at)| {
            Fact::Key(digest, CachedKey { id, owner, permissions, expires_at })
        },
    );
    prop_oneof![
        user,
        key,
        (any::<String>(), permissions()).prop_map(|(name, permissions)| Fact::Role(name, permissions)),
        any::<String>().prop_map(Fact::RoleDeleted),
        (id::<SessionId>(), session()).prop_map(|(id, session)| Fact::Session(id, session)),
        id::<SessionId>().prop_map(Fact::SessionEnded),
        (id::<UserId>(), option::of(id::<SessionId>())).prop_map(|(user, except)| Fact::SessionsEnded(user, except)),
        (id::<SessionId>(), time(), time()).prop_map(|(id, last_used_at, expires_at)| {
            Fact::SessionUsed(id, SessionUse { last_used_at, expires_at })
        }),
        id::<KeyId>().prop_map(Fact::KeyRevoked),
        id::<UserId>().prop_map(Fact::KeysRevoked),
        (id::<KeyId>(), time()).prop_map(|(id, at)| Fact::KeyUsed(id, at)),
        Just(Fact::DocumentsErased),
        Just(Fact::WebhooksChanged),
        (guessed(), time()).prop_map(|(guessed, at)| Fact::LogInFailed(guessed, at)),
        (guessed(), any::<[u8; 32]>()).prop_map(|(guessed, known)| Fact::LogInSucceeded(guessed, known)),
        Just(Fact::Restored),
    ]
}

fn guessed() -> impl Strategy<Value = GuessedAt> {
    any::<([u8; 16], [u8; 32])>().prop_map(|(process, account)| GuessedAt { process, account })
}

fn heads() -> impl Strategy<Value = Heads> {
    (any::<[i64; 8]>(), any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(numbers, event_hash, audit_hash)| {
        let [time, order, number, transaction, event, audit, personal, key] = numbers;
        Heads { time, order, number, transaction, event, event_hash, audit, audit_hash, personal, key }
    })
}

fn statements(texts: usize) -> impl Strategy<Value = Statements> {
    let statement = (0..texts, vec(value(), 0..6));
    vec(statement, 0..if texts == 0 { 1 } else { 8 }).prop_map(|list| {
        let mut bytes = vec![];
        for (text, values) in &list {
            put_uint(&mut bytes, *text as u64);
            put_uint(&mut bytes, values.len() as u64);
            for value in values {
                put_value(&mut bytes, value.into());
            }
        }
        Statements { bytes, count: list.len() }
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let body = vec(any::<[u8; 32]>(), 1..4).prop_flat_map(|texts| (statements(texts.len()), Just(texts)));
    let rollups = option::of(any::<[Vec<u8>; COLUMNS]>());
    (any::<(i64, i64, [u8; 16], [u8; 32])>(), heads(), body, rollups, vec(fact(), 0..6)).prop_map(
        |((seq, schema, writer, before), heads, (statements, texts), rollups, facts)| Entry {
            seq,
            schema,
            writer,
            before,
            heads,
            texts,
            statements,
            rollups,
            facts,
        },
    )
}

proptest! {
    #[test]
    fn an_entry_is_read_as_it_was_written(entry in entry()) {
        let bytes = entry.encode();
        let read = Entry::decode(&bytes);
        prop_assert_eq!(read.as_ref(), Ok(&entry));
        prop_assert_eq!(entry.statements().count(), entry.statements.count);
    }

    #[test]
    fn an_entry_with_a_changed_bit_or_a_lost_end_is_refused(entry in entry(), place: usize, bit in 0..8_u32) {
        let mut bytes = entry.encode();
        let place = place % bytes.len();
        prop_assert_eq!(Entry::decode(&bytes[..place]), Err(Damaged));
        bytes[place] ^= 1_u8 << bit;
        prop_assert_eq!(Entry::decode(&bytes), Err(Damaged));
    }

    /// As if somebody had made them: the digest fits, and the rest is anything.
    #[test]
    fn no_bytes_with_their_digest_make_a_panic(mut bytes: Vec<u8>) {
        if let Some(first) = bytes.first_mut() {
            *first = FORMAT;
        }
        let sum = sha256_of(&bytes);
        bytes.extend(sum);
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.encode(), bytes);
        }
    }
}

#[test]
fn an_entry_of_a_later_form_is_refused() {
    let entry = Entry {
        seq: 1,
        schema: 1,
        writer: [0; 16],
        before: [0; 32],
        heads: Heads::default(),
        texts: vec![],
        statements: Statements::default(),
        rollups: None,
        facts: vec![],
    };
    let mut content = entry.encode();
    content.truncate(content.len() - DIGEST_BYTES);
    content[0] = FORMAT + 1;
    let sum = sha256_of(&content);
    content.extend(sum);
    assert_eq!(Entry::decode(&content), Err(Damaged));
}
