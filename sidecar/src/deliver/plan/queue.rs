//! Which object comes next, and how many may be in flight together.

use super::Class;
use std::collections::{BTreeSet, HashMap};

/// What transfers may take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Bytes of memory for all transfers.
    pub memory: u64,
    /// Bytes of memory that a transfer needs at most for its content.
    pub largest: u64,
    /// Transfers at most, however small they are.
    pub in_flight: usize,
}

/// What a transfer needs beside its content: buffers, a connection, a task.
const OVERHEAD: u64 = 128 << 10;

/// When time is short, artifacts above this size go one after another: of
/// several that share the line none might arrive whole.
const SMALL: u64 = 1 << 20;

/// Due objects in the order of a pass, and the weight of those in flight.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    weights: Weights,
    due: BTreeSet<(Class, u64, u32)>,
    in_flight: HashMap<u32, u64>,
    weight: u64,
    hurry: bool,
}

impl Queue {
    pub(super) fn new(weights: Weights) -> Self {
        Self { weights, due: BTreeSet::new(), in_flight: HashMap::new(), weight: 0, hurry: false }
    }

    pub(super) fn hurry(&mut self) {
        self.hurry = true;
    }

    pub(super) fn insert(&mut self, key: (Class, u64, u32)) {
        self.due.insert(key);
    }

    pub(super) fn remove(&mut self, key: (Class, u64, u32)) {
        self.due.remove(&key);
    }

    /// The next object, when it may start. One may always be in flight, however
    /// large it is.
    pub(super) fn take(&mut self) -> Option<u32> {
        let &(class, bytes, number) = self.due.first()?;
        let large = |weight: &u64| *weight > OVERHEAD + SMALL;
        if self.hurry && class == Class::Artifact && bytes > SMALL && self.in_flight.values().any(large) {
            return None;
        }
        let weight = OVERHEAD + bytes.min(self.weights.largest);
        let fits =
            self.in_flight.len() < self.weights.in_flight && self.weight + weight <= self.weights.memory;
        if !fits && !self.in_flight.is_empty() {
            return None;
        }
        self.due.remove(&(class, bytes, number));
        self.in_flight.insert(number, weight);
        self.weight += weight;
        Some(number)
    }

    pub(super) fn leave(&mut self, number: u32) {
        self.weight -= self.in_flight.remove(&number).unwrap_or(0);
    }
}
