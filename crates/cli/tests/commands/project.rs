//! `clew project …` and `clew enterprise-project …`

use crate::tenant::Tenant;

#[tokio::test]
async fn project_lifecycle() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["project", "create", "shop", "--description", "what the shop runs on"]).await;
    let id = made["id"].as_str().unwrap();
    tenant.run(&["project", "create", "shop"]).await.assert_refused(&["there is already a project \"shop\""]);
    let listed = tenant.run_ok(&["project", "list"]).await;
    assert!(listed.contains("shop") && listed.contains(id) && listed.contains("what the shop runs on"), "{listed}");

    let masked = tenant.json(&["project", "update", "shop", "--mask"]).await;
    assert_eq!((&masked["masking"], &masked["enabled"]), (&true.into(), &true.into()));
    let disabled = tenant.json(&["project", "update", id, "--disable", "--description", ""]).await;
    assert_eq!(
        (&disabled["masking"], &disabled["enabled"]),
        (&true.into(), &false.into()),
        "an option that is not set changes nothing"
    );
    assert_eq!(disabled["description"], "");
    let mended = tenant.json(&["project", "update", "shop", "--enable", "--no-mask"]).await;
    assert_eq!((&mended["masking"], &mended["enabled"]), (&false.into(), &true.into()));
    assert_eq!(tenant.operations().await.iter().filter(|operation| *operation == "UpdateProject").count(), 3);
}

#[tokio::test]
async fn project_update_requires_consistent_options() {
    let tenant = Tenant::new().await;
    for (arguments, words) in [
        (vec!["update", "local"], "--enable|--disable|--mask|--no-mask"),
        (vec!["update", "local", "--enable", "--disable"], "cannot be used with"),
        (vec!["update", "local", "--mask", "--no-mask"], "cannot be used with"),
        (vec!["update", "lokal", "--mask"], "did you mean local?"),
        (vec!["create", "a", "--description", "a\nb"], "one line"),
    ] {
        tenant.run(&[&["project"], arguments.as_slice()].concat()).await.assert_refused(&[words]);
    }
}

#[tokio::test]
async fn enterprise_project_is_resolved_by_name_or_id() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["enterprise-project", "create", "payments"]).await;
    let id = made["id"].as_str().unwrap();
    let url = "mysql://clew:hunter2@127.0.0.1:1/";
    for (name, enterprise_project) in [("a", "payments"), ("b", id)] {
        let add = ["instance", "add", "--name", name, "--node", url, "--enterprise-project", enterprise_project];
        tenant.run_ok(&add).await;
        let shown = tenant.json(&["instance", "show", name]).await;
        assert_eq!(shown["enterprise_project_id"], id);
    }
    let listed = tenant.run_ok(&["enterprise-project", "list"]).await;
    assert!(listed.contains("default") && listed.contains("payments"), "{listed}");
    let add = ["instance", "add", "--name", "c", "--node", url, "--enterprise-project", "paymints"];
    tenant.run(&add).await.assert_refused(&["no enterprise project", "did you mean payments?"]);

    let changed = tenant.json(&["enterprise-project", "update", "payments", "--disable"]).await;
    assert_eq!(changed["enabled"], false);
    let add = ["instance", "add", "--name", "c", "--node", url, "--enterprise-project", "payments"];
    let refused = tenant.run(&add).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    tenant.run(&["enterprise-project", "update", "0", "--disable"]).await.assert_refused(&["cannot be changed"]);
}
