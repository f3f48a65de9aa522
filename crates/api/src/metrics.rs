//! Metrics in the OpenMetrics format for Prometheus.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use clew_http::{ConnectionObserver, ExceededConnectionLimit};
use clew_model::{CollectionTaskStatus, FailureKind, NodeId};
use clew_store::ZoneState;
use clew_worker::WorkerObserver;
use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Arc<str>,
    status: u16,
}

type Label<T> = [(&'static str, T); 1];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExceededLimit(&'static str);

impl ExceededLimit {
    pub(crate) const PRINCIPAL_REQUESTS: Self = Self("principal");
    pub(crate) const SIGN_INS: Self = Self("sign_ins");
    pub(crate) const AUTH_FAILURES: Self = Self("failures");
    const PEER_CONNECTIONS: Self = Self("connections");
    const ALL_CONNECTIONS: Self = Self("all_connections");
    pub(crate) const EVENT_STREAMS: Self = Self("streams");
    pub(crate) const LONG_POLLS: Self = Self("long_polls");
}

/// Metrics for the server process. Clones share the same metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    request_durations: Family<Label<Arc<str>>, Histogram>,
    rejections: Family<Label<&'static str>, Counter>,
    collection_durations: Histogram,
    collected_rows: Counter,
    node_errors: Family<Label<&'static str>, Counter>,
    tasks: Family<Label<&'static str>, Gauge>,
    workers: Family<Label<String>, Gauge>,
    poll_intervals: Family<Label<String>, Gauge<f64, AtomicU64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("clew");
        let to = &mut registry;
        let request_durations = Family::new_with_constructor(new_duration_histogram as fn() -> Histogram);
        let collection_durations = Histogram::new(exponential_buckets(0.01, 3.0, 9));
        let requests_help = "Duration of requests by route";
        let collections_help = "Duration of finished collections, from the claim to the stored result";
        let intervals_help = "Poll interval of kill tasks for a node that responds slowly, by node";
        let rejections_help = "Requests and connections that were rejected because a limit was exceeded, by limit";
        let workers_help = "Running workers by zone; the zone is empty for nodes without a zone";
        Self {
            requests: register_metric(to, "http_requests", "Completed requests by method, route and status"),
            request_durations: register_duration_metric(to, "http_request_duration", requests_help, request_durations),
            rejections: register_metric(to, "http_rate_limited", rejections_help),
            collection_durations: register_duration_metric(
                to,
                "collection_duration",
                collections_help,
                collection_durations,
            ),
            collected_rows: register_metric(to, "collected_rows", "Rows in the results of finished collections"),
            node_errors: register_metric(to, "collection_failures", "Failed collections by kind of failure"),
            tasks: register_metric(to, "tasks", "Stored collections by status"),
            workers: register_metric(to, "workers", workers_help),
            poll_intervals: register_duration_metric(to, "kill_task_poll_interval", intervals_help, Family::default()),
            registry: Arc::new(registry),
        }
    }
}

fn register_metric<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// The registry appends the suffix `_seconds` to the name.
fn register_duration_metric<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

impl Metrics {
    /// `route` must be a route pattern, because each raw path would create another time series.
    pub(crate) fn record_response(&self, method: &Method, route: impl Into<Arc<str>>, status: u16, seconds: f64) {
        let route = route.into();
        let method = HTTP_METHOD_LABELS.iter().find(|counted| *counted == method).map_or("other", Method::as_str);
        self.requests.get_or_create(&RequestLabels { method, route: route.clone(), status }).inc();
        self.request_durations.get_or_create(&[("route", route)]).observe(seconds);
    }

    pub(crate) fn record_exceeded_limit(&self, limit: ExceededLimit) {
        self.rejections.get_or_create(&[("limit", limit.0)]).inc();
    }

    pub(crate) fn set_queue_and_worker_gauges(&self, tasks: &[(CollectionTaskStatus, u64)], zones: Vec<ZoneState>) {
        for (status, count) in tasks {
            self.tasks.get_or_create(&[("status", status.name())]).set(gauge_value_from_count(*count));
        }
        self.workers.clear();
        for state in zones {
            let zone = state.zone.map_or_else(String::new, Into::into);
            self.workers.get_or_create(&[("zone", zone)]).set(gauge_value_from_count(state.workers));
        }
    }

    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

static HTTP_METHOD_LABELS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS];

fn new_duration_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 9))
}

impl ConnectionObserver for Metrics {
    fn record_exceeded_connection_limit(&self, limit: ExceededConnectionLimit) {
        self.record_exceeded_limit(match limit {
            ExceededConnectionLimit::PerPeer => ExceededLimit::PEER_CONNECTIONS,
            ExceededConnectionLimit::Total => ExceededLimit::ALL_CONNECTIONS,
        });
    }

    fn record_malformed_request(&self, status: StatusCode) {
        let method = Method::from_bytes(b"UNKNOWN").unwrap_or_default();
        self.record_response(&method, "none", status.as_u16(), 0.0);
    }
}

impl WorkerObserver for Metrics {
    fn record_collection_success(&self, rows: u64, seconds: f64) {
        self.collected_rows.inc_by(rows);
        self.collection_durations.observe(seconds);
    }

    fn record_collection_failure(&self, kind: FailureKind) {
        self.node_errors.get_or_create(&[("kind", kind.name())]).inc();
    }

    fn record_poll_interval_change(&self, node: &NodeId, interval: Option<Duration>) {
        let label = [("node", node.to_string())];
        match interval {
            Some(interval) => {
                self.poll_intervals.get_or_create(&label).set(interval.as_secs_f64());
            }
            None => {
                self.poll_intervals.remove(&label);
            }
        }
    }
}

fn gauge_value_from_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The series names in the operators' files exist. Some series names have a suffix after the family name.
    #[test]
    fn metrics_in_dashboards_and_alerts_exist() {
        let metrics = Metrics::default();
        metrics.record_response(&Method::GET, "/", 200, 0.1);
        metrics.record_exceeded_limit(ExceededLimit::SIGN_INS);
        metrics.record_collection_failure(FailureKind::Unreachable);
        metrics.tasks.get_or_create(&[("status", "queued")]).set(1);
        metrics.workers.get_or_create(&[("zone", "dmz".into())]).set(1);
        metrics.record_poll_interval_change(&NodeId::generate(), Some(Duration::from_secs(1)));
        let text = metrics.encode().unwrap();
        let files = [
            include_str!("../../../docs/operations/grafana/clew.json"),
            include_str!("../../../docs/operations/prometheus/alerts.yml"),
            include_str!("../../../docs/operations/README.md"),
        ];
        for file in files {
            let words = file.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let mut count = 0;
            for name in words.filter(|word| word.starts_with("clew_")) {
                let family = ["_total", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                assert!(text.contains(&format!("# TYPE {family} ")), "{name} is not in\n{text}");
                count += 1;
            }
            assert!(count > 3, "{file}");
        }
    }

    #[test]
    fn poll_interval_of_a_node_is_exported_until_it_is_cleared() {
        let (metrics, node) = (Metrics::default(), NodeId::generate());
        let is_exported = || {
            metrics
                .encode()
                .unwrap()
                .contains(&format!("clew_kill_task_poll_interval_seconds{{node=\"{node}\"}} 4.5\n"))
        };
        metrics.record_poll_interval_change(&node, Some(Duration::from_millis(4500)));
        assert!(is_exported());
        metrics.record_poll_interval_change(&node, None);
        assert!(!is_exported());
    }
}
