//! Repeated refusals: the first refusal of a caller for a reason is recorded before its response, the following ones of the same window are
//! counted and recorded as one event when the window ends. A caller that is refused all the time cannot fill the disk with the audit.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clew_model::{Actor, AuditEvent, DomainId, Outcome, UserId};
use clew_store::{Store, StoreError};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::connection::Neighbourhood;

/// Kinds of refusals of one caller that are counted apart in a window. Further ones are counted together.
const MAX_KINDS: usize = 16;
/// Callers that are counted apart in a window. Further ones are counted together by domain.
const MAX_CALLERS: usize = 256;
/// Distinct targets, names, operations, users and addresses that an event lists.
const MAX_LISTED: usize = 16;
/// Events that wait until the database accepts them.
const MAX_PENDING: usize = 8192;
/// Polling interval of windows that have ended.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// Operation of an event that counts refusals of several kinds.
const VARIOUS: &str = "RefusedRequests";

/// A caller as far as refusals are counted: a user, or an address of clients that are not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    User(UserId),
    /// The claimed name counts only where it names an account of a domain: otherwise each request could be a caller of its own.
    Unknown {
        peer: Option<Neighbourhood>,
        claimed: Option<(DomainId, String)>,
    },
    /// Callers beyond those that are counted apart.
    Others {
        domain: Option<DomainId>,
    },
}

