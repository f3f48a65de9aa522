//! Audit rows of requests: actor, peer, operation, node, outcome and request id.

use std::time::Duration;

use clew_model::{Actor, AuditOutcome};
use clew_store::{AuditFilter, AuditRecord};
use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::answer::Answer;
use crate::server::{DOMAIN, Server, test_origin};

const PASSWORD: &str = "correct horse battery";

async fn sign_in(server: &Server, user: &str, password: &str) -> Answer {
    let user = json!({ "name": user, "password": password, "domain": { "name": DOMAIN } });
    let body = json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": user } } } });
    server.call(Method::POST, "/v3/auth/tokens").anonymous().body(body.to_string()).send().await
}

/// Returns the only row of an operation. Checks the fields that all rows of requests have.
async fn single_row(server: &Server, operation: &str, answer: &Answer) -> AuditRecord {
    let mut rows = server.audit_of(operation).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = rows.remove(0);
    assert_eq!(row.event.origin.peer, Some([127, 0, 0, 1].into()));
    assert_eq!(row.event.origin.request_id, answer.header("x-request-id"));
    row
}

#[tokio::test]
async fn collection_and_download_are_recorded() {
    let server = Server::start().await;
    let requested = json!({ "filter": "slow", "user": "web", "sql_key": "card = '4111-1111' and pin=1234" });
    let collected = server.call(Method::POST, &server.sessions("")).body(requested.to_string()).send().await;
    let id = collected.expect_status(202)["request_id"].clone();
    let row = single_row(&server, "CollectRealtimeSession", &collected).await.event;
    let tenant = &server.tenant;
    assert_eq!((row.outcome, row.code), (AuditOutcome::Succeeded, None));
    assert_eq!(row.domain_id.as_ref(), Some(&tenant.domain_id));
    assert_eq!(
        (row.project_id.as_ref(), row.instance_id.as_ref()),
        (Some(&tenant.project_id), Some(&server.instance.id))
    );
    assert_eq!((row.node_id, row.target), (Some(server.node()), server.node().to_string()));
    let actor = Actor::User { id: tenant.user_id.clone(), name: "ada".into(), domain_id: tenant.domain_id.clone() };
    assert_eq!(row.origin.actor, actor);
    let requested = json!({ "filter": "slow", "user": "web", "sql_key": "***" });
    assert_eq!(row.detail, json!({ "asked": requested, "collection": id, "masked": false }));

    let server = Server::start().await;
    let id = server.add_finished(b"a\r\n").await;
    let downloaded = server.get(&server.result_of(&id)).await;
    assert_eq!(downloaded.status, 200);
    let row = single_row(&server, "DownloadRealtimeSession", &downloaded).await.event;
    assert_eq!((row.outcome, row.node_id), (AuditOutcome::Succeeded, Some(server.node())));
    assert_eq!(row.detail, json!({ "collection": id, "masked": false }));
}

#[tokio::test]
async fn percent_encoded_ids_are_recorded_decoded() {
    let server = Server::start().await;
    let node = server.node().to_string();
    let encoded = node.replace('0', "%30").replace('a', "%61").replace("no07", "%6eo%307");
    let answer = server.call(Method::POST, &server.sessions("").replace(&node, &encoded)).send().await;
    answer.expect_status(202);
    let row = single_row(&server, "CollectRealtimeSession", &answer).await.event;
    assert_eq!((row.node_id, row.target), (Some(server.node()), node));
}

