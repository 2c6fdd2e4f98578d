//! Users and their e-mail addresses.

use super::{id::UserId, string_enum::string_enum, time::Timestamp};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// The longest e-mail address (RFC 5321, section 4.5.3.1.3, without the angle brackets).
const MAX_EMAIL_LENGTH: usize = 254;

/// Whether a user may log in and act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserStatus {
    /// The user may log in and act.
    Active,
    /// The user may not, and all sessions and API keys of the user are refused from the next request on.
    Disabled,
}

string_enum!(UserStatus { Active "active", Disabled "disabled" });

/// An e-mail address in the form that is stored and compared: NFC, lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Parses an RFC 5322 address without display name or comment, and normalises it.
    pub fn parse(text: &str) -> Option<Self> {
        // ASCII is in NFC.
        let normal =
            if text.is_ascii() { text.to_ascii_lowercase() } else { text.nfc().collect::<String>().to_lowercase() };
        let plain = email_address::Options::default().without_display_text().with_required_tld();
        let valid = normal.len() <= MAX_EMAIL_LENGTH
            && !normal.chars().any(|c| c.is_whitespace() || c.is_control())
            && (email_address::EmailAddress::parse_with_options(&normal, plain).is_ok());
        valid.then_some(Self(normal))
    }

    /// The normalised address.
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
    /// The identifier of the user.
    pub id: UserId,
    /// Unique among all users; none once it is erased.
    pub email: Option<Email>,
    /// The name to display; none once it is erased.
    pub name: Option<String>,
    /// The name of the user's role.
    pub role: String,
    /// Whether the user may log in and act.
    pub status: UserStatus,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// Whether a log-in needs a code besides the password.
    pub second_factor: bool,
    /// The time of the last log-in, if there was one.
    pub last_login_at: Option<Timestamp>,
}

/// A filter of users. A user passes who meets every condition; an absent condition is met by all.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names say it where there is no comment")]
pub struct UserFilter {
    pub email: Option<Email>,
    pub role: Option<String>,
    pub status: Option<UserStatus>,
    /// This text is part of the name or the address. Case does not matter.
    pub text: Option<String>,
}

impl User {
    /// The address as text; empty once it is erased.
    pub fn address(&self) -> &str {
        self.email.as_ref().map_or("", Email::as_str)
    }

    /// The name; empty once it is erased.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Email;

    #[test]
    fn addresses_are_normalised() {
        assert_eq!(Email::parse("Ada@Example.COM").unwrap().as_str(), "ada@example.com");
        assert_eq!(Email::parse("jose\u{301}@example.com"), Email::parse("jos\u{e9}@example.com"));
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for text in ["", "ada", "@example.com", "ada@", "Ada <ada@example.com>", "a da@example.com", "ada@x.com\n"] {
            assert_eq!(Email::parse(text), None, "{text:?}");
        }
        assert_eq!(Email::parse(&format!("{}@example.com", "a".repeat(250))), None);
    }
}
