//! Users over HTTP.

use super::{
    extract::{Parameters, PathId, Valid},
    list::{Paging, Place},
    reply,
};
use crate::{
    app::App,
    auth::{Actor, Cursor},
    domain::{
        id::{Identifier, UserId},
        user::Email,
    },
    error::{Error, Fault, Result},
    service::{
        exactly_once::Reply,
        users::{self, NewUser},
        views::UserView,
    },
};
use axum::{Json, extract::State, http::Uri, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;

/// A user to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "email": "grace@example.com", "name": "Grace", "role": "staff", "password": "a long and private phrase"
}))]
pub(super) struct CreateUser {
    /// What they log in with, unique among all users.
    #[schemars(length(min = 1, max = 254))]
    email: String,
    /// What to call them.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// The name of their role.
    #[schemars(length(min = 1, max = 40))]
    role: String,
    /// At least 15 characters.
    #[schemars(length(min = 1, max = 1024))]
    password: String,
}

/// The user that is asked for, or why there cannot be one.
pub(super) fn new_user(email: &str, name: String, role: String, password: String) -> Result<NewUser> {
    let fault = || Fault::body("#/email", "invalid_format", "must be an e-mail address");
    let email = Email::parse(email).ok_or_else(|| Error::invalid(vec![fault()]))?;
    Ok(NewUser { email, name, role, password: password.into() })
}

/// Makes a user.
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    Valid { body, attempt }: Valid<CreateUser>,
) -> Result<Reply> {
    let new = new_user(&body.email, body.name, body.role, body.password)?;
    users::create(&app, actor, attempt, new).await
}

/// A user.
pub(super) async fn get(State(app): State<App>, actor: Actor, PathId(id): PathId<UserId>) -> Result<Json<UserView>> {
    users::get(&app, &actor, id).map(Json)
}

/// A page of users, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    Parameters(paging): Parameters<Paging>,
    uri: Uri,
) -> Result<Response> {
    let place = Place::plain(&app, "users.list".to_owned(), &paging)?;
    let before = place.after.as_ref().and_then(user_id);
    let (found, next) = users::list(&app, &actor, before, place.limit)?;
    Ok(reply::page(&place.page(&app, found, next.map(cursor).as_ref()), &uri))
}

fn cursor(id: UserId) -> Cursor {
    let (halves, _) = id.bytes().as_chunks::<8>();
    Cursor(halves.iter().map(|half| i64::from_be_bytes(*half)).collect())
}

fn user_id(cursor: &Cursor) -> Option<UserId> {
    let bytes: Vec<u8> = cursor.0.iter().flat_map(|half| half.to_be_bytes()).collect();
    bytes.try_into().ok().map(UserId::from_bytes)
}
