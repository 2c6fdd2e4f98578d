//! Exports: all rows of a list, as CSV (RFC 4180) or NDJSON. The next rows are read when the client has taken the
//! previous ones, so that an export of any size needs the memory of [`ROWS_AT_ONCE`] rows, holds no snapshot while it
//! waits, and ends when the client disconnects.

use super::super::operation::{CSV, FileForm, JSON, NDJSON, Operation};
use crate::{
    app::App,
    domain::{calendar::Zone, money::Currency, time::Timestamp},
    error::{Error, Fault, Result, problem},
    service::views::{TYPICAL_DOCUMENT_BYTES, to_json},
};
use axum::{
    body::{Body, Bytes},
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::{borrow::Cow, sync::Arc};

/// The media type of CSV with a header row.
pub(crate) const CSV_WITH_HEADER: &str = "text/csv; charset=utf-8; header=present";
/// How many rows are read at a time.
pub(crate) const ROWS_AT_ONCE: usize = 500;

/// The format of a list that the client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A page of the list, in JSON.
    Page,
    /// All rows.
    Csv,
    /// All rows.
    Ndjson,
}

impl FromRequestParts<App> for Format {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let asked = file_form(parts).map_or_else(|| preferred(&parts.headers, &[JSON, CSV, NDJSON]), FileForm::media);
        Ok(match asked {
            CSV => Self::Csv,
            NDJSON => Self::Ndjson,
            _ => Self::Page,
        })
    }
}

/// The form of the file that the address of the request names by its ending; without one the `Accept` header decides.
pub(crate) fn file_form(parts: &Parts) -> Option<FileForm> {
    parts.extensions.get::<Arc<Operation>>()?.form
}

/// How a CSV is written.
#[derive(Clone, Debug, Default)]
pub(crate) enum CsvStyle {
    /// For programs: amounts in minor units, times in RFC 3339.
    #[default]
    Plain,
    /// For spreadsheets: a byte order mark, amounts as decimals, local times without a zone.
    Excel(Zone),
}

/// What a file is written as.
#[derive(Clone, Debug)]
pub(crate) enum FileFormat {
    Csv(CsvStyle),
    Ndjson,
}

impl FileFormat {
    pub(crate) const fn ending(&self) -> &'static str {
        match self {
            Self::Csv(_) => FileForm::Csv.ending(),
            Self::Ndjson => FileForm::Ndjson.ending(),
        }
    }

    const fn media(&self) -> &'static str {
        match self {
            Self::Csv(_) => CSV_WITH_HEADER,
            Self::Ndjson => NDJSON,
        }
    }
}

/// A file that is answered: what it is written as, and its name without the ending.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) format: FileFormat,
    pub(crate) name: String,
}

/// The header by which browsers save an answer under this name.
pub(crate) fn attachment(name: &str, ending: &str) -> (header::HeaderName, String) {
    (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.{ending}\""))
}

