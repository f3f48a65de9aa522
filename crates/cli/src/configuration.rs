//! Settings of a server: flags over environment over file over defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_api::{AllowedHosts, ApiSettings, Rates, TrustedProxies};
use clew_diagnose::ProtectedAccounts;
use clew_model::Zone;
use clew_store::Location;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::error::CliError;
use crate::metadata::location;

/// What a configuration file may say. The defaults are the whole truth about what it may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Configuration {
    /// Folder with metadata, results and the master key.
    pub(crate) data_dir: PathBuf,
    /// PostgreSQL database with the metadata; empty: the folder has it.
    pub(crate) metadata: String,
    /// Zones that the process is in.
    pub(crate) zones: Vec<Zone>,
    /// Address and port to listen on.
    pub(crate) listen: String,
    /// Whether others may reach that address though there is no TLS.
    pub(crate) allow_plain_http: bool,
    pub(crate) collections: CollectionSettings,
    pub(crate) nodes: NodeSettings,
    pub(crate) results: ResultSettings,
    pub(crate) audit: AuditSettings,
    pub(crate) kills: KillSettings,
    pub(crate) http: HttpSettings,
    pub(crate) limits: RateSettings,
    pub(crate) tls: TlsSettings,
}

/// The queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CollectionSettings {
    /// Collections that are at work at once.
    pub(crate) concurrency: usize,
    /// Collections that may run besides, as long as their nodes are silent.
    pub(crate) waiting: usize,
    /// Collections of one node that run at once.
    pub(crate) per_node: u32,
    /// Collections of one node that may wait.
    pub(crate) queue_per_node: u32,
}

/// How nodes are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NodeSettings {
    /// For a whole read.
    pub(crate) timeout: SignedDuration,
    /// For a connection; part of `timeout`.
    pub(crate) connect_timeout: SignedDuration,
    /// Bytes that a node may send during one read.
    pub(crate) max_bytes: u64,
}

/// What becomes of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ResultSettings {
    /// Where they are kept: `s3://bucket/prefix`. Empty: in the data directory.
    pub(crate) location: String,
    /// How long they are kept.
    pub(crate) retention: SignedDuration,
    /// Whether text that a spreadsheet would take for a formula is disarmed.
    pub(crate) formula_guard: bool,
}

/// What becomes of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AuditSettings {
    /// How long its rows are kept.
    pub(crate) retention: SignedDuration,
}

/// Who is never killed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KillSettings {
    /// Names of accounts, without their hosts, that are protected besides those that always are.
    pub(crate) protected_accounts: Vec<String>,
}

/// The HTTP side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HttpSettings {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections besides, for the operations endpoints alone.
    pub(crate) reserved_connections: usize,
    /// Connections of one peer at once; 0 is any number.
    pub(crate) connections_per_peer: usize,
    /// Networks and addresses of proxies that may say whom they speak for.
    pub(crate) trusted_proxies: Vec<String>,
    /// Hosts that the server answers for, each with one port or with any; empty: any host.
    pub(crate) allowed_hosts: Vec<String>,
    /// Send HSTS on responses over TLS.
    pub(crate) hsts: bool,
    /// For the head of a request.
    pub(crate) header_timeout: SignedDuration,
    /// For the body of a request.
    pub(crate) body_timeout: SignedDuration,
}

/// How often a client may make requests, and how many of those that stay open; 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RateSettings {
    pub(crate) principal_per_second: u32,
    pub(crate) principal_burst: u32,
    pub(crate) peer_per_second: u32,
    pub(crate) peer_burst: u32,
    /// Event streams of one principal at once.
    pub(crate) streams_per_principal: usize,
    /// Requests of one principal at once that wait for a collection to end.
    pub(crate) long_polls_per_principal: usize,
}

/// Files of the certificate and its key. Empty paths are none: TLS needs both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TlsSettings {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(DEFAULT_DATA_DIR),
            metadata: String::new(),
            zones: Vec::new(),
            listen: DEFAULT_LISTEN.to_owned(),
            allow_plain_http: false,
            collections: CollectionSettings::default(),
            nodes: NodeSettings::default(),
            results: ResultSettings::default(),
            audit: AuditSettings::default(),
            kills: KillSettings::default(),
            http: HttpSettings::default(),
            limits: RateSettings::default(),
            tls: TlsSettings::default(),
        }
    }
}

/// Where the data are unless something else is said.
pub(crate) const DEFAULT_DATA_DIR: &str = "./clew-data";
/// Where the server listens unless something else is said.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8407";

impl Default for CollectionSettings {
    fn default() -> Self {
        let settings = clew_tasks::Settings::default();
        Self {
            concurrency: settings.concurrency,
            waiting: settings.waiting,
            per_node: settings.per_node,
            queue_per_node: settings.queue_per_node,
        }
    }
}

impl Default for NodeSettings {
    fn default() -> Self {
        let limits = clew_mysql::Limits::default();
        Self { timeout: signed(limits.node), connect_timeout: signed(limits.connect), max_bytes: limits.bytes }
    }
}