/// The kind of a refusal: operation, outcome, code and reason. None counts all kinds of a caller together.
type Kind = Option<(String, Outcome, Option<String>, &'static str)>;

/// Refusals of one caller and kind since the first one.
#[derive(Debug)]
struct Window {
    ends: Instant,
    /// After the first one, which has a row of its own.
    repeated: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    /// What all refusals have in common.
    event: AuditEvent,
    targets: BTreeSet<String>,
    claimed: BTreeSet<String>,
    operations: BTreeSet<String>,
    users: BTreeSet<String>,
    peers: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Counted {
    windows: HashMap<Caller, HashMap<Kind, Window>>,
    /// Events of windows that have ended.
    pending: VecDeque<AuditEvent>,
}

/// Refusals that are being counted.
#[derive(Debug)]
pub(crate) struct RepeatedRefusals {
    window: Duration,
    counted: Mutex<Counted>,
}

impl RepeatedRefusals {
    /// `window` is the time from the first refusal of a caller and kind to the event that counts the following ones.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, counted: Mutex::default() }
    }

    /// Records a refusal, or counts it. `reason` names it more exactly than its code does.
    pub(crate) async fn record(
        &self,
        store: &Store,
        event: AuditEvent,
        reason: &'static str,
    ) -> Result<(), StoreError> {
        let Some((caller, kind)) = self.open_or_count(&event, reason) else { return Ok(()) };
        let recorded = store.record(&event).await;
        if recorded.is_err() {
            // The next refusal is a first one again.
            self.counted().end(&caller, &kind);
        }
        recorded
    }

    /// Opens a window for the first refusal of its kind and returns its key, or counts a following one.
    fn open_or_count(&self, event: &AuditEvent, reason: &'static str) -> Option<(Caller, Kind)> {
        let now = Instant::now();
        let mut counted = self.counted();
        let (caller, kind) = counted.key(event, reason);
        let window = counted.windows.get_mut(&caller).and_then(|kinds| kinds.get_mut(&kind));
        if let Some(window) = window.filter(|window| window.ends > now) {
            window.count(event);
            return None;
        }
        counted.end(&caller, &kind);
        let window = Window::new(event, now + self.window);
        counted.windows.entry(caller.clone()).or_default().insert(kind.clone(), window);
        Some((caller, kind))
    }

    /// Records windows when they have ended, until `end`; then all of them. It alone records them: no event is lost between two of these.
    pub(crate) async fn run(&self, store: &Store, end: &CancellationToken) {
        while end.run_until_cancelled(sleep(FLUSH_INTERVAL)).await.is_some() {
            let now = Instant::now();
            self.flush(store, |window| window.ends <= now).await;
        }
        self.flush(store, |_| true).await;
    }

    /// Events that the database does not accept are recorded by the next flush.
    async fn flush(&self, store: &Store, has_ended: impl Fn(&Window) -> bool) {
        self.counted().end_all(has_ended);
        loop {
            let Some(event) = self.counted().pending.pop_front() else { return };
            if let Err(error) = store.record(&event).await {
                let mut counted = self.counted();
                counted.pending.push_front(event);
                warn!(%error, events = counted.pending.len(), "could not record repeated refusals in the audit");
                return;
            }
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// The caller and kind that a refusal is counted under: its own ones as long as there is room for them.
    fn key(&self, event: &AuditEvent, reason: &'static str) -> (Caller, Kind) {
        let caller = caller(event);
        let kind = Some((event.operation.clone(), event.outcome, event.code.clone(), reason));
        match self.windows.get(&caller) {
            Some(kinds) if kinds.contains_key(&kind) || kinds.len() < MAX_KINDS => (caller, kind),
            Some(_) => (caller, None),
            None if self.windows.len() < MAX_CALLERS => (caller, kind),
            None => (Caller::Others { domain: domain(event) }, None),
        }
    }

    fn end(&mut self, caller: &Caller, kind: &Kind) {
        let Some(kinds) = self.windows.get_mut(caller) else { return };
        let ended = kinds.remove(kind);
        if kinds.is_empty() {
            self.windows.remove(caller);
        }
        self.record_later(ended);
    }

    fn end_all(&mut self, has_ended: impl Fn(&Window) -> bool) {
        let mut ended = Vec::new();
        self.windows.retain(|_, kinds| {
            ended.extend(kinds.extract_if(|_, window| has_ended(window)).map(|(_, window)| window));
            !kinds.is_empty()
        });
        self.record_later(ended);
    }

    fn record_later(&mut self, ended: impl IntoIterator<Item = Window>) {
        for event in ended.into_iter().filter_map(Window::into_event) {
            if self.pending.len() < MAX_PENDING {
                self.pending.push_back(event);
            } else {
                let count = event.detail.get("repeated").and_then(serde_json::Value::as_u64);
                warn!(
                    audit.operation = event.operation,
                    count, "could not record repeated refusals: the queue is full"
                );
            }
        }
    }
}

fn caller(event: &AuditEvent) -> Caller {
    match (&event.origin.actor, &event.domain_id) {
        (Actor::User { id, .. }, _) => Caller::User(id.clone()),
        (actor, domain) => Caller::Unknown {
            peer: event.origin.peer.map(Neighbourhood::from),
            claimed: domain.clone().map(|domain| (domain, actor.name().to_owned())),
        },
    }
}

/// The domain in whose audit a refusal is found.
fn domain(event: &AuditEvent) -> Option<DomainId> {
    let of_actor = match &event.origin.actor {
        Actor::User { domain_id, .. } => Some(domain_id),
        _ => None,
    };
    event.domain_id.as_ref().or(of_actor).cloned()
}

impl Window {
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
            event: AuditEvent { domain_id: domain(event), ..event.clone() },
        };
        window.list(event);
        window
    }

    fn count(&mut self, event: &AuditEvent) {
        self.repeated += 1;
        self.last_at = Timestamp::now();
        self.list(event);
        let common = &mut self.event;
        keep_equal(&mut common.domain_id, domain(event).as_ref());
        keep_equal(&mut common.project_id, event.project_id.as_ref());
        keep_equal(&mut common.instance_id, event.instance_id.as_ref());
        keep_equal(&mut common.node_id, event.node_id.as_ref());
        keep_equal(&mut common.code, event.code.as_ref());
        keep_equal(&mut common.origin.peer, event.origin.peer.as_ref());
        common.origin.request_id.clear();
        if common.target != event.target {
            common.target.clear();
        }
        if !is_same_actor(&common.origin.actor, &event.origin.actor) {
            common.origin.actor = Actor::Nobody { claimed: String::new() };
        }
    }

    fn list(&mut self, event: &AuditEvent) {
        let (user, claimed) = match &event.origin.actor {
            Actor::User { id, .. } => (id.as_str(), ""),
            Actor::Nobody { claimed } => ("", claimed.as_str()),
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
            if !text.is_empty() && listed.len() < MAX_LISTED {
                listed.insert(text.to_owned());
            }
        }
    }

    /// One event for the refusals after the first one, if there were any. Its lists name the first one too.
    fn into_event(self) -> Option<AuditEvent> {
        let several = self.operations.len() > 1;
        let operation = if several { VARIOUS.to_owned() } else { self.event.operation };
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

fn keep_equal<T: PartialEq>(common: &mut Option<T>, other: Option<&T>) {
    if common.as_ref() != other {
        *common = None;
    }
}

/// A user that was renamed meanwhile is the same one.
fn is_same_actor(one: &Actor, other: &Actor) -> bool {
    match (one, other) {
        (Actor::User { id: one, .. }, Actor::User { id: other, .. }) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use clew_model::{AccessKeyId, InstanceId, Origin, ProjectId};
    use clew_store::{AuditFilter, FirstTenant, Location};

    use super::*;

    fn refusal(actor: Actor, operation: &str, target: &str) -> AuditEvent {
        let origin = Origin { actor, peer: Some("192.0.2.7".parse().unwrap()), request_id: "r".into() };
        let code = Some("DBS.280015".to_owned());
        AuditEvent { outcome: Outcome::Denied, code, ..AuditEvent::done(&origin, operation, target) }
    }

    fn user() -> Actor {
        Actor::User { id: UserId::generate(), name: "grace".into(), domain_id: DomainId::generate() }
    }

    fn rows(refusals: impl Iterator<Item = AuditEvent>) -> (usize, Vec<AuditEvent>) {
        let repeated = RepeatedRefusals::new(Duration::from_hours(1));
        let first = refusals.filter(|event| repeated.open_or_count(event, "why").is_some()).count();
        let mut counted = repeated.counted();
        counted.end_all(|_| true);
        (first, counted.pending.drain(..).collect())
    }

    #[test]
    fn one_kind_of_one_caller_is_two_rows() {
        let actor = user();
        let (first, counted) =
            rows((0..1000).map(|number| refusal(actor.clone(), "ShowLocks", &format!("node {number}"))));
        assert_eq!((first, counted.len()), (1, 1));
        assert_eq!((&counted[0].detail["repeated"], counted[0].operation.as_str()), (&json!(999), "ShowLocks"));
        assert_eq!(counted[0].detail["targets"].as_array().unwrap().len(), MAX_LISTED);
    }

    #[test]
    fn a_caller_with_many_kinds_and_many_callers_have_a_bound() {
        let actor = user();
        let (first, counted) =
            rows((0..1000).map(|number| refusal(actor.clone(), &format!("Operation{}", number % 100), "x")));
        assert_eq!(first, MAX_KINDS + 1);
        let repeated: u64 = counted.iter().map(|event| event.detail["repeated"].as_u64().unwrap()).sum();
        assert_eq!(first as u64 + repeated, 1000);
        assert!(counted.iter().any(|event| event.operation == VARIOUS && event.code.is_none()));
        let user_of =
            |domain: &DomainId| Actor::User { id: UserId::generate(), name: "grace".into(), domain_id: domain.clone() };
        let domain = DomainId::generate();
        let (first, _) = rows((0..1000).map(|_| refusal(user_of(&domain), "ShowLocks", "x")));
        assert_eq!(first, MAX_CALLERS + 1);
        // A caller with many kinds takes no room of the others.
        let kinds = (0..MAX_KINDS).map(|number| refusal(actor.clone(), &format!("Operation{number}"), "x"));
        let others = (1..MAX_CALLERS).map(|_| refusal(user_of(&domain), "ShowLocks", "x"));
        assert_eq!(rows(kinds.chain(others)), (MAX_KINDS + MAX_CALLERS - 1, Vec::new()));
    }

    #[test]
    fn callers_that_are_counted_together_stay_apart_by_domain() {
        let full = || (0..MAX_CALLERS).map(|_| refusal(user(), "ShowLocks", "x"));
        let of = |domain: &DomainId, peer: &str| {
            let actor = Actor::User { id: UserId::generate(), name: "grace".into(), domain_id: domain.clone() };
            let mut event = refusal(actor, "ShowLocks", "x");
            event.origin.peer = Some(peer.parse().unwrap());
            AuditEvent { project_id: Some(ProjectId::generate()), ..event }
        };
        let (one, other) = (DomainId::generate(), DomainId::generate());
        let refusals = [of(&one, "192.0.2.1"), of(&other, "192.0.2.3"), of(&one, "192.0.2.2"), of(&other, "192.0.2.4")];
        let (first, counted) = rows(full().chain(refusals.clone()));
        assert_eq!((first, counted.len()), (MAX_CALLERS + 2, 2));
        let counted = counted.iter().find(|event| event.domain_id.as_ref() == Some(&one)).unwrap();
        assert_eq!(counted.origin.actor, Actor::Nobody { claimed: String::new() });
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
    async fn refusals_that_the_database_did_not_accept_are_recorded_later() {
        let folder = tempfile::tempdir().unwrap();
        let by = Origin::local("test");
        let tenant = FirstTenant {
            region: "here-1".into(),
            domain_name: "acme".into(),
            user_name: "admin".into(),
            password_hash: String::new(),
            access_key: AccessKeyId::generate(),
            secret_key: "secret".into(),
        };
        let location = || Location::from(folder.path().join("data"));
        let (failing, _) = Store::initialise(&by, location(), tenant).await.unwrap();
        Store::rotate_master_key(&by, location()).await.unwrap();
        let working = Store::open(location()).await.unwrap();

        let repeated = RepeatedRefusals::new(Duration::from_hours(1));
        let event = || refusal(Actor::Nobody { claimed: String::new() }, "ListProjects", "");
        // A first refusal that was not recorded opens no window.
        repeated.record(&failing, event(), "why").await.unwrap_err();
        repeated.record(&failing, event(), "why").await.unwrap_err();
        repeated.record(&working, event(), "why").await.unwrap();
        repeated.record(&working, event(), "why").await.unwrap();
        // What was counted stays until it is recorded.
        repeated.flush(&failing, |_| true).await;
        repeated.flush(&working, |_| true).await;
        let filter = AuditFilter { operation: Some("ListProjects".into()), ..AuditFilter::default() };
        let rows = working.audit(&filter, 0, 10).await.unwrap();
        let counts: Vec<_> = rows.iter().map(|row| row.event.detail["repeated"].as_u64()).collect();
        assert_eq!(counts, [None, Some(1)]);
    }

    #[test]
    fn a_counted_row_names_what_all_refusals_have_in_common() {
        let actor = user();
        let on = |instance: &InstanceId, peer: &str| {
            let mut event = refusal(actor.clone(), "ShowLocks", instance.as_str());
            event.origin.peer = Some(peer.parse().unwrap());
            AuditEvent { instance_id: Some(instance.clone()), ..event }
        };
        let (first, second) = (InstanceId::generate(), InstanceId::generate());
        let (_, counted) = rows([on(&first, "192.0.2.7"), on(&second, "198.51.100.9")].into_iter());
        let row = &counted[0];
        assert_eq!((&row.instance_id, row.target.as_str(), &row.origin.peer), (&None, "", &None));
        assert_eq!(
            row.detail["peers"],
            json!(["192.0.2.7", "198.51.100.9"]),
            "the address of a stolen token is listed"
        );
        assert_eq!(row.detail["targets"].as_array().unwrap().len(), 2);
        let (_, counted) = rows([on(&first, "192.0.2.7"), on(&first, "192.0.2.7")].into_iter());
        let row = &counted[0];
        assert_eq!((&row.instance_id, row.target.as_str()), (&Some(first.clone()), first.as_str()));
        assert_eq!((&row.origin.actor, row.origin.peer), (&actor, Some("192.0.2.7".parse().unwrap())));
    }

    #[test]
    fn claims_that_name_nothing_known_are_one_caller() {
        let unknown = |number: u32| refusal(Actor::Nobody { claimed: format!("key {number}") }, "ListProjects", "");
        assert_eq!(rows((0..100).map(unknown)).0, 1);
        let domain = DomainId::generate();
        let known = |number: u32| AuditEvent { domain_id: Some(domain.clone()), ..unknown(number) };
        assert_eq!(rows((0..100).map(known)).0, 100);
    }
}
