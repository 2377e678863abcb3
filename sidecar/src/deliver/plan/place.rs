//! Places of objects in the order of a pass.

use super::Class;

/// An object's class, size and number.
pub(super) type Key = (Class, u64, u32);

/// A place in the queue: the class, the size, and the object's number, from the
/// highest bits to the lowest. Hundreds of thousands may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place(u128);

impl Place {
    pub(super) fn of((class, bytes, number): Key) -> Self {
        Self(u128::from(class as u8) << 96 | u128::from(bytes) << 32 | u128::from(number))
    }

    pub(super) fn number(self) -> u32 {
        self.parts().2
    }

    pub(super) fn parts(self) -> Key {
        let class = Class::ALL[usize::try_from(self.0 >> 96).unwrap_or_default()];
        // What is cut off belongs to the other parts.
        #[expect(clippy::cast_possible_truncation, reason = "each part is cut out of the whole")]
        let (bytes, number) = ((self.0 >> 32) as u64, self.0 as u32);
        (class, bytes, number)
    }
}
