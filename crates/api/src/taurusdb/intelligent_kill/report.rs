//! Builds the report of an intelligent kill: a CSV file with the kill outcome of each selected session.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use clew_diagnose::csv;
use clew_model::{ApiErrorDefinition, Cell, Language, Pagination};
use clew_store::{
    IntelligentKill, IntelligentKillId, KillFilter, KillRecord, KillSource, RecordedKillOutcome, Store, StoredResult,
};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::audit::AuditContext;
use crate::download::StoredResultDownload;
use crate::error::ApiError;
use crate::error_responses::{InvalidLink, RangeNotSatisfiable, UnknownIntelligentKill};
use crate::query_string::QueryString;
use crate::{AppState, SharedState};

const REPORT_ROWS_PER_BATCH: u32 = 500;

const REPORT_COLUMN_NAMES: [(&str, &str); 11] = [
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

/// Download the report of an intelligent kill. The request needs no credentials, because the link is signed.
#[utoipa::path(get, path = "/clew/v1/intelligent-kills/{task_id}", operation_id = "DownloadIntelligentKill",
    tag = "sessions", security(()),
    params(
        ("task_id" = String, Path, description = "Id of the intelligent kill"),
        ("expires" = i64, Query, description = "Expiry time from the download link"),
        ("signature" = String, Query, description = "Signature from the download link"),
        ("X-Language" = Option<String>, Header, description = "Language of the header row: en-us or zh-cn")
    ),
    responses(
        (status = 200, description = "The complete CSV", body = str, content_type = "text/csv; charset=utf-8; header=present"),
        (status = 206, description = "The requested range", body = str, content_type = "text/csv; charset=utf-8; header=present"),
        (status = 304, description = "The ETag matches If-None-Match"),
        UnknownIntelligentKill, InvalidLink, RangeNotSatisfiable
    ))]
pub(crate) async fn download_report(
    State(service): State<SharedState>,
    Extension(language): Extension<Language>,
    Extension(audit_context): Extension<AuditContext>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = verify_report_link(&service.store, &id, &QueryString::parse(query.as_deref())?)?;
    let kill = service.store.kills().find_intelligent_kill(id).await?.filter(|kill| kill.ended_at.is_some());
    let kill = kill.ok_or_else(|| ApiError::new(ApiErrorDefinition::UNKNOWN_TASK))?;
    if let clew_model::Actor::User { domain_id, .. } = &kill.request.by.actor {
        audit_context.set_domain_id(domain_id);
    }
    let (file, file_bytes, hash) = write_report_file(&service, &kill).await?;
    let download = StoredResultDownload {
        header: build_header_row(language),
        stored: StoredResult::File(file),
        stored_bytes: file_bytes,
        etag: format!("{hash}-{}", language.name()),
        file_name: format!("intelligent_kill_{id}.csv"),
    };
    download.build_response(&method, &headers)
}

fn build_header_row(language: Language) -> Vec<u8> {
    let names = REPORT_COLUMN_NAMES.iter().map(|(english, chinese)| match language {
        Language::EnUs => *english,
        Language::ZhCn => *chinese,
    });
    csv::encode_header_row_from_names(language, names)
}

/// Returns the file, its size in bytes and its SHA-256 hash.
async fn write_report_file(service: &AppState, kill: &IntelligentKill) -> Result<(File, u64, String), ApiError> {
    let filter = KillFilter {
        source: Some(KillSource::Intelligent),
        task_id: Some(kill.id.to_string()),
        ..KillFilter::for_instance(kill.request.instance_id.clone())
    };
    let guard = service.intelligent_kills.is_csv_formula_escaping_enabled();
    let (mut file, mut hasher, mut bytes) = (tempfile::tempfile().map_err(ApiError::internal_error)?, Sha256::new(), 0);
    let mut page = Pagination { offset: 0, limit: REPORT_ROWS_PER_BATCH };
    loop {
        let (killed, total) = service.store.kills().list_kills(&filter, page).await?;
        let mut rows = Vec::new();
        for session in &killed {
            encode_report_row(&mut rows, session, guard);
        }
        hasher.update(&rows);
        bytes += rows.len() as u64;
        let writing = tokio::task::spawn_blocking(move || file.write_all(&rows).map(|()| file)).await;
        file = writing.map_err(ApiError::internal_error)?.map_err(ApiError::internal_error)?;
        page.offset = page.offset.saturating_add(REPORT_ROWS_PER_BATCH);
        if u64::from(page.offset) >= total || killed.is_empty() {
            return Ok((file, bytes, hex::encode(hasher.finalize())));
        }
    }
}

fn csv_cell_from_optional_text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Empty, |text| Cell::Text(text.as_bytes()))
}

fn encode_report_row(out: &mut Vec<u8>, session: &KillRecord, formula_guard: bool) {
    let kill_time = Timestamp::from_millisecond(session.requested_at).map(|time| time.to_string()).unwrap_or_default();
    let cells = [
        Cell::Number(session.request.session_id),
        Cell::Text(session.request.user.as_bytes()),
        Cell::Text(session.request.host.as_bytes()),
        csv_cell_from_optional_text(session.request.database.as_deref()),
        csv_cell_from_optional_text(session.request.state.as_deref()),
        Cell::Text(session.request.command.as_bytes()),
        csv_cell_from_optional_text(session.request.template.as_deref()),
        Cell::Number(session.request.seconds),
        Cell::Text(kill_time.as_bytes()),
        Cell::Text(session.outcome.unwrap_or(RecordedKillOutcome::Unknown).name().as_bytes()),
        csv_cell_from_optional_text(session.detail.as_deref()),
    ];
    csv::encode_row_from_cells(out, cells.into_iter().map(|cell| (cell, formula_guard)));
}

const MAX_REPORT_LINK_LIFETIME: Duration = Duration::from_hours(1);

/// The download link requires no credentials.
/// The link expires no later than the caller's credentials.
pub(super) fn create_report_link(
    store: &Store,
    server_url: &str,
    id: IntelligentKillId,
    credentials_expire_at: Option<i64>,
) -> String {
    let expires = store.compute_link_expiry(MAX_REPORT_LINK_LIFETIME).min(credentials_expire_at.unwrap_or(i64::MAX));
    let signature = store.sign_link(&build_string_to_sign(id), expires);
    format!("{server_url}/clew/v1/intelligent-kills/{id}?expires={expires}&signature={signature}")
}

fn verify_report_link(store: &Store, id: &str, query: &QueryString) -> Result<IntelligentKillId, ApiError> {
    let invalid = || ApiError::with_detail(ApiErrorDefinition::FOREIGN_PROJECT, "link-wrong", []);
    let id: IntelligentKillId = id.parse().map_err(|_| invalid())?;
    let (Some(expires), Some(signature)) = (query.get("expires"), query.get("signature")) else {
        return Err(invalid());
    };
    let expires_at: i64 = expires.parse().map_err(|_| invalid())?;
    let expected = store.sign_link(&build_string_to_sign(id), expires_at);
    // The expiry must be in canonical decimal format, without a sign or leading zeros.
    if expires_at.to_string() != expires || !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        return Err(invalid());
    }
    if store.is_link_expired(expires_at) {
        return Err(ApiError::with_detail(ApiErrorDefinition::FOREIGN_PROJECT, "link-expired", []));
    }
    Ok(id)
}

fn build_string_to_sign(id: IntelligentKillId) -> String {
    format!("intelligent-kill {id}")
}
