//! Users: what an e-mail address and a name may be, and whether a user may act.

use super::{id::UserId, string_enum::string_enum, time::Timestamp};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// The longest e-mail address (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const EMAIL_LENGTH: usize = 254;

/// Whether a user may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStatus {
    /// May log in and act.
    Active,
    /// May not, from the next request on.
    Disabled,
}

string_enum!(UserStatus { Active "active", Disabled "disabled" });

/// An e-mail address in the one spelling that is stored and compared: NFC, lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Reads an address of the form of RFC 5322, without display name or comment.
    pub fn parse(text: &str) -> Option<Self> {
        let normal: String = text.nfc().collect::<String>().to_lowercase();
        let plain = email_address::Options::default().without_display_text().with_required_tld();
        let valid = normal.len() <= EMAIL_LENGTH
            && !normal.chars().any(|c| c.is_whitespace() || c.is_control())
            && (email_address::EmailAddress::parse_with_options(&normal, plain).is_ok());
        valid.then_some(Self(normal))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Its identifier.
    pub id: UserId,
    /// Unique among all users.
    pub email: Email,
    /// What to call them.
    pub name: String,
    /// The name of their role.
    pub role: String,
    /// Whether they may act.
    pub status: UserStatus,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::Email;

    #[test]
    fn addresses_are_compared_in_one_spelling() {
        assert_eq!(Email::parse("Ada@Example.COM").unwrap().as_str(), "ada@example.com");
        assert_eq!(Email::parse("jose\u{301}@example.com"), Email::parse("jos\u{e9}@example.com"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "ada", "@example.com", "ada@", "Ada <ada@example.com>", "a da@example.com", "ada@x.com\n"] {
            assert_eq!(Email::parse(text), None, "{text:?}");
        }
        assert_eq!(Email::parse(&format!("{}@example.com", "a".repeat(250))), None);
    }
}
