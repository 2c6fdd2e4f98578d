//! The axum router: every operation of the table behind its gate, the pages, and what surrounds all of them.

use super::{
    around::{Gate, Surrounded},
    cors, gate, pages, routes,
};
use crate::app::App;
use axum::{Router, middleware::from_fn_with_state, routing::get};
use std::sync::Arc;

/// Routes every request that the server answers.
pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for operation in routes::operations() {
        let (path, handler) = (operation.path, operation.handler.clone());
        let gate = Gate { app: app.clone(), operation: Arc::new(operation) };
        router = router.route(path, handler.route_layer(gate));
    }
    let router = router
        .merge(pages(&app))
        .fallback(gate::not_found)
        .method_not_allowed_fallback(gate::method_not_allowed)
        .with_state(app.clone());
    let surrounded = |router| Router::new().fallback_service(Surrounded { app: app.clone(), router });
    if app.config.server.cors_origins.is_empty() {
        surrounded(router)
    } else {
        surrounded(router.layer(from_fn_with_state(app.clone(), cors::preflight)))
            .layer(from_fn_with_state(app.clone(), cors::expose))
    }
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
