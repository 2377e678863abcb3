//! Clean-up that outlives the future it belongs to.

use std::future::Future;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Counts clean-up tasks, so that the program can wait for them.
#[derive(Clone, Debug)]
pub(super) struct CleanupTasks {
    count: Arc<watch::Sender<usize>>,
}

impl CleanupTasks {
    pub(super) fn new() -> Self {
        Self { count: Arc::new(watch::Sender::new(0)) }
    }

    /// Runs a clean-up in the background.
    pub(super) fn spawn(&self, cleanup: impl Future<Output = ()> + Send + 'static) {
        // Outside a runtime the program is ending, and nothing can be sent.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let guard = Guard::new(Arc::clone(&self.count));
        runtime.spawn(async move {
            cleanup.await;
            drop(guard);
        });
    }

    /// Waits until no clean-up runs.
    pub(super) async fn settled(&self) {
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

struct Guard(Arc<watch::Sender<usize>>);

impl Guard {
    fn new(count: Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
