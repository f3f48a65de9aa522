//! A process that stays: what `clew serve` and `clew worker` have in common.

mod results;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clew_api::{ApiSettings, Metrics, NodeReads, Parts, RateLimits, Service};
use clew_model::{AuditEvent, Origin, Outcome, Zone};
use clew_store::{ServingLock, Store, StoreError};
use clew_tasks::{Collections, IntelligentKills, KillTasks, Kills, Settings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::configuration::Configuration;
use crate::error::CliError;
use crate::logs;

/// Between two looks whether the master key is still the one that this process began with.
const KEY_LOOK: Duration = Duration::from_secs(5);

/// Interval between two comparisons of the audit with what was seen of it.
const AUDIT_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Where everything is, and what to say.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Folder that clew init made [default: ./clew-data]
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// PostgreSQL database that keeps the metadata instead of the folder, such as postgres://user@host/database?sslmode=verify-full. Its
    /// password belongs into PGPASSWORD or ~/.pgpass: others see what is typed. The master key stays in the folder
    #[arg(long, value_name = "URL", env = "CLEW_METADATA", hide_env_values = true)]
    metadata: Option<String>,
    /// Where results are kept, s3://BUCKET/PREFIX [default: in the data directory]
    #[arg(long, value_name = "URL", env = "CLEW_RESULTS")]
    results: Option<String>,
    /// A zone that this process is in: it reads the nodes of its zones, and those of none; can be repeated [default: none]
    #[arg(long = "zone", value_name = "ZONE", env = "CLEW_ZONES", value_delimiter = ',')]
    zones: Vec<Zone>,
    /// Configuration file (TOML); flags and environment win over it
    #[arg(long, value_name = "FILE", env = "CLEW_CONFIG")]
    config: Option<PathBuf>,
    /// What to log: error, warn, info, debug, or a list such as info,clew_tasks=debug
    #[arg(long, value_name = "FILTER", env = "CLEW_LOG", default_value = "info")]
    log: String,
}

impl Options {
    /// What the file says, with what these say over it.
    pub(crate) fn configuration(&mut self) -> Result<Configuration, CliError> {
        let mut configuration = Configuration::read(self.config.as_deref())?;
        configuration.data_dir = self.data_dir.take().unwrap_or(configuration.data_dir);
        configuration.metadata = self.metadata.take().unwrap_or(configuration.metadata);
        configuration.results.location = self.results.take().unwrap_or(configuration.results.location);
        if !self.zones.is_empty() {
            configuration.zones = std::mem::take(&mut self.zones);
        }
        Ok(configuration)
    }
}

/// Fails where the metadata or the results are out of the reach of other processes: somebody would work for nobody.
pub(crate) fn must_be_shared(configuration: &Configuration) -> Result<(), CliError> {
    if !configuration.metadata.is_empty() && !configuration.results.location.is_empty() {
        return Ok(());
    }
    let refused =
        CliError::refused("servers and workers of their own need metadata and results that all of them reach");
    Err(refused
        .with_hint("give --metadata postgres://… and --results s3://… to each; or let clew serve do the work itself"))
}

