//! The built-in roles and their permissions. Custom roles are rows of the database and not in this table.

use crate::domain::permission::{Permission as P, PermissionSet};

/// The longest role name, in characters.
pub const MAX_ROLE_NAME: usize = 40;
/// The regular expression of role names, for schemas. [`is_role_name`] accepts exactly what it matches.
pub const ROLE_NAME_PATTERN: &str = "^[a-z][a-z0-9_-]{0,39}$";

/// Every built-in role with its permissions. They cannot be changed.
pub const BUILT_IN: &[(&str, PermissionSet)] = &[
    ("admin", PermissionSet::of(P::ALL)),
    (
        "manager",
        PermissionSet::of(&[
            P::OrdersRead,
            P::OrdersReadOwn,
            P::OrdersCreate,
            P::OrdersCreateOwn,
            P::OrdersUpdate,
            P::OrdersUpdateOwn,
            P::OrdersTransition,
            P::OrdersCancel,
            P::OrdersCancelOwn,
            P::PaymentsWrite,
            P::RefundsWrite,
            P::AnalyticsRead,
            P::UsersRead,
            P::AuditRead,
            P::WebhooksWrite,
        ]),
    ),
    (
        "staff",
        PermissionSet::of(&[
            P::OrdersRead,
            P::OrdersCreate,
            P::OrdersUpdate,
            P::OrdersTransition,
            P::OrdersCancel,
            P::PaymentsWrite,
        ]),
    ),
    ("analyst", PermissionSet::of(&[P::OrdersRead, P::AnalyticsRead])),
    ("customer", PermissionSet::of(&[P::OrdersReadOwn, P::OrdersCreateOwn, P::OrdersUpdateOwn, P::OrdersCancelOwn])),
];

/// The permissions of the built-in role with this name.
pub fn built_in(name: &str) -> Option<PermissionSet> {
    BUILT_IN.iter().find(|(role, _)| *role == name).map(|&(_, permissions)| permissions)
}

/// Whether a custom role may have this name.
pub fn is_role_name(name: &str) -> bool {
    name.len() <= MAX_ROLE_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(role: &str) -> Vec<&'static str> {
        built_in(role).unwrap().iter().map(P::name).collect()
    }

    #[test]
    fn built_in_roles_have_the_documented_permissions() {
        assert_eq!(built_in("admin"), Some(PermissionSet::all()));
        assert_eq!(
            names("manager").join(" "),
            "orders:read orders:read_own orders:create orders:create_own orders:update orders:update_own \
             orders:transition orders:cancel orders:cancel_own payments:write refunds:write analytics:read users:read \
             audit:read webhooks:write"
        );
        assert_eq!(
            names("staff").join(" "),
            "orders:read orders:create orders:update orders:transition orders:cancel payments:write"
        );
        assert_eq!(names("analyst"), ["orders:read", "analytics:read"]);
        assert_eq!(
            names("customer"),
            ["orders:read_own", "orders:create_own", "orders:update_own", "orders:cancel_own"]
        );
        assert_eq!(built_in("root"), None);
        assert_eq!(BUILT_IN.len(), 5);
    }

    #[test]
    fn role_names_must_have_the_documented_form() {
        for good in ["a", "shift-lead", "team_2", &"a".repeat(40)] {
            assert!(is_role_name(good), "{good}");
        }
        for bad in ["", "2nd", "-a", "_a", "Admin", "a b", "a.b", "é", "a\n", &"a".repeat(41)] {
            assert!(!is_role_name(bad), "{bad}");
        }
    }

    #[test]
    fn built_in_roles_have_valid_names() {
        assert!(BUILT_IN.iter().all(|(name, _)| is_role_name(name)));
    }
}
