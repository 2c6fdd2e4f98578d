//! Permissions and sets of them.

use super::string_enum::string_enum;

macro_rules! permissions {
    ($($name:ident $text:literal)+) => {
        /// A permission that a role or an API key can have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $(#[doc = concat!("`", $text, "`")] $name),+
        }

        string_enum!(Permission { $($name $text),+ });
    };
}

permissions! {
    OrdersRead "orders:read"
    OrdersReadOwn "orders:read_own"
    OrdersCreate "orders:create"
    OrdersCreateOwn "orders:create_own"
    OrdersUpdate "orders:update"
    OrdersUpdateOwn "orders:update_own"
    OrdersTransition "orders:transition"
    OrdersCancel "orders:cancel"
    OrdersCancelOwn "orders:cancel_own"
    PaymentsWrite "payments:write"
    RefundsWrite "refunds:write"
    AnalyticsRead "analytics:read"
    UsersRead "users:read"
    UsersWrite "users:write"
    RolesWrite "roles:write"
    ApiKeysWrite "api_keys:write"
    AuditRead "audit:read"
    WebhooksWrite "webhooks:write"
    MetricsRead "metrics:read"
    SystemBackup "system:backup"
    PersonalDataErase "personal_data:erase"
}

impl Permission {
    /// Whether it applies to the caller's own orders only. API keys have no orders, so they cannot have it.
    pub const fn is_own(self) -> bool {
        self.wider().is_some()
    }

    /// For an `_own` permission, the wider permission that includes it.
    pub const fn wider(self) -> Option<Self> {
        match self {
            Self::OrdersReadOwn => Some(Self::OrdersRead),
            Self::OrdersCreateOwn => Some(Self::OrdersCreate),
            Self::OrdersUpdateOwn => Some(Self::OrdersUpdate),
            Self::OrdersCancelOwn => Some(Self::OrdersCancel),
            _ => None,
        }
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u32);

impl PermissionSet {
    /// No permission.
    pub const EMPTY: Self = Self(0);

    /// Every permission.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// The set of these permissions, usable in constants.
    pub const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < permissions.len() {
            bits |= 1 << permissions[i] as u32;
            i += 1;
        }
        Self(bits)
    }

    /// Whether the set contains `permission` or the wider permission that includes it.
    pub fn holds(self, permission: Permission) -> bool {
        self.contains(permission) || permission.wider().is_some_and(|wider| self.contains(wider))
    }

    /// Whether the set contains `permission` itself.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & 1 << permission as u32 != 0
    }

    /// The permissions of this set that `other` holds too.
    #[must_use]
    pub fn limited_to(self, other: Self) -> Self {
        self.iter().filter(|&p| other.holds(p)).collect()
    }

    /// The permissions in the set, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |&p| self.contains(p))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        Self(permissions.into_iter().fold(0, |bits, p| bits | 1 << p as u32))
    }
}