/// Rows that do not fit into memory are spilled beside the results, and not into the system's folder for temporary files, which others share;
/// unless `TMPDIR` names another folder.
fn spill_into(data_dir: &Path) -> Result<(), CliError> {
    if std::env::var_os("TMPDIR").is_some() {
        return Ok(());
    }
    let folder = data_dir.join("spill");
    let failed = |error: std::io::Error| {
        CliError::failed(format!(
            "cannot create the folder {} for rows that do not fit into memory: {error}",
            folder.display()
        ))
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    // An earlier one stays: a process has one data directory.
    let _ = tempfile::env::override_temp_dir(&folder);
    Ok(())
}

/// The store, and those who work on it.
pub(crate) struct Process {
    store: Store,
    settings: Settings,
    metrics: Metrics,
    kills: Kills,
    intelligent_kills: IntelligentKills,
    collections: Collections,
    _lock: ServingLock,
}

impl Process {
    /// Opens everything, and begins to log.
    pub(crate) async fn open(options: &Options, configuration: &Configuration) -> Result<Self, CliError> {
        let (settings, protected) = (configuration.task_settings()?, configuration.protected_accounts()?);
        let s3 = results::s3_settings(&configuration.results.location)?;
        logs::start(&options.log)?;
        allow_open_files();
        forbid_core_dumps();

        let store = Store::open(configuration.location()?).await?.in_zones(configuration.zones.clone());
        clew_mysql::share_session_token(&store.session_token());
        spill_into(&configuration.data_dir)?;
        let store = results::keep(store, s3).await?;
        let lock = store.lock_for_serving()?;
        store.end_all_kill_leases(&lock).await?;
        let taken_over = store.end_all_leases(&lock).await?;
        if taken_over > 0 {
            info!(tasks.taken_over = taken_over, "taking over collections of a server that is gone");
        }
        let metrics = Metrics::default();
        let kills = Kills::new(store.clone(), protected);
        Ok(Self {
            intelligent_kills: IntelligentKills::new(store.clone(), kills.clone(), &settings),
            collections: Collections::new(store.clone(), settings.clone(), Arc::new(metrics.clone())),
            store,
            settings,
            metrics,
            kills,
            _lock: lock,
        })
    }

    /// Hears what other processes do, until `shutdown`.
    pub(crate) fn listen(&self, shutdown: &CancellationToken) {
        let (collections, kills) = (self.collections.clone(), self.intelligent_kills.clone());
        tokio::spawn(clew_tasks::listen(self.store.clone(), collections, kills, shutdown.clone()));
    }

    /// Ends the process, by `shutdown`, once the master key was rotated: with the old one it can do nothing any more. Returns why it ended.
    pub(crate) fn watch_key(&self, shutdown: &CancellationToken) -> JoinHandle<Result<(), CliError>> {
        let (store, shutdown) = (self.store.clone(), shutdown.clone());
        tokio::spawn(async move {
            while shutdown.run_until_cancelled(tokio::time::sleep(KEY_LOOK)).await.is_some() {
                if let Err(rotated @ StoreError::MasterKeyRotated) = store.ping().await {
                    error!(error = %rotated, "stopping");
                    shutdown.cancel();
                    return Err(rotated.into());
                }
            }
            Ok(())
        })
    }

    /// Remembers the newest row of the audit, and compares the audit with the newest row that this process has seen, until `shutdown`.
    pub(crate) async fn watch_audit(&self, shutdown: &CancellationToken) {
        let (store, shutdown) = (self.store.clone(), shutdown.clone());
        compare_audit(&store).await;
        tokio::spawn(async move {
            while shutdown.run_until_cancelled(tokio::time::sleep(AUDIT_CHECK_INTERVAL)).await.is_some() {
                compare_audit(&store).await;
            }
        });
    }

    /// Does what is asked for, until `shutdown`: collections, intelligent kills, kill tasks.
    pub(crate) fn work(&self, shutdown: &CancellationToken) -> Work {
        let (store, kills) = (self.store.clone(), self.kills.clone());
        let kill_tasks = KillTasks::new(store, kills, &self.settings, Arc::new(self.metrics.clone()));
        Work(vec![
            tokio::spawn(self.collections.clone().run(shutdown.clone())),
            tokio::spawn(kill_tasks.run(shutdown.clone())),
            tokio::spawn(self.intelligent_kills.clone().run(shutdown.clone())),
        ])
    }

    /// What answers.
    pub(crate) fn service(&self, configuration: &Configuration, settings: ApiSettings) -> Service {
        Service::from(Parts {
            store: self.store.clone(),
            limits: RateLimits::new(configuration.limits.rates(), self.metrics.clone()),
            collections: self.collections.clone(),
            nodes: NodeReads::new(self.settings.limits),
            kills: self.kills.clone(),
            intelligent_kills: self.intelligent_kills.clone(),
            settings,
            metrics: self.metrics.clone(),
        })
    }
}

/// Compares the audit with what this process has seen of it. A row that is missing is logged and recorded; a loss that could not be recorded
/// is reported again by the next comparison.
async fn compare_audit(store: &Store) {
    if let Err(error) = record_audit_loss(store).await {
        warn!(%error, "could not compare the audit with what was seen of it; will try again");
    }
}

async fn record_audit_loss(store: &Store) -> Result<(), StoreError> {
    let Some(loss) = store.check_audit_growth().await? else { return Ok(()) };
    error!(audit.problem = %loss, "rows of the audit were removed");
    let missing = AuditEvent {
        outcome: Outcome::Failed,
        detail: serde_json::json!({ "problem": loss.to_string() }),
        ..AuditEvent::done(&Origin::clew(), "AuditTruncated", "audit")
    };
    store.record(&missing).await?;
    store.acknowledge_audit_loss(&loss);
    Ok(())
}

/// Work that goes on.
#[derive(Default)]
pub(crate) struct Work(Vec<JoinHandle<()>>);

impl Work {
    /// Waits until all of it has ended.
    pub(crate) async fn ended(self) -> Result<(), CliError> {
        for part in self.0 {
            part.await.map_err(|error| CliError::failed(format!("the worker failed: {error}")))?;
        }
        Ok(())
    }
}

/// Takes as many open files as the system lets this process have: connections of callers and to nodes, results, the database.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        warn!(%error, "could not raise the limit of open files");
    }
}

/// Forbids core dumps: a core of this process holds passwords and the master key.
fn forbid_core_dumps() {
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        warn!(%error, "could not forbid core dumps");
    }
}

/// A token that the first SIGINT or SIGTERM cancels; the second ends the process. Both are listened to once this returns: whoever has
/// read the first line may stop the process.
pub(crate) fn stop_on_signals() -> Result<CancellationToken, CliError> {
    let listen =
        |kind| signal(kind).map_err(|error| CliError::failed(format!("could not listen for signals: {error}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if again {
                std::process::exit(130);
            }
            info!("stopping");
            stop.cancel();
        }
    });
    Ok(shutdown)
}
