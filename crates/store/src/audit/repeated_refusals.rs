//! Combines a caller's repeatedly refused requests into one audit event per time window, so that the caller cannot fill the disk.
//!
//! Clew records the first refused request per caller and reason in the audit log before sending the response.
//! After each time window, Clew records the number of repeated refusals in one audit event.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use clew_model::{Actor, AuditEvent, AuditOutcome, DomainId, UserId};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::error::StoreError;
use crate::store::Store;

/// Refusals of further kinds share one counter.
const MAX_REFUSAL_KINDS_PER_CALLER: usize = 16;
/// Further callers in a domain share one counter.
const MAX_TRACKED_CALLERS: usize = 256;
const MAX_DISTINCT_VALUES_PER_FIELD: usize = 16;
const MAX_PENDING_AUDIT_EVENTS: usize = 8192;
const AUDIT_FLUSH_INTERVAL: Duration = Duration::from_secs(5);
const REPEATED_REFUSALS_OPERATION_NAME: &str = "RefusedRequests";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum CallerKey {
    User(UserId),
    /// Unauthenticated client. `claimed` is the requested domain and user name, or `None` for an unknown domain.
    Unknown {
        client: Option<IpAddr>,
        claimed: Option<(DomainId, String)>,
    },
    Others {
        domain: Option<DomainId>,
    },
}

/// Type of a refused request: operation, outcome, error code and reason.
/// `None` stands for refusals beyond [`MAX_REFUSAL_KINDS_PER_CALLER`] and for all refusals of [`CallerKey::Others`].
type RefusalKind = Option<(String, AuditOutcome, Option<String>, &'static str)>;

#[derive(Debug)]
struct RefusalTimeWindow {
    ends: Instant,
    /// Number of refused requests in the time window, not counting the first, which has its own audit event.
    repeated: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    /// The event contains only the field values that all refusals share.
    event: AuditEvent,
    targets: BTreeSet<String>,
    claimed: BTreeSet<String>,
    operations: BTreeSet<String>,
    users: BTreeSet<String>,
    peers: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct RefusalCounterState {
    windows: HashMap<CallerKey, HashMap<RefusalKind, RefusalTimeWindow>>,
    pending: VecDeque<AuditEvent>,
}

/// Combines the repetitions of a caller's refused request in each time window into one audit event.
#[derive(Debug)]
pub struct RepeatedRefusalCounter {
    window: Duration,
    state: Mutex<RefusalCounterState>,
}

impl RepeatedRefusalCounter {
    /// `window` is the period for which repetitions of a caller's refused request are combined into one audit event.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window, state: Mutex::default() }
    }

    /// Appends `event` to the audit log if it is the caller's first refusal of its kind in a time window; otherwise, only counts it.
    ///
    /// `client` is the address of an unauthenticated client: the IPv4 address, or the first address of the IPv6 prefix.
    /// `reason` is the message id of the detailed error message, which is more specific than the error code.
    pub async fn record_refusal(
        &self,
        store: &Store,
        event: AuditEvent,
        client: Option<IpAddr>,
        reason: &'static str,
    ) -> Result<(), StoreError> {
        let Some((caller, kind)) = self.count_refusal(&event, client, reason) else { return Ok(()) };
        let recorded = store.audit().append_audit_event(&event).await;
        if recorded.is_err() {
            // Close the window so that the next refusal is recorded.
            self.state.lock().close_refusal_window(&caller, &kind);
        }
        recorded
    }

    /// Returns the caller and the refusal kind only for the first refusal in a time window.
    fn count_refusal(
        &self,
        event: &AuditEvent,
        client: Option<IpAddr>,
        reason: &'static str,
    ) -> Option<(CallerKey, RefusalKind)> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let (caller, kind) = state.refusal_window_key(event, client, reason);
        let window = state.windows.get_mut(&caller).and_then(|kinds| kinds.get_mut(&kind));
        if let Some(window) = window.filter(|window| window.ends > now) {
            window.add_repeated_refusal(event);
            return None;
        }
        state.close_refusal_window(&caller, &kind);
        let window = RefusalTimeWindow::new(event, now + self.window);
        state.windows.entry(caller.clone()).or_default().insert(kind.clone(), window);
        Some((caller, kind))
    }

    /// Periodically writes the audit events of expired time windows. When `end` completes, writes all remaining events.
    ///
    /// Callers must run only one flush loop at a time, because concurrent flush loops can lose audit events.
    pub async fn run_refusal_flush_loop(&self, store: &Store, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        while timeout(AUDIT_FLUSH_INTERVAL, end.as_mut()).await.is_err() {
            let now = Instant::now();
            self.flush(store, |window| window.ends <= now).await;
        }
        self.flush(store, |_| true).await;
    }

    async fn flush(&self, store: &Store, has_ended: impl Fn(&RefusalTimeWindow) -> bool) {
        self.state.lock().end_expired_refusal_time_windows(has_ended);
        loop {
            let Some(event) = self.state.lock().pending.pop_front() else { return };
            if let Err(error) = store.audit().append_audit_event(&event).await {
                let mut state = self.state.lock();
                state.pending.push_front(event);
                warn!(%error, events = state.pending.len(), "cannot record repeated refusals in the audit log");
                return;
            }
        }
    }
}

