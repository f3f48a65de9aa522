//! Requests to the administration and tag routes. Each request has its own objects.

use clew_model::UserId;
use clew_store::{Grantee, PolicyRef};
use serde_json::{Value, json};

use crate::server::{Server, test_origin};

/// A valid policy document.
fn document() -> Value {
    json!({ "Version": "5.0", "Statement": [{ "Effect": "Allow", "Action": ["gaussdbformysql:instance:list"] }] })
}

/// Creates the objects of a path. Returns the path and the body.
pub(super) async fn create_fixtures(server: &Server, operation: &str, path: &str) -> (String, Option<Value>) {
    let domain = &server.tenant.domain_id;
    // A unique name of letters and digits.
    let name = UserId::generate().to_string();
    let mut path = path.to_owned();
    let user = if ["{user_id}", "{id}"].iter().any(|id| path.contains(id)) || operation == "AttachPolicy" {
        server.user(&name).await
    } else {
        server.tenant.user_id.clone()
    };
    if path.contains("{access_key}") {
        path = path.replace("{access_key}", server.key_of(&user).await.key.as_str());
    }
    if path.contains("{group_id}") {
        let group = server.store.identities().create_group(&test_origin(), domain, &name, "").await.unwrap();
        if operation == "RemoveUserFromGroup" {
            server.store.identities().add_group_member(&test_origin(), &group, &user).await.unwrap();
        }
        path = path.replace("{group_id}", group.as_str());
    }
    if path.contains("{enterprise_project_id}") {
        let id = server.store.tenants().create_enterprise_project(&test_origin(), domain, &name, "").await.unwrap();
        path = path.replace("{enterprise_project_id}", &id);
    }
    if path.contains("{name}") {
        let text = document().to_string();
        let policy =
            server.store.policies().put_policy(&test_origin(), domain, &name, "identity", &text, "").await.unwrap();
        if operation == "DetachPolicy" {
            let (policy, grantee) = (PolicyRef::Custom(policy), Grantee::User(user.clone()));
            assert!(server.store.policies().attach_policy(&test_origin(), &policy, &grantee, None).await.unwrap());
        }
        path = path.replace("{name}", &name).replace("{kind}", "user");
    }
    let path = path.replace("{user_id}", user.as_str()).replace("{id}", user.as_str());
    let instance = server.instance.id.as_str();
    let name = if ["AddKillProcessTask", "StopKillProcessTask"].contains(&operation) {
        kill_task(server, operation).await
    } else {
        name
    };
    (path, body(operation, &name, &user, instance, server.node().as_str()))
}

/// Enables kill tasks and ensures a free task slot, or adds a task to stop.
async fn kill_task(server: &Server, operation: &str) -> String {
    let (project, instance) = (&server.tenant.project_id, &server.instance.id);
    for on in [false, true] {
        assert!(server.store.kill_tasks().set_kill_tasks_enabled(&test_origin(), project, instance, on).await.unwrap());
    }
    if operation == "AddKillProcessTask" {
        return String::new();
    }
    let criteria = clew_model::KillCriteria::with_min_seconds_in_state(1);
    let task = clew_store::NewKillTask { criteria, masked: false, duration: None, audit_detail: Value::Null };
    server
        .store
        .kill_tasks()
        .add_kill_task(&test_origin(), project, instance, &task)
        .await
        .unwrap()
        .unwrap()
        .to_string()
}

fn body(operation: &str, name: &str, user: &UserId, instance: &str, node: &str) -> Option<Value> {
    Some(match operation {
        "ExecuteIntelligentKillSession" => json!({ "node_id": node }),
        "ShowTaurusDbTxnProgress" => json!({ "action": "rollback" }),
        "UpdateAutoKillProcessStatus" => json!({ "status": "ON" }),
        "AddKillProcessTask" => json!({ "time": 1, "task_type": "manual" }),
        "StopKillProcessTask" => json!({ "task_id": name }),
        "BatchUpdateTaurusSlowProcessThreshold" => json!({ "instance_ids": [instance], "slow_process_threshold": 5 }),
        "DeleteTaurusDbNodeProcesses" => json!({ "processes": [4_000_000_000_u64] }),
        "KillSessions" => {
            json!({ "sessions": [{ "id": 4_000_000_000_u64, "user": "nobody", "host": "nowhere" }], "what": "connection" })
        }
        "BatchTagAction" => json!({ "action": "create", "tags": [{ "key": "env", "value": "test" }] }),
        "CreateProject" | "CreateEnterpriseProject" | "CreateUser" | "CreateGroup" => json!({ "name": name }),
        "UpdateProject" | "UpdateEnterpriseProject" | "UpdateUser" => json!({ "description": "changed" }),
        "ChangePassword" => json!({ "old": "not the old one", "new": "correct horse" }),
        "UpdateAccessKey" => json!({ "enabled": false }),
        "PutPolicy" | "ValidatePolicy" => json!({ "document": document() }),
        "SimulatePolicy" => json!({ "user_id": user, "action": "clew:audit:list" }),
        "AttachPolicy" => json!({ "user_id": user }),
        _ => return None,
    })
}
