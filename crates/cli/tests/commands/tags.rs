//! `clew instance tag` and `untag`

use serde_json::json;

use crate::tenant::Tenant;

#[tokio::test]
async fn tags_are_added_and_removed_by_key_or_key_and_value() {
    let tenant = Tenant::new().await;
    tenant
        .run_ok(&["instance", "add", "--name", "shop", "--node", "mysql://a:b@127.0.0.1:1/", "--tag", "env=prod"])
        .await;
    let tagged = tenant.json(&["instance", "tag", "shop", "env=test", "团队=付款", "empty="]).await;
    let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
    assert_eq!(tagged["tags"], json!([tag("empty", ""), tag("env", "test"), tag("团队", "付款")]));
    let untagged = tenant.json(&["instance", "untag", "shop", "empty", "env=test"]).await;
    assert_eq!(untagged["tags"], json!([tag("团队", "付款")]));
    let operations = tenant.operations().await;
    assert_eq!(operations.iter().rev().take(2).collect::<Vec<_>>(), ["UntagInstance", "TagInstance"]);
}

#[tokio::test]
async fn invalid_or_missing_tags_change_nothing() {
    let tenant = Tenant::new().await;
    tenant
        .run_ok(&["instance", "add", "--name", "shop", "--node", "mysql://a:b@127.0.0.1:1/", "--tag", "env=prod"])
        .await;
    let (long_key, long_value) = (format!("{}=x", "k".repeat(37)), format!("k={}", "v".repeat(44)));
    let many: Vec<_> = (0..20).map(|at| format!("k{at}=v")).collect();
    let many = [&["instance", "tag", "shop"], many.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat();
    for (arguments, words) in [
        (vec!["instance", "tag", "shop", "env"], "is not KEY=VALUE"),
        (vec!["instance", "tag", "shop", "a b=c"], "a tag key has 1 to 36"),
        (vec!["instance", "tag", "shop", &long_key], "a tag key has 1 to 36"),
        (vec!["instance", "tag", "shop", &long_value], "a tag value has up to 43"),
        (vec!["instance", "tag", "shop", "a=1", "a=2"], "duplicate tag key \"a\""),
        (many, "20 tags at most"),
        (vec!["instance", "untag", "shop", "env", "team"], "shop has no tag \"team\"; nothing was changed"),
        (vec!["instance", "untag", "shop", "env=test"], "shop has no tag \"env=test\""),
    ] {
        tenant.run(&arguments).await.assert_refused(&[words]);
    }
    tenant.run(&["instance", "tag", "shup", "a=b"]).await.assert_failed(&["there is no instance shup"]);
    let shown = tenant.json(&["instance", "show", "shop"]).await;
    assert_eq!(shown["tags"], json!([{ "key": "env", "value": "prod" }]));
}