#[tokio::test]
async fn authorized_but_invalid_request_is_recorded_as_failed() {
    let server = Server::start().await;
    let answer = server.call(Method::POST, &server.sessions("")).body(r#"{"filter":"fast"}"#).send().await;
    answer.expect_error(400, "DBS.280001");
    let row = single_row(&server, "CollectRealtimeSession", &answer).await.event;
    assert_eq!((row.outcome, row.code.as_deref()), (AuditOutcome::Failed, Some("DBS.280001")));
}

#[tokio::test]
async fn denials_of_all_operations_are_recorded() {
    let server = Server::start().await;
    let grace = server.user("grace").await;
    let token = server.project_token(&grace).await;
    let path = format!("/v3/{}/instances/{}", server.tenant.project_id, server.instance.id);
    let answer = server.call(Method::GET, &path).token(&token).send().await;
    answer.expect_error(403, "DBS.280015");
    let row = single_row(&server, "ShowGaussMySqlInstanceInfo", &answer).await.event;
    assert_eq!((row.outcome, row.code.as_deref()), (AuditOutcome::Denied, Some("DBS.280015")));
    assert_eq!((row.origin.actor.name(), row.instance_id), ("grace", Some(server.instance.id.clone())));

    let over = server.token_of(&grace, None, -1).await;
    let answer = server.call(Method::GET, "/v3/projects").token(&over).send().await;
    let row = single_row(&server, "ListProjects", &answer).await.event;
    assert_eq!(
        (row.origin.actor, row.code.as_deref()),
        (Actor::Anonymous { claimed: "grace".into() }, Some("APIGW.0307"))
    );
    assert_eq!(row.domain_id.as_ref(), Some(&server.tenant.domain_id));

    let mut call = server.sign(server.call(Method::GET, "/v5/caller-identity"));
    call.url.set_query(Some("a=b"));
    let answer = call.send().await;
    let row = single_row(&server, "ShowCallerIdentity", &answer).await.event;
    let claimed = Actor::Anonymous { claimed: server.access_key.to_string() };
    assert_eq!((row.origin.actor, row.outcome), (claimed, AuditOutcome::Denied));

    let answer = server.call(Method::GET, "/v3/auth/domains").anonymous().send().await;
    let row = single_row(&server, "ListAuthDomains", &answer).await.event;
    assert_eq!((row.origin.actor, row.domain_id), (Actor::Anonymous { claimed: String::new() }, None));
}

#[tokio::test]
async fn successful_reads_are_not_recorded() {
    let server = Server::start().await;
    let before = server.store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 1000).await.unwrap().len();
    server.get(&format!("/v3/{}/instances", server.tenant.project_id)).await.expect_status(200);
    server.get("/v3/projects").await.expect_status(200);
    server.get(&server.sessions("-task?request_id=x")).await.expect_error(400, "DBS.280001");
    server.get("/no/such").await.expect_error(404, "APIGW.0101");
    assert_eq!(
        server.store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 1000).await.unwrap().len(),
        before
    );
}

