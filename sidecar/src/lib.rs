//! `sidecar`: waits for the entries of a CI pod and delivers their logs, their
//! artifacts and a truthful result.
//!
//! ```text
//!  log volume                     sidecar                              store
//!  markers, locks ──▶ shell::markers ─┐
//!  signals, timers ─▶ shell::driver ──┼─▶ Event ─▶ deliver::Machine ─▶ Effect
//!  logs, artifacts ─▶ shell::listing ─┘              deliver::Plan ─▶ shell::transfer ─▶ objects
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | [`options`] | what was typed |
//! | [`settings`] | what it means together with the job |
//! | [`deliver`] | the core: when to deliver what, without I/O and without a clock |
//! | [`layout`] | names, types and documents at the destination |
//! | [`censor`] | masking of secrets in everything that leaves |
//! | [`shell`] | what touches the operating system and the network |

pub mod censor;
pub mod deliver;
pub mod layout;
pub mod options;
pub mod settings;
pub mod shell;
