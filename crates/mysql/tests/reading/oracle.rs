//! Sixty sessions with known contents: the CSV matches them cell by cell, for every filter and sort order.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use clew_model::{ClientAddressFilter, SessionClass, SessionSelection, SlowSessionThreshold, SortDirection, SortKey};
use clew_testkit::{
    DatabaseServer, DatabaseServerOptions, ExpectedSession, Flavor, ObservedTransaction, PredefinedSessions,
};
use rstest::rstest;

use super::csv_of;

/// Returns the expected CSV text of bytes: invalid UTF-8 escaped, formulas disarmed.
fn shown(bytes: &[u8], formula_guard: bool) -> String {
    let mut text = String::new();
    if formula_guard && matches!(bytes.first(), Some(b'=' | b'+' | b'-' | b'@')) {
        text.push('\'');
    }
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\0', "\\x00"));
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").unwrap();
        }
    }
    text
}

/// Returns the cells of a session that are constant over time.
fn cells(expected: &ExpectedSession, observed: Option<&ObservedTransaction>, guard: bool) -> Vec<String> {
    let transaction = expected.transaction.zip(observed);
    let of =
        |value: fn(&ObservedTransaction) -> u64| observed.map_or(String::new(), |observed| value(observed).to_string());
    vec![
        expected.id.to_string(),
        shown(expected.user.as_bytes(), guard),
        expected.host.clone(),
        shown(expected.database.as_deref().unwrap_or_default().as_bytes(), guard),
        expected.command.to_owned(),
        shown(expected.statement.as_deref().unwrap_or_default(), guard),
        of(|observed| observed.id),
        transaction.map_or(String::new(), |(expected, _)| expected.state.to_owned()),
        of(|observed| observed.rows_locked),
        of(|observed| observed.tables_locked),
        transaction.map_or(String::new(), |(expected, _)| expected.rows_modified.to_string()),
    ]
}

/// Returns the constant cells of a record.
fn cells_of_record(record: &[String]) -> Vec<String> {
    [0, 1, 2, 3, 5, 6, 9, 11, 12, 13, 14].map(|column: usize| record[column].clone()).into()
}

struct Oracle {
    server: DatabaseServer,
    odd: PredefinedSessions,
    observed: HashMap<u64, ObservedTransaction>,
}

impl Oracle {
    async fn of(flavor: Flavor) -> Self {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let odd = PredefinedSessions::open(&server).await.unwrap();
        let observed = odd.query_open_transactions(&server).await.unwrap();
        server.wait_until_other_root_sessions_end().await.unwrap();
        Self { server, odd, observed }
    }

    /// Takes a snapshot and compares it with the sessions for which `belongs` is true.
    async fn assert_rows(&self, selection: &SessionSelection, guard: bool, belongs: impl Fn(&ExpectedSession) -> bool) {
        let records = csv_of(&self.server.url(), selection, guard).await;
        let found: HashMap<String, &Vec<String>> = records.iter().map(|record| (record[0].clone(), record)).collect();
        let expected: Vec<_> = self.odd.expected.iter().filter(|session| belongs(session)).collect();
        let ids: HashSet<_> = expected.iter().map(|session| session.id.to_string()).collect();
        let missing: Vec<_> = ids.iter().filter(|id| !found.contains_key(*id)).collect();
        let surplus: Vec<_> = found.iter().filter(|(id, _)| !ids.contains(*id)).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "{selection:?}: missing {missing:?}, surplus {surplus:?}");
        assert!(!records.is_empty(), "{selection:?} matches no session");
        for session in expected {
            let record = found[&session.id.to_string()];
            let (found, expected) = (cells_of_record(record), cells(session, self.observed.get(&session.id), guard));
            assert!(found == expected, "{found:.2000?}\ndiffers from\n{expected:.2000?}");
            check_times(session, record);
        }
        check_order(selection, &records);
    }
}

/// Checks that ages match the sessions, and are empty where expected.
fn check_times(session: &ExpectedSession, record: &[String]) {
    let seconds = |column: usize| record[column].parse::<u64>().ok();
    let range = if session.is_old {
        PredefinedSessions::MIN_SESSION_AGE_DIFFERENCE_SECONDS
            ..PredefinedSessions::MIN_SESSION_AGE_DIFFERENCE_SECONDS + 120
    } else {
        0..120
    };
    assert!(range.contains(&seconds(7).unwrap()), "state_duration of {record:.300?}");
    assert_eq!(seconds(8).is_some(), session.transaction.is_some(), "transaction_duration of {record:.300?}");
    assert!(seconds(8).is_none_or(|seconds| range.contains(&seconds)), "transaction_duration of {record:.300?}");
    let waits = session.transaction.is_some_and(|transaction| transaction.state == "LOCK WAIT");
    assert_eq!(seconds(10).is_some(), waits, "transaction_lock_wait_time of {record:.300?}");
    assert!(seconds(10).is_none_or(|seconds| range.contains(&seconds)), "transaction_lock_wait_time of {record:.300?}");
    assert_eq!(record[4], session.state, "execution_status of {record:.300?}");
}

