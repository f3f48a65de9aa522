//! Initializes `clew serve` and `clew worker` processes and starts their background tasks.

use std::fmt::Display;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clew_api::{ApiSettings, AppComponents, AppState, Metrics, RateLimiters, SharedState};
use clew_model::{AuditEvent, AuditOrigin, AuditOutcome, NetworkZone};
use clew_mysql::ConnectionRegistry;
use clew_store::{DataDirLock, ResultStore, S3Settings, Store, StoreError};
use clew_worker::{IntelligentKillQueue, KillExecutor, KillTaskWorker, SessionCollectionQueue, WorkerSettings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::SecretString;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::configuration::Configuration;
use crate::error::{CliError, ResultExt, failed, refused};
use crate::logging;
use crate::store_args::MetadataUrlArgs;

const MASTER_KEY_CHECK_INTERVAL: Duration = Duration::from_secs(5);

const AUDIT_TRUNCATION_CHECK_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct DaemonArgs {
    /// Data directory created by clew init [default: ./clew-data]
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    metadata_url: MetadataUrlArgs,
    /// Storage location of collection results: s3://BUCKET/PREFIX [default: the data directory]
    #[arg(long, value_name = "URL", env = "CLEW_RESULTS")]
    results: Option<String>,
    /// Network zone that this process serves; repeat for more than one zone [default: none].
    /// The process connects only to nodes in its zones and to nodes without a zone
    #[arg(long = "zone", value_name = "ZONE", env = "CLEW_ZONES", value_delimiter = ',')]
    zones: Vec<NetworkZone>,
    /// Configuration file (TOML); flags and environment variables override its values
    #[arg(long, value_name = "FILE", env = "CLEW_CONFIG")]
    config: Option<PathBuf>,
    /// Log filter: a level (error, warn, info, debug) or a list of levels such as info,clew_worker=debug
    #[arg(long, value_name = "FILTER", env = "CLEW_LOG", default_value = "info")]
    log: String,
}

impl DaemonArgs {
    pub(crate) fn load_configuration(&mut self) -> Result<Configuration, CliError> {
        let mut configuration = Configuration::read_configuration_file(self.config.as_deref())?;
        configuration.data_dir = self.data_dir.take().unwrap_or(configuration.data_dir);
        configuration.metadata_url = self.metadata_url.metadata_url.take().unwrap_or(configuration.metadata_url);
        configuration.results.location = self.results.take().unwrap_or(configuration.results.location);
        if !self.zones.is_empty() {
            configuration.zones = std::mem::take(&mut self.zones);
        }
        Ok(configuration)
    }
}

/// Separate server and worker processes must share the metadata database and the result store.
pub(crate) fn require_shared_stores(configuration: &Configuration) -> Result<(), CliError> {
    if !configuration.metadata_url.is_empty() && !configuration.results.location.is_empty() {
        return Ok(());
    }
    Err(refused!("separate servers and workers require shared metadata and results").with_suggested_fix(
        "set --metadata-url postgres://… and --results s3://… for each process; or run clew serve with its embedded worker",
    ))
}

/// By default, Clew does not store snapshot rows in the system's temporary directory, which other users can access.
fn set_snapshot_spill_directory(data_dir: &Path) -> Result<(), CliError> {
    if std::env::var_os("TMPDIR").is_some() {
        return Ok(());
    }
    let folder = data_dir.join("spill");
    let created = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    created.with_failure_context(format_args!("cannot create the spill directory {}", folder.display()))?;
    // The call fails only if the directory is already set. A process has one data directory, so the value is the same.
    let _ = tempfile::env::override_temp_dir(&folder);
    Ok(())
}

fn read_object_storage_settings(location: &str) -> Result<Option<S3Settings>, CliError> {
    if location.is_empty() {
        return Ok(None);
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let require =
        |name: &str| variable(name).ok_or_else(|| refused!("results on S3 require the environment variable {name}"));
    let (key, secret) = (require("AWS_ACCESS_KEY_ID")?, SecretString::from(require("AWS_SECRET_ACCESS_KEY")?));
    let settings = S3Settings::new(location, variable("AWS_ENDPOINT_URL"), require("AWS_REGION")?, key, secret);
    settings.map(Some).with_refusal_context("--results")
}

pub(crate) struct Daemon {
    store: Store,
    settings: WorkerSettings,
    metrics: Metrics,
    kills: KillExecutor,
    intelligent_kills: IntelligentKillQueue,
    collections: SessionCollectionQueue,
    _lock: DataDirLock,
}

pub(crate) struct DaemonTasks {
    master_key_watch: JoinHandle<Result<(), CliError>>,
    worker: Vec<JoinHandle<()>>,
}

impl Daemon {
    pub(crate) async fn initialize(args: &DaemonArgs, configuration: &Configuration) -> Result<Self, CliError> {
        let (mut settings, protected) = (configuration.worker_settings()?, configuration.protected_accounts()?);
        let s3 = read_object_storage_settings(&configuration.results.location)?;
        logging::init_logging(&args.log)?;
        raise_open_file_limit();
        disable_core_dumps();

        let store = Store::open(configuration.resolve_store_location()?)
            .await?
            .with_reachable_zones(configuration.zones.clone());
        settings.connector.registry = ConnectionRegistry::new(&store.installation_marker());
        set_snapshot_spill_directory(&configuration.data_dir)?;
        let store = match s3 {
            Some(settings) => store.with_result_store(ResultStore::connect_to_object_storage(&settings).await?),
            None => store,
        };
        let lock = store.acquire_data_dir_lock()?;
        store.kill_tasks().release_all_kill_task_leases(&lock).await?;
        let taken_over = store.tasks().expire_all_leases(&lock).await?;
        if taken_over > 0 {
            info!(tasks.taken_over = taken_over, "leases of the previous process ended");
        }
        let metrics = Metrics::default();
        let kills = KillExecutor::new(store.clone(), protected);
        Ok(Self {
            intelligent_kills: IntelligentKillQueue::new(store.clone(), kills.clone(), &settings),
            collections: SessionCollectionQueue::new(store.clone(), settings.clone(), Arc::new(metrics.clone())),
            store,
            settings,
            metrics,
            kills,
            _lock: lock,
        })
    }

    pub(crate) async fn start_tasks(&self, run_worker: bool, shutdown: &CancellationToken) -> DaemonTasks {
        let (collections, kills) = (self.collections.clone(), self.intelligent_kills.clone());
        tokio::spawn(clew_worker::dispatch_store_events(self.store.clone(), collections, kills, shutdown.clone()));
        let master_key_watch = self.watch_for_master_key_rotation(shutdown);
        self.watch_for_audit_truncation(shutdown).await;
        DaemonTasks { master_key_watch, worker: if run_worker { self.start_worker(shutdown) } else { Vec::new() } }
    }

    /// Until a restart, a process continues to use the old master key.
    fn watch_for_master_key_rotation(&self, shutdown: &CancellationToken) -> JoinHandle<Result<(), CliError>> {
        let (store, shutdown) = (self.store.clone(), shutdown.clone());
        tokio::spawn(async move {
            while shutdown.run_until_cancelled(tokio::time::sleep(MASTER_KEY_CHECK_INTERVAL)).await.is_some() {
                if let Err(rotated @ StoreError::MasterKeyRotated) = store.check_health().await {
                    error!(error = %rotated, "process is shutting down");
                    shutdown.cancel();
                    return Err(rotated.into());
                }
            }
            Ok(())
        })
    }

    async fn watch_for_audit_truncation(&self, shutdown: &CancellationToken) {
        let (store, shutdown) = (self.store.clone(), shutdown.clone());
        check_for_audit_truncation(&store).await;
        tokio::spawn(async move {
            while shutdown.run_until_cancelled(tokio::time::sleep(AUDIT_TRUNCATION_CHECK_INTERVAL)).await.is_some() {
                check_for_audit_truncation(&store).await;
            }
        });
    }

    fn start_worker(&self, shutdown: &CancellationToken) -> Vec<JoinHandle<()>> {
        let (store, kills) = (self.store.clone(), self.kills.clone());
        let kill_tasks = KillTaskWorker::new(store, kills, &self.settings, Arc::new(self.metrics.clone()));
        vec![
            tokio::spawn(self.collections.clone().run(shutdown.clone())),
            tokio::spawn(kill_tasks.run(shutdown.clone())),
            tokio::spawn(self.intelligent_kills.clone().run(shutdown.clone())),
        ]
    }

    /// The caller must stop the HTTP server first, because HTTP requests can leave SQL statements running.
    pub(crate) async fn join_tasks(
        &self,
        process: &str,
        tasks: DaemonTasks,
        served: Result<(), impl Display>,
    ) -> Result<(), CliError> {
        let join_all = async {
            for task in tasks.worker {
                task.await.with_failure_context("the worker failed")?;
            }
            Ok(())
        };
        let joined: Result<(), CliError> = join_all.await;
        self.settings.connector.registry.wait_for_pending_kills(crate::PENDING_KILLS_TIMEOUT).await;
        joined?;
        info!("{process} stopped");
        served.map_err(|error| failed!("{error}"))?;
        tasks.master_key_watch.await.unwrap_or(Ok(()))
    }

    pub(crate) fn build_http_service(&self, configuration: &Configuration, settings: ApiSettings) -> SharedState {
        AppState::new(AppComponents {
            store: self.store.clone(),
            limits: RateLimiters::new(configuration.limits.to_rate_limit_settings(), self.metrics.clone()),
            collections: self.collections.clone(),
            connector: self.settings.connector.clone(),
            kills: self.kills.clone(),
            intelligent_kills: self.intelligent_kills.clone(),
            settings,
            metrics: self.metrics.clone(),
        })
    }
}

/// If appending the `AuditTruncated` event fails, the next check reports the missing rows again.
async fn check_for_audit_truncation(store: &Store) {
    if let Err(error) = report_lost_audit_rows(store).await {
        warn!(%error, "could not check the audit log for removed rows; the next check retries");
    }
}

async fn report_lost_audit_rows(store: &Store) -> Result<(), StoreError> {
    let Some(loss) = store.audit().detect_audit_truncation().await? else { return Ok(()) };
    error!(audit.problem = %loss, "rows of the audit log were removed");
    let missing = AuditEvent {
        outcome: AuditOutcome::Failed,
        detail: serde_json::json!({ "problem": loss.to_string() }),
        ..AuditEvent::for_successful_operation(&AuditOrigin::for_internal_operation(), "AuditTruncated", "audit")
    };
    store.audit().append_audit_event(&missing).await?;
    store.audit().acknowledge_lost_audit_rows(&loss);
    Ok(())
}

/// Each connection and each open result file needs a file descriptor.
fn raise_open_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        warn!(%error, "could not raise the limit for open files");
    }
}

/// A core dump would contain passwords and the master key.
fn disable_core_dumps() {
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        warn!(%error, "could not disable core dumps");
    }
}

pub(crate) async fn bind_listener(
    listen: &str,
    addresses: impl ToSocketAddrs,
) -> Result<(TcpListener, SocketAddr), CliError> {
    let listener = TcpListener::bind(addresses).await.map_err(listen_error(listen))?;
    let address = listener.local_addr().map_err(listen_error(listen))?;
    Ok((listener, address))
}

pub(crate) fn listen_error(listen: &str) -> impl Fn(std::io::Error) -> CliError {
    move |error| {
        failed!("could not listen on {listen}: {error}").with_suggested_fix("select another address with --listen")
    }
}

/// The first SIGINT or SIGTERM cancels the returned `CancellationToken`.
/// A second SIGINT or SIGTERM terminates the process immediately.
pub(crate) fn listen_for_shutdown_signals() -> Result<CancellationToken, CliError> {
    let listen = |kind| signal(kind).with_failure_context("could not listen for signals");
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        for is_second in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if is_second {
                std::process::exit(130);
            }
            info!("shutdown started");
            token.cancel();
        }
    });
    Ok(shutdown)
}