/// The one of the `offered` media types that the `Accept` header prefers (RFC 9110, section 12.5.1). Among equals, and
/// if none is acceptable, it is the first.
pub(crate) fn preferred(headers: &HeaderMap, offered: &[&'static str]) -> &'static str {
    let accepted: Vec<_> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(range)
        .collect();
    let quality = |media: &str| accepted.iter().filter_map(|range| rank(media, range)).max().map_or(0, |(_, q)| q);
    let mut best = (0, offered.first().copied().unwrap_or_default());
    for &media in offered {
        if quality(media) > best.0 {
            best = (quality(media), media);
        }
    }
    best.1
}

/// A range of media types or encodings, in lower case, and its weight, in thousandths.
pub(super) type Range = (String, u32);

/// Parses an element of `Accept` or `Accept-Encoding`.
pub(super) fn range(text: &str) -> Range {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
    let weight = weight.map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (weight * 1000.0).round() as u32;
    (media, thousandths)
}

/// How specifically the range matches `media`, and its weight; `None` if it does not match.
fn rank(media: &str, (range, weight): &Range) -> Option<(u8, u32)> {
    let family = range.strip_suffix("/*");
    match (range == media, family) {
        (true, _) => Some((2, *weight)),
        (false, Some("*")) => Some((0, *weight)),
        (false, Some(family)) => media.strip_prefix(family)?.starts_with('/').then_some((1, *weight)),
        (false, None) => None,
    }
}

/// A field of a CSV row.
pub(crate) enum Cell<'a> {
    /// Text. It is escaped if a spreadsheet would take it for a formula.
    Text(Cow<'a, str>),
    Number(i64),
    /// A sum of numbers, which may exceed an `i64`.
    Sum(i128),
    /// An amount or a sum of amounts, in minor units of the currency.
    Amount(i128, Currency),
    Time(Timestamp),
    Empty,
}

impl Cell<'_> {
    /// The field as the file has it. Spreadsheets take text that begins with these characters for a formula.
    fn written(&self, style: &CsvStyle) -> Cow<'_, str> {
        match (self, style) {
            (Self::Text(text), _) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) => {
                format!("'{text}").into()
            }
            (Self::Text(text), _) => Cow::Borrowed(text),
            (Self::Number(number), _) => number.to_string().into(),
            (Self::Sum(sum), _) => sum.to_string().into(),
            (Self::Amount(amount, _), CsvStyle::Plain) => amount.to_string().into(),
            (Self::Amount(amount, currency), CsvStyle::Excel(_)) => currency.decimal(*amount).into(),
            (Self::Time(time), CsvStyle::Plain) => time.to_string().into(),
            (Self::Time(time), CsvStyle::Excel(zone)) => zone.local_time(*time).into(),
            (Self::Empty, _) => "".into(),
        }
    }
}

/// An entry of a list that can be exported.
pub(crate) trait Row: Serialize {
    /// The header row of the CSV.
    const COLUMNS: &'static [&'static str];

    /// The fields of the row, one for each column.
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// By which spreadsheets tell that a file is in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Serialises some rows. CSV has a header row before the first ones.
pub(crate) fn encode<R: Row>(format: &FileFormat, rows: &[R], part: Part) -> Result<Bytes> {
    let FileFormat::Csv(style) = format else {
        let mut lines = vec![];
        for row in rows {
            lines.extend(to_json(row, TYPICAL_DOCUMENT_BYTES)?);
            lines.push(b'\n');
        }
        return Ok(lines.into());
    };
    let is_first = part == Part::First;
    let mark = if is_first && matches!(style, CsvStyle::Excel(_)) { BYTE_ORDER_MARK } else { &[] };
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(mark.to_vec());
    if is_first {
        writer.write_record(R::COLUMNS).map_err(Error::internal)?;
    }
    for row in rows {
        let cells = row.cells();
        writer.write_record(cells.iter().map(|cell| cell.written(style).into_owned())).map_err(Error::internal)?;
    }
    writer.into_inner().map(Bytes::from).map_err(|e| Error::internal(e.to_string()))
}

/// Which part of an export some rows are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    First,
    Later,
}

impl Part {
    /// The part that begins after the entry with this key; without a key it is the first.
    pub(crate) fn after<K>(key: Option<&K>) -> Self {
        if key.is_none() { Self::First } else { Self::Later }
    }
}

/// Streams the parts that `read` returns: the bytes of the entries after a key, and the next key if more follow.
///
/// # Errors
/// Those of the first part. A later error aborts the stream, which the client can tell from a complete one.
pub(crate) async fn stream<K, F, R>(file: &File, read: R) -> Result<Response>
where
    K: Send + 'static,
    F: Future<Output = Result<(Bytes, Option<K>)>> + Send + 'static,
    R: Fn(Option<K>) -> F + Send + 'static,
{
    let (first, next) = read(None).await?;
    let rest = stream::try_unfold(next, move |key| {
        let part = key.map(|key| read(Some(key)));
        async move {
            match part {
                Some(part) => part.await.map(Some),
                None => Ok(None),
            }
        }
    });
    let rest = rest.inspect(|part| {
        if let Err(error) = part {
            tracing::warn!(
                error.code = error.problem().code,
                error.cause = error.cause().map(tracing::field::display),
                "export aborted: {error}"
            );
        }
    });
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(rest));
    let media = (header::CONTENT_TYPE, file.format.media().to_owned());
    Ok(([media, attachment(&file.name, file.format.ending())], body).into_response())
}

