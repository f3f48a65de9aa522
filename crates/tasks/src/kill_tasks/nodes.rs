//! What a worker remembers of nodes from round to round.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clew_model::{NodeId, Session};
use clew_mysql::{ClockDoubt, ClockHistory, UserSessions};
use tokio::time::Instant;

use crate::pace::{Pace, PaceChange};

/// Delay of another kill of a session that was not killed, or takes long to end: each attempt is recorded.
const KILL_RETRY_DELAY: Duration = Duration::from_mins(1);

/// All nodes that this worker looks at. Clones share everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes(Arc<Mutex<HashMap<NodeId, State>>>);

#[derive(Debug, Default)]
struct State {
    busy: bool,
    failing: bool,
    /// When the last look began, and how long one takes.
    looked: Option<Instant>,
    pace: Pace,
    /// What is known of the server's clock.
    clock: ClockHistory,
    /// Whether the last round found sessions whose age is not reliable.
    unreliable_ages: bool,
    left_alone: Vec<Attempted>,
}

#[derive(Debug)]
struct Attempted {
    id: u64,
    user: Vec<u8>,
    host: Vec<u8>,
    at: Instant,
}

/// A round under way on a node. Dropping it lets the next one begin.
#[derive(Debug)]
pub(super) struct Place {
    nodes: Nodes,
    node: NodeId,
}

impl Nodes {
    /// A place on the node; nothing while a round is under way there, or a slow node is spared.
    pub(super) fn begin(&self, node: &NodeId, now: Instant) -> Option<Place> {
        let mut states = self.lock();
        let state = states.entry(node.clone()).or_default();
        let spared = state.looked.zip(state.pace.slowed()).is_some_and(|(looked, interval)| looked + interval > now);
        if state.busy || spared {
            return None;
        }
        (state.busy, state.looked) = (true, Some(now));
        Some(Place { nodes: self.clone(), node: node.clone() })
    }

