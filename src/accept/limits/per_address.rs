//! How many connections one address may have, so that no client can take all of them. Trusted proxies are not counted,
//! since they carry many clients. Nor is the loopback address: a proxy on this machine connects from there, named or
//! not, and whoever can flood it has other ways to stop the server.

use crate::{auth::rate_limit, config::Network};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Refusals are logged at most this often.
const LOG_INTERVAL: Duration = Duration::from_secs(1);
/// Programs on this machine connect from here unless they choose another address.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

pub(super) struct AddressLimit {
    /// Connections that each address may have; 0 means no limit.
    max: usize,
    proxies: Vec<Network>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    open: HashMap<IpAddr, usize>,
    /// Refusals since the last log line.
    unlogged: u64,
    last_logged: Option<Instant>,
}

/// Counts a connection until it is dropped. `None` inside stands for an address that is not limited.
pub(super) struct AddressPermit(Option<(Arc<AddressLimit>, IpAddr)>);

impl AddressLimit {
    /// Allows `max` connections to each address, except to `proxies`; 0 means no limit.
    pub(super) fn new(max: usize, proxies: &[Network]) -> Self {
        Self { max, proxies: proxies.to_vec(), counts: Mutex::default() }
    }

    /// Counts a connection from this address; `None` if the address has as many as it may have.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr, refused: &AtomicU64) -> Option<AddressPermit> {
        let peer = peer.to_canonical();
        if self.max == 0 || LOOPBACK.contains(&peer) || self.proxies.iter().any(|network| network.contains(peer)) {
            return Some(AddressPermit(None));
        }
        // An IPv6 subscriber has a whole network of addresses.
        let (mut counts, subscriber) = (self.counts(), rate_limit::subscriber(peer));
        let open = counts.open.entry(subscriber).or_default();
        if *open < self.max {
            *open += 1;
            return Some(AddressPermit(Some((Arc::clone(self), subscriber))));
        }
        refused.fetch_add(1, Relaxed);
        counts.unlogged += 1;
        self.log_refusals(&mut counts, peer);
        None
    }

    fn log_refusals(&self, counts: &mut Counts, peer: IpAddr) {
        let now = Instant::now();
        if counts.last_logged.is_none_or(|last| now >= last + LOG_INTERVAL) {
            // Taken here, since a log line that is switched off does not evaluate its fields.
            let refused = std::mem::take(&mut counts.unlogged);
            tracing::warn!(
                client.address = %peer,
                connections.refused = refused,
                limits.connections_per_address = self.max,
                "refused connections from an address that has too many"
            );
            counts.last_logged = Some(now);
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let Some((limit, subscriber)) = self.0.take() else { return };
        let mut counts = limit.counts();
        if let Some(open) = counts.open.get_mut(&subscriber) {
            *open -= 1;
            if *open == 0 {
                counts.open.remove(&subscriber);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flag, Sources, load};

    /// Two connections for each address outside 10.0.0.0/8.
    fn two_each() -> Arc<AddressLimit> {
        let flags = vec![Flag::new("--set", "server.trusted_proxies", "10.0.0.0/8")];
        let config = load(Sources { file: None, environment: vec![], flags }).unwrap().config;
        Arc::new(AddressLimit::new(2, &config.server.trusted_proxies))
    }

    fn admit(limit: &Arc<AddressLimit>, address: &str) -> Option<AddressPermit> {
        limit.admit(address.parse().unwrap(), &AtomicU64::new(0))
    }

    #[test]
    fn each_address_has_a_limit_and_a_closed_connection_makes_room() {
        let limit = two_each();
        let [first, second] = ["192.0.2.1", "::ffff:192.0.2.1"].map(|address| admit(&limit, address).unwrap());
        assert!(admit(&limit, "192.0.2.1").is_none());
        let other = admit(&limit, "192.0.2.2");
        assert!(other.is_some());
        drop(first);
        let third = admit(&limit, "192.0.2.1");
        assert!(third.is_some() && admit(&limit, "192.0.2.1").is_none());
        drop((second, third, other));
        assert!(limit.counts().open.is_empty(), "addresses without connections are forgotten");
    }

    #[test]
    fn ipv6_addresses_of_one_subscriber_count_together() {
        let limit = two_each();
        let _kept = ["2001:db8::1", "2001:db8::2"].map(|address| admit(&limit, address).unwrap());
        assert!(admit(&limit, "2001:db8::3").is_none());
        assert!(admit(&limit, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn proxies_and_loopback_are_not_counted_and_zero_means_no_limit() {
        let limit = two_each();
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let kept: Vec<_> = (0..10).map_while(|_| admit(&limit, address)).collect();
            assert_eq!(kept.len(), 10, "{address}");
        }
        let unlimited = Arc::new(AddressLimit::new(0, &[]));
        let kept: Vec<_> = (0..10).map_while(|_| admit(&unlimited, "192.0.2.1")).collect();
        assert_eq!(kept.len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_logged_once_a_second_at_most() {
        let (limit, refused) = (Arc::new(AddressLimit::new(1, &[])), AtomicU64::new(0));
        let address = "192.0.2.1".parse().unwrap();
        let _kept = limit.admit(address, &refused);
        for _ in 0..5 {
            assert!(limit.admit(address, &refused).is_none());
        }
        assert_eq!((refused.load(Relaxed), limit.counts().unlogged), (5, 4), "the first one was logged at once");
        tokio::time::advance(LOG_INTERVAL).await;
        assert!(limit.admit(address, &refused).is_none());
        assert_eq!(limit.counts().unlogged, 0);
    }
}
