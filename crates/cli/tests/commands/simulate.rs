//! `clew policy simulate`

use serde_json::Value;

use crate::run::Ended;
use crate::tenant::Tenant;

const COLLECT: &str = "gaussdbformysql:instance:getRealtimeSession";
const URL: &str = "mysql://clew:hunter2@127.0.0.1:1/";

/// ada may look at what is tagged env=test, but not from 192.0.2.0/24; and nobody may look by night.
const LOOK: &str = r#"{"Version":"5.0","Statement":[
    {"Sid":"look","Effect":"Allow","Action":["gaussdbformysql:instance:*"],
     "Condition":{"StringEquals":{"g:ResourceTag/env":"test"}}},
    {"Sid":"elsewhere","Effect":"Deny","Action":["*"],"Condition":{"IpAddress":{"g:SourceIp":"192.0.2.0/24"}}},
    {"Sid":"night","Effect":"Deny","Action":["*"],"Condition":{"DateLessThan":{"g:CurrentTime":"2020-01-01T00:00:00Z"}}},
    {"Sid":"plain","Effect":"Deny","Action":["*"],"Condition":{"Bool":{"g:SecureTransport":"false"}}}
]}"#;

async fn tenant() -> Tenant {
    let tenant = Tenant::new().await;
    tenant.says(&["user", "create", "ada"]).await;
    for (name, tag) in [("shop", "env=test"), ("bank", "env=prod")] {
        tenant.says(&["instance", "add", "--name", name, "--node", URL, "--tag", tag]).await;
    }
    let file = tenant.file("look.json", LOOK);
    tenant.says(&["policy", "put", "look", &file]).await;
    tenant.says(&["policy", "attach", "look", "--user", "ada"]).await;
    tenant
}

async fn simulate(tenant: &Tenant, arguments: &[&str]) -> Ended {
    tenant.run(&[&["policy", "simulate", "--user", "ada"], arguments].concat()).await
}

#[tokio::test]
async fn it_says_what_decides_and_why_the_rest_does_not() {
    let tenant = tenant().await;
    let allowed = simulate(&tenant, &["--action", COLLECT, "--instance", "shop"]).await;
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
    for words in
        ["ALLOWED", "decided by  statement 1 \"look\" of the policy look, attached to the user", "does not match"]
    {
        assert!(allowed.stdout.contains(words), "no {words:?} in {}", allowed.stdout);
    }
    let denied = simulate(&tenant, &["--action", COLLECT, "--instance", "bank"]).await;
    assert_eq!((denied.code, denied.stderr.as_str()), (Some(1), ""), "{denied:?}");
    assert!(denied.stdout.contains("DENIED: no policy allows it"), "{denied:?}");
    assert!(denied.stdout.contains("g:ResourceTag/env is \"prod\""), "{denied:?}");

    let json = simulate(&tenant, &["--action", COLLECT, "--instance", "bank", "--format", "json"]).await;
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &value["decision"], &value["deciding"]), (Some(1), &"deny".into(), &Value::Null));
    assert_eq!(value["statements"].as_array().unwrap().len(), 4, "{value}");
    assert_eq!((&value["statements"][0]["sid"], &value["statements"][0]["matched"]), (&"look".into(), &false.into()));
}

#[tokio::test]
async fn circumstances_count() {
    let tenant = tenant().await;
    for (arguments, sid) in [
        (vec!["--source-ip", "192.0.2.7"], "elsewhere"),
        (vec!["--at", "2019-12-31"], "night"),
        (vec!["--plain-http"], "plain"),
    ] {
        let request = [&["--action", COLLECT, "--instance", "shop", "--format", "json"], arguments.as_slice()].concat();
        let ended = simulate(&tenant, &request).await;
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, &value["deciding"]["sid"]), (Some(1), &sid.into()), "{value}");
    }
    let from_home = ["--action", COLLECT, "--instance", "shop", "--source-ip", "198.51.100.7", "--at", "2026-06-12"];
    assert_eq!(simulate(&tenant, &from_home).await.code, Some(0));
}

#[tokio::test]
async fn the_disabled_are_denied_whatever_the_policies_say() {
    let tenant = tenant().await;
    tenant.says(&["user", "disable", "ada"]).await;
    let ended = simulate(&tenant, &["--action", COLLECT, "--instance", "shop"]).await;
    assert!(ended.code == Some(1) && ended.stdout.contains("DENIED: the user ada is disabled"), "{ended:?}");
    tenant.says(&["user", "enable", "ada"]).await;
    tenant.says(&["project", "update", "local", "--disable"]).await;
    let ended = simulate(&tenant, &["--action", COLLECT, "--instance", "shop"]).await;
    assert!(ended.code == Some(1) && ended.stdout.contains("the project local is disabled"), "{ended:?}");
}

#[tokio::test]
async fn the_domain_is_asked_without_a_project_and_administrators_may() {
    let tenant = tenant().await;
    let action = ["--action", "clew:identity:manage"];
    assert_eq!(simulate(&tenant, &action).await.code, Some(1));
    let admin = tenant.run(&["policy", "simulate", "--user", "admin", "--action", "clew:identity:manage"]).await;
    assert!(admin.code == Some(0) && admin.stdout.contains("an administrator may do everything"), "{admin:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_and_not_denied() {
    let tenant = tenant().await;
    for (arguments, words) in [
        (
            vec!["--action", "gaussdbformysql:instance:getRealtimeSesion"],
            "did you mean gaussdbformysql:instance:getRealtimeSession?",
        ),
        (vec!["--action", "x"], "actions are "),
        (vec!["--action", COLLECT, "--instance", "shup"], "there is no instance \"shup\""),
        (vec!["--action", COLLECT, "--project", "lokal"], "did you mean local?"),
        (vec!["--action", COLLECT, "--source-ip", "home"], "--source-ip"),
        (vec!["--action", COLLECT, "--at", "noon"], "a moment such as"),
        (vec!["--action", "clew:audit:list", "--project", "local"], "leave --project out"),
        (vec!["--action", "clew:audit:list", "--instance", "shop"], "leave --instance out"),
    ] {
        simulate(&tenant, &arguments).await.is_refused_with(&[words]);
    }
    let nobody = tenant.run(&["policy", "simulate", "--user", "nobody", "--action", COLLECT]).await;
    nobody.is_refused_with(&["there is no user \"nobody\""]);
    tenant.says(&["project", "create", "second"]).await;
    simulate(&tenant, &["--action", COLLECT])
        .await
        .is_refused_with(&["name the project with --project: local, second"]);
}
