//! Who is calling, what they may do, and on which request: the argument of every use case.
//!
//! An actor is the outcome of authentication and the subject of authorisation. It does not know which things belong
//! to it: ownership is for the use case to compare.

use crate::{
    domain::{
        id::{Identifier, KeyId, SessionId, UserId},
        permission::{Permission, PermissionSet},
        trace::TraceId,
    },
    error::{Error, Result, problem},
};
use std::{fmt, net::IpAddr, sync::Arc};

/// Bytes of a principal's scope: one for the kind, sixteen for the identifier.
const SCOPE_LENGTH: usize = 17;

/// On whose credentials something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A person.
    User {
        /// Who.
        id: UserId,
        /// Their log-in; none where a person acts without one, such as during set-up.
        session: Option<SessionId>,
    },
    /// A program.
    ApiKey {
        /// The key.
        id: KeyId,
        /// The user to whom the key belongs.
        maker: UserId,
    },
    /// This service itself: housekeeping and the command line.
    System,
}

impl Principal {
    /// What separates the idempotency keys of one principal from those of all others. All sessions of a user share one
    /// scope, so that a request can be sent again after a new log-in.
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
    /// The form that event and audit rows carry: `usr_…`, `key_…` or `system`.
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
    /// On whose credentials.
    pub principal: Principal,
    /// What they may do at present.
    pub permissions: PermissionSet,
    /// The user's role; programs have none.
    pub role: Option<Arc<str>>,
    /// The request that this is done for.
    pub request_id: Arc<str>,
    /// The trace of that request, where somebody else knows it too.
    pub trace: Option<TraceId>,
    /// Where the request came from, if it came over the network.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// The service itself, for the work called `request_id`.
    pub fn system(request_id: impl Into<Arc<str>>) -> Self {
        Self {
            principal: Principal::System,
            permissions: PermissionSet::all(),
            role: None,
            request_id: request_id.into(),
            trace: None,
            address: None,
        }
    }

    /// Whether the actor holds `permission`, or the wider one that includes it.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.holds(permission)
    }

    /// Refuses an actor without `permission`.
    ///
    /// # Errors
    /// `forbidden`, naming the permission.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) {
            return Ok(());
        }
        Err(Error::new(&problem::FORBIDDEN).detail(format!("{} is needed for this.", permission.name())))
    }

    /// Refuses to let an actor hand out (in a role or a key) what they do not hold themselves.
    ///
    /// # Errors
    /// `permission_not_held`, naming what is missing.
    pub fn require_to_hold(&self, handed_out: PermissionSet) -> Result<()> {
        let missing: Vec<_> = handed_out.iter().filter(|&p| !self.may(p)).map(Permission::name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(&problem::PERMISSION_NOT_HELD).detail(format!("The caller lacks {}.", missing.join(", "))))
    }

    /// The calling user; none for a program, whoever made its key.
    pub fn user_id(&self) -> Option<UserId> {
        match self.principal {
            Principal::User { id, .. } => Some(id),
            Principal::ApiKey { .. } | Principal::System => None,
        }
    }

    /// The user who answers for what is done: the caller, or the maker of the calling key.
    pub fn responsible(&self) -> Option<UserId> {
        match self.principal {
            Principal::User { id, .. } | Principal::ApiKey { maker: id, .. } => Some(id),
            Principal::System => None,
        }
    }

    /// The log-in that the caller uses.
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
        Principal::ApiKey { id: KeyId::from_bytes([1; 16]), maker: UserId::from_bytes([4; 16]) }
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
        assert_eq!(error.public_detail(), Some("refunds:write is needed for this."));
    }

    #[test]
    fn nobody_hands_out_what_they_do_not_hold() {
        let clerk = actor(user(), &[Permission::OrdersRead, Permission::UsersWrite]);
        let held = PermissionSet::of(&[Permission::OrdersReadOwn, Permission::UsersWrite]);
        assert!(clerk.require_to_hold(held).is_ok());
        let error = clerk.require_to_hold(PermissionSet::all()).unwrap_err();
        assert!(error.is(&problem::PERMISSION_NOT_HELD));
        assert!(!error.public_detail().unwrap().contains("users:write"));
        assert!(error.public_detail().unwrap().contains("roles:write"));
    }

    #[test]
    fn only_people_are_the_calling_user() {
        let (person, program, system) = (actor(user(), &[]), actor(key(), &[]), Actor::system("req_1"));
        assert_eq!(person.user_id(), person.responsible());
        assert_eq!(person.session(), Some(SessionId::from_bytes([2; 16])));
        assert_eq!(program.user_id(), None);
        assert_eq!(program.responsible(), Some(UserId::from_bytes([4; 16])));
        assert_eq!((system.user_id(), system.responsible(), system.session()), (None, None, None));
    }

    #[test]
    fn rows_and_scopes_tell_principals_apart_and_sessions_not() {
        assert_eq!(user().to_string(), UserId::from_bytes([1; 16]).to_string());
        assert_eq!(key().to_string(), KeyId::from_bytes([1; 16]).to_string());
        assert_eq!(Principal::System.to_string(), "system");
        let again = Principal::User { id: UserId::from_bytes([1; 16]), session: None };
        assert_eq!(user().scope(), again.scope());
        assert_ne!(user().scope(), key().scope(), "same bytes, another kind");
        assert_ne!(user().scope(), Principal::System.scope());
    }
}
