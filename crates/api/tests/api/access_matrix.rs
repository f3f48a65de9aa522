//! Access matrix: the expected response of every route for every kind of caller.
//!
//! The tests fail for a route without a row and for a row without a route.

mod fixtures;

use std::collections::BTreeMap;

use clew_model::{ProjectId, RequestId, UserId};
use clew_testkit::{FakeServer, FakeServerOptions, Fault};
use http::Method;
use serde_json::{Value, json};

use crate::call::Call;
use crate::server::{REGION, Server, new_instance, test_origin};

/// Expected responses: a status or an error code. The error catalog defines the status of a code.
///
/// | column | caller |
/// |---|---|
/// | anonymous | without credentials |
/// | expired, revoked | the administrator, with an expired or revoked token |
/// | domain | the administrator of another domain |
/// | project | the administrator, with a token of another project |
/// | nothing | a user without policies |
/// | reader | a user with TaurusDBReadOnlyAccessPolicy |
/// | tagged | a user with full access to instances with this instance's tag |
/// | denied | a user with full access except for this instance's enterprise project |
/// | admin | the administrator |
const TABLE: &str = "
operation                             anonymous  expired    revoked    domain     project    nothing    reader     tagged     denied     admin
CollectRealtimeSession                APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 202        202        DBS.280015 202
ShowRealtimeSessionTaskStatus         APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
DownloadRealtimeSession               APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ListTaurusDbNodeProcesses             APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
DeleteTaurusDbNodeProcesses           APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 200        DBS.280015 200
ShowIntelligentKillSessionStatistic   APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ExecuteIntelligentKillSession         APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 200        DBS.280015 200
ListIntelligentKillSessionHistory     APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
DownloadIntelligentKill               200        200        200        200        200        200        200        200        200        200
ShowLockWaitSession                   APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowTaurusDbTxnProgress               APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ListGaussMySqlInstances               APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        200        200
ListGaussMySqlInstancesUnifyStatus    APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        200        200
ShowGaussMySqlInstanceInfo            APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowGaussMySqlInstanceInfoUnifyStatus APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowKillProcessStatus                 APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowKillProcessTask                   APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowKillProcessTaskPreview            APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowKillProcessHistory                APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
UpdateAutoKillProcessStatus           APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 DBS.280015 200        200
AddKillProcessTask                    APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 DBS.280015 200        200
StopKillProcessTask                   APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 DBS.280015 200        200
ShowTaurusDbSlowProcessThreshold      APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
BatchUpdateTaurusSlowProcessThreshold APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 DBS.280015 200        200
ListInstanceTags                      APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ListProjectTags                       APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        200        200
BatchTagAction                        APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 200        DBS.280015 200
WatchSessions                         APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowSession                           APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ExplainSession                        APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowLocks                             APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ListKills                             APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
ShowPermissions                       APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        200        200
ListCollections                       APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 200        200        DBS.280015 200
KillSessions                          APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 200        DBS.280015 200
DeleteRealtimeSession                 APIGW.0301 APIGW.0307 APIGW.0307 DBS.280015 DBS.280015 DBS.280015 DBS.280015 DBS.200543 DBS.280015 DBS.200543
CreateToken                           201        201        201        201        201        201        201        201        201        201
ShowToken                             APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   200        IAM.0004   IAM.0004   IAM.0004   IAM.0004   200
RevokeToken                           APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   204        IAM.0004   IAM.0004   IAM.0004   IAM.0004   204
CreateConsoleSession                  201        201        201        201        201        201        201        201        201        201
ShowConsoleSession                    APIGW.0301 APIGW.0307 APIGW.0307 200        200        200        200        200        200        200
EndConsoleSession                     APIGW.0301 APIGW.0307 APIGW.0307 204        204        204        204        204        204        204
ChooseConsoleProject                  APIGW.0301 APIGW.0307 APIGW.0307 200        200        200        200        200        200        200
CreateTemporaryAccessKey              APIGW.0301 APIGW.0307 APIGW.0307 201        201        201        201        201        201        201
ListProjects                          APIGW.0301 APIGW.0307 APIGW.0307 200        200        200        200        200        200        200
ListAuthProjects                      APIGW.0301 APIGW.0307 APIGW.0307 200        200        200        200        200        200        200
ListAuthDomains                       APIGW.0301 APIGW.0307 APIGW.0307 200        200        200        200        200        200        200
ShowCallerIdentity                    APIGW.0301 APIGW.0307 APIGW.0307 200        200        200        200        200        200        200
ListAdministeredProjects              APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
CreateProject                         APIGW.0301 APIGW.0307 APIGW.0307 201        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   201
UpdateProject                         APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
ListEnterpriseProjects                APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
CreateEnterpriseProject               APIGW.0301 APIGW.0307 APIGW.0307 201        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   201
UpdateEnterpriseProject               APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
ListUsers                             APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
CreateUser                            APIGW.0301 APIGW.0307 APIGW.0307 201        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   201
ShowUser                              APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
UpdateUser                            APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
DeleteUser                            APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   204
ChangePassword                        APIGW.0301 APIGW.0307 APIGW.0307 IAM.0002   IAM.0002   IAM.0002   IAM.0002   IAM.0002   IAM.0002   IAM.0002
ListAccessKeys                        APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
CreateAccessKey                       APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   201
UpdateAccessKey                       APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
DeleteAccessKey                       APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   204
ListGroups                            APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
CreateGroup                           APIGW.0301 APIGW.0307 APIGW.0307 201        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   201
ShowGroup                             APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
DeleteGroup                           APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   204
AddUserToGroup                        APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   204
RemoveUserFromGroup                   APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   204
ListPolicies                          APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
ValidatePolicy                        APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
SimulatePolicy                        APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
ShowPolicy                            APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
PutPolicy                             APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
DeletePolicy                          APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   204
ListPolicyAttachments                 APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
AttachPolicy                          APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   204
DetachPolicy                          APIGW.0301 APIGW.0307 APIGW.0307 IAM.0004   IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   204
ListAudit                             APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
ExportAudit                           APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
VerifyAudit                           APIGW.0301 APIGW.0307 APIGW.0307 200        IAM.0002   IAM.0003   IAM.0003   IAM.0003   IAM.0003   200
CheckAlive                            200        200        200        200        200        200        200        200        200        200
CheckReady                            200        200        200        200        200        200        200        200        200        200
ShowMetrics                           200        200        200        200        200        200        200        200        200        200
ShowDescription                       200        200        200        200        200        200        200        200        200        200
";

