use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn build_sampled_session(id: u64, statement: Option<&str>) -> SampledSession {
    let command = if statement.is_some() { "Query" } else { "Sleep" };
    SampledSession {
        session: Session {
            id,
            user: b"app".to_vec(),
            host: b"h:1".to_vec(),
            command: command.into(),
            statement: statement.map(Into::into),
            ..Session::default()
        },
        ..SampledSession::default()
    }
}

fn parse_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn parse_delta_since_version(list: &SessionFeed, version: u32, masked: bool) -> Value {
    parse_json(&format!("{{{}}}", list.encode_delta_as_json(version, masked).unwrap()))
}

#[test]
fn column_indexes_match_the_column_list() {
    let columns = session_feed_column_keys();
    assert_eq!(columns.len(), versioned_session_row::COLUMN_COUNT);
    let at = |column: usize| columns[column];
    assert_eq!(
        DURATION_COLUMN_INDEXES.map(at),
        ["state_duration", "transaction_duration", "transaction_lock_wait_time"]
    );
    assert_eq!(
        [
            1,
            2,
            4,
            5,
            versioned_session_row::STATEMENT_COLUMN_INDEX,
            versioned_session_row::WAITS_FOR_COLUMN_INDEX,
            versioned_session_row::SQL_TEMPLATE_COLUMN_INDEX
        ]
        .map(at),
        ["user", "host", "execution_status", "command", "sql_statement", "waits_for", "sql_template"]
    );
}

#[test]
fn normal_duration_growth_is_not_a_change() {
    let mut list = SessionFeed::default();
    let mut apply_sample = |at: i64, seconds: u64, transaction: Option<u64>| {
        let mut live = build_sampled_session(7, None);
        live.session.seconds = seconds;
        live.transaction = transaction.map(|seconds| Transaction { seconds, ..Transaction::default() });
        list.apply_sample(at, vec![live]);
        let (changed, all) = (
            list.encode_delta_as_json(list.version() - 1, false),
            parse_json(&list.encode_all_sessions_as_json(false)),
        );
        (changed.map(|fields| parse_json(&format!("{{{fields}}}"))["changed"].clone()), all["7"][7].clone())
    };
    let nothing = || Some(serde_json::json!({}));
    assert_eq!(apply_sample(0, 5, None), (None, 5.into()));
    assert_eq!(apply_sample(1_100, 6, None), (nothing(), 6.into()));
    assert_eq!(
        apply_sample(2_200, 8, None),
        (nothing(), 7.into()),
        "a deviation of one second is tolerated because servers round"
    );
    assert_eq!(apply_sample(60_000, 65, None), (nothing(), 65.into()));
    assert_eq!(apply_sample(61_000, 0, None), (Some(serde_json::json!({ "7": { "7": 0 } })), 0.into()));
    assert_eq!(apply_sample(62_000, 1, Some(0)).0.unwrap()["7"]["8"], 0);
    assert_eq!(apply_sample(63_000, 2, Some(1)), (nothing(), 2.into()));
    assert_eq!(apply_sample(64_000, 3, None).0.unwrap()["7"]["8"], Value::Null);
}

#[test]
fn delta_includes_new_statement_duration() {
    let mut list = SessionFeed::default();
    list.apply_sample(0, vec![build_sampled_session(7, Some("SELECT 1"))]);
    list.apply_sample(500, vec![build_sampled_session(7, Some("SELECT 2"))]);
    assert_eq!(
        parse_delta_since_version(&list, 1, false)["changed"]["7"],
        serde_json::json!({ "6": "SELECT 2", "7": 0 })
    );
}

#[test]
fn reused_session_id_replaces_the_session() {
    let mut list = SessionFeed::default();
    list.apply_sample(0, vec![build_sampled_session(7, None)]);
    let mut other = build_sampled_session(7, None);
    other.session.host = b"h:2".to_vec();
    list.apply_sample(1_000, vec![other]);
    let delta = parse_delta_since_version(&list, 1, false);
    assert_eq!((delta["gone"][0].as_u64(), delta["changed"]["7"][2].as_str()), (Some(7), Some("h:2")));
}

#[test]
fn masked_output_has_no_literals() {
    let secret = "SELECT * FROM t WHERE card = '4111-1111' AND pin = 1234";
    let mut live = build_sampled_session(7, Some(secret));
    live.detail.waits_for = Some("row of shop.t, '4111-1111'".into());
    live.masked_waits_for = Some("row of shop.t".into());
    let mut list = SessionFeed::default();
    list.apply_sample(0, vec![build_sampled_session(7, None)]);
    list.apply_sample(1_000, vec![live]);
    for text in [list.encode_all_sessions_as_json(true), list.encode_delta_as_json(1, true).unwrap()] {
        assert!(
            !text.contains("4111") && !text.contains("1234") && text.contains("card = ?") && text.contains("row of"),
            "{text}"
        );
    }
    for text in [list.encode_all_sessions_as_json(false), list.encode_delta_as_json(1, false).unwrap()] {
        assert!(text.contains("4111") && text.contains("1234") && text.contains("card = ?"), "{text}");
    }
}

