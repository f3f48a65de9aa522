//! Durable collections: claim, run, fence, retain.
//!
//! A collection is a row of the store before anyone is told its id. A worker claims it for a few seconds at a time (the
//! lease) under a number that only grows (the fence); it reads the node, writes the result, and only the holder of the
//! newest fence can record an end. So a crash at any point leaves a finished result, or a collection that the next worker
//! takes up. `docs/decisions/0002-queue-by-lease-and-fence.md` says why it is built this way.
//!
//! Not for: how a server is read (`clew-mysql`), how rows are kept (`clew-store`), or who may ask (`clew-api`).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use clew_model::{FailureKind, NodeId, Selection};
//! use clew_store::Store;
//! use clew_tasks::{Collections, Observer, Settings};
//! use tokio_util::sync::CancellationToken;
//!
//! struct Silent;
//!
//! impl Observer for Silent {
//!     fn collected(&self, _rows: u64, _seconds: f64) {}
//!     fn failed(&self, _kind: FailureKind) {}
//!     fn looks_every(&self, _node: &NodeId, _interval: Option<Duration>) {}
//! }
//!
//! let store = Store::open(Path::new("clew-data")).await?;
//! let collections = Collections::new(store.clone(), Settings::default(), Arc::new(Silent));
//! let shutdown = CancellationToken::new();
//! let worker = tokio::spawn(collections.clone().run(shutdown.clone()));
//!
//! let instance = store.all_instances().await?.remove(0);
//! let node = instance.nodes[0].id.clone();
//! let id = collections.submit(instance.project_id, instance.id, node, Selection::default(), false).await?;
//! let ended = collections.wait_for_end(&id, std::time::Duration::from_secs(30)).await?;
//! println!("{id}: {:?}", ended.map(|task| task.status));
//!
//! shutdown.cancel();
//! worker.await?;
//! # Ok(())
//! # }
//! ```

mod at_work;
mod collection;
mod collections;
mod endings;
mod hearing;
mod intelligent_kills;
mod kill_tasks;
mod kills;
mod lease;
mod logins;
mod observer;
mod pace;
mod places;
mod reader;
mod result_file;
mod retention;
mod settings;

pub use collections::Collections;
pub use hearing::listen;
pub use intelligent_kills::IntelligentKills;
pub use kill_tasks::KillTasks;
pub use kills::{KillError, KillOrder, Kills, Meant};
pub use logins::Login;
pub use observer::Observer;
pub use pace::{Pace, PaceChange};
pub use reader::{NodeReader, Reading, Rows};
pub use settings::Settings;
