//! `clew project …` and `clew enterprise-project …`

use crate::tenant::Tenant;

#[tokio::test]
async fn a_project_is_made_listed_and_changed() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["project", "create", "shop", "--description", "what the shop runs on"]).await;
    let id = made["id"].as_str().unwrap();
    tenant.run(&["project", "create", "shop"]).await.is_refused_with(&["there is already a project \"shop\""]);
    let listed = tenant.says(&["project", "list"]).await;
    assert!(listed.contains("shop") && listed.contains(id) && listed.contains("what the shop runs on"), "{listed}");

    let masked = tenant.json(&["project", "update", "shop", "--mask"]).await;
    assert_eq!((&masked["masking"], &masked["enabled"]), (&true.into(), &true.into()));
    let disabled = tenant.json(&["project", "update", id, "--disable", "--description", ""]).await;
    assert_eq!((&disabled["masking"], &disabled["enabled"]), (&true.into(), &false.into()), "what is not named stays");
    assert_eq!(disabled["description"], "");
    let mended = tenant.json(&["project", "update", "shop", "--enable", "--no-mask"]).await;
    assert_eq!((&mended["masking"], &mended["enabled"]), (&false.into(), &true.into()));
    assert_eq!(tenant.operations().await.iter().filter(|operation| *operation == "UpdateProject").count(), 3);
}

#[tokio::test]
async fn a_change_of_a_project_says_what_and_not_two_things_at_once() {
    let tenant = Tenant::new().await;
    for (arguments, words) in [
        (vec!["update", "local"], "--enable|--disable|--mask|--no-mask"),
        (vec!["update", "local", "--enable", "--disable"], "cannot be used with"),
        (vec!["update", "local", "--mask", "--no-mask"], "cannot be used with"),
        (vec!["update", "lokal", "--mask"], "did you mean local?"),
        (vec!["create", "a", "--description", "a\nb"], "one line"),
    ] {
        tenant.run(&[&["project"], arguments.as_slice()].concat()).await.is_refused_with(&[words]);
    }
}

#[tokio::test]
async fn instances_belong_to_an_enterprise_project_by_name_or_id() {
    let tenant = Tenant::new().await;
    let made = tenant.json(&["enterprise-project", "create", "payments"]).await;
    let id = made["id"].as_str().unwrap();
    let url = "mysql://clew:hunter2@127.0.0.1:1/";
    for (name, enterprise_project) in [("a", "payments"), ("b", id)] {
        let add = ["instance", "add", "--name", name, "--node", url, "--enterprise-project", enterprise_project];
        tenant.says(&add).await;
        let shown = tenant.json(&["instance", "show", name]).await;
        assert_eq!(shown["enterprise_project_id"], id);
    }
    let listed = tenant.says(&["enterprise-project", "list"]).await;
    assert!(listed.contains("default") && listed.contains("payments"), "{listed}");
    let add = ["instance", "add", "--name", "c", "--node", url, "--enterprise-project", "paymints"];
    tenant.run(&add).await.is_refused_with(&["no enterprise project", "did you mean payments?"]);

    let changed = tenant.json(&["enterprise-project", "update", "payments", "--disable"]).await;
    assert_eq!(changed["enabled"], false);
    let add = ["instance", "add", "--name", "c", "--node", url, "--enterprise-project", "payments"];
    let refused = tenant.run(&add).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    tenant.run(&["enterprise-project", "update", "0", "--disable"]).await.is_refused_with(&["cannot be changed"]);
}
