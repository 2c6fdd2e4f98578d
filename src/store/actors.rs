//! The names of those who act: users and API keys, as they are called now.

use super::{ReadTx, sql::IdBlob, users};
use crate::{
    domain::id::{Identifier, KeyId, UserId},
    error::Result,
};
use std::collections::HashMap;

/// Who acts when nobody asked for it: the server or a command. It is also its name.
const SYSTEM: &str = "system";

/// The names of the actors of a list, each looked up once.
#[derive(Default)]
pub(super) struct ActorNames(HashMap<String, Option<String>>);

impl ActorNames {
    /// The name of this actor; none if it is nobody, or was erased.
    pub(super) fn of(&mut self, tx: &ReadTx<'_>, actor: &str) -> Result<Option<String>> {
        if let Some(name) = self.0.get(actor) {
            return Ok(name.clone());
        }
        let name = look_up(tx, actor)?;
        self.0.insert(actor.to_owned(), name.clone());
        Ok(name)
    }
}

fn look_up(tx: &ReadTx<'_>, actor: &str) -> Result<Option<String>> {
    if actor == SYSTEM {
        return Ok(Some(SYSTEM.to_owned()));
    }
    if let Some(user) = UserId::parse(actor) {
        return users::name(tx, user);
    }
    let Some(key) = KeyId::parse(actor) else { return Ok(None) };
    let present = tx.row("SELECT name FROM api_keys WHERE id = ?1", [IdBlob(key)], |row| row.get(0))?;
    if present.is_some() {
        return Ok(present);
    }
    // A revoked key has no row. Its revocation says what it was called, and revocations are few.
    let revoked = "SELECT changes ->> '$.name' FROM audit WHERE action = 'api_keys.delete' AND target = ?1";
    tx.row(revoked, [actor], |row| row.get(0))
}
