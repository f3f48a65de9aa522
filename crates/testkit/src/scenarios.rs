//! Lock wait scenarios for real database servers, with expected waiters, blockers and root blockers.

mod metadata_locks;
mod row_locks;
mod runner;
mod schema_objects;
mod server_wide_locks;
mod table_flushes;
mod wait_graphs;

use crate::flavor::Flavor;

pub use runner::{RunningScenario, ScenarioError};

/// SQL script that causes lock waits, and the lock waits that Clew is expected to detect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockWaitScenario {
    /// Short description.
    pub name: String,
    /// Server types (MySQL or MariaDB) on which the scenario can run.
    pub flavors: &'static [Flavor],
    /// Script with one step per line. A step consists of a session name, an operator and an SQL statement.
    /// The step `a: …` runs a statement in session `a` and waits until the statement completes.
    /// The step `b? …` starts a statement in session `b` and waits until the statement is blocked.
    /// The step `b+ …` starts a statement in session `b` that must be blocked after the last step of the script.
    /// The step `a~ …` starts a statement in session `a` and waits until the statement executes `SLEEP`.
    /// The step `a!` disconnects session `a`.
    script: String,
    /// Expected lock waits in the format `waiter>blocker`, separated by spaces.
    /// In the list of expected lock waits, `xa` denotes a prepared XA transaction without a session.
    waits: String,
    /// Expected root blockers, highest-ranked first, separated by spaces. `+` separates the sessions in a wait cycle.
    roots: String,
    /// Expected locked resource of each waiter. [`UNLISTED_WAITERS_WILDCARD`] stands for all waiters that are not listed.
    resources: Vec<(&'static str, &'static str)>,
    /// Expected new root blocker after the test kills the first root blocker.
    pub root_after_kill: Option<&'static str>,
    /// Expected reason why Clew cannot kill a root blocker, or `None` if Clew can kill all root blockers.
    pub unkillable_reason: Option<&'static str>,
}

const MYSQL_ONLY: &[Flavor] = &[Flavor::MySql];
const MARIADB_ONLY: &[Flavor] = &[Flavor::MariaDb];
const UNLISTED_WAITERS_WILDCARD: &str = "*";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScenarioStep<'a> {
    Run(&'a str, &'a str),
    Block(&'a str, &'a str),
    BlockWithDelayedCheck(&'a str, &'a str),
    Start(&'a str, &'a str),
    Disconnect(&'a str),
}

impl LockWaitScenario {
    /// Command-line arguments for the database server on which scenarios run.
    /// `--innodb-autoinc-lock-mode=1` enables table-level `AUTO-INC` locks, which MySQL does not use by default.
    pub const REQUIRED_SERVER_ARGUMENTS: [&str; 1] = ["--innodb-autoinc-lock-mode=1"];

    /// Returns all scenarios that can run on a server flavor, simplest first.
    #[must_use]
    pub fn scenarios_for_flavor(flavor: Flavor) -> Vec<Self> {
        let lists = [
            row_locks::row_lock_scenarios(),
            metadata_locks::metadata_lock_scenarios(),
            schema_objects::schema_object_lock_scenarios(),
            table_flushes::table_flush_scenarios(),
            server_wide_locks::server_wide_lock_scenarios(),
            wait_graphs::wait_graph_scenarios(),
        ];
        lists.into_iter().flatten().filter(|scenario| scenario.flavors.contains(&flavor)).collect()
    }

