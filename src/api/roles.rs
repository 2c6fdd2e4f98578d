//! Roles over HTTP.

use super::{
    input::{
        extract::{Segments, Valid},
        list::ListRequest,
        parsed::Parsed,
    },
    output::list,
};
use crate::{app::App, auth::Actor, domain::permission::Permission, error::Result, service::roles};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The permissions of a role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"permissions": ["orders:read", "analytics:read"]}))]
pub(super) struct PutRole {
    /// All permissions of the role. They replace the previous ones.
    #[schemars(length(max = 100))]
    permissions: Vec<Parsed<Permission>>,
}

/// Lists roles by name.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    ListRequest { options, .. }: ListRequest,
) -> Result<Response> {
    let find = |app, actor, page| async move { roles::list(&app, &actor, &page).await };
    list::answer(app, actor, options, "roles.list".to_owned(), find).await
}

/// Creates or replaces a role.
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
