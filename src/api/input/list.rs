//! What a client asks of a list: which entries, which page of them, and in which form.

use super::{
    file::{FileRequest, StyleName},
    parsed::Parsed,
    query::{self, NoParameters},
};
use crate::{
    api::{
        operation::Operation,
        output::export::{Format, refuse_paging},
    },
    app::App,
    auth::Cursor,
    error::{Error, Result},
    service::page::PageRequest,
};
use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::{Map, Value};
use std::{borrow::Cow, sync::Arc};

/// The most entries of a page, at least 1. More than [`PageSize::MOST`] count as that.
#[derive(Clone, Copy, Debug)]
pub struct PageSize(usize);

impl PageSize {
    /// The largest page of any list.
    const MOST: usize = 200;
    /// The page size when the client names none.
    pub(crate) const DEFAULT: Self = Self(50);

    pub(crate) fn entries(self) -> usize {
        self.0
    }
}

impl<'de> Deserialize<'de> for PageSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            0 => Err(D::Error::custom("a page of no entries")),
            entries => Ok(Self(usize::try_from(entries).unwrap_or(Self::MOST).min(Self::MOST))),
        }
    }
}

impl JsonSchema for PageSize {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PageSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "format": "uint64", "minimum": 1})
    }
}

/// The parameters that every list has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageParameters {
    /// Entries of a page; more than 200 are lowered to 200.
    limit: Option<PageSize>,
    /// The `page.next` of the page before.
    #[schemars(length(min = 1, max = 512))]
    cursor: Option<String>,
    /// Whether to count the whole list: `page.total`.
    count: Option<bool>,
}

impl PageParameters {
    const NAMES: [&'static str; 3] = ["limit", "cursor", "count"];

    /// Refuses all of these, since an export has no pages.
    ///
    /// # Errors
    /// `invalid_parameter` naming those that were sent.
    pub(crate) fn refuse_paging(&self) -> Result<()> {
        refuse_paging(&[
            ("limit", self.limit.is_some()),
            ("cursor", self.cursor.is_some()),
            ("count", self.count.is_some()),
        ])
    }

    /// The page that is asked for. `binding` describes the list: a cursor is good for one list only.
    ///
    /// # Errors
    /// `invalid_cursor` if the cursor was altered or belongs to another list.
    pub(crate) fn request<K>(
        &self,
        app: &App,
        binding: &str,
        key: impl FnOnce(&Cursor) -> Option<K>,
    ) -> Result<PageRequest<K>> {
        let cursor = self.cursor.as_deref().map(|text| app.cursors.open(text, binding)).transpose()?;
        Ok(PageRequest {
            after: cursor.as_ref().and_then(key),
            limit: self.limit.unwrap_or(PageSize::DEFAULT).entries(),
            count: self.count == Some(true),
        })
    }
}

/// The query parameters of a file that a list is answered as.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileParameters {
    /// `excel` makes a CSV for spreadsheets: with a byte order mark, amounts as decimals and local times.
    pub(crate) style: Option<Parsed<StyleName>>,
}

impl FileParameters {
    const NAMES: [&'static str; 1] = ["style"];
}

/// The query parameters of a list: the fields of `F`, [`PageParameters`] and [`FileParameters`].
#[derive(Debug)]
pub struct ListQuery<F = NoParameters> {
    /// The parameters of this list.
    pub filter: F,
    pub(crate) page: PageParameters,
    pub(crate) file: FileParameters,
}

impl<'de, F: DeserializeOwned> Deserialize<'de> for ListQuery<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut filter = Map::deserialize(deserializer)?;
        let mut take =
            |names: &[&str]| Value::Object(names.iter().filter_map(|name| filter.remove_entry(*name)).collect());
        let (page, file) = (take(&PageParameters::NAMES), take(&FileParameters::NAMES));
        Ok(Self {
            filter: serde_json::from_value(Value::Object(filter)).map_err(D::Error::custom)?,
            page: serde_json::from_value(page).map_err(D::Error::custom)?,
            file: serde_json::from_value(file).map_err(D::Error::custom)?,
        })
    }
}

impl<F: JsonSchema> JsonSchema for ListQuery<F> {
    fn schema_name() -> Cow<'static, str> {
        format!("List_{}", F::schema_name()).into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("ListQuery<{}>", F::schema_id()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = F::json_schema(generator);
        let all = schema.ensure_object().entry("properties").or_insert_with(|| Map::new().into());
        for more in [PageParameters::json_schema(generator), FileParameters::json_schema(generator)] {
            if let (Value::Object(all), Some(Value::Object(more))) = (&mut *all, more.get("properties")) {
                all.extend(more.clone());
            }
        }
        schema
    }
}

/// A request for a list: which entries, and how to answer with them.
pub struct ListRequest<F = NoParameters> {
    pub(crate) filter: F,
    pub(crate) options: ListOptions,
}

/// How to answer with a list: with a page of it or, in another form, with all of it.
pub(crate) struct ListOptions {
    pub(crate) page: PageParameters,
    pub(crate) format: Format,
    /// The file, unless a page is asked for.
    pub(crate) file: Option<FileRequest>,
    /// Of the request, for the link to the next page.
    pub(crate) uri: Uri,
}

impl<F: JsonSchema + DeserializeOwned + Send + 'static> FromRequestParts<App> for ListRequest<F> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let ListQuery { filter, page, file } = query::parse(parts.uri.query().unwrap_or_default())?;
        let format = Format::from_request_parts(parts, app).await?;
        let operation = parts.extensions.get::<Arc<Operation>>();
        let operation = operation.ok_or_else(|| Error::internal("a request without operation"))?;
        let file = FileRequest::of(app, (operation, &parts.uri), format, file.style)?;
        Ok(Self { filter, options: ListOptions { page, format, file, uri: parts.uri.clone() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_size_is_bounded_and_a_page_has_an_entry() {
        let read = |size: u64| serde_json::from_value::<PageSize>(size.into()).ok().map(PageSize::entries);
        assert_eq!([0, 1, 200, 201, u64::MAX].map(read), [None, Some(1), Some(200), Some(200), Some(200)]);
    }

    #[test]
    fn the_names_of_page_parameters_are_their_fields() {
        let schema = SchemaGenerator::default().root_schema_for::<PageParameters>();
        let fields = schema.get("properties").and_then(Value::as_object).unwrap();
        assert!(
            fields.len() == PageParameters::NAMES.len()
                && PageParameters::NAMES.iter().all(|name| fields.contains_key(*name))
        );
    }
}
