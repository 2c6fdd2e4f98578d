//! Roles of the operator's own. The built-in ones are no rows.

use super::{ReadTx, WriteTx, sql::Columns};
use crate::{
    domain::permission::{Permission, PermissionSet},
    error::Result,
};

/// A role and what it permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it permits.
    pub permissions: PermissionSet,
}

/// Every role, by name.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<Role>> {
    tx.rows("SELECT name, permissions FROM roles ORDER BY name", [], |row| {
        let mut columns = Columns::of(row);
        Ok(Role { name: columns.take()?, permissions: columns.word(parse)? })
    })
}

/// What the role of this name permits, if there is one.
pub fn by_name(tx: &ReadTx<'_>, name: &str) -> Result<Option<PermissionSet>> {
    tx.row("SELECT permissions FROM roles WHERE name = ?1", [name], |row| Columns::of(row).word(parse))
}

/// Makes a role, or replaces what it permits.
pub fn put(tx: &WriteTx<'_>, role: &Role) -> Result<()> {
    tx.execute(
        "INSERT INTO roles (name, permissions, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions, updated_at = excluded.updated_at",
        (&role.name, written(role.permissions), tx.now().millis()),
    )
    .map(drop)
}

/// Deletes a role.
pub fn delete(tx: &WriteTx<'_>, name: &str) -> Result<()> {
    tx.execute("DELETE FROM roles WHERE name = ?1", [name]).map(drop)
}

/// Permissions as a column holds them: names, separated by spaces.
pub(super) fn written(permissions: PermissionSet) -> String {
    permissions.iter().map(Permission::name).collect::<Vec<_>>().join(" ")
}

/// A permission that earlier versions could grant although no operation needed it. Rows may still contain it.
const RETIRED: &str = "webhooks:write";

/// The permissions that a column holds.
pub(super) fn parse(text: &str) -> Option<PermissionSet> {
    text.split_whitespace().filter(|&name| name != RETIRED).map(Permission::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_read_back_as_they_were_written() {
        for set in [PermissionSet::EMPTY, PermissionSet::all(), PermissionSet::of(&[Permission::AuditRead])] {
            assert_eq!(parse(&written(set)), Some(set));
        }
        assert_eq!(parse("orders:read orders:burn"), None);
    }
}