impl RefusalCounterState {
    fn refusal_window_key(
        &self,
        event: &AuditEvent,
        client: Option<IpAddr>,
        reason: &'static str,
    ) -> (CallerKey, RefusalKind) {
        let caller = build_caller_key(event, client);
        let kind = Some((event.operation.clone(), event.outcome, event.code.clone(), reason));
        match self.windows.get(&caller) {
            Some(kinds) if kinds.contains_key(&kind) || kinds.len() < MAX_REFUSAL_KINDS_PER_CALLER => (caller, kind),
            Some(_) => (caller, None),
            None if self.windows.len() < MAX_TRACKED_CALLERS => (caller, kind),
            None => (CallerKey::Others { domain: domain_id_for_audit_event(event) }, None),
        }
    }

    fn close_refusal_window(&mut self, caller: &CallerKey, kind: &RefusalKind) {
        let Some(kinds) = self.windows.get_mut(caller) else { return };
        let ended = kinds.remove(kind);
        if kinds.is_empty() {
            self.windows.remove(caller);
        }
        self.enqueue_audit_events(ended);
    }

    fn end_expired_refusal_time_windows(&mut self, has_ended: impl Fn(&RefusalTimeWindow) -> bool) {
        let mut ended = Vec::new();
        self.windows.retain(|_, kinds| {
            ended.extend(kinds.extract_if(|_, window| has_ended(window)).map(|(_, window)| window));
            !kinds.is_empty()
        });
        self.enqueue_audit_events(ended);
    }

    fn enqueue_audit_events(&mut self, ended: impl IntoIterator<Item = RefusalTimeWindow>) {
        for event in ended.into_iter().filter_map(RefusalTimeWindow::into_audit_event) {
            if self.pending.len() < MAX_PENDING_AUDIT_EVENTS {
                self.pending.push_back(event);
            } else {
                let count = event.detail.get("repeated").and_then(serde_json::Value::as_u64);
                warn!(
                    audit.operation = event.operation,
                    count, "repeated refusals dropped because the audit queue is full"
                );
            }
        }
    }
}

fn build_caller_key(event: &AuditEvent, client: Option<IpAddr>) -> CallerKey {
    match (&event.origin.actor, &event.domain_id) {
        (Actor::User { id, .. }, _) => CallerKey::User(id.clone()),
        (actor, domain) => {
            CallerKey::Unknown { client, claimed: domain.clone().map(|domain| (domain, actor.name().to_owned())) }
        }
    }
}

fn domain_id_for_audit_event(event: &AuditEvent) -> Option<DomainId> {
    let actor_domain = match &event.origin.actor {
        Actor::User { domain_id, .. } => Some(domain_id),
        _ => None,
    };
    event.domain_id.as_ref().or(actor_domain).cloned()
}

