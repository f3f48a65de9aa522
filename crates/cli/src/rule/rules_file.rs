//! Parses TOML files with kill rules.

use std::collections::BTreeMap;

use clew_diagnose::KillRule;
use clew_model::{ClientAddressFilter, KillCriteria};
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::configuration::format_toml_error;
use crate::value_parsers::format_unknown_key_message;

const VALID_RULE_KEYS: [&str; 8] = ["name", "user", "host", "db", "command", "sql", "seconds", "include_unsafe"];
const RULE_TOML_TABLE_NAME: &str = "rule";

#[derive(Debug)]
#[allow(clippy::struct_field_names, reason = "the field holds the rule itself")]
pub(super) struct NamedKillRule {
    pub(super) name: String,
    pub(super) rule: KillRule,
    pub(super) has_only_duration_criterion: bool,
    /// Allows kills that can damage a non-transactional table.
    pub(super) include_unsafe: bool,
}

type SpannedFields = BTreeMap<Spanned<String>, Spanned<Value>>;

#[derive(Deserialize)]
struct RulesFile {
    #[serde(default)]
    rule: Vec<Spanned<SpannedFields>>,
}

pub(super) fn parse_rules(text: &str) -> Result<Vec<NamedKillRule>, String> {
    let tables: BTreeMap<Spanned<String>, Value> = toml::from_str(text).map_err(|error| format_toml_error(&error))?;
    if let Some(unknown) = tables.keys().find(|key| key.get_ref() != RULE_TOML_TABLE_NAME) {
        let line = format_line_number(text, unknown.span().start);
        return Err(format!("{line}: {}", format_unknown_key_message(unknown.get_ref(), &[RULE_TOML_TABLE_NAME])));
    }
    let file: RulesFile = toml::from_str(text).map_err(|error| format_toml_error(&error))?;
    if file.rule.is_empty() {
        return Err("the file has no rules; a rule begins with [[rule]]".to_owned());
    }
    let mut rules: Vec<NamedKillRule> = Vec::with_capacity(file.rule.len());
    for (index, fields) in file.rule.iter().enumerate() {
        let rule = parse_rule(text, index + 1, fields)?;
        if rules.iter().any(|previous| previous.name == rule.name) {
            let line = format_line_number(text, fields.span().start);
            return Err(format!("{line}: duplicate rule name {:?}", rule.name));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn parse_rule(text: &str, number: usize, fields: &Spanned<SpannedFields>) -> Result<NamedKillRule, String> {
    let (mut texts, mut seconds, mut include_unsafe) = (BTreeMap::<&str, String>::new(), None, false);
    for (key, value) in fields.get_ref() {
        let line = format_line_number(text, key.span().start);
        let Some(name) = VALID_RULE_KEYS.into_iter().find(|valid| valid == key.get_ref()) else {
            return Err(format!("{line}: {}", format_unknown_key_message(key.get_ref(), &VALID_RULE_KEYS)));
        };
        match value.get_ref() {
            Value::Integer(number) if name == "seconds" => {
                let max = KillCriteria::MAX_DURATION_CRITERION_SECONDS;
                let valid = u32::try_from(*number).ok().filter(|number| (1..=max).contains(number));
                seconds = Some(valid.ok_or_else(|| format!("{line}: seconds must be 1 to {max}, not {number}"))?);
            }
            Value::Boolean(enabled) if name == "include_unsafe" => include_unsafe = *enabled,
            _ if name == "include_unsafe" => {
                return Err(format!("{line}: include_unsafe must be true or false"));
            }
            Value::String(string) if name != "seconds" && !string.is_empty() => {
                texts.insert(name, string.clone());
            }
            Value::String(_) if name != "seconds" => {
                return Err(format!("{line}: {name} is empty; remove the key to match any value"));
            }
            _ => {
                let expected = if name == "seconds" { "an integer" } else { "a string" };
                return Err(format!("{line}: {name} must be {expected}"));
            }
        }
    }
    let name = texts.remove("name").unwrap_or_else(|| format!("rule {number}"));
    let Some(seconds) = seconds else {
        let line = format_line_number(text, fields.span().start);
        return Err(format!("{line}: the rule {name:?} has no seconds; set the minimum duration in seconds"));
    };
    let criteria = KillCriteria {
        user: texts.remove("user"),
        host: texts.remove("host").map(|host| ClientAddressFilter::parse(&host)),
        database: texts.remove("db"),
        command: texts.remove("command"),
        sql_key: texts.remove("sql"),
        seconds,
        include_unsafe,
    };
    Ok(NamedKillRule {
        name,
        rule: KillRule::new(&criteria),
        has_only_duration_criterion: criteria.has_only_duration_criterion(),
        include_unsafe,
    })
}

fn format_line_number(text: &str, offset: usize) -> String {
    format!("line {}", text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use clew_model::Session;

    use super::*;

    #[test]
    fn every_criterion_of_a_rule_is_applied() {
        let text = "[[rule]]\nname = \"a\"\nuser = \"app\"\nhost = \"h\"\ndb = \"d\"\ncommand = \"query\"\nsql = \"X\"\nseconds = 5\n\
                    [[rule]]\nseconds = 1";
        let rules = parse_rules(text).unwrap();
        assert_eq!(rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["a", "rule 2"]);
        let session = Session {
            id: 1,
            user: b"app".to_vec(),
            host: b"h:1".to_vec(),
            database: Some(b"d".to_vec()),
            command: b"Query".to_vec(),
            seconds: 5,
            state: None,
            statement: Some(b"select x".to_vec()),
        };
        assert!(rules.iter().all(|rule| rule.rule.matches(&session)));
        for other in [
            Session { user: b"web".to_vec(), ..session.clone() },
            Session { host: b"i:1".to_vec(), ..session.clone() },
            Session { database: None, ..session.clone() },
            Session { command: b"Sleep".to_vec(), ..session.clone() },
            Session { statement: None, ..session.clone() },
            Session { seconds: 4, ..session.clone() },
        ] {
            assert!(!rules[0].rule.matches(&other), "{other:?}");
            assert!(rules[1].rule.matches(&other), "{other:?}");
        }
    }

    #[test]
    fn errors_contain_the_line_number() {
        for (text, expected) in [
            ("", "the file has no rules"),
            ("[[rule]]\nname = \"a\"", "line 1: the rule \"a\" has no seconds"),
            ("\n[[rules]]\nseconds = 1", "line 2: unknown key rules; did you mean rule?"),
            ("[[rule]]\nseconds = 1\nusr = \"app\"", "line 3: unknown key usr; did you mean user?"),
            ("[[rule]]\nseconds = 1\ncolor = 1", "line 3: unknown key color; valid keys: name, user"),
            ("[[rule]]\nseconds = 0", "line 2: seconds must be 1 to 2147483647, not 0"),
            ("[[rule]]\nseconds = 2147483648", "line 2: seconds must be 1 to 2147483647, not 2147483648"),
            ("[[rule]]\nseconds = \"1\"", "line 2: seconds must be an integer"),
            ("[[rule]]\nseconds = 1\nuser = 7", "line 3: user must be a string"),
            ("[[rule]]\nseconds = 1\nuser = \"\"", "line 3: user is empty"),
            ("[[rule]]\nseconds = 1\nseconds = 2", "line 3"),
            ("[[rule]]\nseconds = ", "line 2"),
            ("[rule]\nseconds = 1", "line 1"),
            ("[[rule]]\nname=\"a\"\nseconds=1\n[[rule]]\nname=\"a\"\nseconds=1", "line 4: duplicate rule name \"a\""),
        ] {
            let error = parse_rules(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
