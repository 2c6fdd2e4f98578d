//! How many connections come from one address, so that nobody takes all of them. Proxies that are trusted carry many
//! clients and are not counted; nor is the loopback address, where a proxy on this machine comes from, named or not, and
//! whoever could fill it up has other ways to stop the server. What is asked over a connection is not known here.

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

/// How often those that are refused are logged at most.
const BETWEEN_LINES: Duration = Duration::from_secs(1);
/// Where programs on this machine come from unless they choose otherwise.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Who has how many connections.
pub(super) struct Peers {
    /// So many each may have; 0 is no limit.
    most: usize,
    proxies: Vec<Network>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashMap<IpAddr, usize>,
    /// Those that were refused since the last line.
    refused: u64,
    last_line: Option<Instant>,
}

/// A connection that is counted as long as this is there.
pub(super) struct Counted(Option<(Arc<Peers>, IpAddr)>);

impl Peers {
    /// Allows `most` connections to each address but those of `proxies`; 0 is no limit.
    pub(super) fn new(most: usize, proxies: &[Network]) -> Self {
        Self { most, proxies: proxies.to_vec(), state: Mutex::default() }
    }

    /// Counts a connection from this address; nothing if it has as many as it may have.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr, refused: &AtomicU64) -> Option<Counted> {
        let peer = peer.to_canonical();
        if self.most == 0 || LOOPBACK.contains(&peer) || self.proxies.iter().any(|network| network.contains(peer)) {
            return Some(Counted(None));
        }
        let (mut state, subscriber) = (self.state(), rate_limit::subscriber(peer));
        let held = state.held.entry(subscriber).or_default();
        if *held < self.most {
            *held += 1;
            return Some(Counted(Some((Arc::clone(self), subscriber))));
        }
        refused.fetch_add(1, Relaxed);
        state.refused += 1;
        self.tell(&mut state, peer);
        None
    }

    /// Logs those that were refused, unless that was done a moment ago.
    fn tell(&self, state: &mut State, peer: IpAddr) {
        let now = Instant::now();
        if state.last_line.is_none_or(|last| now >= last + BETWEEN_LINES) {
            let refused = std::mem::take(&mut state.refused);
            tracing::warn!(
                client.address = %peer,
                connections.refused = refused,
                limits.connections_per_address = self.most,
                "refused connections from an address that has too many"
            );
            state.last_line = Some(now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((peers, subscriber)) = self.0.take() else { return };
        let mut state = peers.state();
        if let Some(held) = state.held.get_mut(&subscriber) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&subscriber);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flag, Sources, load};

    /// Those that may have two each, but for proxies.
    fn peers() -> Arc<Peers> {
        let flags = vec![Flag::new("--set", "server.trusted_proxies", "10.0.0.0/8")];
        let config = load(Sources { file: None, environment: vec![], flags }).unwrap().config;
        Arc::new(Peers::new(2, &config.server.trusted_proxies))
    }

    fn admit(peers: &Arc<Peers>, address: &str) -> Option<Counted> {
        peers.admit(address.parse().unwrap(), &AtomicU64::new(0))
    }

    #[test]
    fn each_address_has_so_many_and_those_that_end_make_room() {
        let peers = peers();
        let [first, second] = ["192.0.2.1", "::ffff:192.0.2.1"].map(|address| admit(&peers, address).unwrap());
        assert!(admit(&peers, "192.0.2.1").is_none());
        let other = admit(&peers, "192.0.2.2");
        assert!(other.is_some());
        drop(first);
        let third = admit(&peers, "192.0.2.1");
        assert!(third.is_some() && admit(&peers, "192.0.2.1").is_none());
        drop((second, third, other));
        assert!(peers.state().held.is_empty(), "who has none is forgotten");
    }

    #[test]
    fn a_subscriber_has_many_addresses_of_the_sixth_version() {
        let peers = peers();
        let _kept = ["2001:db8::1", "2001:db8::2"].map(|address| admit(&peers, address).unwrap());
        assert!(admit(&peers, "2001:db8::3").is_none());
        assert!(admit(&peers, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn proxies_and_this_machine_are_not_counted_and_zero_is_no_limit() {
        let peers = peers();
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let kept: Vec<_> = (0..10).map_while(|_| admit(&peers, address)).collect();
            assert_eq!(kept.len(), 10, "{address}");
        }
        let unlimited = Arc::new(Peers::new(0, &[]));
        let kept: Vec<_> = (0..10).map_while(|_| admit(&unlimited, "192.0.2.1")).collect();
        assert_eq!(kept.len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_a_line_a_second_at_most() {
        let (peers, refused) = (Arc::new(Peers::new(1, &[])), AtomicU64::new(0));
        let address = "192.0.2.1".parse().unwrap();
        let _kept = peers.admit(address, &refused);
        for _ in 0..5 {
            assert!(peers.admit(address, &refused).is_none());
        }
        assert_eq!((refused.load(Relaxed), peers.state().refused), (5, 4), "the first one was logged at once");
        tokio::time::advance(BETWEEN_LINES).await;
        assert!(peers.admit(address, &refused).is_none());
        assert_eq!(peers.state().refused, 0);
    }
}
