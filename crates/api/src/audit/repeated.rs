//! Repeated refusals: the first refusal of a caller for a reason is recorded before its response, the following ones of the same window are
//! counted and recorded as one event when the window ends. A caller that is refused all the time cannot fill the disk with the audit.

use std::collections::{BTreeSet, HashMap};
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
/// Callers that are counted apart in a window. Further ones are counted together.
const MAX_CALLERS: usize = 256;
/// Distinct targets, names and operations that an event lists.
const MAX_LISTED: usize = 16;
/// Interval between two looks for windows that have ended.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);
/// Operation of an event that counts refusals of several kinds.
const VARIOUS: &str = "RefusedRequests";

/// A caller as far as refusals are counted: a user, or an address of clients that are not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    User(UserId),
    /// What a client claims to be counts only where it names something of a domain: otherwise each request could be a caller of its own.
    Unknown {
        peer: Option<Neighbourhood>,
        claimed: Option<(DomainId, String)>,
    },
    /// More callers than are counted apart.
    Others,
}

/// The kind of a refusal: operation, outcome, code and reason.
type Kind = (String, Outcome, Option<String>, &'static str);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    caller: Caller,
    /// None counts all kinds together.
    kind: Option<Kind>,
}

/// Refusals of one key since the first one.
#[derive(Debug)]
struct Window {
    ends: Instant,
    /// After the first one, which has a row of its own.
    repeated: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    /// The event of the first one.
    event: AuditEvent,
    targets: BTreeSet<String>,
    claimed: BTreeSet<String>,
    operations: BTreeSet<String>,
}

/// Refusals that are being counted.
#[derive(Debug)]
pub(crate) struct RepeatedRefusals {
    window: Duration,
    windows: Mutex<HashMap<Key, Window>>,
}

impl RepeatedRefusals {
    /// `window` is the time from the first refusal of a key to the event that counts the following ones.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, windows: Mutex::default() }
    }

    /// Records a refusal, or counts it. `reason` names it more exactly than its code does.
    pub(crate) async fn record(
        &self,
        store: &Store,
        event: AuditEvent,
        reason: &'static str,
    ) -> Result<(), StoreError> {
        let Some((key, ended)) = self.open_or_count(&event, reason) else { return Ok(()) };
        if let Some(ended) = ended.and_then(Window::into_event) {
            store.record(&ended).await?;
        }
        let recorded = store.record(&event).await;
        if recorded.is_err() {
            self.windows().remove(&key);
        }
        recorded
    }

    /// Opens a window for the first refusal of its kind and returns its key, with the window before it; or counts a following one.
    fn open_or_count(&self, event: &AuditEvent, reason: &'static str) -> Option<(Key, Option<Window>)> {
        let now = Instant::now();
        let mut windows = self.windows();
        let key = key(&windows, event, reason);
        if let Some(window) = windows.get_mut(&key).filter(|window| window.ends > now) {
            window.count(event);
            return None;
        }
        let ended = windows.insert(key.clone(), Window::new(event.clone(), now + self.window));
        Some((key, ended))
    }

    /// Records the windows that have ended, until `shutdown`.
    pub(crate) async fn run(&self, store: &Store, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(sleep(FLUSH_INTERVAL)).await.is_some() {
            let now = Instant::now();
            self.flush(store, |window| window.ends <= now).await;
        }
    }

    /// Records all windows.
    pub(crate) async fn finish(&self, store: &Store) {
        self.flush(store, |_| true).await;
    }

    async fn flush(&self, store: &Store, has_ended: impl Fn(&Window) -> bool) {
        let ended: Vec<Window> =
            self.windows().extract_if(|_, window| has_ended(window)).map(|(_, window)| window).collect();
        for event in ended.into_iter().filter_map(Window::into_event) {
            if let Err(error) = store.record(&event).await {
                let count = event.detail.get("repeated").and_then(serde_json::Value::as_u64);
                warn!(%error, audit.operation = event.operation, count, "could not record repeated refusals in the audit");
            }
        }
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Key, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key that a refusal is counted under: its own one as long as its caller has room for one.
fn key(windows: &HashMap<Key, Window>, event: &AuditEvent, reason: &'static str) -> Key {
    let caller = caller(event);
    let kind = (event.operation.clone(), event.outcome, event.code.clone(), reason);
    let own = Key { caller: caller.clone(), kind: Some(kind) };
    if windows.contains_key(&own) {
        return own;
    }
    let kinds = windows.keys().filter(|key| key.caller == caller).count();
    if kinds >= MAX_KINDS {
        return Key { caller, kind: None };
    }
    if kinds == 0 && windows.len() >= MAX_CALLERS {
        return Key { caller: Caller::Others, kind: None };
    }
    own
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

impl Window {
    fn new(event: AuditEvent, ends: Instant) -> Self {
        let now = Timestamp::now();
        Self {
            ends,
            repeated: 0,
            first_at: now,
            last_at: now,
            event,
            targets: BTreeSet::new(),
            claimed: BTreeSet::new(),
            operations: BTreeSet::new(),
        }
    }

    fn count(&mut self, event: &AuditEvent) {
        self.repeated += 1;
        self.last_at = Timestamp::now();
        let claimed = match &event.origin.actor {
            Actor::Nobody { claimed } => claimed.as_str(),
            _ => "",
        };
        for (listed, text) in [
            (&mut self.targets, event.target.as_str()),
            (&mut self.claimed, claimed),
            (&mut self.operations, event.operation.as_str()),
        ] {
            if !text.is_empty() && listed.len() < MAX_LISTED {
                listed.insert(text.to_owned());
            }
        }
    }

    /// One event for the refusals after the first one, if there were any.
    fn into_event(self) -> Option<AuditEvent> {
        let several = self.operations.len() > 1;
        let operation = if several { VARIOUS.to_owned() } else { self.event.operation };
        (self.repeated > 0).then(|| AuditEvent {
            code: self.event.code.filter(|_| !several),
            instance_id: self.event.instance_id.filter(|_| self.targets.len() < 2),
            node_id: self.event.node_id.filter(|_| self.targets.len() < 2),
            operation,
            detail: json!({
                "repeated": self.repeated, "from": self.first_at.to_string(), "to": self.last_at.to_string(),
                "targets": self.targets, "claimed": self.claimed, "operations": self.operations,
            }),
            ..self.event
        })
    }
}

#[cfg(test)]
mod tests {
    use clew_model::Origin;

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
        let windows = std::mem::take(&mut *repeated.windows());
        (first, windows.into_values().filter_map(Window::into_event).collect())
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
        let (first, _) = rows((0..1000).map(|_| refusal(user(), "ShowLocks", "x")));
        assert_eq!(first, MAX_CALLERS + 1);
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
