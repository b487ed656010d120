//! The client has hung up: Go cancels the request's context then.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::sync::Notify;

/// Tells a handler that its client is gone.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    canceled: AtomicBool,
    notify: Notify,
}

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.canceled.store(true, SeqCst);
        self.notify.notify_waiters();
    }

    /// Whether the client is gone.
    pub(crate) fn is_canceled(&self) -> bool {
        self.canceled.load(SeqCst)
    }

    /// Resolves when the client is gone.
    pub(crate) async fn canceled(&self) {
        let notified = self.notify.notified();
        if !self.is_canceled() {
            notified.await;
        }
    }
}
