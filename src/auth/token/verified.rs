//! Tokens of one key that were verified before. A client sends the same token with each request until it expires, and
//! to verify it takes ten times as long as to find it here. Only what cannot change is kept: the times of a token, the
//! key and the session are checked at each request.

use super::{Proven, Timestamp};
use crate::domain::digest::sha256;
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

/// The most tokens that are kept. Each takes some 100 bytes.
const MOST: usize = 10_000;

/// What verified tokens prove, by their SHA-256: the tokens themselves are not kept.
#[derive(Default)]
pub(super) struct Verified(RwLock<HashMap<[u8; 32], Proven>>);

impl Verified {
    /// What `token` proves, as found by `verify` now or before. A token that is not valid `now` is not kept.
    pub(super) fn find_or(
        &self,
        token: &str,
        now: Timestamp,
        verify: impl FnOnce() -> Option<Proven>,
    ) -> Option<Proven> {
        let digest = sha256(&[token.as_bytes()]);
        if let Some(proven) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return Some(*proven);
        }
        let proven = verify()?;
        if proven.claims_at(now).is_some() {
            let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= MOST {
                kept.retain(|_, proven| proven.claims_at(now).is_some());
            }
            if kept.len() >= MOST {
                kept.clear();
            }
            kept.insert(digest, proven);
        }
        Some(proven)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Claims, Identifier, SessionId, UserId},
        *,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);

    fn proven(expires: i64) -> Proven {
        let (user, session) = (UserId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        let claims = Claims { user, session, issued: NOW, expires: Timestamp::from_millis(NOW.millis() + expires) };
        Proven { claims, not_before: 0 }
    }

    fn kept(verified: &Verified) -> usize {
        verified.0.read().unwrap().len()
    }

    #[test]
    fn a_valid_token_is_verified_once() {
        let verified = Verified::default();
        assert!(verified.find_or("bad", NOW, || None).is_none());
        assert!(verified.find_or("expired", NOW, || Some(proven(0))).is_some());
        assert_eq!(kept(&verified), 0);
        assert_eq!(verified.find_or("good", NOW, || Some(proven(1_000))), Some(proven(1_000)));
        assert_eq!(verified.find_or("good", NOW, || panic!("verified again")), Some(proven(1_000)));
        assert!(verified.find_or("goods", NOW, || None).is_none());
    }

    #[test]
    fn expired_tokens_make_room_for_others() {
        let (verified, later) = (Verified::default(), Timestamp::from_millis(NOW.millis() + 1_000));
        for number in 0..MOST {
            verified.find_or(&number.to_string(), NOW, || Some(proven(if number < 10 { 2_000 } else { 1_000 })));
        }
        verified.find_or("one more", later, || Some(proven(3_000)));
        assert_eq!(kept(&verified), 11);
    }
}
