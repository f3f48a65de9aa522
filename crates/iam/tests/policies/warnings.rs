//! Warnings about valid but suspicious documents.

use clew_iam::policy::Policy;
use serde_json::{Value, json};

fn warnings(version: &str, statement: &Value) -> Vec<String> {
    let document = json!({"Version": version, "Statement": [statement]}).to_string();
    Policy::parse(&document).unwrap().warnings().iter().map(ToString::to_string).collect()
}

/// Asserts that the statement has exactly this warning at this path.
fn assert_warning(version: &str, statement: &Value, path: &str, message: &str) {
    let found = warnings(version, statement);
    assert_eq!(found.len(), 1, "{statement}: {found:?}");
    assert!(found[0].contains(&format!(": $.Statement[0]{path}: ")) && found[0].contains(message), "{found:?}");
}

#[test]
fn actions_that_match_nothing_are_reported() {
    for (version, action, message) in [
        ("5.0", "gaussdbformysql:instance:lst", "did you mean \"gaussdbformysql:instance:list\"?"),
        ("5.0", "gaussdbformysql:backup:*", "unknown action"),
        ("5.0", "gaussdb:instance:deleteProcesses", "in version 5.0, use \"gaussdbformysql:instance:deleteProcesses\""),
        ("5.0", "gaussdb:*:*", "in version 5.0, use \"gaussdbformysql:"),
        ("1.1", "gaussdbformysql:instance:get", "in version 1.x, use \"gaussdb:instance:list\""),
        ("5.0", "ecs:*:*", "\"ecs\" is not a service of Clew"),
    ] {
        assert_warning(version, &json!({"Effect": "Allow", "Action": [action]}), ".Action[0]", message);
    }
}

#[test]
fn resources_of_other_services_are_reported() {
    let message = "matches no resource of Clew";
    for resource in ["gaussdb:*:*:instance:*", "gaussdbformysql:*:*:backup:*", "ecs:*:*:*:*"] {
        let statement = json!({"Effect": "Allow", "Action": ["gaussdbformysql:*:*"], "Resource": [resource]});
        assert_warning("5.0", &statement, ".Resource[0]", message);
    }
    let statement = json!({"Effect": "Allow", "Action": ["gaussdb:*:*"], "Resource": {"uri": ["/iam/x"]}});
    assert_warning("1.1", &statement, ".Resource.uri[0]", message);
}

#[test]
fn suspicious_keys_and_values_are_reported() {
    for (operator, key, value, message) in [
        ("Bool", "g:MFAPresent", "true", "Clew does not support the condition key"),
        ("NumberLessThan", "g:MFAAge", "60", "Clew does not support the condition key"),
        ("StringEquals", "g:SourceVpc", "x", "Clew does not support the condition key"),
        ("StringEquals", "g:SourceVpce", "x", "Clew does not support the condition key"),
        ("StringEquals", "g:PrincipalTag/a", "x", "Clew does not support the condition key"),
        ("StringEquals", "g:UserNam", "x", "did you mean \"g:UserName\"?"),
        ("StringEquals", "obs:prefix", "x", "unknown condition key"),
        ("StringEquals", "g:TagKeys", "x", "use ForAnyValue: or ForAllValues:"),
        ("StringEquals", "g:DomainName", "${g:UserName}", "does not support policy variables"),
    ] {
        let statement = json!({"Effect": "Deny", "Action": ["*"], "Condition": {operator: {key: value}}});
        assert_warning("5.0", &statement, &format!(".Condition.{operator}[{key:?}]"), message);
    }
}

#[test]
fn statements_with_unexpected_reach_are_reported() {
    let (modify, tagged) = ("gaussdbformysql:instance:modify*", json!({"StringEquals": {"g:ResourceTag/a": "x"}}));
    let each_key = json!({"ForAllValues:StringEquals": {"g:TagKeys": "x"}});
    for (statement, message) in [
        (json!({"Effect": "Allow", "Action": ["*"], "Condition": each_key}), "is also true if the key is missing"),
        (json!({"Effect": "Allow", "NotAction": ["gaussdbformysql:instance:list"]}), "allows every other action"),
        (
            json!({"Effect": "Allow", "Action": [modify], "Resource": ["gaussdbformysql:*:*:instance:*"]}),
            "the statement never matches",
        ),
        (json!({"Effect": "Allow", "Action": [modify], "Condition": tagged}), "the statement never matches"),
    ] {
        assert_warning("5.0", &statement, "", message);
    }
}

#[test]
fn ordinary_statements_have_no_warnings() {
    for (version, statement) in [
        ("5.0", json!({"Effect": "Allow", "Action": ["*"], "Resource": ["*"]})),
        (
            "5.0",
            json!({"Effect": "Deny", "NotAction": ["gaussdbformysql:*:get*"], "Resource": ["gaussdbformysql:*:*:instance:*"]}),
        ),
        (
            "5.0",
            json!({"Effect": "Allow", "Action": ["clew:audit:list"], "Condition": {"IpAddress": {"g:SourceIp": "10.0.0.0/8"}}}),
        ),
        (
            "5.0",
            json!({"Effect": "Deny", "Action": ["*"], "Condition": {"ForAllValues:StringEquals": {"g:TagKeys": ["x"]}}}),
        ),
        (
            "1.1",
            json!({"Effect": "allow", "Action": ["gaussdb:*:*"], "Condition": {"StringEquals": {"g:resourcetag/A": "x"}}}),
        ),
    ] {
        assert_eq!(warnings(version, &statement), Vec::<String>::new(), "{statement}");
    }
}

#[test]
fn depends_is_reported() {
    let document = r#"{"Version":"1.0","Depends":[],"Statement":[{"Effect":"Allow","Action":["gaussdb:*:*"]}]}"#;
    let policy = Policy::parse(document).unwrap();
    assert_eq!(
        policy.warnings()[0].to_string(),
        "1:28: $.Depends: Depends is ignored; also attach the roles that it lists"
    );
}
