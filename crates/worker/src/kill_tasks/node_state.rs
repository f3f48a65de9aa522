//! In-memory state that the kill task worker keeps for each node between polls.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use clew_model::{NodeId, Session};
use clew_mysql::{ClientSessions, NodeClockHistory, UnreliableClockReason};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::adaptive_poll_interval::{AdaptivePollInterval, PollIntervalChange};

/// The delay limits the number of kill records for a session that does not terminate.
const KILL_RETRY_DELAY: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Default)]
pub(super) struct NodePollStates(Arc<Mutex<HashMap<NodeId, NodeState>>>);

#[derive(Debug)]
struct NodeState {
    running: bool,
    failing: bool,
    last_start: Option<Instant>,
    interval: AdaptivePollInterval,
    clock: NodeClockHistory,
    unreliable_ages: bool,
    ineffective_kills: Vec<IneffectiveKill>,
}

impl Default for NodeState {
    fn default() -> Self {
        Self {
            running: false,
            failing: false,
            last_start: None,
            interval: AdaptivePollInterval::default(),
            clock: NodeClockHistory::new_with_local_clock_check(),
            unreliable_ages: false,
            ineffective_kills: Vec::new(),
        }
    }
}

#[derive(Debug)]
struct IneffectiveKill {
    id: u64,
    user: Vec<u8>,
    host: Vec<u8>,
    at: Instant,
}

#[derive(Debug)]
pub(super) struct NodePollGuard {
    states: NodePollStates,
    node: NodeId,
}

impl NodePollStates {
    pub(super) fn start_node_poll_if_due(&self, node: &NodeId, now: Instant) -> Option<NodePollGuard> {
        let mut states = self.0.lock();
        let state = states.entry(node.clone()).or_default();
        let next_start =
            state.last_start.zip(state.interval.lengthened_poll_interval()).map(|(start, interval)| start + interval);
        if state.running || next_start.is_some_and(|next_start| next_start > now) {
            return None;
        }
        (state.running, state.last_start) = (true, Some(now));
        Some(NodePollGuard { states: self.clone(), node: node.clone() })
    }

    /// Returns the ids of the removed nodes whose poll interval was longer than the target interval.
    pub(super) fn retain_active_nodes(&self, nodes: &HashSet<NodeId>) -> Vec<NodeId> {
        let mut slow = Vec::new();
        self.0.lock().retain(|node, state| {
            let is_active = state.running || nodes.contains(node);
            if !is_active && state.interval.lengthened_poll_interval().is_some() {
                slow.push(node.clone());
            }
            is_active
        });
        slow
    }
}

impl NodePollGuard {
    /// Returns `T::default()` if the worker no longer polls the node.
    fn with_state<T: Default>(&self, access: impl FnOnce(&mut NodeState) -> T) -> T {
        self.states.0.lock().get_mut(&self.node).map(access).unwrap_or_default()
    }

    pub(super) fn update_failing_flag(&self, failing: bool) -> bool {
        self.with_state(|state| std::mem::replace(&mut state.failing, failing) != failing)
    }

    pub(super) fn adjust_elapsed_times(&self, read: &mut ClientSessions) -> Option<UnreliableClockReason> {
        self.with_state(|state| read.adjust_elapsed_times_for_clock_steps(&mut state.clock))
    }

    pub(super) fn update_unreliable_ages_flag(&self, unreliable: bool) -> bool {
        self.with_state(|state| std::mem::replace(&mut state.unreliable_ages, unreliable) != unreliable)
    }

    /// Returns the change of the poll interval, if any, and the lengthened interval of a slow node.
    pub(super) fn adapt_to_read_duration(&self, took: Duration) -> (Option<PollIntervalChange>, Option<Duration>) {
        self.with_state(|state| {
            (state.interval.adapt_to_read_duration(took), state.interval.lengthened_poll_interval())
        })
    }

    pub(super) fn is_in_kill_backoff(&self, session: &Session) -> bool {
        self.with_state(|state| {
            state.ineffective_kills.retain(|attempt| attempt.at.elapsed() < KILL_RETRY_DELAY);
            state.ineffective_kills.iter().any(|attempt| attempt.matches_session(session))
        })
    }