impl Default for ResultSettings {
    fn default() -> Self {
        let settings = clew_tasks::Settings::default();
        Self { location: String::new(), retention: signed(settings.retention), formula_guard: settings.formula_guard }
    }
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { retention: signed(clew_tasks::Settings::default().audit_retention) }
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        let settings = ApiSettings::default();
        Self {
            connections: settings.connections,
            reserved_connections: settings.reserved_connections,
            connections_per_peer: settings.connections_per_peer,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            hsts: settings.hsts,
            header_timeout: signed(settings.header_read),
            body_timeout: signed(settings.body_read),
        }
    }
}

impl Default for RateSettings {
    fn default() -> Self {
        let Rates { principal_per_second, principal_burst, peer_per_second, peer_burst } = Rates::default();
        let ApiSettings { streams_per_principal, long_polls_per_principal, .. } = ApiSettings::default();
        Self {
            principal_per_second,
            principal_burst,
            peer_per_second,
            peer_burst,
            streams_per_principal,
            long_polls_per_principal,
        }
    }
}

impl RateSettings {
    /// The same for the API.
    pub(crate) fn rates(&self) -> Rates {
        Rates {
            principal_per_second: self.principal_per_second,
            principal_burst: self.principal_burst,
            peer_per_second: self.peer_per_second,
            peer_burst: self.peer_burst,
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

impl Configuration {
    /// The defaults, overridden by what a file says.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = file else { return Ok(Self::default()) };
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| CliError::refused(format!("could not read the configuration {shown}: {error}")))?;
        parse(&text).map_err(|error| CliError::refused(format!("configuration {shown}: {error}")))
    }

    /// Where the store is.
    pub(crate) fn location(&self) -> Result<Location, CliError> {
        location(&self.data_dir, Some(&*self.metadata).filter(|url| !url.is_empty()))
    }

    /// What the worker takes. Fails on durations and counts that make no sense.
    pub(crate) fn task_settings(&self) -> Result<clew_tasks::Settings, CliError> {
        Ok(clew_tasks::Settings {
            concurrency: at_least_one("collections.concurrency", self.collections.concurrency)?,
            waiting: self.collections.waiting,
            per_node: at_least_one("collections.per_node", self.collections.per_node)?,
            queue_per_node: at_least_one("collections.queue_per_node", self.collections.queue_per_node)?,
            retention: positive("results.retention", self.results.retention)?,
            formula_guard: self.results.formula_guard,
            audit_retention: positive("audit.retention", self.audit.retention)?,
            limits: clew_mysql::Limits {
                node: positive("nodes.timeout", self.nodes.timeout)?,
                connect: positive("nodes.connect_timeout", self.nodes.connect_timeout)?,
                bytes: at_least_one("nodes.max_bytes", self.nodes.max_bytes)?,
            },
            ..clew_tasks::Settings::default()
        })
    }

    /// The accounts whose sessions are never killed. Fails on names that no account has.
    pub(crate) fn protected_accounts(&self) -> Result<ProtectedAccounts, CliError> {
        let names = &self.kills.protected_accounts;
        if let Some(name) = names.iter().find(|name| name.is_empty() || name.contains('@')) {
            return Err(CliError::refused(format!(
                "kills.protected_accounts holds {name:?}; it takes the names of accounts without their hosts, such as \"billing\""
            )));
        }
        Ok(ProtectedAccounts::default().and(names.iter().map(String::as_bytes)))
    }

    /// What the HTTP side takes. Fails on durations and addresses that make no sense.
    pub(crate) fn api_settings(&self) -> Result<ApiSettings, CliError> {
        let trusted_proxies = TrustedProxies::parse(&self.http.trusted_proxies).map_err(|text| {
            CliError::refused(format!(
                "http.trusted_proxies holds {text:?}, which is neither an address nor a network such as \"10.0.0.0/8\""
            ))
        })?;
        let allowed_hosts = AllowedHosts::parse(&self.http.allowed_hosts).map_err(|text| {
            CliError::refused(format!(
                "http.allowed_hosts holds {text:?}, which is no host such as \"clew.example.com\" or \"clew.example.com:8407\""
            ))
        })?;
        Ok(ApiSettings {
            allowed_hosts,
            hsts: self.http.hsts,
            connections: at_least_one("http.connections", self.http.connections)?,
            reserved_connections: self.http.reserved_connections,
            connections_per_peer: self.http.connections_per_peer,
            streams_per_principal: self.limits.streams_per_principal,
            long_polls_per_principal: self.limits.long_polls_per_principal,
            trusted_proxies,
            header_read: positive("http.header_timeout", self.http.header_timeout)?,
            body_read: positive("http.body_timeout", self.http.body_timeout)?,
            ..ApiSettings::default()
        })
    }
}

fn at_least_one<T: PartialOrd + From<u8>>(key: &str, value: T) -> Result<T, CliError> {
    if value >= T::from(1) { Ok(value) } else { Err(CliError::refused(format!("{key} must be at least 1"))) }
}

/// A duration that is longer than nothing.
fn positive(key: &str, duration: SignedDuration) -> Result<Duration, CliError> {
    Duration::try_from(duration)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| CliError::refused(format!("{key} must be longer than 0, such as \"10s\" or \"24h\"")))
}

