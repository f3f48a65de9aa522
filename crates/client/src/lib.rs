//! Typed client for the TaurusDB session API: instances, session collection tasks and collection results.
//!
//! The client works with Clew and with the TaurusDB cloud service, which has no official SDK for Rust.
//! The client signs requests in the same way as the official Huawei Cloud SDKs.
//! The client retries idempotent requests and resumes interrupted downloads.
//!
//! The client supports only the session-related part of the TaurusDB API.
//! The client supports two Clew extensions: long polling, and the field `limitations` for unreadable data.
//!
//! ```no_run
//! use std::time::Duration;
//! use clew_client::{Client, ClientConfig, CollectionStatus, Credentials, FileSink, ProjectRef, StartCollectionRequest};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let credentials = Credentials::access_key("AKEXAMPLE0000000000".parse()?, "…".into());
//! let region = ProjectRef::Region("eu-1".into());
//! let client = Client::new(ClientConfig::new("http://127.0.0.1:8407", credentials, region))?;
//! let (instance, node) = ("…".parse()?, "…".parse()?);
//! let slow = StartCollectionRequest { filter: Some("slow".into()), ..StartCollectionRequest::default() };
//! let request_id = client.start_collection(&instance, &node, &slow).await?;
//! let limit = Duration::from_secs(60);
//! if client.wait_for_collection_task(&instance, &node, &request_id, limit, |_, _| {}).await? == CollectionStatus::Finished {
//!     let mut file = FileSink::create("slow.csv").await?;
//!     client.download(&instance, &node, &request_id, &mut file, |_, _| {}).await?;
//! }
//! # Ok(())
//! # }
//! ```

mod collection;
mod config;
mod credentials;
mod download;
mod download_sink;
mod endpoint;
mod error;
mod instances;
mod project;
mod response;
mod retry;
mod token;
mod transport;

use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

/// Filter and sort order of a task that collects sessions.
/// The server validates all fields and uses the default value for each absent field.
pub use clew_model::UnvalidatedSessionSelection as StartCollectionRequest;
pub use collection::{CollectionStatus, RequestId};
pub use config::{ClientConfig, Settings};
pub use credentials::Credentials;
pub use download::DownloadSummary;
pub use download_sink::{DownloadSink, FileSink, StreamSink};
pub use error::ClientError;
pub use instances::{Datastore, InstanceDetail, InstanceFields, InstanceList, InstanceNode, InstanceSummary};
pub use project::ProjectRef;

/// Client for one project. Clones are cheap and share connections, the token and the project id.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<ClientInner>,
}

#[derive(Debug)]
struct ClientInner {
    http: reqwest::Client,
    endpoint: endpoint::Endpoint,
    iam_endpoint: endpoint::Endpoint,
    config: ClientConfig,
    project: OnceCell<clew_model::ProjectId>,
    token: Mutex<Option<token::Token>>,
}
