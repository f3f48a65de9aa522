//! Random rules and sessions. The set of values is small, so that most rules match some sessions.

use clew_diagnose::ProtectedAccounts;
use clew_model::{ClientAddressFilter, KillCriteria, Session};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Accounts of applications, protected accounts, and names of server threads.
const USERS: [&str; 8] =
    ["app", "App", "batch", "rdsadmin", "mysql.sys", "system user", "event_scheduler", "unauthenticated user"];
const COMMANDS: [&str; 8] =
    ["Query", "Sleep", "Execute", "Killed", "Binlog Dump GTID", "Daemon", "Slave_SQL", "Connect"];
const HOSTS: [&str; 5] = ["10.0.0.7:51234", "10.0.0.8:51234", "[::1]:51235", "localhost", ""];
const STATEMENTS: [&str; 4] =
    ["SELECT * FROM orders WHERE id = 7", "select sleep(7)", "UPDATE shop.items SET n = 7", "\u{4f1a}\u{8bdd}"];
const SECONDS: [u64; 7] = [0, 1, 9, 10, 11, 86_400, 2_147_483_647];

pub(crate) fn sessions() -> impl Strategy<Value = Vec<Session>> {
    let session = (
        select(&USERS[..]),
        select(&HOSTS[..]),
        option::of(select(&["shop", "Shop", "other"][..])),
        select(&COMMANDS[..]),
        select(&SECONDS[..]),
        option::of(select(&STATEMENTS[..])),
    );
    proptest::collection::vec(session, 0..24).prop_map(|drawn| {
        let numbered = (1..).zip(drawn);
        let made = numbered.map(|(id, (user, host, database, command, seconds, statement))| Session {
            id,
            user: bytes(user),
            host: bytes(host),
            database: database.map(bytes),
            command: bytes(command),
            seconds,
            state: None,
            statement: statement.map(bytes),
        });
        made.collect()
    })
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

pub(crate) fn criteria() -> impl Strategy<Value = KillCriteria> {
    let text = |texts: &'static [&'static str]| option::weighted(0.3, select(texts).prop_map(str::to_owned));
    (
        text(&USERS),
        text(&["10.0.0.7", "10.0.0.8:51234", "::1", "localhost"]),
        text(&["shop", "Shop", "other"]),
        text(&["query", "Sleep", "daemon", "killed", "binlog dump gtid"]),
        text(&["orders", "SLEEP(7)", "n = ?", "\u{4f1a}", "7"]),
        select(&[1_u32, 10, 11, 86_400, KillCriteria::MAX_DURATION_CRITERION_SECONDS][..]),
    )
        .prop_map(|(user, host, database, command, sql_key, seconds)| KillCriteria {
            user,
            host: host.map(|host| ClientAddressFilter::parse(&host)),
            database,
            command,
            sql_key,
            seconds,
            include_unsafe: false,
        })
}

/// Default protected accounts and additional accounts.
pub(crate) fn protected() -> impl Strategy<Value = ProtectedAccounts> {
    proptest::collection::vec(select(&USERS[..]), 0..3)
        .prop_map(|more| ProtectedAccounts::default().with_accounts(more))
}
