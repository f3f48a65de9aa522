//! `clew policy simulate`

use serde_json::Value;

use crate::run::CommandOutput;
use crate::tenant::Tenant;

const COLLECT: &str = "gaussdbformysql:instance:getRealtimeSession";
const URL: &str = "mysql://clew:hunter2@127.0.0.1:1/";

/// Allows access to instances tagged env=test. Denies requests from 192.0.2.0/24, requests before 2020, and requests without TLS.
const READ_POLICY: &str = r#"{"Version":"5.0","Statement":[
    {"Sid":"readonly","Effect":"Allow","Action":["gaussdbformysql:instance:*"],
     "Condition":{"StringEquals":{"g:ResourceTag/env":"test"}}},
    {"Sid":"elsewhere","Effect":"Deny","Action":["*"],"Condition":{"IpAddress":{"g:SourceIp":"192.0.2.0/24"}}},
    {"Sid":"night","Effect":"Deny","Action":["*"],"Condition":{"DateLessThan":{"g:CurrentTime":"2020-01-01T00:00:00Z"}}},
    {"Sid":"plain","Effect":"Deny","Action":["*"],"Condition":{"Bool":{"g:SecureTransport":"false"}}}
]}"#;

async fn tenant() -> Tenant {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["user", "create", "ada"]).await;
    for (name, tag) in [("shop", "env=test"), ("bank", "env=prod")] {
        tenant.run_ok(&["instance", "add", "--name", name, "--node", URL, "--tag", tag]).await;
    }
    let file = tenant.file("readonly.json", READ_POLICY);
    tenant.run_ok(&["policy", "put", "readonly", &file]).await;
    tenant.run_ok(&["policy", "attach", "readonly", "--user", "ada"]).await;
    tenant
}

async fn simulate(tenant: &Tenant, arguments: &[&str]) -> CommandOutput {
    tenant.run(&[&["policy", "simulate", "--user", "ada"], arguments].concat()).await
}

#[tokio::test]
async fn simulation_explains_the_deciding_statement() {
    let tenant = tenant().await;
    let allowed = simulate(&tenant, &["--action", COLLECT, "--instance", "shop"]).await;
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
    for words in [
        "ALLOWED",
        "decided by  statement 1 \"readonly\" of the policy readonly, attached to the user",
        "does not match",
    ] {
        assert!(allowed.stdout.contains(words), "no {words:?} in {}", allowed.stdout);
    }
    let denied = simulate(&tenant, &["--action", COLLECT, "--instance", "bank"]).await;
    assert_eq!((denied.code, denied.stderr.as_str()), (Some(1), ""), "{denied:?}");
    assert!(denied.stdout.contains("DENIED: no policy allows the action"), "{denied:?}");
    assert!(denied.stdout.contains("g:ResourceTag/env is \"prod\""), "{denied:?}");

    let json = simulate(&tenant, &["--action", COLLECT, "--instance", "bank", "--format", "json"]).await;
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &value["decision"], &value["deciding"]), (Some(1), &"deny".into(), &Value::Null));
    assert_eq!(value["statements"].as_array().unwrap().len(), 4, "{value}");
    assert_eq!(
        (&value["statements"][0]["sid"], &value["statements"][0]["matched"]),
        (&"readonly".into(), &false.into())
    );
}

#[tokio::test]
async fn conditions_on_the_request_context_are_evaluated() {
    let tenant = tenant().await;
    for (arguments, sid) in [
        (vec!["--source-ip", "192.0.2.7"], "elsewhere"),
        (vec!["--at", "2019-12-31"], "night"),
        (vec!["--plain-http"], "plain"),
    ] {
        let request = [&["--action", COLLECT, "--instance", "shop", "--format", "json"], arguments.as_slice()].concat();
        let output = simulate(&tenant, &request).await;
        let value: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, &value["deciding"]["sid"]), (Some(1), &sid.into()), "{value}");
    }
    let from_home = ["--action", COLLECT, "--instance", "shop", "--source-ip", "198.51.100.7", "--at", "2026-06-12"];
    assert_eq!(simulate(&tenant, &from_home).await.code, Some(0));
}

#[tokio::test]
async fn disabled_user_or_project_is_denied_regardless_of_policies() {
    let tenant = tenant().await;
    tenant.run_ok(&["user", "disable", "ada"]).await;
    let output = simulate(&tenant, &["--action", COLLECT, "--instance", "shop"]).await;
    assert!(output.code == Some(1) && output.stdout.contains("DENIED: the user ada is disabled"), "{output:?}");
    tenant.run_ok(&["user", "enable", "ada"]).await;
    tenant.run_ok(&["project", "update", "local", "--disable"]).await;
    let output = simulate(&tenant, &["--action", COLLECT, "--instance", "shop"]).await;
    assert!(output.code == Some(1) && output.stdout.contains("the project local is disabled"), "{output:?}");
}

#[tokio::test]
async fn domain_actions_need_no_project_and_administrators_are_allowed() {
    let tenant = tenant().await;
    let action = ["--action", "clew:identity:manage"];
    assert_eq!(simulate(&tenant, &action).await.code, Some(1));
    let admin = tenant.run(&["policy", "simulate", "--user", "admin", "--action", "clew:identity:manage"]).await;
    assert!(admin.code == Some(0) && admin.stdout.contains("administrators have full access"), "{admin:?}");
}

#[tokio::test]
async fn invalid_simulations_are_rejected_not_denied() {
    let tenant = tenant().await;
    for (arguments, words) in [
        (
            vec!["--action", "gaussdbformysql:instance:getRealtimeSesion"],
            "did you mean gaussdbformysql:instance:getRealtimeSession?",
        ),
        (vec!["--action", "x"], "valid actions: "),
        (vec!["--action", COLLECT, "--instance", "shup"], "there is no instance \"shup\""),
        (vec!["--action", COLLECT, "--project", "lokal"], "did you mean local?"),
        (vec!["--action", COLLECT, "--source-ip", "home"], "--source-ip"),
        (vec!["--action", COLLECT, "--at", "noon"], "expected a time such as"),
        (vec!["--action", "clew:audit:list", "--project", "local"], "omit --project"),
        (vec!["--action", "clew:audit:list", "--instance", "shop"], "omit --instance"),
    ] {
        simulate(&tenant, &arguments).await.assert_refused(&[words]);
    }
    let output = tenant.run(&["policy", "simulate", "--user", "guest", "--action", COLLECT]).await;
    output.assert_refused(&["there is no user \"guest\""]);
    tenant.run_ok(&["project", "create", "second"]).await;
    simulate(&tenant, &["--action", COLLECT]).await.assert_refused(&["select a project with --project: local, second"]);
}
