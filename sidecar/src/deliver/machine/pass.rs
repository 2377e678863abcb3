//! The one pass: how it begins, is upgraded, goes on from part to part, and ends.

use super::{Completeness, Directive, Machine, Part, Pass, Policy, Record, Timer, Verdict};

impl Machine {
    /// Begins a pass, or upgrades the running one.
    pub(super) fn begin(&mut self, policy: Policy, out: &mut Vec<Directive>) {
        match self.pass {
            Pass::Idle => {}
            Pass::Preparing(running)
            | Pass::Sending(running, _)
            | Pass::Fencing(running)
            | Pass::WritingResult(running) => {
                if running >= policy {
                    return;
                }
                if running == Policy::BestEffort {
                    out.push(Directive::Record(Record::Upgraded));
                }
            }
            Pass::AwaitingTerm | Pass::Over => return,
        }
        self.pass = Pass::Preparing(policy);
        out.push(Directive::BeginPass(policy));
        out.push(Directive::Prepare(policy));
        if self.cut
            && let Some(budget) = self.config.budget
        {
            // Nothing is sent any more; the closing objects cannot wait for long.
            out.push(Directive::Arm(Timer::Cutoff, budget.deadline.saturating_sub(budget.cutoff) / 4));
        }
    }

    /// Nothing is under way but perhaps a checkpoint, which gives way to anything.
    pub(super) fn is_at_rest(&self) -> bool {
        match self.pass {
            Pass::Idle | Pass::Preparing(Policy::Checkpoint) | Pass::Sending(Policy::Checkpoint, _) => true,
            Pass::Preparing(_)
            | Pass::Sending(..)
            | Pass::Fencing(_)
            | Pass::WritingResult(_)
            | Pass::AwaitingTerm
            | Pass::Over => false,
        }
    }

    /// Nothing is under way; the next checkpoint comes.
    pub(super) fn rest(&mut self, out: &mut Vec<Directive>) {
        self.pass = Pass::Idle;
        if self.config.checkpoints && !self.cut {
            out.push(Directive::ArmCheckpoint);
        }
    }

    pub(super) fn send(&mut self, policy: Policy, part: Part, out: &mut Vec<Directive>) {
        self.pass = Pass::Sending(policy, part);
        out.push(Directive::Send(policy, part));
        if part == Part::Bulk && self.cut {
            out.push(Directive::CutUploads);
        }
    }

    pub(super) fn sent(&mut self, policy: Policy, part: Part, out: &mut Vec<Directive>) {
        match (policy, part) {
            (Policy::Checkpoint, _) => {
                out.push(Directive::EndCheckpoint);
                self.rest(out);
            }
            (_, Part::Bulk) => self.send(policy, Part::OwnLog, out),
            // The page never costs the result: it has no part in the time for closing objects.
            (Policy::Final, Part::OwnLog) if self.config.page && !self.cut => {
                self.send(policy, Part::Page, out);
            }
            (Policy::Final, Part::OwnLog | Part::Page) => self.send(policy, Part::Manifest, out),
            (Policy::BestEffort, Part::OwnLog | Part::Page) | (_, Part::Manifest) => {
                self.write_result(policy, out);
            }
        }
    }

    pub(super) fn write_result(&mut self, policy: Policy, out: &mut Vec<Directive>) {
        if self.provisional_in_flight {
            self.pass = Pass::Fencing(policy);
            out.push(Directive::AbandonResult);
            return;
        }
        let verdict = match policy {
            Policy::Checkpoint | Policy::BestEffort => Verdict::PROVISIONAL,
            // A final pass begins only when every entry has ended.
            Policy::Final => self.ends().map_or(Verdict::PROVISIONAL, Verdict::of),
        };
        self.provisional_in_flight = policy != Policy::Final;
        self.pass = Pass::WritingResult(policy);
        out.push(Directive::WriteResult(policy, verdict));
    }

    pub(super) fn result_settled(
        &mut self,
        policy: Policy,
        complete: Completeness,
        out: &mut Vec<Directive>,
    ) {
        match policy {
            Policy::Checkpoint | Policy::BestEffort => {
                self.provisional_in_flight = false;
                match self.pass {
                    Pass::WritingResult(Policy::Checkpoint | Policy::BestEffort) => {
                        out.push(Directive::Record(match complete {
                            Completeness::Complete => Record::BestEffortDelivered,
                            Completeness::Incomplete => Record::BestEffortFailed,
                        }));
                        self.rest(out);
                    }
                    Pass::Fencing(waiting) => self.write_result(waiting, out),
                    Pass::Idle
                    | Pass::Preparing(_)
                    | Pass::Sending(..)
                    | Pass::WritingResult(Policy::Final)
                    | Pass::AwaitingTerm
                    | Pass::Over => {}
                }
            }
            Policy::Final if self.pass == Pass::WritingResult(Policy::Final) => {
                out.push(Directive::Record(match complete {
                    Completeness::Complete => Record::Delivered,
                    Completeness::Incomplete => Record::DeliveryFailed,
                }));
                if self.config.native && !self.all_gone {
                    self.pass = Pass::AwaitingTerm;
                    out.push(Directive::Record(Record::AwaitingTerm));
                } else {
                    self.finish(out);
                }
            }
            Policy::Final => {}
        }
    }

    /// The pod is about to be killed, and its result is not written yet. The
    /// pass goes on, and writes it again at its end.
    pub(super) fn interim(&mut self, out: &mut Vec<Directive>) {
        match self.pass {
            Pass::Idle | Pass::Preparing(_) | Pass::Sending(..) if !self.provisional_in_flight => {
                let verdict = self.ends().map_or(Verdict::PROVISIONAL, Verdict::of);
                self.provisional_in_flight = true;
                out.push(Directive::Record(Record::Interim));
                out.push(Directive::WriteResult(Policy::BestEffort, verdict));
            }
            // A result is on its way, or there already.
            Pass::Idle
            | Pass::Preparing(_)
            | Pass::Sending(..)
            | Pass::Fencing(_)
            | Pass::WritingResult(_)
            | Pass::AwaitingTerm
            | Pass::Over => {}
        }
    }

    /// The time for the bulk is over: the closing objects come next.
    pub(super) fn cut_off(&mut self, out: &mut Vec<Directive>) {
        self.cut = true;
        match self.pass {
            Pass::Preparing(policy) => {
                out.push(Directive::Record(Record::UploadsCut));
                self.send(policy, Part::Bulk, out);
            }
            Pass::Sending(_, Part::Bulk | Part::Page) => {
                out.push(Directive::Record(Record::UploadsCut));
                out.push(Directive::CutUploads);
            }
            Pass::Idle
            | Pass::Sending(..)
            | Pass::Fencing(_)
            | Pass::WritingResult(_)
            | Pass::AwaitingTerm
            | Pass::Over => {}
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Directive>) {
        self.pass = Pass::Over;
        out.push(Directive::Finish);
    }
}
