//! How many connections there may be.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All together. Each takes a few kilobytes, and a thousand of them would be somebody's mistake.
const MOST: usize = 128;

/// From one address, so that one client that hangs leaves room for the others.
const MOST_OF_ONE: usize = 48;

/// The connections that are open, by the address they come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Connections {
    /// A place for one more connection, if there is one.
    pub(super) fn place(&self, peer: IpAddr) -> Option<Place> {
        let mut open = self.lock();
        if open.values().sum::<usize>() >= MOST {
            return None;
        }
        let of_one = open.entry(peer).or_default();
        if *of_one >= MOST_OF_ONE {
            return None;
        }
        *of_one += 1;
        Some(Place {
            connections: self.clone(),
            peer,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an open connection; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Connections,
    peer: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        let left = open.get(&self.peer).map_or(0, |count| count - 1);
        if left == 0 {
            open.remove(&self.peer);
        } else {
            open.insert(self.peer, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places() {
        let connections = Connections::default();
        let peer = |last: u8| IpAddr::from([192, 168, 1, last]);
        let mut places: Vec<_> = (0..100)
            .filter_map(|_| connections.place(peer(1)))
            .collect();
        assert_eq!(places.len(), MOST_OF_ONE);
        places.extend((0..100).filter_map(|_| connections.place(peer(2))));
        places.extend((0..100).filter_map(|_| connections.place(peer(3))));
        assert_eq!(places.len(), MOST);
        places.clear();
        assert!(connections.lock().is_empty());
        assert!(connections.place(peer(1)).is_some());
    }
}
