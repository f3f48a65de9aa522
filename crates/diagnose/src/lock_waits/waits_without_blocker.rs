//! Finds waiting sessions without a detected blocker.

use std::collections::{HashMap, HashSet};

use clew_model::{LimitationKind, LocalizedText, Transaction, localized};

use super::graph::{LockWait, WaitWithoutBlocker};
use super::lock_snapshot::{LockSnapshotIndex, SessionRole};
use super::metadata_locks::{LockStatus, MetadataLockObjectKind};
use super::wait_state::LockWaitState;

pub(super) fn find_waits_without_blocker(
    index: &LockSnapshotIndex<'_>,
    waits: &[LockWait],
    unknown_reasons: &HashMap<u64, LocalizedText>,
) -> Vec<WaitWithoutBlocker> {
    let explained: HashSet<u64> = waits.iter().filter_map(|wait| wait.waiter.session_id()).collect();
    let with_pending_request: HashSet<u64> = index
        .observed
        .metadata_locks
        .iter()
        .filter(|lock| lock.status == LockStatus::Pending)
        .filter_map(|lock| lock.session)
        .collect();
    let mut sessions = Vec::new();
    for facts in &index.observed.sessions {
        let session = &facts.session;
        let is_candidate =
            matches!(facts.role, SessionRole::User | SessionRole::Applier) && !explained.contains(&session.id);
        let by_state = index.wait_states.get(&session.id);
        let in_innodb =
            index.transactions.get(&session.id).is_some_and(|facts| facts.transaction.is_waiting_for_lock());
        if !is_candidate || (by_state.is_none() && !in_innodb) {
            continue;
        }
        let state = match by_state {
            Some(_) => crate::utf8::bytes_to_text(session.state.as_deref().unwrap_or_default()),
            None => Transaction::TRANSACTION_STATE_LOCK_WAIT.to_owned(),
        };
        let why = unknown_reasons.get(&session.id).cloned().unwrap_or_else(|| match by_state {
            Some(wait) => explain_unknown_blocker(wait, index, with_pending_request.contains(&session.id)),
            None => explain_missing_lock_data(index, &[LimitationKind::NoRowLocks, LimitationKind::LostThreads])
                .unwrap_or(MISSING_LOCK_REQUEST_EXPLANATION),
        });
        sessions.push(WaitWithoutBlocker { session: session.id, state, why });
    }
    sessions.sort();
    sessions
}

const METADATA_LOCK_LIMITATION_KINDS: [LimitationKind; 4] = [
    LimitationKind::NoMetadataLocks,
    LimitationKind::NoPerformanceSchema,
    LimitationKind::LostMetadataLocks,
    LimitationKind::LostThreads,
];

const MISSING_LOCK_REQUEST_EXPLANATION: LocalizedText = LocalizedText::from_static(
    "The server lists no lock request of the session. The lock was granted, or the wait ended, between two reads.",
    "服务器未列出该会话的锁请求：在两次读取之间，锁已被授予或等待已结束。",
);

fn explain_unknown_blocker(
    wait: &LockWaitState,
    index: &LockSnapshotIndex<'_>,
    has_pending_request: bool,
) -> LocalizedText {
    if let Some(text) = explain_missing_lock_data(index, &METADATA_LOCK_LIMITATION_KINDS) {
        return text;
    }
    match wait {
        LockWaitState::Metadata(kind) if has_pending_request => {
            let LocalizedText { english, chinese } = kind.name();
            localized!(
                "The server lists no owner of the requested lock ({english}). The lock was acquired before the server started to record metadata locks, or it was just released.",
                "服务器未列出所请求锁（{chinese}）的持有者：该锁在服务器开始记录元数据锁之前获得，或刚刚被释放。"
            )
        }
        LockWaitState::Metadata(MetadataLockObjectKind::UserLock) if !index.observed.reports_pending => {
            LocalizedText::new(
                "The server does not list pending lock requests, and the statement names no granted user lock.",
                "服务器不提供等待中的锁请求，且SQL语句中没有已授予的用户锁。",
            )
        }
        LockWaitState::Metadata(_) if !index.observed.reports_pending => LocalizedText::new(
            "The server does not list pending lock requests, and no granted lock matches the statement.",
            "服务器不提供等待中的锁请求，且没有与SQL语句匹配的已授予的锁。",
        ),
        LockWaitState::Metadata(_) => MISSING_LOCK_REQUEST_EXPLANATION,
        LockWaitState::TableFlush | LockWaitState::TableLevelLock => LocalizedText::new(
            "The server lists no running session that uses the requested table.",
            "服务器未列出正在使用所请求表的会话。",
        ),
    }
}

fn explain_missing_lock_data(index: &LockSnapshotIndex<'_>, kinds: &[LimitationKind]) -> Option<LocalizedText> {
    let mut limitations = index.observed.limitations.iter().chain(&index.observed.unknown_blockers_limitation);
    let limitation = limitations.find(|limitation| kinds.contains(&limitation.kind))?;
    let why = &limitation.why;
    Some(match &limitation.remedy {
        Some(remedy) => {
            LocalizedText::new(format!("{why} Fix: {remedy}"), format!("{}处理方法：{}", why.chinese, remedy.chinese))
        }
        None => why.clone(),
    })
}