/// An unknown key is an error that names the nearest known one.
pub(crate) fn parse(text: &str) -> Result<Configuration, String> {
    let mut unknown = None;
    let configuration =
        serde_ignored::deserialize(toml::Deserializer::parse(text).map_err(|error| readable(&error))?, |path| {
            unknown.get_or_insert_with(|| path.to_string());
        })
        .map_err(|error| readable(&error))?;
    match unknown {
        None => Ok(configuration),
        Some(key) => Err(match nearest(&key) {
            Some(known) => format!("{key} is not known; did you mean {known}?"),
            None => format!("{key} is not known; known are {}", known_keys().join(", ")),
        }),
    }
}

fn readable(error: &toml::de::Error) -> String {
    error.to_string().trim_end().to_owned()
}

fn nearest(key: &str) -> Option<String> {
    let distance = |known: &String| strsim::damerau_levenshtein(known, key);
    known_keys().into_iter().min_by_key(distance).filter(|known| distance(known) <= key.len() / 2)
}

/// Every key that a file may have, from the defaults themselves.
pub(crate) fn known_keys() -> Vec<String> {
    let mut keys = Vec::new();
    let Ok(toml::Value::Table(table)) = toml::Value::try_from(Configuration::default()) else { return keys };
    for (key, value) in table {
        match value {
            toml::Value::Table(section) => keys.extend(section.keys().map(|inner| format!("{key}.{inner}"))),
            _ => keys.push(key),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_overrides_only_what_it_names() {
        let configuration = parse("listen = \"0.0.0.0:80\"\n[results]\nretention = \"2h 30m\"").unwrap();
        assert_eq!(configuration.listen, "0.0.0.0:80");
        assert_eq!(configuration.results.retention, SignedDuration::from_mins(150));
        assert_eq!(configuration.collections, CollectionSettings::default());
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        assert_eq!(parse("lisen = \"x\"").unwrap_err(), "lisen is not known; did you mean listen?");
        assert_eq!(
            parse("[results]\nretension = \"1h\"").unwrap_err(),
            "results.retension is not known; did you mean results.retention?"
        );
        assert!(parse("[zzz]\nqqq = 1").unwrap_err().contains("known are"));
    }

    #[test]
    fn values_of_the_wrong_kind_say_where() {
        let error = parse("[collections]\nper_node = \"two\"").unwrap_err();
        assert!(error.contains("per_node") && error.contains("line 2"), "{error}");
        let none = parse("[collections]\nper_node = 0").unwrap().task_settings().unwrap_err();
        assert!(format!("{none:?}").contains("collections.per_node must be at least 1"));
        let none = parse("[results]\nretention = \"-1h\"").unwrap().task_settings().unwrap_err();
        assert!(format!("{none:?}").contains("results.retention must be longer than 0"));
    }

    #[test]
    fn protected_accounts_are_names_and_come_on_top_of_those_that_always_are() {
        let protected = |names| parse(&format!("[kills]\nprotected_accounts = {names}")).unwrap().protected_accounts();
        let both = protected(r#"["billing"]"#).unwrap();
        assert!(both.protects(b"billing") && both.protects(b"rdsadmin") && !both.protects(b"app"));
        for wrong in [r#"["a", ""]"#, r#"["billing@%"]"#] {
            let refused = format!("{:?}", protected(wrong).unwrap_err());
            assert!(refused.contains("kills.protected_accounts"), "{refused}");
        }
    }

    #[test]
    fn a_proxy_that_is_no_address_is_named() {
        let settings = |proxies| parse(&format!("[http]\ntrusted_proxies = {proxies}")).unwrap().api_settings();
        assert_ne!(settings(r#"["10.0.0.0/8", "::1"]"#).unwrap().trusted_proxies, TrustedProxies::default());
        let refused = format!("{:?}", settings(r#"["10.0.0.0/8", "proxy"]"#).unwrap_err());
        assert!(refused.contains("trusted_proxies") && refused.contains("proxy"), "{refused}");
    }

    #[test]
    fn an_allowed_host_that_is_none_is_named() {
        let settings = |hosts| parse(&format!("[http]\nallowed_hosts = {hosts}")).unwrap().api_settings();
        assert_ne!(settings(r#"["clew.example.com", "[::1]:8407"]"#).unwrap().allowed_hosts, AllowedHosts::default());
        let refused = format!("{:?}", settings(r#"["clew.example.com", "https://clew"]"#).unwrap_err());
        assert!(refused.contains("allowed_hosts") && refused.contains("https://clew"), "{refused}");
    }

    #[test]
    fn every_default_can_be_written_and_read_back() {
        let text = toml::to_string(&Configuration::default()).unwrap();
        assert_eq!(parse(&text).unwrap(), Configuration::default());
    }
}
