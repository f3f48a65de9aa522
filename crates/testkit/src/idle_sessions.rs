//! Opens many idle sessions.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

use crate::database_server::DatabaseServer;
use crate::raw_session::{ClientCharset, RawSession};

/// Idle sessions on a database server. Dropping the value closes the sessions.
#[derive(Debug)]
pub struct IdleSessions {
    /// Open idle sessions.
    pub sessions: Vec<RawSession>,
}

pub(crate) const IDLE_SESSION_PROGRAM_NAME: &str = "clew-testkit";
const MAX_CONCURRENT_LOGINS: usize = 64;

/// Opens `count` idle sessions for the account `root`.
pub async fn open_idle_sessions(server: &DatabaseServer, count: usize) -> io::Result<IdleSessions> {
    open_idle_sessions_for_account(server, "root", count).await
}

/// Opens `count` idle sessions for the passwordless account `user`.
pub async fn open_idle_sessions_for_account(
    server: &DatabaseServer,
    user: &'static str,
    count: usize,
) -> io::Result<IdleSessions> {
    raise_open_file_limit(u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1000))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let mut opening = JoinSet::new();
    let mut sessions = Vec::with_capacity(count);
    for _ in 0..count {
        if opening.len() >= MAX_CONCURRENT_LOGINS
            && let Some(opened) = opening.join_next().await
        {
            sessions.push(opened.map_err(io::Error::other)??);
        }
        opening.spawn(RawSession::open_with_program_name(
            IDLE_SESSION_PROGRAM_NAME,
            address,
            user,
            None,
            ClientCharset::Utf8mb4,
        ));
    }
    while let Some(opened) = opening.join_next().await {
        sessions.push(opened.map_err(io::Error::other)??);
    }
    Ok(IdleSessions { sessions })
}

/// Raises the open file limit of this process and of its future child processes to at least `count`.
pub fn raise_open_file_limit(count: u64) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(count));
    setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum })?;
    Ok(())
}