/// Checks the order: by sort key as a number, empty keys last, then by id.
fn check_order(selection: &SessionSelection, records: &[Vec<String>]) {
    let column = match selection.sort_key {
        SortKey::Id => 0,
        SortKey::StateDuration => 7,
        SortKey::TransactionDuration => 8,
        SortKey::TransactionId => 9,
        SortKey::LockWait => 10,
        SortKey::RowsLocked => 12,
        SortKey::TablesLocked => 13,
        SortKey::RowsModified => 14,
    };
    let rank = |record: &Vec<String>| {
        let key = record[column].parse::<i128>().ok();
        let key = key.map(|key| if selection.sort_direction == SortDirection::Descending { -key } else { key });
        (key.is_none(), key, record[0].parse::<u64>().unwrap())
    };
    assert!(records.iter().map(rank).is_sorted(), "not in the order of {selection:?}");
}

#[rstest]
#[tokio::test]
async fn every_filter_and_sort_matches_the_oracle(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let oracle = Oracle::of(flavor).await;
    let gap = SlowSessionThreshold::new(i64::try_from(PredefinedSessions::MIN_SESSION_AGE_DIFFERENCE_SECONDS).unwrap());
    let class = |class| SessionSelection { class, threshold: gap, ..SessionSelection::default() };
    // Session classes come first: young sessions age during the test.
    oracle.assert_rows(&class(SessionClass::Slow), true, |session| session.is_old && session.command != "Sleep").await;
    oracle
        .assert_rows(&class(SessionClass::Long), true, |session| session.is_old && session.transaction.is_some())
        .await;
    oracle.assert_rows(&class(SessionClass::Active), true, |session| session.command != "Sleep").await;
    oracle.assert_rows(&class(SessionClass::Total), true, |_| true).await;
    oracle.assert_rows(&class(SessionClass::Total), false, |_| true).await;

    for user in ["app", "=cmd", "用户", "o'brien", "comma,user", "quo\"te"] {
        let selection = SessionSelection { user: Some(user.into()), ..SessionSelection::default() };
        oracle.assert_rows(&selection, true, |session| session.user == user).await;
    }
    for database in ["shop", "=evil", "会话库", "a,b \"c\""] {
        let selection = SessionSelection { database: Some(database.into()), ..SessionSelection::default() };
        oracle.assert_rows(&selection, true, |session| session.database.as_deref() == Some(database)).await;
    }
    for command in ["sleep", "QUERY"] {
        let selection = SessionSelection { command: Some(command.into()), ..SessionSelection::default() };
        oracle.assert_rows(&selection, true, |session| session.command.eq_ignore_ascii_case(command)).await;
    }
    let one = oracle.odd.expected[0].host.clone();
    let six = oracle.odd.expected.iter().find(|session| session.host.starts_with("::1")).unwrap().host.clone();
    let six = six.rsplit_once(':').unwrap().1.to_owned();
    for (pattern, start, end) in [
        ("127.0.0.1", "127.0.0.1:", ""),
        ("::1", "::1:", ""),
        ("[::1]", "::1:", ""),
        (&*one, &*one, ""),
        (&*format!("[::1]:{six}"), "::1:", &*format!(":{six}")),
    ] {
        let selection =
            SessionSelection { host: Some(ClientAddressFilter::parse(pattern)), ..SessionSelection::default() };
        oracle
            .assert_rows(&selection, true, |session| session.host.starts_with(start) && session.host.ends_with(end))
            .await;
    }
    for key in ["select sleep", "会话诊断", "\"waits\", too", "münchen", "0123456789ABCDEF", "caf"] {
        let selection = SessionSelection { sql_key: Some(key.into()), ..SessionSelection::default() };
        let contains =
            |statement: &Vec<u8>| String::from_utf8_lossy(statement).to_lowercase().contains(&key.to_lowercase());
        oracle.assert_rows(&selection, true, |session| session.statement.as_ref().is_some_and(contains)).await;
    }
    let both =
        SessionSelection { user: Some("app".into()), database: Some("shop".into()), ..class(SessionClass::Active) };
    oracle
        .assert_rows(&both, true, |session| {
            session.user == "app" && session.database.as_deref() == Some("shop") && session.command != "Sleep"
        })
        .await;
    for sort_key in SortKey::ALL {
        for sort_direction in SortDirection::ALL {
            oracle
                .assert_rows(
                    &SessionSelection { sort_key, sort_direction, ..SessionSelection::default() },
                    true,
                    |_| true,
                )
                .await;
        }
    }
}