/// Callers of the columns.
struct Callers {
    /// Tokens by column: for routes of a project, and for all other routes.
    tokens: BTreeMap<&'static str, (String, String)>,
    /// Users of the valid tokens.
    users: BTreeMap<&'static str, UserId>,
    administrator: UserId,
    other: UserId,
    /// A finished collection of the server's first node.
    collection: RequestId,
}

impl Callers {
    async fn of(server: &Server) -> Self {
        let all = json!({ "Effect": "Allow", "Action": ["gaussdbformysql:*:*"] });
        let tagged = json!([{
            "Effect": "Allow", "Action": ["gaussdbformysql:*:*"],
            "Condition": { "StringEquals": { "g:ResourceTag/team": ["shop"] } }
        }]);
        let denied = json!([all, {
            "Effect": "Deny", "Action": ["*"], "Condition": { "StringEquals": { "g:EnterpriseProjectId": ["0"] } }
        }]);
        let administrator = server.tenant.user_id.clone();
        let rival = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
        let theirs = server.store.tenants().create_project(&test_origin(), &rival, "theirs", "").await.unwrap();
        let foreign_admin = server.user_of(&rival, "eve", true).await;
        let sibling = server
            .store
            .tenants()
            .create_project(&test_origin(), &server.tenant.domain_id, "south-1", "")
            .await
            .unwrap();
        let nothing = server.user("nothing").await;
        let reader = server.user_with_system("reader", "TaurusDBReadOnlyAccessPolicy").await;
        let tagged = server.user_with("tagged", tagged).await;
        let denied = server.user_with("denied", denied).await;
        let other = server.user("other").await;
        let own = &server.tenant.project_id;
        let both = async |user: &UserId, project: &ProjectId, seconds: i64| {
            (
                server.token_of(user, Some(project), seconds).await,
                server.token_from(clew_store::TokenOrigin::Console, user, None, seconds).await,
            )
        };
        let revoked = both(&administrator, own, 3600).await;
        for token in [&revoked.0, &revoked.1] {
            assert!(
                server
                    .store
                    .identities()
                    .revoke_token(&test_origin(), &clew_iam::token::hash_token(token))
                    .await
                    .unwrap()
            );
        }
        let south = server.token_of(&administrator, Some(&sibling), 3600).await;
        let tokens = BTreeMap::from([
            ("expired", both(&administrator, own, -60).await),
            ("revoked", revoked),
            ("domain", both(&foreign_admin, &theirs, 3600).await),
            ("project", (south.clone(), south)),
            ("nothing", both(&nothing, own, 3600).await),
            ("reader", both(&reader, own, 3600).await),
            ("tagged", both(&tagged, own, 3600).await),
            ("denied", both(&denied, own, 3600).await),
            ("admin", both(&administrator, own, 3600).await),
        ]);
        let users = BTreeMap::from([
            ("domain", foreign_admin),
            ("project", administrator.clone()),
            ("nothing", nothing),
            ("reader", reader),
            ("tagged", tagged),
            ("denied", denied),
            ("admin", administrator.clone()),
        ]);
        Self { tokens, users, administrator, other, collection: server.add_finished(b"a\r\n").await }
    }

