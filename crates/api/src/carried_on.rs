//! Work that is done to its end, whoever waits for it.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tracing::Instrument;

/// A future that goes on in a task of its own if it is dropped before its end: so a client that hangs up costs a task, and the many
/// that wait for their answers cost none.
pub(crate) struct CarriedOn<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

impl<F: Future<Output: Send> + Send + 'static> CarriedOn<F> {
    pub(crate) fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for CarriedOn<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out: work that panics or has ended is not carried on.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for CarriedOn<F> {
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
    async fn work_goes_on_when_nobody_waits_for_it_any_more() {
        let (go, gone) = oneshot::channel::<()>();
        let (done, end) = oneshot::channel();
        let mut work = CarriedOn::new(async move {
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
    async fn work_that_was_waited_for_is_done_once() {
        let (done, end) = oneshot::channel();
        let mut work = CarriedOn::new(async move {
            tokio::task::yield_now().await;
            done.send(1).unwrap();
            2
        });
        assert_eq!((&mut work).await, 2);
        drop(work);
        assert_eq!(end.await, Ok(1));
    }
}
