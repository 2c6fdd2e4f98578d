//! What of a file ships: without comments, and without what is for tests only.

/// The parts of a file that ship.
pub struct Shipped {
    /// With the contents of strings.
    pub text: String,
    /// Without the contents of strings.
    pub code: String,
    /// The `x` of each `#[cfg(test)] mod x;`.
    pub test_modules: Vec<String>,
}

/// Blanks comments and everything that `#[cfg(test)]` applies to.
pub fn shipped(text: &str) -> Shipped {
    let (mut shipped, mut code) = masked(text);
    let mut test_modules = vec![];
    let mut from = 0;
    while let Some(attribute) = next_attribute(&code, from) {
        from = attribute.end;
        if !attribute.is_for_tests {
            continue;
        }
        let end = if attribute.inner { code.len() } else { end_of_item(&code, attribute.end) };
        let item = String::from_utf8_lossy(&code[attribute.end..end]).into_owned();
        let declared = item.trim().trim_end_matches(';').rsplit_once("mod ").map(|(_, name)| name.trim().to_owned());
        test_modules.extend(declared.filter(|name| item.ends_with(';') && name.chars().all(is_word)));
        for text in [&mut shipped, &mut code] {
            blank(&mut text[attribute.start..end]);
        }
        from = end;
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Shipped { text: text(shipped), code: text(code), test_modules }
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_word_byte(byte: u8) -> bool {
    is_word(char::from(byte))
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// The text without comments, and the same without the contents of strings and characters.
fn masked(text: &str) -> (Vec<u8>, Vec<u8>) {
    let (mut shipped, mut code) = (text.as_bytes().to_vec(), text.as_bytes().to_vec());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let starts_word = at == 0 || !is_word_byte(text.as_bytes()[at - 1]);
        let length = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            blank(&mut shipped[at..at + length]);
            length
        } else if rest.starts_with("/*") {
            let length = block_comment(rest);
            blank(&mut shipped[at..at + length]);
            length
        } else if let Some(length) = raw_string(rest).filter(|_| starts_word) {
            length
        } else if rest.starts_with('"') {
            quoted(rest, '"')
        } else if rest.starts_with('\'') && is_character(rest) {
            quoted(rest, '\'')
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        blank(&mut code[at..at + length]);
        at += length;
    }
    (shipped, code)
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let rest = &text.as_bytes()[at..];
        match rest {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            [] => return at,
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
}

/// The length of a raw string, if `text` starts with one.
fn raw_string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"].into_iter().find(|prefix| text.starts_with(prefix))?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - body.len() + body.find(&end)? + end.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether this `'` begins a character rather than a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

struct Attribute {
    start: usize,
    end: usize,
    inner: bool,
    is_for_tests: bool,
}

fn next_attribute(code: &[u8], from: usize) -> Option<Attribute> {
    let start = from + code[from..].windows(2).position(|two| two == b"#[" || two == b"#!")?;
    let inner = code[start + 1] == b'!';
    let open = start + 1 + usize::from(inner);
    if code.get(open) != Some(&b'[') {
        return next_attribute(code, open);
    }
    let end = open + closing(&code[open..]);
    let words: String = String::from_utf8_lossy(&code[open + 1..end - 1]).split_whitespace().collect();
    let is_for_tests = match words.strip_prefix("cfg(").and_then(|words| words.strip_suffix(')')) {
        Some(condition) => {
            let all = condition.strip_prefix("all(").and_then(|all| all.strip_suffix(')')).unwrap_or(condition);
            all.split(',').any(|condition| condition == "test")
        }
        None => words == "test" || words.ends_with("::test"),
    };
    Some(Attribute { start, end, inner, is_for_tests })
}

/// The length from an opening bracket to just behind the one that closes it.
pub fn closing(code: &[u8]) -> usize {
    let mut depth = 0;
    for (at, byte) in code.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Where the item, statement, field or arm ends that begins at `from`, behind an attribute.
fn end_of_item(code: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(attribute) = next_attribute(code, at).filter(|next| code[at..next.start].trim_ascii().is_empty()) {
        at = attribute.end;
    }
    let words = String::from_utf8_lossy(&code[at..]).into_owned();
    let mut words = words.split(|c| !is_word(c)).filter(|word| !["", "pub", "crate", "super", "unsafe"].contains(word));
    let ends_with = match (words.next(), words.next()) {
        (Some("const"), Some("fn")) => Ending::Block,
        (Some("use" | "const" | "static" | "let" | "type" | "extern"), _) => Ending::Semicolon,
        (Some("fn" | "mod" | "impl" | "struct" | "enum" | "trait" | "async" | "macro_rules" | "union"), _) => {
            Ending::Block
        }
        _ => Ending::Comma,
    };
    while at < code.len() {
        match code[at] {
            b';' => return at + 1,
            b',' if ends_with == Ending::Comma => return at + 1,
            b'}' | b')' | b']' => return at,
            b'{' if ends_with != Ending::Semicolon => return at + closing(&code[at..]),
            b'(' | b'[' | b'{' => at += closing(&code[at..]),
            _ => at += 1,
        }
    }
    at
}

#[derive(PartialEq)]
enum Ending {
    Block,
    Semicolon,
    Comma,
}

/// A file with all that does not ship.
pub const SAMPLE: &str = r##"//! A module.
#[cfg(test)]
mod forgeries;
use crate::store::Store; // crate::comment
#[cfg(test)]
pub(crate) use crate::tests_only::{One, Two};
fn ships<'a>(text: &'a str) -> char { let quote = '"'; text.len(); '\'' }
/* a comment /* nested */ crate::comment */
struct Fields {
    #[cfg(test)]
    counted: HashMap<u8, [u8; 2]>,
    kept: crate::domain::Id,
}
#[cfg(not(test))]
fn also_ships() { crate::app::run(r#"a "raw" crate::string"#) }
#[cfg(test)]
#[allow(dead_code)]
mod tests {
    fn brackets() { "}"; crate::tests_only::run() }
}
const LAST: &str = "crate::string";
fn after_the_tests() { crate::error::ALL }
"##;
