//! Effects of kills on data and other sessions, as shown on the web page.

use clew_model::{Failure, Language, Node};
use clew_mysql::{KillEffect, KillOutcome, KillTarget, PreKillSnapshot};
use serde::Serialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::messages::format_failure;

/// Effects of kills, calculated by comparing transactions and lock waits before and after the kills.
#[derive(Serialize, ToSchema)]
pub(crate) struct KillEffectView {
    /// Number of rows that the server has rolled back for the killed sessions so far; null if unknown
    #[schema(required)]
    rows_rolled_back: Option<u64>,
    /// Thread ids of sessions that were waiting for a killed session and are no longer waiting
    unblocked: Vec<u64>,
    /// Thread ids of sessions that were waiting for a killed session and are still waiting
    still_waiting: Vec<u64>,
    /// True if Clew could not read all lock waits; the kills may have unblocked more sessions than listed
    hidden_waits: bool,
    /// Reason why the effect of the kills is unknown, in the language requested by X-Language; null if the effect is known
    #[schema(required)]
    unknown: Option<String>,
}

impl KillEffectView {
    pub(super) async fn measure_kill_effect(
        service: &AppState,
        node: &Node,
        before: Result<PreKillSnapshot, Failure>,
        target: KillTarget,
        outcomes: &[(u64, KillOutcome)],
        language: Language,
    ) -> Option<Self> {
        if !outcomes.iter().any(|(_, outcome)| outcome.was_accepted()) {
            return None;
        }
        let effect = match before {
            Ok(before) => {
                let read = before.measure_effect_of_kills(&node.url, target, outcomes, &service.connector);
                service.try_read_from_node(node, read).await
            }
            Err(failure) => Err(failure),
        };
        Some(match effect {
            Ok(KillEffect { rows_rolled_back, unblocked, still_waiting, hides_waits }) => {
                Self { rows_rolled_back, unblocked, still_waiting, hidden_waits: hides_waits, unknown: None }
            }
            Err(failure) => Self {
                rows_rolled_back: None,
                unblocked: Vec::new(),
                still_waiting: Vec::new(),
                hidden_waits: true,
                unknown: Some(format_failure(language, &failure)),
            },
        })
    }
}