    /// Sends a call with a new token, because the operation revokes it.
    async fn with_new_token(&self, server: &Server, column: &str, call: Call) -> Call {
        match self.users.get(column) {
            Some(user) => call.token(&server.console_token(user, None).await),
            None => self.with_token(column, call),
        }
    }

    fn with_token(&self, column: &str, call: Call) -> Call {
        let Some((project, domain)) = self.tokens.get(column) else { return call.anonymous() };
        // Routes of a project have its id of 32 letters and digits in the second or third path segment.
        let of_project = call.url.path().split('/').skip(2).take(2).any(|part| part.len() == 32 && !part.contains('-'));
        call.token(if of_project { project } else { domain })
    }
}

/// A request that the administrator may send, with the query and body of the operation.
async fn request(server: &Server, callers: &Callers, operation: &str, method: Method, path: &str) -> Call {
    let mut path = path
        .replace("{project_id}", server.tenant.project_id.as_str())
        .replace("{instance_id}", server.instance.id.as_str())
        .replace("{node_id}", server.node().as_str())
        .replace("{session_id}", "1")
        .replace("{request_id}", RequestId::generate().as_str());
    if ["ShowRealtimeSessionTaskStatus", "DownloadRealtimeSession"].contains(&operation) {
        path = format!("{path}?request_id={}", callers.collection);
    }
    if ["ShowIntelligentKillSessionStatistic", "ListIntelligentKillSessionHistory"].contains(&operation) {
        path = format!("{path}?node_id={}&start_time=0&end_time=1", server.node());
    }
    if operation == "DownloadIntelligentKill" {
        path = server.intelligent_kill_link().await;
    }
    if operation == "ShowLockWaitSession" {
        path.push_str("?pid=1");
    }
    if operation == "ShowKillProcessTaskPreview" {
        path.push_str("?time=1");
    }
    let (path, body) = fixtures::create_fixtures(server, operation, &path).await;
    let call = server.call(method, &path);
    match operation {
        "ShowToken" | "RevokeToken" => {
            call.header("x-subject-token", &server.project_token(&callers.administrator).await)
        }
        "CreateConsoleSession" => {
            sign_in(server, &callers.other).await;
            let domain = crate::server::DOMAIN;
            call.body(json!({ "domain": domain, "user": "other", "password": "correct horse" }).to_string())
        }
        "ChooseConsoleProject" => call.body(r#"{"project_id":null}"#),
        "CreateToken" => call.body(sign_in(server, &callers.other).await.to_string()),
        "CreateTemporaryAccessKey" => call.body(r#"{"auth":{"identity":{"methods":["token"]}}}"#),
        _ => call.body(body.map_or_else(String::new, |body| body.to_string())),
    }
}

async fn sign_in(server: &Server, user: &UserId) -> Value {
    let hash = clew_iam::password::hash_password(&"correct horse".into()).unwrap();
    let change = clew_store::UserChange { password_hash: Some(hash), ..Default::default() };
    assert!(server.store.identities().update_user(&test_origin(), user, &change).await.unwrap());
    json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": { "id": user, "password": "correct horse" } } },
        "scope": { "project": { "name": REGION } }
    } })
}

