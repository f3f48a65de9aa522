//! `clew group …`

use crate::tenant::Tenant;

#[tokio::test]
async fn members_are_added_and_removed() {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["user", "create", "ada"]).await;
    tenant.run_ok(&["user", "create", "grace"]).await;
    let id = tenant.json(&["group", "create", "developers"]).await["id"].as_str().unwrap().to_owned();
    tenant.run(&["group", "create", "developers"]).await.assert_refused(&["there is already a group"]);
    let members = tenant.json(&["group", "add", "developers", "ada", "grace"]).await["members"].clone();
    assert_eq!(members, serde_json::json!(["ada", "grace"]));
    tenant.run_ok(&["group", "add", &id, "ada"]).await;
    tenant
        .run_ok(&["policy", "attach", "TaurusDB ReadOnlyAccess", "--group", "developers", "--project", "local"])
        .await;

    let shown = tenant.json(&["group", "show", "developers"]).await;
    assert_eq!(shown["members"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(shown["policies"][0]["policy"], "TaurusDB ReadOnlyAccess");
    let user = tenant.json(&["user", "show", "ada"]).await;
    assert_eq!(
        (&user["groups"][0]["name"], &user["policies"][0]["group"]),
        (&"developers".into(), &"developers".into())
    );
    assert!(tenant.run_ok(&["group", "show", "developers"]).await.contains("ada, grace"));

    assert_eq!(tenant.json(&["group", "drop", "developers", "grace"]).await["members"], serde_json::json!(["ada"]));
    let output = tenant.run(&["group", "drop", "developers", "ada", "grace"]).await;
    output.assert_refused(&["grace is not a member of developers; nothing was changed"]);
    assert!(
        tenant.run_ok(&["group", "show", "developers"]).await.contains("ada"),
        "a failed command changes no member"
    );
    tenant.run(&["group", "add", "developers", "guest"]).await.assert_refused(&["there is no user \"guest\""]);
}

#[tokio::test]
async fn members_lose_the_policies_of_a_deleted_group() {
    let tenant = Tenant::new().await;
    tenant.run_ok(&["user", "create", "ada"]).await;
    tenant.run_ok(&["group", "create", "developers"]).await;
    tenant.run_ok(&["group", "add", "developers", "ada"]).await;
    tenant.run_ok(&["policy", "attach", "TaurusDBFullAccessPolicy", "--group", "developers"]).await;
    tenant.run(&["group", "remove", "developers"]).await.assert_refused(&["its members lose", "--yes"]);
    tenant.run_ok(&["group", "remove", "developers", "--yes"]).await;
    let user = tenant.json(&["user", "show", "ada"]).await;
    assert_eq!((&user["groups"], &user["policies"]), (&serde_json::json!([]), &serde_json::json!([])));
}
