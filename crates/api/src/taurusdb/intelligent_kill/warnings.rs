//! Warnings in the preview of an intelligent kill about skipped sessions and about root blockers that are not killed.

use clew_model::{Language, Node, Session};
use clew_mysql::{find_sessions_unsafe_to_kill, read_lock_waits};
use serde::Serialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::messages::format_failure;

/// Warning about an intelligent kill (Clew extension to the TaurusDB API).
#[derive(Serialize, ToSchema)]
pub(crate) struct IntelligentKillWarning {
    /// Warning kind: surviving_root_blocker, not_read or the name of a kill risk, such as table_damage
    #[schema(value_type = String, example = "surviving_root_blocker")]
    kind: &'static str,
    /// Warning message in the language requested by X-Language
    #[schema(example = "8 of 8 wait for session 70, app@10.0.0.7, idle for 35 s, which is not among the victims")]
    message: String,
    /// Thread id of the session to which the warning applies: the root blocker or the skipped session
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<u64>,
}

pub(super) async fn find_kill_warnings(
    service: &AppState,
    node: &Node,
    victims: &[Session],
    language: Language,
) -> Vec<IntelligentKillWarning> {
    if victims.is_empty() {
        return Vec::new();
    }
    let not_read = |failure: clew_model::Failure| IntelligentKillWarning {
        kind: "not_read",
        message: format_failure(language, &failure),
        session_id: None,
    };
    let mut warnings = Vec::new();
    match service.try_read_from_node(node, read_lock_waits(&node.url, &service.connector)).await {
        Ok(waits) => {
            let ids: Vec<u64> = victims.iter().map(|victim| victim.id).collect();
            let surviving = waits.graph.find_remaining_blockers(&ids);
            warnings.extend(surviving.into_iter().map(|blocker| IntelligentKillWarning {
                kind: "surviving_root_blocker",
                message: blocker.format_warning(language),
                session_id: blocker.party.session_id(),
            }));
        }
        Err(failure) => warnings.push(not_read(failure)),
    }
    let read = find_sessions_unsafe_to_kill(&node.url, victims, &service.connector);
    match service.try_read_from_node(node, read).await {
        Ok(risks) => {
            let mut risks: Vec<_> = risks.into_iter().collect();
            risks.sort_unstable_by_key(|(session, _)| *session);
            warnings.extend(risks.into_iter().map(|(session, risk)| IntelligentKillWarning {
                kind: risk.kind(),
                message: format_skipped_session_warning(session, risk.description().in_language(language), language),
                session_id: Some(session),
            }));
        }
        Err(failure) => warnings.push(not_read(failure)),
    }
    warnings
}

fn format_skipped_session_warning(session: u64, risk: &str, language: Language) -> String {
    match language {
        Language::EnUs => format!("Session {session} is spared: {risk}"),
        Language::ZhCn => format!("不会 Kill 会话 {session}：{risk}"),
    }
}
