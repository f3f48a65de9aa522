//! Determines the audit actor for a command: the local operating system account.

use clew_model::AuditOrigin;

const MAX_SUDO_USER_NAME_CHARS: usize = 64;

/// The account is determined from the process's user id, because environment variables can be forged.
/// For root, the audit origin also contains the value of `SUDO_USER`.
pub(crate) fn audit_origin_for_local_account() -> AuditOrigin {
    let id = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = find_account_name_by_uid(&accounts, &id).map_or_else(|| format!("uid {id}"), str::to_owned);
    let sudo_user = std::env::var("SUDO_USER").ok().filter(|_| id == "0");
    AuditOrigin::for_local_account(match sudo_user.as_deref().and_then(sanitize_sudo_user_name) {
        Some(user) => format!("{account} (sudo by {user})"),
        None => account,
    })
}

fn sanitize_sudo_user_name(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_SUDO_USER_NAME_CHARS).collect();
    (!name.is_empty()).then_some(name)
}

/// `accounts` has the format of `/etc/passwd`.
fn find_account_name_by_uid<'a>(accounts: &'a str, id: &str) -> Option<&'a str> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_is_found_by_user_id() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\n\nodd\ndba:x:10:0::/:/bin/false\n";
        assert_eq!(find_account_name_by_uid(accounts, "10"), Some("dba"));
        assert_eq!(find_account_name_by_uid(accounts, "0"), Some("root"));
        assert_eq!(find_account_name_by_uid(accounts, "1"), None);
    }
}