/// Refuses the parameters of pages, which an export does not have. `sent` says for each whether the client sent it.
pub(crate) fn refuse_paging(sent: &[(&str, bool)]) -> Result<()> {
    let sent = sent.iter().filter(|(_, sent)| *sent);
    let fault =
        |(name, _): &(&str, bool)| Fault::parameter(*name, "conflict", "must not be given: all rows are exported");
    let faults: Vec<_> = sent.map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::new(&problem::INVALID_PARAMETER).with_faults(faults)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str) -> &'static str {
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        preferred(&headers, &[JSON, CSV, NDJSON])
    }

    #[test]
    fn the_preferred_media_type_is_chosen() {
        for (accept, media) in [
            ("text/csv", CSV),
            ("TEXT/CSV", CSV),
            ("*/*", "application/json"),
            ("text/*", CSV),
            ("text/csv, */*;q=0.1", CSV),
            ("text/csv;q=0.5, application/json", "application/json"),
            ("application/x-ndjson;q=0.9, text/csv; q=0.8", NDJSON),
            ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
            ("*/*, text/csv;q=0, application/json;q=0", NDJSON),
            ("image/png", "application/json"),
            ("text/csv;q=nonsense", "application/json"),
            ("", "application/json"),
        ] {
            assert_eq!(chosen(accept), media, "{accept}");
        }
        assert_eq!(preferred(&HeaderMap::new(), &["application/json", CSV]), "application/json");
    }

    #[derive(Serialize)]
    struct Sample(&'static str, i64);

    impl Row for Sample {
        const COLUMNS: &'static [&'static str] = &["text", "amount"];

        fn cells(&self) -> Vec<Cell<'_>> {
            let euros = Currency::parse("EUR").unwrap();
            vec![Cell::Text(self.0.into()), Cell::Amount(self.1.into(), euros)]
        }
    }

    #[test]
    fn a_spreadsheet_gets_decimals_and_local_times() {
        let berlin = CsvStyle::Excel(Zone::parse("Europe/Berlin").unwrap());
        let amount = |minor, code| Cell::Amount(minor, Currency::parse(code).unwrap()).written(&berlin).into_owned();
        assert_eq!(
            [amount(-5, "EUR"), amount(1_234_567, "JPY"), amount(1_234_567, "KWD"), amount(i128::MAX, "USD")],
            ["-0.05", "1234567", "1234.567", "1701411834604692317316873037158841057.27"]
        );
        let time = Timestamp::parse("2026-11-27T02:14:11.999Z").unwrap();
        assert_eq!(Cell::Time(time).written(&berlin), "2026-11-27 03:14:11");
        let text = encode(&FileFormat::Csv(berlin), &[Sample("Müller", 1999)], Part::First).unwrap();
        assert_eq!(text, "\u{feff}text,amount\r\nMüller,19.99\r\n");
    }

    #[test]
    fn csv_is_quoted_and_formulas_are_escaped_but_amounts_are_not() {
        let rows = [
            Sample("plain", -5),
            Sample("=1+1", 0),
            Sample("a,\"b\"\r\n", 1),
            Sample("\tx", 2),
            Sample("-5", 3),
            Sample("\n=1", 4),
        ];
        let (plain, lines) = (FileFormat::Csv(CsvStyle::Plain), FileFormat::Ndjson);
        let text = encode(&plain, &rows, Part::First).unwrap();
        let expected =
            "text,amount\r\nplain,-5\r\n'=1+1,0\r\n\"a,\"\"b\"\"\r\n\",1\r\n'\tx,2\r\n'-5,3\r\n\"'\n=1\",4\r\n";
        assert_eq!(text, expected);
        assert_eq!(encode(&plain, &rows[..1], Part::Later).unwrap(), "plain,-5\r\n");
        assert_eq!(encode(&lines, &rows[..1], Part::First).unwrap(), "[\"plain\",-5]\n");
        assert_eq!(encode::<Sample>(&plain, &[], Part::First).unwrap(), "text,amount\r\n");
    }
}
