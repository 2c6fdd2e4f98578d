//! The actor: the authenticated caller of a request and its permissions. Every use case takes one.
//!
//! An actor does not know which orders belong to it; use cases compare owners themselves.

use crate::{
    domain::{
        id::{Identifier, KeyId, SessionId, UserId},
        permission::{Permission, PermissionSet},
        time::Timestamp,
        trace::TraceId,
    },
    error::{Error, Result, problem},
};
use std::{fmt, net::IpAddr, sync::Arc};

/// Bytes of a principal's scope: one for the kind, sixteen for the identifier.
const SCOPE_LENGTH: usize = 17;

/// The holder of the credentials that a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A person.
    User {
        /// The user's identifier.
        id: UserId,
        /// The session of the access token; `None` where a user acts without one, such as during set-up.
        session: Option<SessionId>,
    },
    /// A program.
    ApiKey {
        /// The key.
        id: KeyId,
        /// The user for whom the key acts.
        owner: UserId,
    },
    /// The service itself: background tasks and the command line.
    System,
}

impl Principal {
    /// The scope of this principal's idempotency keys. All sessions of a user share one, so that a request can be sent
    /// again after a new log-in.
    pub fn scope(&self) -> [u8; SCOPE_LENGTH] {
        let mut scope = [0; SCOPE_LENGTH];
        let (kind, id) = match self {
            Self::User { id, .. } => (b'u', *id.bytes()),
            Self::ApiKey { id, .. } => (b'k', *id.bytes()),
            Self::System => (b's', [0; 16]),
        };
        scope[0] = kind;
        scope[1..].copy_from_slice(&id);
        scope
    }
}

impl fmt::Display for Principal {
    /// The form that events and audit entries contain: `usr_…`, `key_…` or `system`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { id, .. } => id.fmt(f),
            Self::ApiKey { id, .. } => id.fmt(f),
            Self::System => f.write_str("system"),
        }
    }
}

/// The caller of a use case; cheap to clone.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The holder of the credentials.
    pub principal: Principal,
    /// The permissions that it holds now.
    pub permissions: PermissionSet,
    /// The role of a user; `None` for an API key.
    pub role: Option<Arc<str>>,
    /// The identifier of the request.
    pub request_id: Arc<str>,
    /// The trace of the request, if the client or a trace collector knows it too.
    pub trace: Option<TraceId>,
    /// The client's address, if the request came over the network.
    pub address: Option<IpAddr>,
    /// Whether the user, or the owner of the key, has to set up a second factor before anything else.
    pub second_factor_due: bool,
    /// When the access token ends; `None` for credentials that need no renewal.
    pub valid_until: Option<Timestamp>,
}

impl Actor {
    /// The service itself, with `request_id` as the name of its task.
    pub fn system(request_id: impl Into<Arc<str>>) -> Self {
        Self {
            principal: Principal::System,
            permissions: PermissionSet::all(),
            role: None,
            request_id: request_id.into(),
            trace: None,
            address: None,
            second_factor_due: false,
            valid_until: None,
        }
    }

    /// Whether the actor holds `permission` or the wider permission that includes it.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.holds(permission)
    }

    /// Refuses an actor without `permission`.
    ///
    /// # Errors
    /// `forbidden`; the detail names the permission.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) {
            return Ok(());
        }
        Err(Error::new(&problem::FORBIDDEN).detail(format!(
            "This needs {}. Ask an administrator for a role or an API key that includes it.",
            permission.name()
        )))
    }

    /// Refuses an actor that grants permissions, in a role or a key, without holding all of them.
    ///
    /// # Errors
    /// `permission_not_held`; the detail names the missing permissions.
    pub fn require_to_hold(&self, granted: PermissionSet) -> Result<()> {
        let missing: Vec<_> = granted.iter().filter(|&p| !self.may(p)).map(Permission::name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(&problem::PERMISSION_NOT_HELD).detail(format!(
            "You lack {}. Leave it out, or ask someone who holds it to make the change.",
            missing.join(", ")
        )))
    }

    /// The calling user; `None` for an API key, whoever owns it.
    pub fn user_id(&self) -> Option<UserId> {
        match self.principal {
            Principal::User { id, .. } => Some(id),
            Principal::ApiKey { .. } | Principal::System => None,
        }
    }

    /// The user who is responsible: the caller itself, or the owner of the calling API key.
    pub fn responsible(&self) -> Option<UserId> {
        match self.principal {
            Principal::User { id, .. } | Principal::ApiKey { owner: id, .. } => Some(id),
            Principal::System => None,
        }
    }

    /// The session of the caller; `None` for an API key.
    pub fn session(&self) -> Option<SessionId> {
        match self.principal {
            Principal::User { session, .. } => session,
            Principal::ApiKey { .. } | Principal::System => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Principal {
        Principal::User { id: UserId::from_bytes([1; 16]), session: Some(SessionId::from_bytes([2; 16])) }
    }

    fn key() -> Principal {
        Principal::ApiKey { id: KeyId::from_bytes([1; 16]), owner: UserId::from_bytes([4; 16]) }
    }

    fn actor(principal: Principal, permissions: &[Permission]) -> Actor {
        Actor { principal, permissions: PermissionSet::of(permissions), ..Actor::system("req_1") }
    }

    #[test]
    fn a_missing_permission_is_named() {
        let clerk = actor(user(), &[Permission::OrdersRead]);
        assert!(clerk.require(Permission::OrdersReadOwn).is_ok(), "the wider permission includes it");
        let error = clerk.require(Permission::RefundsWrite).unwrap_err();
        assert!(error.is(&problem::FORBIDDEN));
        assert_eq!(
            error.public_detail(),
            Some("This needs refunds:write. Ask an administrator for a role or an API key that includes it.")
        );
    }

    #[test]
    fn an_actor_grants_only_permissions_that_it_holds() {
        let clerk = actor(user(), &[Permission::OrdersRead, Permission::UsersWrite]);
        let held = PermissionSet::of(&[Permission::OrdersReadOwn, Permission::UsersWrite]);
        assert!(clerk.require_to_hold(held).is_ok());
        let error = clerk.require_to_hold(PermissionSet::all()).unwrap_err();
        assert!(error.is(&problem::PERMISSION_NOT_HELD));
        assert!(!error.public_detail().unwrap().contains("users:write"));
        assert!(error.public_detail().unwrap().contains("roles:write"));
    }

    #[test]
    fn only_a_session_makes_an_actor_the_calling_user() {
        let (person, program, system) = (actor(user(), &[]), actor(key(), &[]), Actor::system("req_1"));
        assert_eq!(person.user_id(), person.responsible());
        assert_eq!(person.session(), Some(SessionId::from_bytes([2; 16])));
        assert_eq!(program.user_id(), None);
        assert_eq!(program.responsible(), Some(UserId::from_bytes([4; 16])));
        assert_eq!((system.user_id(), system.responsible(), system.session()), (None, None, None));
    }

    #[test]
    fn scopes_differ_between_principals_and_not_between_sessions() {
        assert_eq!(user().to_string(), UserId::from_bytes([1; 16]).to_string());
        assert_eq!(key().to_string(), KeyId::from_bytes([1; 16]).to_string());
        assert_eq!(Principal::System.to_string(), "system");
        let again = Principal::User { id: UserId::from_bytes([1; 16]), session: None };
        assert_eq!(user().scope(), again.scope());
        assert_ne!(user().scope(), key().scope(), "same identifier, other kind of principal");
        assert_ne!(user().scope(), Principal::System.scope());
    }
}