#[test]
fn long_statement_is_truncated_at_a_character_boundary() {
    let mut list = SessionFeed::default();
    list.apply_sample(0, vec![build_sampled_session(7, Some(&format!("x{}", "電".repeat(1000))))]);
    let statement = parse_json(&list.encode_all_sessions_as_json(false))["7"][6].as_str().unwrap().to_owned();
    assert_eq!(statement, format!("x{}", "電".repeat(341)));
    list.apply_sample(
        0,
        vec![SampledSession {
            session: Session { id: 7, statement: Some(b"a\xff\"".to_vec()), ..Session::default() },
            ..SampledSession::default()
        }],
    );
    assert_eq!(parse_json(&list.encode_all_sessions_as_json(false))["7"][6], "a\\xff\"");
}

#[test]
fn delta_for_an_expired_version_is_not_available() {
    let mut list = SessionFeed::default();
    assert_eq!(list.encode_delta_as_json(0, false), None, "an empty list has no delta");
    list.apply_sample(0, (0..30_000).map(|id| build_sampled_session(id, None)).collect());
    list.apply_sample(1, vec![build_sampled_session(1, None)]);
    assert!(list.encode_delta_as_json(2, false).is_some() && list.encode_delta_as_json(3, false).is_none());
    assert_eq!(list.encode_delta_as_json(1, false), None, "some ended sessions are no longer stored");
    assert!(list.ended.len() <= MIN_RETAINED_ENDED_SESSIONS);
}

#[derive(Default)]
struct Subscriber {
    version: u32,
    at: i64,
    rows: BTreeMap<String, Vec<Value>>,
    sent_at: BTreeMap<(String, usize), i64>,
}

impl Subscriber {
    fn apply_delta(&mut self, list: &SessionFeed) {
        match list.encode_delta_as_json(self.version, false) {
            None => {
                self.rows = serde_json::from_str(&list.encode_all_sessions_as_json(false)).unwrap();
                self.sent_at.clear();
                for id in self.rows.keys() {
                    self.sent_at
                        .extend(DURATION_COLUMN_INDEXES.map(|column| ((id.clone(), column), list.sampled_at_millis())));
                }
            }
            Some(fields) => {
                let delta = parse_json(&format!("{{{fields}}}"));
                for id in delta["gone"].as_array().unwrap() {
                    self.rows.remove(&id.to_string());
                }
                for (id, change) in delta["changed"].as_object().unwrap() {
                    match change {
                        Value::Array(all) => {
                            self.rows.insert(id.clone(), all.clone());
                            self.sent_at.extend(
                                DURATION_COLUMN_INDEXES.map(|column| ((id.clone(), column), list.sampled_at_millis())),
                            );
                        }
                        some => {
                            for (column, value) in some.as_object().unwrap() {
                                let column: usize = column.parse().unwrap();
                                self.rows.get_mut(id).unwrap()[column] = value.clone();
                                self.sent_at.insert((id.clone(), column), list.sampled_at_millis());
                            }
                        }
                    }
                }
            }
        }
        (self.version, self.at) = (list.version(), list.sampled_at_millis());
    }

    fn extrapolate_durations(&self) -> BTreeMap<String, Vec<Value>> {
        let mut rows = self.rows.clone();
        for (id, row) in &mut rows {
            for column in DURATION_COLUMN_INDEXES {
                if let Some(number) = row[column].as_i64() {
                    row[column] = (number + (self.at - self.sent_at[&(id.clone(), column)]) / 1000).into();
                }
            }
        }
        rows
    }
}

fn arbitrary_session_sample() -> impl Strategy<Value = Vec<(u64, u8, u64)>> {
    proptest::collection::vec((0u64..6, 0u8..4, 0u64..4), 0..8)
}

proptest! {
    #[test]
    fn applying_deltas_reproduces_the_sessions(samples in proptest::collection::vec((arbitrary_session_sample(), any::<bool>()), 1..30)) {
        let (mut list, mut subscriber) = (SessionFeed::default(), Subscriber::default());
        for (number, (sessions, is_sent)) in samples.into_iter().enumerate() {
            let at = i64::try_from(number).unwrap() * 1000;
            let sessions: BTreeMap<u64, SampledSession> = sessions.into_iter().map(|(id, activity, seconds)| {
                let mut live = build_sampled_session(id, [None, Some("SELECT 1"), Some("SELECT 'b'"), Some("UPDATE t")][activity as usize]);
                live.session.seconds = seconds;
                live.session.host = format!("h:{}", activity / 2).into();
                live.transaction = (activity > 1).then(|| Transaction { seconds, ..Transaction::default() });
                (id, live)
            }).collect();
            list.apply_sample(at, sessions.values().cloned().collect());
            if !is_sent {
                continue;
            }
            subscriber.apply_delta(&list);
            let displayed = subscriber.extrapolate_durations();
            prop_assert_eq!(displayed.keys().cloned().collect::<Vec<_>>(), sessions.keys().map(u64::to_string).collect::<Vec<_>>());
            for (id, row) in displayed {
                let live = &sessions[&id.parse::<u64>().unwrap()];
                prop_assert_eq!(row[6].as_str(), live.session.statement.as_deref().map(|text| std::str::from_utf8(text).unwrap()));
                let near = |displayed: &Value, is: u64| displayed.as_u64().unwrap().abs_diff(is) <= 2;
                prop_assert!(near(&row[7], live.session.seconds), "{:?} {:?}", row, live);
                prop_assert_eq!(row[8].is_null(), live.transaction.is_none());
            }
        }
    }
}
