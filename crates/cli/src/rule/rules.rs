//! A file of rules.

use std::collections::BTreeMap;

use clew_diagnose::KillRule;
use clew_model::{HostPattern, KillCriteria};
use serde::Deserialize;
use toml::{Spanned, Value};

/// Keys that a rule may have.
const KEYS: [&str; 8] = ["name", "user", "host", "db", "command", "sql", "seconds", "include_unsafe"];
/// What a file holds.
const TABLE: &str = "rule";

/// A rule and its name.
#[derive(Debug)]
#[allow(clippy::struct_field_names, reason = "the rule itself, and what belongs to it")]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) rule: KillRule,
    /// Whether it matches every user session: the only criterion is `seconds`.
    pub(super) is_duration_only: bool,
    /// Whether sessions are killed too whose end can damage a table without transactions.
    pub(super) include_unsafe: bool,
}

/// Keys with their values, each with its place.
type Fields = BTreeMap<Spanned<String>, Spanned<Value>>;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<Fields>>,
}

/// The rules of a file. What is wrong is told with its line.
pub(super) fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let readable = |error: toml::de::Error| error.to_string().trim_end().to_owned();
    let tables: BTreeMap<Spanned<String>, Value> = toml::from_str(text).map_err(readable)?;
    if let Some(unknown) = tables.keys().find(|key| key.get_ref() != TABLE) {
        return Err(format!("{}: {}", line(text, unknown.span().start), unknown_key(unknown.get_ref(), &[TABLE])));
    }
    let file: File = toml::from_str(text).map_err(readable)?;
    if file.rule.is_empty() {
        return Err("it has no rule; a rule begins with [[rule]]".to_owned());
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(file.rule.len());
    for (at, fields) in file.rule.iter().enumerate() {
        let rule = rule(text, at + 1, fields)?;
        if rules.iter().any(|before| before.name == rule.name) {
            let place = line(text, fields.span().start);
            return Err(format!("{place}: there is a rule with the name {:?} already", rule.name));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn rule(text: &str, number: usize, fields: &Spanned<Fields>) -> Result<Rule, String> {
    let (mut texts, mut seconds, mut include_unsafe) = (BTreeMap::<&str, String>::new(), None, false);
    for (key, value) in fields.get_ref() {
        let place = || line(text, key.span().start);
        let Some(known) = KEYS.into_iter().find(|known| known == key.get_ref()) else {
            return Err(format!("{}: {}", place(), unknown_key(key.get_ref(), &KEYS)));
        };
        match value.get_ref() {
            Value::Integer(given) if known == "seconds" => {
                let max = KillCriteria::MAX_SECONDS;
                let fits = u32::try_from(*given).ok().filter(|given| (1..=max).contains(given));
                seconds =
                    Some(fits.ok_or_else(|| format!("{}: seconds cannot be {given}; it is 1 to {max}", place()))?);
            }
            Value::Boolean(given) if known == "include_unsafe" => include_unsafe = *given,
            _ if known == "include_unsafe" => {
                return Err(format!("{}: include_unsafe must be true or false", place()));
            }
            Value::String(given) if known != "seconds" && !given.is_empty() => {
                texts.insert(known, given.clone());
            }
            Value::String(_) if known != "seconds" => {
                return Err(format!("{}: {known} is empty; leave it out if it does not matter", place()));
            }
            _ => {
                let wanted = if known == "seconds" { "a whole number" } else { "a text in quotes" };
                return Err(format!("{}: {known} must be {wanted}", place()));
            }
        }
    }
    let name = texts.remove("name").unwrap_or_else(|| format!("rule {number}"));
    let Some(seconds) = seconds else {
        let place = line(text, fields.span().start);
        return Err(format!("{place}: seconds is missing in the rule {name:?}: from when on does it kill?"));
    };
    let criteria = KillCriteria {
        user: texts.remove("user"),
        host: texts.remove("host").map(|host| HostPattern::parse(&host)),
        database: texts.remove("db"),
        command: texts.remove("command"),
        sql_key: texts.remove("sql"),
        seconds,
        include_unsafe,
    };
    Ok(Rule { name, rule: KillRule::new(&criteria), is_duration_only: criteria.is_duration_only(), include_unsafe })
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let distance = |known: &&&str| strsim::damerau_levenshtein(known, key);
    let near = known.iter().min_by_key(distance).filter(|near| distance(near) <= (key.chars().count() / 2).max(1));
    match near {
        Some(near) => format!("{key} is not known; did you mean {near}?"),
        None => format!("{key} is not known; known are {}", known.join(", ")),
    }
}

fn line(text: &str, at: usize) -> String {
    format!("line {}", text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use clew_model::Session;

    use super::*;

    #[test]
    fn a_rule_means_what_it_says() {
        let text = "[[rule]]\nname = \"a\"\nuser = \"app\"\nhost = \"h\"\ndb = \"d\"\ncommand = \"query\"\nsql = \"X\"\nseconds = 5\n\
                    [[rule]]\nseconds = 1";
        let rules = parse(text).unwrap();
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
    fn what_is_wrong_is_told_with_its_line() {
        for (text, wrong) in [
            ("", "it has no rule"),
            ("[[rule]]\nname = \"a\"", "line 1: seconds is missing in the rule \"a\""),
            ("\n[[rules]]\nseconds = 1", "line 2: rules is not known; did you mean rule?"),
            ("[[rule]]\nseconds = 1\nusr = \"app\"", "line 3: usr is not known; did you mean user?"),
            ("[[rule]]\nseconds = 1\ncolour = 1", "line 3: colour is not known; known are name, user"),
            ("[[rule]]\nseconds = 0", "line 2: seconds cannot be 0; it is 1 to 2147483647"),
            ("[[rule]]\nseconds = 2147483648", "line 2: seconds cannot be 2147483648"),
            ("[[rule]]\nseconds = \"1\"", "line 2: seconds must be a whole number"),
            ("[[rule]]\nseconds = 1\nuser = 7", "line 3: user must be a text in quotes"),
            ("[[rule]]\nseconds = 1\nuser = \"\"", "line 3: user is empty"),
            ("[[rule]]\nseconds = 1\nseconds = 2", "line 3"),
            ("[[rule]]\nseconds = ", "line 2"),
            ("[rule]\nseconds = 1", "line 1"),
            (
                "[[rule]]\nname=\"a\"\nseconds=1\n[[rule]]\nname=\"a\"\nseconds=1",
                "line 4: there is a rule with the name \"a\"",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(wrong), "{text:?}: {error}");
        }
    }
}
