//! Compares wait graphs with scenarios.

use std::collections::BTreeMap;

use clew_diagnose::lock_waits::{WaitGraph, WaitParticipant};
use clew_model::NodeUrl;
use clew_mysql::read_lock_waits;
use clew_testkit::{DatabaseServer, LockWaitScenario, RunningScenario};

use super::connector;

pub(crate) async fn observe(server: &DatabaseServer) -> WaitGraph {
    observe_as(&server.url()).await
}

pub(crate) async fn observe_as(url: &str) -> WaitGraph {
    let node: NodeUrl = url.parse().unwrap();
    read_lock_waits(&node, &connector()).await.unwrap().graph
}

/// Names of parties in the scenario; `xa` for a transaction without a session.
pub(crate) struct Names(BTreeMap<u64, String>);

impl Names {
    pub(crate) fn of(built: &RunningScenario) -> Self {
        Self(built.thread_ids().iter().map(|(name, &id)| (id, name.clone())).collect())
    }

    pub(crate) fn name(&self, party: WaitParticipant) -> String {
        match party {
            WaitParticipant::Session(id) => self.0.get(&id).cloned().unwrap_or_else(|| format!("session {id}")),
            WaitParticipant::Transaction(_) => "xa".to_owned(),
        }
    }

    /// Returns every wait as `waiter>blocker (lock)`.
    pub(crate) fn waits(&self, graph: &WaitGraph) -> Vec<String> {
        let wait = |wait: &clew_diagnose::lock_waits::LockWait| {
            format!("{}>{} ({})", self.name(wait.waiter), self.name(wait.blocker), wait.on.kind.name())
        };
        let mut waits: Vec<String> = graph.waits.iter().map(wait).collect();
        waits.sort();
        waits
    }

    /// Returns the parties of every root, the worst root first.
    pub(crate) fn roots(&self, graph: &WaitGraph) -> Vec<Vec<String>> {
        let names = |parties: &[WaitParticipant]| {
            let mut names: Vec<String> = parties.iter().map(|&party| self.name(party)).collect();
            names.sort();
            names
        };
        graph.roots.iter().map(|root| names(&root.parties)).collect()
    }
}

/// Returns the waits of a scenario in the format of [`Names::waits`].
pub(crate) fn expected_waits(scenario: &LockWaitScenario) -> Vec<String> {
    let wait =
        |(waiter, blocker): (&str, &str)| format!("{waiter}>{blocker} ({})", scenario.expected_locked_resource(waiter));
    let mut waits: Vec<String> = scenario.expected_waits().into_iter().map(wait).collect();
    waits.sort();
    waits
}

/// Returns the roots of a scenario in the format of [`Names::roots`].
pub(crate) fn expected_roots(scenario: &LockWaitScenario) -> Vec<Vec<String>> {
    let sorted = |root: Vec<&str>| {
        let mut root: Vec<String> = root.into_iter().map(str::to_owned).collect();
        root.sort();
        root
    };
    scenario.expected_root_blockers().into_iter().map(sorted).collect()
}
