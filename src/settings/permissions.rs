//! The bounds of an account for those who send with it: the number of recipients, which recipients,
//! which users of the submission service, and how many messages an hour.

use crate::config::Sender;
use crate::ownership::Caller;
use crate::text::Mailbox;

/// The bounds of an account for what is sent with it. Those of users hold for callers of the
/// submission service only: a user who reads the configuration could pass them by.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// The most recipients of a message, aliases resolved.
    pub max_recipients: Option<usize>,
    /// The addresses and domains that recipients must have, aliases resolved.
    pub recipients: Option<Vec<Sender>>,
    /// The users who may send, by name or number; `None` if users are not restricted.
    pub users: Option<Vec<String>>,
    /// The groups whose users may send, by name or number; to be in one list is enough.
    pub groups: Option<Vec<String>>,
    /// The most messages of each user within an hour.
    pub max_per_hour: Option<usize>,
}

/// The reason why an account does not send a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// The message has too many recipients.
    #[error("{found} recipients, and this account allows {most} (`max-recipients`)")]
    TooMany {
        /// The number of recipients.
        found: usize,
        /// The most that are allowed.
        most: usize,
    },
    /// A recipient is not among those that are allowed.
    #[error("this account does not send to {0} (`recipients`)")]
    Recipient(Mailbox),
    /// The user may not send with the account.
    #[error("user {0} may not send with this account (`allow-users`, `allow-groups`)")]
    User(String),
    /// The user has sent too many messages.
    #[error("user {user} has sent {most} messages within an hour (`max-per-hour`): wait {wait}")]
    TooOften {
        /// The user.
        user: String,
        /// The most that are allowed.
        most: usize,
        /// The time until there is room again, in words.
        wait: String,
    },
}

impl Permissions {
    /// Checks the recipients of a message.
    ///
    /// # Errors
    ///
    /// Returns an error if there are too many, or one of them is not allowed.
    pub fn check_recipients(&self, recipients: &[Mailbox]) -> Result<(), NotPermitted> {
        if let Some(most) = self.max_recipients.filter(|most| recipients.len() > *most) {
            return Err(NotPermitted::TooMany { found: recipients.len(), most });
        }
        let Some(allowed) = &self.recipients else { return Ok(()) };
        let is_allowed = |mailbox: &&Mailbox| allowed.iter().any(|known| matches(known, mailbox));
        match recipients.iter().find(|mailbox| !is_allowed(mailbox)) {
            Some(mailbox) => Err(NotPermitted::Recipient(mailbox.clone())),
            None => Ok(()),
        }
    }

    /// Checks a caller of the submission service.
    ///
    /// # Errors
    ///
    /// Returns an error if users or groups are restricted and none of them is the caller's.
    pub fn check_caller(&self, caller: &Caller) -> Result<(), NotPermitted> {
        let (users, groups) = (&self.users, &self.groups);
        let is_restricted = users.is_some() || groups.is_some();
        let is_user = || users.iter().flatten().any(|user| caller.is_user(user));
        let is_in_group = || groups.iter().flatten().any(|group| caller.is_in_group(group));
        if !is_restricted || is_user() || is_in_group() {
            Ok(())
        } else {
            Err(NotPermitted::User(caller.to_string()))
        }
    }
}

/// Returns whether an address is the one that is allowed, or of the domain that is. A +tag or a
/// subdomain is another address.
fn matches(allowed: &Sender, mailbox: &Mailbox) -> bool {
    let own = allowed.address();
    own.domain().eq_ignore_ascii_case(mailbox.domain())
        && match allowed {
            Sender::Anybody(_) => true,
            Sender::Mailbox(_) => own.local_part() == mailbox.local_part(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailboxes(list: &[&str]) -> Vec<Mailbox> {
        list.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn recipients_are_allowed_by_address_and_domain_and_number() {
        let allowed = ["*@site.example", "ann@other.example"];
        let allowed = allowed.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let permissions = Permissions {
            recipients: Some(allowed),
            max_recipients: Some(2),
            ..Permissions::default()
        };
        let check = |list: &[&str]| permissions.check_recipients(&mailboxes(list));
        assert_eq!(check(&["x@Site.Example", "ann@OTHER.example"]), Ok(()));
        for wrong in [
            "bob@other.example",
            "Ann@other.example",
            "ann+x@other.example",
            "x@a.site.example",
            "x@site.example.evil",
            "\"x@site.example\"@evil",
            "x@[127.0.0.1]",
        ] {
            let refused = NotPermitted::Recipient(wrong.parse().unwrap());
            assert_eq!(check(&["x@site.example", wrong]), Err(refused), "{wrong}");
        }
        let three = ["a@site.example", "b@site.example", "c@site.example"];
        assert_eq!(check(&three), Err(NotPermitted::TooMany { found: 3, most: 2 }));
        assert_eq!(Permissions::default().check_recipients(&mailboxes(&three)), Ok(()));
    }

    #[test]
    fn an_empty_list_allows_no_caller_and_one_of_both_lists_is_enough() {
        let ann = Caller { uid: 54_321, gid: 54_322, name: None };
        let list = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
        let check = |users, groups| {
            Permissions { users, groups, ..Permissions::default() }.check_caller(&ann).is_ok()
        };
        assert!(check(None, None) && check(list(&["0", "54321"]), None));
        assert!(check(list(&["root"]), list(&["54322"])) && check(None, list(&["54322"])));
        assert!(!check(list(&[]), None) && !check(None, list(&["root"])));
        assert!(!check(list(&["root"]), list(&["root"])));
    }
}