/// Parses the table: the columns, and the expected responses of each operation.
fn parse_table() -> (Vec<&'static str>, BTreeMap<&'static str, Vec<&'static str>>) {
    let mut lines = TABLE.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let columns = lines.next().unwrap()[1..].to_vec();
    let rows: BTreeMap<_, _> = lines.map(|cells| (cells[0], cells[1..].to_vec())).collect();
    assert!(rows.values().all(|cells| cells.len() == columns.len()));
    (columns, rows)
}

/// Operation, method and path of every route.
fn list_routes() -> Vec<(String, Method, String)> {
    let description: Value = serde_json::from_str(&clew_api::build_openapi_json()).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            routes.push((name, method.to_ascii_uppercase().parse().unwrap(), path.clone()));
        }
    }
    routes
}

#[test]
fn every_route_has_a_row() {
    let mut names: Vec<String> = list_routes().into_iter().map(|(name, ..)| name).collect();
    names.sort();
    assert_eq!(names, parse_table().1.into_keys().collect::<Vec<_>>());
}

#[tokio::test]
async fn responses_match_the_table() {
    let (columns, rows) = parse_table();
    let mut wrong = Vec::new();
    let mut server = Server::start().await;
    let node = FakeServer::start(FakeServerOptions { sessions: 1, transactions: 0, fault: Fault::None }).await.unwrap();
    server.set_node_url(&node.url()).await;
    let callers = Callers::of(&server).await;
    for (operation, method, path) in list_routes() {
        let Some(cells) = rows.get(operation.as_str()) else { continue };
        for (column, expected) in columns.iter().zip(cells) {
            let call = request(&server, &callers, &operation, method.clone(), &path).await;
            let call = match operation.as_str() {
                "EndConsoleSession" | "ChooseConsoleProject" => callers.with_new_token(&server, column, call).await,
                _ => callers.with_token(column, call),
            };
            let answer = call.send().await;
            let got = if answer.status.is_success() { answer.status.as_str().to_owned() } else { answer.code() };
            if got != *expected {
                wrong.push(format!("{operation} {column}: {expected} was expected, but got {got}: {}", answer.text()));
            }
            let entry = clew_model::API_ERRORS.iter().find(|entry| entry.code == got && entry.status == answer.status);
            assert!(answer.status.is_success() || entry.is_some(), "{operation} {column}: {}", answer.text());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Non-read operations that tokens may perform.
///
/// The operations create no permanent objects, or their permanence is accepted: kills, collections, settings of an
/// instance, and sessions, tokens and keys with an expiry.
const NOT_LASTING: &[&str] = &[
    "CollectRealtimeSession",
    "DeleteTaurusDbNodeProcesses",
    "ExecuteIntelligentKillSession",
    "UpdateAutoKillProcessStatus",
    "AddKillProcessTask",
    "StopKillProcessTask",
    "BatchUpdateTaurusSlowProcessThreshold",
    "BatchTagAction",
    "ExplainSession",
    "KillSessions",
    "DeleteRealtimeSession",
    "CreateToken",
    "RevokeToken",
    "CreateConsoleSession",
    "EndConsoleSession",
    "ChooseConsoleProject",
    "CreateTemporaryAccessKey",
    "ValidatePolicy",
    "SimulatePolicy",
    "ShowTaurusDbTxnProgress",
    // Requires the old password.
    "ChangePassword",
    // These operations revoke keys; enabling a key is rejected.
    "UpdateAccessKey",
    "DeleteAccessKey",
];

/// A new route with changes must reject tokens or be listed above.
#[tokio::test]
async fn no_route_lets_tokens_create_permanent_objects() {
    let mut server = Server::start().await;
    let node = FakeServer::start(FakeServerOptions { sessions: 1, transactions: 0, fault: Fault::None }).await.unwrap();
    server.set_node_url(&node.url()).await;
    let callers = Callers::of(&server).await;
    let (administrator, project) = (&callers.administrator, &server.tenant.project_id);
    let mut refused = Vec::new();
    for (operation, method, path) in list_routes() {
        if method == Method::GET {
            continue;
        }
        let scope = path.contains("/{project_id}/").then_some(project);
        let token = server.token_of(administrator, scope, 3600).await;
        let answer = request(&server, &callers, &operation, method, &path).await.token(&token).send().await;
        let is_refused = answer.text().contains("cannot create or change permanent objects");
        assert_eq!(is_refused, !NOT_LASTING.contains(&&*operation), "{operation}: {}", answer.text());
        if is_refused {
            refused.push(operation);
        }
    }
    assert!(refused.len() > 10, "{refused:?}");
}

#[tokio::test]
async fn lists_contain_and_count_visible_objects_only() {
    let server = Server::start().await;
    let callers = Callers::of(&server).await;
    for number in 0..120 {
        let mut new = new_instance(&server.tenant.project_id, &format!("n{number:03}"));
        new.tags[0].value = if number % 2 == 0 { "shop".into() } else { "other".into() };
        server.store.instances().add_instance(&test_origin(), new).await.unwrap();
    }
    let list = async |column: &str, query: &str| {
        let call = server.call(Method::GET, &format!("/v3/{}/instances{query}", server.tenant.project_id));
        let body = callers.with_token(column, call).send().await.expect_status(200);
        let names = body["instances"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), body["total_count"].as_u64().unwrap())
    };
    for (column, visible) in [("admin", 121), ("reader", 121), ("tagged", 61), ("denied", 0)] {
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            let (names, total) = list(column, &format!("?limit=7&offset={offset}")).await;
            assert_eq!(total, visible, "{column}");
            if names.is_empty() {
                break;
            }
            assert!(offset <= 121, "{column}: the list has no end");
            offset += names.len();
            all.extend(names);
        }
        all.dedup();
        assert_eq!(all.len() as u64, visible, "{column}");
        assert_eq!(list(column, "").await.0, all[..all.len().min(100)], "{column}");
    }
    assert_eq!(
        list("tagged", "?name=*n00").await,
        (["n000", "n002", "n004", "n006", "n008"].map(String::from).to_vec(), 5)
    );
    assert_eq!(list("tagged", "?name=n001").await, (vec![], 0));
}

#[tokio::test]
async fn reader_of_one_project_has_no_access_to_others() {
    let server = Server::start().await;
    let group =
        server.store.identities().create_group(&test_origin(), &server.tenant.domain_id, "readers", "").await.unwrap();
    let user = server.user("grace").await;
    server.store.identities().add_group_member(&test_origin(), &group, &user).await.unwrap();
    let sibling =
        server.store.tenants().create_project(&test_origin(), &server.tenant.domain_id, "south-1", "").await.unwrap();
    server.store.instances().add_instance(&test_origin(), new_instance(&sibling, "there")).await.unwrap();
    let policy = clew_store::PolicyRef::System("TaurusDB ReadOnlyAccess".into());
    let grantee = clew_store::Grantee::Group(group);
    server
        .store
        .policies()
        .attach_policy(&test_origin(), &policy, &grantee, Some(&server.tenant.project_id))
        .await
        .unwrap();
    let signer = server.key_of(&user).await;
    let list = async |project: &ProjectId| {
        signer.sign(server.call(Method::GET, &format!("/v3/{project}/instances"))).send().await
    };
    assert_eq!(list(&server.tenant.project_id).await.expect_status(200)["total_count"], 1);
    let message = list(&sibling).await.expect_error(403, "DBS.280015");
    assert!(message.ends_with("No policy allows gaussdbformysql:instance:list."), "{message}");
    let projects = signer.sign(server.call(Method::GET, "/v3/auth/projects")).send().await.expect_status(200);
    let names: Vec<_> = projects["projects"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, [REGION]);
    let token = server.project_token(&user).await;
    let status = server.status_of(&RequestId::generate());
    server.call(Method::GET, &status).token(&token).send().await.expect_status(200);
}
