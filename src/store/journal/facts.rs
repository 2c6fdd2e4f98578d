//! Facts of access as bytes, both ways. The numbers of the kinds are stored: a new kind gets a new one, and none is
//! used again.

use super::bytes::{Reader, put_bytes, put_int};
use crate::{
    domain::{
        access::{BrowserHalves, CachedKey, CachedSession, CachedUser, Fact, GuessedAt, SessionSecrets, SessionUse},
        id::{Identifier, SessionId},
        permission::PermissionSet,
        time::Timestamp,
    },
    store::roles,
};

pub(super) fn put(out: &mut Vec<u8>, fact: &Fact) {
    match fact {
        Fact::User(id, CachedUser { role, active, second_factor }) => {
            start(out, 1, id);
            put_bytes(out, role.as_bytes());
            out.extend([u8::from(*active), u8::from(*second_factor)]);
        }
        Fact::Role(name, permissions) => {
            out.push(2);
            put_bytes(out, name.as_bytes());
            put_permissions(out, *permissions);
        }
        Fact::RoleDeleted(name) => {
            out.push(3);
            put_bytes(out, name.as_bytes());
        }
        Fact::Session(id, session) => {
            start(out, 4, id);
            put_session(out, session);
        }
        Fact::SessionEnded(id) => start(out, 5, id),
        Fact::SessionsEnded(user, except) => {
            start(out, 6, user);
            put_option(out, except.as_ref(), |out, session: &SessionId| out.extend(session.bytes()));
        }
        Fact::SessionUsed(id, SessionUse { last_used_at, expires_at }) => {
            start(out, 7, id);
            put_int(out, last_used_at.millis());
            put_int(out, expires_at.millis());
        }
        Fact::Key(digest, CachedKey { id, owner, permissions, expires_at }) => {
            start(out, 8, id);
            out.extend(digest);
            out.extend(owner.bytes());
            put_permissions(out, *permissions);
            put_option(out, expires_at.as_ref(), |out, at| put_int(out, at.millis()));
        }
        Fact::KeyRevoked(id) => start(out, 9, id),
        Fact::KeysRevoked(owner) => start(out, 10, owner),
        Fact::KeyUsed(id, at) => {
            start(out, 11, id);
            put_int(out, at.millis());
        }
        Fact::DocumentsErased => out.push(12),
        Fact::WebhooksChanged => out.push(13),
        Fact::Restored => out.push(14),
        Fact::LogInFailed(guessed, at) => {
            out.push(15);
            put_guessed(out, guessed);
            put_int(out, at.millis());
        }
        Fact::LogInSucceeded(guessed, known) => {
            out.push(16);
            put_guessed(out, guessed);
            out.extend(known);
        }
    }
}

fn start(out: &mut Vec<u8>, kind: u8, id: &impl Identifier) {
    out.push(kind);
    out.extend(id.bytes());
}

fn put_guessed(out: &mut Vec<u8>, guessed: &GuessedAt) {
    out.extend(guessed.process);
    out.extend(guessed.account);
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<&T>, put: impl FnOnce(&mut Vec<u8>, &T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn put_permissions(out: &mut Vec<u8>, permissions: PermissionSet) {
    put_bytes(out, roles::as_text(permissions).as_bytes());
}

fn put_session(out: &mut Vec<u8>, session: &CachedSession) {
    out.extend(session.user.bytes());
    out.push(u8::from(session.by_provider));
    match session.secrets {
        SessionSecrets::Program { expires_at } => {
            out.push(0);
            put_int(out, expires_at.millis());
        }
        SessionSecrets::Browser(halves) => {
            out.push(1);
            out.extend(halves.cookie);
            out.extend(halves.console_key);
            put_int(out, halves.created_at.millis());
            put_int(out, halves.last_used_at.millis());
        }
    }
}

/// The next fact; none if the bytes are not one.
pub(super) fn take(from: &mut Reader<'_>) -> Option<Fact> {
    Some(match from.byte()? {
        1 => Fact::User(
            id(from)?,
            CachedUser { role: from.text()?.into(), active: flag(from)?, second_factor: flag(from)? },
        ),
        2 => Fact::Role(from.text()?.to_owned(), permissions(from)?),
        3 => Fact::RoleDeleted(from.text()?.to_owned()),
        4 => Fact::Session(id(from)?, session(from)?),
        5 => Fact::SessionEnded(id(from)?),
        6 => Fact::SessionsEnded(id(from)?, option(from, id)?),
        7 => Fact::SessionUsed(id(from)?, SessionUse { last_used_at: time(from)?, expires_at: time(from)? }),
        8 => {
            let (id, digest) = (id(from)?, from.array()?);
            let key = CachedKey {
                id,
                owner: self::id(from)?,
                permissions: permissions(from)?,
                expires_at: option(from, time)?,
            };
            Fact::Key(digest, key)
        }
        9 => Fact::KeyRevoked(id(from)?),
        10 => Fact::KeysRevoked(id(from)?),
        11 => Fact::KeyUsed(id(from)?, time(from)?),
        12 => Fact::DocumentsErased,
        13 => Fact::WebhooksChanged,
        14 => Fact::Restored,
        15 => Fact::LogInFailed(guessed(from)?, time(from)?),
        16 => Fact::LogInSucceeded(guessed(from)?, from.array()?),
        _ => return None,
    })
}

fn id<I: Identifier>(from: &mut Reader<'_>) -> Option<I> {
    from.array().map(I::from_bytes)
}

fn guessed(from: &mut Reader<'_>) -> Option<GuessedAt> {
    Some(GuessedAt { process: from.array()?, account: from.array()? })
}

fn flag(from: &mut Reader<'_>) -> Option<bool> {
    match from.byte()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn time(from: &mut Reader<'_>) -> Option<Timestamp> {
    from.int().map(Timestamp::from_millis)
}

fn permissions(from: &mut Reader<'_>) -> Option<PermissionSet> {
    roles::parse(from.text()?)
}

#[allow(clippy::option_option, reason = "the outer one is none if the bytes end too early")]
fn option<T>(from: &mut Reader<'_>, take: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Option<Option<T>> {
    Some(if flag(from)? { Some(take(from)?) } else { None })
}

fn session(from: &mut Reader<'_>) -> Option<CachedSession> {
    let (user, by_provider) = (id(from)?, flag(from)?);
    let secrets = if flag(from)? {
        SessionSecrets::Browser(BrowserHalves {
            cookie: from.array()?,
            console_key: from.array()?,
            created_at: time(from)?,
            last_used_at: time(from)?,
        })
    } else {
        SessionSecrets::Program { expires_at: time(from)? }
    };
    Some(CachedSession { user, secrets, by_provider })
}
