//! What the loop waits for, in a form that can be absent: what is not there never happens.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::time::Instant;

use super::READY_READ_WITHIN;
use crate::kernel::alarm::timeout;
use crate::service::signals::Inbox;
use crate::systemd::barrier::Barrier;
use crate::systemd::notify::Notifier;
use crate::systemd::relay::Relay;
use crate::systemd::reloads::Reloads;

/// Something under way.
pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The end of something under way, which the caller must take away then.
pub(super) async fn end_of<T>(under_way: Option<&mut Boxed<'_, T>>) -> T {
    match under_way {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// There may be something that COMMAND says.
pub(super) async fn speaks(relay: Option<&Relay>) {
    match relay {
        Some(relay) => relay.wait().await,
        None => pending().await,
    }
}

/// There may be a signal, if anybody wants to know.
pub(super) async fn signalled(inbox: Option<&Inbox>) {
    match inbox {
        Some(inbox) => inbox.wait().await,
        None => pending().await,
    }
}

/// Watches the systemd that is notified, where that can be had.
pub(super) fn watch_manager(notifier: &Notifier) -> Option<Reloads> {
    let watch = |directory| {
        let failed = |error: &io::Error| tracing::debug!("systemd's reloads cannot be watched: {error}");
        Reloads::watch(directory).inspect_err(failed).ok()
    };
    notifier.directory().and_then(watch)
}

/// systemd itself is being reloaded. Who cannot watch it learns nothing of it.
pub(super) async fn reload_of_manager(reloads: &mut Option<Reloads>) {
    if let Some(watched) = reloads {
        match watched.next().await {
            Ok(()) => return,
            Err(error) => tracing::debug!("systemd's reloads are watched no more: {error}"),
        }
    }
    *reloads = None;
    pending::<()>().await;
}

/// Whether systemd has read what was sent before the barrier, in time.
pub(super) async fn was_read(barrier: Option<&(Barrier, Instant)>) -> bool {
    let Some((barrier, sent)) = barrier else { return pending().await };
    let left = READY_READ_WITHIN.saturating_sub(sent.elapsed());
    matches!(timeout(left, barrier.passed()).await, Ok(Ok(())))
}
