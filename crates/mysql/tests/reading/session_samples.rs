//! Samples for the live list, compared with sessions of known contents.

use std::collections::HashMap;

use clew_diagnose::session_feed::{MAX_STATEMENT_BYTES, SampledSession};
use clew_model::NodeUrl;
use clew_mysql::{NodeConnector, ReadLimits, ReadSizeLimits, SampleCache, take_session_sample};
use clew_testkit::{ClientCharset, DatabaseServer, DatabaseServerOptions, Flavor, PredefinedSessions, RawSession};

use super::connector;

async fn sample(server: &DatabaseServer, bytes: ReadSizeLimits) -> HashMap<u64, SampledSession> {
    let node: NodeUrl = server.url().parse().unwrap();
    let connector = NodeConnector { limits: ReadLimits { bytes, ..ReadLimits::default() }, ..connector() };
    let sample = take_session_sample(&node, &mut SampleCache::default(), 60, &connector).await.unwrap();
    sample.sessions.into_iter().map(|sampled| (sampled.session.id, sampled)).collect()
}

/// On MySQL, `performance_schema` converts some statements incorrectly, so their texts are not compared.
#[tokio::test]
async fn sampled_sessions_match_the_oracle() {
    for flavor in Flavor::ALL {
        let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
        let known = PredefinedSessions::open(&server).await.unwrap();
        server.wait_until_other_root_sessions_end().await.unwrap();
        let sampled = sample(&server, ReadSizeLimits::default()).await;
        assert_eq!(sampled.len(), known.expected.len(), "{flavor}");
        for expected in &known.expected {
            let session = &sampled[&expected.id].session;
            let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let found = (
                text(Some(&session.user)).unwrap(),
                text(Some(&session.host)).unwrap(),
                text(session.database.as_deref()),
                text(Some(&session.command)).unwrap(),
                text(session.state.as_deref()).unwrap_or_default(),
            );
            let (user, host, database) = (expected.user.clone(), expected.host.clone(), expected.database.clone());
            assert_eq!(
                found,
                (user, host, database, expected.command.to_owned(), expected.state.to_owned()),
                "{flavor}"
            );
            assert!(
                expected.is_old == (session.seconds >= PredefinedSessions::MIN_SESSION_AGE_DIFFERENCE_SECONDS),
                "{flavor}: {session:?}"
            );
            if flavor == Flavor::MariaDb {
                let prefix =
                    expected.statement.as_deref().map(|whole| whole.get(..=MAX_STATEMENT_BYTES).unwrap_or(whole));
                assert_eq!(session.statement.as_deref(), prefix, "{session:?}");
            }
        }
    }
}

/// MySQL truncates long statements before it sends them.
#[tokio::test]
async fn sample_of_long_statements_stays_below_a_small_byte_limit_on_mysql() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let statement = format!("SELECT SLEEP(600), LENGTH('{}')", "x".repeat(1 << 20));
    let address = ([127, 0, 0, 1], server.port()).into();
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let mut session = RawSession::open(address, "root", None, ClientCharset::Utf8mb4).await.unwrap();
        session.send_statement(statement.as_bytes()).await.unwrap();
        sessions.push(session);
    }
    let bytes = ReadSizeLimits { per_read: 1 << 20, ..ReadSizeLimits::default() };
    for _ in 0..500 {
        let sampled = sample(&server, bytes).await;
        let running = sampled.values().filter_map(|sampled| sampled.session.statement.as_deref());
        let running: Vec<&[u8]> = running.filter(|text| statement.as_bytes().starts_with(text)).collect();
        if running.len() == sessions.len() {
            assert!(running.iter().all(|text| text.len() == MAX_STATEMENT_BYTES), "{running:?}");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the statements do not run");
}
