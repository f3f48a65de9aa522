//! Reads the settings of `clew serve` and `clew worker`.
//! Command-line options override environment variables, which override the configuration file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_api::{ApiSettings, RateLimitSettings};
use clew_diagnose::ProtectedAccounts;
use clew_http::{AllowedHosts, ConnectionSettings, TrustedProxies};
use clew_iam::signature::SignatureCoverage;
use clew_model::NetworkZone;
use clew_mysql::{NodeConnector, ReadLimits, ReadSizeLimits};
use clew_store::StoreLocation;
use clew_worker::WorkerSettings;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::error::{CliError, ResultExt, refused};
use crate::store_args::{DEFAULT_DATA_DIR, build_store_location};
use crate::value_parsers::format_unknown_key_message;

pub(crate) const DEFAULT_LISTEN_ADDRESS: &str = "127.0.0.1:8407";

macro_rules! settings {
    ($($(#[$struct_doc:meta])* struct $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)*
    })*) => {
        $($(#[$struct_doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        })*
    };
}

settings! {
    /// The field names are the keys in the configuration file.
    struct Configuration {
        data_dir: PathBuf = PathBuf::from(DEFAULT_DATA_DIR),
        /// If the URL is empty, metadata is stored in SQLite in the data directory.
        metadata_url: String = String::new(),
        /// The process reads only nodes in these zones and nodes without a zone.
        zones: Vec<NetworkZone> = Vec::new(),
        listen: String = DEFAULT_LISTEN_ADDRESS.to_owned(),
        /// Allows plain HTTP on non-loopback addresses.
        allow_plain_http: bool = false,
        collections: CollectionSettings = CollectionSettings::default(),
        nodes: NodeReadSettings = NodeReadSettings::default(),
        results: ResultStorageSettings = ResultStorageSettings::default(),
        audit: AuditSettings = AuditSettings::default(),
        kills: KillSettings = KillSettings::default(),
        http: HttpSettings = HttpSettings::default(),
        limits: RequestLimitSettings = RequestLimitSettings::default(),
        tls: TlsSettings = TlsSettings::default(),
    }

    struct CollectionSettings {
        concurrency: usize = WorkerSettings::default().concurrency,
        /// Collections that wait for unresponsive nodes do not count as active.
        max_stalled: usize = WorkerSettings::default().max_stalled,
        per_node: u32 = WorkerSettings::default().max_running_per_node,
        queue_per_node: u32 = WorkerSettings::default().max_queued_per_node,
    }

    struct NodeReadSettings {
        /// The timeout includes connection setup.
        timeout: SignedDuration = to_signed_duration(ReadLimits::default().read_timeout),
        connect_timeout: SignedDuration = to_signed_duration(ReadLimits::default().connect_timeout),
        max_bytes: u64 = ReadSizeLimits::default().per_read,
        /// Clew truncates the statements of larger process list rows.
        max_row_bytes: usize = ReadSizeLimits::default().per_row,
        /// Limit for each result set and each session list.
        max_memory_bytes: usize = ReadSizeLimits::default().in_memory,
    }

    struct ResultStorageSettings {
        /// An empty location selects the data directory.
        location: String = String::new(),
        retention: SignedDuration = to_signed_duration(WorkerSettings::default().retention),
        /// Escapes values that a spreadsheet would evaluate as formulas.
        formula_guard: bool = WorkerSettings::default().formula_guard,
    }

    struct AuditSettings {
        retention: SignedDuration = to_signed_duration(WorkerSettings::default().audit_retention),
    }

    struct KillSettings {
        /// An account name has no host part.
        protected_accounts: Vec<String> = Vec::new(),
    }

    struct HttpSettings {
        connections: usize = ConnectionSettings::default().max_connections,
        /// Additional connections for the health and metrics endpoints.
        reserved_connections: usize = ConnectionSettings::default().max_reserved_connections,
        /// Limit per IPv4 address or IPv6 /64 prefix; 0 disables the limit.
        connections_per_peer: usize = ConnectionSettings::default().max_connections_per_peer,
        /// Addresses and networks of the proxies whose `X-Forwarded-…` headers are trusted.
        trusted_proxies: Vec<String> = Vec::new(),
        /// An empty list accepts any `Host` header.
        /// A host name without a port matches requests to any port.
        allowed_hosts: Vec<String> = Vec::new(),
        hsts: bool = ApiSettings::default().hsts,
        /// Signatures must cover the `Host` header and the body. The SDKs for Go and PHP do not sign the `Host` header.
        strict_signatures: bool = false,
        header_timeout: SignedDuration = to_signed_duration(ConnectionSettings::default().header_read_timeout),
        body_timeout: SignedDuration = to_signed_duration(ApiSettings::default().body_read_timeout),
    }

    /// The value 0 disables a limit.
    struct RequestLimitSettings {
        principal_per_second: u32 = RateLimitSettings::default().principal_per_second,
        principal_burst: u32 = RateLimitSettings::default().principal_burst,
        peer_per_second: u32 = RateLimitSettings::default().peer_per_second,
        peer_burst: u32 = RateLimitSettings::default().peer_burst,
        streams_per_principal: usize = ApiSettings::default().max_streams_per_principal,
        long_polls_per_principal: usize = ApiSettings::default().max_long_polls_per_principal,
    }

    /// TLS is disabled if both paths are empty.
    struct TlsSettings {
        cert: PathBuf = PathBuf::new(),
        key: PathBuf = PathBuf::new(),
    }
}

impl NodeReadSettings {
    fn build_read_size_limits(&self) -> Result<ReadSizeLimits, CliError> {
        let (per_row, min) = (self.max_row_bytes, ReadSizeLimits::MIN_ROW_SIZE_LIMIT_BYTES);
        if per_row < min {
            return Err(refused!("nodes.max_row_bytes is {per_row}; expected at least {min}"));
        }
        Ok(ReadSizeLimits {
            per_read: require_positive_number("nodes.max_bytes", self.max_bytes)?,
            per_row,
            in_memory: require_positive_number("nodes.max_memory_bytes", self.max_memory_bytes)?,
        })
    }
}

impl RequestLimitSettings {
    pub(crate) fn to_rate_limit_settings(&self) -> RateLimitSettings {
        RateLimitSettings {
            principal_per_second: self.principal_per_second,
            principal_burst: self.principal_burst,
            peer_per_second: self.peer_per_second,
            peer_burst: self.peer_burst,
        }
    }
}

fn to_signed_duration(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

impl Configuration {
    pub(crate) fn read_configuration_file(file: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = file else { return Ok(Self::default()) };
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .with_refusal_context(format_args!("could not read the configuration {name}"))?;
        parse_configuration(&text).with_refusal_context(format_args!("configuration {name}"))
    }

    pub(crate) fn resolve_store_location(&self) -> Result<StoreLocation, CliError> {
        build_store_location(&self.data_dir, Some(&*self.metadata_url).filter(|url| !url.is_empty()))
    }

    pub(crate) fn worker_settings(&self) -> Result<WorkerSettings, CliError> {
        Ok(WorkerSettings {
            concurrency: require_positive_number("collections.concurrency", self.collections.concurrency)?,
            max_stalled: self.collections.max_stalled,
            max_running_per_node: require_positive_number("collections.per_node", self.collections.per_node)?,
            max_queued_per_node: require_positive_number(
                "collections.queue_per_node",
                self.collections.queue_per_node,
            )?,
            retention: require_positive_duration("results.retention", self.results.retention)?,
            formula_guard: self.results.formula_guard,
            audit_retention: require_positive_duration("audit.retention", self.audit.retention)?,
            connector: NodeConnector {
                limits: ReadLimits {
                    read_timeout: require_positive_duration("nodes.timeout", self.nodes.timeout)?,
                    connect_timeout: require_positive_duration("nodes.connect_timeout", self.nodes.connect_timeout)?,
                    bytes: self.nodes.build_read_size_limits()?,
                },
                ..NodeConnector::default()
            },
            ..WorkerSettings::default()
        })
    }

    pub(crate) fn protected_accounts(&self) -> Result<ProtectedAccounts, CliError> {
        let names = &self.kills.protected_accounts;
        if let Some(name) = names.iter().find(|name| name.is_empty() || name.contains('@')) {
            return Err(refused!(
                "kills.protected_accounts contains {name:?}; expected account names without hosts, such as \"billing\""
            ));
        }
        Ok(ProtectedAccounts::default().with_accounts(names.iter().map(String::as_bytes)))
    }

    pub(crate) fn api_settings(&self) -> Result<ApiSettings, CliError> {
        let trusted_proxies = TrustedProxies::parse(&self.http.trusted_proxies).map_err(|text| {
            refused!(
                "http.trusted_proxies contains {text:?}, which is neither an address nor a network such as \
                 \"10.0.0.0/8\""
            )
        })?;
        let allowed_hosts = AllowedHosts::parse(&self.http.allowed_hosts).map_err(|text| {
            refused!(
                "http.allowed_hosts contains {text:?}, which is not a host such as \"clew.example.com\" or \
                 \"clew.example.com:8407\""
            )
        })?;
        let connections = ConnectionSettings {
            max_connections: require_positive_number("http.connections", self.http.connections)?,
            max_reserved_connections: self.http.reserved_connections,
            max_connections_per_peer: self.http.connections_per_peer,
            trusted_proxies,
            header_read_timeout: require_positive_duration("http.header_timeout", self.http.header_timeout)?,
            ..ConnectionSettings::default()
        };
        Ok(ApiSettings {
            connections,
            allowed_hosts,
            hsts: self.http.hsts,
            signature_coverage: if self.http.strict_signatures {
                SignatureCoverage::HostAndBody
            } else {
                SignatureCoverage::OfficialSdks
            },
            max_streams_per_principal: self.limits.streams_per_principal,
            max_long_polls_per_principal: self.limits.long_polls_per_principal,
            body_read_timeout: require_positive_duration("http.body_timeout", self.http.body_timeout)?,
            ..ApiSettings::default()
        })
    }
}

fn require_positive_number<T: PartialOrd + From<u8>>(key: &str, value: T) -> Result<T, CliError> {
    if value >= T::from(1) { Ok(value) } else { Err(refused!("{key} must be at least 1")) }
}

fn require_positive_duration(key: &str, duration: SignedDuration) -> Result<Duration, CliError> {
    Duration::try_from(duration)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| refused!("{key} must be longer than 0, such as \"10s\" or \"24h\""))
}

pub(crate) fn parse_configuration(text: &str) -> Result<Configuration, String> {
    let mut unknown = None;
    let configuration = serde_ignored::deserialize(
        toml::Deserializer::parse(text).map_err(|error| format_toml_error(&error))?,
        |path| {
            unknown.get_or_insert_with(|| path.to_string());
        },
    )
    .map_err(|error| format_toml_error(&error))?;
    match unknown {
        None => Ok(configuration),
        Some(key) => {
            let keys = list_configuration_keys();
            Err(format_unknown_key_message(&key, &keys.iter().map(String::as_str).collect::<Vec<_>>()))
        }
    }
}

pub(crate) fn format_toml_error(error: &toml::de::Error) -> String {
    error.to_string().trim_end().to_owned()
}

/// The keys are in dotted form, such as `http.connections`.
pub(crate) fn list_configuration_keys() -> Vec<String> {
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
    fn file_overrides_only_the_keys_it_contains() {
        let configuration = parse_configuration("listen = \"0.0.0.0:80\"\n[results]\nretention = \"2h 30m\"").unwrap();
        assert_eq!(configuration.listen, "0.0.0.0:80");
        assert_eq!(configuration.results.retention, SignedDuration::from_mins(150));
        assert_eq!(configuration.collections, CollectionSettings::default());
    }

    #[test]
    fn unknown_key_suggests_the_nearest_valid_key() {
        assert_eq!(parse_configuration("lisen = \"x\"").unwrap_err(), "unknown key lisen; did you mean listen?");
        assert_eq!(
            parse_configuration("[results]\nretension = \"1h\"").unwrap_err(),
            "unknown key results.retension; did you mean results.retention?"
        );
        assert!(parse_configuration("[zzz]\nqqq = 1").unwrap_err().contains("valid keys: "));
    }

    #[test]
    fn invalid_value_is_reported_with_key_and_line() {
        let error = parse_configuration("[collections]\nper_node = \"two\"").unwrap_err();
        assert!(error.contains("per_node") && error.contains("line 2"), "{error}");
        let error = parse_configuration("[collections]\nper_node = 0").unwrap().worker_settings().unwrap_err();
        assert!(format!("{error:?}").contains("collections.per_node must be at least 1"));
        let error = parse_configuration("[results]\nretention = \"-1h\"").unwrap().worker_settings().unwrap_err();
        assert!(format!("{error:?}").contains("results.retention must be longer than 0"));
    }

    #[test]
    fn byte_limits_of_nodes_are_validated_and_used() {
        let limits = |keys: &str| {
            let settings = parse_configuration(&format!("[nodes]\n{keys}")).unwrap().worker_settings();
            settings.map(|set| set.connector.limits.bytes)
        };
        assert_eq!(limits("").unwrap(), ReadSizeLimits::default());
        let set = limits("max_bytes = 7\nmax_row_bytes = 1048576\nmax_memory_bytes = 9").unwrap();
        assert_eq!(set, ReadSizeLimits { per_read: 7, per_row: 1 << 20, in_memory: 9 });
        for key in ["max_bytes", "max_row_bytes", "max_memory_bytes"] {
            let error = format!("{:?}", limits(&format!("{key} = 0")).unwrap_err());
            assert!(error.contains(&format!("nodes.{key}")) && error.contains("at least"), "{error}");
        }
    }

    #[test]
    fn protected_accounts_extend_the_built_in_list() {
        let protected = |names| {
            parse_configuration(&format!("[kills]\nprotected_accounts = {names}")).unwrap().protected_accounts()
        };
        let both = protected(r#"["billing"]"#).unwrap();
        assert!(both.is_protected(b"billing") && both.is_protected(b"rdsadmin") && !both.is_protected(b"app"));
        for invalid in [r#"["a", ""]"#, r#"["billing@%"]"#] {
            let error = format!("{:?}", protected(invalid).unwrap_err());
            assert!(error.contains("kills.protected_accounts"), "{error}");
        }
    }

    #[test]
    fn invalid_proxy_address_is_named_in_the_error() {
        let settings =
            |proxies| parse_configuration(&format!("[http]\ntrusted_proxies = {proxies}")).unwrap().api_settings();
        assert_ne!(
            settings(r#"["10.0.0.0/8", "::1"]"#).unwrap().connections.trusted_proxies,
            TrustedProxies::default()
        );
        let refused = format!("{:?}", settings(r#"["10.0.0.0/8", "proxy"]"#).unwrap_err());
        assert!(refused.contains("trusted_proxies") && refused.contains("proxy"), "{refused}");
    }

    #[test]
    fn invalid_allowed_host_is_named_in_the_error() {
        let settings = |hosts| parse_configuration(&format!("[http]\nallowed_hosts = {hosts}")).unwrap().api_settings();
        assert_ne!(settings(r#"["clew.example.com", "[::1]:8407"]"#).unwrap().allowed_hosts, AllowedHosts::default());
        let refused = format!("{:?}", settings(r#"["clew.example.com", "https://clew"]"#).unwrap_err());
        assert!(refused.contains("allowed_hosts") && refused.contains("https://clew"), "{refused}");
    }

    #[test]
    fn strict_signatures_require_a_signed_host_and_body() {
        let coverage = |text| parse_configuration(text).unwrap().api_settings().unwrap().signature_coverage;
        assert_eq!(coverage(""), SignatureCoverage::OfficialSdks);
        assert_eq!(coverage("[http]\nstrict_signatures = false"), SignatureCoverage::OfficialSdks);
        assert_eq!(coverage("[http]\nstrict_signatures = true"), SignatureCoverage::HostAndBody);
    }

    #[test]
    fn default_configuration_round_trips_through_toml() {
        let text = toml::to_string(&Configuration::default()).unwrap();
        assert_eq!(parse_configuration(&text).unwrap(), Configuration::default());
    }
}
