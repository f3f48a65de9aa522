//! `clew group …`

use crate::tenant::Tenant;

#[tokio::test]
async fn members_come_and_go() {
    let tenant = Tenant::new().await;
    tenant.says(&["user", "create", "ada"]).await;
    tenant.says(&["user", "create", "grace"]).await;
    let id = tenant.json(&["group", "create", "developers"]).await["id"].as_str().unwrap().to_owned();
    tenant.run(&["group", "create", "developers"]).await.is_refused_with(&["there is already a group"]);
    let members = tenant.json(&["group", "add", "developers", "ada", "grace"]).await["members"].clone();
    assert_eq!(members, serde_json::json!(["ada", "grace"]));
    tenant.says(&["group", "add", &id, "ada"]).await;
    tenant.says(&["policy", "attach", "TaurusDB ReadOnlyAccess", "--group", "developers", "--project", "local"]).await;

    let shown = tenant.json(&["group", "show", "developers"]).await;
    assert_eq!(shown["members"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(shown["policies"][0]["policy"], "TaurusDB ReadOnlyAccess");
    let user = tenant.json(&["user", "show", "ada"]).await;
    assert_eq!(
        (&user["groups"][0]["name"], &user["policies"][0]["group"]),
        (&"developers".into(), &"developers".into())
    );
    assert!(tenant.says(&["group", "show", "developers"]).await.contains("ada, grace"));

    assert_eq!(tenant.json(&["group", "drop", "developers", "grace"]).await["members"], serde_json::json!(["ada"]));
    let nobody = tenant.run(&["group", "drop", "developers", "ada", "grace"]).await;
    nobody.is_refused_with(&["grace is no member of developers; nothing was changed"]);
    assert!(tenant.says(&["group", "show", "developers"]).await.contains("ada"), "all or nothing");
    tenant.run(&["group", "add", "developers", "nobody"]).await.is_refused_with(&["there is no user \"nobody\""]);
}

#[tokio::test]
async fn a_group_that_goes_takes_its_policies_from_its_members() {
    let tenant = Tenant::new().await;
    tenant.says(&["user", "create", "ada"]).await;
    tenant.says(&["group", "create", "developers"]).await;
    tenant.says(&["group", "add", "developers", "ada"]).await;
    tenant.says(&["policy", "attach", "TaurusDBFullAccessPolicy", "--group", "developers"]).await;
    tenant.run(&["group", "remove", "developers"]).await.is_refused_with(&["its members lose", "--yes"]);
    tenant.says(&["group", "remove", "developers", "--yes"]).await;
    let user = tenant.json(&["user", "show", "ada"]).await;
    assert_eq!((&user["groups"], &user["policies"]), (&serde_json::json!([]), &serde_json::json!([])));
}
