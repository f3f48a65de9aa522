//! Condition operators and the values that they accept.

use serde_json::json;

use super::{assert_accepted, assert_rejected, document_with, only_error};

#[test]
fn operators_reject_values_of_other_types() {
    for (operator, right, wrong) in [
        (
            "NumberEquals",
            vec!["1", "-1.5", "+0.25"],
            vec!["", "x", "1e3", "0x1", "NaN", "inf", "1.", ".5", "1234567890123456"],
        ),
        (
            "DateLessThan",
            vec!["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+02:00"],
            vec!["", "2026-01-01", "1767225600", "2026-13-01T00:00:00Z"],
        ),
        ("Bool", vec!["true", "False"], vec!["", "yes", "1"]),
        ("Null", vec!["true", "FALSE"], vec!["", "null"]),
        (
            "IpAddress",
            vec!["10.0.0.1", "10.0.0.0/8", "::/0", "2001:db8::1"],
            vec!["", "10.0.0.0/33", "10.0.0", "host", "10.0.0.0/-1", "::/129"],
        ),
    ] {
        let with =
            |value: &str| json!({"Effect": "Allow", "Action": ["*"], "Condition": {operator: {"g:UserName": value}}});
        for value in right {
            assert_accepted("5.0", &with(value));
        }
        for value in wrong {
            assert_rejected(
                "5.0",
                &with(value),
                &format!(".Condition.{operator}[\"g:UserName\"]"),
                &format!("{operator} requires"),
            );
        }
    }
}

#[test]
fn unknown_operators_are_rejected() {
    let with =
        |operator: &str| json!({"Effect": "Allow", "Action": ["*"], "Condition": {operator: {"g:UserName": "true"}}});
    for operator in
        ["StringEqualsIfExists", "ForAnyValue:StringNotMatch", "ForAllValues:StringEndWithIfExists", "ForAnyValue:Bool"]
    {
        assert_accepted("5.0", &with(operator));
    }
    for (operator, hint) in [
        ("StringLike", "did you mean"),
        ("NumericEquals", "did you mean \"NumberEquals\"?"),
        ("stringEquals", "did you mean \"StringEquals\"?"),
        ("ForEachValue:StringEquals", "unknown operator"),
        ("IfExistsStringEquals", "unknown operator"),
        ("StringEqualsIfExistsIfExists", "unknown operator"),
        ("ForAnyValue:ForAllValues:StringEquals", "unknown operator"),
        ("DateEquals", "unknown operator"),
        ("IfExists", "unknown operator"),
        ("", "unknown operator"),
        ("NullIfExists", "Null supports neither"),
        ("ForAnyValue:Null", "Null supports neither"),
    ] {
        let error = only_error(&document_with("5.0", &with(operator)));
        assert!(error.contains(hint), "{operator}: {error}");
    }
    for key in ["", "g:ResourceTag/"] {
        let condition = json!({"StringEquals": {key: "x"}});
        let statement = json!({"Effect": "Allow", "Action": ["*"], "Condition": condition});
        assert!(only_error(&document_with("5.0", &statement)).contains("is not a valid condition key"), "{key}");
    }
}
