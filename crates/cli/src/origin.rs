//! Who is at the command line, for the audit.

use clew_model::Origin;

/// Most characters of a name that the environment tells.
const NAME_LENGTH: usize = 64;

/// The account of the operating system that runs this process. What the environment says of it does not count; but to root it
/// tells who became root by sudo.
pub(crate) fn local() -> Origin {
    let id = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = account(&accounts, &id).map_or_else(|| format!("uid {id}"), str::to_owned);
    let sudo_user = std::env::var("SUDO_USER").ok().filter(|_| id == "0");
    Origin::local(match sudo_user.as_deref().and_then(clean) {
        Some(user) => format!("{account} (sudo by {user})"),
        None => account,
    })
}

fn clean(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_LENGTH).collect();
    (!name.is_empty()).then_some(name)
}

/// Name of the account with this id.
fn account<'a>(accounts: &'a str, id: &str) -> Option<&'a str> {
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
    fn an_account_is_found_by_its_id_alone() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\n\nodd\ndba:x:10:0::/:/bin/false\n";
        assert_eq!(account(accounts, "10"), Some("dba"));
        assert_eq!(account(accounts, "0"), Some("root"));
        assert_eq!(account(accounts, "1"), None);
    }
}
