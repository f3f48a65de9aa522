//! Slow session threshold (TaurusDB API spec, section 2.9).

use clew_model::InstanceId;
use http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{Server, new_instance, test_origin};

impl Server {
    async fn threshold_of(&self, instance: &InstanceId) -> Value {
        let path = format!("/v3/{}/instances/{instance}/slow-process-threshold", self.tenant.project_id);
        self.get(&path).await.expect_status(200)["slow_process_threshold"].clone()
    }

    async fn set_threshold(&self, body: &Value) -> Answer {
        let path = format!("/v3/{}/instances/slow-process-threshold", self.tenant.project_id);
        self.call(Method::POST, &path).body(body.to_string()).send().await
    }
}

#[tokio::test]
async fn default_threshold_is_ten_seconds() {
    let server = Server::start().await;
    let other = server
        .store
        .instances()
        .add_instance(&test_origin(), new_instance(&server.tenant.project_id, "other"))
        .await
        .unwrap();
    assert_eq!(server.threshold_of(&server.instance.id).await, 10);
    for seconds in [1, 86_400, 3] {
        let body = json!({ "instance_ids": [server.instance.id, other.id], "slow_process_threshold": seconds });
        let answer = server.set_threshold(&body).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, ""));
        assert_eq!(server.threshold_of(&server.instance.id).await, seconds);
        assert_eq!(server.threshold_of(&other.id).await, seconds);
    }
    assert_eq!(server.audit_of("SetSlowThreshold").await.len(), 6);
}

#[tokio::test]
async fn unknown_instance_rejects_the_whole_batch() {
    let server = Server::start().await;
    let domain = server.store.tenants().create_domain(&test_origin(), "rival").await.unwrap();
    let theirs = server.store.tenants().create_project(&test_origin(), &domain, "theirs", "").await.unwrap();
    let foreign =
        server.store.instances().add_instance(&test_origin(), new_instance(&theirs, "foreign")).await.unwrap();
    for missing in [InstanceId::generate(), foreign.id] {
        let body = json!({ "instance_ids": [server.instance.id, missing], "slow_process_threshold": 3 });
        let message = server.set_threshold(&body).await.expect_error(404, "DBS.200002");
        assert!(message.contains(missing.as_str()), "{message}");
        assert_eq!(server.threshold_of(&server.instance.id).await, 10);
        assert_eq!(server.store.instances().find_slow_session_threshold(&missing).await.unwrap(), None);
    }
}

#[tokio::test]
async fn invalid_requests_are_rejected_and_change_nothing() {
    let server = Server::start().await;
    let id = server.instance.id.as_str();
    for (body, reason) in [
        (json!({}), "instance_ids is missing"),
        (json!({ "instance_ids": [id] }), "slow_process_threshold is missing"),
        (
            json!({ "instance_ids": [], "slow_process_threshold": 3 }),
            "Invalid number of entries in instance_ids: 0. Fix: use 1 to 100 entries",
        ),
        (
            json!({ "instance_ids": vec![id; 101], "slow_process_threshold": 3 }),
            "Invalid number of entries in instance_ids: 101",
        ),
        (json!({ "instance_ids": id, "slow_process_threshold": 3 }), "Invalid value for instance_ids"),
        (json!({ "instance_ids": [7], "slow_process_threshold": 3 }), "Invalid value for instance_ids"),
        (json!({ "instance_id": [id], "slow_process_threshold": 3 }), "Did you mean instance_ids?"),
        (json!({ "instance_ids": [id], "slow_process_threshold": 0 }), ": 0. Fix: use 1 to 86400"),
        (json!({ "instance_ids": [id], "slow_process_threshold": 86_401 }), ": 86401. Fix: use 1 to 86400"),
        (json!({ "instance_ids": [id], "slow_process_threshold": "3" }), "Invalid value for slow_process_threshold"),
        (json!({ "instance_ids": [id], "slow_process_threshold": 1.5 }), "Invalid value for slow_process_threshold"),
    ] {
        let message = server.set_threshold(&body).await.expect_error(400, "DBS.280001");
        assert!(message.contains(reason), "{body}: {message}");
    }
    let body = json!({ "instance_ids": [id, "in07"], "slow_process_threshold": 3 });
    assert!(server.set_threshold(&body).await.expect_error(400, "DBS.280404").contains("in07"));
    assert_eq!(server.threshold_of(&server.instance.id).await, 10);
}

#[tokio::test]
async fn batch_update_is_authorized_for_the_whole_project() {
    let server = Server::start().await;
    let body = json!({ "instance_ids": [server.instance.id], "slow_process_threshold": 3 });
    let action = "gaussdbformysql:instance:modifySlowProcessThreshold";
    let urn = format!("gaussdbformysql:*:*:instance:{}", server.instance.id);
    for (name, resource, status) in [("all", vec!["*".to_owned()], 200), ("one", vec![urn], 403)] {
        let may = json!([{ "Effect": "Allow", "Action": [action], "Resource": resource }]);
        let signer = server.key_of(&server.user_with(name, may).await).await;
        let path = format!("/v3/{}/instances/slow-process-threshold", server.tenant.project_id);
        let call = server.call(Method::POST, &path).body(body.to_string());
        assert_eq!(signer.sign(call).send().await.status.as_u16(), status, "{name}");
    }
}
