//! Trying again after failures that pass by themselves.

use super::response::Failure;
use anyhow::{Result, bail};
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// One attempt, from the connection to the end of the answer. A healthy API
/// server answers in well under a second.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Pauses double from the first to the longest.
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Makes attempts until one succeeds, fails for good, or `time` is over. Each is
/// told how long it may take.
pub(super) async fn until(
    time: Duration,
    attempt: impl AsyncFn(Duration) -> std::result::Result<(), Failure>,
) -> Result<()> {
    let start = Instant::now();
    let mut number = 0_u32;
    loop {
        let left = time.saturating_sub(start.elapsed());
        let (message, asked) = match attempt(left.min(ATTEMPT_TIMEOUT)).await {
            Ok(()) => return Ok(()),
            Err(Failure::Permanent(message)) => bail!(message),
            Err(Failure::Transient { message, retry_after }) => (message, retry_after),
        };
        number += 1;
        let pause = pause(number, random()).max(asked.unwrap_or_default());
        if start.elapsed() + pause >= time {
            let attempts = if number == 1 { "1 attempt".to_owned() } else { format!("{number} attempts") };
            bail!("given up after {attempts} in {:.1}s: {message}", start.elapsed().as_secs_f64());
        }
        sleep(pause).await;
    }
}

/// The pause after the attempt of this number, from 1 on; `random` is from 0 to
/// 1 and spreads the attempts of many steps over half of it.
fn pause(number: u32, random: f64) -> Duration {
    let doubled = MIN_PAUSE.saturating_mul(1_u32.checked_shl(number - 1).unwrap_or(u32::MAX));
    doubled.min(MAX_PAUSE).mul_f64(0.5 + random / 2.0)
}

/// From 0 to 1, different in each process and call.
fn random() -> f64 {
    let bits = std::hash::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    fn transient(retry_after: Option<u64>) -> Failure {
        Failure::Transient { message: "busy".to_owned(), retry_after: retry_after.map(Duration::from_secs) }
    }

    #[tokio::test(start_paused = true)]
    async fn transient_failures_are_tried_again_within_the_time() {
        let limits = RefCell::new(Vec::new());
        let start = Instant::now();
        let told = until(Duration::from_secs(30), async |limit| {
            limits.borrow_mut().push(limit);
            sleep(limit).await;
            Err(transient(None))
        });
        let told = told.await.expect_err("never succeeds").to_string();
        assert!(told.starts_with("given up after 3 attempts in 30.0s: busy"), "{told}");
        assert_eq!(start.elapsed().as_secs(), 30);
        assert_eq!(limits.borrow()[..2], [ATTEMPT_TIMEOUT; 2]);
        assert!(limits.borrow()[2] < ATTEMPT_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_says_how_long_to_wait() {
        let count = Cell::new(0);
        let start = Instant::now();
        let done = until(Duration::from_secs(30), async |_| {
            count.set(count.get() + 1);
            if count.get() == 3 { Ok(()) } else { Err(transient(Some(7))) }
        });
        done.await.expect("the third time");
        assert_eq!(start.elapsed().as_secs(), 14);
        let told = until(Duration::from_secs(30), async |_| Err(transient(Some(31))))
            .await
            .expect_err("too long")
            .to_string();
        assert!(told.starts_with("given up after 1 attempt in 0.0s"), "{told}");
    }

    #[tokio::test]
    async fn a_permanent_failure_is_the_last_attempt() {
        let permanent = async |_| Err(Failure::Permanent("no".to_owned()));
        let told = until(Duration::from_secs(30), permanent).await.expect_err("permanent");
        assert_eq!(told.to_string(), "no");
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        assert_eq!(pause(1, 1.0), MIN_PAUSE);
        assert_eq!(pause(2, 0.0), MIN_PAUSE);
        assert_eq!(pause(100, 1.0), MAX_PAUSE);
        assert!((0.0..=1.0).contains(&random()));
    }
}
