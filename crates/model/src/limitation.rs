//! Descriptions of missing or inaccurate data in a snapshot.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

use crate::{Language, LocalizedText};

crate::named_enum! {
    /// Kind of limitation.
    pub enum LimitationKind {
        /// Only the sessions of Clew's own MySQL account are visible.
        OnlyOwnSessions = "only_own_sessions",
        /// Transactions cannot be read. All columns with transaction data are empty.
        NoTransactions = "no_transactions",
        /// Some transactions or some transaction columns cannot be read.
        PartOfTransactions = "part_of_transactions",
        /// The server truncates statements.
        StatementsTruncated = "statements_cut",
        /// Clew's account cannot kill sessions of other accounts.
        NoKill = "no_kill",
        /// Lock waits outside InnoDB, such as waits for metadata locks, cannot be read.
        NoPerformanceSchema = "no_performance_schema",
        /// Metadata locks cannot be read.
        NoMetadataLocks = "no_metadata_locks",
        /// Owners of InnoDB locks cannot be read.
        NoRowLocks = "no_row_locks",
        /// Clew cannot read the latest statements of idle sessions that block other sessions.
        NoLastStatements = "no_last_statements",
        /// The XA identifiers of prepared transactions cannot be read.
        NoPreparedNames = "no_prepared_names",
        /// Digests of running statements cannot be read.
        NoStatementDigests = "no_statement_digests",
        /// The client program names of sessions cannot be read.
        NoProgramNames = "no_program_names",
        /// The connection to the server passes through a proxy or load balancer.
        /// Clew does not kill sessions through a proxy, because the sessions cannot be identified reliably.
        Indirect = "indirect",
        /// The live session list is truncated because it reached its maximum length.
        SessionsTruncated = "sessions_cut",
        /// Some session or transaction durations may be wrong. Implausible durations are shown as 0.
        UnreliableAges = "unreliable_ages",
        /// The server did not record some metadata locks, because its metadata lock table is full.
        LostMetadataLocks = "lost_metadata_locks",
        /// The server did not record some threads, because the `threads` table of `performance_schema` is full.
        LostThreads = "lost_threads",
        /// The server did not record some running statements, because a `performance_schema` limit was reached.
        LostStatements = "lost_statements",
        /// The server truncated the connection attributes of some clients.
        LostConnectAttributes = "lost_connect_attributes",
        /// The account lacks the privilege to set a session variable that affects the results.
        SettingRefused = "setting_refused",
        /// Clew could not kill the statement of a canceled read, so the server may still be running the statement.
        StatementNotKilled = "statement_not_killed",
    }
}

impl LimitationKind {
    /// Returns true if this kind of missing data can hide lock waits.
    #[must_use]
    pub fn may_hide_lock_waits(self) -> bool {
        match self {
            Self::OnlyOwnSessions
            | Self::NoPerformanceSchema
            | Self::NoMetadataLocks
            | Self::NoRowLocks
            | Self::SessionsTruncated
            | Self::StatementsTruncated
            | Self::LostMetadataLocks
            | Self::LostThreads
            | Self::SettingRefused => true,
            Self::NoTransactions
            | Self::PartOfTransactions
            | Self::NoKill
            | Self::NoLastStatements
            | Self::NoPreparedNames
            | Self::NoStatementDigests
            | Self::NoProgramNames
            | Self::Indirect
            | Self::UnreliableAges
            | Self::LostStatements
            | Self::LostConnectAttributes
            | Self::StatementNotKilled => false,
        }
    }
}

/// Description of missing or inaccurate data in a snapshot, including the cause and the remedy.
///
/// In JSON, the English texts are top-level fields, and the field `zh_cn` contains the Chinese texts.
/// Each JSON object contains the texts in all languages, so that all subscribers can receive the same event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "LimitationJson<'static>")]
pub struct Limitation {
    /// Kind.
    pub kind: LimitationKind,
    /// Sentence that describes the missing or inaccurate data.
    pub what: LocalizedText,
    /// Sentence that describes the cause.
    pub why: LocalizedText,
    /// SQL statement or setting that makes the missing data available, or `None` if no fix is known.
    pub remedy: Option<LocalizedText>,
}

#[derive(Serialize, Deserialize)]
struct LimitationJson<'a> {
    kind: LimitationKind,
    #[serde(flatten)]
    english: LimitationTexts<'a>,
    /// Chinese texts, or `None` in JSON from Clew versions that supported only English.
    zh_cn: Option<LimitationTexts<'a>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct LimitationTexts<'a> {
    what: Cow<'a, str>,
    why: Cow<'a, str>,
    remedy: Option<Cow<'a, str>>,
}

impl Serialize for Limitation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let texts = |language| LimitationTexts {
            what: self.what.in_language(language).into(),
            why: self.why.in_language(language).into(),
            remedy: self.remedy.as_ref().map(|remedy| remedy.in_language(language).into()),
        };
        let (english, chinese) = (texts(Language::EnUs), texts(Language::ZhCn));
        LimitationJson { kind: self.kind, english, zh_cn: Some(chinese) }.serialize(to)
    }
}

impl From<LimitationJson<'static>> for Limitation {
    fn from(LimitationJson { kind, english, zh_cn }: LimitationJson<'static>) -> Self {
        let chinese = zh_cn.unwrap_or_else(|| english.clone());
        Self {
            kind,
            what: LocalizedText::new(english.what, chinese.what),
            why: LocalizedText::new(english.why, chinese.why),
            remedy: english.remedy.map(|remedy| {
                let chinese = chinese.remedy.unwrap_or_else(|| remedy.clone());
                LocalizedText::new(remedy, chinese)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limitation_is_restored_from_json_with_and_without_chinese_texts() {
        let limitation = Limitation {
            kind: LimitationKind::NoKill,
            what: LocalizedText::new("Clew cannot kill sessions.", "Clew无法Kill会话。"),
            why: LocalizedText::new("A privilege is missing.", "缺少权限。"),
            remedy: Some(LocalizedText::untranslated("GRANT CONNECTION_ADMIN ON *.* TO clew;")),
        };
        let mut json = serde_json::to_value(&limitation).unwrap();
        assert_eq!(serde_json::from_value::<Limitation>(json.clone()).unwrap(), limitation);
        json.as_object_mut().unwrap().remove("zh_cn");
        let english = serde_json::from_value::<Limitation>(json).unwrap();
        assert_eq!(english.what, LocalizedText::untranslated("Clew cannot kill sessions."));
        assert_eq!(english.remedy, limitation.remedy);
    }
}
