//! Matching of each criterion.

use clew_diagnose::{ExclusionReason, KillRule, KillVerdict, ProtectedAccounts, select_sessions_to_kill};
use clew_model::{ClientAddressFilter, KillCriteria, Session};

fn session() -> Session {
    Session {
        id: 5,
        user: b"app".to_vec(),
        host: b"10.0.0.7:51234".to_vec(),
        database: Some(b"shop".to_vec()),
        command: b"Query".to_vec(),
        seconds: 10,
        state: None,
        statement: Some(b"SELECT * FROM orders WHERE card = '4711'".to_vec()),
    }
}

fn evaluate_rule(criteria: &KillCriteria, session: &Session) -> KillVerdict {
    KillRule::new(criteria).evaluate_session(session, &ProtectedAccounts::default())
}

#[test]
fn criteria_match_like_snapshot_filters() {
    let any = KillCriteria::with_min_seconds_in_state(1);
    for (field, value, matches) in [
        ("user", "app", true),
        ("user", "APP", false),
        ("host", "10.0.0.7", true),
        ("host", "10.0.0.7:1", false),
        ("db", "shop", true),
        ("db", "Shop", false),
        ("command", "query", true),
        ("command", "quer", false),
        ("sql", "FROM ORDERS", true),
        ("sql", "items", false),
    ] {
        let mut criteria = any.clone();
        let slot = match field {
            "user" => &mut criteria.user,
            "db" => &mut criteria.database,
            "command" => &mut criteria.command,
            _ => &mut criteria.sql_key,
        };
        if field == "host" {
            criteria.host = Some(ClientAddressFilter::parse(value));
        } else {
            *slot = Some(value.to_owned());
        }
        let expected = if matches { KillVerdict::Killed } else { KillVerdict::Unmatched };
        assert_eq!(evaluate_rule(&criteria, &session()), expected, "{field} {value}");
    }
}

#[test]
fn sessions_match_at_and_above_the_minimum_duration() {
    for (seconds, verdict) in [(9, KillVerdict::Killed), (10, KillVerdict::Killed), (11, KillVerdict::Unmatched)] {
        assert_eq!(evaluate_rule(&KillCriteria::with_min_seconds_in_state(seconds), &session()), verdict, "{seconds}");
    }
    let idle = Session { command: b"Sleep".to_vec(), statement: None, ..session() };
    assert_eq!(evaluate_rule(&KillCriteria::with_min_seconds_in_state(10), &idle), KillVerdict::Killed);
    let sql = KillCriteria { sql_key: Some("s".into()), ..KillCriteria::with_min_seconds_in_state(10) };
    assert_eq!(evaluate_rule(&sql, &idle), KillVerdict::Unmatched);
}

#[test]
fn excluded_sessions_are_reported_with_the_reason() {
    let client = "10.0.0.7:51234";
    for (user, host, command, verdict) in [
        ("system user", "", "Connect", KillVerdict::Excluded(ExclusionReason::Internal)),
        ("system user", "connecting host", "Connect", KillVerdict::Excluded(ExclusionReason::Internal)),
        ("repl", client, "Binlog Dump", KillVerdict::Excluded(ExclusionReason::Internal)),
        ("rdsadmin", client, "Query", KillVerdict::Excluded(ExclusionReason::Protected)),
        ("app", client, "Killed", KillVerdict::Excluded(ExclusionReason::Terminating)),
        // A client session of an account with the name of server threads is not internal.
        ("system user", client, "Query", KillVerdict::Killed),
    ] {
        let session = Session { user: user.into(), host: host.into(), command: command.into(), ..session() };
        assert_eq!(evaluate_rule(&KillCriteria::with_min_seconds_in_state(1), &session), verdict, "{user} {host}");
        assert_eq!(
            evaluate_rule(&KillCriteria::with_min_seconds_in_state(11), &session),
            KillVerdict::Unmatched,
            "{user} {host}"
        );
    }
}

#[test]
fn masked_rule_does_not_match_literals() {
    let rule = |part: &str| {
        KillRule::new(&KillCriteria { sql_key: Some(part.into()), ..KillCriteria::with_min_seconds_in_state(1) })
    };
    assert!(rule("4711").matches(&session()));
    assert!(!rule("4711").with_statement_masking(true).matches(&session()));
    assert!(rule("card = ?").with_statement_masking(true).matches(&session()));
}

#[test]
fn victim_is_attributed_to_the_first_matching_rule() {
    let rules = [11, 5, 1].map(|seconds| KillRule::new(&KillCriteria::with_min_seconds_in_state(seconds)));
    let sessions = [10, 3, 0].map(|seconds| Session { seconds, id: seconds, ..session() });
    let dead: Vec<_> = select_sessions_to_kill(&rules, sessions, &ProtectedAccounts::default())
        .into_iter()
        .map(|(rule, session)| (rule, session.id))
        .collect();
    assert_eq!(dead, [(1, 10), (2, 3)]);
}
