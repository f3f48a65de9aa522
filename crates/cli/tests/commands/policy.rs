//! `clew policy put`, `validate`, `list`, `show`, `attach`, `detach`, `remove`

use serde_json::json;

use crate::tenant::Tenant;

const READ_POLICY: &str = r#"{
  "Version": "5.0",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["gaussdbformysql:instance:list"],
      "Condition": { "StringEquals": { "g:ResourceTag/env": "test" } }
    }
  ]
}
"#;

const ROLE_POLICY: &str = r#"{"Version":"1.1","Statement":[{"Effect":"Allow","Action":["gaussdb:instance:list"]}]}"#;

#[tokio::test]
async fn policy_errors_are_reported_with_line_and_column() {
    let tenant = Tenant::new().await;
    let bad = READ_POLICY.replace("Allow", "Alow").replace("StringEquals", "StringLike");
    let file = tenant.file("bad.json", &bad);
    let put = tenant.run(&["policy", "put", "readonly", &file]).await;
    put.assert_refused(&[
        "bad.json:5:17: error: ",
        "  5 |       \"Effect\": \"Alow\",\n    |                 ^\n",
        "bad.json:7:22: error: ",
        "did you mean \"StringMatch\"?",
        "$.Statement[0].Effect",
        "bad.json is not a valid policy: 2 errors; nothing was changed",
    ]);
    assert!(!tenant.run_ok(&["policy", "list"]).await.contains("readonly"));

    let validated = crate::run::run(&["policy", "validate", &file]).await;
    assert_eq!((validated.code, validated.stderr.as_str()), (Some(1), ""), "{validated:?}");
    assert!(
        validated.stdout.contains("bad.json:5:17: error: ") && validated.stdout.contains("invalid policy, 2 errors")
    );
    let validated = crate::run::run(&["policy", "validate", &file, "--format", "json"]).await;
    let value: serde_json::Value = serde_json::from_str(&validated.stdout).unwrap();
    assert_eq!(
        (validated.code, &value["valid"], value["errors"].as_array().unwrap().len()),
        (Some(1), &json!(false), 2)
    );
    assert_eq!((&value["errors"][0]["line"], &value["errors"][0]["column"]), (&json!(5), &json!(17)));
}

