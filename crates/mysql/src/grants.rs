//! Parses the output of `SHOW GRANTS`.

/// Privileges and roles of an account. Revoked parts of global privileges are not considered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    /// Global privileges in upper case with underscores, such as `CONNECTION_ADMIN`.
    global: Vec<String>,
    /// Schemas on which the account has all privileges or SELECT. The names can contain the wildcards `%` and `_`.
    readable_schemas: Vec<String>,
    /// Granted roles. A role is not necessarily active.
    pub(crate) roles: Vec<RoleName>,
}

/// Quoted name of a role, such as `` `dba`@`%` ``, or `` `dba` `` on MariaDB. Can be inserted into a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleName(String);

impl RoleName {
    /// Returns `None` if `text` is not a quoted name: a watched server is not trusted to send valid SQL.
    fn parse(text: &str) -> Option<Self> {
        let rest = text.get(end_of_quoted_name(text)?..)?;
        let is_complete = match rest.strip_prefix('@') {
            Some(host) => end_of_quoted_name(host)? == host.len(),
            None => rest.is_empty(),
        };
        (is_complete && !text.contains(char::is_control)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the byte position after the name in backticks at the start of `text`.
fn end_of_quoted_name(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut position = 1;
    bytes.first().filter(|&&byte| byte == b'`')?;
    loop {
        position += bytes.get(position..)?.iter().position(|&byte| byte == b'`')? + 1;
        // A doubled backtick is part of the name.
        match bytes.get(position) {
            Some(b'`') => position += 1,
            _ => return Some(position),
        }
    }
}

const ALL_PRIVILEGES: &str = "ALL_PRIVILEGES";

impl Grants {
    pub(crate) fn parse(lines: &[String]) -> Self {
        let mut grants = Self::default();
        for line in lines {
            grants.add_line(line);
        }
        grants
    }

    fn add_line(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("GRANT ") else { return };
        let Some((granted, rest)) = split_at_keyword(rest, &[" ON ", " TO "]) else { return };
        let Some(object) = rest.strip_prefix(" ON ") else {
            self.roles.extend(split_at_commas(granted).filter_map(RoleName::parse));
            return;
        };
        let Some((object, _)) = split_at_keyword(object, &[" TO "]) else { return };
        let privileges: Vec<String> = split_at_commas(granted).map(normalize_privilege).collect();
        if object == "*.*" {
            self.global.extend(privileges);
        } else if let Some((schema, ".*")) = split_at_keyword(object, &["."])
            && privileges.iter().any(|privilege| privilege == "SELECT" || privilege == ALL_PRIVILEGES)
        {
            self.readable_schemas.push(unquote(schema));
        }
    }

    /// `privilege` is in upper case with underscores.
    pub(crate) fn has_global_privilege(&self, privilege: &str) -> bool {
        self.global.iter().any(|granted| granted == privilege || granted == ALL_PRIVILEGES)
    }

    /// `privilege` has the form `PROCESS ON *.*` or `SELECT ON schema.*`.
    pub(crate) fn include(&self, privilege: &str) -> bool {
        match privilege.split_once(" ON ") {
            Some((privilege, "*.*")) => self.has_global_privilege(&normalize_privilege(privilege)),
            Some((_, schema)) => self.can_read_schema(schema.trim_end_matches(".*")),
            None => false,
        }
    }

    fn can_read_schema(&self, schema: &str) -> bool {
        self.has_global_privilege("SELECT") || self.readable_schemas.iter().any(|readable| readable == schema)
    }
}

/// `CONNECTION ADMIN` of MariaDB and `CONNECTION_ADMIN` of MySQL become equal.
pub(crate) fn normalize_privilege(privilege: &str) -> String {
    privilege.trim().to_ascii_uppercase().replace(' ', "_")
}

fn unquote(name: &str) -> String {
    let inner = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(name);
    // `SHOW GRANTS` escapes wildcards that belong to the name.
    inner.replace("``", "`").replace("\\_", "_").replace("\\%", "%")
}

/// Splits at the first keyword outside of quotes. The second part starts with the keyword.
fn split_at_keyword<'a>(text: &'a str, keywords: &[&str]) -> Option<(&'a str, &'a str)> {
    unquoted_positions(text)
        .find(|&at| text.get(at..).is_some_and(|rest| keywords.iter().any(|keyword| rest.starts_with(keyword))))
        .and_then(|at| text.split_at_checked(at))
}

/// Splits at commas outside of quotes and parentheses. Column lists of privileges are in parentheses.
fn split_at_commas(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let mut commas = Vec::new();
    for at in unquoted_positions(text) {
        match text.as_bytes().get(at) {
            Some(b'(') => depth += 1,
            Some(b')') => depth = depth.saturating_sub(1),
            Some(b',') if depth == 0 => commas.push(at),
            _ => {}
        }
    }
    let starts = std::iter::once(0).chain(commas.clone().into_iter().map(|comma| comma + 1));
    let ends = commas.into_iter().chain(std::iter::once(text.len()));
    starts.zip(ends).filter_map(|(start, end)| text.get(start..end)).map(str::trim)
}

/// Returns the byte positions of ASCII characters outside of backticks and single quotes.
fn unquoted_positions(text: &str) -> impl Iterator<Item = usize> {
    let mut quote = None;
    text.bytes().enumerate().filter_map(move |(at, byte)| match (quote, byte) {
        (None, b'`' | b'\'') => {
            quote = Some(byte);
            None
        }
        (None, _) => byte.is_ascii().then_some(at),
        (Some(open), _) => {
            // A doubled quote closes and opens the quoted text again.
            if open == byte {
                quote = None;
            }
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Grants {
        Grants::parse(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn global_privileges_are_names_and_not_text() {
        let grants = parse(&[
            "GRANT USAGE ON *.* TO `superapp`@`%` IDENTIFIED BY PASSWORD '*SUPER'",
            "GRANT ALL PRIVILEGES ON `super`.* TO `superapp`@`%`",
            "GRANT SERVICE_CONNECTION_ADMIN,`odd, ON *.*` ON *.* TO `superapp`@`%`",
        ]);
        assert!(!grants.has_global_privilege("SUPER"));
        assert!(!grants.has_global_privilege("CONNECTION_ADMIN"));
        assert!(grants.has_global_privilege("SERVICE_CONNECTION_ADMIN"));
        assert!(grants.can_read_schema("super") && !grants.can_read_schema("performance_schema"));
    }

    #[test]
    fn privileges_of_both_flavors_have_equal_names() {
        for line in [
            "GRANT PROCESS, CONNECTION ADMIN ON *.* TO `clew`@`%` WITH GRANT OPTION",
            "GRANT CONNECTION_ADMIN ON *.* TO 'clew'@'%'",
            "GRANT ALL PRIVILEGES ON *.* TO 'clew'@'%' WITH GRANT OPTION",
        ] {
            assert!(parse(&[line]).has_global_privilege("CONNECTION_ADMIN"), "{line}");
        }
    }

    #[test]
    fn roles_are_separate_from_privileges() {
        let grants = parse(&[
            "GRANT `dba`@`%`,`on ON *.* TO`@`%` TO `clew`@`%`",
            "GRANT SELECT (`a`, `b`), INSERT ON `performance_schema`.`threads` TO `clew`@`%`",
            "GRANT SELECT ON `performance\\_schema`.* TO `clew`@`%`",
            "REVOKE SELECT ON `mysql`.* FROM `clew`@`%`",
            "SET DEFAULT ROLE `dba` FOR `clew`@`%`",
            "GRANT PROXY ON ''@'' TO 'clew'@'%'",
            "GRANT",
            "",
        ]);
        let roles: Vec<&str> = grants.roles.iter().map(RoleName::as_str).collect();
        assert_eq!(roles, ["`dba`@`%`", "`on ON *.* TO`@`%`"]);
        assert!(grants.global.is_empty() && grants.can_read_schema("performance_schema"));
    }

    #[test]
    fn role_name_of_a_hostile_server_is_ignored() {
        for name in ["`dba`@`%`", "`dba`", "`a``b`@`10.0.0.%`", "`角色`", "``"] {
            assert_eq!(RoleName::parse(name).as_ref().map(RoleName::as_str), Some(name));
        }
        let hostile =
            ["", "`", "dba", "`dba", "`dba`; DROP USER `clew`", "`dba`@`%` TO `x`", "`dba`@", "`a``", "`a\u{1b}[2J`"];
        for name in hostile {
            assert_eq!(RoleName::parse(name), None, "{name}");
        }
    }
}
