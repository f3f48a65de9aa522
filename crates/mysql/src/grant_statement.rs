//! Formats `GRANT` statements that Clew suggests to the user but never executes.

/// Formats a `GRANT` statement.
/// `privilege` includes the object, such as `PROCESS ON *.*`. `account` has the form `user@host`.
pub(crate) fn grant_statement(privilege: &str, account: &str) -> String {
    format!("GRANT {privilege} TO {};", quote_account_name(account))
}

/// Converts `user@host` to a quoted SQL account name, such as `'user'@'host'`.
fn quote_account_name(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quote = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
    format!("'{}'@'{}'", quote(user), quote(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_account_is_valid_in_a_grant_statement() {
        assert_eq!(quote_account_name("clew@%"), "'clew'@'%'");
        assert_eq!(quote_account_name("o'brien@home@10.0.0.%"), "'o''brien@home'@'10.0.0.%'");
    }
}
