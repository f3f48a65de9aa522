//! Masking: users without permission to read statements get templates only.

use clew_model::RequestId;
use http::Method;
use serde_json::json;

use crate::server::Server;

struct Users {
    admin: String,
    /// May collect, but not read full statements.
    reader: String,
    /// May collect and read full statements.
    text_reader: String,
}

async fn create_users(server: &Server) -> Users {
    let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
    let text_reader = server.user_with_system("seer", "TaurusDBViewNoKillAccessPolicy").await;
    Users {
        admin: server.project_token(&server.tenant.user_id).await,
        reader: server.project_token(&reader).await,
        text_reader: server.project_token(&text_reader).await,
    }
}

async fn collect(server: &Server, token: &str) -> (RequestId, bool) {
    let answer = server.call(Method::POST, &server.sessions("")).token(token).send().await.expect_status(202);
    let id: RequestId = answer["request_id"].as_str().unwrap().parse().unwrap();
    let masked = server.store.tasks().find_task(&id).await.unwrap().unwrap().request.masked;
    (id, masked)
}

#[tokio::test]
async fn masking_of_a_collection_depends_on_the_caller() {
    let server = Server::start().await;
    let users = create_users(&server).await;
    for token in [&users.admin, &users.reader, &users.text_reader] {
        assert!(!collect(&server, token).await.1, "a project that does not mask");
    }
    server.mask(&server.tenant.project_id, true).await;
    assert!(!collect(&server, &users.admin).await.1);
    assert!(collect(&server, &users.reader).await.1);
    assert!(!collect(&server, &users.text_reader).await.1);
}

#[tokio::test]
async fn unmasked_result_requires_permission_to_read_statements() {
    let server = Server::start().await;
    let users = create_users(&server).await;
    let unmasked = server.add_finished(b"a\r\n").await;
    let get =
        async |id: &RequestId, token: &str| server.call(Method::GET, &server.result_of(id)).token(token).send().await;
    for token in [&users.admin, &users.reader, &users.text_reader] {
        assert_eq!(get(&unmasked, token).await.status, 200);
    }
    server.mask(&server.tenant.project_id, true).await;
    for token in [&users.admin, &users.text_reader] {
        assert_eq!(get(&unmasked, token).await.status, 200);
    }
    let message = get(&unmasked, &users.reader).await.expect_error(403, "DBS.280015");
    assert!(message.ends_with("start a new collection to get SQL templates."), "{message}");
    let ranged =
        server.call(Method::GET, &server.result_of(&unmasked)).token(&users.reader).header("range", "bytes=0-9");
    ranged.send().await.expect_error(403, "DBS.280015");
    let status =
        server.call(Method::GET, &server.status_of(&unmasked)).token(&users.reader).send().await.expect_status(200);
    assert_eq!(status, json!({ "status": "finished" }));
    server.mask(&server.tenant.project_id, false).await;
    assert_eq!(get(&unmasked, &users.reader).await.status, 200);
}

#[tokio::test]
async fn masked_result_requires_download_permission_only() {
    let server = Server::start().await;
    let users = create_users(&server).await;
    server.mask(&server.tenant.project_id, true).await;
    let masked = server.finished_masked(b"a\r\n").await;
    for token in [&users.admin, &users.reader, &users.text_reader] {
        let answer = server.call(Method::GET, &server.result_of(&masked)).token(token).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
