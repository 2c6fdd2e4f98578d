//! The sessions in the access cache. Those of programs are found by the identifier in an access token, those of
//! browsers by the digest of their cookie.

use crate::{
    auth::secret::{Digest, same_digest},
    domain::{
        access::{BrowserHalves, CachedSession, SessionSecrets, SessionUse},
        id::{SessionId, UserId},
        time::Timestamp,
    },
};
use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// How long browsers stay signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserLimits {
    /// After the last request.
    pub idle: Duration,
    /// After the log-in.
    pub max: Duration,
}

impl BrowserLimits {
    /// When a session ends if nothing more is asked.
    pub fn end(&self, created_at: Timestamp, last_used_at: Timestamp) -> Timestamp {
        created_at.plus(self.max).min(last_used_at.plus(self.idle))
    }
}

/// Sessions by identifier and by cookie.
#[derive(Default)]
pub struct Sessions {
    by_id: HashMap<SessionId, Entry>,
    by_cookie: HashMap<Digest, SessionId>,
}

pub(super) struct Entry {
    pub(super) session: CachedSession,
    /// The last use of a browser's session, in milliseconds since the epoch.
    last_used: AtomicI64,
    /// The last use that the database contains.
    saved_last_use: AtomicI64,
}

impl Sessions {
    /// Adds or replaces a session.
    pub fn insert(&mut self, id: SessionId, session: CachedSession) {
        let last_used = match session.secrets {
            SessionSecrets::Program { .. } => 0,
            SessionSecrets::Browser(BrowserHalves { cookie, last_used_at, .. }) => {
                self.by_cookie.insert(cookie, id);
                last_used_at.millis()
            }
        };
        let entry = Entry { session, last_used: AtomicI64::new(last_used), saved_last_use: AtomicI64::new(last_used) };
        self.by_id.insert(id, entry);
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Entry> {
        self.by_id.get(&id)
    }

    /// The session of a browser that has sent both halves.
    pub(super) fn of_browser(&self, cookie: &Digest, console_key: &Digest) -> Option<(SessionId, &Entry)> {
        let id = *self.by_cookie.get(cookie)?;
        let entry = self.by_id.get(&id)?;
        let SessionSecrets::Browser(halves) = &entry.session.secrets else { return None };
        same_digest(&halves.console_key, console_key).then_some((id, entry))
    }

    /// The last use of each browser's session that the database does not contain yet.
    pub(super) fn unsaved_uses(&self, limits: &BrowserLimits) -> Vec<(SessionId, SessionUse)> {
        let unsaved = self.by_id.iter().filter(|(_, entry)| {
            entry.last_used.load(Ordering::Relaxed) > entry.saved_last_use.load(Ordering::Relaxed)
        });
        unsaved.filter_map(|(id, entry)| Some((*id, entry.last_use(limits)?))).collect()
    }

    /// Notes that the database contains this use, which another process may have seen.
    pub(super) fn mark_use_saved(&self, id: SessionId, used: SessionUse) {
        if let Some(entry) = self.by_id.get(&id) {
            entry.last_used.fetch_max(used.last_used_at.millis(), Ordering::Relaxed);
            entry.saved_last_use.fetch_max(used.last_used_at.millis(), Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&mut self, id: SessionId) {
        if let Some(SessionSecrets::Browser(halves)) = self.by_id.remove(&id).map(|entry| entry.session.secrets) {
            self.by_cookie.remove(&halves.cookie);
        }
    }

    pub(super) fn remove_of(&mut self, user: UserId, except: Option<SessionId>) {
        self.retain(|id, entry| entry.session.user != user || Some(id) == except);
    }

    pub(super) fn prune(&mut self, now: Timestamp, limits: &BrowserLimits) {
        self.retain(|_, entry| now < entry.expires_at(limits));
    }

    fn retain(&mut self, keep: impl Fn(SessionId, &Entry) -> bool) {
        let cookies = &mut self.by_cookie;
        self.by_id.retain(|id, entry| {
            let kept = keep(*id, entry);
            if let (false, SessionSecrets::Browser(halves)) = (kept, &entry.session.secrets) {
                cookies.remove(&halves.cookie);
            }
            kept
        });
    }
}

impl Entry {
    pub(super) fn expires_at(&self, limits: &BrowserLimits) -> Timestamp {
        match self.session.secrets {
            SessionSecrets::Program { expires_at } => expires_at,
            SessionSecrets::Browser(halves) => {
                limits.end(halves.created_at, Timestamp::from_millis(self.last_used.load(Ordering::Relaxed)))
            }
        }
    }

    /// Records a request of a browser. Requests with an access token do not extend a session.
    pub(super) fn record_use(&self, now: Timestamp) {
        self.last_used.fetch_max(now.millis(), Ordering::Relaxed);
    }

    /// The last use of a browser's session; `None` for a program's.
    pub(super) fn last_use(&self, limits: &BrowserLimits) -> Option<SessionUse> {
        let last_used_at = Timestamp::from_millis(self.last_used.load(Ordering::Relaxed));
        let is_browser = matches!(self.session.secrets, SessionSecrets::Browser(_));
        is_browser.then(|| SessionUse { last_used_at, expires_at: self.expires_at(limits) })
    }
}
