//! Waits of every kind, built on a real server, with the truth about each: session waits for whom, and session is the root.

mod ddl;
mod flushes;
mod rows;
mod runner;
mod schema_objects;
mod server_wide;
mod topologies;

use crate::flavor::Flavor;

pub use runner::{BuiltScenario, ScenarioError};

/// How to build one kind of wait, and what is then true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// What it is, in a few words.
    pub name: String,
    /// Servers that can have it.
    pub flavors: &'static [Flavor],
    /// What sessions do, one step a line: the session's name, a sign and a statement. `a: …` runs to its end, `a? …` begins and
    /// waits for another session, `a+ …` too, in no order with others of that sign, `a~ …` begins and runs on, and `a!` alone
    /// hangs up.
    script: String,
    /// Every wait, `waiter>blocker`, separated by blanks. `xa` is the prepared transaction of no session.
    waits: String,
    /// Root blockers, the worst first, separated by blanks; members of a cycle are joined by `+`.
    roots: String,
    /// What each waiter waits for, as Clew's kinds of resources are printed; the same for all, or one for each by name.
    on: Vec<(&'static str, &'static str)>,
    /// Who is the root when the first one was ended, if that frees nobody.
    pub left: Option<&'static str>,
    /// Why one of its roots is not ended by a kill, if there is such a one, and how it is ended.
    pub not_killed: Option<&'static str>,
}

/// Both servers.
const BOTH: &[Flavor] = &Flavor::ALL;
const MYSQL: &[Flavor] = &[Flavor::MySql];
const MARIADB: &[Flavor] = &[Flavor::MariaDb];
/// Stands for every waiter.
const ANY_WAITER: &str = "*";

/// What one session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    /// Runs a statement to its end.
    Run(&'a str, &'a str),
    /// Begins a statement, and waits for another session.
    Block(&'a str, &'a str),
    /// The same; whether it waits is looked at when all are there.
    BlockInCrowd(&'a str, &'a str),
    /// Begins a statement, which runs on.
    Start(&'a str, &'a str),
    /// Hangs up.
    Disconnect(&'a str),
}

impl Scenario {
    /// What a server must be started with to have them all: MySQL would give rows their numbers without a lock.
    pub const SERVER_ARGUMENTS: [&str; 1] = ["--innodb-autoinc-lock-mode=1"];

    /// Every scenario that a server can have, the simple ones first.
    #[must_use]
    pub fn all(flavor: Flavor) -> Vec<Self> {
        let lists =
            [rows::all(), ddl::all(), schema_objects::all(), flushes::all(), server_wide::all(), topologies::all()];
        lists.into_iter().flatten().filter(|scenario| scenario.flavors.contains(&flavor)).collect()
    }

    fn new(
        flavors: &'static [Flavor],
        name: &str,
        script: impl Into<String>,
        waits: impl Into<String>,
        roots: &str,
        on: &'static str,
    ) -> Self {
        Self {
            name: name.to_owned(),
            flavors,
            script: script.into(),
            waits: waits.into(),
            roots: roots.to_owned(),
            on: vec![(ANY_WAITER, on)],
            left: None,
            not_killed: None,
        }
    }

    /// One waiter waits for something else than the others.
    fn with_resource(mut self, waiter: &'static str, on: &'static str) -> Self {
        self.on.push((waiter, on));
        self
    }

    /// Ending the first root frees nobody: what it held is left to another.
    fn with_next_root(mut self, root: &'static str) -> Self {
        self.left = Some(root);
        self
    }

    /// A root of it cannot be killed.
    fn not_killed(mut self, why: &'static str) -> Self {
        self.not_killed = Some(why);
        self
    }

    /// Waiter and blocker of every wait.
    #[must_use]
    pub fn waits(&self) -> Vec<(&str, &str)> {
        self.waits.split_whitespace().filter_map(|wait| wait.split_once('>')).collect()
    }

    /// The parties of every root, the worst root first.
    #[must_use]
    pub fn roots(&self) -> Vec<Vec<&str>> {
        self.roots.split_whitespace().map(|root| root.split('+').collect()).collect()
    }

    /// What a waiter waits for.
    #[must_use]
    pub fn on(&self, waiter: &str) -> &'static str {
        let named = |name: &str| self.on.iter().find(|(waiter, _)| *waiter == name).map(|(_, on)| *on);
        named(waiter).or_else(|| named(ANY_WAITER)).unwrap_or_default()
    }

    /// Its steps; a line that is none is a fault in the scenario.
    fn steps(&self) -> Result<Vec<Step<'_>>, ScenarioError> {
        let lines = self.script.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| parse_step(line).ok_or_else(|| ScenarioError::Script(line.to_owned()))).collect()
    }
}

fn parse_step(line: &str) -> Option<Step<'_>> {
    let end = line.find(|char: char| !char.is_ascii_alphanumeric())?;
    let (session, rest) = line.split_at(end);
    let sign = rest.chars().next()?;
    let statement = rest.get(1..)?.trim();
    match sign {
        ':' => Some(Step::Run(session, statement)),
        '?' => Some(Step::Block(session, statement)),
        '+' => Some(Step::BlockInCrowd(session, statement)),
        '~' => Some(Step::Start(session, statement)),
        '!' => Some(Step::Disconnect(session)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_names_only_who_is_in_it() {
        for flavor in Flavor::ALL {
            for scenario in Scenario::all(flavor) {
                let steps = scenario.steps().unwrap();
                let mut present: Vec<&str> = steps
                    .iter()
                    .map(|step| match step {
                        Step::Run(session, _)
                        | Step::Block(session, _)
                        | Step::BlockInCrowd(session, _)
                        | Step::Start(session, _)
                        | Step::Disconnect(session) => *session,
                    })
                    .collect();
                present.push("xa");
                let waits = scenario.waits();
                assert!(!waits.is_empty(), "{}", scenario.name);
                for (waiter, blocker) in waits {
                    assert!(present.contains(&waiter) && present.contains(&blocker), "{}", scenario.name);
                }
                let roots = scenario.roots();
                assert!(roots.iter().flatten().all(|root| present.contains(root)), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn steps_are_told_apart_by_their_sign() {
        assert_eq!(step("a: SELECT ':'"), Some(Step::Run("a", "SELECT ':'")));
        assert_eq!(step("b2? DROP TABLE t"), Some(Step::Block("b2", "DROP TABLE t")));
        assert_eq!(step("a!"), Some(Step::Disconnect("a")));
        assert_eq!(step("a SELECT 1"), None);
        assert_eq!(step(""), None);
    }
}
