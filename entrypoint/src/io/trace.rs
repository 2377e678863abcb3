//! The trace that the command's own spans belong to (W3C Trace Context).

use common::report::Trace;
use rustix::rand::{GetRandomFlags, getrandom};

/// The variable that OpenTelemetry's libraries read.
pub(super) const VARIABLE: &str = "TRACEPARENT";

/// Returns the ids of the trace, and the variable for the command if it has none yet.
pub(super) fn context() -> (Option<Trace>, Option<(&'static str, String)>) {
    if let Some(given) = std::env::var_os(VARIABLE) {
        return (given.to_str().and_then(Trace::parse), None);
    }
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    // At an early boot there may be no random bytes yet; a job need not wait for a trace.
    if getrandom(&mut trace, GetRandomFlags::NONBLOCK) != Ok(trace.len())
        || getrandom(&mut span, GetRandomFlags::NONBLOCK) != Ok(span.len())
    {
        return (None, None);
    }
    let trace = Trace {
        trace_id: format!("{:032x}", u128::from_be_bytes(trace)),
        span_id: format!("{:016x}", u64::from_be_bytes(span)),
        inherited: false,
    };
    let parent = format!("00-{}-{}-01", trace.trace_id, trace.span_id);
    (Some(trace), Some((VARIABLE, parent)))
}
