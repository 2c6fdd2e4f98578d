//! Passwords that guessers try first: a list of common ones, whatever is appended to them or however often they are
//! repeated, and runs along the alphabet, the digits or the keyboard. Deliberately not an estimate of strength: what
//! is refused can be explained in a sentence.

use std::{collections::HashSet, sync::LazyLock};
use zeroize::Zeroizing;

/// One a line, in lower case; `#` begins a comment.
static LIST: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../../assets/common-passwords.txt").lines();
    lines.filter(|line| !line.starts_with('#')).collect()
});

/// Neighbours on these rows are no surprise to a guesser, in either direction.
const ROWS: [&str; 8] = [
    "abcdefghijklmnopqrstuvwxyza",
    "01234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "!@#$%^&*()_+",
];
/// Repeating up to this many characters adds nothing, whatever they are.
const MAX_TRIVIAL_UNIT: usize = 4;

/// What `password` comes down to: itself, without what is around its letters, what it repeats, and what its digits and
/// signs stand for. In lower case.
pub(super) fn variants(password: &str) -> Zeroizing<Vec<String>> {
    let whole = password.to_lowercase();
    let mut variants = vec![];
    for text in [whole.as_str(), repeated(&whole)] {
        let stripped = text.trim_matches(|c: char| !c.is_alphabetic());
        for reduced in [text, text.trim_end_matches(|c: char| !c.is_alphabetic()), stripped, repeated(stripped)] {
            variants.extend([reduced.to_owned(), spelt_out(reduced)]);
        }
    }
    variants.retain(|variant| !variant.is_empty());
    Zeroizing::new(variants)
}

/// Whether guessers try this first; `variants` are the password's.
pub(super) fn is_common(password: &str, variants: &[String]) -> bool {
    let lower = Zeroizing::new(password.to_lowercase());
    variants.iter().any(|variant| LIST.contains(variant.as_str()))
        || repeated(&lower).chars().count() <= MAX_TRIVIAL_UNIT
        || is_run(&lower)
}

/// The shortest beginning that makes the whole text when repeated (the last time perhaps in part).
fn repeated(text: &str) -> &str {
    let starts = text.char_indices().map(|(at, _)| at).skip(1);
    // A period p means that the text without its first p bytes is a beginning of the text.
    starts.map(|p| text.split_at(p)).find(|(_, rest)| text.starts_with(rest)).map_or(text, |(unit, _)| unit)
}

/// With letters in place of the digits and signs that look like them.
fn spelt_out(text: &str) -> String {
    let letter = |c| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(letter).collect()
}

/// Whether at least three of four steps go nowhere or to a neighbour in one of the rows.
fn is_run(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let jumps = characters.windows(2).filter(|pair| !are_neighbours(pair[0], pair[1])).count();
    jumps * 4 < characters.len()
}

fn are_neighbours(one: char, other: char) -> bool {
    one == other
        || ROWS.iter().any(|row| {
            let following = row.chars().skip(1);
            row.chars().zip(following).any(|pair| pair == (one, other) || pair == (other, one))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str) -> bool {
        is_common(password, &variants(password))
    }

    #[test]
    fn common_passwords_are_refused_however_they_are_dressed() {
        for bad in [
            "password",
            "PassWord",
            "P@ssw0rd!",
            "passwordpassword",
            "passwordpasswor",
            "Password12345678",
            "password1password1",
            "!!!password2026!!!",
            "trustno1trustno1",
            "iloveyouiloveyou",
            "sunshine20262026",
            "changemechangeme",
            "letmein!letmein!",
            "administrator1234",
        ] {
            assert!(refused(bad), "{bad}");
        }
    }

    #[test]
    fn repetitions_and_runs_are_refused() {
        for bad in [
            "aaaaaaaaaaaaaaaa",
            "abababababababa",
            "x7qzx7qzx7qzx7qz",
            "123456789012345",
            "987654321098765",
            "111222333444555",
            "abcdefghijklmnop",
            "zyxwvutsrqponml",
            "abc123abc123abc",
            "qwertyuiopasdfgh",
            "qwertzuiopasdfgh",
            "1q2w3e4r5t6y7u8i",
            "1qaz2wsx3edc4rfv",
            "!@#$%^&*()_+!@#",
            "qwerty123456789",
        ] {
            assert!(refused(bad), "{bad}");
        }
    }

    #[test]
    fn other_passwords_are_not() {
        for good in [
            "correct horse battery staple",
            "tea at four o'clock",
            "hijklo opqrs tea cups",
            "fifteen chars !",
            "admin-secret-for-tests-1",
            "v9kd3-0xq2m-7hfw8-jz4tn",
            "Sup3r-Secret-Passw0rd!",
            "日本語のパスワードは長いです",
            "",
        ] {
            assert_eq!(refused(good), good.is_empty(), "{good}");
        }
    }

    #[test]
    fn the_list_is_in_the_form_in_which_it_is_searched() {
        assert!(LIST.len() > 3000, "{}", LIST.len());
        for line in LIST.iter() {
            assert_eq!(*line, line.to_lowercase().trim(), "{line}");
            assert!(line.chars().count() >= 4, "{line}");
        }
    }
}
