//! The file of an intelligent kill: whom it was to end, and what became of each.

use std::fs::File;
use std::io::Write;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use clew_diagnose::csv;
use clew_model::{Cell, ErrorEntry, Language, Page};
use clew_store::{IntelligentKill, KillEnd, KillFilter, KillSource, KilledSession, StoredResult};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::link;
use crate::Service;
use crate::audit::Trail;
use crate::download::Download;
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};

/// Rows that are in memory at once.
const ROWS: u32 = 500;

/// Names of the columns in English and in Chinese.
const COLUMNS: [(&str, &str); 11] = [
    ("session_id", "会话ID"),
    ("user", "用户名"),
    ("host", "主机IP"),
    ("database_name", "数据库名"),
    ("execution_status", "执行状态"),
    ("command", "命令"),
    ("sql_template", "SQL模板"),
    ("state_duration", "状态持续时间 (s)"),
    ("kill_time", "终止时间 (UTC)"),
    ("outcome", "结果"),
    ("detail", "详情"),
];

/// Download the file of an intelligent kill by the link of the history. It needs no credentials: the link is one.
#[utoipa::path(
    get,
    path = "/clew/v1/intelligent-kills/{task_id}",
    operation_id = "DownloadIntelligentKill",
    tag = "sessions",
    security(()),
    params(
        ("task_id" = String, Path, description = "The intelligent kill"),
        ("expires" = i64, Query, description = "As the link has it"),
        ("signature" = String, Query, description = "As the link has it"),
        ("X-Language" = Option<String>, Header, description = "Language of the header row: en-us or zh-cn")
    ),
    responses(
        (status = 200, description = "The whole CSV", body = str, content_type = "text/csv; charset=utf-8; header=present"),
        (status = 206, description = "The asked range of it", body = str, content_type = "text/csv; charset=utf-8; header=present"),
        (status = 304, description = "It is what If-None-Match names"),
        (status = 400, description = "The intelligent kill is no longer kept", body = ErrorBody),
        (status = 403, description = "The link is not whole, or its time is over", body = ErrorBody),
        (status = 416, description = "The range is not in the CSV", body = ErrorBody)
    )
)]
pub(crate) async fn download(
    State(service): State<Service>,
    Extension(language): Extension<Language>,
    Extension(trail): Extension<Trail>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id = link::check(&service.store, &id, &Query::parse(query.as_deref())?)?;
    let kill = service.store.intelligent_kill(id).await?.filter(|kill| kill.ended_at.is_some());
    let kill = kill.ok_or_else(|| Refusal::new(ErrorEntry::UNKNOWN_TASK))?;
    if let clew_model::Actor::User { domain_id, .. } = &kill.asked.by.actor {
        trail.is_about(domain_id);
    }
    let (file, file_bytes, hash) = file(&service, &kill).await?;
    let download = Download {
        header: header_row(language),
        stored: StoredResult::File(file),
        stored_bytes: file_bytes,
        tag: format!("{hash}-{}", language.tag()),
        file_name: format!("intelligent_kill_{id}.csv"),
    };
    download.answer(&method, &headers)
}

fn header_row(language: Language) -> Vec<u8> {
    let names = COLUMNS.iter().map(|(english, chinese)| match language {
        Language::EnUs => *english,
        Language::ZhCn => *chinese,
    });
    csv::header_of(language, names)
}

/// The rows in a file that is gone with its handle, how many bytes they are, and their hash.
async fn file(service: &Service, kill: &IntelligentKill) -> Result<(File, u64, String), Refusal> {
    let failed = |error: std::io::Error| Refusal::internal(&error);
    let filter = KillFilter {
        source: Some(KillSource::Intelligent),
        task_id: Some(kill.id.to_string()),
        ..KillFilter::of_instance(kill.asked.instance_id.clone())
    };
    let guard = service.intelligent_kills.formula_guard();
    let (mut file, mut hasher, mut bytes) = (tempfile::tempfile().map_err(failed)?, Sha256::new(), 0);
    let mut page = Page { offset: 0, limit: ROWS };
    loop {
        let (killed, total) = service.store.killed_sessions(&filter, page).await?;
        let mut rows = Vec::new();
        for session in &killed {
            encode(&mut rows, session, guard);
        }
        hasher.update(&rows);
        bytes += rows.len() as u64;
        let writing = tokio::task::spawn_blocking(move || file.write_all(&rows).map(|()| file)).await;
        file = writing.map_err(|error| Refusal::internal(&error))?.map_err(failed)?;
        page.offset = page.offset.saturating_add(ROWS);
        if u64::from(page.offset) >= total || killed.is_empty() {
            return Ok((file, bytes, hex::encode(hasher.finalize())));
        }
    }
}

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Empty, |text| Cell::Text(text.as_bytes()))
}

fn encode(out: &mut Vec<u8>, session: &KilledSession, formula_guard: bool) {
    let asked_at = Timestamp::from_millisecond(session.asked_at).map(|moment| moment.to_string()).unwrap_or_default();
    let cells = [
        Cell::Number(session.session_id),
        Cell::Text(session.user.as_bytes()),
        Cell::Text(session.host.as_bytes()),
        text(session.database.as_deref()),
        text(session.state.as_deref()),
        Cell::Text(session.command.as_bytes()),
        text(session.template.as_deref()),
        Cell::Number(session.seconds),
        Cell::Text(asked_at.as_bytes()),
        Cell::Text(session.outcome.unwrap_or(KillEnd::Unknown).name().as_bytes()),
        text(session.detail.as_deref()),
    ];
    csv::encode_cells(out, cells.into_iter().map(|cell| (cell, formula_guard)));
}
