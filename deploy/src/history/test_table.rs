//! The names of tests, each once: many builds name the same.

use std::collections::HashMap;

/// Upper bound on tests that are told apart; failures of further ones are counted.
const MAX_TESTS: usize = 10_000;

/// The outcome of a test that a build names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Failed,
    /// Passed when it ran again.
    Flaky,
}

/// Tests by their suite and name.
#[derive(Debug, Default)]
pub(super) struct TestTable {
    tests: Vec<(String, String)>,
    indexes: HashMap<(String, String), usize>,
    /// Failures of tests beyond the limit.
    pub(super) left_out: u64,
}

impl TestTable {
    /// Returns the index of a test; `None` when there are too many.
    pub(super) fn intern(&mut self, name: (String, String)) -> Option<usize> {
        if let Some(index) = self.indexes.get(&name) {
            return Some(*index);
        }
        if self.tests.len() == MAX_TESTS {
            self.left_out += 1;
            return None;
        }
        let index = self.tests.len();
        self.tests.push(name.clone());
        self.indexes.insert(name, index);
        Some(index)
    }

    /// Returns suite and name of each test, by index.
    pub(super) fn names(&self) -> &[(String, String)] {
        &self.tests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_bounded_and_the_rest_is_counted() {
        let mut table = TestTable::default();
        for number in 0..MAX_TESTS + 5 {
            table.intern((String::new(), number.to_string()));
        }
        assert_eq!((table.tests.len(), table.left_out), (MAX_TESTS, 5));
        assert_eq!(table.intern((String::new(), "7".to_owned())), Some(7));
    }
}