impl RefusalTimeWindow {
    fn new(event: &AuditEvent, ends: Instant) -> Self {
        let now = Timestamp::now();
        let mut window = Self {
            ends,
            repeated: 0,
            first_at: now,
            last_at: now,
            targets: BTreeSet::new(),
            claimed: BTreeSet::new(),
            operations: BTreeSet::new(),
            users: BTreeSet::new(),
            peers: BTreeSet::new(),
            event: AuditEvent { domain_id: domain_id_for_audit_event(event), ..event.clone() },
        };
        window.collect_distinct_field_values(event);
        window
    }

    fn add_repeated_refusal(&mut self, event: &AuditEvent) {
        self.repeated += 1;
        self.last_at = Timestamp::now();
        self.collect_distinct_field_values(event);
        let common = &mut self.event;
        clear_unless_equal(&mut common.domain_id, domain_id_for_audit_event(event).as_ref());
        clear_unless_equal(&mut common.project_id, event.project_id.as_ref());
        clear_unless_equal(&mut common.instance_id, event.instance_id.as_ref());
        clear_unless_equal(&mut common.node_id, event.node_id.as_ref());
        clear_unless_equal(&mut common.code, event.code.as_ref());
        clear_unless_equal(&mut common.origin.peer, event.origin.peer.as_ref());
        common.origin.request_id.clear();
        if common.target != event.target {
            common.target.clear();
        }
        if !is_same_actor(&common.origin.actor, &event.origin.actor) {
            common.origin.actor = Actor::Anonymous { claimed: String::new() };
        }
    }

    fn collect_distinct_field_values(&mut self, event: &AuditEvent) {
        let (user, claimed) = match &event.origin.actor {
            Actor::User { id, .. } => (id.as_str(), ""),
            Actor::Anonymous { claimed } => ("", claimed.as_str()),
            _ => ("", ""),
        };
        let peer = event.origin.peer.map(|peer| peer.to_string()).unwrap_or_default();
        for (listed, text) in [
            (&mut self.targets, event.target.as_str()),
            (&mut self.claimed, claimed),
            (&mut self.operations, event.operation.as_str()),
            (&mut self.users, user),
            (&mut self.peers, &peer),
        ] {
            if !text.is_empty() && listed.len() < MAX_DISTINCT_VALUES_PER_FIELD {
                listed.insert(text.to_owned());
            }
        }
    }

    fn into_audit_event(self) -> Option<AuditEvent> {
        let several = self.operations.len() > 1;
        let operation = if several { REPEATED_REFUSALS_OPERATION_NAME.to_owned() } else { self.event.operation };
        (self.repeated > 0).then(|| AuditEvent {
            operation,
            code: self.event.code.filter(|_| !several),
            detail: json!({
                "repeated": self.repeated, "from": self.first_at.to_string(), "to": self.last_at.to_string(),
                "targets": self.targets, "claimed": self.claimed, "operations": self.operations, "users": self.users,
                "peers": self.peers,
            }),
            ..self.event
        })
    }
}

fn clear_unless_equal<T: PartialEq>(common: &mut Option<T>, other: Option<&T>) {
    if common.as_ref() != other {
        *common = None;
    }
}

