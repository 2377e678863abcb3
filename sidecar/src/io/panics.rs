//! Panics: a fault of sidecar's own costs one object, not the result.
//!
//! Only a program that is built to unwind catches any (profile `dist-unwind`).

use futures::FutureExt;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

/// Upper bound on the words of a panic, in characters.
const MAX_WORDS: usize = 200;

/// Has panics told in one line with the place alone: what they say may hold text of
/// the job, which is not masked here.
pub fn tell_in_one_line(component: &'static str) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let line = format!(
            "{{\"component\":\"{component}\",\"level\":\"error\",\"msg\":\"An internal error at {}\"}}\n",
            place.replace(['"', '\\'], "_")
        );
        common::records::to_stderr(line.as_bytes());
    }));
}

/// Runs a future; what a panic says is the error. Whatever the future shares with
/// others must be usable afterwards.
pub async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| words(&*panic))
}

/// Returns the words of a panic, for a message that is masked.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let said: String = said.unwrap_or("no words").chars().take(MAX_WORDS).collect();
    format!("internal error: {}", said.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_is_an_error_in_one_line() {
        let panics = async {
            let words = "two\nlines";
            panic!("{words}");
        };
        assert_eq!(caught(panics).await, Err::<(), _>("internal error: two lines".to_owned()));
        assert_eq!(caught(async { 3 }).await, Ok(3));
    }
}