    pub(super) fn record_ineffective_kill(&self, session: &Session) {
        let (user, host) = (session.user.clone(), session.host.clone());
        let attempt = IneffectiveKill { id: session.id, user, host, at: Instant::now() };
        self.with_state(|state| state.ineffective_kills.push(attempt));
    }
}

impl IneffectiveKill {
    fn matches_session(&self, session: &Session) -> bool {
        self.id == session.id && self.user == session.user && self.host == session.host
    }
}

impl Drop for NodePollGuard {
    fn drop(&mut self) {
        self.with_state(|state| state.running = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: u64, user: &str) -> Session {
        Session { id, user: user.into(), host: b"h:1".to_vec(), ..Session::default() }
    }

    #[test]
    fn ticks_of_a_node_do_not_overlap() {
        let (nodes, node, other) = (NodePollStates::default(), NodeId::generate(), NodeId::generate());
        let now = Instant::now();
        let guard = nodes.start_node_poll_if_due(&node, now).unwrap();
        assert!(nodes.start_node_poll_if_due(&node, now).is_none());
        assert!(nodes.start_node_poll_if_due(&other, now).is_some());
        drop(guard);
        assert!(nodes.start_node_poll_if_due(&node, now).is_some());
    }

    #[test]
    fn slow_node_is_read_less_often_until_it_is_fast() {
        let (nodes, node, start) = (NodePollStates::default(), NodeId::generate(), Instant::now());
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(
            nodes.start_node_poll_if_due(&node, start).unwrap().adapt_to_read_duration(Duration::from_millis(300)).1,
            Some(after(3000) - start)
        );
        assert!(nodes.start_node_poll_if_due(&node, after(2999)).is_none());
        let guard = nodes.start_node_poll_if_due(&node, after(3000)).unwrap();
        assert_eq!(guard.adapt_to_read_duration(Duration::from_millis(10)), (Some(PollIntervalChange::Restored), None));
        drop(guard);
        assert!(nodes.start_node_poll_if_due(&node, after(4000)).is_some());
    }

    #[test]
    fn state_of_a_node_without_tasks_is_removed() {
        let (nodes, slow, running, active) =
            (NodePollStates::default(), NodeId::generate(), NodeId::generate(), NodeId::generate());
        let now = Instant::now();
        for node in [&slow, &active] {
            nodes.start_node_poll_if_due(node, now).unwrap().adapt_to_read_duration(Duration::from_secs(1));
        }
        let guard = nodes.start_node_poll_if_due(&running, now).unwrap();
        assert_eq!(nodes.retain_active_nodes(&HashSet::from([active.clone()])), std::slice::from_ref(&slow));
        assert!(nodes.start_node_poll_if_due(&slow, now).is_some(), "removed node still has its slow interval");
        assert!(nodes.start_node_poll_if_due(&running, now).is_none(), "second tick started during a running one");
        assert!(nodes.start_node_poll_if_due(&active, now).is_none());
        drop(guard);
    }

    #[test]
    fn failed_victim_is_backed_off() {
        let nodes = NodePollStates::default();
        let guard = nodes.start_node_poll_if_due(&NodeId::generate(), Instant::now()).unwrap();
        guard.record_ineffective_kill(&session(7, "app"));
        assert!(guard.is_in_kill_backoff(&session(7, "app")));
        assert!(!guard.is_in_kill_backoff(&session(7, "other")) && !guard.is_in_kill_backoff(&session(8, "app")));
        nodes.0.lock().values_mut().next().unwrap().ineffective_kills[0].at -= KILL_RETRY_DELAY;
        assert!(!guard.is_in_kill_backoff(&session(7, "app")));
    }

    #[test]
    fn set_failing_returns_true_only_for_a_change() {
        let nodes = NodePollStates::default();
        let guard = nodes.start_node_poll_if_due(&NodeId::generate(), Instant::now()).unwrap();
        assert_eq!(
            [false, true, true, false, false].map(|failing| guard.update_failing_flag(failing)),
            [false, true, false, true, false]
        );
    }
}
