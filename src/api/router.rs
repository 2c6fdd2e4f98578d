//! The axum router: every operation of the table behind its gate, the pages, and the layers that surround all of them.

use super::{cors, gate, middleware, pages, routes};
use crate::app::App;
use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use std::sync::Arc;

/// Routes every request that the server answers.
pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for operation in routes::operations() {
        let (path, handler) = (operation.path, operation.handler.clone());
        let state = (app.clone(), Arc::new(operation));
        router = router.route(path, handler.route_layer(from_fn_with_state(state, gate::enter)));
    }
    let router = router
        .merge(pages(&app))
        .fallback(gate::not_found)
        .method_not_allowed_fallback(gate::method_not_allowed)
        .layer(from_fn(gate::refuse_malformed));
    let surround = from_fn_with_state(app.clone(), middleware::surround);
    let router = if app.config.server.cors_origins.is_empty() {
        router.layer(surround)
    } else {
        router
            .layer(from_fn_with_state(app.clone(), cors::preflight))
            .layer(surround)
            .layer(from_fn_with_state(app.clone(), cors::expose))
    };
    router.with_state(app)
}

fn pages(app: &App) -> Router<App> {
    Router::new()
        .merge(pages::console(app))
        .route("/", get(pages::start))
        .route("/docs", get(pages::docs))
        .route("/problems", get(pages::problems))
        .route("/problems/{slug}", get(pages::problem))
        .route("/guide", get(pages::guide))
        .route("/guide/{page}", get(pages::guide_page))
        .route("/assets/{*path}", get(pages::file))
}
