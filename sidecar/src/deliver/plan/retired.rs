//! Objects that are taken out of the plan, so that it holds only a part of a large job at a time.

use super::{Class, Object, Plan, State, Summary};
use crate::deliver::policy::Part;

/// Facts about artifacts that were taken out since the listing began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Retired {
    /// Counts over all of them.
    pub sum: Summary,
    /// The key of the first one that could not be stored, and why.
    pub failure: Option<(Box<str>, Box<str>)>,
    /// The limit that the first one of those beyond a limit is beyond.
    pub over_limit: Option<Box<str>>,
}

impl<S, F: PartialEq + Clone, T> Plan<S, F, T> {
    /// Takes out every artifact that is done with, in the order of
    /// the keys, for the caller to write down; not those of an earlier pass that a listing under way has
    /// not found yet. A later listing knows nothing of what was taken out, and finds new
    /// objects.
    pub(in crate::deliver) fn retire(&mut self) -> Vec<Object<S, F, T>> {
        let mut taken = Vec::new();
        let (objects, listed) = (&mut self.objects, &self.listed);
        self.by_key.retain(|number| {
            let object = &objects[*number];
            // The listing under way may find it unchanged.
            let is_awaited = listed.get(*number as usize).is_some_and(|listed| !listed);
            let stays = object.desired.class != Class::Artifact || object.state.is_open() || is_awaited;
            if !stays {
                taken.extend(objects.take(*number));
            }
            stays
        });
        taken.append(&mut self.displaced);
        for object in &taken {
            self.retired.count(object);
        }
        self.by_key.shrink_to(2 * self.by_key.len());
        taken
    }

    /// Artifacts that were taken out since the listing began.
    pub fn retired(&self) -> &Retired {
        &self.retired
    }

    /// Counts the objects that it holds, and those of them that are to be sent before the
    /// closing ones.
    pub fn held(&self) -> (usize, usize) {
        (self.by_key.len() + self.displaced.len(), self.open[Part::Bulk as usize])
    }
}

impl Retired {
    fn count<S, F, T>(&mut self, object: &Object<S, F, T>) {
        self.sum.count(object);
        match &object.state {
            State::Failed(error) if self.failure.is_none() => {
                self.failure = Some((object.desired.key.to_string().into(), error.clone()));
            }
            State::OverLimit(reason) => {
                self.over_limit.get_or_insert_with(|| reason.clone());
            }
            State::Failed(_)
            | State::Queued
            | State::InFlight
            | State::Restarting
            | State::Aborting { .. }
            | State::Pausing
            | State::Stored
            | State::Changed
            | State::Skipped(_)
            | State::OutOfTime
            | State::Withheld(_) => {}
        }
    }
}
