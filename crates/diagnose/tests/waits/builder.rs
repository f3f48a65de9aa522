//! Builder for lock observations, and compact representations of graphs for assertions.

use clew_diagnose::lock_waits::{
    InnoDbLockWait, LockOwner, LockResource, LockResourceKind, LockSnapshot, LockStatus, MetadataLock,
    MetadataLockMode, MetadataLockObject, MetadataLockObjectKind, ObservedSession, ObservedTransaction, WaitGraph,
    WaitParticipant, build_wait_graph,
};
use clew_model::{Session, Transaction};

/// Empty lock observations from a server that lists pending requests.
pub(crate) fn observed() -> LockSnapshot {
    LockSnapshot { reports_pending: true, ..LockSnapshot::default() }
}

pub(crate) trait ObservedBuilder {
    fn session(self, id: u64, command: &str, state: &str, seconds: u64, statement: &str) -> Self;
    fn transaction(self, id: u64, session: u64, state: &str) -> Self;
    fn row_wait(self, waiting: u64, blocking: u64) -> Self;
    fn granted_lock(self, session: impl Into<Option<u64>>, kind: &str, object: &str, mode: &str) -> Self;
    fn pending_lock(self, session: u64, kind: &str, object: &str, mode: &str) -> Self;
}

impl ObservedBuilder for LockSnapshot {
    fn session(mut self, id: u64, command: &str, state: &str, seconds: u64, statement: &str) -> Self {
        let session = Session {
            id,
            user: b"app".to_vec(),
            host: format!("10.0.0.{}:4000", id % 250).into_bytes(),
            database: Some(b"shop".to_vec()),
            command: command.into(),
            seconds,
            state: Some(state.into()),
            statement: (!statement.is_empty()).then(|| statement.into()),
        };
        self.sessions.push(ObservedSession { session, ..ObservedSession::default() });
        self
    }

    fn transaction(mut self, id: u64, session_id: u64, state: &str) -> Self {
        let lock_wait_seconds = (state == "LOCK WAIT").then_some(id % 60);
        let transaction = Transaction {
            id,
            session_id,
            state: Transaction::intern_transaction_state(state.to_owned()),
            rows_locked: 1,
            lock_wait_seconds,
            ..Transaction::default()
        };
        self.transactions.push(ObservedTransaction { transaction, ..ObservedTransaction::default() });
        self
    }

    fn row_wait(mut self, waiting: u64, blocking: u64) -> Self {
        let owner = |transaction| LockOwner { transaction, session: None };
        let on = LockResource {
            kind: LockResourceKind::Row,
            schema: Some("shop".into()),
            name: Some("orders".into()),
            index: Some("PRIMARY".into()),
            data: Some("42".into()),
        };
        self.row_waits.push(InnoDbLockWait {
            waiting: owner(waiting),
            blocking: owner(blocking),
            on,
            mode: "X,REC_NOT_GAP".into(),
            held_mode: Some("X,REC_NOT_GAP".into()),
        });
        self
    }

    fn granted_lock(mut self, session: impl Into<Option<u64>>, kind: &str, object: &str, mode: &str) -> Self {
        self.metadata_locks.push(lock(session.into(), kind, object, mode, LockStatus::Granted));
        self
    }

    fn pending_lock(mut self, session: u64, kind: &str, object: &str, mode: &str) -> Self {
        self.metadata_locks.push(lock(Some(session), kind, object, mode, LockStatus::Pending));
        self
    }
}

fn lock(session: Option<u64>, kind: &str, object: &str, mode: &str, status: LockStatus) -> MetadataLock {
    let (schema, name) = object.split_once('.').unwrap_or((object, ""));
    MetadataLock {
        object: MetadataLockObject::new(MetadataLockObjectKind::parse(kind), Some(schema.into()), Some(name.into())),
        mode: MetadataLockMode::parse(mode).unwrap(),
        status,
        session,
    }
}

/// Waiter and blocker of every wait. Negative numbers are transaction ids.
pub(crate) fn wait_pairs(graph: &WaitGraph) -> Vec<(i64, i64)> {
    graph.waits.iter().map(|wait| (signed_id(wait.waiter), signed_id(wait.blocker))).collect()
}

/// Root blockers, highest rank first: parties, number of waiters, and number of waiters with no other root blocker.
pub(crate) fn root_counts(graph: &WaitGraph) -> Vec<(Vec<i64>, usize, usize)> {
    let root = |root: &clew_diagnose::lock_waits::RootBlocker| {
        (root.parties.iter().copied().map(signed_id).collect(), root.holds, root.frees)
    };
    graph.roots.iter().map(root).collect()
}

pub(crate) fn signed_id(party: WaitParticipant) -> i64 {
    match party {
        WaitParticipant::Session(id) => i64::try_from(id).unwrap(),
        WaitParticipant::Transaction(id) => -i64::try_from(id).unwrap(),
    }
}

/// Builds the graph and asserts its waits.
#[track_caller]
pub(crate) fn assert_waits(observed: &LockSnapshot, expected: &[(i64, i64)]) -> WaitGraph {
    let graph = build_wait_graph(observed);
    assert_eq!(wait_pairs(&graph), expected, "{graph:#?}");
    assert!(graph.unexplained.iter().all(|wait| wait.why.is_translated()), "{graph:#?}");
    graph
}
