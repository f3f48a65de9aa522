//! Future that runs to completion even if it is dropped.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tracing::Instrument;

/// Future wrapper. If the wrapper is dropped early, a spawned task runs the wrapped future to completion.
///
/// Hyper drops the future of a request when the client disconnects.
pub struct DetachOnDropFuture<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

impl<F: Future<Output: Send> + Send + 'static> DetachOnDropFuture<F> {
    /// Wraps the future `work`, which starts running when the wrapper is first polled.
    pub fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for DetachOnDropFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // The future is taken out of `self` so that a panicked or completed future is not spawned on drop.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for DetachOnDropFuture<F> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work.in_current_span());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn dropped_future_runs_to_completion() {
        let (go, gone) = oneshot::channel::<()>();
        let (done, end) = oneshot::channel();
        let mut work = DetachOnDropFuture::new(async move {
            gone.await.unwrap();
            done.send(7).unwrap();
        });
        let polled = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut work).poll(context)));
        assert!(polled.await.is_pending());
        drop(work);
        go.send(()).unwrap();
        assert_eq!(end.await, Ok(7));
    }

    #[tokio::test]
    async fn completed_future_runs_once() {
        let (done, end) = oneshot::channel();
        let mut work = DetachOnDropFuture::new(async move {
            tokio::task::yield_now().await;
            done.send(1).unwrap();
            2
        });
        assert_eq!((&mut work).await, 2);
        drop(work);
        assert_eq!(end.await, Ok(1));
    }
}
