//! The page: it comes between own log and manifest, and never costs the result.

use super::tests::{Core, PASSED, TERM, at, bulk, core, deeds, event, object, put, stored};
use super::*;
use crate::deliver::{Budget, Class, Completeness, Config, Failure, Outcome, Precondition};

/// A pass whose own log is stored, so that the page is made.
fn at_the_page(budget: Option<Budget>) -> Core {
    let mut core = core(budget);
    core.machine = Machine::new(Config { page: true, ..core.setup.machine.clone() });
    let _ = event(&mut core, PASSED);
    if budget.is_some() {
        let _ = event(&mut core, TERM);
    }
    let _ = core.handle(Input::Listed(Policy::Final, bulk(Vec::new())), &at(0));
    let own_log = object("sidecar-logs.json", Class::OwnLog, 1, 1);
    let _ = core.handle(Input::Composed(Document::OwnLog, own_log), &at(0));
    assert_eq!(stored(&mut core, 0, 1), [Effect::Compose(Document::Page)]);
    core
}

fn made(core: &mut Core) -> Vec<Effect<u8>> {
    let page = object("report.html", Class::Page, 1, 1);
    deeds(core.handle(Input::Composed(Document::Page, page), &at(0)))
}

#[test]
fn the_page_is_stored_before_the_manifest_is_made() {
    let mut core = at_the_page(None);
    assert_eq!(made(&mut core), [put(1, Precondition::Overwrite)]);
    assert_eq!(stored(&mut core, 1, 1), [Effect::Compose(Document::Manifest)]);
}

#[test]
fn a_page_that_cannot_be_made_is_left_out() {
    let mut core = at_the_page(None);
    let effects = core.handle(Input::NotComposed, &at(0));
    assert_eq!(deeds(effects), [Effect::Compose(Document::Manifest)]);
    assert_eq!(core.completeness(), Completeness::Complete);
}

#[test]
fn a_page_that_the_store_refuses_makes_nothing_incomplete() {
    let mut core = at_the_page(None);
    let _ = made(&mut core);
    let failure = Outcome::Failed(Failure::Permanent("403".to_owned()));
    let effects = core.handle(Input::TransferEnded(1, failure), &at(0));
    assert_eq!(deeds(effects), [Effect::Compose(Document::Manifest)]);
    assert_eq!(core.completeness(), Completeness::Complete);
}

#[test]
fn at_the_cutoff_the_page_is_given_up() {
    let budget = Some(Budget::of(Duration::from_secs(30)));
    let mut core = at_the_page(budget);
    assert_eq!(event(&mut core, Event::Fired(Timer::Cutoff)), []);
    assert_eq!(made(&mut core), [Effect::Compose(Document::Manifest)], "it is made too late");
    let mut core = at_the_page(budget);
    let _ = made(&mut core);
    assert_eq!(event(&mut core, Event::Fired(Timer::Cutoff)), [Effect::AbortTransfer(1)]);
    let effects = core.handle(Input::TransferEnded(1, Outcome::Aborted), &at(0));
    assert_eq!(deeds(effects), [Effect::Compose(Document::Manifest)]);
    assert_eq!(core.completeness(), Completeness::Complete);
}

#[test]
fn after_the_cutoff_there_is_no_page() {
    let mut core = core(Some(Budget::of(Duration::from_secs(30))));
    core.machine = Machine::new(Config { page: true, ..core.setup.machine.clone() });
    let _ = event(&mut core, PASSED);
    let _ = event(&mut core, TERM);
    let _ = event(&mut core, Event::Fired(Timer::Cutoff));
    let _ = core.handle(Input::Found(Policy::Final, bulk(Vec::new())), &at(0));
    let own_log = object("sidecar-logs.json", Class::OwnLog, 1, 1);
    let _ = core.handle(Input::Composed(Document::OwnLog, own_log), &at(0));
    assert_eq!(stored(&mut core, 0, 1), [Effect::Compose(Document::Manifest)]);
}