#[tokio::test]
async fn successful_and_failed_sign_ins_are_recorded() {
    let mut server = Server::start().await;
    let user = server.user("grace").await;
    let hash = clew_iam::password::hash_password(&PASSWORD.into()).unwrap();
    let change = clew_store::UserChange { password_hash: Some(hash), ..Default::default() };
    server.store.identities().update_user(&test_origin(), &user, &change).await.unwrap();
    sign_in(&server, "grace", PASSWORD).await.expect_status(201);
    sign_in(&server, "grace", "wrong guess").await.expect_error(401, "IAM.0001");
    sign_in(&server, "typed-password", "grace").await.expect_error(401, "IAM.0001");
    sign_in(&server, "", "").await.expect_error(401, "IAM.0001");
    let rows: Vec<_> = server.audit_of("CreateToken").await.into_iter().map(|row| row.event).collect();
    let summary: Vec<_> = rows
        .iter()
        .map(|row| (row.outcome, row.code.as_deref(), row.origin.actor.kind(), row.origin.actor.name()))
        .collect();
    assert_eq!(
        summary,
        [
            (AuditOutcome::Succeeded, None, "user", "grace"),
            (AuditOutcome::Denied, Some("IAM.0001"), "anonymous", "grace"),
            // The second sign-in with an unknown name is only counted.
            (AuditOutcome::Denied, Some("IAM.0001"), "anonymous", ""),
        ]
    );
    assert!(rows.iter().all(|row| row.domain_id.as_ref() == Some(&server.tenant.domain_id)));
    assert_eq!((&rows[0].target, &rows[0].detail), (&"grace".to_owned(), &json!({ "scope": "domain" })));
    let token = server.token().to_owned();
    server.shutdown.cancel();
    (&mut server.serving).await.unwrap().unwrap();
    let rows = server.store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 1000).await.unwrap();
    let last = &rows.last().unwrap().event;
    assert_eq!((last.operation.as_str(), &last.detail["repeated"]), ("CreateToken", &json!(1)), "{last:?}");
    let recorded_text = format!("{rows:?}");
    for secret in [PASSWORD, "wrong guess", "typed-password", &token] {
        assert!(!recorded_text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn token_revocation_and_temporary_key_are_recorded_once() {
    let server = Server::start().await;
    let token = server.project_token(&server.tenant.user_id).await;
    let call = server.call(Method::DELETE, "/v3/auth/tokens").header("x-subject-token", &token);
    let answer = call.send().await;
    assert_eq!(answer.status, 204);
    assert_eq!(single_row(&server, "RevokeToken", &answer).await.event.outcome, AuditOutcome::Succeeded);
    let call = server.call(Method::POST, "/v3.0/OS-CREDENTIAL/securitytokens");
    let answer = call.body(r#"{"auth":{"identity":{"methods":["token"]}}}"#).send().await;
    let credential = answer.expect_status(201)["credential"].clone();
    let row = single_row(&server, "CreateTemporaryAccessKey", &answer).await.event;
    assert_eq!(
        (row.outcome, &row.target),
        (AuditOutcome::Succeeded, &credential["access"].as_str().unwrap().to_owned())
    );
    let recorded_text = format!(
        "{:?}",
        server.store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 1000).await.unwrap()
    );
    for secret in [&credential["secret"], &credential["securitytoken"], &Value::from(token)] {
        assert!(!recorded_text.contains(secret.as_str().unwrap()));
    }
}

/// A client cannot avoid the audit by closing the connection right after the request.
#[tokio::test]
async fn request_of_a_disconnected_client_is_recorded() {
    let server = Server::start_with(|_, tasks| tasks.max_queued_per_node = 1000).await;
    let first_line = format!("POST {}", server.sessions(""));
    let request = server.raw(&first_line, "content-length: 0\r\n\r\n");
    for attempt in 0..60 {
        let mut socket = server.connect().await;
        // Resets the connection, each time at a different point of the request's processing.
        socket.set_zero_linger().unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        sleep(Duration::from_micros(250 * attempt)).await;
    }
    let counts = async || {
        let tasks: u64 =
            server.store.tasks().count_tasks_by_status().await.unwrap().iter().map(|(_, count)| *count).sum();
        (tasks, server.audit_of("CollectRealtimeSession").await.len() as u64)
    };
    let mut last = (0, u64::MAX);
    loop {
        let now = counts().await;
        if now == last {
            break;
        }
        last = now;
        sleep(Duration::from_millis(300)).await;
    }
    assert!(last.0 > 0 && last.0 == last.1, "{} were queued, {} are kept", last.0, last.1);
}

#[tokio::test]
async fn thousand_denied_requests_of_a_user_are_two_rows() {
    let mut server = Server::start_with(|settings, _| settings.refusal_count_window = Duration::from_hours(1)).await;
    let token = server.project_token(&server.user("grace").await).await;
    let path = format!("/v3/{}/instances/{}", server.tenant.project_id, server.instance.id);
    for _ in 0..1000 {
        server.call(Method::GET, &path).token(&token).send().await.expect_error(403, "DBS.280015");
    }
    let first = server.audit_of("ShowGaussMySqlInstanceInfo").await;
    assert_eq!(first.len(), 1, "the first refusal is recorded before its response");
    assert_eq!(server.stop_and_count("ShowGaussMySqlInstanceInfo").await, (2, 1000));
}

/// Failed requests without changes are as easy to repeat as denied ones.
#[tokio::test]
async fn thousand_failed_requests_of_a_user_are_two_rows() {
    let mut server = Server::start_with(|settings, _| settings.refusal_count_window = Duration::from_hours(1)).await;
    let unknown = server.result_of(&clew_model::RequestId::generate());
    for _ in 0..1000 {
        server.get(&unknown).await.expect_error(400, "DBS.200543");
    }
    assert_eq!(server.stop_and_count("DownloadRealtimeSession").await, (2, 1000));
}

#[tokio::test]
async fn repeated_refusals_are_recorded_when_their_window_ends() {
    let server = Server::start_with(|settings, _| settings.refusal_count_window = Duration::from_secs(1)).await;
    let recorded = async {
        loop {
            server.call(Method::GET, "/v3/projects").anonymous().send().await.expect_error(401, "APIGW.0301");
            let rows = server.audit_of("ListProjects").await;
            if rows.iter().any(|row| row.event.detail["repeated"].as_u64() >= Some(1)) {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), recorded).await.expect("no row while the server runs");
}

#[tokio::test]
async fn hash_chain_of_recorded_rows_is_valid() {
    let server = Server::start().await;
    for _ in 0..5 {
        server.call(Method::POST, &server.sessions("")).send().await.expect_status(202);
        server.call(Method::GET, "/v3/projects").anonymous().send().await.expect_error(401, "APIGW.0301");
    }
    let report = server.store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(report.is_intact() && report.rows >= 8, "{report:?}");
}