/// Users are compared by id, because user names can change.
fn is_same_actor(one: &Actor, other: &Actor) -> bool {
    match (one, other) {
        (Actor::User { id: one, .. }, Actor::User { id: other, .. }) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuditFilter, InitialTenant, StoreLocation};
    use clew_model::{AccessKeyId, AuditOrigin, InstanceId, ProjectId};

    fn refusal(actor: Actor, operation: &str, target: &str) -> AuditEvent {
        let origin = AuditOrigin { actor, peer: Some("192.0.2.7".parse().unwrap()), request_id: "r".into() };
        let code = Some("DBS.280015".to_owned());
        AuditEvent {
            outcome: AuditOutcome::Denied,
            code,
            ..AuditEvent::for_successful_operation(&origin, operation, target)
        }
    }

    fn user() -> Actor {
        Actor::User { id: UserId::generate(), name: "grace".into(), domain_id: DomainId::generate() }
    }

    fn record_all(refusals: impl Iterator<Item = AuditEvent>) -> (usize, Vec<AuditEvent>) {
        let repeated = RepeatedRefusalCounter::new(Duration::from_hours(1));
        let first = refusals.filter(|event| repeated.count_refusal(event, event.origin.peer, "why").is_some()).count();
        let mut counted = repeated.state.lock();
        counted.end_expired_refusal_time_windows(|_| true);
        (first, counted.pending.drain(..).collect())
    }

    #[test]
    fn repeated_refusals_of_one_kind_are_recorded_in_two_rows() {
        let actor = user();
        let (first, counted) =
            record_all((0..1000).map(|number| refusal(actor.clone(), "ShowLocks", &format!("node {number}"))));
        assert_eq!((first, counted.len()), (1, 1));
        assert_eq!((&counted[0].detail["repeated"], counted[0].operation.as_str()), (&json!(999), "ShowLocks"));
        assert_eq!(counted[0].detail["targets"].as_array().unwrap().len(), MAX_DISTINCT_VALUES_PER_FIELD);
    }

    #[test]
    fn kinds_per_caller_and_callers_are_limited() {
        let actor = user();
        let (first, counted) =
            record_all((0..1000).map(|number| refusal(actor.clone(), &format!("Operation{}", number % 100), "x")));
        assert_eq!(first, MAX_REFUSAL_KINDS_PER_CALLER + 1);
        let repeated: u64 = counted.iter().map(|event| event.detail["repeated"].as_u64().unwrap()).sum();
        assert_eq!(first as u64 + repeated, 1000);
        assert!(
            counted.iter().any(|event| event.operation == REPEATED_REFUSALS_OPERATION_NAME && event.code.is_none())
        );
        let user_of =
            |domain: &DomainId| Actor::User { id: UserId::generate(), name: "grace".into(), domain_id: domain.clone() };
        let domain = DomainId::generate();
        let (first, _) = record_all((0..1000).map(|_| refusal(user_of(&domain), "ShowLocks", "x")));
        assert_eq!(first, MAX_TRACKED_CALLERS + 1);
        // Kinds of one caller do not count toward the limit of callers.
        let kinds =
            (0..MAX_REFUSAL_KINDS_PER_CALLER).map(|number| refusal(actor.clone(), &format!("Operation{number}"), "x"));
        let others = (1..MAX_TRACKED_CALLERS).map(|_| refusal(user_of(&domain), "ShowLocks", "x"));
        assert_eq!(
            record_all(kinds.chain(others)),
            (MAX_REFUSAL_KINDS_PER_CALLER + MAX_TRACKED_CALLERS - 1, Vec::new())
        );
    }

    #[test]
    fn callers_beyond_the_limit_are_counted_per_domain() {
        let full = || (0..MAX_TRACKED_CALLERS).map(|_| refusal(user(), "ShowLocks", "x"));
        let of = |domain: &DomainId, peer: &str| {
            let actor = Actor::User { id: UserId::generate(), name: "grace".into(), domain_id: domain.clone() };
            let mut event = refusal(actor, "ShowLocks", "x");
            event.origin.peer = Some(peer.parse().unwrap());
            AuditEvent { project_id: Some(ProjectId::generate()), ..event }
        };
        let (one, other) = (DomainId::generate(), DomainId::generate());
        let refusals = [of(&one, "192.0.2.1"), of(&other, "192.0.2.3"), of(&one, "192.0.2.2"), of(&other, "192.0.2.4")];
        let (first, counted) = record_all(full().chain(refusals.clone()));
        assert_eq!((first, counted.len()), (MAX_TRACKED_CALLERS + 2, 2));
        let counted = counted.iter().find(|event| event.domain_id.as_ref() == Some(&one)).unwrap();
        assert_eq!(counted.origin.actor, Actor::Anonymous { claimed: String::new() });
        assert_eq!((&counted.origin.peer, &counted.project_id), (&None, &None));
        assert_eq!(counted.detail["peers"], json!(["192.0.2.1", "192.0.2.2"]));
        let mut users = [0, 2].map(|at: usize| caller_id(&refusals[at]));
        users.sort();
        assert_eq!(counted.detail["users"], json!(users));
    }

    fn caller_id(event: &AuditEvent) -> String {
        match &event.origin.actor {
            Actor::User { id, .. } => id.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn unrecorded_refusals_are_retried_at_the_next_flush() {
        let folder = tempfile::tempdir().unwrap();
        let by = AuditOrigin::for_local_account("test");
        let tenant = InitialTenant {
            region: "here-1".into(),
            domain_name: "acme".into(),
            user_name: "admin".into(),
            password_hash: String::new(),
            access_key: AccessKeyId::generate(),
            secret_key: "secret".into(),
        };
        let location = || StoreLocation::from(folder.path().join("data"));
        let (failing, _) = Store::initialize(&by, location(), tenant).await.unwrap();
        Store::rotate_master_key(&by, location()).await.unwrap();
        let working = Store::open(location()).await.unwrap();

        let repeated = RepeatedRefusalCounter::new(Duration::from_hours(1));
        let event = || refusal(Actor::Anonymous { claimed: String::new() }, "ListProjects", "");
        // An unrecorded first refusal opens no window.
        repeated.record_refusal(&failing, event(), None, "why").await.unwrap_err();
        repeated.record_refusal(&failing, event(), None, "why").await.unwrap_err();
        repeated.record_refusal(&working, event(), None, "why").await.unwrap();
        repeated.record_refusal(&working, event(), None, "why").await.unwrap();
        // Counted refusals stay queued until they are recorded.
        repeated.flush(&failing, |_| true).await;
        repeated.flush(&working, |_| true).await;
        let filter = AuditFilter { operation: Some("ListProjects".into()), ..AuditFilter::default() };
        let rows = working.audit().list_audit_rows_after_seq(&filter, 0, 10).await.unwrap();
        let counts: Vec<_> = rows.iter().map(|row| row.event.detail["repeated"].as_u64()).collect();
        assert_eq!(counts, [None, Some(1)]);
    }

    #[test]
    fn summary_row_has_only_the_fields_that_all_refusals_share() {
        let actor = user();
        let on = |instance: &InstanceId, peer: &str| {
            let mut event = refusal(actor.clone(), "ShowLocks", instance.as_str());
            event.origin.peer = Some(peer.parse().unwrap());
            AuditEvent { instance_id: Some(instance.clone()), ..event }
        };
        let (first, second) = (InstanceId::generate(), InstanceId::generate());
        let (_, counted) = record_all([on(&first, "192.0.2.7"), on(&second, "198.51.100.9")].into_iter());
        let row = &counted[0];
        assert_eq!((&row.instance_id, row.target.as_str(), &row.origin.peer), (&None, "", &None));
        assert_eq!(
            row.detail["peers"],
            json!(["192.0.2.7", "198.51.100.9"]),
            "the address of a stolen token is listed"
        );
        assert_eq!(row.detail["targets"].as_array().unwrap().len(), 2);
        let (_, counted) = record_all([on(&first, "192.0.2.7"), on(&first, "192.0.2.7")].into_iter());
        let row = &counted[0];
        assert_eq!((&row.instance_id, row.target.as_str()), (&Some(first.clone()), first.as_str()));
        assert_eq!((&row.origin.actor, row.origin.peer), (&actor, Some("192.0.2.7".parse().unwrap())));
    }

    #[test]
    fn unknown_claimed_names_are_counted_as_one_caller() {
        let unknown = |number: u32| refusal(Actor::Anonymous { claimed: format!("key {number}") }, "ListProjects", "");
        assert_eq!(record_all((0..100).map(unknown)).0, 1);
        let domain = DomainId::generate();
        let known = |number: u32| AuditEvent { domain_id: Some(domain.clone()), ..unknown(number) };
        assert_eq!(record_all((0..100).map(known)).0, 100);
    }
}
