//! The framing of a chunked body, exactly as in the grammar of RFC 9112, section 7.1. White space and line ends that
//! some readers skip and others do not are refused.

/// The most hexadecimal digits of a chunk's size: a chunk is smaller than 2^60 bytes.
const DIGITS: u32 = 15;
/// The most bytes of a chunk's extensions, and of all trailers. Nothing reads them.
const IGNORED_BYTES: u32 = 8 * 1024;

/// The position in a chunked body.
pub(super) struct Chunks(At);

#[derive(Clone, Copy)]
enum At {
    /// In the size, behind `digits` digits.
    Size {
        size: u64,
        digits: u32,
    },
    /// In the extensions behind the size, of which `ignored` bytes have arrived.
    Extension {
        size: u64,
        ignored: u32,
    },
    /// Before the LF of the size's line.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// Before the CR behind the data.
    DataCr,
    /// Before the LF behind the data.
    DataLf,
    /// At the beginning of a line behind the last chunk.
    Trailer {
        ignored: u32,
    },
    TrailerLine {
        ignored: u32,
    },
    /// Before the LF of a trailer's line.
    TrailerLf {
        ignored: u32,
    },
    /// Before the LF of the empty line that ends the body.
    LastLf,
    /// Behind the body.
    Over,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self(At::Size { size: 0, digits: 0 })
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.0, At::Over)
    }

    /// How many of `bytes` belong to the body; `None` if they break the grammar.
    pub(super) fn inspect(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() && !self.is_over() {
            if let At::Data { left } = self.0 {
                let part = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += part;
                let left = left - part as u64;
                self.0 = if left == 0 { At::DataCr } else { At::Data { left } };
            } else {
                self.0 = self.0.after(bytes[at])?;
                at += 1;
            }
        }
        Some(at)
    }
}

impl At {
    /// The position behind `byte`; `None` if the grammar does not allow it here.
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size { size, digits }, _) if byte.is_ascii_hexdigit() && digits < DIGITS => {
                let digit = char::from(byte).to_digit(16)?;
                Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::Size { size, digits: 1.. } | Self::Extension { size, .. }, b'\r') => Self::SizeEnd { size },
            (Self::Size { size, digits: 1.. }, b';') => Self::Extension { size, ignored: 0 },
            (Self::Extension { size, ignored }, _) if is_text(byte) && ignored < IGNORED_BYTES => {
                Self::Extension { size, ignored: ignored + 1 }
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Self::Trailer { ignored: 0 },
            (Self::SizeEnd { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size { size: 0, digits: 0 },
            (Self::Trailer { .. }, b'\r') => Self::LastLf,
            (Self::TrailerLine { ignored }, b'\r') => Self::TrailerLf { ignored },
            (Self::Trailer { ignored } | Self::TrailerLine { ignored }, _)
                if is_text(byte) && ignored < IGNORED_BYTES =>
            {
                Self::TrailerLine { ignored: ignored + 1 }
            }
            (Self::TrailerLf { ignored }, b'\n') => Self::Trailer { ignored },
            (Self::LastLf, b'\n') => Self::Over,
            _ => return None,
        })
    }
}

/// Whether a line may contain `byte`: no control characters except the tab.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_measured() {
        for body in ["0\r\n\r\n", "1\r\na\r\n0\r\n\r\n", "00a;x=\"y z\"\r\n0123456789\r\n000\r\nA: b\r\nC: d\r\n\r\n"] {
            let mut chunks = Chunks::new();
            assert_eq!(chunks.inspect(format!("{body}GET /").as_bytes()), Some(body.len()));
            assert!(chunks.is_over());
        }
    }

    #[test]
    fn anything_outside_the_grammar_is_refused() {
        for body in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1\n",
            "1\r\r",
            "1;a\nb",
            "1;a\0",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rb",
            "0\r\n\n",
            "0\r\nA: b\n",
            "0\r\n\ra",
            "1234567890abcdef\r\n",
            "ffffffffffffffff1\r\n",
        ] {
            assert_eq!(Chunks::new().inspect(body.as_bytes()), None, "{body:?}");
        }
        let endless = format!("1;{}", "a".repeat(10_000));
        assert_eq!(Chunks::new().inspect(endless.as_bytes()), None);
        let trailers = format!("0\r\n{}", "A: b\r\n".repeat(10_000));
        assert_eq!(Chunks::new().inspect(trailers.as_bytes()), None);
    }
}
