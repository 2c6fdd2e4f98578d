//! Rules for new passwords (NIST SP 800-63B-4, section 3.1.1.2): long, not common, and not words of the account. There
//! are no rules about kinds of characters and none about age.

use super::guessable;
use crate::error::{Fault, Field};
use std::fmt;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// The longest password, in Unicode characters after normalisation.
pub const MAX_LENGTH: usize = 256;
/// Normalisation cannot shorten a longer text to [`MAX_LENGTH`] characters, so it is rejected without normalising it.
const MAX_RAW_BYTES: usize = 16 * MAX_LENGTH;
/// Shorter words of an account are ignored: a password may contain them by chance.
const MIN_OWN_WORD: usize = 3;

/// The rules that the operator can configure.
#[derive(Clone, Copy, Debug)]
pub struct PasswordRules {
    /// The shortest password, in Unicode characters after normalisation.
    pub min_length: usize,
}

/// The account that a password is for. Its own words are no secret.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The account's e-mail address.
    pub email: &'a str,
    /// The user's name.
    pub name: &'a str,
}

/// A password that meets the rules, normalised. It prints as `***` and is wiped from memory when dropped.
pub struct AcceptedPassword(Zeroizing<String>);

impl AcceptedPassword {
    /// A password that was accepted when it was set, whatever the rules are now.
    pub(super) fn verified(normalized: Zeroizing<String>) -> Self {
        Self(normalized)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for AcceptedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PasswordRules {
    /// Checks `candidate` as a password for `owner`. Faults are those of `field`.
    ///
    /// # Errors
    /// A fault for every broken rule.
    pub fn check(&self, candidate: &str, owner: Owner<'_>, field: Field) -> Result<AcceptedPassword, Vec<Fault>> {
        let Some(password) = normalized(candidate) else {
            return Err(vec![Fault::new(field, "too_long", format!("must have at most {MAX_LENGTH} characters"))]);
        };
        let mut faults = vec![];
        if password.chars().count() < self.min_length {
            let detail = format!("must have at least {} characters", self.min_length);
            faults.push(Fault::new(field, "too_short", detail));
        }
        let variants = guessable::variants(&password);
        if own_words(owner).iter().any(|word| variants.contains(word)) {
            faults.push(Fault::new(field, "own_words", "must not be the e-mail address or the name"));
        }
        if guessable::is_common(&password, &variants) {
            faults.push(Fault::new(field, "common_password", "must not be one that is easily guessed"));
        }
        if faults.is_empty() { Ok(AcceptedPassword(password)) } else { Err(faults) }
    }
}

/// The normalised form (NFC) in which passwords are compared, so that it does not matter how a keyboard composes é.
/// `None` if the text is longer than any password.
pub(super) fn normalized(text: &str) -> Option<Zeroizing<String>> {
    if text.len() > MAX_RAW_BYTES {
        return None;
    }
    let normalized = Zeroizing::new(text.nfc().collect::<String>());
    (normalized.chars().count() <= MAX_LENGTH).then_some(normalized)
}

/// The address, its part before the @, the name and each word of the name; also without separators.
fn own_words(owner: Owner<'_>) -> Vec<String> {
    let local_part = owner.email.rsplit_once('@').map_or(owner.email, |(local, _)| local);
    let whole = [owner.email, local_part, owner.name];
    let joined = whole.map(|text| text.replace(|c: char| !c.is_alphanumeric(), ""));
    whole
        .into_iter()
        .chain(owner.name.split_whitespace())
        .chain(joined.iter().map(String::as_str))
        .map(|word| word.nfc().flat_map(char::to_lowercase).collect::<String>())
        .filter(|word| word.chars().count() >= MIN_OWN_WORD)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Owner<'static> = Owner { email: "Ada.King@example.com", name: "Ada Lovelace" };

    fn faults(min_length: usize, candidate: &str) -> Vec<&'static str> {
        match (PasswordRules { min_length }).check(candidate, ADA, Field::NewPassword) {
            Ok(_) => vec![],
            Err(faults) => faults.iter().map(|fault| fault.code).collect(),
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_has_two_bounds() {
        assert_eq!(faults(15, "fourteen chars"), ["too_short"]);
        assert_eq!(faults(15, "fifteen chars !"), [""; 0]);
        assert_eq!(faults(8, "naïve tö"), [""; 0]);
        assert_eq!(faults(9, "cafe\u{301} tea"), ["too_short"], "counted after normalisation");
        let longest: String = ('\u{4e00}'..).take(256).collect();
        assert_eq!(faults(15, &longest), [""; 0]);
        assert_eq!(faults(15, &format!("{longest}x")), ["too_long"]);
        assert_eq!(faults(15, &"x".repeat(1 << 20)), ["too_long"]);
    }

    #[test]
    fn there_are_no_composition_rules() {
        for good in ["tea at four o'clock", "im garten sitzt ein esel", "жил-был у бабушки", "  spaces count  "]
        {
            assert_eq!(faults(15, good), [""; 0], "{good}");
        }
    }

    #[test]
    fn the_words_of_the_account_are_refused_in_any_disguise() {
        for bad in [
            "ada.king@example.com",
            "ADA.KING@EXAMPLE.COM!!",
            "adaking123456789",
            "ada.kingada.king",
            "Ada Lovelace 1815",
            "adalovelace1815!",
            "lovelacelovelace",
        ] {
            assert_eq!(faults(15, bad), ["own_words"], "{bad}");
        }
        assert_eq!(faults(15, "the countess of computing"), [""; 0]);
    }

    #[test]
    fn every_broken_rule_is_a_fault() {
        let faults = PasswordRules { min_length: 15 }.check("password", ADA, Field::NewPassword).unwrap_err();
        assert_eq!(faults[0], Fault::new(Field::NewPassword, "too_short", "must have at least 15 characters"));
        assert_eq!(faults[1].code, "common_password");
        assert_eq!(faults.len(), 2);
    }

    #[test]
    fn a_password_prints_as_asterisks() {
        let password = PasswordRules { min_length: 8 }.check("tea at four", ADA, Field::Password).unwrap();
        assert_eq!(format!("{password:?}"), "***");
    }
}