    /// Forgets all nodes but these, those aside that have a round under way. Says which were slow.
    pub(super) fn keep(&self, nodes: &HashSet<NodeId>) -> Vec<NodeId> {
        let mut slow = Vec::new();
        self.lock().retain(|node, state| {
            let kept = state.busy || nodes.contains(node);
            if !kept && state.pace.slowed().is_some() {
                slow.push(node.clone());
            }
            kept
        });
        slow
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Keeps whether the node could be looked at. True if that changed: then it is worth a line in the log.
    pub(super) fn failing(&self, failing: bool) -> bool {
        let mut states = self.nodes.lock();
        let Some(state) = states.get_mut(&self.node) else { return false };
        std::mem::replace(&mut state.failing, failing) != failing
    }

    /// Compares the server's clock with the readings of earlier rounds, and corrects ages. Returns why no kill may follow, if none may.
    pub(super) fn check_clock(&self, read: &mut UserSessions) -> Option<ClockDoubt> {
        read.check_clock(&mut self.nodes.lock().get_mut(&self.node)?.clock)
    }

    /// Records whether there are sessions whose age is not reliable. True if that changed: then it is worth a line in the log.
    pub(super) fn unreliable_ages(&self, unreliable: bool) -> bool {
        let mut states = self.nodes.lock();
        let Some(state) = states.get_mut(&self.node) else { return false };
        std::mem::replace(&mut state.unreliable_ages, unreliable) != unreliable
    }

    /// Keeps how long the look took: the next comes later if that was long. Says whether that changed, and what it is now.
    pub(super) fn looked(&self, took: Duration) -> (Option<PaceChange>, Option<Duration>) {
        let mut states = self.nodes.lock();
        let Some(state) = states.get_mut(&self.node) else { return (None, None) };
        (state.pace.looked(took), state.pace.slowed())
    }

    /// Whether the session was tried a short while ago, in vain.
    pub(super) fn leaves_alone(&self, session: &Session) -> bool {
        let mut states = self.nodes.lock();
        let Some(state) = states.get_mut(&self.node) else { return false };
        state.left_alone.retain(|attempted| attempted.at.elapsed() < KILL_RETRY_DELAY);
        state.left_alone.iter().any(|attempted| attempted.is(session))
    }

    /// Keeps that a session was tried, and is still there.
    pub(super) fn leave_alone(&self, session: &Session) {
        if let Some(state) = self.nodes.lock().get_mut(&self.node) {
            let (user, host) = (session.user.clone(), session.host.clone());
            state.left_alone.push(Attempted { id: session.id, user, host, at: Instant::now() });
        }
    }
}

impl Attempted {
    fn is(&self, session: &Session) -> bool {
        self.id == session.id && self.user == session.user && self.host == session.host
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(state) = self.nodes.lock().get_mut(&self.node) {
            state.busy = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: u64, user: &str) -> Session {
        Session { id, user: user.into(), host: b"h:1".to_vec(), ..Session::default() }
    }

    #[test]
    fn a_node_has_one_round_at_a_time() {
        let (nodes, node, other) = (Nodes::default(), NodeId::generate(), NodeId::generate());
        let now = Instant::now();
        let place = nodes.begin(&node, now).unwrap();
        assert!(nodes.begin(&node, now).is_none());
        assert!(nodes.begin(&other, now).is_some());
        drop(place);
        assert!(nodes.begin(&node, now).is_some());
    }

    #[test]
    fn a_slow_node_is_spared_until_it_is_quick() {
        let (nodes, node, begin) = (Nodes::default(), NodeId::generate(), Instant::now());
        let after = |milliseconds| begin + Duration::from_millis(milliseconds);
        assert_eq!(nodes.begin(&node, begin).unwrap().looked(Duration::from_millis(300)).1, Some(after(3000) - begin));
        assert!(nodes.begin(&node, after(2999)).is_none());
        let place = nodes.begin(&node, after(3000)).unwrap();
        assert_eq!(place.looked(Duration::from_millis(10)), (Some(PaceChange::Quick), None));
        drop(place);
        assert!(nodes.begin(&node, after(4000)).is_some());
    }

    #[test]
    fn what_no_task_is_for_is_forgotten() {
        let (nodes, slow, busy, kept) = (Nodes::default(), NodeId::generate(), NodeId::generate(), NodeId::generate());
        let now = Instant::now();
        for node in [&slow, &kept] {
            nodes.begin(node, now).unwrap().looked(Duration::from_secs(1));
        }
        let place = nodes.begin(&busy, now).unwrap();
        assert_eq!(nodes.keep(&HashSet::from([kept.clone()])), std::slice::from_ref(&slow));
        assert!(nodes.begin(&slow, now).is_some(), "a node that has tasks again is quick until it is seen to be slow");
        assert!(nodes.begin(&busy, now).is_none(), "a round under way is no more the only one");
        assert!(nodes.begin(&kept, now).is_none());
        drop(place);
    }

    #[test]
    fn failed_victim_is_backed_off() {
        let nodes = Nodes::default();
        let place = nodes.begin(&NodeId::generate(), Instant::now()).unwrap();
        place.leave_alone(&session(7, "app"));
        assert!(place.leaves_alone(&session(7, "app")));
        assert!(!place.leaves_alone(&session(7, "other")) && !place.leaves_alone(&session(8, "app")));
        nodes.lock().values_mut().next().unwrap().left_alone[0].at -= KILL_RETRY_DELAY;
        assert!(!place.leaves_alone(&session(7, "app")));
    }

    #[test]
    fn only_a_change_is_worth_a_line() {
        let nodes = Nodes::default();
        let place = nodes.begin(&NodeId::generate(), Instant::now()).unwrap();
        assert_eq!(
            [false, true, true, false, false].map(|failing| place.failing(failing)),
            [false, true, false, true, false]
        );
    }
}
