//! Objects by number; most of them can be taken out again.

use std::ops::{Index, IndexMut};

/// Objects that share a block of memory, which is given back when all are taken out.
const PAGE: usize = 64;

/// Objects by their numbers, which are given in order and never again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slots<O> {
    pages: Vec<Vec<Option<O>>>,
    next: u32,
}

impl<O> Slots<O> {
    pub(super) fn new() -> Self {
        Self { pages: Vec::new(), next: 0 }
    }

    /// Returns the number that the next object will have.
    pub(super) fn next_number(&self) -> u32 {
        self.next
    }

    /// Adds an object; returns its number.
    pub(super) fn push(&mut self, object: O) -> u32 {
        let number = self.next;
        // A listing of four billion files does not fit into memory anyway.
        self.next = number.checked_add(1).expect("fewer than four billion objects");
        let (page, _) = place(number);
        if page == self.pages.len() {
            self.pages.push(Vec::new());
        }
        self.pages[page].push(Some(object));
        number
    }

    /// Returns an object, unless it was taken out.
    pub(super) fn get(&self, number: u32) -> Option<&O> {
        let (page, slot) = place(number);
        self.pages.get(page)?.get(slot)?.as_ref()
    }

    /// Takes an object out.
    pub(super) fn take(&mut self, number: u32) -> Option<O> {
        let (page, slot) = place(number);
        let page = self.pages.get_mut(page)?;
        let taken = page.get_mut(slot)?.take();
        if page.len() == PAGE && page.iter().all(Option::is_none) {
            *page = Vec::new();
        }
        taken
    }

    /// Returns those that are there, with their numbers, in the order of these.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &O)> {
        let first = (0..=u32::MAX).step_by(PAGE);
        let pages = first.zip(&self.pages);
        pages.flat_map(|(first, page)| {
            let slots = (first..).zip(page);
            slots.filter_map(|(number, object)| Some((number, object.as_ref()?)))
        })
    }
}

/// Indexing panics where the object was taken out: only settled ones are, which nobody
/// refers to by number any more.
impl<O> Index<u32> for Slots<O> {
    type Output = O;

    fn index(&self, number: u32) -> &O {
        self.get(number).expect("an object that was not taken out")
    }
}

impl<O> IndexMut<u32> for Slots<O> {
    fn index_mut(&mut self, number: u32) -> &mut O {
        let (page, slot) = place(number);
        self.pages[page][slot].as_mut().expect("an object that was not taken out")
    }
}

fn place(number: u32) -> (usize, usize) {
    (number as usize / PAGE, number as usize % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_numbers_never_come_back_and_empty_pages_take_no_memory() {
        let mut slots = Slots::new();
        for number in 0..1000_u32 {
            assert_eq!((slots.next_number(), slots.push(number)), (number, number));
        }
        for number in (0..1000).filter(|number| number % 300 != 0) {
            assert_eq!(slots.take(number), Some(number));
            assert_eq!((slots.take(number), slots.get(number)), (None, None));
        }
        assert_eq!(
            slots.iter().map(|(number, object)| (number, *object)).collect::<Vec<_>>(),
            [(0, 0), (300, 300), (600, 600), (900, 900)]
        );
        let held = slots.pages.iter().filter(|page| page.capacity() > 0).count();
        assert_eq!(held, 5, "those with an object, and the last one, which is not full");
        assert_eq!(slots.push(7), 1000);
        slots[300] = 8;
        assert_eq!((slots[300], slots[1000]), (8, 7));
    }
}