    /// Creates a scenario for MySQL and MariaDB in which session `b` waits for session `a`.
    fn new(name: &str, script: impl Into<String>, resource: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            flavors: &Flavor::ALL,
            script: script.into(),
            waits: "b>a".to_owned(),
            roots: "a".to_owned(),
            resources: vec![(UNLISTED_WAITERS_WILDCARD, resource)],
            root_after_kill: None,
            unkillable_reason: None,
        }
    }

    fn with_flavors(mut self, flavors: &'static [Flavor]) -> Self {
        self.flavors = flavors;
        self
    }

    fn with_expected_waits(mut self, waits: impl Into<String>, roots: &str) -> Self {
        self.waits = waits.into();
        roots.clone_into(&mut self.roots);
        self
    }

    fn with_expected_locked_resource(mut self, waiter: &'static str, resource: &'static str) -> Self {
        self.resources.push((waiter, resource));
        self
    }

    fn with_expected_root_blocker_after_kill(mut self, root: &'static str) -> Self {
        self.root_after_kill = Some(root);
        self
    }

    fn with_expected_unkillable_reason(mut self, reason: &'static str) -> Self {
        self.unkillable_reason = Some(reason);
        self
    }

    /// Returns the expected lock waits as (waiter, blocker) pairs.
    #[must_use]
    pub fn expected_waits(&self) -> Vec<(&str, &str)> {
        self.waits.split_whitespace().filter_map(|wait| wait.split_once('>')).collect()
    }

    /// Returns the session names of the expected root blockers, highest-ranked first.
    /// If the root blocker is a wait cycle, its list element contains the names of all sessions in the cycle.
    #[must_use]
    pub fn expected_root_blockers(&self) -> Vec<Vec<&str>> {
        self.roots.split_whitespace().map(|root| root.split('+').collect()).collect()
    }

    /// Returns the locked resource that a waiter is expected to wait for.
    #[must_use]
    pub fn expected_locked_resource(&self, waiter: &str) -> &'static str {
        let resource_of =
            |name: &str| self.resources.iter().find(|(waiter, _)| *waiter == name).map(|(_, resource)| *resource);
        resource_of(waiter).or_else(|| resource_of(UNLISTED_WAITERS_WILDCARD)).unwrap_or_default()
    }

    fn parse_steps(&self) -> Result<Vec<ScenarioStep<'_>>, ScenarioError> {
        let lines = self.script.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| parse_scenario_step(line).ok_or_else(|| ScenarioError::Script(line.to_owned()))).collect()
    }
}

fn parse_scenario_step(line: &str) -> Option<ScenarioStep<'_>> {
    let end = line.find(|char: char| !char.is_ascii_alphanumeric())?;
    let (session, rest) = line.split_at(end);
    let sign = rest.chars().next()?;
    let statement = rest.get(1..)?.trim();
    match sign {
        ':' => Some(ScenarioStep::Run(session, statement)),
        '?' => Some(ScenarioStep::Block(session, statement)),
        '+' => Some(ScenarioStep::BlockWithDelayedCheck(session, statement)),
        '~' => Some(ScenarioStep::Start(session, statement)),
        '!' => Some(ScenarioStep::Disconnect(session)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_waits_name_only_sessions_of_the_script() {
        for flavor in Flavor::ALL {
            for scenario in LockWaitScenario::scenarios_for_flavor(flavor) {
                let steps = scenario.parse_steps().unwrap();
                let mut present: Vec<&str> = steps
                    .iter()
                    .map(|step| match step {
                        ScenarioStep::Run(session, _)
                        | ScenarioStep::Block(session, _)
                        | ScenarioStep::BlockWithDelayedCheck(session, _)
                        | ScenarioStep::Start(session, _)
                        | ScenarioStep::Disconnect(session) => *session,
                    })
                    .collect();
                present.push("xa");
                let waits = scenario.expected_waits();
                assert!(!waits.is_empty(), "{}", scenario.name);
                for (waiter, blocker) in waits {
                    assert!(present.contains(&waiter) && present.contains(&blocker), "{}", scenario.name);
                }
                let roots = scenario.expected_root_blockers();
                assert!(roots.iter().flatten().all(|root| present.contains(root)), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn steps_are_parsed_by_operator() {
        assert_eq!(parse_scenario_step("a: SELECT ':'"), Some(ScenarioStep::Run("a", "SELECT ':'")));
        assert_eq!(parse_scenario_step("b2? DROP TABLE t"), Some(ScenarioStep::Block("b2", "DROP TABLE t")));
        assert_eq!(parse_scenario_step("a!"), Some(ScenarioStep::Disconnect("a")));
        assert_eq!(parse_scenario_step("a SELECT 1"), None);
        assert_eq!(parse_scenario_step(""), None);
    }
}
