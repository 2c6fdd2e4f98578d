//! Detects passwords that are guessed first: common passwords, also with additions or repeated, and runs along the
//! alphabet, the digits or the keyboard. It does not estimate strength, so that every refusal can be explained in one
//! sentence.

use std::{collections::HashSet, sync::LazyLock};
use zeroize::Zeroizing;

/// Common passwords in lower case. The file has one per line; `#` begins a comment.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../../assets/common-passwords.txt").lines();
    lines.filter(|line| !line.starts_with('#')).collect()
});

/// Character sequences that guessers try, in either direction.
const RUNS: [&str; 8] = [
    "abcdefghijklmnopqrstuvwxyza",
    "01234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "!@#$%^&*()_+",
];
/// A repeated unit of up to this many characters is always guessable.
const MAX_TRIVIAL_UNIT: usize = 4;

/// The password in lower case with its disguises removed: characters around its letters, spaces and hyphens between
/// words, repetitions, and digits and signs in place of letters. Each combination is one variant.
pub(super) fn variants(password: &str) -> Zeroizing<Vec<String>> {
    let whole = password.to_lowercase();
    let joined = whole.replace([' ', '-', '_', '.'], "");
    let mut variants = vec![];
    for text in [whole.as_str(), repeated(&whole), &joined] {
        let stripped = text.trim_matches(|c: char| !c.is_alphabetic());
        for reduced in [text, text.trim_end_matches(|c: char| !c.is_alphabetic()), stripped, repeated(stripped)] {
            variants.extend([reduced.to_owned(), with_letters(reduced)]);
        }
    }
    variants.retain(|variant| !variant.is_empty());
    Zeroizing::new(variants)
}

/// Whether the password is easily guessed. `variants` are those of the password.
pub(super) fn is_common(password: &str, variants: &[String]) -> bool {
    let lower = Zeroizing::new(password.to_lowercase());
    variants.iter().any(|variant| COMMON.contains(variant.as_str()))
        || repeated(&lower).chars().count() <= MAX_TRIVIAL_UNIT
        || is_run(&lower)
}

/// The shortest prefix whose repetition gives the whole text. The last repetition may be cut off.
fn repeated(text: &str) -> &str {
    let starts = text.char_indices().map(|(at, _)| at).skip(1);
    // A text has the period p exactly if its rest from byte p on is a prefix of the text.
    starts.map(|p| text.split_at(p)).find(|(_, rest)| text.starts_with(rest)).map_or(text, |(unit, _)| unit)
}

/// The text with letters in place of the digits and signs that look like them.
fn with_letters(text: &str) -> String {
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

/// Whether fewer than a quarter of the characters differ from their predecessor without being its neighbour in one of
/// the [`RUNS`].
fn is_run(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let jumps = characters.windows(2).filter(|pair| !are_neighbours(pair[0], pair[1])).count();
    jumps * 4 < characters.len()
}

fn are_neighbours(one: char, other: char) -> bool {
    one == other
        || RUNS.iter().any(|run| {
            let following = run.chars().skip(1);
            run.chars().zip(following).any(|pair| pair == (one, other) || pair == (other, one))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str) -> bool {
        is_common(password, &variants(password))
    }

    #[test]
    fn common_passwords_are_refused_in_any_disguise() {
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
            "Sup3r-Secret-Passw0rd!",
            "correct horse battery staple",
            "Correct-Horse-Battery-Staple!",
            "correcthorsebatterystaple",
            "to be or not to be",
            "i love you forever",
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
    fn other_passwords_are_accepted() {
        for good in [
            "im garten sitzt ein esel",
            "tea at four o'clock",
            "hijklo opqrs tea cups",
            "fifteen chars !",
            "admin-secret-for-tests-1",
            "v9kd3-0xq2m-7hfw8-jz4tn",
            "日本語のパスワードは長いです",
            "",
        ] {
            assert_eq!(refused(good), good.is_empty(), "{good}");
        }
    }

    #[test]
    fn the_list_is_in_lower_case_without_short_entries() {
        assert!(COMMON.len() > 3000, "{}", COMMON.len());
        for line in COMMON.iter() {
            assert_eq!(*line, line.to_lowercase().trim(), "{line}");
            assert!(line.chars().count() >= 4, "{line}");
        }
    }
}
