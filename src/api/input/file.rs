//! What a client asks of a file: how it is written. Its name follows from the address and the day.

use super::parsed::{FromText, Parsed, one_of};
use crate::{
    api::{
        operation::Operation,
        output::export::{CsvStyle, File, FileFormat, Format},
    },
    app::App,
    domain::calendar::Zone,
    error::{Error, Fault, Result, problem},
};
use axum::http::Uri;
use schemars::Schema;
use std::sync::Arc;

/// The only style that has a name: that of spreadsheets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StyleName;

impl FromText for StyleName {
    fn from_text(text: &str) -> Option<Self> {
        (text == "excel").then_some(Self)
    }

    fn schema() -> Schema {
        one_of(&["excel"])
    }
}

/// The time zone of reports and files.
pub(crate) fn reporting_zone(app: &App) -> Result<Zone> {
    let zone = Zone::parse(app.config.reporting.timezone.iana_name().unwrap_or("UTC"));
    zone.ok_or_else(|| Error::internal("the configured time zone is unknown"))
}

/// The style of a CSV. No other format has one.
///
/// # Errors
/// `invalid_parameter` if there is a style and no CSV.
pub(crate) fn style(app: &App, format: Format, name: Option<Parsed<StyleName>>) -> Result<CsvStyle> {
    match (name, format) {
        (None, _) => Ok(CsvStyle::Plain),
        (Some(_), Format::Csv) => reporting_zone(app).map(CsvStyle::Excel),
        (Some(_), Format::Page | Format::Ndjson) => Err(only_for("style", "CSV")),
    }
}

/// The error for a parameter of another format.
pub(crate) fn only_for(parameter: &str, format: &str) -> Error {
    let fault = Fault::parameter(parameter, "conflict", format!("must not be given: it belongs to {format}"));
    Error::new(&problem::INVALID_PARAMETER).with_faults(vec![fault])
}

/// A file that a list is answered as.
#[derive(Clone)]
pub(crate) struct FileRequest {
    pub(crate) file: File,
    /// The operation of the list.
    pub(crate) list: &'static str,
    /// The names of the parameters that were sent.
    pub(crate) parameters: Vec<String>,
}

impl FileRequest {
    /// The file that a request in this format asks for; none if it asks for a page.
    ///
    /// # Errors
    /// Those of [`style`].
    pub(crate) fn of(
        app: &App,
        (operation, uri): (&Arc<Operation>, &Uri),
        format: Format,
        name: Option<Parsed<StyleName>>,
    ) -> Result<Option<Self>> {
        let style = style(app, format, name)?;
        let format = match format {
            Format::Page => return Ok(None),
            Format::Csv => FileFormat::Csv(style),
            Format::Ndjson => FileFormat::Ndjson,
        };
        let day = reporting_zone(app)?.local_day(app.clock.now());
        Ok(Some(Self {
            file: File { format, name: format!("{}-{day}", stem(uri)) },
            list: operation.id_without_ending(),
            parameters: parameter_names(uri),
        }))
    }
}

/// The last part of the path, without the ending of a file.
pub(crate) fn stem(uri: &Uri) -> &str {
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    last.split('.').next().unwrap_or_default()
}

fn parameter_names(uri: &Uri) -> Vec<String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split('=').next().unwrap_or_default().to_owned()).collect()
}
