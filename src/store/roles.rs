//! Custom roles. Built-in roles are part of the program and have no rows.

use super::{ReadTx, WriteTx, sql::Columns};
use crate::{
    domain::permission::{Permission, PermissionSet},
    error::Result,
};

/// A custom role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The name, which identifies the role.
    pub name: String,
    /// The permissions of its users.
    pub permissions: PermissionSet,
}

/// Every custom role, sorted by name.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<Role>> {
    tx.rows("SELECT name, permissions FROM roles ORDER BY name", [], |row| {
        let mut columns = Columns::of(row);
        Ok(Role { name: columns.take()?, permissions: columns.parsed(parse)? })
    })
}

/// The permissions of a custom role.
pub fn by_name(tx: &ReadTx<'_>, name: &str) -> Result<Option<PermissionSet>> {
    tx.row("SELECT permissions FROM roles WHERE name = ?1", [name], |row| Columns::of(row).parsed(parse))
}

/// Creates a role, or replaces its permissions.
pub fn put(tx: &WriteTx<'_>, role: &Role) -> Result<()> {
    tx.execute(
        "INSERT INTO roles (name, permissions, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions, updated_at = excluded.updated_at",
        (&role.name, as_text(role.permissions), tx.now().millis()),
    )
    .map(drop)
}

/// Deletes a role.
pub fn delete(tx: &WriteTx<'_>, name: &str) -> Result<()> {
    tx.execute("DELETE FROM roles WHERE name = ?1", [name]).map(drop)
}

/// Permissions as text: names separated by spaces.
pub(super) fn as_text(permissions: PermissionSet) -> String {
    permissions.iter().map(Permission::name).collect::<Vec<_>>().join(" ")
}

/// Parses permissions from text.
pub(super) fn parse(text: &str) -> Option<PermissionSet> {
    text.split_whitespace().map(Permission::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_survive_a_round_trip_through_text() {
        for set in [PermissionSet::EMPTY, PermissionSet::all(), PermissionSet::of(&[Permission::AuditRead])] {
            assert_eq!(parse(&as_text(set)), Some(set));
        }
        assert_eq!(parse("orders:read orders:burn"), None);
    }
}
