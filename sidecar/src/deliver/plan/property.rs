//! Random files that change between and during passes, against a bucket.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A possible event, by the number of a file or of a transfer in flight.
#[derive(Clone, Copy, Debug)]
enum Step {
    Change(usize),
    Delete(usize),
    Reconcile,
    ReconcileInPieces,
    Retire,
    Start,
    Stored(usize),
    Transient(usize),
    Permanent(usize),
    GivenUp(usize),
    Wake,
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_usize).prop_map(Step::Change),
        1 => (0..6_usize).prop_map(Step::Delete),
        3 => Just(Step::Reconcile),
        1 => Just(Step::ReconcileInPieces),
        1 => Just(Step::Retire),
        4 => Just(Step::Start),
        4 => (0..4_usize).prop_map(Step::Stored),
        1 => (0..4_usize).prop_map(Step::Transient),
        1 => (0..4_usize).prop_map(Step::Permanent),
        2 => (0..4_usize).prop_map(Step::GivenUp),
        1 => Just(Step::Wake),
        1 => Just(Step::Cut),
    ];
    prop::collection::vec(step, 0..80)
}

struct World {
    plan: Plan<(), u32, ()>,
    /// Each file's content, by a number that never comes back.
    files: BTreeMap<String, u32>,
    bucket: BTreeMap<String, u32>,
    /// The content that each transfer in flight reads.
    in_flight: BTreeMap<u32, u32>,
    aborted: BTreeSet<u32>,
    next: u32,
}

impl World {
    fn new() -> Self {
        Self {
            plan: Plan::new(Weights { memory: 1 << 20, largest: 1 << 10, in_flight: 3, sent_bytes: None }),
            files: BTreeMap::new(),
            bucket: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            aborted: BTreeSet::new(),
            next: 0,
        }
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(number) => {
                    let key = self.plan.object(number).desired.key.to_string();
                    // A file that is gone is not found; any content will do here.
                    let content = self.files.get(&key).copied().unwrap_or(u32::MAX);
                    assert_eq!(self.in_flight.insert(number, content), None, "I5: {key} is in flight twice");
                }
                Action::Abort(number) => {
                    assert!(self.in_flight.contains_key(&number), "{number} is not in flight");
                    self.aborted.insert(number);
                }
            }
        }
        assert!(self.in_flight.len() <= 3, "I8: too many transfers");
    }

    fn listing(&self) -> Vec<Desired<(), u32>> {
        let desired = |(key, content): (&String, &u32)| Desired {
            key: key.as_str().into(),
            class: Class::Artifact,
            bytes: u64::from(*content),
            source: (),
            fingerprint: *content,
        };
        self.files.iter().map(desired).collect()
    }

    fn reconcile(&mut self) {
        let actions = self.plan.reconcile(Policy::BestEffort, self.listing());
        self.act(actions);
    }

    /// Takes out after each file what is settled.
    fn reconcile_in_pieces(&mut self) {
        self.plan.begin_listing();
        for desired in self.listing() {
            let actions = self.plan.add(Policy::BestEffort, vec![desired]);
            self.act(actions);
            self.take(Step::Start);
            self.stored(0);
            self.retire();
        }
        self.plan.end_listing();
    }

    fn retire(&mut self) {
        let before = self.plan.summary();
        for object in self.plan.retire() {
            assert!(!object.state.is_open(), "{object:?}");
        }
        assert_eq!(self.plan.summary(), before, "what is taken out still counts");
        for number in self.in_flight.keys() {
            assert!(self.plan.object(*number).state.is_in_flight());
        }
    }

    fn landed(&mut self, index: usize) -> Option<(u32, u32)> {
        let (number, content) = self.in_flight.iter().nth(index).map(|(a, b)| (*a, *b))?;
        self.in_flight.remove(&number);
        Some((number, content))
    }

    fn stored(&mut self, index: usize) {
        if let Some((number, content)) = self.landed(index) {
            self.aborted.remove(&number);
            self.bucket.insert(self.plan.object(number).desired.key.to_string(), content);
            self.plan.stored(number, content, false, ());
        }
    }

    fn failed(&mut self, index: usize, failure: Failure) {
        if let Some((number, _)) = self.landed(index) {
            self.aborted.remove(&number);
            // The pause is over when `Wake` comes.
            let _ = self.plan.failed(number, failure, &Terms { random: 0, left: None });
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Change(file) => {
                self.next += 1;
                self.files.insert(format!("f{file}"), self.next);
            }
            Step::Delete(file) => {
                self.files.remove(&format!("f{file}"));
            }
            Step::Reconcile => self.reconcile(),
            Step::ReconcileInPieces => self.reconcile_in_pieces(),
            Step::Retire => self.retire(),
            Step::Start => {
                let actions = self.plan.start_more(None);
                self.act(actions);
            }
            Step::Stored(index) => self.stored(index),
            Step::Transient(index) => {
                self.failed(index, Failure::Transient { message: "503".to_owned(), wish: None });
            }
            Step::Permanent(index) => self.failed(index, Failure::Permanent("403".to_owned())),
            Step::GivenUp(index) => {
                if let Some(number) = self.aborted.iter().nth(index).copied() {
                    self.aborted.remove(&number);
                    self.in_flight.remove(&number);
                    self.plan.aborted(number);
                }
            }
            Step::Wake => {
                (0..self.plan.objects.next_number()).for_each(|number| self.plan.wake(number));
                self.plan.probe();
            }
            Step::Cut => {
                let actions = self.plan.cut(Part::Bulk);
                self.act(actions);
            }
        }
    }

    /// A final pass over files that change no more, with a store that works.
    fn finish(&mut self) {
        self.reconcile();
        for _ in 0..100 {
            if self.plan.is_settled(Part::Bulk) {
                return;
            }
            self.take(Step::Start);
            self.stored(0);
            self.take(Step::Wake);
        }
        panic!("the pass does not end");
    }
}

proptest! {
    #[test]
    fn after_a_final_pass_the_bucket_holds_the_files(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.finish();
        for (key, content) in &world.files {
            prop_assert_eq!(world.bucket.get(key), Some(content), "{}", key);
        }
        prop_assert_eq!(world.plan.completeness(), Completeness::Complete);
        prop_assert!(world.in_flight.is_empty());
    }
}
