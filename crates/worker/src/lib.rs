//! Stores collection tasks in a durable queue, runs the tasks in workers, and kills sessions.
//!
//! The queue stores a collection task in the database before it returns the task's id to the caller.
//! A worker that claims a collection task receives a lease and a monotonically increasing fencing token.
//! The worker reads the sessions of the database node and writes the result of the collection task.
//! Only the worker that has the newest fencing token of a collection task can mark the task as completed.
//! If a worker crashes, other workers claim its unfinished collection tasks.
//! `docs/decisions/0002-queue-with-leases-and-fencing-tokens.md` explains the design of the queue.
//!
//! `node_watch` samples nodes for live session lists.
//!
//! `clew-mysql` queries the MySQL servers, `clew-store` stores the collected rows, and `clew-api` checks authorization.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use clew_model::{FailureKind, NodeId, SessionSelection};
//! use clew_store::Store;
//! use clew_worker::{SessionCollectionQueue, WorkerObserver, WorkerSettings};
//! use tokio_util::sync::CancellationToken;
//!
//! struct NoMetrics;
//!
//! impl WorkerObserver for NoMetrics {
//!     fn record_collection_success(&self, _rows: u64, _seconds: f64) {}
//!     fn record_collection_failure(&self, _kind: FailureKind) {}
//!     fn record_poll_interval_change(&self, _node: &NodeId, _interval: Option<Duration>) {}
//! }
//!
//! let store = Store::open(Path::new("clew-data")).await?;
//! let collections = SessionCollectionQueue::new(store.clone(), WorkerSettings::default(), Arc::new(NoMetrics));
//! let shutdown = CancellationToken::new();
//! let worker = tokio::spawn(collections.clone().run(shutdown.clone()));
//!
//! let instance = store.instances().list_all_instances().await?.remove(0);
//! let node = instance.nodes[0].id.clone();
//! let id = collections
//!     .submit_collection(instance.project_id, instance.id, node, SessionSelection::default(), /* masked: */ false)
//!     .await?;
//! let ended = collections.wait_for_completion(&id, std::time::Duration::from_secs(30)).await?;
//! println!("{id}: {:?}", ended.map(|task| task.status));
//!
//! shutdown.cancel();
//! worker.await?;
//! # Ok(())
//! # }
//! ```

mod adaptive_poll_interval;
mod collection_job;
mod collection_queue;
mod collection_slots;
mod collection_worker;
mod completion_notifier;
mod intelligent_kills;
mod kill_executor;
mod kill_tasks;
mod login_backoff;
mod node_reader;
mod node_watch;
mod observer;
mod pending_result;
mod retention;
mod session_list_sources;
mod settings;
mod store_event_dispatch;
mod task_results;
mod wake_signal;

pub use adaptive_poll_interval::{AdaptivePollInterval, PollIntervalChange};
pub use collection_queue::SessionCollectionQueue;
pub use intelligent_kills::IntelligentKillQueue;
pub use kill_executor::{KillError, KillExecutor, KillRequest, VictimMatchRule};
pub use kill_tasks::KillTaskWorker;
pub use login_backoff::LoginPermit;
pub use node_reader::{NodeReader, ReadFuture, SessionRows, require_reachable_network_zone};
pub use node_watch::{NodeFeed, NodeWatchRegistry, NodeWatchSubscription, NodeWatchUpdate};
pub use observer::WorkerObserver;
pub use session_list_sources::SessionListSources;
pub use settings::WorkerSettings;
pub use store_event_dispatch::dispatch_store_events;
