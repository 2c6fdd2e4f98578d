//! Roles over HTTP.

use super::{
    input::{
        extract::{Segments, Valid},
        permissions::AnyPermission,
    },
    output::list::Asked,
};
use crate::{
    app::App,
    auth::{Actor, Cursor, policy::MAX_ROLE_NAME},
    error::Result,
    service::{page::Wanted, roles},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a role permits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"permissions": ["orders:read", "analytics:read"]}))]
pub(super) struct PutRole {
    /// Everything that it permits; replaces what it permitted before.
    #[schemars(length(max = 100))]
    permissions: Vec<AnyPermission>,
}

/// Roles, by name.
pub(super) async fn list(State(app): State<App>, actor: Actor, asked: Asked) -> Result<Response> {
    let shared = app.clone();
    let find = move |wanted: Wanted<String>| {
        let (app, actor) = (shared.clone(), actor.clone());
        async move { roles::list(&app, &actor, &wanted).await }
    };
    asked.answer(&app, "roles.list".to_owned(), name, |name: String| cursor(&name), find).await
}

/// Makes or replaces a role.
pub(super) async fn put(
    State(app): State<App>,
    actor: Actor,
    Segments(mut path): Segments,
    Valid { body, .. }: Valid<PutRole>,
) -> Result<Response> {
    let name = path.remove("name").unwrap_or_default();
    let put = roles::put(&app, actor, name, body.permissions.into_iter().map(|p| p.0).collect()).await?;
    let status = if put.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(put.role)).into_response())
}

/// Deletes a role.
pub(super) async fn delete(State(app): State<App>, actor: Actor, Segments(mut path): Segments) -> Result<StatusCode> {
    roles::delete(&app, actor, path.remove("name").unwrap_or_default()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A name as the numbers that cursors are made of: its bytes, and zeros after them.
fn cursor(name: &str) -> Cursor {
    let mut bytes = [0; MAX_ROLE_NAME];
    for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    let (parts, _) = bytes.as_chunks::<8>();
    Cursor(parts.iter().map(|part| i64::from_be_bytes(*part)).collect())
}

fn name(cursor: &Cursor) -> Option<String> {
    let bytes: Vec<u8> = cursor.0.iter().flat_map(|part| part.to_be_bytes()).filter(|byte| *byte != 0).collect();
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_every_name() {
        for text in ["a", "shift-lead", &"z".repeat(MAX_ROLE_NAME)] {
            assert_eq!(name(&cursor(text)).as_deref(), Some(text));
        }
    }
}
