//! Wire format of the risks of a kill.

use clew_diagnose::KillRisk;
use clew_model::Language;
use serde::Serialize;
use utoipa::ToSchema;

/// Risk of killing a session.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct KillRiskView {
    /// Kind of risk: table_damage, partial_change, unknown_engine, unknown_tables, long_rollback, replication or backup
    #[schema(value_type = String, example = "table_damage")]
    kind: &'static str,
    /// Description of the possible damage, in the language requested by X-Language
    message: String,
    /// True if kill tasks and intelligent kills do not kill the session because of this risk
    #[serde(rename = "unsafe")]
    is_unsafe: bool,
}

impl KillRiskView {
    pub(crate) fn new(risk: &KillRisk, language: Language) -> Self {
        Self { kind: risk.kind(), message: risk.description(language), is_unsafe: risk.is_unsafe() }
    }
}