#[tokio::test]
async fn unreadable_documents_are_rejected() {
    let tenant = Tenant::new().await;
    let file = |name: &str, bytes: &[u8]| {
        let path = tenant.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for (path, words) in [
        (file("bytes", b"{\"a\": \"\xff\"}"), "invalid UTF-8"),
        (file("huge", &vec![b' '; 1 << 20]), "bytes"),
        (file("deep", "[".repeat(4000).as_bytes()), "not a valid policy"),
        (file("empty", b""), "not a valid policy"),
        (tenant.folder.path().to_str().unwrap().to_owned(), "could not read"),
        ("/no/such/file".to_owned(), "could not read /no/such/file"),
    ] {
        tenant.run(&["policy", "put", "readonly", &path]).await.assert_refused(&[words]);
    }
}

#[tokio::test]
async fn control_sequences_in_findings_are_neutralised() {
    let tenant = Tenant::new().await;
    let file = tenant.file("odd.json", "{\"Version\": \"\u{1b}[2J\", \"\u{9b}x\": 1}");
    let output = tenant.run(&["policy", "put", "readonly", &file]).await;
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(!output.stderr.contains(['\u{1b}', '\u{9b}']), "{output:?}");
}

#[tokio::test]
async fn policy_is_created_from_a_file_and_replaced_from_stdin() {
    let tenant = Tenant::new().await;
    let file = tenant.file("readonly.json", READ_POLICY);
    let made = tenant.json(&["policy", "put", "readonly", &file, "--description", "the test instances"]).await;
    assert_eq!((&made["model"], &made["version"]), (&json!("identity"), &json!("5.0")));
    let again =
        tenant.run_with_stdin(&["policy", "put", "readonly", "-"], &READ_POLICY.replace("\"test\"", "\"prod\"")).await;
    assert!(again.code == Some(0) && again.stdout.contains("Replaced the policy readonly"), "{again:?}");
    let shown = tenant.json(&["policy", "show", "readonly"]).await;
    assert_eq!((&shown["id"], &shown["description"]), (&made["id"], &json!("the test instances")), "it stays");
    assert_eq!(shown["document"]["Statement"][0]["Condition"]["StringEquals"]["g:ResourceTag/env"], "prod");
    assert!(tenant.run_ok(&["policy", "show", "readonly"]).await.contains("attached to  none"));

    let warned = tenant
        .run_with_stdin(&["policy", "put", "odd", "-"], &READ_POLICY.replace("instance:list", "instance:lost"))
        .await;
    assert!(warned.code == Some(0) && warned.stderr.contains("stdin:6:18: warning: "), "{warned:?}");
}

#[tokio::test]
async fn system_policies_cannot_be_changed() {
    let tenant = Tenant::new().await;
    let file = tenant.file("readonly.json", READ_POLICY);
    let put = tenant.run(&["policy", "put", "TaurusDBReadOnlyAccessPolicy", &file]).await;
    put.assert_refused(&["is a system policy", "another name"]);
    let removed = tenant.run(&["policy", "remove", "TaurusDB ReadOnlyAccess", "--yes"]).await;
    removed.assert_refused(&["is a system policy and cannot be removed"]);
    let listed = tenant.json(&["policy", "list"]).await;
    let systems = listed["policies"].as_array().unwrap().iter().filter(|policy| policy["system"] == true);
    assert_eq!(systems.count(), 6, "{listed}");
    tenant.run(&["policy", "put", "a b", &file]).await.assert_refused(&["letters, digits and any of _+=.@-"]);
}

#[tokio::test]
async fn attachments_follow_the_rules_of_the_policy_model() {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["user", "create", "ada"]).await;
    tenant.run_ok(&["group", "create", "devs"]).await;
    let (readonly, role) = (tenant.file("readonly.json", READ_POLICY), tenant.file("role.json", ROLE_POLICY));
    tenant.run_ok(&["policy", "put", "readonly", &readonly]).await;
    tenant.run_ok(&["policy", "put", "role", &role]).await;
    for (arguments, words) in [
        (vec!["attach", "role", "--user", "ada"], "only to groups"),
        (vec!["attach", "TaurusDB ReadOnlyAccess", "--user", "ada"], "only to groups"),
        (vec!["attach", "readonly", "--group", "devs", "--project", "local"], "applies to all projects"),
        (vec!["attach", "readonly"], "--user"),
        (vec!["attach", "readonly", "--user", "ada", "--group", "devs"], "cannot be used with"),
        (vec!["attach", "readonl", "--user", "ada"], "did you mean \"readonly\"?"),
        (vec!["attach", "readonly", "--user", "adda"], "did you mean ada?"),
        (vec!["attach", "role", "--group", "devs", "--project", "lokal"], "did you mean local?"),
    ] {
        tenant.run(&[&["policy"], arguments.as_slice()].concat()).await.assert_refused(&[words]);
    }
    tenant.run_ok(&["policy", "attach", "role", "--group", "devs", "--project", "local"]).await;
    tenant.run_ok(&["policy", "attach", "readonly", "--user", "ada"]).await;
    let again = tenant.run_ok(&["policy", "attach", "readonly", "--user", "ada"]).await;
    assert!(again.contains("is already attached"), "{again}");
    let shown = tenant.json(&["policy", "show", "role"]).await;
    assert_eq!(shown["attachments"][0]["project_id"], tenant.made["project_id"]);

    // Attachment rules depend on the model, so an attached policy cannot change its model.
    tenant.run(&["policy", "put", "readonly", &role]).await.assert_refused(&["attached 1 time", "detach it first"]);
    tenant.run(&["policy", "remove", "readonly", "--yes"]).await.assert_refused(&["attached 1 times; detach it first"]);
    tenant
        .run(&["policy", "detach", "role", "--group", "devs"])
        .await
        .assert_refused(&["is not attached to the group devs"]);
    tenant.run_ok(&["policy", "detach", "role", "--group", "devs", "--project", "local"]).await;
    tenant.run_ok(&["policy", "detach", "readonly", "--user", "ada"]).await;
    tenant.run_ok(&["policy", "remove", "readonly", "--yes"]).await;
    let operations = tenant.operations().await;
    for (operation, times) in [("PutPolicy", 2), ("AttachPolicy", 2), ("DetachPolicy", 2), ("DeletePolicy", 1)] {
        assert_eq!(operations.iter().filter(|done| *done == operation).count(), times, "{operation}: {operations:?}");
    }
}

#[tokio::test]
async fn attachments_of_other_domains_are_hidden() {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["domain", "create", "acme", "--admin", "alice"]).await;
    let attach = ["policy", "attach", "TaurusDBFullAccessPolicy", "--user", "alice", "--domain", "acme"];
    tenant.run_ok(&attach).await;
    let own = tenant.json(&["policy", "show", "TaurusDBFullAccessPolicy", "--domain", "clew"]).await;
    assert_eq!(own["attachments"], json!([]));
    let theirs = tenant.json(&["policy", "show", "TaurusDBFullAccessPolicy", "--domain", "acme"]).await;
    assert_eq!(theirs["attachments"][0]["grantee"], "user alice");
}
