//! Breadth-first search over all states.
//!
//! A visited state is remembered by a hash of 128 bits: two of some millions of
//! states share one with a probability below 1e-24.

use crate::config::Config;
use crate::fair;
use crate::world::World;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::AddAssign;

/// States by their hashes.
pub(crate) type Digests = HashSet<u128, BuildHasherDefault<AsItIs>>;

/// The extent of an exploration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    /// States that can be reached.
    pub(crate) states: usize,
    /// Steps between them.
    pub(crate) steps: usize,
    /// States in which nothing more happens by itself.
    pub(crate) ends: usize,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states, {} steps, {} ends", self.states, self.steps, self.ends)
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.states += other.states;
        self.steps += other.steps;
        self.ends += other.ends;
    }
}

/// Visits every state; the error is the first violation and how it came about.
pub(crate) fn explore(config: Config) -> Result<Stats, String> {
    let mut stats = Stats::default();
    let first = World::new(config)?;
    let number = digest(&first);
    let mut seen = Digests::from_iter([number]);
    let mut ends_well = Digests::default();
    let mut open = VecDeque::from([(number, first)]);
    while let Some((number, world)) = open.pop_front() {
        stats.states += 1;
        stats.ends += usize::from(fair::ends_well(&world, number, &mut ends_well)?);
        for step in world.steps() {
            let mut next = world.clone();
            let told = |broken: String| format!("{broken}\nby {step:?}\nin {world:#?}");
            next.take(&step).map_err(told)?;
            next.check(&world).map_err(told)?;
            stats.steps += 1;
            let number = digest(&next);
            if seen.insert(number) {
                open.push_back((number, next));
            }
        }
    }
    Ok(stats)
}

/// The hash of a state.
pub(crate) fn digest(world: &World) -> u128 {
    let mut hasher = Wide { low: 0x243f_6a88_85a3_08d3, high: 0x1319_8a2e_0370_7344 };
    world.hash(&mut hasher);
    hasher.wide()
}

/// The hash of a hash: one half of it.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a digest is one number");
    }

    #[expect(clippy::cast_possible_truncation, reason = "either half is as good")]
    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Two lanes of multiply and rotate.
struct Wide {
    low: u64,
    high: u64,
}

impl Wide {
    fn word(&mut self, word: u64) {
        self.low = (self.low ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.high =
            (self.high.rotate_left(23) ^ word).wrapping_mul(0xc2b2_ae3d_27d4_eb4f).wrapping_add(self.low);
    }

    fn wide(&self) -> u128 {
        let mix = |value: u64| {
            let value = (value ^ value >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
            value ^ value >> 32
        };
        u128::from(mix(self.low)) << 64 | u128::from(mix(self.high))
    }
}

impl Hasher for Wide {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.word(u64::from(value) | 1 << 40);
    }

    fn write_u32(&mut self, value: u32) {
        self.word(u64::from(value) | 1 << 41);
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn finish(&self) -> u64 {
        self.low ^ self.high
    }
}
