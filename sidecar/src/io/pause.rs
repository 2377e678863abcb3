//! Pauses between attempts within an object: with a part, or with the completion of all.
//!
//! A pause is at most a quarter of the time left, also where that comes to be known while it
//! lasts, so that several more attempts fit.

use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

tokio::task_local! {
    /// The end of the time for uploads, once there is one.
    static END: watch::Receiver<Option<Instant>>;
}

/// Runs a future whose pauses keep to an end.
pub(in crate::io) async fn within<T>(
    end: watch::Receiver<Option<Instant>>,
    future: impl Future<Output = T>,
) -> T {
    END.scope(end, future).await
}

/// Waits as long as wished, as far as the time left allows.
pub(in crate::io) async fn pause(wish: Duration) {
    let Ok(mut end) = END.try_with(Clone::clone) else { return sleep(wish).await };
    let wished = Instant::now() + wish;
    loop {
        let now = Instant::now();
        let end_of_pause = end.borrow_and_update().map(|end| now + end.saturating_duration_since(now) / 4);
        let until = end_of_pause.map_or(wished, |until| until.min(wished));
        tokio::select! {
            () = sleep_until(until) => return,
            Ok(()) = end.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn pauses_leave_time_for_more_attempts() {
        let minute = Duration::from_mins(1);
        let begin = Instant::now();
        pause(minute).await;
        assert_eq!(begin.elapsed(), minute, "nothing bounds it");
        let (end, receiver) = watch::channel(None);
        let begin = Instant::now();
        within(receiver.clone(), pause(minute)).await;
        assert_eq!(begin.elapsed(), minute, "there is no end");
        let begin = Instant::now();
        let told_later = async {
            sleep(Duration::from_secs(10)).await;
            end.send_replace(Some(Instant::now() + Duration::from_secs(20)));
        };
        tokio::join!(within(receiver.clone(), pause(minute)), told_later);
        assert_eq!(begin.elapsed(), Duration::from_secs(15), "a quarter of what is left then");
        let begin = Instant::now();
        within(receiver, pause(Duration::from_secs(1))).await;
        assert_eq!(begin.elapsed(), Duration::from_secs(1), "a shorter pause stays");
    }
}
