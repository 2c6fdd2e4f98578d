//! How many connections there may be, in all and from one address. When all are taken, the connection that has been
//! idle for longest is evicted.

mod descriptors;
mod per_address;

pub use descriptors::max_connections;

use crate::config::Config;
use per_address::{AddressLimit, AddressPermit};
use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long to wait for an evicted connection to close before another one is evicted.
const EVICTION_TIME: Duration = Duration::from_millis(100);

pub(super) struct ConnectionLimits {
    free: Arc<Semaphore>,
    per_address: Arc<AddressLimit>,
    evictions: Arc<Notify>,
}

/// A connection counts against the limits until its permit is dropped.
pub(super) struct ConnectionPermit {
    _slot: OwnedSemaphorePermit,
    _address: AddressPermit,
}

impl ConnectionLimits {
    pub(super) fn new(config: &Config) -> Self {
        let max = descriptors::available_connections(config.limits.connections).min(Semaphore::MAX_PERMITS);
        let per_address = AddressLimit::new(config.limits.connections_per_address, &config.server.trusted_proxies);
        Self { free: Arc::new(Semaphore::new(max)), per_address: Arc::new(per_address), evictions: Arc::default() }
    }

    /// Waits until a connection from `peer` may be served; `None` if that address has too many already, which is
    /// counted in `refused`.
    pub(super) async fn admit(&self, peer: IpAddr, refused: &AtomicU64) -> Option<ConnectionPermit> {
        let address = self.per_address.admit(peer, refused)?;
        Some(ConnectionPermit { _slot: self.slot().await, _address: address })
    }

    async fn slot(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
                return slot;
            }
            self.evict_one();
            if let Ok(Ok(slot)) = timeout(EVICTION_TIME, Arc::clone(&self.free).acquire_owned()).await {
                return slot;
            }
        }
    }

    /// Closes the connection that has been idle for longest, or the next one that becomes idle.
    pub(super) fn evict_one(&self) {
        self.evictions.notify_one();
    }

    /// Idle connections wait for this, in the order in which they became idle, and close when it wakes them.
    pub(super) fn evictions(&self) -> Arc<Notify> {
        Arc::clone(&self.evictions)
    }
}
